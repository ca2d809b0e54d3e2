//! Named keys: make, look at, rotate, change, destroy.

use std::{collections::BTreeSet, time::Duration};

use tutela_api as api;
use tutela_core::{KeyId, Timestamp};
use tutela_kms::{
    BUDGET, BUDGET_ROTATE, CallerContext, DataKey, KeyState, NamedKey, Purpose, Suite, VersionState,
    event::{KeyChanged, KeyCompromised, KeyCreated, KeyDestroyed, KeyDestructionScheduled, KeyExported, KeyKept, KeyReleased, KeyRotated},
};
use tutela_store::KeyVersionRow;

use super::crypto::{DEFAULT_KEY, caller_context};
use crate::{App, Ctx, Error, parse_period, period_text};

/// Most keys of a list.
const MAX_LIST: u32 = 1_000;

/// All keys, newest first, at most 1,000.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::Key>, Error> {
    app.permit(ctx, "keys:read").await?;
    let mut out = Vec::new();
    for key in app.store.key_list(None, MAX_LIST).await? {
        out.push(shown(app, &key).await?);
    }
    Ok(out)
}

/// One key by name or id.
pub async fn get(app: &App, ctx: &Ctx, name: &str) -> Result<api::Key, Error> {
    app.permit(ctx, "keys:read").await?;
    shown(app, &find(app, name).await?).await
}

/// Makes a key. A name is never used again, not even after its key was destroyed.
pub async fn create(app: &App, ctx: &Ctx, new: api::NewKey) -> Result<api::Key, Error> {
    app.permit(ctx, "keys:write").await?;
    let key = insert(app, ctx, &new).await?;
    shown(app, &key).await
}

async fn insert(app: &App, ctx: &Ctx, new: &api::NewKey) -> Result<NamedKey, Error> {
    NamedKey::check_name(&new.name).map_err(|text| Error::invalid("name", text))?;
    let purposes: BTreeSet<Purpose> =
        if new.purposes.is_empty() { [Purpose::Encrypt, Purpose::DataKey].into() } else { new.purposes.iter().map(|p| purpose(*p)).collect() };
    let suite = new.algorithm.as_deref().map_or(Ok(Suite::Aes256Gcm), Suite::parse)?;
    if !purposes.contains(&NamedKey::purpose_of(suite)) {
        let needed = NamedKey::purpose_of(suite).as_str();
        return Err(Error::invalid("algorithm", format!("a key that seals with `{}` needs the purpose `{needed}`", suite.name())));
    }
    let key = NamedKey {
        id: KeyId::new(ctx.now, &mut { app.env() }),
        name: new.name.clone(),
        purposes,
        suite,
        export: new.export,
        state: KeyState::Active,
        version: 1,
        min_decryption_version: 1,
        rotation: rotation(app, new.rotation_schedule.as_deref())?,
        created_at: ctx.now,
        rotated_at: ctx.now,
        destroy_at: None,
    };
    let version = new_version(app, &key, ctx.now).await?;
    let words = key.purposes.iter().map(|p| p.as_str().to_owned()).collect();
    app.commit(ctx, KeyCreated::new(key.id, &key.name, words, key.export), |c| c.key_insert(&key).key_version_insert(&version)).await?;
    app.ring.forget(key.id).await;
    Ok(key)
}

/// At the first start: the key that callers use who name none.
pub(crate) async fn ensure_default(app: &App, ctx: &Ctx) -> Result<(), Error> {
    if app.store.key_get_by_name(DEFAULT_KEY).await?.is_some() {
        return Ok(());
    }
    let purposes = vec![api::KeyPurpose::Encrypt, api::KeyPurpose::DataKey, api::KeyPurpose::Deterministic, api::KeyPurpose::Index];
    match insert(app, ctx, &api::NewKey { name: DEFAULT_KEY.into(), purposes, ..api::NewKey::default() }).await {
        // Another node was faster.
        Err(Error::Store(tutela_store::Error::Conflict(_))) => Ok(()),
        done => done.map(|_| ()),
    }
}

