//! What exists: permissions of our own API, and every declared event type.

use tutela_core::{Event, EventType, Field, Occurrence, Outcome, Severity};

/// A permission of tutela's own API.
#[derive(Debug, Clone, Copy)]
pub struct Permission {
    /// `room:what`.
    pub name: &'static str,
    /// What it allows, in a sentence.
    pub sentence: &'static str,
}

/// Every permission of the API, in alphabetical order.
pub const PERMISSIONS: &[Permission] = &[
    Permission { name: "accounts:read", sentence: "List accounts and their roles." },
    Permission { name: "accounts:write", sentence: "Create and disable accounts, set their roles and identifiers." },
    Permission { name: "clients:read", sentence: "List clients." },
    Permission { name: "clients:write", sentence: "Issue and revoke API keys." },
    Permission { name: "console:use", sentence: "Open the console." },
    Permission { name: "crypto:decrypt", sentence: "Open messages and records." },
    Permission { name: "crypto:encrypt", sentence: "Seal messages and records, make data keys and index tokens." },
    Permission { name: "crypto:export", sentence: "Get derived keys of keys that may leave." },
    Permission { name: "crypto:rewrap", sentence: "Move messages to newer keys without seeing them." },
    Permission { name: "events:write", sentence: "Record events." },
    Permission { name: "keys:backup", sentence: "Back up keys and rehearse a restore." },
    Permission { name: "keys:destroy", sentence: "Destroy keys and provider keys, and undo it." },
    Permission { name: "keys:read", sentence: "Look at keys, epochs, jobs, backups and erasures." },
    Permission { name: "keys:write", sentence: "Make, rotate and change keys, rotate and check the provider's." },
    Permission { name: "ledger:read", sentence: "Search the ledger, read events and get proofs." },
    Permission { name: "permissions:check", sentence: "Ask what somebody may do." },
    Permission { name: "policies:read", sentence: "Read field policies." },
    Permission { name: "policies:write", sentence: "Set field policies." },
    Permission { name: "roles:read", sentence: "List roles." },
    Permission { name: "roles:write", sentence: "Make roles and set what they allow." },
    Permission { name: "sessions:end", sentence: "End sessions of others." },
    Permission { name: "sessions:read", sentence: "List sessions of others." },
    Permission { name: "subjects:erase", sentence: "Destroy the keys of data subjects." },
    Permission { name: "subjects:hold", sentence: "Place and release legal holds." },
    Permission { name: "tokens:introspect", sentence: "Ask what an identity token means." },
];

/// Every declared event type of this build.
pub fn event_types() -> impl Iterator<Item = &'static EventType> {
    tutela_identity::event::TYPES.iter().chain(tutela_kms::event::TYPES).chain(TYPES)
}

/// The declaration of `name`.
pub(crate) fn event_type(name: &str) -> Option<&'static EventType> {
    event_types().find(|t| t.name == name)
}

/// Names that applications use from the start, without a dot.
pub(crate) const APPLICATION_TYPES: &[&str] = &["data_access", "data_processing", "secure_access"];

const TYPES: &[EventType] = &[
    AccessDenied::TYPE,
    application("data_access", "An application read or changed data that it reports on."),
    application("data_processing", "An application processed personal data for a purpose."),
    RequestsLost::TYPE,
    REQUEST,
    REQUEST_BATCH,
    application("secure_access", "Somebody used a protected function of an application."),
    ServerStarted::TYPE,
    ServerStopped::TYPE,
];

/// What an application adds and does not declare is sealed as a whole.
const METADATA: &[Field] = &[Field::personal("metadata")];

const fn application(name: &'static str, sentence: &'static str) -> EventType {
    EventType { name, sentence, severity: Severity::Informational, fields: METADATA }
}

/// One request through the gateway; a record of a batch.
pub(crate) const REQUEST: EventType = EventType {
    name: "gateway.request",
    sentence: "A request passed or was refused by the gateway.",
    severity: Severity::Informational,
    fields: &[Field::clear("duration_us"), Field::clear("bytes"), Field::personal("path")],
};

/// The leaf over a batch of requests.
pub(crate) const REQUEST_BATCH: EventType = EventType {
    name: "gateway.requests",
    sentence: "A batch of requests through the gateway; each is a record of its own under this entry.",
    severity: Severity::Informational,
    fields: &[],
};

/// Requests were not recorded because the queue was full.
pub(crate) struct RequestsLost {
    pub count: u64,
}

impl Occurrence for RequestsLost {
    const TYPE: EventType = EventType {
        name: "gateway.requests_lost",
        sentence: "More requests came than could be recorded; this is how many have no record.",
        severity: Severity::High,
        fields: &[Field::clear("count")],
    };
    fn fill(self, event: &mut Event) {
        event.action = Some("drop".into());
        event.outcome = Outcome::Failure;
        event.set("count", self.count);
    }
}

/// Somebody known asked for something they may not do.
pub(crate) struct AccessDenied {
    pub permission: &'static str,
}

impl Occurrence for AccessDenied {
    const TYPE: EventType = EventType {
        name: "access.denied",
        sentence: "Somebody asked for something that their roles or scopes do not allow.",
        severity: Severity::Low,
        fields: &[Field::clear("permission")],
    };
    fn fill(self, event: &mut Event) {
        event.action = Some("authorize".into());
        event.outcome = Outcome::Denied;
        event.set("permission", self.permission);
    }
}

/// The server is ready.
pub(crate) struct ServerStarted {
    pub version: &'static str,
    pub storage: &'static str,
}

impl Occurrence for ServerStarted {
    const TYPE: EventType = EventType {
        name: "server.started",
        sentence: "tutela started on this host and is ready to serve.",
        severity: Severity::Informational,
        fields: &[Field::clear("version"), Field::clear("storage")],
    };
    fn fill(self, event: &mut Event) {
        event.action = Some("start".into());
        event.set("version", self.version);
        event.set("storage", self.storage);
    }
}

/// The server stops in good order.
pub(crate) struct ServerStopped;

impl Occurrence for ServerStopped {
    const TYPE: EventType = EventType {
        name: "server.stopped",
        sentence: "tutela was asked to stop and finished what it was doing.",
        severity: Severity::Informational,
        fields: &[],
    };
    fn fill(self, event: &mut Event) {
        event.action = Some("stop".into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_unique_and_well_formed() {
        assert!(PERMISSIONS.is_sorted_by_key(|p| p.name));
        let mut names: Vec<&str> = event_types().map(|t| t.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for t in event_types() {
            assert!(t.sentence.ends_with('.') && t.name.bytes().all(|b| b.is_ascii_lowercase() || b"._".contains(&b)), "{}", t.name);
        }
    }
}
