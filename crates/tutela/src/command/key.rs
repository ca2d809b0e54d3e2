//! `key`: through the admin socket of the running server; `key restore` and `key recipient` work without one.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

use clap::{Args, Subcommand};
use tutela_api::{DestroyRequest, KeyChange, KeyPurpose, NewKey, Reason, Release, SubjectAction, SubjectQuestion};
use tutela_client::Client;
use tutela_core::{Env, SystemEnv};
use tutela_kms::Identity;

use super::{Output, who::Who};
use crate::{
    config::Config,
    error::{Error, at},
    restore,
};

#[derive(Subcommand)]
pub enum KeyCommand {
    /// Back up all keys now, sealed to the recovery recipients
    Backup,
    /// Change settings, mark a version as compromised, or declare messages as gone
    Change {
        /// Name or id
        key: String,
        /// The oldest version that shall still open; refused while older ones have references
        #[arg(long, value_name = "VERSION")]
        min_decryption_version: Option<u32>,
        /// How often a new version is made, for example "30 days", or "never"
        #[arg(long, value_name = "PERIOD")]
        rotation_schedule: Option<String>,
        /// Marks a version as known to others
        #[arg(long, value_name = "VERSION")]
        compromised: Option<u32>,
        /// Declares messages of a version as no longer kept anywhere: VERSION:COUNT
        #[arg(long, value_name = "VERSION:COUNT")]
        release: Option<String>,
        /// Why; it goes to the ledger
        #[arg(long)]
        reason: Option<String>,
    },
    /// Make a key
    Create {
        /// 1 to 64 characters of a-z 0-9 . _ -
        name: String,
        /// What it may be used for: encrypt, data-key, deterministic, index, plain; may be given several times
        #[arg(long = "purpose", value_name = "PURPOSE")]
        purposes: Vec<String>,
        /// aes-256-gcm, chacha20-poly1305, aes-256-gcm-siv, aes-256-gcm-plain or chacha20-poly1305-plain
        #[arg(long)]
        algorithm: Option<String>,
        /// How often a new version is made, for example "30 days", or "never"
        #[arg(long, value_name = "PERIOD")]
        rotation_schedule: Option<String>,
        /// Keys derived from it for a context may leave the instance
        #[arg(long)]
        export: bool,
    },
    /// Stop a key now and destroy it after a wait
    Destroy {
        /// Name or id
        key: String,
        /// Why; it goes to the ledger
        #[arg(long)]
        reason: String,
        /// How long it can be undone, for example "14 days"; at least kms.destroy_wait
        #[arg(long, value_name = "PERIOD")]
        wait: Option<String>,
    },
    /// Provider keys: one an epoch
    #[command(subcommand)]
    Epoch(EpochCommand),
    /// Undo a destruction that waits
    Keep {
        /// Name or id
        key: String,
    },
    /// List keys
    List,
    /// The key provider
    #[command(subcommand)]
    Provider(ProviderCommand),
    /// Who can open key backups
    #[command(subcommand)]
    Recipient(RecipientCommand),
    /// Restore the newest key backup into a scratch instance and open its canary
    Rehearse,
    /// Bring keys back from a backup, into an empty data folder or beside a database whose provider is lost
    Restore(Restore),
    /// Move all keys under the newest provider key, with progress
    Rewrap,
    /// Make a new version, which seals from now on
    Rotate {
        /// Name or id
        key: String,
    },
    /// One key with its versions
    Show {
        /// Name or id
        key: String,
    },
    /// The keys of data subjects
    #[command(subcommand)]
    Subject(SubjectCommand),
}

#[derive(Subcommand)]
pub enum EpochCommand {
    /// Destroy the provider key of an epoch that nothing is wrapped under
    Destroy {
        /// Number of the epoch
        number: u64,
        /// Why; it goes to the ledger
        #[arg(long)]
        reason: String,
    },
    /// List epochs
    List,
    /// Make a new provider key now and move all keys under it
    Rotate,
}

#[derive(Subcommand)]
pub enum ProviderCommand {
    /// Make, use and destroy a key at the provider, and say what endangers keys in use
    Check,
}