/// Makes a new version, which seals from now on.
pub async fn rotate(app: &App, ctx: &Ctx, name: &str) -> Result<api::Key, Error> {
    app.permit(ctx, "keys:write").await?;
    let key = rotated(app, ctx, find(app, name).await?).await?;
    shown(app, &key).await
}

pub(crate) async fn rotated(app: &App, ctx: &Ctx, before: NamedKey) -> Result<NamedKey, Error> {
    let after = before.clone().rotate(ctx.now)?;
    let version = new_version(app, &after, ctx.now).await?;
    app.commit(ctx, KeyRotated::new(after.id, &after.name, after.version), |c| c.key_replace(&before, &after).key_version_insert(&version)).await?;
    app.ring.forget(after.id).await;
    Ok(after)
}

/// Changes settings, marks a version as compromised, or declares messages as gone.
pub async fn change(app: &App, ctx: &Ctx, name: &str, change: api::KeyChange) -> Result<api::Key, Error> {
    app.permit(ctx, "keys:write").await?;
    let before = find(app, name).await?;
    if before.state != KeyState::Active {
        return Err(Error::Conflict("the key is destroyed or about to be; keep it first".into()));
    }
    let reason = || change.reason.as_deref().filter(|r| !r.trim().is_empty()).ok_or_else(|| Error::invalid("reason", "say why; the reason goes to the ledger"));
    if let Some(release) = &change.release {
        let event = KeyReleased::new(before.id, release.version, release.messages, reason()?);
        app.commit(ctx, event, |c| c.key_version_release(before.id, release.version, release.messages)).await?;
    }
    let mut key = before.clone();
    if let Some(version) = change.compromised_version {
        let event = KeyCompromised::new(before.id, version, reason()?);
        if version == before.version {
            // What is known to others must not seal any more: the new version comes in the same commit.
            let after = before.clone().rotate(ctx.now)?;
            let row = new_version(app, &after, ctx.now).await?;
            let rotated = app.record(ctx, KeyRotated::new(after.id, &after.name, after.version)).await?;
            app.commit(ctx, event, |c| c.and(rotated).key_replace(&before, &after).key_version_insert(&row).key_version_mark(before.id, version)).await?;
            key = after;
        } else {
            app.commit(ctx, event, |c| c.key_version_mark(before.id, version)).await?;
        }
        app.ring.forget(before.id).await;
    }
    if change.min_decryption_version.is_some() || change.rotation_schedule.is_some() {
        key = set(app, ctx, key, &change).await?;
    }
    shown(app, &key).await
}

async fn set(app: &App, ctx: &Ctx, before: NamedKey, change: &api::KeyChange) -> Result<NamedKey, Error> {
    let mut after = before.clone();
    if let Some(text) = &change.rotation_schedule {
        after.rotation = rotation(app, Some(text))?;
    }
    if let Some(least) = change.min_decryption_version {
        if !(before.min_decryption_version..=before.version).contains(&least) {
            let text = format!(
                "it lies between {} and {}; versions below {} are destroyed",
                before.min_decryption_version, before.version, before.min_decryption_version
            );
            return Err(Error::invalid("min_decryption_version", text));
        }
        for row in app.store.key_version_list(before.id).await?.iter().filter(|row| row.version < least) {
            let references = row.messages.saturating_sub(row.released);
            if references > 0 {
                return Err(Error::Conflict(format!(
                    "{references} messages sealed under version {} are not accounted for: rewrap them, or release those that are gone (`release`, with a reason)",
                    row.version
                )));
            }
        }
        after.min_decryption_version = least;
    }
    let event = KeyChanged::new(after.id, after.min_decryption_version, schedule_text(&after));
    app.commit(ctx, event, |c| c.key_replace(&before, &after).key_version_destroy_below(after.id, after.min_decryption_version)).await?;
    app.ring.forget(after.id).await;
    if after.min_decryption_version > before.min_decryption_version
        && let Err(e) = app.store.scrub().await
    {
        tracing::warn!(error = %e, "destroyed versions are still in the write-ahead log; it will be cut as soon as it can");
    }
    Ok(after)
}

