//! `incident`: what is done about alerts that belong together.

use std::path::PathBuf;

use clap::Subcommand;
use tutela_api::{ContainIncident, Incident, IncidentDetail, MoveIncident, SetIncidentStep, UndoIncident};
use tutela_client::Client;

use super::{Output, audit::write_lines};
use crate::{config::Config, error::Error};

#[derive(Subcommand)]
pub enum IncidentCommand {
    /// Do something about everybody whom an incident names
    Contain {
        /// The incident's id
        id: String,
        /// block_ip, disable_client, lock_account, revoke_session, revoke_sessions or step_up
        action: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Write the events of an incident with proofs: `audit verify --export` checks the file offline
    Export {
        /// The incident's id
        id: String,
        /// File to write, which must not exist; standard output where absent
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// List incidents, the newest first
    List {
        /// live, all, open, acknowledged, contained, resolved or reviewed
        #[arg(long, default_value = "live")]
        state: String,
    },
    /// Move an incident on
    Move {
        /// The incident's id
        id: String,
        /// acknowledged, contained, resolved or reviewed
        state: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Show an incident and what is to be done about it
    Show {
        /// The incident's id
        id: String,
    },
    /// Check a step of the playbook off
    Step {
        /// The incident's id
        id: String,
        /// The step's name
        step: String,
        /// What came of it
        #[arg(long)]
        note: Option<String>,
        /// It is to be done again
        #[arg(long)]
        again: bool,
    },
    /// Lift the blocks of what an incident names
    Undo {
        /// The incident's id
        id: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
}

pub async fn incident(command: IncidentCommand, load: impl Fn() -> Result<Config, Error>, output: Output) -> Result<(), Error> {
    let client = Client::socket(&load()?.socket())?;
    match command {
        IncidentCommand::Contain { id, action, reason } => {
            let done = client.incident_contain(&id, &ContainIncident { action, reason }).await?;
            let refused: String = done.refused.iter().map(|why| format!("\nnot done: {why}")).collect();
            output.one(&done, &format!("done to {}{refused}", done.done));
            Ok(())
        }
        IncidentCommand::Export { id, to } => write_lines(client.incident_timeline(&id).await?, to.as_deref()).await,
        IncidentCommand::List { state } => {
            output.list(&client.incidents(&state, None).await?, &["id", "state", "level", "alerts", "title", "about", "opened"], row);
            Ok(())
        }
        IncidentCommand::Move { id, state, reason } => Ok(client.incident_move(&id, &MoveIncident { state, reason }).await?),
        IncidentCommand::Show { id } => {
            let found = client.incident(&id).await?;
            output.one(&found, &told(&found));
            Ok(())
        }
        IncidentCommand::Step { id, step, note, again } => Ok(client.incident_step(&id, &step, &SetIncidentStep { done: !again, note }).await?),
        IncidentCommand::Undo { id, reason } => {
            let undone = client.incident_undo(&id, &UndoIncident { reason }).await?;
            output.one(&undone, &format!("{} blocks lifted", undone.lifted));
            Ok(())
        }
    }
}

fn row(incident: &Incident) -> Vec<String> {
    let i = incident;
    vec![i.id.clone(), i.state.clone(), i.level.clone(), i.alerts.to_string(), i.title.clone(), about(i), i.opened_at.clone()]
}

fn about(incident: &Incident) -> String {
    incident.about.iter().map(|(name, values)| format!("{name} {}", values.join(" "))).collect::<Vec<_>>().join(", ")
}

fn told(found: &IncidentDetail) -> String {
    let i = &found.incident;
    let mut text =
        format!("{}\n{}, {}, {} alerts since {}\nabout {}\nrules {}\n", i.title, i.level, i.state, i.alerts, i.opened_at, about(i), i.rules.join(", "));
    if let Some(title) = &found.playbook_title {
        text.push_str(&format!("\n{title}\n"));
    }
    for step in &found.steps {
        let mark = if step.done_by.is_some() { "x" } else { " " };
        let action = step.action.as_ref().map(|action| format!(" [{action}]")).unwrap_or_default();
        text.push_str(&format!("[{mark}] {:<8} {}{action}\n", step.id, step.title));
        if let (Some(by), Some(at)) = (&step.done_by, &step.done_at) {
            text.push_str(&format!("             {by}, {at}{}\n", step.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default()));
        }
    }
    text.trim_end().to_owned()
}
