//! `privacy request`, `privacy plan`, `privacy hold`: what people ask for about their data.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Subcommand;
use serde_json::Value;
use tutela_api::{ErasurePlan, KeptData, NewPrivacyHold, NewSubjectRequest, PlanFinding, PrivacyHold, RequestStep, SubjectRef, SubjectRequest};
use tutela_client::Client;

use super::{Output, who::Who};
use crate::error::{Error, at};

#[derive(Subcommand)]
pub enum RequestCommand {
    /// Approve of the plan of an erasure: it is carried out
    Approve {
        /// The request
        id: String,
    },
    /// Take in what somebody asks for
    Create {
        #[command(flatten)]
        who: Who,
        /// GDPR: access, rectification, erasure, portability, restriction, objection; CCPA: do_not_sell, access, delete, correct
        kind: String,
        /// The law: gdpr or ccpa
        #[arg(long, default_value = "gdpr")]
        law: String,
        /// What becomes what, for rectification: `user.contact.email=ada@example.com`, or by place, `shop.customer.email=…`
        #[arg(long = "set", value_name = "PLACE=VALUE")]
        corrections: Vec<String>,
        /// To which purpose, for objection; to all that may be objected to where absent
        #[arg(long = "purpose")]
        purposes: Vec<String>,
        /// Where the person is told of the answer by mail
        #[arg(long)]
        contact: Option<String>,
        /// Seconds to wait for the answer, up to 60
        #[arg(long, default_value_t = 30)]
        wait: u64,
    },
    /// Extend the time of a request by as much as its law allows
    Extend {
        /// The request
        id: String,
        /// Why; the person is told
        #[arg(long)]
        reason: String,
    },
    /// Take the package of a request: one ZIP with everything
    Fetch {
        /// The request
        id: String,
        /// Where it goes
        #[arg(long)]
        out: PathBuf,
        /// Only the JSON for programs
        #[arg(long)]
        export: bool,
    },
    /// List requests, newest first
    List,
    /// Refuse a request
    Refuse {
        /// The request
        id: String,
        /// Why; the person is told
        #[arg(long)]
        reason: String,
    },
    /// Try a request again now
    Run {
        /// The request
        id: String,
    },
    /// Show a request, and how far it is
    Show {
        /// The request
        id: String,
        /// Print the signed confirmation alone; `privacy receipt verify` checks it
        #[arg(long)]
        receipt: bool,
    },
}

#[derive(Subcommand)]
pub enum HoldCommand {
    /// List what is kept of people by decision
    List,
    /// Keep something of somebody though they ask for erasure
    Place {
        #[command(flatten)]
        who: Who,
        /// dataset.collection, dataset.collection.field, or * for all of it
        place: String,
        /// The law and section
        #[arg(long)]
        article: String,
        /// Why, in words that the person may read
        #[arg(long)]
        reason: String,
        /// Who answers for it
        #[arg(long)]
        owner: String,
        /// The last day, `2036-12-31`; until somebody releases it where absent
        #[arg(long)]
        until: Option<String>,
    },
    /// End a hold; an erasure that it stopped goes on
    Release {
        /// The hold
        id: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
}

pub async fn request(command: RequestCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        RequestCommand::Approve { id } => show(output, &client.subject_request_approve(&id).await?),
        RequestCommand::Create { who, kind, law, corrections, purposes, contact, wait } => {
            let corrections = corrections.iter().map(|text| correction(text)).collect::<Result<BTreeMap<_, _>, _>>()?;
            let new = NewSubjectRequest { subject: who.into(), law: Some(law), kind, corrections, purposes, contact };
            show(output, &client.subject_request_create(&new, wait).await?);
        }
        RequestCommand::Extend { id, reason } => show(output, &client.subject_request_extend(&id, &reason).await?),
        RequestCommand::Fetch { id, out, export } => {
            let bytes = client.subject_request_fetch(&id, export).await?;
            std::fs::write(&out, &bytes).map_err(|e| at(&out, &e))?;
            println!("{} bytes in `{}`", bytes.len(), out.display());
        }
        RequestCommand::List => {
            let all = client.subject_requests().await?.items;
            output.list(&all, &["id", "law", "type", "status", "received", "answer by", "problems"], |of: &SubjectRequest| {
                let problems = of.progress.problems.iter().map(line).collect::<Vec<_>>().join("; ");
                vec![of.id.clone(), of.law.clone(), of.kind.clone(), of.status.clone(), of.received_at.clone(), of.answer_by.clone(), problems]
            });
        }
        RequestCommand::Refuse { id, reason } => show(output, &client.subject_request_refuse(&id, &reason).await?),
        RequestCommand::Run { id } => show(output, &client.subject_request_run(&id, 30).await?),
        RequestCommand::Show { id, receipt } => {
            let found = client.subject_request(&id).await?;
            match (receipt, &found.progress.receipt) {
                (true, Some(signed)) => println!("{}", serde_json::to_string_pretty(signed).unwrap_or_default()),
                (true, None) => return Err(Error::Failed(format!("there is no confirmation: the request is {}", found.status))),
                (false, _) => show(output, &found),
            }
        }
    }
    Ok(())
}

