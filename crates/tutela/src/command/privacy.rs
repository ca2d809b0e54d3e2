//! `privacy`: what personal data is used for, what people say to it, and receipts that check offline.

use std::path::PathBuf;

use clap::Subcommand;
use tutela_api::{Consent, ConsentQuestion, DataStoreStatus, ExpiredData, KeptPurpose, NewConsent, NewErasureReplay, ProcessingRecord, Purpose, SignedReceipt};
use tutela_client::Client;
use tutela_ledger::VerifyingKey;
use tutela_privacy::{check, dataset};

use super::{
    Output,
    request::{self, HoldCommand, RequestCommand},
    who::Who,
};
use crate::{
    config::Config,
    error::{Error, at},
};

#[derive(Subcommand)]
pub enum PrivacyCommand {
    /// What people say to purposes
    #[command(subcommand)]
    Consent(ConsentCommand),
    /// What is kept of somebody though they ask for erasure
    #[command(subcommand)]
    Hold(HoldCommand),
    /// The map of your databases: datasets in the YAML that Fides writes
    #[command(subcommand)]
    Map(MapCommand),
    /// Show what erasing somebody would come to; nothing is touched
    Plan {
        #[command(flatten)]
        who: Who,
    },
    /// What personal data is used for
    #[command(subcommand)]
    Purpose(PurposeCommand),
    /// Show the record of processing (Art. 30 GDPR), made of purposes, maps and reported uses
    Record,
    /// After one of your stores was restored: erase again who was erased since its backup
    Replay {
        /// The store, as `[privacy.stores]` names it
        #[arg(long)]
        store: String,
        /// When its backup was made (RFC 3339)
        #[arg(long)]
        taken_at: String,
        /// Only look who is there again
        #[arg(long)]
        dry_run: bool,
    },
    /// What people ask for about their data
    #[command(subcommand)]
    Request(RequestCommand),
    /// Show which rows of your stores are over their time; they go by themselves, hourly
    Retention {
        /// Have them go now
        #[arg(long)]
        apply: bool,
    },
    /// Receipts of what people have said, and confirmations of what was done
    #[command(subcommand)]
    Receipt(ReceiptCommand),
}

#[derive(Subcommand)]
pub enum MapCommand {
    /// Say where the maps of the running server differ from its stores, and what maps cannot mean
    Check {
        /// Look at files only, and ask no server and no database
        #[arg(long, requires = "files")]
        offline: bool,
        /// Files of datasets; what they refer to in each other is looked at together
        #[arg(requires = "offline")]
        files: Vec<PathBuf>,
    },
}

