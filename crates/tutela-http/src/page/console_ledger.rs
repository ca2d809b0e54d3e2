//! The ledger in the console: search, live view, one event, its proof.

use std::convert::Infallible;

use axum::{
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, Uri, header},
    response::{
        IntoResponse, Response,
        sse::{Event as SseEvent, KeepAlive, Sse},
    },
};
use futures_util::StreamExt as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};
use tutela_app::{Error, Position, event, event_types, health, ledger};

use super::{
    console::desk,
    console_frame::Desk,
    show::{actor, outcome, row, when_text},
};
use crate::{
    api::event::{Search, follow},
    caller::Caller,
    view::{
        console::{EventPage, LedgerFilter, LedgerPage, Room},
        part::{Choice, Count, Fact, FilterChip, Identifier},
    },
    web::Web,
};

const PAGE: u32 = 50;

/// The form's fields; empty ones are absent.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    q: String,
    #[serde(default)]
    actor: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    resource: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    cursor: String,
}

impl Typed {
    fn search(&self) -> Search {
        let some = |text: &String| Some(text.clone());
        Search {
            actor: some(&self.actor),
            kind: some(&self.kind),
            resource: some(&self.resource),
            outcome: some(&self.outcome),
            since: some(&self.since),
            until: some(&self.until),
            ip: None,
            session: None,
            route: None,
            words: some(&self.q),
            cursor: some(&self.cursor),
            limit: None,
        }
    }

    fn fields(&self) -> [(&'static str, &'static str, &String); 7] {
        [
            ("q", "Words", &self.q),
            ("actor", "Actor", &self.actor),
            ("type", "Type", &self.kind),
            ("resource", "Resource", &self.resource),
            ("outcome", "Outcome", &self.outcome),
            ("since", "Since", &self.since),
            ("until", "Until", &self.until),
        ]
    }

    /// The list's address with these filters, less one, at a cursor.
    fn url(&self, path: &str, without: &str, cursor: Option<&str>) -> String {
        let kept = self.fields().into_iter().filter(|(key, _, value)| *key != without && !value.is_empty()).map(|(key, _, value)| (key, value.as_str()));
        let pairs: Vec<String> =
            kept.chain(cursor.map(|c| ("cursor", c))).map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))).collect();
        if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
    }
}

pub(crate) async fn list(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(typed): Query<Typed>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let search = typed.search();
    let (found, error) = match (search.filter(), search.before()) {
        (Ok(filter), Ok(before)) => match event::search(&desk.web.app, &desk.caller.ctx, &filter, before, PAGE).await {
            Ok(found) => (Some(found), None),
            Err(e) => return desk.failed(Room::Ledger, &e),
        },
        (Err(problem), _) | (_, Err(problem)) => (None, problem.0.detail),
    };
    let chips = typed.fields().into_iter().filter(|(.., value)| !value.is_empty());
    let newest = typed.cursor.is_empty();
    let page = LedgerPage {
        frame: desk.frame(Room::Ledger),
        url: typed.url("/ledger", "", (!newest).then_some(typed.cursor.as_str())),
        filter: LedgerFilter {
            actor: typed.actor.clone(),
            kind: typed.kind.clone(),
            resource: typed.resource.clone(),
            outcomes: [("", "Any"), ("success", "Success"), ("failure", "Failure"), ("denied", "Denied"), ("unknown", "Unknown")]
                .map(|(value, label)| Choice { value: value.into(), label: label.into(), selected: typed.outcome == value })
                .to_vec(),
            since: typed.since.clone(),
            until: typed.until.clone(),
            words: typed.q.clone(),
        },
        chips: chips.map(|(key, label, value)| FilterChip { label: label.into(), value: value.clone(), remove_url: typed.url("/ledger", key, None) }).collect(),
        rows: found.iter().flat_map(|f| &f.items).map(row).collect(),
        newer: (!newest).then(|| typed.url("/ledger", "", None)),
        older: found.and_then(|f| f.next).map(|next| typed.url("/ledger", "", Some(&next.to_string()))),
        tail_url: (newest && error.is_none()).then(|| typed.url("/ledger/tail", "", None)),
        error,
    };
    desk.show(&page)
}

