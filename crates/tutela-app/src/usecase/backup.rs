//! The whole instance in one file, while it runs: rows from one snapshot, sealed under a key that is
//! derived from the root key. Keys of people are in it only as their providers wrapped them.
//!
//! ```text
//!   {"tutela_backup":1,"origin":…,"made_at":…,"checkpoint":…}   one line in clear
//!   a sealed stream of the lines of the store's dump
//! ```

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tutela_core::{KeyId, Timestamp};
use tutela_kms::{Binding, CallerContext, DataKey, RootKey, StreamSealer, Suite};
use tutela_ledger::Checkpoint;
use tutela_store::InstanceRow;
use uuid::Uuid;

use super::{
    erasure_journal::{self, Erased},
    search::hex,
};
use crate::{
    App, Ctx, Error,
    occurrence::{BackupMade, BackupRehearsed},
};

/// Plaintext that is sealed together.
const PIECE: usize = 256 << 10;
/// What names of backups in the folder begin and end with.
const NAME: (&str, &str) = ("tutela-", ".backup");

/// `[backup]`, read and checked.
#[derive(Debug, Clone, Default)]
pub struct BackupPlan {
    /// Where backups and the journal of erasures are kept.
    pub folder: PathBuf,
    /// How often one is made; never where absent.
    pub every: Option<Duration>,
    /// How many are kept.
    pub keep: u32,
}

/// The first line of a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BackupHead {
    /// Version of the form.
    pub tutela_backup: u32,
    /// Id of the instance.
    pub id: Uuid,
    /// Name of its ledger.
    pub origin: String,
    /// When the instance was made, in microseconds since 1970.
    pub created_at: i64,
    /// What tells root keys apart, in hexadecimal.
    pub key_fingerprint: String,
    /// Which tables it has, as a checksum.
    pub schema: String,
    /// When the backup was made.
    pub made_at: Timestamp,
    /// The ledger's signed checkpoint shortly before; the backup holds at least its entries.
    pub checkpoint: String,
}

impl BackupHead {
    /// The instance that a restore makes again.
    pub fn instance(&self) -> Result<InstanceRow, Error> {
        let mut key_fingerprint = [0; 32];
        for (byte, digits) in key_fingerprint.iter_mut().zip(self.key_fingerprint.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
            *byte = digits.ok_or(Error::Internal("the backup's first line names no root key"))?;
        }
        Ok(InstanceRow { id: self.id, origin: self.origin.clone(), key_fingerprint, created_at: Timestamp::from_micros(self.created_at) })
    }
}

/// The key that backups of an instance are sealed under.
pub(crate) fn backup_key(root: &RootKey) -> Result<DataKey, Error> {
    Ok(DataKey::from_bytes(KeyId(Uuid::nil()), 1, root.derive(&[b"backup"])?))
}

/// What the sealed stream is bound to: the line before it.
pub(crate) fn context(head: &str) -> CallerContext {
    CallerContext::Text(head.to_owned())
}

/// A backup under way; pieces come out until `None`.
pub struct Backup {
    pieces: mpsc::Receiver<Result<Vec<u8>, String>>,
}

impl Backup {
    /// The next piece of the file. An error means that what came is not a backup.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, String>> {
        self.pieces.recv().await
    }
}

/// Begins a backup. That it was made, or that it failed, is recorded at its end.
pub async fn begin(app: &App, ctx: &Ctx) -> Result<Backup, Error> {
    app.permit(ctx, "backups:write").await?;
    // Events that have no position yet get one, so that few are left to be recorded after a restore.
    app.store.settle().await?;
    let instance = app.store.instance_row().await?;
    let checkpoint = app.store.log_head().await?.1;
    let head = BackupHead {
        tutela_backup: 1,
        id: instance.id,
        origin: instance.origin,
        created_at: instance.created_at.micros(),
        key_fingerprint: hex(&instance.key_fingerprint),
        schema: tutela_store::schema(),
        made_at: ctx.now,
        checkpoint,
    };
    let line = serde_json::to_string(&head).map_err(|_| Error::Internal("the backup's first line is not JSON"))?;
    let sealer = StreamSealer::new(&backup_key(app.sealer.root())?, Suite::Aes256Gcm, &Binding::Message(&context(&line)), &mut { app.env() })?;
    let (out, pieces) = mpsc::channel(4);
    let (app, ctx) = (app.clone(), ctx.clone());
    tokio::spawn(async move { run(app, ctx, head, line, sealer, out).await });
    Ok(Backup { pieces })
}

