//! Events in the schemas of others. Every function here is pure: an opened event and its
//! declaration in, a document out.

mod csv;
mod ecs;
mod example;
mod ocsf;

pub(crate) use csv::{HEADER, cell as csv_cell, line};
pub(crate) use ecs::{ecs, properties};
pub(crate) use example::example;
pub(crate) use ocsf::{Integrity, ocsf};

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