#[derive(Subcommand)]
pub enum RecipientCommand {
    /// Make an identity for opening key backups; prints the recipient line for kms.backup.recipients
    Create {
        /// File the identity is written to; keep it away from this host
        #[arg(long, value_name = "FILE")]
        identity: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum SubjectCommand {
    /// The certificate of an erasure, by the id of the key that was destroyed
    Certificate {
        /// Key id, tky_…
        key: String,
    },
    /// Destroy a person's key: what it sealed reads as erased from now on
    Erase(About),
    /// Keep a person's key from being destroyed
    Hold(About),
    /// End a hold
    Release(About),
    /// The key of a person
    Show(Who),
}

/// A data subject and a reason.
#[derive(Args)]
pub struct About {
    #[command(flatten)]
    who: Who,
    /// Why; it goes to the ledger
    #[arg(long)]
    reason: String,
}

/// `tutela key restore`
#[derive(Args)]
pub struct Restore {
    /// The backup file
    backup: PathBuf,
    /// File with the identity of one of its recipients
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
}

pub async fn run(command: KeyCommand, load: impl Fn() -> Result<Config, Error>, output: Output) -> Result<(), Error> {
    let command = match command {
        KeyCommand::Recipient(RecipientCommand::Create { identity }) => return recipient(&identity),
        KeyCommand::Restore(args) => return restore::run(load()?, &args.backup, &args.identity).await,
        other => other,
    };
    let client = Client::socket(&load()?.socket())?;
    match command {
        KeyCommand::Backup => output.members(&client.key_back_up().await?),
        KeyCommand::Change { key, min_decryption_version, rotation_schedule, compromised, release, reason } => {
            let release = release.as_deref().map(parse_release).transpose()?;
            let change = KeyChange { min_decryption_version, rotation_schedule, compromised_version: compromised, release, reason };
            output.members(&client.key_change(&key, &change).await?);
        }
        KeyCommand::Create { name, purposes, algorithm, rotation_schedule, export } => {
            let purposes = purposes.iter().map(|word| parse_purpose(word)).collect::<Result<_, _>>()?;
            output.members(&client.key_create(&NewKey { name, purposes, algorithm, rotation_schedule, export }).await?)
        }
        KeyCommand::Destroy { key, reason, wait } => output.members(&client.key_destroy(&key, &DestroyRequest { reason, wait }).await?),
        KeyCommand::Epoch(EpochCommand::Destroy { number, reason }) => output.members(&client.epoch_destroy(number, &Reason { reason }).await?),
        KeyCommand::Epoch(EpochCommand::List) => {
            output.columns(&client.epochs().await?.items, &["number", "provider", "provider_key", "state", "references", "created_at", "destroyed_at"])
        }
        KeyCommand::Epoch(EpochCommand::Rotate) => {
            output.members(&client.epoch_rotate().await?);
            return follow(&client).await;
        }
        KeyCommand::Keep { key } => output.members(&client.key_keep(&key).await?),
        KeyCommand::List => output.columns(&client.keys().await?.items, &["name", "id", "state", "version", "algorithm", "purposes", "next_rotation_at"]),
        KeyCommand::Provider(ProviderCommand::Check) => return provider_check(&client, output).await,
        KeyCommand::Rehearse => output.members(&client.key_rehearse().await?),
        KeyCommand::Rewrap => {
            client.key_rewrap().await?;
            return follow(&client).await;
        }
        KeyCommand::Rotate { key } => output.members(&client.key_rotate(&key).await?),
        KeyCommand::Show { key } => output.members(&client.key(&key).await?),
        KeyCommand::Subject(SubjectCommand::Certificate { key }) => certificate(&client.erasure(&key).await?, output),
        KeyCommand::Subject(SubjectCommand::Erase(about)) => certificate(&client.subject_erase(&action(about)).await?, output),
        KeyCommand::Subject(SubjectCommand::Hold(about)) => output.members(&client.subject_hold(&action(about)).await?),
        KeyCommand::Subject(SubjectCommand::Release(about)) => output.members(&client.subject_release(&action(about)).await?),
        KeyCommand::Subject(SubjectCommand::Show(who)) => output.members(&client.subject_key(&SubjectQuestion { subject: who.into() }).await?),
        KeyCommand::Recipient(_) | KeyCommand::Restore(_) => {}
    }
    Ok(())
}

/// Shows the newest rewrap job until it is done.
async fn follow(client: &Client) -> Result<(), Error> {
    let bar = indicatif::ProgressBar::new(0);
    loop {
        let jobs = client.key_jobs().await?;
        let Some(job) = jobs.items.first() else { return Ok(()) };
        bar.set_length(job.total);
        bar.set_position(job.done);
        if job.state == "done" {
            bar.finish_and_clear();
            println!("moved {} of {} keys under epoch {}", job.done, job.total, job.epoch);
            for left in &job.quarantined {
                println!("  left behind: {} version {}: {}", left.key_id, left.version, left.reason);
            }
            return if job.quarantined.is_empty() { Ok(()) } else { Err(Error::Failed("some keys could not be moved; they are listed above".into())) };
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

async fn provider_check(client: &Client, output: Output) -> Result<(), Error> {
    let check = client.provider_check().await?;
    output.columns(&check.steps, &["step", "result"]);
    check.warnings.iter().for_each(|warning| println!("warning: {warning}"));
    match check.steps.iter().find(|step| step.result != "ok") {
        None => Ok(()),
        Some(step) => Err(Error::Failed(format!("`{}` failed at `{}`", check.provider, step.step))),
    }
}

fn certificate(certificate: &tutela_api::ErasureCertificate, output: Output) {
    match output {
        Output::Json => output.members(certificate),
        Output::Table => print!("{}", certificate.note),
    }
}

fn recipient(path: &std::path::Path) -> Result<(), Error> {
    let env: &dyn Env = &SystemEnv;
    let identity = Identity::generate(&mut { env });
    let recipient = identity.recipient().map_err(tutela_app::Error::from)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|e| at(path, &e))?;
    let text = identity.to_text();
    let written = writeln!(file, "# opens tutela key backups; keep it away from the server\n{}", text.open()).and_then(|()| file.sync_all());
    written.map_err(|e| at(path, &e))?;
    println!("{}", recipient.to_text());
    eprintln!("wrote the identity to `{}`; add the line above to kms.backup.recipients", path.display());
    Ok(())
}

fn parse_purpose(word: &str) -> Result<KeyPurpose, Error> {
    serde_json::from_value(word.into())
        .map_err(|_| Error::Usage(format!("`{word}` is not a purpose; use `encrypt`, `data-key`, `deterministic`, `index` or `plain`")))
}

fn parse_release(text: &str) -> Result<Release, Error> {
    let parts = text.split_once(':').and_then(|(version, messages)| Some(Release { version: version.parse().ok()?, messages: messages.parse().ok()? }));
    parts.ok_or_else(|| Error::Usage(format!("`{text}` is not VERSION:COUNT, for example 1:1204")))
}

fn action(about: About) -> SubjectAction {
    SubjectAction { subject: about.who.into(), reason: about.reason }
}
