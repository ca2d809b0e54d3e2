//! Key backups: everything that opens data, sealed to recovery recipients, never in clear on a disk.
//!
//! A backup holds the keys themselves, not their wrapped form: it serves when the provider is lost,
//! and it never holds the key of an erased person. A new backup replaces the older ones, whose files
//! are deleted once the new one was rehearsed; so an erasure reaches backups too.

use serde::{Deserialize, Serialize};
use tutela_api as api;
use tutela_core::{KeyId, Timestamp};
use tutela_kms::{
    Binding, CallerContext, NamedKey, Suite,
    event::{KeyBackedUp, KeyBackupDeleted, KeyBackupRehearsed},
    open_backup, seal_backup,
};
use tutela_store::{FieldPolicyRow, KeyBackupRow, KeyVersionRow, SubjectTagRow};
use uuid::Uuid;

use super::{crypto::DEFAULT_KEY, key_restore, subject::MAX_OPEN};
use crate::{App, BackupSettings, Ctx, Error};

const CANARY: &str = "tutela canary";
/// Rows read at once.
const PAGE: u32 = 1_000;

/// What a backup says, as JSON inside the sealed file.
#[derive(Serialize, Deserialize)]
pub struct Payload {
    pub(super) v: u32,
    /// The root key.
    pub(super) root: String,
    /// The key of the canary, and a message it seals.
    pub(super) canary: String,
    pub(super) keys: Vec<KeyCopy>,
    pub(super) versions: Vec<VersionCopy>,
    pub(super) subjects: Vec<SubjectCopy>,
    pub(super) policies: Vec<(String, serde_json::Value)>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct KeyCopy {
    pub id: Uuid,
    pub name: String,
    pub purposes: Vec<String>,
    pub suite: u8,
    pub export: bool,
    pub state: String,
    pub version: u32,
    pub min_decryption_version: u32,
    pub rotation_secs: Option<u64>,
    pub created_at: i64,
    pub rotated_at: i64,
    pub destroy_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct VersionCopy {
    pub key: Uuid,
    pub version: u32,
    pub state: String,
    pub bytes: [u8; 32],
    pub created_at: i64,
    pub counts: [u64; 3],
}

#[derive(Serialize, Deserialize)]
pub(super) struct SubjectCopy {
    pub key: Uuid,
    pub tag: [u8; 32],
    pub created_at: i64,
    pub hold: Option<String>,
}

/// Whether key backups are made.
pub fn enabled(app: &App) -> bool {
    app.ring.settings.backup.is_some()
}

/// Key backups, newest first.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::KeyBackup>, Error> {
    app.permit(ctx, "keys:read").await?;
    Ok(app.store.key_backup_list(100).await?.iter().map(shown).collect())
}

/// Makes a backup now.
pub async fn create(app: &App, ctx: &Ctx) -> Result<api::KeyBackup, Error> {
    app.permit(ctx, "keys:backup").await?;
    Ok(shown(&write(app, ctx).await?))
}

/// Restores the newest backup into a scratch instance and opens its canary there.
pub async fn rehearse(app: &App, ctx: &Ctx) -> Result<api::KeyBackup, Error> {
    app.permit(ctx, "keys:backup").await?;
    let newest = newest(app).await?.ok_or_else(|| Error::Conflict("there is no key backup yet; make one with `tutela key backup`".into()))?;
    try_out(app, ctx, &newest).await?;
    newest_shown(app).await
}

/// What is due: a backup, its rehearsal, and the end of older files.
pub(crate) async fn upkeep(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let Some(settings) = &app.ring.settings.backup else { return Ok(()) };
    let newest = newest(app).await?;
    // While a file is there that may hold an erased key, a newer one has to be made and tried out.
    let last_erasure = app.store.subject_key_list_open(MAX_OPEN).await?.iter().filter_map(|row| row.destroyed_at).max();
    let erased_since = match last_erasure {
        Some(at) => !app.store.key_backup_list_old(at, 1).await?.is_empty(),
        None => false,
    };
    let old = newest.as_ref().is_none_or(|b| ctx.now.since(b.created_at) >= settings.every);
    let outdated = erased_since && newest.as_ref().is_some_and(|b| last_erasure.is_some_and(|at| b.created_at <= at));
    let current = if old || outdated { write(app, ctx).await? } else { newest.ok_or(Error::Internal("a backup is missing"))? };
    let rows = app.store.key_backup_list(100).await?;
    let rehearsed = rows.iter().filter_map(|b| b.rehearsed_at).max();
    if current.rehearsed_at.is_none() && (erased_since || rehearsed.is_none_or(|at| ctx.now.since(at) >= settings.rehearse)) {
        try_out(app, ctx, &current).await?;
    }
    drop_old(app, ctx, settings).await
}

/// Deletes the files of all backups but the newest rehearsed one and those made after it.
async fn drop_old(app: &App, ctx: &Ctx, settings: &BackupSettings) -> Result<(), Error> {
    let rows = app.store.key_backup_list(100).await?;
    let Some(good) = rows.iter().find(|b| b.rehearsed_at.is_some() && b.deleted_at.is_none()) else { return Ok(()) };
    for old in app.store.key_backup_list_old(good.created_at, 100).await? {
        match tokio::fs::remove_file(settings.folder.join(&old.file)).await {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => tracing::warn!(error = %e, file = old.file, "an old key backup could not be deleted"),
            _ => app.commit(ctx, KeyBackupDeleted::new(old.id.to_string()), |c| c.key_backup_deleted(old.id, ctx.now)).await?,
        }
    }
    Ok(())
}

async fn write(app: &App, ctx: &Ctx) -> Result<KeyBackupRow, Error> {
    let off = || Error::Conflict("key backups are off: set `kms.backup_enabled` and `kms.backup.recipients`".into());
    let settings = app.ring.settings.backup.as_ref().ok_or_else(off)?;
    let reading = app.key_material.lock().await;
    let created_at = app.env.now();
    let payload = gather(app).await?;
    drop(reading);
    let keys = payload.versions.len() as u64;
    let clear = tutela_core::Secret::new(serde_json::to_vec(&payload).map_err(|_| Error::Internal("a key backup is not JSON"))?);
    // The instance itself is a recipient, so that it can rehearse a restore.
    let mut recipients = settings.recipients.clone();
    recipients.push(app.ring.settings.rehearsal.recipient()?);
    let sealed = seal_backup(&recipients, clear.open(), &mut { app.env() })?;
    let sha256 = tutela_kms::sha256(&sealed);
    let id = tutela_core::JobId::new(ctx.now, &mut { app.env() }).0;
    let file = format!("tutela-keys-{}.backup", id.simple());
    write_file(&settings.folder, &file, &sealed).await?;
    let row = KeyBackupRow { id, file, sha256, keys, created_at, rehearsed_at: None, deleted_at: None };
    let event = KeyBackedUp::new(id.to_string(), keys, recipients.len() as u64 - 1, hex(&sha256));
    if let Err(e) = app.commit(ctx, event, |c| c.key_backup_insert(&row)).await {
        // A file that nothing knows of would never be deleted.
        let _ = tokio::fs::remove_file(settings.folder.join(&row.file)).await;
        return Err(e);
    }
    Ok(row)
}

/// A whole file or none: a temporary name first, then its own, then the folder.
async fn write_file(folder: &std::path::Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let (folder, name, bytes) = (folder.to_owned(), name.to_owned(), bytes.to_vec());
    let told = folder.display().to_string();
    let written = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&folder)?;
        let temporary = folder.join(format!("{name}.tmp"));
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        std::io::Write::write_all(&mut file, &bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, folder.join(&name))?;
        std::fs::File::open(&folder)?.sync_all()
    });
    let failed = |e: String| Error::Store(tutela_store::Error::Unavailable(format!("the key backup could not be written to `{told}`: {e}")));
    written.await.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))
}