#[derive(Subcommand)]
pub enum PurposeCommand {
    /// List purposes, those out of use too
    List,
    /// Take a purpose out of use: nothing may be done for it any more
    Retire {
        /// The purpose
        name: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Set purposes from a file of YAML or JSON, one or a list
    Set {
        /// The file
        file: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum ConsentCommand {
    /// Ask whether something may be done with somebody's data
    Check {
        #[command(flatten)]
        who: Who,
        /// For which purposes; all required ones where absent
        purposes: Vec<String>,
        /// As if their browser sent `Sec-GPC: 1`
        #[arg(long)]
        gpc: bool,
    },
    /// List what somebody has said
    List {
        #[command(flatten)]
        who: Who,
    },
    /// Record what somebody has said
    Record {
        #[command(flatten)]
        who: Who,
        /// given, refused or withdrawn
        said: String,
        /// To which purposes; all required ones where absent
        purposes: Vec<String>,
        /// How they said it: `phone`, `paper` …
        #[arg(long)]
        method: Option<String>,
    },
}

#[derive(Subcommand)]
pub enum ReceiptCommand {
    /// Show a receipt; `verify` checks what this prints
    Show {
        /// Its id, as `consent list` shows it
        id: String,
    },
    /// Check a receipt with the ledger's key; needs no server
    Verify {
        /// The file
        file: PathBuf,
        /// The ledger's key, as `GET /v1/ledger/key` shows it
        #[arg(long)]
        key: String,
    },
}

pub async fn privacy(command: PrivacyCommand, load: impl Fn() -> Result<Config, Error>, output: Output) -> Result<(), Error> {
    let client = || Client::socket(&load()?.socket()).map_err(Error::from);
    match command {
        PrivacyCommand::Consent(command) => consent(command, &client()?, output).await,
        PrivacyCommand::Hold(command) => request::hold(command, &client()?, output).await,
        PrivacyCommand::Map(MapCommand::Check { offline: true, files }) => map_check(&files),
        PrivacyCommand::Map(MapCommand::Check { .. }) => drift(&client()?, output).await,
        PrivacyCommand::Plan { who } => request::plan(who, &client()?, output).await,
        PrivacyCommand::Request(command) => request::request(command, &client()?, output).await,
        PrivacyCommand::Record => {
            let found = client()?.processing_record().await?;
            match output {
                Output::Json => println!("{}", serde_json::to_string(&found).unwrap_or_default()),
                Output::Table => print!("{}", record_text(&found)),
            }
            Ok(())
        }
        PrivacyCommand::Replay { store, taken_at, dry_run } => {
            let done = client()?.privacy_replay(&NewErasureReplay { store, taken_at, dry_run }).await?;
            match output {
                Output::Json => println!("{}", serde_json::to_string(&done).unwrap_or_default()),
                Output::Table => {
                    println!("{} people are there again, of {} names erased since; {} values were looked at", done.people, done.names, done.values);
                    done.requests.iter().for_each(|id| println!("erased again by {id}"));
                }
            }
            Ok(())
        }
        PrivacyCommand::Purpose(command) => purpose(command, &client()?, output).await,
        PrivacyCommand::Retention { apply } => {
            output.list(&client()?.privacy_retention(apply).await?, &["place", "class", "days", "expired", "gone", "kept", "problem"], |of: &ExpiredData| {
                let days = of.days.map(|days| days.to_string()).unwrap_or_default();
                let number = |count: u64| count.to_string();
                vec![of.place.clone(), of.class.clone(), days, number(of.expired), number(of.gone), number(of.kept), of.problem.clone().unwrap_or_default()]
            });
            Ok(())
        }
        PrivacyCommand::Receipt(ReceiptCommand::Show { id }) => {
            let found = client()?.receipt(&id).await?;
            println!("{}", serde_json::to_string_pretty(&found).unwrap_or_default());
            Ok(())
        }
        PrivacyCommand::Receipt(ReceiptCommand::Verify { file, key }) => {
            let key = VerifyingKey::parse(&key).map_err(|e| Error::Usage(format!("--key: {e}")))?;
            let text = std::fs::read_to_string(&file).map_err(|e| at(&file, &e))?;
            let wrong = |why: &str| Error::Failed(format!("`{}` does not verify: {why}", file.display()));
            let receipt: SignedReceipt = serde_json::from_str(&text).map_err(|e| wrong(&format!("it is no receipt: {e}")))?;
            verify(&receipt, &key).map_err(|why| wrong(&why))?;
            let of = &receipt.receipt;
            match of["receipt_type"].as_str() {
                Some(what) => println!("{what} of {}, {}, is as {} signed it", of["request"], of["status"].as_str().unwrap_or_default(), key.name),
                None => println!("{} of {} is as {} signed it", of["event"]["state"].as_str().unwrap_or("it"), of["pii_processing"]["purpose"], key.name),
            }
            Ok(())
        }
    }
}

fn map_check(files: &[PathBuf]) -> Result<(), Error> {
    let mut datasets = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|e| at(file, &e))?;
        let read = dataset::read(&text).map_err(|e| Error::Failed(format!("`{}`: {e}", file.display())))?;
        read.warnings.iter().for_each(|warning| println!("warning: {}: {warning}", file.display()));
        datasets.extend(read.datasets);
    }
    let found = check::findings(&datasets);
    found.iter().for_each(|finding| println!("{}: {}", finding.place, finding.why));
    let collections: usize = datasets.iter().map(|dataset| dataset.collections.len()).sum();
    println!("{} datasets, {collections} collections, {} findings", datasets.len(), found.len());
    if found.is_empty() { Ok(()) } else { Err(Error::Failed("the map says what it cannot mean".into())) }
}

/// Where maps and stores differ.
async fn drift(client: &Client, output: Output) -> Result<(), Error> {
    let all = client.datasets().await?;
    let lines = |of: &DataStoreStatus| {
        let findings = of.findings.iter().map(|of| format!("  {}: {}", of.place, of.why));
        let state = of.error.clone().unwrap_or_else(|| "it answers".into());
        std::iter::once(format!("{} ({}), {} collections: {state}", of.name, of.kind, of.collections)).chain(findings).collect::<Vec<_>>().join("\n")
    };
    output.one(&all, &all.iter().map(lines).collect::<Vec<_>>().join("\n"));
    let good = all.iter().all(|of| of.error.is_none() && of.findings.is_empty());
    if good { Ok(()) } else { Err(Error::Failed("maps and stores differ".into())) }
}

/// Whether a receipt is as the key signed it.
fn verify(signed: &SignedReceipt, key: &VerifyingKey) -> Result<(), String> {
    let body = key.open_note(&signed.note).map_err(|e| e.to_string())?;
    let canonical = tutela_ledger::canonical(&signed.receipt).map_err(|e| e.to_string())?;
    let hash: String = tutela_ledger::sha256(&canonical).iter().map(|byte| format!("{byte:02x}")).collect();
    if body == format!("tutela receipt\n{hash}\n") { Ok(()) } else { Err("what is signed is not what stands in it".into()) }
}

async fn purpose(command: PurposeCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        PurposeCommand::List => {
            output.list(&client.purposes().await?, &["name", "basis", "required", "sells", "notice", "state", "title"], |kept: &KeptPurpose| {
                let yes = |truth: bool| if truth { "yes".to_owned() } else { "no".to_owned() };
                let state = kept.retired_at.as_ref().map_or_else(|| "in use".to_owned(), |at| format!("out of use since {at}"));
                let of = &kept.purpose;
                vec![of.name.clone(), of.basis.clone(), yes(of.required), yes(of.sells), of.notice.version.clone(), state, of.title.clone()]
            });
            Ok(())
        }
        PurposeCommand::Retire { name, reason } => Ok(client.purpose_retire(&name, &reason).await?),
        PurposeCommand::Set { file } => {
            let text = std::fs::read_to_string(&file).map_err(|e| at(&file, &e))?;
            let wrong = |e: serde_yaml_ng::Error| Error::Usage(format!("`{}`: {e}", file.display()));
            let all: Vec<Purpose> = match serde_yaml_ng::from_str(&text).map_err(wrong)? {
                list @ serde_yaml_ng::Value::Sequence(_) => serde_yaml_ng::from_value(list).map_err(wrong)?,
                one => vec![serde_yaml_ng::from_value(one).map_err(wrong)?],
            };
            for purpose in &all {
                let kept = client.purpose_set(purpose).await?;
                output.one(&kept, &format!("{} is in use, notice {} ({})", kept.purpose.name, kept.purpose.notice.version, kept.notice_hash));
            }
            Ok(())
        }
    }
}

