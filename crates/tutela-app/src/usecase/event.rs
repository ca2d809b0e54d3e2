//! Events of applications: record, search, read, follow.

use std::{borrow::Cow, collections::BTreeSet, net::IpAddr};

use serde_json::Value;
use tutela_api as api;
use tutela_core::{Actor, Event, EventId, Outcome, Pii, Principal, Request, Resource, Source, Subject, Timestamp};
use tutela_store::{Bounds, Changeset, LogRow, Position};

use crate::{
    App, Ctx, Error, TypesAllowed,
    registry::{APPLICATION_TYPES, event_type},
    usecase::account::check_external,
};

/// Most events of one call.
pub const MAX_BATCH: usize = 10_000;
/// Most events of one page.
pub const MAX_PAGE: u32 = 1_000;
/// How far ahead of our clock an event's time may be.
const AHEAD: std::time::Duration = std::time::Duration::from_secs(300);

/// Records one event. Durable when this returns.
pub async fn record(app: &App, ctx: &Ctx, new: Value) -> Result<api::Recorded, Error> {
    app.permit(ctx, "events:write").await?;
    let record = app.seal(&prepare(app, ctx, new)?).await?;
    let id = record.entry.id.to_string();
    app.store.commit(Changeset::of(record)).await?;
    Ok(api::Recorded { id })
}

/// Records many events; each item is answered for itself, and the good ones are durable, all in one commit, when this returns.
pub async fn record_batch(app: &App, ctx: &Ctx, items: Vec<Value>) -> Result<Vec<Result<String, Error>>, Error> {
    app.permit(ctx, "events:write").await?;
    if items.len() > MAX_BATCH {
        return Err(Error::invalid("", format!("a batch has at most {MAX_BATCH} events, this one has {}", items.len())));
    }
    let events: Vec<Result<Event, Error>> = items.into_iter().map(|item| prepare(app, ctx, item)).collect();
    let subjects: BTreeSet<Subject> = events.iter().flatten().flat_map(crate::record::subjects).collect();
    let keys = app.ring.subject_keys(&subjects.iter().collect::<Vec<_>>(), ctx.now).await?;
    let mut records = Vec::with_capacity(events.len());
    let mut answers = Vec::with_capacity(events.len());
    for event in events {
        match event.and_then(|event| app.sealer.seal(&event, &keys)) {
            Ok(record) => {
                answers.push(Ok(record.entry.id.to_string()));
                records.push(record);
            }
            Err(e) => answers.push(Err(e)),
        }
    }
    if let Some(changeset) = Changeset::of_all(records) {
        app.store.commit(changeset).await?;
    }
    Ok(answers)
}

fn prepare(app: &App, ctx: &Ctx, new: Value) -> Result<Event, Error> {
    let new: api::NewEvent = serde_json::from_value(new).map_err(|e| Error::invalid("event", e.to_string()))?;
    let kind = check_type(app, new.kind)?;
    let mut event = Event::named(kind, EventId::batch(ctx.now, &mut { app.env() }), ctx.now);
    if let Some(text) = new.time {
        let time: Timestamp = text.parse().map_err(|_| Error::invalid("time", format!("`{text}` is not an RFC 3339 time such as 2026-11-22T09:30:00Z")))?;
        if time > ctx.now + AHEAD {
            return Err(Error::invalid("time", "the event lies more than 5 minutes in the future"));
        }
        event.time = time;
    }
    if let Some(word) = new.outcome {
        event.outcome = Outcome::parse(&word)
            .ok_or_else(|| Error::invalid("outcome", format!("`{word}` is not an outcome; use `success`, `failure`, `denied` or `unknown`")))?;
    }
    event.action = bounded("action", new.action, 128)?;
    event.reason = bounded("reason", new.reason, 1_024)?;
    if new.actor.is_some()
        && let Principal::Client { id, .. } = &ctx.principal
    {
        // Who says that somebody did it.
        event.set("reported_by", id.to_string());
    }
    event.actor = match new.actor {
        None => Actor::from(&ctx.principal),
        Some(api::SubjectRef::Account(id)) => Actor::Account(
            id.parse().map_err(|_| Error::invalid("actor", "an account id is a UUID; name an application's own user as {\"namespace\": …, \"value\": …}"))?,
        ),
        Some(api::SubjectRef::External(external)) => {
            check_external(&external)?;
            Actor::External { namespace: external.namespace, value: Pii::new(external.value) }
        }
    };
    event.resource = match new.resource {
        None => None,
        Some(api::ResourceRef::Name(id)) => Some(Resource { kind: None, id: bounded("resource", Some(id), 512)?.unwrap_or_default() }),
        Some(api::ResourceRef::Typed(typed)) => {
            Some(Resource { kind: bounded("resource.type", Some(typed.kind), 64)?, id: bounded("resource.id", Some(typed.id), 512)?.unwrap_or_default() })
        }
    };
    if let Some(source) = new.source {
        let ip = source
            .ip
            .map(|text| text.parse::<IpAddr>().map_err(|_| Error::invalid("source.ip", format!("`{text}` is not an IPv4 or IPv6 address"))))
            .transpose()?;
        event.source = Source { ip: ip.map(Pii::new), user_agent: bounded("source.user_agent", source.user_agent, 512)?.map(Pii::new) };
    }
    event.request = Some(Request { id: Some(ctx.request), ..Request::default() });
    event.metadata = new.metadata.unwrap_or_default();
    Ok(event)
}