async fn try_out(app: &App, ctx: &Ctx, backup: &KeyBackupRow) -> Result<(), Error> {
    let tried = attempt(app, backup).await;
    let failure = tried.as_ref().err().map(ToString::to_string);
    let event = KeyBackupRehearsed::new(backup.id.to_string(), *tried.as_ref().unwrap_or(&0), failure.as_deref());
    app.commit(ctx, event, |c| if tried.is_ok() { c.key_backup_rehearsed(backup.id, ctx.now) } else { c }).await?;
    tried.map(|_| ())
}

async fn attempt(app: &App, backup: &KeyBackupRow) -> Result<u64, Error> {
    let settings = app.ring.settings.backup.as_ref().ok_or_else(|| Error::Conflict("key backups are off".into()))?;
    let bytes = tokio::fs::read(settings.folder.join(&backup.file)).await.map_err(|e| Error::Conflict(format!("the key backup cannot be read: {e}")))?;
    if tutela_kms::sha256(&bytes) != backup.sha256 {
        return Err(Error::Conflict("the key backup was changed since it was written".into()));
    }
    let payload = Payload::open(&app.ring.settings.rehearsal, &bytes)?;
    key_restore::in_scratch(app, payload, &settings.folder).await
}

impl Payload {
    /// Opens a backup file.
    pub fn open(identity: &tutela_kms::Identity, file: &[u8]) -> Result<Self, Error> {
        let clear = open_backup(identity, file)?;
        let payload: Self =
            serde_json::from_slice(clear.open()).map_err(|_| Error::Conflict("the key backup has a form that this program does not know".into()))?;
        if payload.v != 1 {
            return Err(Error::Conflict("the key backup was made by a newer program".into()));
        }
        Ok(payload)
    }

