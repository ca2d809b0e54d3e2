//! `audit hold|retention|sink|types|count`: looking after the ledger through the running server.

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tutela_api::{EventType, EventTypeBody, NewHold};
use tutela_client::Client;

use super::{Output, audit::query_of};
use crate::error::{Error, at};

#[derive(Subcommand)]
pub enum HoldCommand {
    /// Holds, newest first
    List,
    /// Keep events that match, whatever their retention says
    Place {
        /// The case it is for
        #[arg(long)]
        case: String,
        /// Why; it goes to the ledger
        #[arg(long)]
        reason: String,
        /// When it ends by itself (RFC 3339)
        #[arg(long)]
        until: Option<String>,
        /// What it keeps, as in `audit search`; everything where absent
        query: Vec<String>,
    },
    /// End a hold
    Release {
        /// Its id
        id: String,
        /// Why; it goes to the ledger
        #[arg(long)]
        reason: String,
    },
}

#[derive(Args)]
pub struct Retention {
    /// Take out what has expired now, in place of within the hour
    #[arg(long)]
    apply: bool,
}

#[derive(Subcommand)]
pub enum SinkCommand {
    /// Events that a projection refused for good, and why
    DeadLetters {
        /// elasticsearch or opensearch
        name: String,
    },
    /// Projections: how far each came
    List,
    /// Drop all documents and send every event again
    Rebuild {
        /// elasticsearch or opensearch
        name: String,
    },
    /// Compare with the ledger, event by event; exit code 1 where they differ
    Reconcile {
        /// elasticsearch or opensearch
        name: String,
    },
    /// Send the dead letters again
    Retry {
        /// elasticsearch or opensearch
        name: String,
    },
}

#[derive(Subcommand)]
pub enum TypesCommand {
    /// Declare a type, or declare it anew
    Declare {
        /// File with the declaration, JSON as in PUT /v1/event-types/NAME
        file: PathBuf,
    },
    /// Declared types
    List,
    /// Take a declaration back
    Remove {
        /// Its name
        name: String,
    },
    /// The shape of events of all declared types, as a JSON Schema for rules and other programs
    Schema,
    /// One declaration
    Show {
        /// Its name
        name: String,
    },
}

#[derive(Args)]
pub struct Count {
    /// hour, day, type or outcome
    #[arg(long, default_value = "type")]
    by: String,
    /// Types, outcomes and times, for example: type:session.* after:2026-11-01
    query: Vec<String>,
}

pub async fn hold(command: HoldCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        HoldCommand::List => output.columns(&client.holds().await?.items, &["id", "case", "reason", "q", "placed_at", "until", "released_at"]),
        HoldCommand::Place { case, reason, until, query } => {
            let hold = client.hold_place(&NewHold { case, reason, until, q: query_of(&query)? }).await?;
            output.one(&hold, &format!("hold {} placed; retention keeps what matches", hold.id));
        }
        HoldCommand::Release { id, reason } => {
            let hold = client.hold_release(&id, &reason).await?;
            output.one(&hold, &format!("hold {} released; what has expired goes within the hour", hold.id));
        }
    }
    Ok(())
}

pub async fn retention(command: Retention, client: &Client, output: Output) -> Result<(), Error> {
    if command.apply {
        let taken = client.retention_apply().await?;
        output.one(&taken, &format!("{} events had expired and are gone", taken.events));
        return Ok(());
    }
    let retention = client.retention().await?;
    match output {
        Output::Json => output.members(&retention),
        Output::Table => {
            output.columns(&retention.classes, &["class", "days", "source", "expired_up_to"]);
            println!("the ledger begins at position {}", retention.first_position);
            if retention.holds > 0 {
                println!("{} holds keep what matches them", retention.holds);
            }
        }
    }
    Ok(())
}

pub async fn sink(command: SinkCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        SinkCommand::DeadLetters { name } => output.columns(&client.sink_dead_letters(&name).await?.items, &["position", "reason", "refused_at"]),
        SinkCommand::List => output.columns(&client.sinks().await?.items, &["name", "state", "cursor", "size", "behind", "dead_letters", "error"]),
        SinkCommand::Rebuild { name } => {
            client.sink_rebuild(&name).await?;
            output.one(&json!({"sink": name}), &format!("the documents of `{name}` are dropped; every event is being sent again"));
        }
        SinkCommand::Reconcile { name } => {
            let report = client.sink_reconcile(&name).await?;
            output.members(&report);
            if !report.equal {
                return Err(Error::Failed(format!("`{name}` and the ledger differ up to position {}", report.up_to)));
            }
        }
        SinkCommand::Retry { name } => {
            let retried = client.sink_retry(&name).await?;
            output.one(&retried, &format!("{} dead letters were taken, {} refused again", retried.taken, retried.refused));
        }
    }
    Ok(())
}

pub async fn types(command: TypesCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        TypesCommand::Declare { file } => {
            let text = fs::read_to_string(&file).map_err(|e| at(&file, &e))?;
            let body: EventTypeBody = serde_json::from_str(&text).map_err(|e| Error::Usage(format!("`{}`: {e}", file.display())))?;
            let declared = client.event_type_set(&body).await?;
            output.one(&declared, &format!("`{}` is declared", declared.declaration.name));
        }
        TypesCommand::List => output.list(&client.event_types().await?.items, &["name", "origin", "class", "severity", "meaning"], |t| {
            let d = &t.declaration;
            vec![d.name.clone(), t.origin.clone(), d.class.clone(), d.severity.to_string(), d.sentence.clone()]
        }),
        TypesCommand::Remove { name } => {
            client.event_type_delete(&name).await?;
            output.one(&json!({"name": name}), &format!("the declaration of `{name}` is taken back"));
        }
        TypesCommand::Schema => println!("{:#}", schema(&client.event_types().await?.items)),
        TypesCommand::Show { name } => {
            let all = client.event_types().await?.items;
            let found = all.into_iter().find(|t| t.declaration.name == name).ok_or(Error::App(tutela_app::Error::NotFound("event type")))?;
            output.members(&found);
        }
    }
    Ok(())
}

pub async fn count(command: Count, client: &Client, output: Output) -> Result<(), Error> {
    let counts = client.events_counts(&[("q", query_of(&command.query)?), ("by", command.by)]).await?;
    match output {
        Output::Json => output.members(&counts),
        Output::Table => {
            output.columns(&counts.counts, &["key", "events"]);
            println!("{} events", counts.total);
        }
    }
    Ok(())
}

/// One JSON Schema (2020-12) for the opened events of all declared types.
fn schema(types: &[EventType]) -> Value {
    let kinds: Vec<Value> = types
        .iter()
        .map(|t| {
            let members = |personal: bool| {
                let fields = t.declaration.fields.iter().filter(|field| field.personal == personal);
                let map: serde_json::Map<String, Value> =
                    fields.map(|field| (field.name.clone(), json!({"type": shape(&field.example), "examples": [field.example]}))).collect();
                json!({"type": "object", "properties": map})
            };
            json!({
                "title": t.declaration.name, "description": t.declaration.sentence,
                "properties": {"type": {"const": t.declaration.name}, "data": members(false), "personal": members(true)},
            })
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Events of the ledger",
        "type": "object",
        "required": ["id", "type", "time", "recorded_at", "outcome", "severity", "retain", "actor"],
        "oneOf": kinds,
    })
}

fn shape(example: &Value) -> &'static str {
    match example {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
