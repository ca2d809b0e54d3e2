//! Events in the Open Cybersecurity Schema Framework, 1.9.0-dev, with its `record_integrity` profile.
//!
//! For the classes that `tutela-core`'s mapping names, every attribute that the class requires is
//! there, with what the event says or a plain `unknown`. A type that an application declared may name
//! any class: it gets what all classes have (who, when, how it ended), and endpoint, HTTP request and
//! resource where the class has a place for them. What such a class requires beyond that (the
//! `finding_info` of a finding, the `file` of a file activity) is not guaranteed: no event says it.
//! Our own words stand under `unmapped`, alike in every class.

mod class;

use serde_json::{Map, Value, json};
use tutela_core::Timestamp;
use tutela_ledger::Checkpoint;

use super::Outgoing;
use crate::usecase::search::hex;

const VERSION: &str = "1.9.0-dev";
/// OCSF "other".
const OTHER: u8 = 99;

/// Who vouches for exported events.
pub(crate) struct Integrity<'a> {
    /// The ledger's key, `name+hash+key`.
    pub authority: &'a str,
    /// A checkpoint as a signed note; it becomes a signature where it covers the event.
    pub checkpoint: Option<&'a str>,
}

/// An event as an OCSF document.
pub(crate) fn ocsf(out: &Outgoing<'_>, integrity: &Integrity<'_>) -> Value {
    let event = &out.stored.event;
    let class = out.declared.ocsf.class_uid;
    let activity = class::activity(class, out.declared.ocsf.activity_id, event);
    let denied = event["outcome"] == "denied";
    let (severity_id, severity) = severity(event);
    let mut document = object(json!({
        "class_uid": class,
        "category_uid": class / 1_000,
        "activity_id": activity,
        // "Other" has to be named.
        "activity_name": if activity == OTHER { event["action"].as_str().or(event["type"].as_str()) } else { None },
        "type_uid": u64::from(class) * 100 + u64::from(activity),
        "time": millis(&event["time"]),
        "timezone_offset": 0,
        "message": out.declared.sentence,
        "severity_id": severity_id,
        "severity": severity,
        "status_code": event["request"]["status"].as_u64().map(|status| status.to_string()),
        "status_detail": event["reason"].as_str().or(denied.then_some("denied")),
        "count": event["items"]["count"],
        "metadata": metadata(out, profiles(class, denied)),
        "actor": class::actor(event),
        "attestation_list": [attestation(out, integrity)],
    }));
    // In a finding, the status is that of the investigation, which no event knows.
    if class / 1_000 != 2 {
        let (status_id, status) = status(event);
        document.extend([("status_id".to_owned(), json!(status_id)), ("status".to_owned(), json!(status))]);
    }
    // Attributes of the profile `security_control`.
    if denied {
        document.extend(object(json!({"action_id": 2, "action": "Denied", "disposition_id": 2, "disposition": "Blocked"})));
    }
    document.extend(class::attributes(class, event, out.origin));
    let mut document = object(compact(Value::Object(document)));
    // HTTP Activity asks for a request or a response; of a batch of requests there is nothing single to say.
    if class == class::HTTP && !document.contains_key("http_response") {
        document.entry("http_request").or_insert_with(|| json!({}));
    }
    document.insert("unmapped".to_owned(), unmapped(out, integrity));
    Value::Object(document)
}

/// The profiles whose attributes are used. `host` gives an actor to classes that have none of their own.
fn profiles(class: u32, denied: bool) -> Vec<&'static str> {
    let mut profiles = vec!["record_integrity"];
    if !class::has_actor(class) {
        profiles.push("host");
    }
    if denied {
        profiles.push("security_control");
    }
    profiles
}

fn metadata(out: &Outgoing<'_>, profiles: Vec<&'static str>) -> Value {
    let event = &out.stored.event;
    let entry = out.stored.position.split('.').next().and_then(|entry| entry.parse::<u64>().ok());
    json!({
        "version": VERSION,
        "product": {"name": "tutela", "vendor_name": "tutela", "version": env!("CARGO_PKG_VERSION")},
        "profiles": profiles,
        "uid": event["id"],
        "event_code": event["type"],
        "sequence": entry,
        "logged_time": millis(&event["recorded_at"]),
        "original_time": event["time"],
        "log_name": out.origin,
        "log_provider": "tutela",
        "correlation_uid": event["request"]["id"],
    })
}

