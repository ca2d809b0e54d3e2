//! Example events: one whole, opened event for every declared type. The reference shows them, and
//! tests send them through every exporter. Ids and times are fixed, so that one type has one example.

use serde_json::{Map, Value, json};
use tutela_api::{EventTypeBody, StoredEvent};

use self::Who::{Account, Anonymous, Client, Operator, System};

const EVENT: &str = "019ab3a4-7c00-7000-8000-000000000400";
const TIME: &str = "2026-11-22T09:30:00.000000Z";
const ACCOUNT: &str = "019ab3a4-7c00-7000-8000-000000000001";
const CLIENT: &str = "019ab3a4-7c00-7000-8000-000000000002";
const SESSION: &str = "019ab3a4-7c00-7000-8000-000000000003";
const REQUEST: &str = "019ab3a4-7c00-7000-8000-000000000004";
const THING: &str = "019ab3a4-7c00-7000-8000-000000000005";
const LEAF: &str = "8d1f6a0b3c5e7f902143658709badcfe00112233445566778899aabbccddeeff";
/// Root of the batch, as it stands in the event.
const ITEMS_ROOT: &str = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=";

/// The event that a type's examples make up, as a reader with all rights sees it.
pub fn example(body: &EventTypeBody) -> StoredEvent {
    let mut event = Map::new();
    let mut put = |name: &str, value: Value| {
        event.insert(name.to_owned(), value);
    };
    put("v", json!(1));
    put("id", json!(EVENT));
    put("time", json!(TIME));
    put("recorded_at", json!(TIME));
    put("type", json!(body.name));
    put("severity", json!(body.severity));
    put("retain", json!(body.class));
    match OWN.iter().find(|row| row.name == body.name) {
        Some(row) => own(row, &mut put),
        None => of_an_application(&body.name, &mut put),
    }
    let of = |personal: bool| -> Map<String, Value> {
        body.fields.iter().filter(|field| field.personal == personal).map(|field| (field.name.clone(), field.example.clone())).collect()
    };
    for (name, fields) in [("data", of(false)), ("personal", of(true))] {
        if !fields.is_empty() {
            put(name, Value::Object(fields));
        }
    }
    // Requests are records of a batch.
    let position = if body.name == "gateway.request" { "4711.3" } else { "4711" };
    StoredEvent { position: position.to_owned(), event: Value::Object(event), leaf: LEAF.to_owned() }
}

fn own(row: &Row, put: &mut impl FnMut(&str, Value)) {
    put("outcome", json!(row.outcome));
    if !row.action.is_empty() {
        put("action", json!(row.action));
    }
    if let Some(reason) = reason(row.name) {
        put("reason", json!(reason));
    }
    let remote = json!({"ip": "192.0.2.7", "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"});
    match row.who {
        Account => {
            put("actor", json!({"type": "account", "id": ACCOUNT}));
            put("source", remote);
        }
        Anonymous => {
            put("actor", json!({"type": "anonymous"}));
            put("source", remote);
        }
        Client => {
            put("actor", json!({"type": "client", "id": CLIENT}));
            put("source", json!({"ip": "192.0.2.8", "user_agent": "photos/1.4"}));
        }
        Operator => put("actor", json!({"type": "operator", "id": "0"})),
        System(name) => put("actor", json!({"type": "system", "id": name})),
    }
    match row.name {
        "gateway.request" => put("request", json!({"method": "GET", "route": "photos", "status": 200})),
        "gateway.requests" => put("items", json!({"count": 3, "root": ITEMS_ROOT})),
        _ => {
            put("request", json!({"id": REQUEST}));
            if matches!(row.who, Account) {
                put("session", json!(SESSION));
            }
        }
    }
    match (row.name, row.resource) {
        ("setup_link.created", _) => put("resource", json!({"id": "setup_link"})),
        (_, "") => {}
        (_, kind) => put("resource", json!({"type": kind, "id": id_of(kind)})),
    }
}

