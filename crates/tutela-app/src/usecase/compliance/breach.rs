//! The register of breaches: what happened, who has to be told by when, two people who sign before anybody is told, and
//! reminders while it is not done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tutela_api as api;
use tutela_compliance::{Breach, Duty};
use tutela_core::{BreachId, Principal, Timestamp};
use tutela_privacy::taxonomy;
use tutela_store::BreachRow;

use super::happened::{BreachChanged, BreachClosed, BreachOpened, BreachReminder, BreachSigned, BreachTold};
use crate::{
    App, Ctx, Error,
    usecase::{
        account::{line, reason},
        grant::approver,
        incident, sign_in,
        signer::Signer,
    },
};

const PURPOSE: &[u8] = b"tutela breach";
/// Who sign what is known before anybody is told.
const SIGNERS: usize = 2;

/// What is kept of a breach, sealed.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Entry {
    title: String,
    incident: Option<String>,
    facts: api::BreachFacts,
    signed_by: Vec<Signer>,
    told: BTreeMap<String, Told>,
    /// Reminders that were given, by duty.
    reminded: BTreeMap<String, usize>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Told {
    at: Timestamp,
    by: String,
    reference: String,
    reason: Option<String>,
}

/// Enters a breach; its clocks run from when it was known.
pub async fn open(app: &App, ctx: &Ctx, new: api::NewBreach) -> Result<api::Breach, Error> {
    app.permit(ctx, "compliance:write").await?;
    let incident = match &new.incident {
        Some(id) => Some(incident::find(app, id).await.map_err(|_| Error::invalid("incident", format!("there is no incident `{id}`")))?),
        None => None,
    };
    let aware_at = match &new.aware_at {
        Some(text) => moment("aware_at", text)?,
        None => incident.map_or(ctx.now, |incident| incident.opened_at),
    };
    if aware_at > ctx.now {
        return Err(Error::invalid("aware_at", "this moment is still to come"));
    }
    let entry = Entry { title: line("title", &new.title, 200)?, incident: new.incident, facts: checked(new.facts)?, ..Entry::default() };
    let row = BreachRow {
        id: BreachId::new(ctx.now, &mut { app.env() }),
        sealed: app.seal_as(PURPOSE, &entry)?,
        version: 0,
        aware_at,
        opened_at: ctx.now,
        closed_at: None,
    };
    let opened = BreachOpened::new(row.id, aware_at.to_string(), entry.incident.as_deref().unwrap_or_default());
    app.commit(ctx, opened, |changeset| changeset.breach_insert(&row)).await?;
    shown(app, &row, ctx.now)
}

/// What is known now. Whoever has signed has signed something else, and signs again.
pub async fn set(app: &App, ctx: &Ctx, id: &str, facts: api::BreachFacts) -> Result<api::Breach, Error> {
    app.permit(ctx, "compliance:write").await?;
    let (row, mut entry) = live(app, id).await?;
    entry.facts = checked(facts)?;
    entry.signed_by.clear();
    let changed = BreachChanged::new(row.id, entry.facts.risk.as_str());
    saved(app, ctx, row, &entry, changed).await
}

/// Signs what is known now.
pub async fn sign(app: &App, ctx: &Ctx, id: &str) -> Result<api::Breach, Error> {
    sign_in::permit_fresh(app, ctx, "compliance:write").await?;
    let (row, mut entry) = live(app, id).await?;
    let by = Signer::of(app, ctx).await?;
    if entry.signed_by.iter().any(|signer| signer.id == by.id) {
        return Err(Error::Conflict("you have signed: ask somebody else".into()));
    }
    entry.signed_by.push(by);
    let signed = BreachSigned::new(row.id, entry.signed_by.len() as u64);
    saved(app, ctx, row, &entry, signed).await
}

