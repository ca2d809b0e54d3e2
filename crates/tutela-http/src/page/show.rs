//! From stored values to what a page shows.

use serde_json::Value;
use tutela_api::StoredEvent;
use tutela_core::Timestamp;

use crate::view::{
    console::LedgerRow,
    part::{Status, Tone, When},
};

pub(crate) fn when(time: Timestamp) -> When {
    when_text(&time.to_string())
}

/// From RFC 3339 text such as `2026-11-22T09:30:00.000000Z`.
pub(crate) fn when_text(iso: &str) -> When {
    let (date, rest) = iso.split_once('T').unwrap_or((iso, ""));
    let clock = rest.split(['.', 'Z']).next().unwrap_or_default();
    let full = format!("{date} {clock} UTC");
    When { iso: iso.to_owned(), text: full.clone(), full }
}

pub(crate) fn outcome(word: &str) -> Status {
    let tone = match word {
        "success" => Tone::Good,
        "denied" => Tone::Attention,
        "failure" => Tone::Danger,
        _ => Tone::Information,
    };
    Status::new(tone, word)
}

/// Who acted, in one line.
pub(crate) fn actor(event: &Value) -> String {
    let actor = &event["actor"];
    let kind = actor["type"].as_str().unwrap_or("unknown");
    match (actor["namespace"].as_str(), actor["id"].as_str()) {
        (Some(namespace), Some(id)) => format!("{namespace}:{id}"),
        (None, Some(id)) => format!("{kind} {}", short(id)),
        _ => kind.to_owned(),
    }
}

pub(crate) fn row(stored: &StoredEvent) -> LedgerRow {
    let event = &stored.event;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let action = match (event["action"].as_str(), event["request"]["method"].as_str()) {
        (Some(action), _) => action.to_owned(),
        (None, Some(method)) => format!("{method} {}", event["personal"]["path"].as_str().unwrap_or_default()),
        (None, None) => String::new(),
    };
    let resource = match (event["resource"]["type"].as_str(), event["resource"]["id"].as_str()) {
        (Some(kind), Some(id)) => format!("{kind} {}", short(id)),
        (None, Some(id)) => id.to_owned(),
        _ => text(&event["request"]["route"]),
    };
    LedgerRow {
        position: stored.position.clone(),
        at: when_text(event["time"].as_str().unwrap_or_default()),
        kind: text(&event["type"]),
        actor: actor(event),
        action,
        resource,
        outcome: outcome(event["outcome"].as_str().unwrap_or("unknown")),
    }
}

/// The end of a UUID: its beginning is the time, the same for many.
pub(crate) fn short(id: &str) -> String {
    if id.len() == 36 { format!("…{}", &id[28..]) } else { id.to_owned() }
}