/// New rows for the list, as they come.
pub(crate) async fn tail(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(typed): Query<Typed>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let filter = match typed.search().filter() {
        Ok(filter) => filter,
        Err(problem) => return problem.into_response(),
    };
    let events = match follow(&desk.web, &desk.caller, filter, &headers).await {
        Ok(events) => events,
        Err(problem) => return problem.into_response(),
    };
    let rows = events.map(|stored| {
        let shown = row(&stored);
        let line = json!({
            "position": shown.position, "time": shown.at.iso, "type": shown.kind, "actor": shown.actor, "action": shown.action,
            "resource": shown.resource, "outcome": shown.outcome.word, "tone": shown.outcome.tone.class(),
        });
        Ok::<_, Infallible>(SseEvent::default().id(stored.position).data(line.to_string()))
    });
    Sse::new(rows).keep_alive(KeepAlive::default()).into_response()
}

pub(crate) async fn event(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(position): Path<String>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match event_page(&desk, &position).await {
        Ok(page) => desk.show(&page),
        Err(e) => desk.failed(Room::Ledger, &e),
    }
}

async fn event_page(desk: &Desk, text: &str) -> Result<EventPage, Error> {
    let position: Position = text.parse().map_err(|_| Error::NotFound("event"))?;
    let (stored, sealed) = event::at(&desk.web.app, &desk.caller.ctx, position).await?;
    let covered = health::probe(&desk.web.app).await.checkpoint.map_or(0, |c| c.size);
    let json = &stored.event;
    let kind = json["type"].as_str().unwrap_or_default();
    let sentence = event_types().find(|t| t.name == kind).map_or("An application recorded this event.", |t| t.sentence);
    let at = |entry: u64| format!("/ledger/{entry}");
    Ok(EventPage {
        frame: desk.frame(Room::Ledger),
        position: stored.position.clone(),
        kind: kind.to_owned(),
        sentence: sentence.to_owned(),
        at: when_text(json["time"].as_str().unwrap_or_default()),
        outcome: outcome(json["outcome"].as_str().unwrap_or("unknown")),
        facts: facts(json),
        json: serde_json::to_string_pretty(json).unwrap_or_default(),
        leaf_hash: Identifier::new(stored.leaf),
        covered_by: (position.entry < covered).then_some(Count(covered)),
        sealed: String::from_utf8_lossy(&sealed).into_owned(),
        older: position.entry.checked_sub(1).map(at),
        newer: (position.entry + 1 < covered).then(|| at(position.entry + 1)),
    })
}

fn facts(event: &Value) -> Vec<Fact> {
    let mut out = Vec::new();
    let mut add = |name: &str, value: Option<String>, code: bool| {
        out.extend(value.filter(|v| !v.is_empty()).map(|value| Fact { name: name.to_owned(), value, code }));
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    add("Id", text(&event["id"]), true);
    add("Actor", Some(actor(event)), false);
    add("Action", text(&event["action"]), false);
    add("Reason", text(&event["reason"]), false);
    add("Resource", text(&event["resource"]["id"]), true);
    add("Recorded", text(&event["recorded_at"]), false);
    add("Session", text(&event["session"]), true);
    add("Address", text(&event["source"]["ip"]), true);
    add("Browser", text(&event["source"]["user_agent"]), false);
    add("Route", text(&event["request"]["route"]), false);
    add("Method", text(&event["request"]["method"]), false);
    add("Status", event["request"]["status"].as_u64().map(|s| s.to_string()), false);
    for map in [&event["data"], &event["personal"]] {
        for (name, value) in map.as_object().into_iter().flatten() {
            add(name, Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned)), false);
        }
    }
    out
}

pub(crate) async fn proof(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(position): Path<String>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let found = match position.parse::<Position>() {
        Ok(position) => ledger::proof_at(&desk.web.app, &desk.caller.ctx, position).await,
        Err(_) => Err(Error::NotFound("event")),
    };
    match found {
        Ok(proof) => {
            let mut response = proof.to_string().into_response();
            if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"event-{position}.tlog-proof\"")) {
                response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
            }
            response
        }
        Err(e) => desk.failed(Room::Ledger, &e),
    }
}
