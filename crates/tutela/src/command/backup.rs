//! `backup` through the running server; `backup drill` and `restore` on the storage itself.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use futures_util::StreamExt as _;
use serde_json::json;
use tutela_client::Client;

use super::{Output, output::progress};
use crate::{
    config::Config,
    error::{Error, at},
    instance_restore::{self, Sources},
};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Backup {
    /// File to write, which must not exist
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    #[command(subcommand)]
    drill: Option<BackupCommand>,
}

#[derive(Subcommand)]
enum BackupCommand {
    /// Restore a backup into a scratch folder, verify its ledger there, and record the result
    Drill {
        /// The backup
        file: PathBuf,
    },
}

#[derive(Args)]
pub struct Restore {
    /// The backup
    #[arg(required_unless_present = "finish")]
    file: Option<PathBuf>,
    /// Journal of erasures made since; `erasures.log` beside the backup and in `backup.folder` where absent
    #[arg(long = "erasures", value_name = "FILE")]
    erasures: Vec<PathBuf>,
    /// Restore although no journal is there: people who were erased since the backup come back
    #[arg(long)]
    without_erasures: bool,
    /// A key backup, where the provider or the root key is lost
    #[arg(long, value_name = "FILE", requires = "identity")]
    keys: Option<PathBuf>,
    /// The recovery identity that opens the key backup
    #[arg(long, value_name = "FILE", requires = "keys")]
    identity: Option<PathBuf>,
    /// A checkpoint kept elsewhere, to see what the restored ledger lacks; may be given several times
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// Go on with a restore whose backup is loaded already
    #[arg(long, conflicts_with = "file")]
    finish: bool,
}

pub async fn backup(command: Backup, load: impl Fn() -> Result<Config, Error>, output: Output) -> Result<(), Error> {
    match (command.drill, command.to) {
        (Some(BackupCommand::Drill { file }), _) => drill(&load()?, &file, output).await,
        (None, Some(to)) => make(&Client::socket(&load()?.socket())?, &to, output).await,
        (None, None) => Err(Error::Usage("say where the backup goes: `tutela backup --to FILE`; the server makes its own by `[backup] schedule`".into())),
    }
}

async fn make(client: &Client, to: &Path, output: Output) -> Result<(), Error> {
    if to.exists() {
        return Err(Error::Usage(format!("`{}` exists already; a backup overwrites nothing", to.display())));
    }
    // Only a whole backup gets its name.
    let part = to.with_extension("part");
    let mut file = fs::File::create(&part).map_err(|e| at(&part, &e))?;
    let (bar, mut bytes) = (progress(None, "bytes written"), 0_u64);
    let mut pieces = client.backup().await?;
    while let Some(piece) = pieces.next().await {
        let piece = piece.inspect_err(|_| drop(fs::remove_file(&part)))?;
        file.write_all(&piece).map_err(|e| at(&part, &e))?;
        bytes += piece.len() as u64;
        bar.set_position(bytes);
    }
    file.sync_all().and_then(|()| fs::rename(&part, to)).map_err(|e| at(to, &e))?;
    bar.finish_and_clear();
    let sha256 = digest(to)?;
    output.one(
        &json!({"file": to.display().to_string(), "bytes": bytes, "sha256": sha256}),
        &format!(
            "{bytes} bytes written to `{}`\nSHA-256 {sha256}\nit opens with this instance's root key only: keep that, or a key backup, elsewhere",
            to.display()
        ),
    );
    Ok(())
}

async fn drill(config: &Config, file: &Path, output: Output) -> Result<(), Error> {
    let sha256 = digest(file)?;
    let found = instance_restore::drill(config, file).await;
    let (rows, entries, failure) = match &found {
        Ok(done) => (done.rows, done.entries, None),
        Err(e) => (0, 0, Some(e.to_string())),
    };
    let report = json!({"sha256": sha256, "rows": rows, "entries": entries, "failure": failure});
    let recorded = match Client::socket(&config.socket()) {
        Ok(client) => client.backup_rehearsed(&report).await.is_ok(),
        Err(_) => false,
    };
    found?;
    output.one(
        &report,
        &format!(
            "ok: {rows} rows restored, {entries} entries of the ledger verified; {}",
            if recorded { "recorded as `backup.rehearsed`" } else { "no server runs here, so that this is not recorded" }
        ),
    );
    Ok(())
}

pub async fn restore(command: Restore, config: Config, output: Output) -> Result<(), Error> {
    let sources = Sources {
        file: command.file,
        erasures: command.erasures,
        without_erasures: command.without_erasures,
        keys: command.keys.zip(command.identity),
        checkpoints: command.checkpoints,
    };
    let done = instance_restore::run(&config, &sources).await?;
    let mut text = format!("{} rows and {} entries of the ledger restored; the ledger verifies", done.rows, done.entries);
    for (size, says) in &done.held {
        text.push_str(&format!("\ncheckpoint of {size} entries: {says}"));
    }
    text.push_str(&format!("\n{} erasures were carried out again", done.erasures));
    if done.clients > 0 {
        text.push_str(&format!("\n{} API keys are as they were when the backup was made: revoke again what was revoked since", done.clients));
    }
    text.push_str("\nstart it with `tutela serve`; people have to sign in again");
    output.one(&json!({"rows": done.rows, "entries": done.entries, "erasures": done.erasures, "clients": done.clients}), &text);
    Ok(())
}

/// SHA-256 of a file, in hexadecimal.
fn digest(path: &Path) -> Result<String, Error> {
    let mut file = fs::File::open(path).map_err(|e| at(path, &e))?;
    let (mut digest, mut piece) = (tutela_kms::Sha256::default(), vec![0; 1 << 20]);
    loop {
        let count = file.read(&mut piece).map_err(|e| at(path, &e))?;
        let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else { break };
        digest.update(read);
    }
    Ok(digest.finish().iter().map(|b| format!("{b:02x}")).collect())
}
