//! Incidents: what people do about alerts that belong together, step by step, each an event.

use std::collections::{BTreeSet, VecDeque};

use tutela_api as api;
use tutela_core::{EventId, IncidentId, Timestamp};
use tutela_detection::{Action, IncidentState, Playbook};
use tutela_store::{Changeset, IncidentRow, IncidentStepRow, Position};

use super::{
    account::reason,
    block::{self, Why},
    export::{self, Export},
    grant::approver,
    protect, search, sign_in,
};
use crate::{
    App, Ctx, Error,
    monitor::{gather::About, notify},
    occurrence::{AddressUnblocked, IncidentContained, IncidentMoved, IncidentStepSet},
    port::{Notice, NoticeKind},
};

/// Most incidents of a page.
const PAGE: u32 = 100;
/// Most targets of one action.
const MOST_TARGETS: usize = 50;

/// Incidents in a state, `live` or `all`, the newest first.
pub async fn list(app: &App, ctx: &Ctx, state: &str, before: Option<&str>) -> Result<Vec<api::Incident>, Error> {
    app.permit(ctx, "detection:read").await?;
    if !["live", "all"].contains(&state) && IncidentState::parse(state).is_none() {
        return Err(Error::invalid("state", format!("`state` is `{state}`; it is live, all, open, acknowledged, contained, resolved or reviewed")));
    }
    let before = before.map(parse).transpose()?;
    Ok(app.store.incident_list(state, before, PAGE).await?.into_iter().map(|row| shown(app, row)).collect())
}

/// One incident, with what is to be done about it.
pub async fn get(app: &App, ctx: &Ctx, id: &str) -> Result<api::IncidentDetail, Error> {
    app.permit(ctx, "detection:read").await?;
    let row = find(app, id).await?;
    let done = app.store.incident_steps(row.id).await?;
    let events = app.store.incident_events(row.id).await?;
    let playbook = playbook(app, &row);
    let steps = playbook.into_iter().flat_map(|playbook| &playbook.steps).map(|step| {
        let done = done.iter().find(|done| done.step == step.id);
        api::IncidentStep {
            id: step.id.clone(),
            title: step.title.clone(),
            details: step.details.clone(),
            action: step.action.map(|action| action.as_str().to_owned()),
            done_by: done.map(|done| done.done_by.clone()),
            done_at: done.map(|done| done.done_at.to_string()),
            note: done.and_then(|done| done.note.clone()),
        }
    });
    Ok(api::IncidentDetail {
        playbook_title: playbook.map(|playbook| playbook.title.clone()),
        steps: steps.collect(),
        events: events.into_iter().map(|id| id.to_string()).collect(),
        next: IncidentState::parse(&row.state).into_iter().flat_map(next_of).map(|state| state.as_str().to_owned()).collect(),
        incident: shown(app, row),
    })
}

/// Moves an incident on.
pub async fn set_state(app: &App, ctx: &Ctx, id: &str, change: &api::MoveIncident) -> Result<(), Error> {
    app.permit(ctx, "detection:write").await?;
    let row = find(app, id).await?;
    let to = IncidentState::parse(&change.state)
        .ok_or_else(|| Error::invalid("state", format!("`state` is `{}`; it is acknowledged, contained, resolved or reviewed", change.state)))?;
    moved(app, ctx, &row, to, &reason(&change.reason)?, &approver(app, ctx).await?).await
}

/// Moves an incident on, as somebody.
pub(crate) async fn moved(app: &App, ctx: &Ctx, row: &IncidentRow, to: IncidentState, why: &str, who: &str) -> Result<(), Error> {
    let from = IncidentState::parse(&row.state).unwrap_or(IncidentState::Open);
    if !from.may_become(to) {
        return Err(Error::Conflict(format!("this incident is {}; it cannot become {}", from.as_str(), to.as_str())));
    }
    let record = app.record(ctx, IncidentMoved::new(row.id, from.as_str(), to.as_str(), why)).await?;
    let event = record.entry.id;
    let set = Changeset::of(record).incident_state(row.id, from.as_str(), to.as_str(), ctx.now).incident_event(row.id, event);
    let notice = Notice {
        id: event.to_string(),
        kind: match to {
            IncidentState::Acknowledged => NoticeKind::Acknowledged,
            IncidentState::Resolved => NoticeKind::Resolved,
            _ => NoticeKind::Moved,
        },
        level: row.level.clone(),
        title: row.title.clone(),
        details: format!("{} by {who}: {why}", to.as_str()),
        time: ctx.now.to_string(),
        ..notify::about_incident(app, row.id)
    };
    Ok(app.store.commit(notify::one(app, ctx, set, &notice)?).await?)
}