async fn run(app: App, ctx: Ctx, head: BackupHead, line: String, mut sealer: StreamSealer, out: mpsc::Sender<Result<Vec<u8>, String>>) {
    let (lines, mut dumped) = mpsc::channel(1_024);
    let dump = tokio::spawn({
        let store = app.store.clone();
        async move { store.dump(lines).await }
    });
    let mut digest = tutela_kms::Sha256::default();
    let mut bytes = 0_u64;
    let mut piece = Vec::with_capacity(PIECE + 4_096);
    let mut failed = send(&out, &mut digest, &mut bytes, format!("{line}\n").into_bytes()).await;
    while let (Ok(()), Some(row)) = (&failed, dumped.recv().await) {
        piece.extend_from_slice(row.as_bytes());
        piece.push(b'\n');
        if piece.len() >= PIECE {
            failed = match sealer.push(&piece) {
                Ok(sealed) => send(&out, &mut digest, &mut bytes, sealed).await,
                Err(e) => Err(e.to_string()),
            };
            piece.clear();
        }
    }
    drop(dumped);
    let rows = match dump.await {
        Ok(Ok(rows)) => rows,
        Ok(Err(e)) => {
            failed = failed.and(Err(e.to_string()));
            0
        }
        Err(e) => {
            failed = failed.and(Err(e.to_string()));
            0
        }
    };
    if failed.is_ok() {
        failed = match sealer.push(&piece).and_then(|mut sealed| {
            sealed.extend(sealer.finish()?);
            Ok(sealed)
        }) {
            Ok(sealed) => send(&out, &mut digest, &mut bytes, sealed).await,
            Err(e) => Err(e.to_string()),
        };
    }
    let sha256 = hex(&digest.finish());
    let position = Checkpoint::parse(&head.checkpoint).map_or(0, |checkpoint| checkpoint.size);
    let failure = failed.as_ref().err().map(String::as_str);
    if let Err(e) = app.commit(&ctx, BackupMade::new(rows, bytes, sha256, position, failure), |c| c).await {
        tracing::error!(error = %e, "that a backup was made could not be recorded");
        failed = failed.and(Err("it could not be recorded".into()));
    }
    if let Err(why) = failed {
        tracing::error!(reason = why, "a backup was not finished");
        let _ = out.send(Err(why)).await;
    }
}

async fn send(out: &mpsc::Sender<Result<Vec<u8>, String>>, digest: &mut tutela_kms::Sha256, bytes: &mut u64, piece: Vec<u8>) -> Result<(), String> {
    digest.update(&piece);
    *bytes += piece.len() as u64;
    out.send(Ok(piece)).await.map_err(|_| "whoever asked for it has gone".to_owned())
}

/// Makes the backup that is due, and deletes the oldest.
pub(crate) async fn upkeep(app: &App, ctx: &Ctx) -> Result<(), Error> {
    journal(app).await?;
    let Some(every) = app.backup.every else { return Ok(()) };
    let folder = &app.backup.folder;
    let failed = |e: std::io::Error| Error::Conflict(format!("`{}` cannot be written: {e}", folder.display()));
    fs::create_dir_all(folder).map_err(failed)?;
    // What was cut off is no backup; who makes one holds the job.
    for cut in fs::read_dir(folder).map_err(failed)?.filter_map(|entry| Some(entry.ok()?.path())) {
        if cut.extension().is_some_and(|of| of == "part") && cut.file_name().is_some_and(|name| name.to_string_lossy().starts_with(NAME.0)) {
            fs::remove_file(&cut).map_err(failed)?;
        }
    }
    let mut there = list(folder).map_err(failed)?;
    let newest = there.last().and_then(|path| time_of(path));
    if newest.is_some_and(|at| ctx.now.since(at) < every) {
        return Ok(());
    }
    let stamp = ctx.now.to_string().replace([':', '.'], "-");
    let path = folder.join(format!("{}{stamp}{}", NAME.0, NAME.1));
    let part = path.with_extension("part");
    let mut file = fs::File::create(&part).map_err(failed)?;
    let mut backup = begin(app, ctx).await?;
    while let Some(piece) = backup.next().await {
        match piece {
            Ok(piece) => file.write_all(&piece).map_err(failed)?,
            Err(why) => {
                let _ = fs::remove_file(&part);
                return Err(Error::Conflict(format!("the backup was not finished: {why}")));
            }
        }
    }
    file.sync_all().and_then(|()| fs::rename(&part, &path)).map_err(failed)?;
    there.push(path);
    let spare = there.len().saturating_sub(app.backup.keep.max(1) as usize);
    for old in there.into_iter().take(spare) {
        fs::remove_file(&old).map_err(failed)?;
    }
    Ok(())
}

/// Records what a rehearsed restore found.
pub async fn rehearsed(app: &App, ctx: &Ctx, sha256: String, rows: u64, entries: u64, failure: Option<&str>) -> Result<(), Error> {
    app.permit(ctx, "backups:write").await?;
    if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Error::invalid("sha256", "it is the SHA-256 of the backup: 64 hexadecimal digits"));
    }
    let failure = failure.map(|text| text.chars().take(500).collect::<String>());
    app.commit(ctx, BackupRehearsed::new(rows, entries, sha256, failure.as_deref()), |c| c).await
}

/// Writes erasures that the journal lacks, for example because the process was killed in between.
pub(crate) async fn journal(app: &App) -> Result<(), Error> {
    let keys = app.store.subject_key_list_destroyed().await?.into_iter().map(|(key, at)| Erased::Key(key, at));
    let names = app.store.erased_name_list(Timestamp::from_secs(0)).await?.into_iter().map(Erased::Name);
    let erased: Vec<Erased> = keys.chain(names).collect();
    erasure_journal::append(&app.backup.folder, app.erasure_code.open(), &erased)
}

/// Backups in a folder, oldest first.
fn list(folder: &Path) -> Result<Vec<PathBuf>, std::io::Error> {
    let mut out: Vec<PathBuf> = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| time_of(path).is_some()).collect();
    out.sort();
    Ok(out)
}

/// When a backup was made, from its name.
fn time_of(path: &Path) -> Option<Timestamp> {
    let stamp = path.file_name()?.to_str()?.strip_prefix(NAME.0)?.strip_suffix(NAME.1)?;
    let (day, time) = stamp.split_once('T')?;
    let mut parts = time.splitn(4, '-');
    let (hour, minute, second, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    format!("{day}T{hour}:{minute}:{second}.{rest}").parse().ok()
}