fn check_type(app: &App, kind: String) -> Result<Cow<'static, str>, Error> {
    if kind.is_empty() || kind.len() > 128 || !kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b)) {
        return Err(Error::invalid("type", "a type has 1 to 128 characters of `a-z 0-9 . _ -`, for example `photo.shared`"));
    }
    if let Some(known) = APPLICATION_TYPES.iter().find(|name| **name == kind) {
        return Ok(Cow::Borrowed(known));
    }
    if event_type(&kind).is_some() {
        return Err(Error::invalid("type", format!("`{kind}` is one of tutela's own types and cannot be recorded from outside")));
    }
    if app.audit.types == TypesAllowed::Declared {
        return Err(Error::invalid("type", format!("`{kind}` is not declared, and `audit.types` is `declared`; known are {}", APPLICATION_TYPES.join(", "))));
    }
    Ok(Cow::Owned(kind))
}

fn bounded(field: &'static str, text: Option<String>, most: usize) -> Result<Option<String>, Error> {
    match text {
        Some(text) if text.is_empty() || text.len() > most => Err(Error::invalid(field, format!("`{field}` has 1 to {most} bytes"))),
        other => Ok(other),
    }
}

/// What to look for; every field that is there must fit.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Account id, client id, or `namespace:value`.
    pub actor: Option<String>,
    /// Event type.
    pub kind: Option<String>,
    /// Name or id of the resource, or `type/id`.
    pub resource: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Events from this time on.
    pub since: Option<Timestamp>,
    /// Events before this time.
    pub until: Option<Timestamp>,
    /// Address, or a network of a width that is indexed: /8, /16, /24 of IPv4, /32, /48, /64 of IPv6.
    pub ip: Option<String>,
    /// Session id.
    pub session: Option<String>,
    /// Name of a gateway route.
    pub route: Option<String>,
    /// Words that all occur.
    pub words: Option<String>,
}

/// One page of events, newest first; `next` continues below it.
pub struct Found {
    /// The events, opened for the reader.
    pub items: Vec<api::StoredEvent>,
    /// Where the next page begins.
    pub next: Option<Position>,
}

/// Searches the ledger. Times are compared with when an event happened, not with when it was recorded.
pub async fn search(app: &App, ctx: &Ctx, filter: &Filter, before: Option<Position>, limit: u32) -> Result<Found, Error> {
    app.permit(ctx, "ledger:read").await?;
    let limit = limit.clamp(1, MAX_PAGE) as usize;
    let mut found = Found { items: Vec::new(), next: None };
    let Some((bounds, mut before)) = bounds(app, filter, before).await? else { return Ok(found) };
    let tokens = |month: i64| tokens(app, filter, month).map_err(|e| tutela_store::Error::Internal(e.to_string()));
    loop {
        let positions = app.store.search(&tokens, Bounds { before, ..bounds }, limit as u32).await?;
        let exhausted = positions.len() < limit;
        before = positions.last().copied();
        for row in app.store.log_rows(&positions).await? {
            let event = shown(app, &row).await?;
            if in_time(&event.event, filter) {
                found.items.push(event);
                if found.items.len() == limit {
                    found.next = Some(Position { entry: row.position.entry, item: Some(row.position.item.unwrap_or(0)) });
                    return Ok(found);
                }
            }
        }
        if exhausted {
            return Ok(found);
        }
    }
}

/// The part of the log that can hold events of the wanted time.
async fn bounds(app: &App, filter: &Filter, before: Option<Position>) -> Result<Option<(Bounds, Option<Position>)>, Error> {
    if filter.since.is_none() && filter.until.is_none() {
        return Ok(Some((Bounds { from: 0, before }, before)));
    }
    let since = filter.since.unwrap_or(Timestamp::from_micros(0));
    let until = filter.until.unwrap_or(Timestamp::from_secs(253_402_300_799));
    let Some((from, to)) = app.store.log_time_bounds(since, until).await? else { return Ok(None) };
    let end = Position { entry: to, item: Some(0) };
    let before = Some(before.map_or(end, |b| b.min(end)));
    Ok(Some((Bounds { from, before }, before)))
}

fn tokens(app: &App, filter: &Filter, month: i64) -> Result<Vec<String>, Error> {
    let mut out = Vec::new();
    if let Some(kind) = &filter.kind {
        out.push(format!("t={kind}"));
    }
    if let Some(outcome) = filter.outcome {
        out.push(format!("o={}", outcome.as_str()));
    }
    for (prefix, word) in [("a", &filter.actor), ("r", &filter.resource), ("i", &filter.ip), ("e", &filter.session), ("g", &filter.route)] {
        if let Some(word) = word {
            out.push(app.sealer.token(month, prefix, word)?);
        }
    }
    for word in crate::record::words(filter.words.as_deref().unwrap_or_default()) {
        out.push(app.sealer.token(month, "w", &word)?);
    }
    Ok(out)
}

