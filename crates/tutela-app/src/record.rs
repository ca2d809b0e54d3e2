//! From an event in clear to a record of the ledger: personal fields sealed, canonical bytes,
//! search tokens. This is the only place where one becomes the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Value, json};
use tutela_core::{Actor, Env, Event, Subject, seam::Facts};
use tutela_kms::{Binding, DataKey, IndexKey, Message, RootKey, Suite};
use tutela_ledger::{Batch, Entry, canonical};
use tutela_store::{IndexRow, LogRow, Record};

use crate::{App, Error, ring::KeyError};

/// The keys of everybody whose data an event holds.
pub(crate) type EventKeys = BTreeMap<Subject, Arc<DataKey>>;

/// Most words of one event that are indexed; its other fields always are.
const MAX_WORDS: usize = 64;

/// Seals events and opens them again.
pub(crate) struct Sealer {
    root: RootKey,
    env: Arc<dyn Env>,
    /// The index key in use; a new month brings a new one.
    index: Mutex<Option<(i64, Arc<IndexKey>)>>,
}

impl Sealer {
    pub(crate) fn new(root: RootKey, env: Arc<dyn Env>) -> Self {
        Self { root, env, index: Mutex::default() }
    }

    pub(crate) fn root(&self) -> &RootKey {
        &self.root
    }

    /// Makes the record of one event.
    pub(crate) fn seal(&self, event: &Event, keys: &EventKeys) -> Result<Record, Error> {
        let entry = Entry::new(event.id, event.time, event.recorded_at, self.body(event, keys)?)?;
        let tokens = self.tokens(event)?;
        Ok(Record { entry, index: vec![IndexRow { item: 0, tokens }], facts: facts(event) })
    }

    /// Makes one record of a batch of events: a leaf that commits to all of them.
    pub(crate) fn seal_batch(&self, mut leaf: Event, events: &[Event], keys: &EventKeys) -> Result<Record, Error> {
        let bodies: Result<Vec<Vec<u8>>, Error> = events.iter().map(|e| self.body(e, keys)).collect();
        let (batch, _) = Batch::new(bodies?);
        leaf.items = Some((batch.bodies().len() as u16, batch.root()));
        let mut entry = Entry::new(leaf.id, leaf.time, leaf.recorded_at, self.body(&leaf, keys)?)?;
        entry.items = Some(batch);
        let mut index = Vec::with_capacity(events.len());
        for (item, event) in events.iter().enumerate() {
            index.push(IndexRow { item: item as u16, tokens: self.tokens(event)? });
        }
        Ok(Record { entry, index, facts: Facts::default() })
    }

    /// The token of a search word in the index of `month`.
    pub(crate) fn token(&self, month: i64, prefix: &str, word: &str) -> Result<String, Error> {
        Ok(keyed(&*self.index_key(month)?, prefix, word))
    }

    fn body(&self, event: &Event, keys: &EventKeys) -> Result<Vec<u8>, Error> {
        let mut out = Map::new();
        let mut put = |name: &str, value: Value| {
            out.insert(name.to_owned(), value);
        };
        put("v", json!(1));
        put("id", json!(event.id.to_string()));
        put("time", json!(event.time));
        put("recorded_at", json!(event.recorded_at));
        put("type", json!(event.kind));
        put("outcome", json!(event.outcome.as_str()));
        put("severity", json!(event.severity as u8));
        put("actor", actor(event));
        if let Some(action) = &event.action {
            put("action", json!(action));
        }
        if let Some(reason) = &event.reason {
            put("reason", json!(reason));
        }
        if let Some(session) = &event.session {
            put("session", json!(session.to_string()));
        }
        if let Some(resource) = &event.resource {
            put("resource", resource.kind.as_ref().map_or_else(|| json!({"id": resource.id}), |kind| json!({"type": kind, "id": resource.id})));
        }
        if let Some(request) = &event.request {
            put(
                "request",
                without_nulls(json!({"id": request.id.map(|i| i.to_string()), "method": request.method, "route": request.route, "status": request.status})),
            );
        }
        if !event.fields.is_empty() {
            put("data", Value::Object(event.fields.clone()));
        }
        if let Some((count, root)) = event.items {
            put("items", json!({"count": count, "root": BASE64.encode(root)}));
        }
        let sealed: Result<Vec<Value>, Error> =
            personal(event).into_iter().map(|(subject, members)| self.seal_members(event, &subject, members, keys)).collect();
        let sealed = sealed?;
        if !sealed.is_empty() {
            put("sealed", Value::Array(sealed));
        }
        Ok(canonical(&Value::Object(out))?)
    }

    /// One message for everything in this event that is about one subject.
    fn seal_members(&self, event: &Event, subject: &Subject, members: Map<String, Value>, keys: &EventKeys) -> Result<Value, Error> {
        let key = keys.get(subject).ok_or(Error::Internal("an event was sealed without the key of its subject"))?;
        let names: Vec<&str> = members.keys().map(String::as_str).collect();
        let binding = Binding::Event { id: event.id.0.as_bytes(), members: &names };
        let clear = serde_json::to_vec(&members).map_err(|_| Error::Internal("a personal field is not JSON"))?;
        let message = tutela_kms::seal(key, Suite::Aes256Gcm, &binding, &clear, &mut { &*self.env })?;
        Ok(json!({"for": names, "message": message.to_text()}))
    }