/// Stops a key now and destroys it after a wait.
pub async fn destroy(app: &App, ctx: &Ctx, name: &str, request: api::DestroyRequest) -> Result<api::Key, Error> {
    app.permit(ctx, "keys:destroy").await?;
    if request.reason.trim().is_empty() {
        return Err(Error::invalid("reason", "say why; the reason goes to the ledger"));
    }
    let before = find(app, name).await?;
    if before.name == DEFAULT_KEY {
        return Err(Error::Conflict("the key `default` serves callers who name none; rotate it instead".into()));
    }
    let least = app.ring.settings.destroy_wait;
    let wait = request.wait.as_deref().map(parse_period).transpose().map_err(|text| Error::invalid("wait", text))?.unwrap_or(least);
    if wait < least {
        return Err(Error::invalid("wait", format!("it is at least {} (`kms.destroy_wait`)", period_text(least))));
    }
    let after = before.clone().destroy(ctx.now + wait)?;
    let at = (ctx.now + wait).to_string();
    app.commit(ctx, KeyDestructionScheduled::new(after.id, &after.name, at, &request.reason), |c| c.key_replace(&before, &after)).await?;
    app.ring.forget(after.id).await;
    shown(app, &after).await
}

/// Undoes a destruction that waits.
pub async fn keep(app: &App, ctx: &Ctx, name: &str) -> Result<api::Key, Error> {
    app.permit(ctx, "keys:destroy").await?;
    let before = find(app, name).await?;
    let after = before.clone().keep()?;
    app.commit(ctx, KeyKept::new(after.id, &after.name), |c| c.key_replace(&before, &after)).await?;
    app.ring.forget(after.id).await;
    shown(app, &after).await
}

/// The key of a context, for a key whose policy lets it leave.
pub async fn derive(app: &App, ctx: &Ctx, name: &str, request: api::DeriveRequest) -> Result<api::DerivedKey, Error> {
    app.permit(ctx, "crypto:export").await?;
    let named = find(app, name).await?;
    if !named.export {
        return Err(Error::Conflict(format!("the key `{}` was made without `export`, so its derived keys never leave; use encrypt and decrypt", named.name)));
    }
    named.allow(Purpose::Plain).map_err(|text| Error::invalid("key", text))?;
    if request.context.is_empty() {
        return Err(Error::invalid("context", "a key is derived for a context of 1 byte to 8 KiB"));
    }
    let context: CallerContext = caller_context(Some(&api::Context::Text(request.context)))?;
    let version = request.version.unwrap_or(named.version);
    if !(named.min_decryption_version..=named.version).contains(&version) {
        return Err(Error::invalid("version", format!("versions {} to {} can be used", named.min_decryption_version, named.version)));
    }
    let key = app.ring.data_key(named.id, version).await?;
    let tag = app.uses.context(&context).unwrap_or_default();
    app.commit(ctx, KeyExported::new(named.id, version, tag), |c| c).await?;
    let derived = key.context_key(&context);
    let bytes = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, derived.open());
    Ok(api::DerivedKey { key: bytes, key_id: named.id.to_string(), key_version: version })
}

/// What is due: new versions, versions near the end of their budget, and destructions whose wait is over.
pub(crate) async fn upkeep(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let mut keys = Vec::new();
    let mut before = None;
    loop {
        let page = app.store.key_list(before, MAX_LIST).await?;
        before = page.last().map(|key| key.id);
        let last = page.len() < MAX_LIST as usize;
        keys.extend(page);
        if last {
            break;
        }
    }
    for key in keys {
        let due = key.next_rotation().is_some_and(|at| at <= ctx.now);
        let spent =
            key.state == KeyState::Active && app.store.key_version_get(key.id, key.version).await?.is_some_and(|row| row.plain_messages >= BUDGET_ROTATE);
        if due || spent {
            unless_conflict(rotated(app, ctx, key).await.map(|_| ()))?;
        }
    }
    for before in app.store.key_list_due(ctx.now, 100).await? {
        let after = NamedKey { state: KeyState::Destroyed, destroy_at: None, ..before.clone() };
        let done = app.commit(ctx, KeyDestroyed::new(after.id, &after.name), |c| c.key_replace(&before, &after).key_version_destroy(after.id)).await;
        app.ring.forget(after.id).await;
        unless_conflict(done)?;
        app.store.scrub().await?;
    }
    Ok(())
}