/// Somebody was told.
pub async fn told(app: &App, ctx: &Ctx, id: &str, new: api::BreachTold) -> Result<api::Breach, Error> {
    sign_in::permit_fresh(app, ctx, "compliance:write").await?;
    let (row, mut entry) = live(app, id).await?;
    if entry.signed_by.len() < SIGNERS {
        return Err(Error::Conflict(format!("{} of two people have signed what is known now", entry.signed_by.len())));
    }
    let duties = duties(app, &row, &entry);
    let meant: Vec<&Duty> = duties.iter().filter(|duty| duty.to == new.to).collect();
    let Some(first) = meant.first() else {
        let known: Vec<&str> = duties.iter().map(|duty| duty.to).collect();
        return Err(Error::invalid("to", format!("nobody asks that `{}` is told; there are {}", new.to, known.join(", "))));
    };
    if first.met.is_some() {
        return Err(Error::Conflict(format!("that `{}` was told is recorded", new.to)));
    }
    let at = new.at.as_deref().map(|text| moment("at", text)).transpose()?.unwrap_or(ctx.now);
    if at > ctx.now || at < row.aware_at {
        return Err(Error::invalid("at", "that is still to come, or before it was known"));
    }
    let late = meant.iter().any(|duty| at > duty.due);
    let why = match new.reason.as_deref().map(reason).transpose()? {
        None if late => return Err(Error::invalid("reason", "it was late: say why (Art. 33(1))")),
        why => why,
    };
    if new.reference.chars().count() > 200 || new.reference.chars().any(char::is_control) {
        return Err(Error::invalid("reference", "a reference has at most 200 characters"));
    }
    let event = BreachTold::new(row.id, &new.to, at.to_string(), late, why.as_deref());
    entry.told.insert(new.to.clone(), Told { at, by: approver(app, ctx).await?, reference: new.reference, reason: why.clone() });
    saved(app, ctx, row, &entry, event).await
}

/// Closes it, when everybody was told who has to be, or nobody has to be.
pub async fn close(app: &App, ctx: &Ctx, id: &str, why: &str) -> Result<api::Breach, Error> {
    sign_in::permit_fresh(app, ctx, "compliance:write").await?;
    let (mut row, entry) = live(app, id).await?;
    let why = reason(why)?;
    let open: Vec<&str> = duties(app, &row, &entry).iter().filter(|duty| duty.met.is_none()).map(|duty| duty.to).collect();
    if !open.is_empty() {
        return Err(Error::Conflict(format!("{} still to be told", open.join(", "))));
    }
    if entry.facts.risk == api::BreachRisk::Unknown || entry.signed_by.len() < SIGNERS {
        return Err(Error::Conflict("somebody has to judge the risk, and two people to sign it, before it is closed".into()));
    }
    row.closed_at = Some(ctx.now);
    let closed = BreachClosed::new(row.id, &why);
    saved(app, ctx, row, &entry, closed).await
}

/// One.
pub async fn get(app: &App, ctx: &Ctx, id: &str) -> Result<api::Breach, Error> {
    app.permit(ctx, "compliance:read").await?;
    shown(app, &found(app, id).await?.0, ctx.now)
}

/// All of them, the newest first.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::Breach>, Error> {
    app.permit(ctx, "compliance:read").await?;
    app.store.breach_list().await?.iter().map(|row| shown(app, row, ctx.now)).collect()
}

/// Reminds of what is still to be told: at 24, 48, 60 and 70 of 72 hours, and when it is late.
pub(crate) async fn remind(app: &App) -> Result<(), Error> {
    let ctx = Ctx::new(app.env(), Principal::System("compliance"));
    for mut row in app.store.breach_list().await?.into_iter().filter(|row| row.closed_at.is_none()) {
        let mut entry = opened(app, &row)?;
        for duty in duties(app, &row, &entry) {
            let (key, count) = (format!("{}/{}", duty.law, duty.to), duty.reminders(row.aware_at, ctx.now));
            let given = entry.reminded.get(&key).copied().unwrap_or(0);
            if count <= given {
                continue;
            }
            entry.reminded.insert(key, count);
            row.sealed = app.seal_as(PURPOSE, &entry)?;
            let reminder = BreachReminder::new(row.id, duty.law, duty.to, duty.due.to_string(), duty.is_late(ctx.now));
            app.commit(&ctx, reminder, |changeset| changeset.breach_set(&row)).await?;
            row.version += 1;
        }
    }
    Ok(())
}

