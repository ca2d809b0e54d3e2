//! Recording events of applications.

use std::{borrow::Cow, collections::BTreeSet, net::IpAddr, sync::Arc};

use serde_json::Value;
use tutela_api as api;
use tutela_core::{Actor, Event, EventId, Outcome, Pii, Principal, Request, Resource, Source, Subject, Timestamp};
use tutela_store::Changeset;

use super::{account::check_external, crypto::subject_of, search::sequenced};
use crate::{App, Ctx, Error, TypesAllowed, audit};

/// Most events of one call.
pub const MAX_BATCH: usize = 10_000;
/// Longest `User-Agent` that is kept, in bytes.
const MAX_AGENT: usize = 512;
/// How far ahead of our clock an event's time may be.
const AHEAD: std::time::Duration = std::time::Duration::from_secs(300);

/// What is kept of applications' events, for an application that counts on it.
pub async fn settings(app: &App, ctx: &Ctx) -> Result<api::AuditSettings, Error> {
    app.permit(ctx, "events:write").await?;
    let days = app.projection.as_ref().map_or_else(|| app.rules.of(&tutela_core::Class::AUDIT).days, |projection| projection.retention_days);
    Ok(api::AuditSettings {
        storage: app.audit.storage.as_str().to_owned(),
        retention_days: days,
        fields: audit::kept(&app.audit.fields).into_iter().map(str::to_owned).collect(),
    })
}

/// What a caller waits for before it is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wait {
    /// Until the event is durable; a crash does not lose it.
    #[default]
    Durable,
    /// Until it has its position, too; on SQLite that is the same moment.
    Sequenced,
}

/// Records one event. Durable when this returns.
pub async fn record(app: &App, ctx: &Ctx, new: Value, wait: Wait) -> Result<api::Recorded, Error> {
    app.permit(ctx, "events:write").await?;
    let record = app.seal(&prepare(app, ctx, new)?).await?;
    let id = record.entry.id;
    app.store.commit(Changeset::of(record)).await?;
    recorded(app, id, wait).await
}

/// Records many events; each item is answered for itself, and the good ones are durable, all in one commit, when this returns.
pub async fn record_batch(app: &App, ctx: &Ctx, items: Vec<Value>, wait: Wait) -> Result<Vec<Result<api::Recorded, Error>>, Error> {
    app.permit(ctx, "events:write").await?;
    if items.len() > MAX_BATCH {
        return Err(Error::invalid("", format!("a batch has at most {MAX_BATCH} events, this one has {}", items.len())));
    }
    let events: Vec<Result<Event, Error>> = items.into_iter().map(|item| prepare(app, ctx, item)).collect();
    let subjects: BTreeSet<Subject> = events.iter().flatten().flat_map(crate::record::subjects).collect();
    let keys = app.ring.subject_keys(&subjects.iter().collect::<Vec<_>>(), ctx.now).await?;
    let mut records = Vec::with_capacity(events.len());
    let mut ids = Vec::with_capacity(events.len());
    for event in events {
        let sealed = event.and_then(|event| app.sealer.seal(&event, &keys));
        ids.push(sealed.map(|record| {
            let id = record.entry.id;
            records.push(record);
            id
        }));
    }
    if let Some(changeset) = Changeset::of_all(records) {
        app.store.commit(changeset).await?;
    }
    let mut answers = Vec::with_capacity(ids.len());
    for id in ids {
        answers.push(match id {
            Ok(id) => recorded(app, id, wait).await,
            Err(e) => Err(e),
        });
    }
    Ok(answers)
}

/// The answer to an event that is durable.
pub(crate) async fn recorded(app: &App, id: EventId, wait: Wait) -> Result<api::Recorded, Error> {
    if wait == Wait::Durable {
        return Ok(api::Recorded { id: id.to_string(), position: None, leaf: None });
    }
    let row = sequenced(app, id).await?;
    Ok(api::Recorded { id: id.to_string(), position: Some(row.position.to_string()), leaf: Some(super::search::hex(&row.leaf)) })
}

