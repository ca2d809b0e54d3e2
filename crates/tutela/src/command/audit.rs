//! `audit`: search, follow, export and import through the running server; verify on the storage itself.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tutela_api::StoredEvent;
use tutela_client::{Client, Pieces};
use tutela_ledger::{Checkpoint, Query};

use super::{Output, audit_care, audit_import, audit_verify, import::Format, output::progress};
use crate::{
    config::Config,
    error::{Error, at},
};

#[derive(Subcommand)]
pub enum AuditCommand {
    /// How many events, by type, outcome, hour or day
    Count(audit_care::Count),
    /// Write events for others to read, oldest first; itself an event
    Export(Export),
    /// Keep events from being deleted by retention
    #[command(subcommand)]
    Hold(audit_care::HoldCommand),
    /// Record events from a file; records that do not fit are named and skipped
    Import {
        /// How the file is written
        #[arg(long, value_enum, default_value = "jsonl")]
        format: Format,
        /// The file; `-` for standard input
        file: PathBuf,
    },
    /// The proof that one event stands in the ledger, as a C2SP tlog-proof
    Proof {
        /// Event id
        event: String,
    },
    /// How long which events are kept, and how far that came
    Retention(audit_care::Retention),
    /// Find events, newest first
    Search(Find),
    /// Projections of the ledger in search clusters
    #[command(subcommand)]
    Sink(audit_care::SinkCommand),
    /// Follow new events as they come
    Tail(Follow),
    /// Declared event types
    #[command(subcommand)]
    Types(audit_care::TypesCommand),
    /// Hash every event again and check tree, checkpoints and signatures; works beside a running server and without it
    Verify(audit_verify::Verify),
}

#[derive(Args)]
pub struct Export {
    /// How events are written
    #[arg(long, value_enum, default_value = "jsonl")]
    format: ExportFormat,
    /// With each event its sealed bytes and their proof, and at the end the signed checkpoint: `audit verify --export` checks such a file offline
    #[arg(long)]
    with_proofs: bool,
    /// File to write, which must not exist; standard output where absent
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// First position (with --format sealed)
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// As in `audit search`; everything where absent
    query: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Comma-separated values
    Csv,
    /// Elastic Common Schema, JSON lines
    Ecs,
    /// JSON lines as the API shows events
    Jsonl,
    /// Open Cybersecurity Schema Framework, JSON lines
    Ocsf,
    /// Entries as the ledger keeps them, sealed; from them the whole tree can be built again
    Sealed,
}

#[derive(Args)]
pub struct Follow {
    /// First position; from now on where absent
    #[arg(long)]
    from: Option<u64>,
    /// As in `search`
    query: Vec<String>,
}

#[derive(Args)]
pub struct Find {
    /// Most events to show
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Search through the cluster that `audit.storage` names, in place of the ledger's own index
    #[arg(long)]
    via_cluster: bool,
    /// For example: type:session.* outcome:failure,denied actor:photos:7 "some words" after:2026-11-01
    query: Vec<String>,
}

/// The words of a command line as one query. A word that the shell has taken out of quotes gets them back.
pub fn query_of(words: &[String]) -> Result<String, Error> {
    let quoted = |word: &String| {
        let spaced = word.contains(char::is_whitespace) && !word.contains('"');
        match (spaced, word.split_once(':')) {
            (true, Some((field, value))) if field.bytes().all(|b| b.is_ascii_lowercase()) && !value.contains(':') => format!("{field}:\"{value}\""),
            (true, None) => format!("\"{word}\""),
            _ => word.clone(),
        }
    };
    let text = if words.len() == 1 { words.concat() } else { words.iter().map(quoted).collect::<Vec<_>>().join(" ") };
    // What is wrong is shown in place; the server reads it again.
    Query::parse(&text).map_err(|e| Error::Usage(e.pointing_into(&text)))?;
    Ok(text)
}

pub async fn run(command: AuditCommand, load: impl Fn() -> Result<Config, Error>, output: Output) -> Result<(), Error> {
    let client = || load().and_then(|config| Ok(Client::socket(&config.socket())?));
    match command {
        AuditCommand::Count(count) => audit_care::count(count, &client()?, output).await,
        AuditCommand::Export(export) if export.format == ExportFormat::Sealed => export_sealed(&client()?, &export).await,
        AuditCommand::Export(export) => export_events(&client()?, &export).await,
        AuditCommand::Hold(command) => audit_care::hold(command, &client()?, output).await,
        AuditCommand::Import { format, file } => audit_import::run(&client()?, format, &file).await,
        AuditCommand::Proof { event } => {
            print!("{}", client()?.ledger_proof(&event).await?);
            Ok(())
        }
        AuditCommand::Retention(command) => audit_care::retention(command, &client()?, output).await,
        AuditCommand::Search(find) => search(&client()?, &find, output).await,
        AuditCommand::Sink(command) => audit_care::sink(command, &client()?, output).await,
        AuditCommand::Tail(follow) => tail(&client()?, &follow, output).await,
        AuditCommand::Types(command) => audit_care::types(command, &client()?, output).await,
        AuditCommand::Verify(verify) => audit_verify::run(verify, load).await,
    }
}