/// What erasing somebody would come to.
pub async fn plan(who: Who, client: &Client, output: Output) -> Result<(), Error> {
    let found = client.privacy_plan(&SubjectRef::from(who)).await?;
    let ErasurePlan { steps, kept, problems, notes } = &found;
    output.one(&found, &told(steps, kept, problems, notes));
    if problems.is_empty() { Ok(()) } else { Err(Error::Failed("as things are nothing would be touched".into())) }
}

pub async fn hold(command: HoldCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        HoldCommand::List => {
            output.list(&client.privacy_holds().await?, &["id", "place", "article", "owner", "until", "released", "reason"], |of: &PrivacyHold| {
                vec![
                    of.id.clone(),
                    of.place.clone(),
                    of.article.clone(),
                    of.owner.clone(),
                    of.until.clone().unwrap_or_default(),
                    of.released_at.clone().unwrap_or_default(),
                    of.reason.clone(),
                ]
            });
        }
        HoldCommand::Place { who, place, article, reason, owner, until } => {
            let made = client.privacy_hold(&NewPrivacyHold { subject: who.into(), place, article, reason, owner, until }).await?;
            output.one(&made, &format!("{} is kept, hold {}", made.place, made.id));
        }
        HoldCommand::Release { id, reason } => client.privacy_hold_release(&id, &reason).await?,
    }
    Ok(())
}

fn correction(text: &str) -> Result<(String, Value), Error> {
    let (place, value) = text.split_once('=').ok_or_else(|| Error::Usage(format!("--set: `{text}` is not PLACE=VALUE")))?;
    Ok((place.to_owned(), Value::from(value)))
}

fn show(output: Output, of: &SubjectRequest) {
    let of_it = &of.progress;
    let head = format!("{} {} ({}), {}; to be answered by {} ({})", of.id, of.kind, of.law, of.status, of.answer_by, of.section);
    let package = of_it.package_until.as_ref().map(|until| format!("\n  a package can be fetched until {until}")).unwrap_or_default();
    output.one(of, &format!("{head}{package}\n{}", told(&of_it.steps, &of_it.kept, &of_it.problems, &of_it.notes)));
}

fn line(of: &PlanFinding) -> String {
    format!("{}: {}", of.place, of.why)
}

fn told(steps: &[RequestStep], kept: &[KeptData], problems: &[PlanFinding], notes: &[PlanFinding]) -> String {
    let steps = steps.iter().map(|of| format!("  {:<8} {:>6}  {}.{}", of.done, of.rows, of.store, of.collection));
    let until = |of: &KeptData| of.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
    let kept = kept.iter().map(|of| format!("  kept     {:>6}  {}{}: {} ({})", of.rows, of.place, until(of), of.reason, of.article));
    let notes = notes.iter().map(|of| format!("  note             {}", line(of)));
    let problems = problems.iter().map(|of| format!("  PROBLEM          {}", line(of)));
    steps.chain(kept).chain(notes).chain(problems).collect::<Vec<_>>().join("\n")
}