/// Duties of every breach that is known, for whoever judges: its id, what is owed, and whether a reason is given where it was late.
pub(super) async fn owed(app: &App) -> Result<Vec<(BreachId, Duty, bool)>, Error> {
    let mut all = Vec::new();
    for row in app.store.breach_list().await? {
        let entry = opened(app, &row)?;
        let has_reason = |duty: &Duty| entry.told.get(duty.to).is_some_and(|told| told.reason.is_some());
        all.extend(duties(app, &row, &entry).into_iter().map(|duty| (row.id, duty.clone(), has_reason(&duty))));
    }
    Ok(all)
}

fn duties(app: &App, row: &BreachRow, entry: &Entry) -> Vec<Duty> {
    let told = entry.told.iter().map(|(to, told)| (to.clone(), told.at)).collect();
    let facts = &entry.facts;
    // What spares somebody a notice counts when two have signed it.
    let is_signed = entry.signed_by.len() >= SIGNERS;
    let risk = if is_signed || facts.risk != api::BreachRisk::None { facts.risk } else { api::BreachRisk::Unknown };
    let breach = Breach {
        aware_at: row.aware_at,
        risk: risk.as_str(),
        sealed: is_signed && facts.sealed,
        health: facts.health,
        people: facts.people,
        residents: facts.residents,
        told: &told,
    };
    breach.duties(|law| app.compliance.is_on(law))
}

async fn saved(app: &App, ctx: &Ctx, mut row: BreachRow, entry: &Entry, what: impl tutela_core::Occurrence) -> Result<api::Breach, Error> {
    row.sealed = app.seal_as(PURPOSE, entry)?;
    app.commit(ctx, what, |changeset| changeset.breach_set(&row)).await?;
    shown(app, &row, ctx.now)
}

async fn live(app: &App, id: &str) -> Result<(BreachRow, Entry), Error> {
    let (row, entry) = found(app, id).await?;
    if row.closed_at.is_some() {
        return Err(Error::Conflict("it is closed".into()));
    }
    Ok((row, entry))
}

async fn found(app: &App, id: &str) -> Result<(BreachRow, Entry), Error> {
    let id: BreachId = id.parse().map_err(|_| Error::NotFound("breach"))?;
    let row = app.store.breach_get(id).await?.ok_or(Error::NotFound("breach"))?;
    let entry = opened(app, &row)?;
    Ok((row, entry))
}

fn opened(app: &App, row: &BreachRow) -> Result<Entry, Error> {
    app.open_as(PURPOSE, &row.sealed).ok_or(Error::Internal("an entry of the register of breaches cannot be opened"))
}

fn shown(app: &App, row: &BreachRow, now: Timestamp) -> Result<api::Breach, Error> {
    let entry = opened(app, row)?;
    let duty = |duty: Duty| api::BreachDuty {
        to: duty.to.into(),
        framework: duty.law.into(),
        section: duty.section.into(),
        due: duty.due.to_string(),
        told_at: duty.met.map(|at| at.to_string()),
        late: duty.is_late(now),
        reason: entry.told.get(duty.to).and_then(|told| told.reason.clone()),
    };
    let missing = missing(&entry.facts);
    Ok(api::Breach {
        id: row.id.to_string(),
        state: if row.closed_at.is_some() { "closed" } else { "open" }.into(),
        incident: entry.incident.clone(),
        aware_at: row.aware_at.to_string(),
        opened_at: row.opened_at.to_string(),
        closed_at: row.closed_at.map(|at| at.to_string()),
        duties: duties(app, row, &entry).into_iter().map(duty).collect(),
        draft: draft(row, &entry, &missing),
        missing,
        title: entry.title,
        facts: entry.facts,
        signed_by: entry.signed_by.into_iter().map(|signer| signer.name).collect(),
    })
}