async fn consent(command: ConsentCommand, client: &Client, output: Output) -> Result<(), Error> {
    let show = |said: &[Consent]| {
        output.list(said, &["purpose", "said", "notice", "when", "receipt"], |of: &Consent| {
            vec![of.purpose.clone(), of.said.clone(), of.notice_version.clone(), of.said_at.clone(), of.receipt.clone()]
        });
    };
    match command {
        ConsentCommand::Check { who, purposes, gpc } => {
            let answer = client.consent_check(&ConsentQuestion { subject: who.into(), purposes, gpc }).await?;
            let missing: Vec<String> = answer.missing.iter().map(|of| format!("{}: {}", of.purpose, of.why)).collect();
            output.one(&answer, if answer.allowed { "yes".into() } else { format!("no\n{}", missing.join("\n")) }.as_str());
            Ok(())
        }
        ConsentCommand::List { who } => {
            show(&client.consents(&who.into()).await?);
            Ok(())
        }
        ConsentCommand::Record { who, said, purposes, method } => {
            show(&client.consent(&NewConsent { subject: who.into(), purposes, said, method }).await?);
            Ok(())
        }
    }
}

/// The record for people, in Markdown.
fn record_text(of: &ProcessingRecord) -> String {
    let list = |items: &[String]| if items.is_empty() { "-".to_owned() } else { items.join(", ") };
    let contact = if of.contact.is_empty() { "-" } else { &of.contact };
    let mut text = format!("# Record of processing, {}\n\n{} ({contact}), as of {}\n", of.controller, of.controller, of.made_at);
    for activity in &of.activities {
        let recipients: Vec<String> =
            activity.recipients.iter().map(|of| of.country.as_ref().map_or_else(|| of.name.clone(), |country| format!("{} ({country})", of.name))).collect();
        let kept = activity.retention_days.map_or_else(|| "as long as the account lives".into(), |days| format!("{days} days"));
        text += &format!(
            "\n## {}\n\n- purpose: {}\n- ground: {}\n- categories: {}\n- held in: {}\n- recipients: {}\n- kept: {kept}\n- reported uses in 90 days: {}, without a ground {}\n",
            activity.title,
            activity.purpose,
            activity.ground,
            list(&activity.categories),
            list(&activity.places),
            list(&recipients),
            activity.uses,
            activity.uses_without_ground
        );
    }
    text += "\n## Measures\n\n";
    of.measures.iter().for_each(|measure| text += &format!("- {measure}\n"));
    if !of.gaps.is_empty() {
        text += "\n## What it cannot say\n\n";
        of.gaps.iter().for_each(|gap| text += &format!("- {}: {}\n", gap.place, gap.why));
    }
    text
}