async fn search(client: &Client, find: &Find, output: Output) -> Result<(), Error> {
    let query = query_of(&find.query)?;
    let mut found: Vec<StoredEvent> = Vec::new();
    let mut cursor = None;
    while found.len() < find.limit as usize {
        let mut asked = vec![("q", query.clone()), ("limit", (find.limit as usize - found.len()).min(1_000).to_string())];
        asked.extend(find.via_cluster.then(|| ("via", "cluster".to_owned())));
        asked.extend(cursor.map(|c| ("cursor", c)));
        let page = client.events_search(&asked).await?;
        found.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    output.list(&found, &["position", "time", "type", "outcome", "actor", "action", "resource"], cells);
    Ok(())
}

async fn tail(client: &Client, follow: &Follow, output: Output) -> Result<(), Error> {
    let mut asked = vec![("q", query_of(&follow.query)?)];
    asked.extend(follow.from.map(|from| ("from", from.to_string())));
    let mut events = client.events_stream(&asked).await?;
    eprintln!("following; Ctrl-C ends it");
    while let Some(event) = events.next().await {
        let event = event?;
        output.one(&event, &cells(&event).join("  "));
    }
    Ok(())
}

fn cells(stored: &StoredEvent) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let event = &stored.event;
    let actor = match event["actor"]["namespace"].as_str() {
        Some(namespace) => format!("{namespace}:{}", text(&event["actor"]["id"])),
        None => format!("{} {}", text(&event["actor"]["type"]), text(&event["actor"]["id"])),
    };
    vec![
        stored.position.clone(),
        text(&event["time"]),
        text(&event["type"]),
        text(&event["outcome"]),
        actor,
        text(&event["action"]),
        text(&event["resource"]["id"]),
    ]
}

fn target(to: Option<&Path>) -> Result<Box<dyn std::io::Write>, Error> {
    Ok(match to {
        Some(path) => Box::new(BufWriter::new(File::create_new(path).map_err(|e| at(path, &e))?)),
        None => Box::new(BufWriter::new(std::io::stdout())),
    })
}

fn unwritable(e: std::io::Error) -> Error {
    Error::Failed(format!("the export could not be written: {e}"))
}

async fn export_events(client: &Client, export: &Export) -> Result<(), Error> {
    let format = export.format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let asked = [("q", query_of(&export.query)?), ("format", format), ("proofs", export.with_proofs.to_string())];
    write_lines(client.events_export(&asked).await?, export.to.as_deref()).await
}

/// Writes lines as they come to a file that must not exist, or to standard output.
pub async fn write_lines(mut pieces: Pieces, to: Option<&Path>) -> Result<(), Error> {
    let mut out = target(to)?;
    let (bar, mut lines) = (progress(None, "exported"), 0_u64);
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        lines += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
        out.write_all(&piece).map_err(unwritable)?;
        bar.set_position(lines);
    }
    out.flush().map_err(unwritable)?;
    bar.finish_and_clear();
    eprintln!("{lines} lines exported");
    Ok(())
}

async fn export_sealed(client: &Client, export: &Export) -> Result<(), Error> {
    if !export.query.is_empty() || export.with_proofs {
        return Err(Error::Usage("the sealed form is the whole log with its checkpoint; it takes no query and needs no proofs".into()));
    }
    let mut out = target(export.to.as_deref())?;
    // The checkpoint is what makes the file provable; entries that come after it are left for the next export.
    let checkpoint = client.ledger_checkpoint().await?;
    let size = Checkpoint::parse(&checkpoint).map_err(|e| Error::Failed(e.to_string()))?.size;
    let (mut next, mut count) = (export.from, 0_u64);
    let bar = progress(None, "exported");
    while next < size {
        let mut entries = client.ledger_entries(next).await?;
        entries.retain(|e| e["position"].as_u64().is_some_and(|position| position < size));
        // Retention leaves gaps: the next page begins after what was asked for.
        next = entries.last().and_then(|e| e["position"].as_u64()).map_or(next + 1_000, |last| last + 1);
        for entry in &entries {
            writeln!(out, "{entry}").map_err(unwritable)?;
        }
        count += entries.len() as u64;
        bar.set_position(count);
    }
    writeln!(out, "{}", json!({"checkpoint": checkpoint, "key": client.ledger_key().await?})).map_err(unwritable)?;
    out.flush().map_err(unwritable)?;
    bar.finish_and_clear();
    eprintln!("{count} entries exported");
    Ok(())
}