    fn tokens(&self, event: &Event) -> Result<Vec<String>, Error> {
        let key = self.index_key(event.recorded_at.month())?;
        let mut tokens = vec![format!("t={}", event.kind), format!("o={}", event.outcome.as_str()), format!("s={}", event.severity as u8)];
        let mut add = |prefix: &str, word: &str| tokens.push(keyed(&key, prefix, word));
        if let Some(actor) = actor_text(&event.actor) {
            add("a", &actor);
        }
        if let Some(resource) = &event.resource {
            add("r", &resource.id);
            if let Some(kind) = &resource.kind {
                add("r", &format!("{kind}/{}", resource.id));
            }
        }
        if let Some(session) = event.session {
            add("e", &session.to_string());
        }
        if let Some(ip) = &event.source.ip {
            ip_words(*ip.open()).iter().for_each(|word| add("i", word));
        }
        if let Some(route) = event.request.as_ref().and_then(|r| r.route.as_ref()) {
            add("g", route);
        }
        let spoken = [event.action.clone(), event.reason.clone()].map(Value::from);
        let values = spoken.iter().chain([&event.fields, &event.personal, &event.metadata].into_iter().flat_map(Map::values));
        for word in words_of(values).into_iter().take(MAX_WORDS) {
            add("w", &word);
        }
        Ok(tokens)
    }

    fn index_key(&self, month: i64) -> Result<Arc<IndexKey>, Error> {
        let mut held = self.index.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, key)) = held.as_ref().filter(|(of, _)| *of == month) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(self.root.index_key(month)?);
        *held = Some((month, Arc::clone(&key)));
        Ok(key)
    }
}

/// Whose keys an event needs.
pub(crate) fn subjects(event: &Event) -> Vec<Subject> {
    let (actor, about) = whose(event);
    let of_actor = event.source.ip.is_some() || event.source.user_agent.is_some() || matches!(event.actor, Actor::External { .. });
    let of_about = !event.personal.is_empty() || !event.metadata.is_empty();
    let same = actor == about;
    [(of_actor, actor), (of_about && !(same && of_actor), about)].into_iter().filter_map(|(needed, subject)| needed.then_some(subject)).collect()
}

/// Who did it, and whom its personal fields are about.
fn whose(event: &Event) -> (Subject, Subject) {
    let actor = event.actor.subject(event.recorded_at.month());
    let about = event.about.clone().unwrap_or_else(|| actor.clone());
    (actor, about)
}

/// The personal members of an event by whose they are: address, agent and outside id are the actor's,
/// declared personal fields and metadata are those of whom the event is about.
fn personal(event: &Event) -> BTreeMap<Subject, Map<String, Value>> {
    let (actor, about) = whose(event);
    let source = without_nulls(
        json!({"ip": event.source.ip.as_ref().map(|ip| ip.open().to_string()), "user_agent": event.source.user_agent.as_ref().map(|ua| ua.open().clone())}),
    );
    let mut out: BTreeMap<Subject, Map<String, Value>> = BTreeMap::new();
    let mut put = |subject: &Subject, name: &str, value: Value| {
        if value.as_object().is_none_or(|map| !map.is_empty()) {
            out.entry(subject.clone()).or_default().insert(name.to_owned(), value);
        }
    };
    put(&actor, "source", source);
    if let Actor::External { value, .. } = &event.actor {
        put(&actor, "actor.id", json!(value.open()));
    }
    put(&about, "personal", Value::Object(event.personal.clone()));
    put(&about, "metadata", Value::Object(event.metadata.clone()));
    out
}

fn actor(event: &Event) -> Value {
    match &event.actor {
        Actor::Account(id) => json!({"type": "account", "id": id.to_string()}),
        Actor::Anonymous => json!({"type": "anonymous"}),
        Actor::Client(id) => json!({"type": "client", "id": id.to_string()}),
        Actor::External { namespace, .. } => json!({"type": "external", "namespace": namespace}),
        Actor::Operator(uid) => json!({"type": "operator", "id": uid.to_string()}),
        Actor::System(name) => json!({"type": "system", "id": name}),
        Actor::Unknown => json!({"type": "unknown"}),
    }
}

impl App {
    /// Makes the record of one event, with the keys of everybody in it.
    pub(crate) async fn seal(&self, event: &Event) -> Result<Record, Error> {
        let subjects = subjects(event);
        let keys = self.ring.subject_keys(&subjects.iter().collect::<Vec<_>>(), event.recorded_at).await?;
        self.sealer.seal(event, &keys)
    }

