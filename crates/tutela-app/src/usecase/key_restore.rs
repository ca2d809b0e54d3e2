//! Bringing keys back from a backup: into an empty instance, beside a database whose provider is
//! lost, or into a scratch instance to see that it can be done.

use std::{path::Path, sync::Arc, time::Duration};

use tutela_core::{KeyId, Principal, Secret, Timestamp, seam::BoxFuture};
use tutela_kms::{DataKey, KeyState, NamedKey, Purpose, RootKey, Suite, VersionState, event::KeysRestored};
use tutela_ledger::Signer;
use tutela_store::{FieldPolicyRow, KeyVersionRow, Open, Store, SubjectTagRow};
use uuid::Uuid;

use super::{
    epoch,
    key_backup::{KeyCopy, Payload, SubjectCopy, VersionCopy, open_canary},
};
use crate::{
    App, Ctx, Error, KmsSettings, Parts,
    port::{KeyProvider, ProviderError},
};

/// What a restore did.
pub struct Restored {
    /// Key versions brought back.
    pub keys: u64,
    /// Key versions that were destroyed since the backup, and stay so.
    pub skipped: u64,
}

/// Brings the keys of `payload` back under a new epoch of the configured provider, and opens the canary.
pub async fn restore(parts: Parts, payload: &Payload) -> Result<Restored, Error> {
    // Epochs whose provider is lost must not stop the restore that replaces them.
    let (app, queues) = App::open_without_epochs(parts).await?;
    let ctx = Ctx::new(app.env(), Principal::System("restore"));
    epoch::begin(&app, &ctx).await?;
    let restored = put_back(&app, &ctx, payload).await;
    drop(queues);
    app.store.close().await;
    restored
}

async fn put_back(app: &App, ctx: &Ctx, payload: &Payload) -> Result<Restored, Error> {
    let kek = app.ring.newest().await?;
    let mut restored = Restored { keys: 0, skipped: 0 };
    let mut versions = Vec::with_capacity(payload.versions.len());
    for copy in &payload.versions {
        let gone = app.store.key_version_get(KeyId(copy.key), copy.version).await?.is_some_and(|row| row.state == VersionState::Destroyed);
        if gone {
            restored.skipped += 1;
            continue;
        }
        let key = DataKey::from_bytes(KeyId(copy.key), copy.version, copy.bytes);
        versions.push(version_row(copy, kek.number(), kek.wrap(&key, &mut { app.env() })?)?);
        restored.keys += 1;
    }
    let event = app.record(ctx, KeysRestored::new(restored.keys, restored.skipped)).await?;
    let mut changeset = tutela_store::Changeset::of(event);
    for copy in &payload.keys {
        if app.store.key_get(KeyId(copy.id)).await?.is_none() {
            changeset = changeset.key_insert(&named_key(copy)?);
        }
    }
    for copy in &payload.subjects {
        if app.store.subject_key_get(KeyId(copy.key)).await?.is_none() {
            changeset = changeset.subject_key_restore(&tag_row(copy));
        }
    }
    for (name, policy) in &payload.policies {
        // One that is there may be newer, and name more fields.
        if app.store.field_policy_get(name).await?.is_some() {
            continue;
        }
        changeset = changeset.field_policy_set(&FieldPolicyRow { name: name.clone(), policy: policy.clone(), changed_at: ctx.now });
    }
    changeset = versions.iter().fold(changeset, |c, row| c.key_version_restore(row));
    app.store.commit(changeset).await?;
    app.ring.forget_all();
    open_canary(app, &payload.canary).await?;
    Ok(restored)
}

/// Restores into an instance that is thrown away afterwards. Its keys are wrapped by a provider that
/// exists in memory only, so what is left on the disk opens nothing.
pub(super) async fn in_scratch(app: &App, payload: Payload, folder: &Path) -> Result<u64, Error> {
    let id = Uuid::from_u128(u128::from_be_bytes(tutela_core::random_bytes(&mut { app.env() })));
    let data = folder.join(format!("rehearsal-{}", id.simple()));
    std::fs::create_dir_all(&data).map_err(|e| Error::Conflict(format!("`{}` cannot be made: {e}", data.display())))?;
    let done = scratch(app, &payload, &data, id).await;
    let _ = std::fs::remove_dir_all(&data);
    done
}

