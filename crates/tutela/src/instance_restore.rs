//! `tutela restore`: a whole instance from its backup, into a fresh database of either engine.
//!
//! ```text
//!   load rows -> (keys from a key backup) -> erasures again, index, record -> verify -> may be served
//! ```
//!
//! Until the end the database says that a restore has begun, and nobody serves it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use tutela_app::{backup::BackupHead, erasure_journal, instance_restore as app, key_backup::Payload};
use tutela_core::{Env, SystemEnv};
use tutela_kms::{Header, Identity, RootKey, StreamOpener};
use tutela_ledger::{Checkpoint, Signer};
use tutela_store::{Loading, Record, Verification};

use crate::{
    command::progress,
    config::Config,
    error::{Error, at},
    keys, serve,
};

/// Longest first line of a backup.
const MAX_HEAD: u64 = 64 << 10;
/// Bytes of the file that are read at a time.
const PIECE: usize = 1 << 20;
/// Bytes of a sealed stream that tell how long its head is.
const PREFIX: usize = 22;

/// What a restore is made from.
pub struct Sources {
    /// The backup; a restore that is only finished has none.
    pub file: Option<PathBuf>,
    /// Journals of erasures.
    pub erasures: Vec<PathBuf>,
    /// Whether it may be done without any.
    pub without_erasures: bool,
    /// A key backup and the identity that opens it.
    pub keys: Option<(PathBuf, PathBuf)>,
    /// Checkpoints kept elsewhere.
    pub checkpoints: Vec<PathBuf>,
}

/// What a restore did.
pub struct Done {
    pub rows: u64,
    pub entries: u64,
    pub erasures: u64,
    pub clients: u64,
    /// Sizes of checkpoints held elsewhere, and what the restored ledger says to them.
    pub held: Vec<(u64, String)>,
}

/// Restores into the configured storage.
pub async fn run(config: &Config, sources: &Sources) -> Result<Done, Error> {
    serve::make_data_folder(&config.data)?;
    let payload = match &sources.keys {
        Some((backup, identity)) => Some(read_keys(backup, identity)?),
        None => None,
    };
    let root = root_key(config, payload.as_ref()).await?;
    let journals = journals(config, sources)?;
    let code = root.derive(&[b"erasure journal"]).map_err(tutela_app::Error::from)?;
    let mut erased = Vec::new();
    for journal in &journals {
        erased.extend(erasure_journal::read(journal, &code)?);
    }
    let (rows, pending) = match &sources.file {
        Some(file) => load(config, &root, file).await?,
        None => (0, Vec::new()),
    };
    let env: Arc<dyn Env> = Arc::new(SystemEnv);
    if let Some(payload) = &payload {
        tutela_app::restore(serve::parts_of(config, again(&root)?, Arc::clone(&env), true).await?, payload).await?;
    }
    let parts = serve::parts_of(config, again(&root)?, Arc::clone(&env), true).await?;
    let bar = progress(Some(0), "indexed");
    let finished = app::finish(parts, &erased, pending, &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })
    .await;
    bar.finish_and_clear();
    let finished = finished.map_err(|e| match e {
        tutela_app::Error::Key(_) => Error::Failed(format!("the rows are restored, but their keys cannot be had: {e}\n  bring the key provider back, or give a key backup: tutela restore --finish --keys FILE --identity FILE")),
        e => Error::App(e),
    })?;
    // A ledger that does not verify is served by nobody.
    let held = verify(config, &root, &sources.checkpoints).await?;
    app::ready(serve::parts_of(config, again(&root)?, env, true).await?, rows, &finished).await?;
    Ok(Done { rows, entries: finished.entries, erasures: finished.erasures, clients: finished.clients, held })
}

