//! Events in the schemas of others. Every function here is pure: an opened event and its
//! declaration in, a document out.

mod ecs;

pub(crate) use ecs::{ecs, properties};

use tutela_api::{EventTypeBody, StoredEvent};

/// An event on its way out: opened for the reader, with what is known of its type.
pub(crate) struct Outgoing<'a> {
    /// The event and where it stands.
    pub stored: &'a StoredEvent,
    /// Its declaration; a default one where it is not declared.
    pub declared: &'a EventTypeBody,
    /// Name of the ledger.
    pub origin: &'a str,
}

// TEMP
pub(crate) const HEADER: &[&str] = &[];
pub(crate) fn line(_: &Outgoing<'_>) -> String { String::new() }
pub(crate) struct Integrity<'a> { pub authority: &'a str, pub checkpoint: Option<&'a str> }
pub(crate) fn ocsf(_: &Outgoing<'_>, i: &Integrity<'_>) -> serde_json::Value { serde_json::json!({"a": i.authority, "b": i.checkpoint}) }
pub fn example(_: &EventTypeBody) -> StoredEvent { StoredEvent { position: String::new(), event: serde_json::Value::Null, leaf: String::new() } }