/// What the ledger vouches for. The fingerprint is the leaf hash: SHA-256 over a zero byte and the
/// sealed record in canonical form (RFC 6962 §2.1, RFC 8785). It is that of the record as it was
/// written, not of this document, which is a reader's view of it with personal fields opened.
fn attestation(out: &Outgoing<'_>, integrity: &Integrity<'_>) -> Value {
    json!({
        "uid": format!("{}#{}", out.origin, out.stored.position),
        "authority_uid": integrity.authority,
        "chain_uid": out.origin,
        "fingerprint": {
            "algorithm_id": 3, "algorithm": "SHA-256", "serialization_id": 2, "serialization": "JCS", "encoding_id": 1, "encoding": "Hex",
            "value": out.stored.leaf,
        },
        "signatures": covering(out, integrity).map(|checkpoint| json!([{
            // OCSF has no number for Ed25519, nor for signed notes.
            "algorithm_id": OTHER, "algorithm": "Ed25519", "serialization_id": OTHER, "serialization": "C2SP signed-note",
            // What the note signs: the root of the tree that this record is a leaf of.
            "digest": {"algorithm_id": 3, "algorithm": "SHA-256", "encoding_id": 1, "encoding": "Hex", "value": hex(&checkpoint.root)},
        }])),
    })
}

/// The checkpoint, where it is of this ledger and its tree has this event in it.
fn covering(out: &Outgoing<'_>, integrity: &Integrity<'_>) -> Option<Checkpoint> {
    let entry: u64 = out.stored.position.split('.').next()?.parse().ok()?;
    let checkpoint = Checkpoint::parse(integrity.checkpoint?).ok()?;
    (checkpoint.origin == out.origin && entry < checkpoint.size).then_some(checkpoint)
}

/// The event in our own words, and the signed note, which no attribute of a signature can hold.
fn unmapped(out: &Outgoing<'_>, integrity: &Integrity<'_>) -> Value {
    const OURS: &[&str] = &["outcome", "actor", "resource", "session", "request", "items", "data", "personal", "metadata", "erased"];
    let event = &out.stored.event;
    let mut unmapped = object(json!({"position": out.stored.position, "class": event["retain"]}));
    unmapped.extend(OURS.iter().map(|name| ((*name).to_owned(), event[*name].clone())));
    if !class::has_http(out.declared.ocsf.class_uid) {
        unmapped.insert("source".to_owned(), event["source"].clone());
    }
    if covering(out, integrity).is_some() {
        unmapped.insert("checkpoint".to_owned(), json!(integrity.checkpoint));
    }
    unmapped.retain(|_, value| !value.is_null());
    Value::Object(unmapped)
}

fn status(event: &Value) -> (u8, &'static str) {
    match event["outcome"].as_str() {
        Some("success") => (1, "Success"),
        Some("failure" | "denied") => (2, "Failure"),
        _ => (0, "Unknown"),
    }
}

fn severity(event: &Value) -> (u8, &'static str) {
    match event["severity"].as_u64() {
        Some(1) => (1, "Informational"),
        Some(2) => (2, "Low"),
        Some(3) => (3, "Medium"),
        Some(4) => (4, "High"),
        Some(5) => (5, "Critical"),
        _ => (0, "Unknown"),
    }
}

