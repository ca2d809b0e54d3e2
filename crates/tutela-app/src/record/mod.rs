//! From an event in clear to a record of the ledger: personal fields sealed, canonical bytes,
//! search tokens. This is the only place where one becomes the other.

mod facets;
mod open;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Value, json};
use tutela_core::{Actor, Env, Event, KeyId, Subject, seam::Facts};
use tutela_kms::{Binding, DataKey, IndexKey, RootKey, Suite};
use tutela_ledger::{Batch, Entry, canonical};
use tutela_store::{IndexRow, Record};

pub(crate) use facets::{Facets, indexed_network, words};

use crate::{App, Error};

/// The keys of everybody whose data an event holds.
pub(crate) type EventKeys = BTreeMap<Subject, Arc<DataKey>>;

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
        let tokens = self.tokens(event, keys)?;
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
            index.push(IndexRow { item: item as u16, tokens: self.tokens(event, keys)? });
        }
        Ok(Record { entry, index, facts: Facts::default() })
    }

    /// The token of a search word in the index of `month`.
    pub(crate) fn token(&self, month: i64, prefix: &str, word: &str) -> Result<String, Error> {
        Ok(facets::keyed(&*self.index_key(month)?, prefix, word))
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
        put("retain", json!(event.class.as_str()));
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

    /// The tokens of an event that is to be sealed. Each subject's key is among them, so that an
    /// erasure finds the rows it has to clean.
    fn tokens(&self, event: &Event, keys: &EventKeys) -> Result<Vec<String>, Error> {
        let mut tokens = Facets::of(event).tokens(&*self.index_key(event.recorded_at.month())?);
        tokens.extend(subjects(event).iter().filter_map(|subject| keys.get(subject)).map(|key| subject_token(key.id)));
        Ok(tokens)
    }

    /// The tokens of an event as it was opened, for its row in the index of `month`.
    pub(crate) fn tokens_again(&self, month: i64, opened: &Value) -> Result<Vec<String>, Error> {
        Ok(Facets::read(opened).tokens(&*self.index_key(month)?))
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
}

/// The token that all index rows with data of one subject carry.
pub(crate) fn subject_token(key: KeyId) -> String {
    format!("k={}", key.0.simple())
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