/// Restores into a scratch folder, which is removed again.
pub async fn drill(config: &Config, file: &Path) -> Result<Done, Error> {
    let scratch = config.data.join(format!("drill-{}", std::process::id()));
    let mut config = config.clone();
    config.kms.key_file = Some(config.key_file());
    let keys = fs::canonicalize(&config.data).map_err(|e| at(&config.data, &e))?.join("keys");
    let journal = config.backup.plan(&config.data).map_err(Error::Usage)?.folder.join(erasure_journal::FILE);
    config.data.clone_from(&scratch);
    config.storage = tutela_store::Config::default();
    config.audit.storage = tutela_app::Storage::Ledger;
    serve::make_data_folder(&scratch)?;
    // Keys of the local provider are read where they are.
    if keys.exists() {
        std::os::unix::fs::symlink(&keys, scratch.join("keys")).map_err(|e| at(&keys, &e))?;
    }
    let erasures = if journal.exists() { vec![journal] } else { Vec::new() };
    let sources = Sources { file: Some(file.to_owned()), without_erasures: true, erasures, keys: None, checkpoints: Vec::new() };
    let done = run(&config, &sources).await;
    fs::remove_dir_all(&scratch).map_err(|e| at(&scratch, &e))?;
    done
}

async fn root_key(config: &Config, payload: Option<&Payload>) -> Result<RootKey, Error> {
    let there = config.kms.local.credential.is_some() || config.key_file().exists();
    match payload {
        _ if there => keys::read_root(config).await,
        Some(payload) => {
            let root = RootKey::parse(payload.root()).map_err(tutela_app::Error::from)?;
            keys::write_root(config, &root).await?;
            Ok(root)
        }
        None => Err(Error::Usage(format!(
            "`{}` is not there: put the instance's root key back, or give a key backup with --keys and --identity",
            config.key_file().display()
        ))),
    }
}

fn read_keys(backup: &Path, identity: &Path) -> Result<Payload, Error> {
    let file = fs::read(backup).map_err(|e| at(backup, &e))?;
    let text = tutela_core::Secret::new(fs::read_to_string(identity).map_err(|e| at(identity, &e))?);
    let identity = Identity::parse(text.open()).map_err(tutela_app::Error::from)?;
    Ok(Payload::open(&identity, &file)?)
}

/// The journals there are; none is refused, since people would come back who were erased.
fn journals(config: &Config, sources: &Sources) -> Result<Vec<PathBuf>, Error> {
    if !sources.erasures.is_empty() || sources.without_erasures {
        return Ok(sources.erasures.clone());
    }
    let beside = sources.file.as_ref().and_then(|file| Some(file.parent()?.join(erasure_journal::FILE)));
    let folder = config.backup.plan(&config.data).map_err(Error::Usage)?.folder.join(erasure_journal::FILE);
    let found: Vec<PathBuf> = beside.into_iter().chain([folder]).filter(|path| path.exists()).collect();
    if found.is_empty() {
        return Err(Error::Usage(
            "there is no `erasures.log` beside the backup or in `backup.folder`: name it with --erasures FILE, or say --without-erasures, and erase again whoever was erased since".into(),
        ));
    }
    Ok(found)
}