/// Checks a step of the playbook off, or says that it is to be done again.
pub async fn set_step(app: &App, ctx: &Ctx, id: &str, step: &str, change: &api::SetIncidentStep) -> Result<(), Error> {
    app.permit(ctx, "detection:write").await?;
    let row = find(app, id).await?;
    if !playbook(app, &row).is_some_and(|playbook| playbook.steps.iter().any(|known| known.id == step)) {
        return Err(Error::NotFound("step of this incident's playbook"));
    }
    let note = change.note.as_deref().map(str::trim).filter(|note| !note.is_empty());
    if note.is_some_and(|note| note.chars().count() > 2_000) {
        return Err(Error::invalid("note", "a note has at most 2,000 characters"));
    }
    let record = app.record(ctx, IncidentStepSet::new(row.id, step, change.done, note)).await?;
    let set = {
        let event = record.entry.id;
        Changeset::of(record).incident_event(row.id, event)
    };
    let set = if change.done {
        let done = IncidentStepRow { step: step.to_owned(), done_by: approver(app, ctx).await?, done_at: ctx.now, note: note.map(str::to_owned) };
        set.incident_step_done(row.id, &done)
    } else {
        set.incident_step_clear(row.id, step)
    };
    Ok(app.store.commit(set).await?)
}

/// Has something done about everybody whom an incident names: blocks, ends, locks. What a guardrail refuses is said.
pub async fn contain(app: &App, ctx: &Ctx, id: &str, wanted: &api::ContainIncident) -> Result<api::Contained, Error> {
    sign_in::permit_fresh(app, ctx, "detection:write").await?;
    let row = find(app, id).await?;
    let why = reason(&wanted.reason)?;
    let action = Action::parse(&wanted.action).map_err(|e| Error::invalid("action", e))?;
    let about = About::open(app, &row.about);
    let targets = targets(&about, action);
    if targets.is_empty() {
        return Err(Error::Conflict(format!("this incident names nobody whom `{}` could be done to", action.as_str())));
    }
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for target in targets.iter().take(MOST_TARGETS) {
        match protect::prepare(app, ctx, action, std::slice::from_ref(target), Why::Reason(&why)).await? {
            Ok(change) => done.push(change),
            Err(guardrail) => refused.push(format!("{} {}: {guardrail}", target.0, target.1)),
        }
    }
    let count = done.len() as u64;
    let contained = app.record(ctx, IncidentContained::new(row.id, action.as_str(), count, refused.iter().map(|text| guardrail(text)).collect(), &why)).await?;
    let set = done.into_iter().fold(Changeset::of(contained), |set, change| change(set));
    let events: Vec<EventId> = set.event_ids().collect();
    let set = events.into_iter().fold(set, |set, event| set.incident_event(row.id, event));
    app.store.commit(set).await?;
    app.forget_all();
    block::load(app).await?;
    Ok(api::Contained { done: count, refused })
}

/// Lifts every block of what an incident names.
pub async fn undo(app: &App, ctx: &Ctx, id: &str, why: &str) -> Result<u64, Error> {
    sign_in::permit_fresh(app, ctx, "detection:write").await?;
    let row = find(app, id).await?;
    lift(app, ctx, &row, &reason(why)?).await
}

