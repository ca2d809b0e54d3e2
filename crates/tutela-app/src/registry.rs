//! What exists: permissions of our own API, and every declared event type.

use tutela_core::{Class, EventType, Field, Mapping, Severity, mapping};

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
    Permission { name: "alerts:write", sentence: "Raise alerts." },
    Permission { name: "authenticators:write", sentence: "Remove ways to sign in of others, after they were identified anew." },
    Permission { name: "backups:write", sentence: "Back up the whole instance." },
    Permission { name: "clients:read", sentence: "List clients." },
    Permission { name: "clients:write", sentence: "Issue and revoke API keys." },
    Permission { name: "compliance:read", sentence: "See how the controls of laws and standards stand." },
    Permission { name: "compliance:write", sentence: "Assess controls, attest to them, accept and approve exceptions, keep the register of breaches." },
    Permission { name: "consents:check", sentence: "Ask whether something may be done with somebody's data." },
    Permission { name: "consents:read", sentence: "Look at what people have said to purposes." },
    Permission { name: "consents:write", sentence: "Record what people say to purposes." },
    Permission { name: "console:use", sentence: "Open the console." },
    Permission { name: "crypto:decrypt", sentence: "Open messages and records." },
    Permission { name: "crypto:encrypt", sentence: "Seal messages and records, make data keys and index tokens." },
    Permission { name: "crypto:export", sentence: "Get derived keys of keys that may leave." },
    Permission { name: "crypto:rewrap", sentence: "Move messages to newer keys without seeing them." },
    Permission { name: "datasets:expire", sentence: "Have rows whose time is over go, now." },
    Permission { name: "datasets:read", sentence: "Look at the stores with data of people, and how their maps differ from them." },
    Permission { name: "detection:read", sentence: "Look at rules of detection, incidents and blocks." },
    Permission { name: "detection:write", sentence: "Write rules of detection and let them act, work on incidents, block addresses and lift blocks." },
    Permission { name: "event_types:write", sentence: "Declare event types." },
    Permission { name: "events:write", sentence: "Record events." },
    Permission { name: "gateway:read", sentence: "Look at routes, upstreams, limits and exclusions of the gateway." },
    Permission { name: "gateway:write", sentence: "Read the configuration again, exclude rules of the firewall, lift limits." },
    Permission { name: "grants:read", sentence: "List permissions given or denied beside roles." },
    Permission { name: "grants:write", sentence: "Give, deny and take back permissions beside roles." },
    Permission { name: "groups:read", sentence: "List groups and their members." },
    Permission { name: "groups:write", sentence: "Make groups, set their roles and members." },
    Permission { name: "keys:backup", sentence: "Back up keys and rehearse a restore." },
    Permission { name: "keys:destroy", sentence: "Destroy keys and provider keys, and undo it." },
    Permission { name: "keys:read", sentence: "Look at keys, epochs, jobs, backups and erasures." },
    Permission { name: "keys:write", sentence: "Make, rotate and change keys, rotate and check the provider's." },
    Permission { name: "ledger:expire", sentence: "Have retention take out what has expired, now." },
    Permission { name: "ledger:export", sentence: "Take events out of the ledger in bulk." },
    Permission { name: "ledger:hold", sentence: "Place and release holds on events." },
    Permission { name: "ledger:read", sentence: "Search the ledger, read events and get proofs." },
    Permission { name: "permissions:check", sentence: "Ask what somebody may do." },
    Permission { name: "policies:read", sentence: "Read field policies." },
    Permission { name: "policies:write", sentence: "Set field policies." },
    Permission { name: "purposes:read", sentence: "Look at what personal data is used for." },
    Permission { name: "purposes:write", sentence: "Say what personal data is used for." },
    Permission { name: "roles:read", sentence: "List roles." },
    Permission { name: "roles:write", sentence: "Make roles and set what they allow." },
    Permission { name: "sessions:end", sentence: "End sessions of others." },
    Permission { name: "sessions:read", sentence: "List sessions of others." },
    Permission { name: "sinks:write", sentence: "Rebuild and reconcile projections of the ledger." },
    Permission { name: "subject-requests:approve", sentence: "Approve, refuse and extend what people ask for about their data." },
    Permission { name: "subject-requests:export", sentence: "Take the packages of requests, with all data of a person." },
    Permission { name: "subject-requests:read", sentence: "Look at what people ask for, and at plans of erasures." },
    Permission { name: "subject-requests:write", sentence: "Take in requests of people, and have them tried again." },
    Permission { name: "subjects:erase", sentence: "Destroy the keys of data subjects." },
    Permission { name: "subjects:hold", sentence: "Place and release legal holds." },
    Permission { name: "tokens:introspect", sentence: "Ask what an identity token means." },
];