/// Loads the rows of a backup into the configured storage, which must be empty.
async fn load(config: &Config, root: &RootKey, file: &Path) -> Result<(u64, Vec<Record>), Error> {
    let broken = |why: &str| Error::Failed(format!("`{}` is not a backup that can be restored: {why}", file.display()));
    let total = fs::metadata(file).map_err(|e| at(file, &e))?.len();
    let mut reader = BufReader::new(fs::File::open(file).map_err(|e| at(file, &e))?);
    let mut line = String::new();
    reader.by_ref().take(MAX_HEAD).read_line(&mut line).map_err(|e| at(file, &e))?;
    let head: BackupHead = serde_json::from_str(&line).map_err(|_| broken("its first line is not that of a backup"))?;
    if head.tutela_backup != 1 || head.schema != tutela_store::schema() {
        return Err(broken("another version of tutela made it; restore it with that version, then upgrade"));
    }
    let instance = head.instance()?;
    if instance.key_fingerprint != root.fingerprint().map_err(tutela_app::Error::from)? {
        return Err(Error::Usage(format!("`{}` belongs to another root key than `{}`", file.display(), config.key_file().display())));
    }
    let mut prefix = vec![0; PREFIX];
    reader.read_exact(&mut prefix).map_err(|_| broken("it is cut off"))?;
    let length = StreamOpener::head_len(&Header::parse(&prefix).map_err(tutela_app::Error::from)?);
    prefix.resize(length.max(PREFIX), 0);
    reader.read_exact(prefix.get_mut(PREFIX..).unwrap_or_default()).map_err(|_| broken("it is cut off"))?;
    let mut opener = app::opener(root, line.trim_end_matches('\n'), &prefix)?;
    let mut loading = Loading::begin(&config.storage, &config.data, &instance).await.map_err(tutela_app::Error::from)?;
    let (bar, mut rest) = (progress(Some(total), "bytes read"), Vec::new());
    let (mut piece, mut read) = (vec![0; PIECE], line.len() as u64);
    loop {
        let count = reader.read(&mut piece).map_err(|e| at(file, &e))?;
        read += count as u64;
        bar.set_position(read);
        let last = count == 0;
        let clear = match piece.get(..count).filter(|_| !last) {
            Some(sealed) => opener.push(sealed),
            None => {
                let opener = opener;
                rest.extend(opener.finish().map_err(|_| broken("it is cut off or was changed"))?);
                lines(&mut loading, &mut rest).await?;
                break;
            }
        };
        rest.extend(clear.map_err(|_| broken("it was changed"))?);
        lines(&mut loading, &mut rest).await?;
    }
    bar.finish_and_clear();
    Ok(loading.end().map_err(tutela_app::Error::from)?)
}

/// Hands every whole line to the loading and keeps the rest.
async fn lines(loading: &mut Loading, rest: &mut Vec<u8>) -> Result<(), Error> {
    let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
    let later = rest.split_off(end + 1);
    let whole = std::mem::replace(rest, later);
    for line in whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line = std::str::from_utf8(line).map_err(|_| Error::Failed("the backup holds a line that is not text".into()))?;
        loading.line(line).await.map_err(tutela_app::Error::from)?;
    }
    Ok(())
}

/// The whole ledger, and what it says to checkpoints held elsewhere.
async fn verify(config: &Config, root: &RootKey, files: &[PathBuf]) -> Result<Vec<(u64, String)>, Error> {
    let verification = Verification::open(&config.storage, &config.data).await?;
    let seed = root.derive(&[serve::LEDGER_LABEL]).map_err(tutela_app::Error::from)?;
    let key = Signer::new(&verification.origin().await?, &seed).map_err(tutela_app::Error::from)?.key().clone();
    let mut held = Vec::new();
    for file in files {
        let note = fs::read_to_string(file).map_err(|e| at(file, &e))?;
        held.push(Checkpoint::open(&note, &key).map_err(|e| Error::Usage(format!("`{}`: {e}", file.display())))?);
    }
    let bar = progress(Some(0), "verified");
    let report = verification
        .run(&key, &[], &|done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
        .await?;
    bar.finish_and_clear();
    if let Some(flaw) = report.flaw {
        return Err(Error::Failed(format!("the restored ledger does not verify\n  {flaw}")));
    }
    let mut out = Vec::new();
    for checkpoint in held {
        let found = verification.run(&key, std::slice::from_ref(&checkpoint), &|_, _| {}).await?;
        let says = match found.flaw {
            None if found.unreachable.is_empty() => "the restored ledger fits it".to_owned(),
            None => "it lies before the first entry that is kept; nothing can be said".to_owned(),
            Some(flaw) => flaw.to_string(),
        };
        out.push((checkpoint.size, says));
    }
    Ok(out)
}

fn again(root: &RootKey) -> Result<RootKey, Error> {
    Ok(RootKey::parse(root.to_text().open()).map_err(tutela_app::Error::from)?)
}
