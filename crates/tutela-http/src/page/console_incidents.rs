//! Incidents in the console: what is open, what is to be done, and doing it.

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, Uri},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tutela_api as api;
use tutela_app::{Error, incident};

use super::{console::desk, console_frame::Desk, console_keys::said, see_other, show::when_text};
use crate::{
    api::audit::lines,
    caller::Caller,
    view::{
        console::Room,
        detection::{ActionRow, EventRow, IncidentPage, IncidentRow, IncidentsPage, StepRow, Tab, Tabs},
        part::{Count, Identifier, Status, Tone},
    },
    web::Web,
};

/// Incidents of a page, and events that one shows.
const PAGE: usize = 100;

/// Which incidents.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    state: String,
    before: Option<String>,
    done: String,
}

pub(crate) async fn list(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(asked): Query<Asked>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let all = asked.state == "all";
    let found = match incident::list(&desk.web.app, &desk.caller.ctx, if all { "all" } else { "live" }, asked.before.as_deref()).await {
        Ok(found) => found,
        Err(e) => return desk.failed(Room::Detection, &e),
    };
    let older = found.last().filter(|_| found.len() == PAGE).map(|last| format!("/incidents?state={}&before={}", if all { "all" } else { "live" }, last.id));
    let rows = found.into_iter().map(row).collect();
    desk.show(&IncidentsPage { frame: desk.frame(Room::Detection), tabs: Tabs { at: Tab::Incidents }, all, rows, older })
}

pub(crate) async fn show(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>, Query(asked): Query<Asked>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let notice = match asked.done.as_str() {
        "moved" => Some("Moved on. Whoever was told of it hears of it.".into()),
        "step" => Some("Written down.".into()),
        "undone" => Some("Its blocks are lifted. The rules count these addresses from nothing.".into()),
        _ => None,
    };
    page(&desk, &id, notice, None, Vec::new()).await
}

async fn page(desk: &Desk, id: &str, notice: Option<String>, error: Option<String>, refused: Vec<String>) -> Response {
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let detail = match incident::get(app, ctx, id).await {
        Ok(detail) => detail,
        Err(e) => return desk.failed(Room::Detection, &e),
    };
    let events = if desk.may("ledger:read") { incident::newest_events(app, ctx, &detail, PAGE).await } else { Ok(Vec::new()) };
    let events = match events {
        Ok(events) => events,
        Err(e) => return desk.failed(Room::Detection, &e),
    };
    let shown = events.len();
    let event = |stored: api::StoredEvent| {
        let kind = stored.event["type"].as_str().unwrap_or_default().to_owned();
        EventRow {
            at: when_text(stored.event["time"].as_str().unwrap_or_default()),
            sentence: app.sentence_of(&kind),
            url: format!("/ledger/{}", stored.position),
            kind,
        }
    };
    let live = detail.next.iter().any(|state| state == "resolved");
    let about: Vec<(String, Vec<String>)> = detail.incident.about.clone().into_iter().collect();
    let step = |step: api::IncidentStep| StepRow {
        done: step.done_by.zip(step.done_at).map(|(by, at)| (by, when_text(&at))),
        id: step.id,
        title: step.title,
        details: step.details,
        action: step.action.filter(|_| live),
        note: step.note,
    };
    let next = detail.next.iter().map(|state| (state.clone(), verb(state))).collect();
    desk.show(&IncidentPage {
        frame: desk.frame(Room::Detection),
        notice,
        error,
        refused,
        id: Identifier::new(detail.incident.id.clone()),
        updated: when_text(&detail.incident.updated_at),
        actions: if live { actions(&detail.incident) } else { Vec::new() },
        about,
        rules: detail.incident.rules.clone(),
        playbook: detail.playbook_title,
        steps: detail.steps.into_iter().map(step).collect(),
        more: Count(detail.events.len().saturating_sub(shown) as u64),
        events: events.into_iter().map(event).collect(),
        next,
        may_write: desk.may("detection:write"),
        may_export: desk.may("ledger:export"),
        row: row(detail.incident),
    })
}

fn verb(state: &str) -> &'static str {
    match state {
        "acknowledged" => "Acknowledge",
        "contained" => "Mark contained",
        "resolved" => "Resolve",
        _ => "Close review",
    }
}