/// What somebody's application could have recorded under a type of its own.
fn of_an_application(name: &str, put: &mut impl FnMut(&str, Value)) {
    let (thing, verb) = name.rsplit_once('.').unwrap_or(("record", "read"));
    put("outcome", json!("success"));
    put("action", json!(verb));
    put("actor", json!({"type": "external", "namespace": "photos", "id": "7"}));
    put("source", json!({"ip": "2001:db8::7", "user_agent": "PhotosApp/3.2 (Android 16)"}));
    put("request", json!({"id": REQUEST, "method": "POST", "route": "photos.share", "status": 201}));
    put("resource", json!({"type": thing, "id": "42"}));
    put("metadata", json!({"note": "for the whole family"}));
}

fn id_of(kind: &str) -> &'static str {
    match kind {
        "account" => ACCOUNT,
        "epoch" => "7",
        "event_type" => "photo.shared",
        "field_policy" => "customers",
        "group" => "editors",
        "role" => "editor",
        "session" => SESSION,
        "sink" => "opensearch",
        _ => THING,
    }
}

/// Why it ended so, or why somebody did it, where events of the type say that.
fn reason(name: &str) -> Option<&'static str> {
    Some(match name {
        "account.deleted" => "asked for by its owner",
        "account.enabled" => "back from leave",
        "authenticator.removed" => "removed by its owner",
        "client.logout_untold" => "it answered with status 503",
        "client.refused" => "the client is not known, or has not proven itself in the way that it is registered for",
        "client.signed_out" => "revoked_by_client",
        "grant.ended" | "grant.given" => "stands in for Ben",
        "key.compromised" => "a backup of it was found on a public share",
        "key.destruction_scheduled" | "key.epoch_destroyed" | "key.released" => "the application it was made for is gone",
        "ledger.hold_placed" | "ledger.hold_released" | "privacy.subject.held" | "privacy.subject.released" => "decided in case 2026-117",
        "message.given_up" => "the server answered 550",
        "password.change_required" => "the mailbox was broken into",
        "privacy.subject.erased" => "the data subject asked for it",
        "refresh_token.replayed" => "used_before",
        "session.ended" => "signed_out",
        "sign_in.failed" => "wrong_password",
        "sign_in.unlocked" => "the owner called from a known number",
        "sink.refused" => "the mapping of the index does not know a field",
        "sink.stalled" => "the search cluster does not answer: connection refused",
        _ => return None,
    })
}