    /// The event as JSON with its personal fields opened for a reader. What belonged to somebody who
    /// was erased is named in `erased`.
    pub(crate) async fn open_event(&self, row: &LogRow) -> Result<Value, Error> {
        let mut event: Value = serde_json::from_slice(&row.body).map_err(|_| Error::Internal("a stored event is not JSON"))?;
        let Some(Value::Array(sealed)) = event.as_object_mut().and_then(|map| map.remove("sealed")) else { return Ok(event) };
        let mut erased = Vec::new();
        for part in sealed {
            let names: Vec<&str> = part["for"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let message = Message::from_text(part["message"].as_str().unwrap_or_default()).map_err(|_| corrupt())?;
            let header = message.header();
            match self.ring.data_key(header.key, header.version).await {
                Ok(key) => {
                    let binding = Binding::Event { id: row.id.0.as_bytes(), members: &names };
                    let clear = tutela_kms::open(&key, &binding, &message).map_err(|_| corrupt())?;
                    let members: Map<String, Value> = serde_json::from_slice(&clear).map_err(|_| corrupt())?;
                    members.into_iter().for_each(|(name, value)| put_member(&mut event, &name, value));
                }
                Err(KeyError::Destroyed) => erased.extend(names.iter().map(|name| Value::from(*name))),
                // A destroyed key leaves a tombstone; one without any was never here, or its row was taken away.
                Err(KeyError::Unknown) => return Err(corrupt()),
                Err(e) => return Err(e.into()),
            }
        }
        if let (false, Value::Object(map)) = (erased.is_empty(), &mut event) {
            map.insert("erased".into(), Value::Array(erased));
        }
        Ok(event)
    }
}

fn put_member(event: &mut Value, name: &str, value: Value) {
    match name.split_once('.') {
        Some((outer, inner)) => event[outer][inner] = value,
        None => event[name] = value,
    }
}

fn corrupt() -> Error {
    Error::Key(KeyError::Corrupt)
}

/// How an actor is written in a search: an id, or `namespace:value` for an external identifier.
pub fn actor_text(actor: &Actor) -> Option<String> {
    match actor {
        Actor::Account(id) => Some(id.to_string()),
        Actor::Client(id) => Some(id.to_string()),
        Actor::External { namespace, value } => Some(format!("{namespace}:{}", value.open())),
        Actor::Operator(uid) => Some(format!("operator:{uid}")),
        Actor::System(name) => Some((*name).to_owned()),
        Actor::Anonymous | Actor::Unknown => None,
    }
}

/// The words of a text as they are indexed: lower case, cut at everything but letters, digits and `_ - . / : @`.
pub(crate) fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let parts = lower.split(|c: char| !c.is_alphanumeric() && !"_-./:@".contains(c));
    parts.map(|w| w.trim_matches(|c| ".:/".contains(c))).filter(|w| !w.is_empty() && w.len() <= 128).map(str::to_owned).collect()
}

/// The words of all texts in `values`.
pub(crate) fn words_of<'a>(values: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
    let mut texts = Vec::new();
    values.for_each(|value| collect_texts(value, &mut texts));
    texts.iter().flat_map(|text| words(text)).collect()
}

fn keyed(key: &IndexKey, prefix: &str, word: &str) -> String {
    format!("{prefix}={}", key.token(prefix, word))
}

/// As [`ip_words`], from text; empty where it is no address.
pub(crate) fn ip_words_of(ip: &str) -> Vec<String> {
    ip.parse().map(ip_words).unwrap_or_default()
}

/// The address and its prefixes: /8, /16, /24 of IPv4; /32, /48, /64 of IPv6.
fn ip_words(ip: IpAddr) -> Vec<String> {
    let mut out = vec![ip.to_string()];
    match ip {
        IpAddr::V4(v4) => out.extend([8, 16, 24].map(|bits| format!("{}/{bits}", std::net::Ipv4Addr::from_bits(v4.to_bits() & (u32::MAX << (32 - bits)))))),
        IpAddr::V6(v6) => out.extend([32, 48, 64].map(|bits| format!("{}/{bits}", std::net::Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (128 - bits)))))),
    }
    out
}

fn collect_texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Number(n) => out.push(n.to_string()),
        Value::Array(items) => items.iter().for_each(|v| collect_texts(v, out)),
        Value::Object(map) => map.values().for_each(|v| collect_texts(v, out)),
        Value::Null | Value::Bool(_) => {}
    }
}

fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.retain(|_, v| !v.is_null());
    }
    value
}

fn facts(event: &Event) -> Facts {
    let about = event.resource.as_ref().filter(|r| r.kind.as_deref() == Some("account")).and_then(|r| r.id.parse().ok());
    let account = about.or(match event.actor {
        Actor::Account(id) => Some(id),
        _ => None,
    });
    Facts { kind: event.kind.to_string(), time: Some(event.time), account, ip: event.source.ip.as_ref().map(|ip| *ip.open()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_by_their_networks() {
        assert_eq!(ip_words("192.0.2.7".parse().unwrap()), ["192.0.2.7", "192.0.0.0/8", "192.0.0.0/16", "192.0.2.0/24"]);
        assert_eq!(ip_words("2001:db8:1:2::9".parse().unwrap())[3], "2001:db8:1:2::/64");
    }

    #[test]
    fn words_keep_what_identifiers_are_made_of() {
        assert_eq!(words("Read /photos/42, by ada@example.com."), ["read", "photos/42", "by", "ada@example.com"]);
    }
}
