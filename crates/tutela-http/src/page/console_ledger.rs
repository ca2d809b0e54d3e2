//! The ledger in the console: search, live view, one event, its proof.

use std::convert::Infallible;

use axum::{
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, Uri, header},
    response::{
        IntoResponse, Redirect, Response,
        sse::{Event as SseEvent, KeepAlive, Sse},
    },
};
use futures_util::StreamExt as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};
use tutela_app::{Error, Position, Query as LedgerQuery, event_type, health, ledger, search};

use super::{
    console::desk,
    console_frame::Desk,
    show::{actor, outcome, row, when_text},
};
use crate::{
    api::event::{cursor, follow},
    caller::Caller,
    problem::Failure,
    view::{
        console::{EventPage, LedgerPage, Room},
        ledger::{Tab, Tabs},
        part::{Count, Fact, FilterChip, Identifier},
    },
    web::Web,
};

const PAGE: u32 = 50;

/// The form's fields; empty ones are absent. `q` is the query, the others add to it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    q: String,
    actor: String,
    #[serde(rename = "type")]
    kind: String,
    resource: String,
    outcome: String,
    after: String,
    before: String,
    cursor: String,
}

impl Typed {
    /// The query with what the other fields add to it.
    fn whole(&self) -> String {
        let fields = [
            ("actor", &self.actor),
            ("type", &self.kind),
            ("resource", &self.resource),
            ("outcome", &self.outcome),
            ("after", &self.after),
            ("before", &self.before),
        ];
        let added = fields.into_iter().filter(|(_, value)| !value.trim().is_empty()).map(|(name, value)| {
            let plain = value.trim().chars().all(|c| c.is_alphanumeric() || "_-./:@*".contains(c));
            let value = value.trim().replace('\\', "\\\\").replace('"', "\\\"");
            if plain { format!("{name}:{value}") } else { format!("{name}:\"{value}\"") }
        });
        let whole: Vec<String> = std::iter::once(self.q.trim().to_owned()).chain(added).filter(|part| !part.is_empty()).collect();
        whole.join(" ")
    }
}

/// The list's address with a query, at a cursor.
fn url(path: &str, query: &str, cursor: Option<&str>) -> String {
    let pairs = [("q", Some(query).filter(|q| !q.is_empty())), ("cursor", cursor)];
    let pairs: Vec<String> =
        pairs.into_iter().filter_map(|(key, value)| value.map(|value| format!("{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// One chip for each term, with the address of the list without it.
fn chips(query: &LedgerQuery) -> Vec<FilterChip> {
    let mut chips = Vec::new();
    for (number, term) in query.terms.iter().enumerate() {
        let mut rest = query.clone();
        rest.terms.remove(number);
        let only = LedgerQuery { terms: vec![term.clone()], ..LedgerQuery::default() };
        chips.push((only.to_string(), rest));
    }
    for (name, time) in [("after", query.after), ("before", query.before)] {
        let Some(time) = time else { continue };
        let mut rest = query.clone();
        let bound = if name == "after" { &mut rest.after } else { &mut rest.before };
        *bound = None;
        chips.push((format!("{name}:{time}"), rest));
    }
    chips.into_iter().map(|(value, rest)| FilterChip { value, remove_url: url("/ledger", &rest.to_string(), None) }).collect()
}

pub(crate) async fn list(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(typed): Query<Typed>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let whole = typed.whole();
    if whole != typed.q.trim() {
        // The address of a list says the whole query, so that it can be sent to a colleague.
        return Redirect::to(&url("/ledger", &whole, None)).into_response();
    }
    let asked = LedgerQuery::parse(&whole).map_err(|e| e.pointing_into(&whole));
    let before = cursor(Some(&typed.cursor)).map_err(|problem| problem.0.detail.unwrap_or_default());
    let (found, error) = match (&asked, before) {
        (Ok(query), Ok(before)) => match search::search(&desk.web.app, &desk.caller.ctx, query, before, PAGE).await {
            Ok(found) => (Some(found), None),
            Err(e) => return desk.failed(Room::Ledger, &e),
        },
        (Err(message), _) => (None, Some(message.clone())),
        (_, Err(message)) => (None, Some(message)),
    };
    let newest = typed.cursor.is_empty();
    let page = LedgerPage {
        frame: desk.frame(Room::Ledger),
        tabs: Tabs { at: Tab::Events },
        url: url("/ledger", &whole, (!newest).then_some(typed.cursor.as_str())),
        export_url: url("/ledger/export", &whole, None),
        chips: asked.as_ref().map(chips).unwrap_or_default(),
        rows: found.iter().flat_map(|f| &f.items).map(row).collect(),
        newer: (!newest).then(|| url("/ledger", &whole, None)),
        older: found.and_then(|f| f.next).map(|next| url("/ledger", &whole, Some(&next.to_string()))),
        tail_url: (newest && error.is_none()).then(|| url("/ledger/tail", &whole, None)),
        query: whole,
        error,
    };
    desk.show(&page)
}

/// New rows for the list, as they come.
pub(crate) async fn tail(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(typed): Query<Typed>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let query = match search::query(&typed.whole()) {
        Ok(query) => query,
        Err(e) => return Failure::from(e).into_response(),
    };
    let events = match follow(&desk.web, &desk.caller, query, None, &headers).await {
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
    let (stored, sealed) = search::at(&desk.web.app, &desk.caller.ctx, position).await?;
    let covered = health::probe(&desk.web.app).await.checkpoint.map_or(0, |c| c.size);
    let json = &stored.event;
    let kind = json["type"].as_str().unwrap_or_default();
    let declared = event_type::get(&desk.web.app, &desk.caller.ctx, kind).await.ok();
    let sentence = declared.map_or_else(|| "An application recorded this event; its type is not declared.".to_owned(), |t| t.declaration.sentence);
    let at = |entry: u64| format!("/ledger/{entry}");
    Ok(EventPage {
        frame: desk.frame(Room::Ledger),
        position: stored.position.clone(),
        kind: kind.to_owned(),
        sentence,
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