/// Another node may have been faster.
pub(crate) fn unless_conflict(done: Result<(), Error>) -> Result<(), Error> {
    match done {
        Err(Error::Store(tutela_store::Error::Conflict(_))) => Ok(()),
        done => done,
    }
}

async fn new_version(app: &App, key: &NamedKey, now: Timestamp) -> Result<KeyVersionRow, Error> {
    let kek = app.ring.newest().await?;
    let rng = &mut { app.env() };
    let material = DataKey::generate(key.id, key.version, rng);
    Ok(KeyVersionRow {
        key: key.id,
        version: key.version,
        state: VersionState::Active,
        epoch: Some(kek.number()),
        wrapped: Some(kek.wrap(&material, rng)?),
        created_at: now,
        messages: 0,
        plain_messages: 0,
        released: 0,
    })
}

/// The key itself, not what a cache knows of it.
async fn find(app: &App, name: &str) -> Result<NamedKey, Error> {
    app.ring.stored(name).await?.ok_or(Error::NotFound("key"))
}

fn rotation(app: &App, text: Option<&str>) -> Result<Option<Duration>, Error> {
    match text {
        None => Ok(Some(app.ring.settings.rotation)),
        Some("never") => Ok(None),
        Some(text) => parse_period(text).map(Some).map_err(|e| Error::invalid("rotation_schedule", format!("{e}, or `never`"))),
    }
}

fn schedule_text(key: &NamedKey) -> String {
    key.rotation.map_or_else(|| "never".into(), period_text)
}

fn purpose(purpose: api::KeyPurpose) -> Purpose {
    match purpose {
        api::KeyPurpose::DataKey => Purpose::DataKey,
        api::KeyPurpose::Deterministic => Purpose::Deterministic,
        api::KeyPurpose::Encrypt => Purpose::Encrypt,
        api::KeyPurpose::Index => Purpose::Index,
        api::KeyPurpose::Plain => Purpose::Plain,
    }
}

fn shown_purpose(purpose: Purpose) -> api::KeyPurpose {
    match purpose {
        Purpose::DataKey => api::KeyPurpose::DataKey,
        Purpose::Deterministic => api::KeyPurpose::Deterministic,
        Purpose::Encrypt => api::KeyPurpose::Encrypt,
        Purpose::Index => api::KeyPurpose::Index,
        Purpose::Plain => api::KeyPurpose::Plain,
    }
}

async fn shown(app: &App, key: &NamedKey) -> Result<api::Key, Error> {
    let plain = key.purposes.contains(&Purpose::Plain);
    let version = |row: KeyVersionRow| api::KeyVersion {
        version: row.version,
        state: row.state.as_str().to_owned(),
        created_at: row.created_at.to_string(),
        epoch: row.epoch.map_or(0, u64::from),
        messages: row.messages,
        references: row.messages.saturating_sub(row.released),
        budget: plain.then_some(BUDGET),
        budget_used: plain.then_some(row.plain_messages),
    };
    Ok(api::Key {
        id: key.id.to_string(),
        name: key.name.clone(),
        purposes: key.purposes.iter().map(|p| shown_purpose(*p)).collect(),
        algorithm: key.suite.name().to_owned(),
        state: key.state.as_str().to_owned(),
        version: key.version,
        min_decryption_version: key.min_decryption_version,
        rotation_schedule: schedule_text(key),
        next_rotation_at: key.next_rotation().map(|at| at.to_string()),
        export: key.export,
        created_at: key.created_at.to_string(),
        destroy_at: key.destroy_at.map(|at| at.to_string()),
        versions: app.store.key_version_list(key.id).await?.into_iter().map(version).collect(),
    })
}
