//! `breach`: the register of breaches of personal data.

use clap::{Args, Subcommand};
use tutela_api::{Breach, BreachFacts, BreachRisk, BreachTold, NewBreach};
use tutela_client::Client;

use super::Output;
use crate::{config::Config, error::Error};

#[derive(Subcommand)]
pub enum BreachCommand {
    /// Show the register
    List,
    /// Enter a breach; the clocks run from when it was known
    Open {
        /// In a few words
        title: String,
        /// The incident that showed it
        #[arg(long)]
        incident: Option<String>,
        /// Since when it is known: 2026-11-20T10:00:00Z; the incident's beginning, or now
        #[arg(long)]
        aware_at: Option<String>,
        #[command(flatten)]
        known: Known,
    },
    /// Show one: what is known, who has to be told by when, and the notice as a draft
    Show {
        /// Its id
        id: String,
    },
    /// Write down more of what is known; whoever has signed signs again
    Set {
        /// Its id
        id: String,
        #[command(flatten)]
        known: Known,
    },
    /// Sign what is known now; two have to before anybody is told
    Sign {
        /// Its id
        id: String,
    },
    /// Record that somebody was told
    Told {
        /// Its id
        id: String,
        /// authority, people, secretary or media
        to: String,
        /// When; now where absent
        #[arg(long)]
        at: Option<String>,
        /// The other side's number or address
        #[arg(long, default_value = "")]
        reference: String,
        /// Why it was late, where it was
        #[arg(long)]
        reason: Option<String>,
    },
    /// Close it, when everybody was told who has to be
    Close {
        /// Its id
        id: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
}

/// What is known; what is not said here stays as it is.
#[derive(Args)]
pub struct Known {
    /// What happened
    #[arg(long)]
    nature: Option<String>,
    /// A kind of data, as often as there are: user.contact, health, payment
    #[arg(long = "category")]
    categories: Vec<String>,
    /// About how many people
    #[arg(long)]
    people: Option<u64>,
    /// About how many records
    #[arg(long)]
    records: Option<u64>,
    /// What it may lead to
    #[arg(long)]
    consequences: Option<String>,
    /// What was and will be done
    #[arg(long)]
    measures: Option<String>,
    /// Who can be asked
    #[arg(long)]
    contact: Option<String>,
    /// unknown, none, risk or high
    #[arg(long, value_parser = risk)]
    risk: Option<BreachRisk>,
    /// Why the risk is judged so
    #[arg(long)]
    risk_reason: Option<String>,
    /// Whether all of it was sealed under keys that were not lost
    #[arg(long)]
    sealed: Option<bool>,
    /// Whether it is about health data under HIPAA
    #[arg(long)]
    health: Option<bool>,
    /// How many of the people live in one state of the USA, at most
    #[arg(long)]
    residents: Option<u64>,
}

impl Known {
    fn over(self, before: BreachFacts) -> BreachFacts {
        BreachFacts {
            nature: self.nature.unwrap_or(before.nature),
            categories: if self.categories.is_empty() { before.categories } else { self.categories },
            people: self.people.or(before.people),
            records: self.records.or(before.records),
            consequences: self.consequences.unwrap_or(before.consequences),
            measures: self.measures.unwrap_or(before.measures),
            contact: self.contact.unwrap_or(before.contact),
            risk: self.risk.unwrap_or(before.risk),
            risk_reason: self.risk_reason.unwrap_or(before.risk_reason),
            sealed: self.sealed.unwrap_or(before.sealed),
            health: self.health.unwrap_or(before.health),
            residents: self.residents.or(before.residents),
        }
    }
}

pub async fn breach(command: BreachCommand, load: impl Fn() -> Result<Config, Error>, output: Output) -> Result<(), Error> {
    let client = Client::socket(&load()?.socket()).map_err(Error::from)?;
    let found = match command {
        BreachCommand::List => {
            output.list(&client.breaches().await?, &["id", "title", "state", "known since", "risk", "signed", "to tell"], |of: &Breach| {
                let open = of.duties.iter().filter(|duty| duty.told_at.is_none()).map(|duty| format!("{} by {}", duty.to, duty.due));
                let (signed, open) = (of.signed_by.len().to_string(), open.collect::<Vec<_>>().join(", "));
                vec![of.id.clone(), of.title.clone(), of.state.clone(), of.aware_at.clone(), of.facts.risk.as_str().to_owned(), signed, open]
            });
            return Ok(());
        }
        BreachCommand::Open { title, incident, aware_at, known } => {
            client.breach_open(&NewBreach { title, incident, aware_at, facts: known.over(BreachFacts::default()) }).await?
        }
        BreachCommand::Show { id } => client.breach(&id).await?,
        BreachCommand::Set { id, known } => {
            let before = client.breach(&id).await?;
            client.breach_facts(&id, &known.over(before.facts)).await?
        }
        BreachCommand::Sign { id } => client.breach_sign(&id).await?,
        BreachCommand::Told { id, to, at, reference, reason } => client.breach_told(&id, &BreachTold { to, at, reference, reason }).await?,
        BreachCommand::Close { id, reason } => client.breach_close(&id, &reason).await?,
    };
    output.one(&found, &shown(&found));
    Ok(())
}

fn shown(of: &Breach) -> String {
    let duty = |duty: &tutela_api::BreachDuty| {
        let (state, late) = (duty.told_at.as_ref().map_or("still to be told".to_owned(), |at| format!("told at {at}")), if duty.late { ", LATE" } else { "" });
        format!("  {} ({} {}): by {}, {state}{late}", duty.to, duty.framework, duty.section, duty.due)
    };
    let duties = of.duties.iter().map(duty).collect::<Vec<_>>().join("\n");
    let missing = if of.missing.is_empty() { String::new() } else { format!("\nmissing: {}", of.missing.join(", ")) };
    format!("{} {} ({}), signed by {} of 2\n{duties}{missing}\n\n{}", of.id, of.title, of.state, of.signed_by.len(), of.draft)
}

fn risk(text: &str) -> Result<BreachRisk, String> {
    [BreachRisk::Unknown, BreachRisk::None, BreachRisk::Risk, BreachRisk::High]
        .into_iter()
        .find(|risk| risk.as_str() == text)
        .ok_or_else(|| "unknown, none, risk or high".to_owned())
}
