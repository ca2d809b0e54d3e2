//! From an event in clear to a record of the ledger: personal fields sealed, canonical bytes,
//! search tokens. This is the only place where one becomes the other.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Value, json};
use tutela_core::{Actor, Env, Event, seam::Facts};
use tutela_kms::{IndexKey, RootKey, open_fields, seal_value};
use tutela_ledger::{Batch, Entry, canonical};
use tutela_store::{IndexRow, LogRow, Record};

use crate::Error;

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
    pub(crate) fn seal(&self, event: &Event) -> Result<Record, Error> {
        let entry = Entry::new(event.id, event.time, event.recorded_at, self.body(event)?)?;
        let tokens = self.tokens(event)?;
        Ok(Record { entry, index: vec![IndexRow { item: 0, tokens }], facts: facts(event) })
    }

    /// Makes one record of a batch of events: a leaf that commits to all of them.
    pub(crate) fn seal_batch(&self, mut leaf: Event, events: &[Event]) -> Result<Record, Error> {
        let bodies: Result<Vec<Vec<u8>>, Error> = events.iter().map(|e| self.body(e)).collect();
        let (batch, _) = Batch::new(bodies?);
        leaf.items = Some((batch.bodies().len() as u16, batch.root()));
        let mut entry = Entry::new(leaf.id, leaf.time, leaf.recorded_at, self.body(&leaf)?)?;
        entry.items = Some(batch);
        let mut index = Vec::with_capacity(events.len());
        for (item, event) in events.iter().enumerate() {
            index.push(IndexRow { item: item as u16, tokens: self.tokens(event)? });
        }
        Ok(Record { entry, index, facts: Facts::default() })
    }

    /// The event as JSON with its personal fields opened for a reader.
    pub(crate) fn open(&self, row: &LogRow) -> Result<Value, Error> {
        let mut json: Value = serde_json::from_slice(&row.body).map_err(|_| Error::Internal("a stored event is not JSON"))?;
        open_fields(&self.root, row.id, &mut json)?;
        Ok(json)
    }

    /// The token of a search word in the index of `month`.
    pub(crate) fn token(&self, month: i64, prefix: &str, word: &str) -> Result<String, Error> {
        Ok(keyed(&*self.index_key(month)?, prefix, word))
    }

    fn body(&self, event: &Event) -> Result<Vec<u8>, Error> {
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
        put("actor", self.actor(event)?);
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
        let source = without_nulls(
            json!({"ip": event.source.ip.as_ref().map(|ip| ip.open().to_string()), "user_agent": event.source.user_agent.as_ref().map(|ua| ua.open().clone())}),
        );
        for (name, value) in [("source", source), ("personal", Value::Object(event.personal.clone())), ("metadata", Value::Object(event.metadata.clone()))] {
            if value.as_object().is_some_and(|map| !map.is_empty()) {
                put(name, self.seal_field(event, name, &value)?);
            }
        }
        Ok(canonical(&Value::Object(out))?)
    }

    fn actor(&self, event: &Event) -> Result<Value, Error> {
        Ok(match &event.actor {
            Actor::Account(id) => json!({"type": "account", "id": id.to_string()}),
            Actor::Anonymous => json!({"type": "anonymous"}),
            Actor::Client(id) => json!({"type": "client", "id": id.to_string()}),
            Actor::External { namespace, value } => {
                json!({"type": "external", "namespace": namespace, "id": self.seal_field(event, "actor.id", &json!(value.open()))?})
            }
            Actor::Operator(uid) => json!({"type": "operator", "id": uid.to_string()}),
            Actor::System(name) => json!({"type": "system", "id": name}),
            Actor::Unknown => json!({"type": "unknown"}),
        })
    }

    fn seal_field(&self, event: &Event, path: &str, value: &Value) -> Result<Value, Error> {
        Ok(seal_value(&self.root, event.id, path, value, &mut { &*self.env })?)
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
