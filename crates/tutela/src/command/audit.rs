//! `audit`: search, follow, export and import through the running server; verify on the storage itself.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tutela_api::StoredEvent;
use tutela_client::Client;
use tutela_ledger::Checkpoint;

use super::{Output, audit_verify, output::progress};
use crate::{
    config::Config,
    error::{Error, at},
};

/// Events of one request while importing.
const BATCH: usize = 1_000;

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Write entries as they are sealed, one JSON object a line, oldest first
    Export {
        /// File to write; standard output where absent
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// First position
        #[arg(long, default_value_t = 0)]
        from: u64,
    },
    /// Record events from a file; lines that do not fit are named and skipped
    Import {
        /// How the file is written
        #[arg(long, value_enum, default_value = "jsonl")]
        format: Format,
        /// One event a line, as in POST /v1/events
        file: PathBuf,
    },
    /// The proof that one event stands in the ledger, as a C2SP tlog-proof
    Proof {
        /// Event id
        event: String,
    },
    /// Find events, newest first
    Search(Filter),
    /// Follow new events as they come
    Tail(Filter),
    /// Hash every event again and check tree, checkpoints and signatures; works beside a running server and without it
    Verify(audit_verify::Verify),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Format {
    /// JSON lines
    Jsonl,
}

#[derive(Args)]
pub struct Filter {
    /// Account id, client id, or namespace:value
    #[arg(long)]
    actor: Option<String>,
    /// Event type, for example session.started
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Name or id of the resource, or type/id
    #[arg(long)]
    resource: Option<String>,
    /// success, failure, denied or unknown
    #[arg(long)]
    outcome: Option<String>,
    /// Address or its network, for example 192.0.2.0/24
    #[arg(long)]
    ip: Option<String>,
    /// Session id
    #[arg(long)]
    session: Option<String>,
    /// Name of a gateway route
    #[arg(long)]
    route: Option<String>,
    /// From this time on (RFC 3339)
    #[arg(long)]
    since: Option<String>,
    /// Before this time (RFC 3339)
    #[arg(long)]
    until: Option<String>,
    /// Most events to show
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Words that all occur
    words: Vec<String>,
}

impl Filter {
    fn query(&self) -> Vec<(&'static str, String)> {
        let words = Some(self.words.join(" ")).filter(|w| !w.is_empty());
        let fields = [
            ("actor", &self.actor),
            ("type", &self.kind),
            ("resource", &self.resource),
            ("outcome", &self.outcome),
            ("ip", &self.ip),
            ("session", &self.session),
            ("route", &self.route),
            ("since", &self.since),
            ("until", &self.until),
            ("words", &words),
        ];
        fields.into_iter().filter_map(|(name, value)| value.clone().map(|v| (name, v))).collect()
    }
}

pub async fn run(command: AuditCommand, load: impl Fn() -> Result<Config, Error>, output: Output) -> Result<(), Error> {
    let client = || load().and_then(|config| Ok(Client::socket(&config.socket())?));
    match command {
        AuditCommand::Export { to, from } => export(&client()?, to.as_deref(), from).await,
        AuditCommand::Import { format: Format::Jsonl, file } => import(&client()?, &file).await,
        AuditCommand::Proof { event } => {
            print!("{}", client()?.ledger_proof(&event).await?);
            Ok(())
        }
        AuditCommand::Search(filter) => search(&client()?, &filter, output).await,
        AuditCommand::Tail(filter) => tail(&client()?, &filter, output).await,
        AuditCommand::Verify(verify) => audit_verify::run(verify, load).await,
    }
}

async fn search(client: &Client, filter: &Filter, output: Output) -> Result<(), Error> {
    let mut found: Vec<StoredEvent> = Vec::new();
    let mut cursor = None;
    while found.len() < filter.limit as usize {
        let mut query = filter.query();
        query.push(("limit", (filter.limit as usize - found.len()).min(1_000).to_string()));
        query.extend(cursor.map(|c| ("cursor", c)));
        let page = client.events_search(&query).await?;
        found.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    output.list(&found, &["position", "time", "type", "outcome", "actor", "action", "resource"], cells);
    Ok(())
}

async fn tail(client: &Client, filter: &Filter, output: Output) -> Result<(), Error> {
    let mut events = client.events_stream(&filter.query()).await?;
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

async fn export(client: &Client, to: Option<&Path>, from: u64) -> Result<(), Error> {
    let mut out: Box<dyn std::io::Write> = match to {
        Some(path) => Box::new(BufWriter::new(File::create_new(path).map_err(|e| at(path, &e))?)),
        None => Box::new(BufWriter::new(std::io::stdout())),
    };
    let failed = |e: std::io::Error| Error::Failed(format!("the export could not be written: {e}"));
    // The checkpoint is what makes the file provable; entries that come after it are left for the next export.
    let checkpoint = client.ledger_checkpoint().await?;
    let size = Checkpoint::parse(&checkpoint).map_err(|e| Error::Failed(e.to_string()))?.size;
    let (mut next, mut count) = (from, 0_u64);
    let bar = progress(None, "exported");
    loop {
        let mut entries = client.ledger_entries(next).await?;
        entries.retain(|e| e["position"].as_u64().is_some_and(|position| position < size));
        let Some(last) = entries.last().and_then(|e| e["position"].as_u64()) else { break };
        for entry in &entries {
            writeln!(out, "{entry}").map_err(failed)?;
        }
        count += entries.len() as u64;
        bar.set_position(count);
        next = last + 1;
    }
    writeln!(out, "{}", json!({"checkpoint": checkpoint, "key": client.ledger_key().await?})).map_err(failed)?;
    out.flush().map_err(failed)?;
    bar.finish_and_clear();
    eprintln!("{count} entries exported");
    Ok(())
}

async fn import(client: &Client, file: &Path) -> Result<(), Error> {
    let reader = BufReader::new(File::open(file).map_err(|e| at(file, &e))?);
    let bar = progress(None, "imported");
    let (mut stored, mut refused) = (0_u64, 0_u64);
    let (mut batch, mut lines) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
    let mut input = reader.lines().enumerate();
    loop {
        let next = input.next();
        if let Some((number, line)) = &next {
            let line = line.as_ref().map_err(|e| at(file, e))?;
            match serde_json::from_str::<Value>(line) {
                _ if line.trim().is_empty() => {}
                Ok(event) => {
                    batch.push(event);
                    lines.push(number + 1);
                }
                Err(e) => {
                    refused += 1;
                    eprintln!("line {}: not JSON: {e}", number + 1);
                }
            }
        }
        if batch.len() == BATCH || (next.is_none() && !batch.is_empty()) {
            let answer = client.events_record(&batch).await?;
            for (line, result) in lines.iter().zip(&answer.results) {
                match &result.problem {
                    None => stored += 1,
                    Some(problem) => {
                        refused += 1;
                        eprintln!("line {line}: {}", problem.detail.as_deref().unwrap_or(&problem.title));
                    }
                }
            }
            bar.set_position(stored);
            batch.clear();
            lines.clear();
        }
        if next.is_none() {
            break;
        }
    }
    bar.finish_and_clear();
    println!("{stored} events recorded, {refused} lines refused");
    if refused > 0 { Err(Error::Failed(format!("{refused} lines were refused; the others are recorded"))) } else { Ok(()) }
}
