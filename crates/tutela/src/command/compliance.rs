//! `compliance`: whether what laws and standards ask for holds.

use clap::{Args, Subcommand};
use tutela_api::{Assessment, Compliance, ControlStatement, ControlStatus, NewControlStatement};
use tutela_app::compliance::{Framework, checks};
use tutela_client::Client;

use super::Output;
use crate::{config::Config, error::Error};

#[derive(Subcommand)]
pub enum ComplianceCommand {
    /// Show how each control stands, and settings that contradict it
    Status {
        /// Of this framework alone: gdpr, hipaa, pci-dss or ccpa
        #[arg(long)]
        framework: Option<String>,
        /// Only what does not hold
        #[arg(long)]
        failed: bool,
    },
    /// Show what was found for one control
    Show {
        /// The framework
        framework: String,
        /// Its id, as `status` lists it
        control: String,
    },
    /// Show every check and what it looks at; with --check, whether a file with a framework of your own is right
    Controls {
        /// A file to look at; no server is needed
        #[arg(long)]
        check: Option<std::path::PathBuf>,
    },
    /// Assess every framework now; what is found goes to the ledger
    Assess,
    /// Send requests through the gateway to see what happens: attacks, and sessions that nobody has used
    Probe,
    /// Verify the whole ledger, and look stores and ledger through for card numbers, now
    Scan,
    /// Write how controls stand for somebody else: a table, a page to print, OSCAL, or the measures that are in place
    Report {
        /// Of this framework alone
        #[arg(long)]
        framework: Option<String>,
        /// csv, html or oscal
        #[arg(long, default_value = "html")]
        format: String,
        /// The technical and organisational measures in place, in sentences
        #[arg(long, conflicts_with = "format")]
        measures: bool,
        /// The file to write; standard output where absent
        #[arg(long)]
        to: Option<std::path::PathBuf>,
    },
    /// Show the assessments of a framework, the newest first
    History {
        /// The framework
        framework: String,
    },
    /// Show what people state of controls
    Statements,
    /// Attest to what no check sees
    Attest(Word),
    /// Accept for a time that a control does not hold; somebody else approves
    Except(Word),
    /// Say that a control does not concern this installation; somebody else approves
    ScopeOut(Word),
    /// Approve an exception or a scope that somebody else has stated
    Approve {
        /// Its id, as `statements` lists it
        id: String,
    },
    /// Take a statement back
    Withdraw {
        /// Its id, as `statements` lists it
        id: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
}

#[derive(Args)]
pub struct Word {
    /// The framework
    framework: String,
    /// The control's id, as `status` lists it
    control: String,
    /// Who answers for it
    #[arg(long)]
    owner: String,
    /// The last day on which it counts: 2027-11-22
    #[arg(long)]
    until: String,
    /// Where it is written; an attestation needs it
    #[arg(long)]
    document: Option<String>,
    /// Why; an exception or a scope needs it
    #[arg(long)]
    reason: Option<String>,
}

pub async fn compliance(command: ComplianceCommand, load: impl Fn() -> Result<Config, Error>, output: Output) -> Result<(), Error> {
    if let ComplianceCommand::Controls { check } = command {
        return controls(check.as_deref(), output);
    }
    let client = Client::socket(&load()?.socket()).map_err(Error::from)?;
    match command {
        ComplianceCommand::Status { framework, failed } => status(&client.compliance().await?, framework.as_deref(), failed, output)?,
        ComplianceCommand::Show { framework, control } => {
            let found = client.compliance().await?;
            let of = found.frameworks.iter().find(|of| of.key == framework);
            let of = of.and_then(|of| of.controls.iter().find(|of| of.id == control));
            let of = of.ok_or_else(|| Error::Usage(format!("`{framework}` has no control `{control}`, or is not switched on")))?;
            println!("{}", serde_json::to_string_pretty(of).unwrap_or_default());
        }
        ComplianceCommand::Controls { .. } => {}
        ComplianceCommand::Assess => assessments(&client.assess().await?, output),
        ComplianceCommand::Probe => {
            let found = client.compliance_probe().await?;
            let passed = found.passed.iter().map(|route| format!("\nan attack came through: {route}"));
            let opened =
                found.idle.iter().filter(|(_, opened)| **opened).map(|(seconds, _)| format!("\na session opened a page after {seconds} s without use"));
            let unrecorded = found.unrecorded.iter().map(|what| format!("\nnot in the ledger: {what}"));
            let unreached = found.unreached.iter().map(|route| format!("\nnot opened without its permission: {route}"));
            let unprobed = found.unprobed.iter().map(|what| format!("\nnot probed: {what}"));
            let more: String = passed.chain(opened).chain(unrecorded).chain(unreached).chain(unprobed).collect();
            output.one(&found, &format!("{} requests sent, {} routes attacked{more}", found.sent, found.attacked));
        }
        ComplianceCommand::Scan => {
            let found = client.compliance_scan().await?;
            let flaw = found.flaw.as_ref().map_or_else(|| "everything fits".to_owned(), |flaw| format!("DOES NOT FIT: {flaw}"));
            let places = found.card_numbers.iter().map(|(place, rows)| format!("\ncard numbers in {place}: {rows} rows"));
            let unlooked = found.unlooked.iter().map(|of| format!("\nnot looked through: {of}"));
            let more: String = places.chain(unlooked).collect();
            output.one(&found, &format!("{} entries verified: {flaw}; {} stores looked through{more}", found.entries, found.looked));
        }
        ComplianceCommand::Report { framework, format, measures, to } => {
            let text = client.compliance_report(if measures { "measures" } else { &format }, framework.as_deref()).await?;
            match to {
                Some(file) => std::fs::write(&file, text).map_err(|e| Error::Failed(format!("{}: {e}", file.display())))?,
                None => print!("{text}"),
            }
        }
        ComplianceCommand::History { framework } => assessments(&client.assessments(&framework).await?, output),
        ComplianceCommand::Statements => {
            let columns = ["id", "framework", "control", "kind", "state", "owner", "until", "document", "reason", "approved by"];
            output.list(&client.control_statements().await?, &columns, |of: &ControlStatement| {
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                let plain = [&of.id, &of.framework, &of.control, &of.kind, &of.state, &of.owner, &of.until].map(Clone::clone);
                plain.into_iter().chain([text(&of.document), text(&of.reason), text(&of.approved_by)]).collect()
            });
        }
        ComplianceCommand::Attest(word) => state(&client, "attestation", word, output).await?,
        ComplianceCommand::Except(word) => state(&client, "exception", word, output).await?,
        ComplianceCommand::ScopeOut(word) => state(&client, "not_applicable", word, output).await?,
        ComplianceCommand::Approve { id } => {
            let of = client.control_statement_approve(&id).await?;
            output.one(&of, &format!("{} {}: {} counts until {}", of.framework, of.control, of.kind, of.until));
        }
        ComplianceCommand::Withdraw { id, reason } => client.control_statement_withdraw(&id, &reason).await?,
    }
    Ok(())
}

fn controls(file: Option<&std::path::Path>, output: Output) -> Result<(), Error> {
    let Some(file) = file else {
        let all: Vec<(&str, &str)> = checks().map(|check| (check.name, check.looks_at)).collect();
        output.list(&all, &["check", "looks at"], |(name, looks_at)| vec![(*name).to_owned(), (*looks_at).to_owned()]);
        return Ok(());
    };
    let failed = |e: String| Error::Failed(format!("{}: {e}", file.display()));
    let framework = Framework::read(&std::fs::read_to_string(file).map_err(|e| failed(e.to_string()))?).map_err(failed)?;
    let checked = framework.controls.iter().filter(|control| !control.checks.is_empty()).count();
    println!("{}: {} controls, {checked} of them with checks", framework.key, framework.controls.len());
    Ok(())
}

fn status(found: &Compliance, framework: Option<&str>, failed: bool, output: Output) -> Result<(), Error> {
    let of = |key: &str| framework.is_none_or(|wanted| wanted == key);
    let rows: Vec<(String, ControlStatus)> = found
        .frameworks
        .iter()
        .filter(|framework| of(&framework.key))
        .flat_map(|framework| framework.controls.iter().map(|control| (framework.key.clone(), control.clone())))
        .filter(|(_, control)| !failed || control.outcome == "fail")
        .collect();
    if let (true, Some(name)) = (rows.is_empty() && !failed, framework) {
        return Err(Error::Usage(format!("`{name}` is not switched on: add it to `compliance.frameworks`")));
    }
    output.list(&rows, &["framework", "id", "number", "outcome", "control", "why"], |(framework, control)| {
        let text = |text: &String| text.clone();
        vec![text(framework), text(&control.id), text(&control.number), text(&control.outcome), text(&control.title), text(&control.why)]
    });
    if output == Output::Table {
        for of in found.conflicts.iter().filter(|conflict| of(&conflict.framework)) {
            println!("conflict: {} {}: {}: {}; {}", of.framework, of.number, of.setting, of.why, of.change);
        }
    }
    Ok(())
}

fn assessments(rows: &[Assessment], output: Output) {
    output.list(rows, &["made at", "framework", "because of", "pass", "fail", "no data", "manual", "not applicable", "event"], |of: &Assessment| {
        let counts = [of.passed, of.failed, of.without_data, of.manual, of.not_applicable].map(|count| count.to_string());
        [of.made_at.clone(), of.framework.clone(), of.why.clone()].into_iter().chain(counts).chain([of.event.clone()]).collect()
    });
}

async fn state(client: &Client, kind: &str, word: Word, output: Output) -> Result<(), Error> {
    let Word { framework, control, owner, until, document, reason } = word;
    let of = client.control_statement(&NewControlStatement { framework, control, kind: kind.into(), owner, document, reason, until }).await?;
    let next = if of.state == "waits" { "; it counts once somebody else approves it" } else { "" };
    output.one(&of, &format!("{} {}: {} until {}, id {}{next}", of.framework, of.control, of.kind, of.until, of.id));
    Ok(())
}