/// Every declared event type of this build.
pub fn event_types() -> impl Iterator<Item = &'static EventType> {
    tutela_identity::event::types()
        .chain(tutela_kms::event::TYPES)
        .chain(crate::occurrence::TYPES)
        .chain(crate::usecase::compliance::happened::TYPES)
        .chain(crate::usecase::privacy::happened::TYPES)
        .chain(TYPES)
}

/// Names that applications use from the start, without a dot.
pub(crate) const APPLICATION_TYPES: &[&str] = &["data_access", "data_processing", "secure_access"];

const TYPES: &[EventType] = &[
    application("data_access", "An application read or changed data that it reports on.", mapping::DATA_READ, USE),
    application("data_processing", "An application processed personal data for a purpose.", mapping::DATA_UPDATE, USE),
    REQUEST,
    REQUEST_BATCH,
    application("secure_access", "Somebody used a protected function of an application.", mapping::API_OTHER, USE),
];

/// What is known of a use of data that was reported as one.
const USE: &[Field] =
    &[Field::clear("data_type", r#""user.contact""#), Field::clear("purpose", r#""essential.service""#), Field::clear("ground", r#""contract""#)];

const fn application(name: &'static str, sentence: &'static str, mapping: Mapping, fields: &'static [Field]) -> EventType {
    EventType { name, sentence, severity: Severity::Informational, class: Class::AUDIT, mapping, fields }
}

/// One request through the gateway; a record of a batch.
pub(crate) const REQUEST: EventType = EventType {
    name: "gateway.request",
    sentence: "A request passed or was refused by the gateway.",
    severity: Severity::Informational,
    class: Class::TRAFFIC,
    mapping: mapping::HTTP,
    fields: &[
        Field::clear("duration_us", "1840"),
        Field::clear("bytes", "5120"),
        Field::clear("limit_refused", r#""api""#),
        Field::clear("limit_would_refuse", r#""per_address""#),
        Field::clear("limits_left", r#"{"api": 12}"#),
        Field::clear("refused_by", r#""waf""#),
        Field::clear("stages", r#"[{"stage": "front", "us": 12}, {"stage": "waf", "us": 160}, {"stage": "upstream", "us": 1602}]"#),
        Field::clear("waf_exclusions", "2"),
        Field::clear("waf_marks", r#"["its body is longer than is inspected"]"#),
        Field::clear("waf_mode", r#""block""#),
        Field::clear("waf_outcome", r#""refused""#),
        Field::clear("waf_rules", "[942100, 949110]"),
        Field::clear("waf_score", "5"),
        Field::personal("path", r#""/photos/42""#),
        Field::personal("waf_matched", r#"["942100 ARGS:id: 1' UNION SELECT"]"#),
    ],
};

/// The leaf over a batch of requests.
pub(crate) const REQUEST_BATCH: EventType = EventType {
    name: "gateway.requests",
    sentence: "A batch of requests through the gateway; each is a record of its own under this entry.",
    severity: Severity::Informational,
    class: Class::TRAFFIC,
    mapping: mapping::HTTP,
    fields: &[],
};

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