    /// The root key's text.
    pub fn root(&self) -> &str {
        &self.root
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        self.root.zeroize();
        self.versions.iter_mut().for_each(|v| v.bytes.zeroize());
    }
}

/// Everything a backup holds. What was destroyed is not among it.
async fn gather(app: &App) -> Result<Payload, Error> {
    let mut keys = Vec::new();
    let mut before = None;
    loop {
        let page = app.store.key_list(before, PAGE).await?;
        before = page.last().map(|k| k.id);
        keys.extend(page.iter().map(copy_key));
        if page.len() < PAGE as usize {
            break;
        }
    }
    let mut versions = Vec::new();
    let mut after = (KeyId(Uuid::nil()), 0);
    loop {
        let page = app.store.key_version_list_all(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = (last.key, last.version);
        for row in &page {
            let (Some(epoch), Some(wrapped)) = (row.epoch, &row.wrapped) else { continue };
            let key = app.ring.kek(epoch).await?.unwrap(row.key, row.version, wrapped)?;
            versions.push(copy_version(row, *key.bytes()));
        }
    }
    let mut subjects = Vec::new();
    let mut after = KeyId(Uuid::nil());
    loop {
        let page = app.store.subject_key_tags(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.key;
        subjects.extend(page.iter().map(|row: &SubjectTagRow| SubjectCopy {
            key: row.key.0,
            tag: row.tag,
            created_at: row.created_at.micros(),
            hold: row.hold.clone(),
        }));
    }
    let policies = app.store.field_policy_list("", PAGE).await?.into_iter().map(|FieldPolicyRow { name, policy, .. }| (name, policy)).collect();
    Ok(Payload { v: 1, root: app.sealer.root().to_text().open().clone(), canary: canary(app).await?, keys, versions, subjects, policies })
}

async fn canary(app: &App) -> Result<String, Error> {
    let named = app.ring.named(DEFAULT_KEY).await?;
    let key = app.ring.data_key(named.id, named.version).await?;
    let context = CallerContext::text(CANARY.into())?;
    Ok(tutela_kms::seal(&key, Suite::Aes256Gcm, &Binding::Message(&context), CANARY.as_bytes(), &mut { app.env() })?.to_text())
}

/// Opens the canary: proof that the keys of a restored instance are the right ones.
pub(super) async fn open_canary(app: &App, canary: &str) -> Result<(), Error> {
    let message = tutela_kms::Message::from_text(canary)?;
    let header = message.header();
    let key = app.ring.data_key(header.key, header.version).await?;
    let context = CallerContext::text(CANARY.into())?;
    let clear = tutela_kms::open(&key, &Binding::Message(&context), &message)?;
    if clear == CANARY.as_bytes() { Ok(()) } else { Err(Error::Conflict("the canary reads otherwise".into())) }
}

fn copy_key(key: &NamedKey) -> KeyCopy {
    KeyCopy {
        id: key.id.0,
        name: key.name.clone(),
        purposes: key.purposes.iter().map(|p| p.as_str().to_owned()).collect(),
        suite: key.suite as u8,
        export: key.export,
        state: key.state.as_str().to_owned(),
        version: key.version,
        min_decryption_version: key.min_decryption_version,
        rotation_secs: key.rotation.map(|r| r.as_secs()),
        created_at: key.created_at.micros(),
        rotated_at: key.rotated_at.micros(),
        destroy_at: key.destroy_at.map(Timestamp::micros),
    }
}

fn copy_version(row: &KeyVersionRow, bytes: [u8; 32]) -> VersionCopy {
    VersionCopy {
        key: row.key.0,
        version: row.version,
        state: row.state.as_str().to_owned(),
        bytes,
        created_at: row.created_at.micros(),
        counts: [row.messages, row.plain_messages, row.released],
    }
}

async fn newest(app: &App) -> Result<Option<KeyBackupRow>, Error> {
    Ok(app.store.key_backup_list(100).await?.into_iter().find(|b| b.deleted_at.is_none()))
}

async fn newest_shown(app: &App) -> Result<api::KeyBackup, Error> {
    newest(app).await?.as_ref().map(shown).ok_or(Error::NotFound("key backup"))
}

fn shown(row: &KeyBackupRow) -> api::KeyBackup {
    api::KeyBackup {
        id: row.id.to_string(),
        file: row.file.clone(),
        created_at: row.created_at.to_string(),
        keys: row.keys,
        sha256: hex(&row.sha256),
        rehearsed_at: row.rehearsed_at.map(|at| at.to_string()),
        deleted_at: row.deleted_at.map(|at| at.to_string()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