pub(crate) async fn lift(app: &App, ctx: &Ctx, row: &IncidentRow, why: &str) -> Result<u64, Error> {
    let mut lifted = 0;
    for address in About::open(app, &row.about).0.get("ip").into_iter().flatten() {
        let Ok(network) = block::parse(address) else { continue };
        for live in app.store.block_list_live_of(block::tag(app, network), ctx.now).await? {
            let record = app.record(ctx, AddressUnblocked::new(live.id, network.to_string(), why)).await?;
            let event = record.entry.id;
            let set = Changeset::of(record).block_end(live.id, ctx.now).strike_forget(live.tag).announce("block", live.id);
            app.store.commit(set.incident_event(row.id, event)).await?;
            lifted += 1;
        }
    }
    block::load(app).await?;
    Ok(lifted)
}

/// The events of an incident, its evidence among them, with proofs under one checkpoint: as an export, oldest first.
pub async fn timeline(app: &App, ctx: &Ctx, id: &str) -> Result<Export, Error> {
    app.permit(ctx, "ledger:export").await?;
    let row = find(app, id).await?;
    app.store.settle().await?;
    let mut positions: BTreeSet<Position> = BTreeSet::new();
    for event in app.store.incident_events(row.id).await? {
        // What has expired is no longer there.
        let Ok((stored, _)) = search::get(app, ctx, event).await else { continue };
        positions.extend(stored.position.parse::<Position>().ok());
        let evidence = stored.event["data"]["evidence"].as_array().into_iter().flatten();
        positions.extend(evidence.filter_map(|text| text.as_str()?.parse::<Position>().ok()));
    }
    export::of_positions(app, ctx, &format!("incident:{}", row.id), positions.into_iter().collect::<VecDeque<_>>()).await
}

/// The newest events of an incident, as far as they are still there.
pub async fn newest_events(app: &App, ctx: &Ctx, detail: &api::IncidentDetail, most: usize) -> Result<Vec<api::StoredEvent>, Error> {
    let mut found = Vec::new();
    for id in detail.events.iter().rev().take(most).filter_map(|id| id.parse::<EventId>().ok()) {
        match search::get(app, ctx, id).await {
            Ok((stored, _)) => found.push(stored),
            Err(Error::NotFound(_)) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(found)
}

/// One by the text of its id.
pub(crate) async fn find(app: &App, id: &str) -> Result<IncidentRow, Error> {
    app.store.incident_get(parse(id)?).await?.ok_or(Error::NotFound("incident"))
}

fn parse(id: &str) -> Result<IncidentId, Error> {
    id.parse().map_err(|_| Error::NotFound("incident"))
}

fn playbook<'a>(app: &'a App, row: &IncidentRow) -> Option<&'a Playbook> {
    app.detection.playbooks.get(row.playbook.as_deref()?)
}

fn next_of(state: IncidentState) -> impl Iterator<Item = IncidentState> {
    IncidentState::ALL.into_iter().filter(move |next| state.may_become(*next))
}

/// Whom an action would be done to.
fn targets(about: &About, action: Action) -> Vec<(String, String)> {
    let names: &[&str] = match action {
        Action::AlertAdmin => &[],
        Action::BlockIp => &["ip"],
        Action::DisableClient => &["client", "actor"],
        Action::LockAccount | Action::RevokeSessions | Action::StepUp => &["account"],
        Action::RevokeSession => &["session"],
    };
    let of = |name: &&str| about.0.get(*name).into_iter().flatten().map(|value| ((*name).to_owned(), value.clone())).collect::<Vec<_>>();
    names.iter().flat_map(of).collect()
}

/// The guardrail alone: whom it spared is personal.
fn guardrail(text: &str) -> String {
    text.split_once(": ").map_or_else(|| text.to_owned(), |(_, why)| why.to_owned())
}

fn shown(app: &App, row: IncidentRow) -> api::Incident {
    let at = |time: Timestamp| time.to_string();
    api::Incident {
        id: row.id.to_string(),
        state: row.state,
        level: row.level,
        title: row.title,
        rules: row.rules,
        about: About::open(app, &row.about).0,
        alerts: row.alerts,
        opened_at: at(row.opened_at),
        updated_at: at(row.updated_at),
        playbook: row.playbook,
    }
}