pub(crate) fn prepare(app: &App, ctx: &Ctx, new: Value) -> Result<Event, Error> {
    let new: api::NewEvent = serde_json::from_value(new).map_err(|e| Error::invalid("event", e.to_string()))?;
    let declared = check_type(app, &new.kind)?;
    let mut event = Event::named(Cow::Owned(new.kind), EventId::batch(ctx.now, &mut { app.env() }), ctx.now);
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
    let named = new.actor.is_some();
    event.actor = match new.actor {
        None => Actor::from(&ctx.principal),
        Some(api::SubjectRef::Account(id)) => Actor::Account(
            id.parse().map_err(|_| Error::invalid("actor", "an account id is a UUID; name an application's own user as {\"namespace\": …, \"value\": …}"))?,
        ),
        Some(api::SubjectRef::External(external)) => {
            check_external(&external).map_err(|e| within("actor", e))?;
            Actor::External { namespace: external.namespace, value: Pii::new(external.value) }
        }
    };
    event.about = new.subject.map(|subject| subject_of(&subject).map_err(|e| within("subject", e))).transpose()?;
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
    let request = new.request.unwrap_or_default();
    event.request = Some(Request {
        id: Some(ctx.request),
        method: bounded("request.method", request.method, 16)?,
        route: bounded("request.route", request.route, 256)?,
        status: request.status,
    });
    event.metadata = new.metadata.unwrap_or_default();
    // Callers that have no better place for a null leave it out.
    event.metadata.retain(|_, value| !value.is_null());
    lift_source(&mut event);
    if let Some(declared) = declared {
        event.severity = declared.severity;
        event.class = declared.class.clone();
        for field in &declared.body.fields {
            let Some(value) = event.metadata.remove(&field.name) else { continue };
            if field.personal { event.set_personal(&field.name, value) } else { event.set(&field.name, value) }
        }
    }
    audit::apply(&app.audit.fields, &mut event, app.field_hash.open());
    // What only we say: who reported it, and on which ground data was used.
    event.fields.remove("reported_by");
    event.fields.remove("ground");
    if named {
        // Who says that somebody did it. Last, so that nothing that was sent stands in its place.
        event.set("reported_by", reporter(&ctx.principal));
    }
    Ok(event)
}

/// The same refusal of a member of `outer`.
fn within(outer: &str, error: Error) -> Error {
    match error {
        Error::Invalid { field, message } => Error::invalid(if field.starts_with(outer) { field } else { format!("{outer}.{field}") }, message),
        other => other,
    }
}

fn reporter(principal: &Principal) -> String {
    match principal {
        Principal::Account { id, .. } => id.to_string(),
        Principal::Anonymous => "anonymous".to_owned(),
        Principal::Client { id, .. } => id.to_string(),
        Principal::Operator { uid } => format!("operator:{uid}"),
        Principal::System(name) => (*name).to_owned(),
    }
}

/// Applications often put the address and the browser among the rest; they belong to the source.
fn lift_source(event: &mut Event) {
    for name in ["ip", "ip_address"] {
        let Some(ip) = event.metadata.get(name).and_then(Value::as_str).and_then(|text| text.parse::<IpAddr>().ok()) else { continue };
        event.metadata.remove(name);
        event.source.ip.get_or_insert_with(|| Pii::new(ip));
    }
    if let Some(Value::String(agent)) = event.metadata.get("user_agent").filter(|agent| agent.as_str().is_some_and(|text| !text.is_empty())) {
        let cut = agent
            .chars()
            .scan(0, |bytes, c| {
                *bytes += c.len_utf8();
                (*bytes <= MAX_AGENT).then_some(c)
            })
            .collect();
        event.source.user_agent.get_or_insert_with(|| Pii::new(cut));
        event.metadata.remove("user_agent");
    }
}

/// The declaration of a type that may be recorded from outside, where there is one.
fn check_type(app: &App, kind: &str) -> Result<Option<Arc<audit::Declared>>, Error> {
    if kind.is_empty() || kind.len() > 128 || !kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b)) {
        return Err(Error::invalid("type", "a type has 1 to 128 characters of `a-z 0-9 . _ -`, for example `photo.shared`"));
    }
    match app.types.get(kind) {
        Some(declared) if !declared.is_for_applications() => {
            Err(Error::invalid("type", format!("`{kind}` is one of tutela's own types and cannot be recorded from outside")))
        }
        Some(declared) => Ok(Some(declared)),
        None if audit::is_own_family(kind) => Err(Error::invalid(
            "type",
            format!("types that begin like `{kind}` are tutela's own; choose a name of your application's, for example `app.{kind}`"),
        )),
        None if app.audit.types == TypesAllowed::Declared => {
            Err(Error::invalid("type", format!("`{kind}` is not declared, and `audit.types` is `declared`; declare it with PUT /v1/event-types/{kind}")))
        }
        None => Ok(None),
    }
}

fn bounded(field: &'static str, text: Option<String>, most: usize) -> Result<Option<String>, Error> {
    match text {
        Some(text) if text.is_empty() || text.len() > most => Err(Error::invalid(field, format!("`{field}` has 1 to {most} bytes"))),
        other => Ok(other),
    }
}