/// What can be done to whom an incident names, with the number of them.
fn actions(incident: &api::Incident) -> Vec<ActionRow> {
    let count = |names: &[&str]| names.iter().filter_map(|name| incident.about.get(*name)).map(Vec::len).sum::<usize>();
    let number = |count: usize, one: &str, many: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {many}") };
    [
        ("block_ip", "Block addresses", count(&["ip"]), "The gateway refuses", "address", "addresses"),
        ("revoke_sessions", "End sessions", count(&["account"]), "Ends every session of", "account", "accounts"),
        ("step_up", "Ask for proof again", count(&["account"]), "What was proven counts no more for", "account", "accounts"),
        ("lock_account", "Lock accounts", count(&["account"]), "Disables and signs out", "account", "accounts"),
        ("disable_client", "Disable keys", count(&["client", "actor"]), "Ends the keys of up to", "client, for good", "clients, for good"),
    ]
    .into_iter()
    .filter(|(_, _, count, ..)| *count > 0)
    .map(|(action, label, count, says, one, many)| ActionRow { action, label, says: format!("{says} {}.", number(count, one, many)) })
    .collect()
}

fn row(incident: api::Incident) -> IncidentRow {
    let about: Vec<String> = incident.about.iter().map(|(name, values)| format!("{name} {}", values.join(" "))).collect();
    IncidentRow {
        state: match incident.state.as_str() {
            "open" => Status::new(Tone::Danger, "open"),
            "acknowledged" => Status::new(Tone::Attention, "acknowledged"),
            "contained" => Status::new(Tone::Information, "contained"),
            other => Status::new(Tone::Good, other),
        },
        level: super::console_rules::level(&incident.level),
        about: about.join(", "),
        alerts: Count(incident.alerts),
        opened: when_text(&incident.opened_at),
        id: incident.id,
        title: incident.title,
    }
}

/// Fields of the forms.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Act {
    state: String,
    action: String,
    done: String,
    note: String,
    reason: String,
}

pub(crate) async fn set_state(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>, Form(form): Form<Act>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let change = api::MoveIncident { state: form.state, reason: form.reason };
    let moved = incident::set_state(&desk.web.app, &desk.caller.ctx, &id, &change).await;
    after(&desk, &id, moved, "moved").await
}

pub(crate) async fn set_step(
    State(web): State<Web>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    Path((id, step)): Path<(String, String)>,
    Form(form): Form<Act>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let change = api::SetIncidentStep { done: form.done != "no", note: Some(form.note) };
    let set = incident::set_step(&desk.web.app, &desk.caller.ctx, &id, &step, &change).await;
    after(&desk, &id, set, "step").await
}

pub(crate) async fn undo(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>, Form(form): Form<Act>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let undone = incident::undo(&desk.web.app, &desk.caller.ctx, &id, &form.reason).await;
    after(&desk, &id, undone.map(drop), "undone").await
}

pub(crate) async fn contain(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>, Form(form): Form<Act>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let wanted = api::ContainIncident { action: form.action, reason: form.reason };
    match incident::contain(&desk.web.app, &desk.caller.ctx, &id, &wanted).await {
        Ok(done) => page(&desk, &id, Some(format!("Done to {}. It is in the ledger with your reason.", done.done)), None, done.refused).await,
        Err(e) => refused(&desk, &id, &e).await,
    }
}

pub(crate) async fn timeline(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match incident::timeline(&desk.web.app, &desk.caller.ctx, &id).await {
        Ok(export) => lines(export, "application/x-ndjson", &format!("incident-{id}.jsonl")).into_response(),
        Err(e) => desk.failed(Room::Detection, &e),
    }
}

async fn after(desk: &Desk, id: &str, result: Result<(), Error>, word: &str) -> Response {
    match result {
        Ok(()) => see_other(&format!("/incidents/{id}?done={word}")),
        Err(e) => refused(desk, id, &e).await,
    }
}

async fn refused(desk: &Desk, id: &str, error: &Error) -> Response {
    match desk.prove_again(error, &format!("/incidents/{id}")) {
        Some(answer) => answer,
        None => page(desk, id, None, Some(said(error)), Vec::new()).await,
    }
}