/// What Art. 33(3) asks for and nobody has said.
fn missing(facts: &api::BreachFacts) -> Vec<String> {
    let mut missing = Vec::new();
    let mut say = |is_missing: bool, field: &str, point: &str| {
        if is_missing {
            missing.push(format!("{field} (Art. 33(3)({point}))"));
        }
    };
    say(facts.nature.is_empty(), "nature", "a");
    say(facts.categories.is_empty(), "categories", "a");
    say(facts.people.is_none(), "people", "a");
    say(facts.records.is_none(), "records", "a");
    say(facts.contact.is_empty(), "contact", "b");
    say(facts.consequences.is_empty(), "consequences", "c");
    say(facts.measures.is_empty(), "measures", "d");
    missing
}

/// The notice in the order of Art. 33(3).
fn draft(row: &BreachRow, entry: &Entry, missing: &[String]) -> String {
    let facts = &entry.facts;
    let or = |text: &str| if text.is_empty() { "not known yet".to_owned() } else { text.to_owned() };
    let number = |count: Option<u64>| count.map_or_else(|| "not known yet".to_owned(), |count| format!("about {count}"));
    let sealed = if facts.sealed { "\nAll of it was encrypted, and the keys were not lost (Art. 34(3)(a))." } else { "" };
    let more = if missing.is_empty() { "" } else { "\n\nWhat is not known yet follows in phases (Art. 33(4))." };
    format!(
        "Notification of a personal data breach: {}\n\nKnown since: {}\n\n(a) What happened: {}\n    Kinds of data: {}\n    People: {}. Records: {}.\n(b) Who can be asked: {}\n(c) What it may lead to: {}\n(d) What was and will be done: {}{sealed}\n\nRisk for the people: {}. {}{more}\n",
        entry.title,
        row.aware_at,
        or(&facts.nature),
        or(&facts.categories.join(", ")),
        number(facts.people),
        number(facts.records),
        or(&facts.contact),
        or(&facts.consequences),
        or(&facts.measures),
        facts.risk.as_str(),
        facts.risk_reason
    )
}

fn checked(mut facts: api::BreachFacts) -> Result<api::BreachFacts, Error> {
    let texts: [(&'static str, &String); 5] = [
        ("nature", &facts.nature),
        ("consequences", &facts.consequences),
        ("measures", &facts.measures),
        ("contact", &facts.contact),
        ("risk_reason", &facts.risk_reason),
    ];
    for (field, text) in texts {
        if text.chars().count() > 4_000 || text.chars().any(|c| c.is_control() && c != '\n') {
            return Err(Error::invalid(field, format!("`{field}` has at most 4,000 characters")));
        }
    }
    if facts.risk != api::BreachRisk::Unknown && facts.risk_reason.trim().is_empty() {
        return Err(Error::invalid("risk_reason", "say why the risk is judged so; the authority may ask (Art. 33(5))"));
    }
    if facts.categories.len() > 100 {
        return Err(Error::invalid("categories", "at most 100 kinds of data"));
    }
    for word in &mut facts.categories {
        let name = taxonomy::category(word).map_err(|known| Error::invalid("categories", format!("there is no `{word}`; there are {}", known.join(", "))))?;
        *word = name.to_owned();
    }
    Ok(facts)
}

fn moment(field: &'static str, text: &str) -> Result<Timestamp, Error> {
    text.parse().map_err(|_| Error::invalid(field, "a moment is written `2026-11-22T10:00:00Z`"))
}