async fn scratch(app: &App, payload: &Payload, data: &Path, id: Uuid) -> Result<u64, Error> {
    let root = RootKey::parse(payload.root())?;
    let seed = root.derive(&[b"ledger signing"])?;
    let signer = move |origin: &str| Signer::new(origin, &seed).map_err(tutela_store::Error::from);
    let store = Store::open(Open {
        config: tutela_store::Config::default(),
        data: data.to_owned(),
        signer: Box::new(signer),
        host: "rehearsal".into(),
        key_fingerprint: root.fingerprint()?,
        guard: Arc::new(crate::Guard::default()),
        node: id,
        restoring: false,
        env: Arc::clone(&app.env),
    })
    .await?;
    let ledger_key = Signer::new(&store.instance().origin, &seed)?.key().clone();
    let provider: Arc<dyn KeyProvider> = Arc::new(Memory(Secret::new(tutela_core::random_bytes(&mut { app.env() }))));
    let kms = KmsSettings { provider: provider.name().into(), backup: None, ..app.ring.settings.clone() };
    let parts = Parts {
        store,
        env: Arc::clone(&app.env),
        urls: app.urls.clone(),
        limits: Default::default(),
        mail: None,
        sms: None,
        alert_senders: Default::default(),
        outside: Vec::new(),
        clients_http: None,
        data_stores: Default::default(),
        // At the cost that is in use: none is measured for a scratch instance.
        identity: app.identity.at_cost(app.hasher.cost()),
        compliance: Default::default(),
        privacy: Default::default(),
        detection: Default::default(),
        guard: crate::Guard::default(),
        audit: app.audit.clone(),
        rules: app.rules.clone(),
        backup: crate::backup::BackupPlan { folder: data.to_owned(), ..Default::default() },
        cluster: None,
        root,
        kms,
        providers: vec![provider],
        ledger_key,
        version: "rehearsal",
    };
    Ok(restore(parts, payload).await?.keys)
}

/// A provider that forgets everything when it is dropped.
struct Memory(Secret<[u8; 32]>);

impl KeyProvider for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn create<'a>(&'a self, label: &'a str) -> BoxFuture<'a, Result<String, ProviderError>> {
        Box::pin(async move { Ok(label.to_owned()) })
    }

    fn wrap<'a>(&'a self, _: &'a str, clear: &'a [u8; 32], _: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, ProviderError>> {
        // A key that is used once may be added bit by bit (a one-time pad).
        Box::pin(async move { Ok(clear.iter().zip(self.0.open()).map(|(a, b)| a ^ b).collect()) })
    }

    fn unwrap<'a>(&'a self, key: &'a str, wrapped: &'a [u8], context: &'a [u8]) -> BoxFuture<'a, Result<Secret<[u8; 32]>, ProviderError>> {
        Box::pin(async move {
            let bytes: [u8; 32] = wrapped.try_into().map_err(|_| ProviderError::Refused("not 32 bytes".into()))?;
            let clear = self.wrap(key, &bytes, context).await?;
            Ok(Secret::new(clear.try_into().map_err(|_| ProviderError::Refused("not 32 bytes".into()))?))
        })
    }

    fn destroy<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }

    fn warnings<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

// === Rows from copies ===

fn unknown() -> Error {
    Error::Conflict("the key backup has a purpose, algorithm or state that this program does not know".into())
}

fn named_key(copy: &KeyCopy) -> Result<NamedKey, Error> {
    Ok(NamedKey {
        id: KeyId(copy.id),
        name: copy.name.clone(),
        purposes: copy.purposes.iter().map(|word| Purpose::parse(word).ok_or_else(unknown)).collect::<Result<_, _>>()?,
        suite: Suite::from_number(copy.suite).ok_or_else(unknown)?,
        export: copy.export,
        state: KeyState::parse(&copy.state).ok_or_else(unknown)?,
        version: copy.version,
        min_decryption_version: copy.min_decryption_version,
        rotation: copy.rotation_secs.map(Duration::from_secs),
        created_at: Timestamp::from_micros(copy.created_at),
        rotated_at: Timestamp::from_micros(copy.rotated_at),
        destroy_at: copy.destroy_at.map(Timestamp::from_micros),
    })
}

fn version_row(copy: &VersionCopy, epoch: u32, wrapped: Vec<u8>) -> Result<KeyVersionRow, Error> {
    let [messages, plain_messages, released] = copy.counts;
    Ok(KeyVersionRow {
        key: KeyId(copy.key),
        version: copy.version,
        state: VersionState::parse(&copy.state).ok_or_else(unknown)?,
        epoch: Some(epoch),
        wrapped: Some(wrapped),
        created_at: Timestamp::from_micros(copy.created_at),
        messages,
        plain_messages,
        released,
    })
}

fn tag_row(copy: &SubjectCopy) -> SubjectTagRow {
    SubjectTagRow { key: KeyId(copy.key), tag: copy.tag, created_at: Timestamp::from_micros(copy.created_at), hold: copy.hold.clone() }
}