/// Who does a thing.
#[derive(Debug, Clone, Copy)]
enum Who {
    Account,
    Anonymous,
    Client,
    Operator,
    System(&'static str),
}

/// What the declaration of an own type does not say.
struct Row {
    name: &'static str,
    action: &'static str,
    who: Who,
    /// What kind of thing it is done to.
    resource: &'static str,
    outcome: &'static str,
}

const fn row(name: &'static str, action: &'static str, who: Who, resource: &'static str, outcome: &'static str) -> Row {
    Row { name, action, who, resource, outcome }
}

const OWN: &[Row] = &[
    row("access.denied", "authorize", Account, "", "denied"),
    row("account.created", "create", Account, "account", "success"),
    row("account.deleted", "delete", Account, "account", "success"),
    row("account.differs", "compare", System("accounts"), "account", "failure"),
    row("account.disabled", "disable", Account, "account", "success"),
    row("account.email_changed", "set_email", Anonymous, "account", "success"),
    row("account.email_verified", "verify_email", Anonymous, "account", "success"),
    row("account.enabled", "enable", Account, "account", "success"),
    row("account.identifier_set", "set_identifier", Account, "account", "success"),
    row("account.phone_set", "set_phone", Account, "account", "success"),
    row("account.profile_changed", "set_name", Account, "account", "success"),
    row("account.roles_changed", "set_roles", Account, "account", "success"),
    row("account.signed_up", "sign_up", Anonymous, "account", "success"),
    row("authenticator.added", "add", Account, "account", "success"),
    row("authenticator.cloned", "sign_in", Anonymous, "account", "denied"),
    row("authenticator.removed", "remove", Account, "account", "success"),
    row("backup.made", "back_up", Account, "", "success"),
    row("backup.rehearsed", "rehearse", Account, "", "success"),
    row("backup.restored", "restore", Operator, "", "success"),
    row("breach.changed", "change", Account, "breach", "success"),
    row("breach.closed", "close", Account, "breach", "success"),
    row("breach.opened", "open", Account, "breach", "success"),
    row("breach.reminder", "remind", System("compliance"), "breach", "success"),
    row("breach.signed", "sign", Account, "breach", "success"),
    row("breach.told", "tell", Account, "breach", "success"),
    row("client.changed", "change", Account, "client", "success"),
    row("client.code_replayed", "exchange", Client, "client", "failure"),
    row("client.consent_given", "consent", Account, "client", "success"),
    row("client.consent_withdrawn", "withdraw", Account, "client", "success"),
    row("client.created", "create", Account, "client", "success"),
    row("client.key_rolled", "roll", Account, "client", "success"),
    row("client.logout_told", "tell", System("sessions"), "client", "success"),
    row("client.logout_untold", "tell", System("sessions"), "client", "failure"),
    row("client.refused", "authenticate", Anonymous, "client", "failure"),
    row("client.revoked", "revoke", Account, "client", "success"),
    row("client.signed_in", "sign_in", Account, "client", "success"),
    row("client.signed_out", "end", Client, "client", "success"),
    row("client.token_issued", "issue", Client, "client", "success"),
    row("compliance.assessed", "assess", System("compliance"), "framework", "success"),
    row("compliance.assessment_overdue", "assess", System("watch"), "framework", "failure"),
    row("compliance.card_numbers_found", "scan", System("compliance"), "place", "success"),
    row("compliance.control_changed", "assess", System("compliance"), "control", "success"),
    row("compliance.control_differs", "compare", System("compliance"), "control", "failure"),
    row("compliance.probed", "probe", System("compliance"), "", "success"),
    row("compliance.stated", "state", Account, "control_statement", "success"),
    row("compliance.statement_approved", "approve", Account, "control_statement", "success"),
    row("compliance.statement_withdrawn", "withdraw", Account, "control_statement", "success"),
    row("configuration.reloaded", "reload", Account, "", "success"),
    row("consent.given", "give", Account, "purpose", "success"),
    row("consent.refused", "refuse", Account, "purpose", "success"),
    row("consent.withdrawn", "withdraw", Account, "purpose", "success"),
    row("data.expired", "expire", System("retention"), "collection", "success"),
    row("data.held", "hold", Account, "privacy_hold", "success"),
    row("data.released", "release", Account, "privacy_hold", "success"),
    row("device.disowned", "disown", Anonymous, "account", "success"),
    row("device.forgotten", "forget", Account, "account", "success"),
    row("device.seen", "see", Anonymous, "account", "success"),
    row("erasures.replayed", "replay", Account, "data_store", "success"),
    row("event_type.declared", "declare", Account, "event_type", "success"),
    row("event_type.removed", "remove", Account, "event_type", "success"),
    row("field_policy.changed", "set", Account, "field_policy", "success"),
    row("field_policy.deleted", "delete", Account, "field_policy", "success"),
    row("gateway.request", "", Account, "", "success"),
    row("gateway.requests", "", System("gateway"), "", "success"),
    row("limit.lifted", "lift", Account, "", "success"),
    row("gateway.requests_lost", "drop", System("gateway"), "", "failure"),
    row("grant.ended", "revoke", Account, "account", "success"),
    row("grant.given", "grant", Account, "account", "success"),
    row("group.changed", "set", Account, "group", "success"),
    row("group.deleted", "delete", Account, "group", "success"),
    row("group.member_changed", "set_member", Account, "group", "success"),
    row("key.backed_up", "back_up", Account, "key_backup", "success"),
    row("key.backup_deleted", "delete", Account, "key_backup", "success"),
    row("key.backup_rehearsed", "rehearse", Account, "key_backup", "success"),
    row("key.changed", "change", Account, "key", "success"),
    row("key.compromised", "mark", Account, "key", "success"),
    row("key.created", "create", Account, "key", "success"),
    row("key.destroyed", "destroy", Account, "key", "success"),
    row("key.destruction_scheduled", "schedule_destruction", Account, "key", "success"),
    row("key.epoch_began", "begin", System("keys"), "epoch", "success"),
    row("key.epoch_destroyed", "destroy", Account, "epoch", "success"),
    row("key.exported", "export", Account, "key", "success"),
    row("key.kept", "keep", Account, "key", "success"),
    row("key.provider_warned", "warn", System("keys"), "", "success"),
    row("key.released", "release", Account, "key", "success"),
    row("key.restored", "restore", System("restore"), "", "success"),
    row("key.rewrapped", "rewrap", System("keys"), "key_job", "success"),
    row("key.rotated", "rotate", Account, "key", "success"),
    row("key.used", "encrypt", Client, "key", "failure"),
    row("ledger.expired", "expire", System("retention"), "", "success"),
    row("ledger.exported", "export", Account, "", "success"),
    row("ledger.hold_placed", "hold", Account, "hold", "success"),
    row("ledger.hold_released", "release", Account, "hold", "success"),
    row("ledger.pruned", "prune", System("retention"), "", "success"),
    row("ledger.retention_refused", "expire", System("retention"), "", "denied"),
    row("ledger.silent", "miss", System("watch"), "event_type", "success"),
    row("message.given_up", "send", System("messages"), "", "failure"),
    row("message.refused", "send", Anonymous, "account", "denied"),
    row("outside.connected", "connect", Account, "account", "success"),
    row("outside.disconnected", "disconnect", Account, "account", "success"),
    row("outside.refused", "sign_in", Anonymous, "", "failure"),
    row("password.breached", "check", Anonymous, "account", "success"),
    row("password.change_required", "require_change", Account, "account", "success"),
    row("password.changed", "change", Account, "account", "success"),
    row("password.reminder_dismissed", "dismiss", Account, "account", "success"),
    row("password.reset", "reset", Anonymous, "account", "success"),
    row("password.reset_requested", "request", Anonymous, "account", "success"),
    row("privacy.subject.erased", "erase", Account, "key", "success"),
    row("privacy.subject.erasure_completed", "complete", Account, "key", "success"),
    row("privacy.subject.held", "hold", Account, "key", "success"),
    row("privacy.subject.released", "release", Account, "key", "success"),
    row("purpose.changed", "set", Account, "purpose", "success"),
    row("purpose.retired", "retire", Account, "purpose", "success"),
    row("refresh_token.replayed", "refresh", Anonymous, "session", "denied"),
    row("role.changed", "set", Account, "role", "success"),
    row("server.clock_changed", "set", System("watch"), "", "success"),
    row("server.started", "start", System("server"), "", "success"),
    row("server.stopped", "stop", System("server"), "", "success"),
    row("session.ended", "sign_out", Account, "session", "success"),
    row("session.extended", "extend", Account, "session", "success"),
    row("session.started", "sign_in", Account, "session", "success"),
    row("session.strengthened", "prove", Account, "session", "success"),
    row("setup_link.created", "create", Account, "", "success"),
    row("setup_link.used", "set_password", Account, "account", "success"),
    row("sign_in.failed", "sign_in", Anonymous, "account", "failure"),
    row("sign_in.locked", "lock", Anonymous, "account", "denied"),
    row("sign_in.unlocked", "unlock", Account, "account", "success"),
    row("signing_key.made", "make", System("keys"), "signing_key", "success"),
    row("signing_key.revoked", "revoke", Account, "signing_key", "success"),
    row("sink.rebuilt", "rebuild", Account, "sink", "success"),
    row("sink.reconciled", "reconcile", Account, "sink", "success"),
    row("sink.refused", "project", System("projection"), "sink", "failure"),
    row("sink.resumed", "resume", System("projection"), "sink", "success"),
    row("sink.stalled", "wait", System("projection"), "sink", "failure"),
    row("subject_request.approved", "approve", Account, "subject_request", "success"),
    row("subject_request.asked", "ask", Anonymous, "", "success"),
    row("subject_request.completed", "complete", System("privacy"), "subject_request", "success"),
    row("subject_request.extended", "extend", Account, "subject_request", "success"),
    row("subject_request.fetched", "fetch", Account, "subject_request", "success"),
    row("subject_request.planned", "plan", System("privacy"), "subject_request", "success"),
    row("subject_request.received", "receive", Account, "subject_request", "success"),
    row("subject_request.refused", "refuse", Account, "subject_request", "denied"),
    row("subject_request.step_done", "step", System("privacy"), "subject_request", "success"),
    row("subject_request.stopped", "stop", System("privacy"), "subject_request", "failure"),
    row("upstream.failed", "rest", System("gateway"), "upstream", "failure"),
    row("upstream.recovered", "resume", System("gateway"), "upstream", "success"),
    row("action.refused", "refuse", System("detection"), "alert", "denied"),
    row("address.blocked", "block", System("detection"), "block", "success"),
    row("address.unblocked", "unblock", Account, "block", "success"),
    row("alert.tested", "test", Account, "alert", "success"),
    row("alert.raised", "detect", System("detection"), "alert", "success"),
    row("incident.contained", "contain", Account, "incident", "success"),
    row("incident.moved", "move", Account, "incident", "success"),
    row("incident.opened", "open", System("detection"), "incident", "success"),
    row("incident.step_set", "check", Account, "incident", "success"),
    row("account.step_up_asked", "doubt", System("detection"), "account", "success"),
    row("rule.changed", "change", Account, "rule", "success"),
    row("rule.reset", "reset", Account, "rule", "success"),
    row("waf.exclusion_ended", "end", Account, "exclusion", "success"),
    row("waf.rule_excluded", "exclude", Account, "exclusion", "success"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{event_types, registry::APPLICATION_TYPES};

    #[test]
    fn every_own_type_has_one_row_and_every_row_a_type() {
        let declared: BTreeSet<&str> = event_types().map(|t| t.name).filter(|name| !APPLICATION_TYPES.contains(name)).collect();
        let rows: BTreeSet<&str> = OWN.iter().map(|row| row.name).collect();
        assert_eq!(declared, rows, "a new event type needs a row in `OWN`");
        assert_eq!(rows.len(), OWN.len());
    }

    #[test]
    fn an_example_is_a_whole_event() {
        let body: EventTypeBody = serde_json::from_value(json!({"name": "photo.shared", "sentence": "A photo was shared.", "severity": 2, "class": "traffic",
            "fields": [{"name": "album", "example": "summer"}, {"name": "with", "personal": true, "example": ["ada@example.com"]}]}))
        .unwrap();
        let stored = example(&body);
        for member in
            ["v", "id", "time", "recorded_at", "type", "outcome", "severity", "retain", "actor", "action", "resource", "source", "request", "metadata"]
        {
            assert!(!stored.event[member].is_null(), "{member}");
        }
        assert_eq!(
            (&stored.event["severity"], &stored.event["retain"], &stored.event["resource"]),
            (&json!(2), &json!("traffic"), &json!({"type": "photo", "id": "42"}))
        );
        assert_eq!((&stored.event["data"], &stored.event["personal"]), (&json!({"album": "summer"}), &json!({"with": ["ada@example.com"]})));
        assert_eq!(stored.leaf.len(), 64);
    }

    #[test]
    fn what_failed_is_not_shown_as_a_success() {
        let body: EventTypeBody = serde_json::from_value(json!({"name": "sign_in.failed", "sentence": "Somebody was refused.", "severity": 2})).unwrap();
        let event = example(&body).event;
        assert_eq!((&event["outcome"], &event["reason"], &event["actor"]["type"]), (&json!("failure"), &json!("wrong_password"), &json!("anonymous")));
    }
}