/// Milliseconds since 1970. What the ledger holds is always a time; zero would be a stored event that is not one.
fn millis(time: &Value) -> i64 {
    time.as_str().and_then(|text| text.parse::<Timestamp>().ok()).map_or(0, |time| time.micros().div_euclid(1_000))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Without members that are null or empty, at every depth.
fn compact(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().map(|(name, value)| (name, compact(value)));
            Value::Object(kept.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(compact).collect()),
        other => other,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use tutela_api::{EventTypeBody, StoredEvent};

    use super::*;
    use crate::export::example::example;

    const ORIGIN: &str = "tutela.example.com/1";
    const AUTHORITY: &str = "tutela.example.com/1+033de0ae+AQ==";

    fn declared(name: &str, class_uid: u32, activity_id: u8) -> EventTypeBody {
        let ocsf = json!({"class_uid": class_uid, "activity_id": activity_id});
        serde_json::from_value(json!({"name": name, "sentence": "Something happened.", "severity": 2, "ocsf": ocsf})).unwrap()
    }

    fn document(body: &EventTypeBody, change: impl FnOnce(&mut StoredEvent), checkpoint: Option<&str>) -> Value {
        let mut stored = example(body);
        change(&mut stored);
        ocsf(&Outgoing { stored: &stored, declared: body, origin: ORIGIN }, &Integrity { authority: AUTHORITY, checkpoint })
    }

    /// A signed note over a tree of `size` entries; the signature is not looked at here.
    fn note(origin: &str, size: u64) -> String {
        format!("{origin}\n{size}\nq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=\n\n\u{2014} {origin} AAAA\n")
    }

    #[test]
    fn what_all_classes_have_is_there() {
        let body = declared("photo.shared", 6003, 99);
        let doc = document(&body, |_| {}, None);
        assert_eq!((&doc["class_uid"], &doc["category_uid"], &doc["type_uid"]), (&json!(6003), &json!(6), &json!(600_399)));
        assert_eq!((&doc["activity_name"], &doc["status"], &doc["severity"]), (&json!("shared"), &json!("Success"), &json!("Low")));
        assert_eq!((&doc["time"], &doc["metadata"]["sequence"]), (&json!(1_795_339_800_000_i64), &json!(4711)));
        assert_eq!(doc["metadata"]["profiles"], json!(["record_integrity"]));
        assert_eq!(doc["unmapped"]["metadata"], json!({"note": "for the whole family"}));
        assert!(doc["unmapped"]["source"].is_null());
    }

    #[test]
    fn the_leaf_hash_is_attested_and_a_checkpoint_signs_only_what_it_covers() {
        let body = declared("photo.shared", 6003, 99);
        let plain = document(&body, |_| {}, None);
        let attested = &plain["attestation_list"][0];
        assert_eq!(
            (&attested["chain_uid"], &attested["authority_uid"], &attested["uid"]),
            (&json!(ORIGIN), &json!(AUTHORITY), &json!("tutela.example.com/1#4711"))
        );
        assert_eq!(attested["fingerprint"]["value"], example(&body).leaf);
        assert!(attested["signatures"].is_null() && plain["unmapped"]["checkpoint"].is_null());
        let signed = document(&body, |_| {}, Some(&note(ORIGIN, 4712)));
        assert_eq!(signed["attestation_list"][0]["signatures"][0]["digest"]["value"], "ab".repeat(32));
        assert_eq!(signed["unmapped"]["checkpoint"], note(ORIGIN, 4712));
        for other in [note(ORIGIN, 4711), note("elsewhere.example.com/1", 9999), "not a note".to_owned()] {
            assert!(document(&body, |_| {}, Some(&other))["attestation_list"][0]["signatures"].is_null());
        }
    }

    #[test]
    fn a_denied_event_is_a_failure_that_a_control_blocked() {
        let body = declared("access.denied", 6003, 99);
        let doc = document(&body, |_| {}, None);
        assert_eq!(
            (&doc["status_id"], &doc["status_detail"], &doc["action_id"], &doc["disposition"]),
            (&json!(2), &json!("denied"), &json!(2), &json!("Blocked"))
        );
        assert_eq!(doc["metadata"]["profiles"], json!(["record_integrity", "security_control"]));
        assert_eq!(doc["unmapped"]["outcome"], "denied");
    }

    #[test]
    fn who_was_erased_is_still_somebody() {
        let erase = |stored: &mut StoredEvent| {
            stored.event["actor"] = json!({"type": "external", "namespace": "photos"});
            stored.event["erased"] = json!(["source", "actor.id"]);
            stored.event["source"] = Value::Null;
        };
        let doc = document(&declared("photo.shared", 6003, 99), erase, None);
        assert_eq!(doc["actor"]["user"], json!({"name": "erased", "domain": "photos", "type": "Unknown", "type_id": 0}));
        assert_eq!(doc["src_endpoint"], json!({"name": "erased"}));
        assert_eq!(doc["unmapped"]["erased"], json!(["source", "actor.id"]));
    }

    #[test]
    fn the_activity_of_a_request_is_its_method() {
        let body = declared("gateway.request", 4002, 99);
        let doc = document(&body, |_| {}, None);
        assert_eq!((&doc["activity_id"], &doc["http_request"]["http_method"], &doc["http_response"]["code"]), (&json!(3), &json!("GET"), &json!(200)));
        let odd = document(&body, |stored| stored.event["request"]["method"] = json!("BREW"), None);
        assert_eq!((&odd["activity_id"], &odd["http_request"]["http_method"]), (&json!(99), &Value::Null));
        assert_eq!(odd["unmapped"]["request"]["method"], "BREW");
        let batch = document(&declared("gateway.requests", 4002, 99), |_| {}, None);
        assert_eq!((&batch["http_request"], &batch["count"]), (&json!({}), &json!(3)));
    }

    #[test]
    fn decrypting_is_not_called_encrypting() {
        let body = declared("key.used", 6005, 9);
        assert_eq!(document(&body, |_| {}, None)["activity_id"], 9);
        assert_eq!(document(&body, |stored| stored.event["action"] = json!("decrypt_record"), None)["type_uid"], 600_510);
    }

    #[test]
    fn an_address_that_is_none_is_a_name() {
        let body = declared("sign_in.failed", 3002, 1);
        let typed = |text: &str| document(&body, |stored| stored.event["personal"] = json!({"email": text}), None)["user"].clone();
        assert_eq!(typed("ada@example.com")["email_addr"], "ada@example.com");
        for text in ["ada", "ada@", "@example.com", "a b@example.com", "ada@example", "ada@example.", "ada@ex_ample.com", "ada@.com"] {
            assert_eq!((&typed(text)["name"], &typed(text)["email_addr"]), (&json!(text), &Value::Null));
        }
    }
}