fn in_time(event: &Value, filter: &Filter) -> bool {
    let time = event["time"].as_str().and_then(|t| t.parse::<Timestamp>().ok());
    let fits = |ok: fn(Timestamp, Timestamp) -> bool, bound: Option<Timestamp>| bound.is_none_or(|b| time.is_some_and(|t| ok(t, b)));
    fits(|t, since| t >= since, filter.since) && fits(|t, until| t < until, filter.until)
}

/// An event by id, with its canonical bytes as they are sealed.
pub async fn get(app: &App, ctx: &Ctx, id: EventId) -> Result<(api::StoredEvent, Vec<u8>), Error> {
    app.permit(ctx, "ledger:read").await?;
    let row = sequenced(app, id).await?;
    Ok((shown(app, &row).await?, row.body))
}

/// An event that is durable; on PostgreSQL it may have to wait for its position first.
pub(crate) async fn sequenced(app: &App, id: EventId) -> Result<LogRow, Error> {
    if let Some(row) = app.store.log_get(id).await? {
        return Ok(row);
    }
    app.store.settle().await?;
    app.store.log_get(id).await?.ok_or(Error::NotFound("event"))
}

/// An event by position, with its canonical bytes as they are sealed.
pub async fn at(app: &App, ctx: &Ctx, position: Position) -> Result<(api::StoredEvent, Vec<u8>), Error> {
    app.permit(ctx, "ledger:read").await?;
    let row = app.store.log_at(position).await?.ok_or(Error::NotFound("event"))?;
    Ok((shown(app, &row).await?, row.body))
}

/// Follows the log: events from entry `from` on that fit, and where to go on. Waits until there is
/// something. Ends with an error once the caller's session or key has ended, or the server stops.
pub async fn follow(app: &App, ctx: &Ctx, filter: &Filter, from: u64) -> Result<(Vec<api::StoredEvent>, u64), Error> {
    app.permit(ctx, "ledger:read").await?;
    let mut size = app.store.watch_size();
    let stop = app.stopping();
    let upto = loop {
        let now = *size.borrow_and_update();
        if now > from {
            break now.min(from + 256);
        }
        tokio::select! {
            changed = size.changed() => changed.map_err(|_| Error::Internal("the store is closing"))?,
            () = stop.cancelled() => return Err(Error::Internal("the server is stopping")),
        }
    };
    app.still_there(ctx).await?;
    let mut out = Vec::new();
    for row in app.store.log_range(from, upto).await? {
        let items = app.store.log_items(row.position.entry).await?;
        if items.is_empty() {
            out.push(shown(app, &row).await?);
        }
        for (item, body) in items.into_iter().enumerate() {
            out.push(shown(app, &row.item(item as u16, body)).await?);
        }
    }
    out.retain(|event| fits(&event.event, filter));
    Ok((out, upto))
}

/// Number of entries of the log at this moment, as this process knows it.
pub fn size(app: &App) -> u64 {
    *app.store.watch_size().borrow()
}

fn fits(event: &Value, filter: &Filter) -> bool {
    let is = |wanted: &Option<String>, found: Option<&str>| wanted.as_ref().is_none_or(|w| Some(w.as_str()) == found);
    let actor = match (event["actor"]["namespace"].as_str(), event["actor"]["id"].as_str()) {
        (Some(namespace), Some(id)) => Some(format!("{namespace}:{id}")),
        (None, Some(id)) => Some(id.to_owned()),
        _ => None,
    };
    is(&filter.kind, event["type"].as_str())
        && is(&filter.actor, actor.as_deref())
        && (is(&filter.resource, event["resource"]["id"].as_str()) || is(&filter.resource, typed_resource(event).as_deref()))
        && has_words(event, filter)
        && is(&filter.session, event["session"].as_str())
        && is(&filter.route, event["request"]["route"].as_str())
        && filter.ip.as_ref().is_none_or(|wanted| event["source"]["ip"].as_str().is_some_and(|ip| crate::record::ip_words_of(ip).contains(wanted)))
        && filter.outcome.is_none_or(|o| event["outcome"].as_str() == Some(o.as_str()))
        && in_time(event, filter)
}

fn typed_resource(event: &Value) -> Option<String> {
    Some(format!("{}/{}", event["resource"]["type"].as_str()?, event["resource"]["id"].as_str()?))
}

/// Whether all wanted words occur where the index has them.
fn has_words(event: &Value, filter: &Filter) -> bool {
    let Some(wanted) = &filter.words else { return true };
    let found = crate::record::words_of(["action", "reason", "data", "personal", "metadata"].iter().map(|field| &event[*field]));
    crate::record::words(wanted).iter().all(|word| found.contains(word))
}

async fn shown(app: &App, row: &LogRow) -> Result<api::StoredEvent, Error> {
    let leaf = row.leaf.iter().map(|b| format!("{b:02x}")).collect();
    Ok(api::StoredEvent { position: row.position.to_string(), event: app.open_event(row).await?, leaf })
}
