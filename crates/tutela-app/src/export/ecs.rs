//! Events in the Elastic Common Schema, for exports and for the search cluster. What ECS has no
//! place for stands under `tutela`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tutela_api::EventTypeBody;

use super::Outgoing;

/// The version of ECS whose fields are used.
const VERSION: &str = "8.17.0";

/// An event as an ECS document.
pub(crate) fn ecs(out: &Outgoing<'_>) -> Value {
    let event = &out.stored.event;
    let (entry, item) = out.stored.position.split_once('.').unwrap_or((&out.stored.position, "0"));
    let number = |text: &str| text.parse::<u64>().unwrap_or(0);
    let actor = actor_text(event);
    let person = matches!(event["actor"]["type"].as_str(), Some("account" | "external"));
    let mut texts = Vec::new();
    for member in ["action", "reason", "data", "personal", "metadata"] {
        collect(&event[member], &mut texts);
    }
    let document = json!({
        "@timestamp": event["time"],
        "ecs": {"version": VERSION},
        "message": out.declared.sentence,
        "event": {
            "id": event["id"], "kind": "event", "category": out.declared.ecs.category, "type": out.declared.ecs.r#type,
            "action": event["action"], "code": event["type"], "outcome": outcome(event), "reason": event["reason"], "severity": event["severity"],
            "dataset": "tutela.audit", "provider": "tutela", "created": event["recorded_at"], "sequence": number(entry), "hash": out.stored.leaf,
        },
        "user": {"id": if person { Value::from(actor.clone()) } else { Value::Null }},
        "source": {"ip": event["source"]["ip"]},
        "user_agent": {"original": event["source"]["user_agent"]},
        "http": {"request": {"id": event["request"]["id"], "method": event["request"]["method"]}, "response": {"status_code": event["request"]["status"]}},
        "related": {"ip": list(&event["source"]["ip"]), "user": if person { list(&Value::from(actor.clone())) } else { Value::Null }},
        "tutela": {
            "ledger": out.origin, "position": out.stored.position, "item": number(item), "type": event["type"], "outcome": event["outcome"], "class": event["retain"],
            "actor": {"type": event["actor"]["type"], "id": actor},
            "resource": {"type": event["resource"]["type"], "id": event["resource"]["id"]},
            "session": event["session"], "route": event["request"]["route"],
            "data": event["data"], "personal": event["personal"], "metadata": event["metadata"], "erased": event["erased"],
            "text": if texts.is_empty() { Value::Null } else { Value::from(texts.join("\n")) },
        },
    });
    without_nulls(document)
}

/// The mapping of such documents, from the declarations of all types. A field that is not in it is
/// refused, but under `tutela.data`, where it is kept without being indexed.
pub(crate) fn properties<'a>(types: impl Iterator<Item = &'a EventTypeBody>) -> Value {
    let keyword = || json!({"type": "keyword", "ignore_above": 1024});
    let date = || json!({"type": "date"});
    let ip = || json!({"type": "ip", "ignore_malformed": true});
    // An object that is kept as it came.
    let kept = || json!({"type": "object", "enabled": false});
    let mut shapes: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for field in types.flat_map(|t| &t.fields).filter(|field| !field.personal) {
        let shape = shape(&field.example);
        // Types that disagree about a field leave it unindexed.
        shapes.entry(&field.name).and_modify(|known| *known = known.filter(|known| Some(*known) == shape)).or_insert(shape);
    }
    let data: Map<String, Value> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let mapped = match shape {
                Some("keyword") => keyword(),
                Some(shape) => json!({"type": shape, "ignore_malformed": true}),
                None => kept(),
            };
            (name.to_owned(), mapped)
        })
        .map(|(name, mapped)| if mapped == json!({"type": "boolean", "ignore_malformed": true}) { (name, json!({"type": "boolean"})) } else { (name, mapped) })
        .collect();
    json!({
        "dynamic": "strict",
        "properties": {
            "@timestamp": date(),
            "ecs": {"properties": {"version": keyword()}},
            "message": {"type": "text"},
            "event": {"properties": {
                "id": keyword(), "kind": keyword(), "category": keyword(), "type": keyword(), "action": keyword(), "code": keyword(), "outcome": keyword(),
                "reason": keyword(), "severity": {"type": "long"}, "dataset": keyword(), "provider": keyword(), "created": date(), "sequence": {"type": "long"}, "hash": keyword(),
            }},
            "user": {"properties": {"id": keyword()}},
            "source": {"properties": {"ip": ip()}},
            "user_agent": {"properties": {"original": keyword()}},
            "http": {"properties": {"request": {"properties": {"id": keyword(), "method": keyword()}}, "response": {"properties": {"status_code": {"type": "long"}}}}},
            "related": {"properties": {"ip": ip(), "user": keyword()}},
            "tutela": {"properties": {
                "ledger": keyword(), "position": keyword(), "item": {"type": "long"}, "type": keyword(), "outcome": keyword(), "class": keyword(),
                "actor": {"properties": {"type": keyword(), "id": keyword()}},
                "resource": {"properties": {"type": keyword(), "id": keyword()}},
                "session": keyword(), "route": keyword(), "subjects": keyword(), "erased": keyword(),
                "data": {"dynamic": false, "properties": data}, "personal": kept(), "metadata": kept(), "text": {"type": "text"},
            }},
        },
    })
}

/// What an example says of a field's shape; `None` for objects and mixed lists.
fn shape(example: &Value) -> Option<&'static str> {
    match example {
        Value::String(_) => Some("keyword"),
        Value::Number(n) => Some(if n.is_f64() { "double" } else { "long" }),
        Value::Bool(_) => Some("boolean"),
        Value::Array(items) => items.first().and_then(shape),
        Value::Null | Value::Object(_) => None,
    }
}

/// ECS knows no "denied": it is a failure whose type says so.
fn outcome(event: &Value) -> &str {
    match event["outcome"].as_str() {
        Some("success") => "success",
        Some("failure" | "denied") => "failure",
        _ => "unknown",
    }
}

/// The actor as it is written in a query.
pub(super) fn actor_text(event: &Value) -> Option<String> {
    let id = event["actor"]["id"].as_str()?;
    Some(match (event["actor"]["namespace"].as_str(), event["actor"]["type"].as_str()) {
        (Some(namespace), _) => format!("{namespace}:{id}"),
        (None, Some("operator")) => format!("operator:{id}"),
        (None, _) => id.to_owned(),
    })
}

fn list(value: &Value) -> Value {
    if value.is_null() { Value::Null } else { json!([value]) }
}

fn collect(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Number(n) => out.push(n.to_string()),
        Value::Array(items) => items.iter().for_each(|v| collect(v, out)),
        Value::Object(map) => map.values().for_each(|v| collect(v, out)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Without empty members, at every depth down to what came from outside.
pub(super) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map
                .into_iter()
                .map(|(name, value)| if ["data", "personal", "metadata"].contains(&name.as_str()) { (name, value) } else { (name, without_nulls(value)) });
            Value::Object(kept.filter(|(_, value)| !value.is_null() && value.as_object().is_none_or(|map| !map.is_empty())).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use tutela_api::StoredEvent;

    use super::*;

    #[test]
    fn every_member_of_a_document_is_in_the_mapping() {
        let types: Vec<EventTypeBody> = vec![
            serde_json::from_value(json!({"name": "photo.shared", "sentence": "A photo was shared.", "severity": 1, "fields": [{"name": "album", "example": "a"}, {"name": "n", "example": 3}]})).unwrap(),
            serde_json::from_value(json!({"name": "photo.kept", "sentence": "A photo was kept.", "severity": 1, "fields": [{"name": "n", "example": "three"}]})).unwrap(),
        ];
        let event = json!({"id": "019ab", "type": "photo.shared", "time": "2026-11-22T09:00:00Z", "recorded_at": "2026-11-22T09:00:00Z", "outcome": "denied", "severity": 3,
            "retain": "audit", "action": "share", "reason": "no", "actor": {"type": "external", "namespace": "photos", "id": "7"}, "resource": {"type": "album", "id": "9"},
            "source": {"ip": "192.0.2.7", "user_agent": "curl"}, "session": "s", "request": {"id": "r", "method": "GET", "route": "photos", "status": 403},
            "data": {"album": "x"}, "personal": {"p": 1}, "metadata": {"note": "whole family"}, "erased": ["source"]});
        let stored = StoredEvent { position: "7.3".into(), event, leaf: "00".into() };
        let document = ecs(&Outgoing { stored: &stored, declared: &types[0], origin: "example.com/log" });
        assert_eq!((&document["event"]["outcome"], &document["user"]["id"], &document["tutela"]["item"]), (&json!("failure"), &json!("photos:7"), &json!(3)));
        let mapping = properties(types.iter());
        assert_eq!(mapping["properties"]["tutela"]["properties"]["data"]["properties"]["n"], json!({"type": "object", "enabled": false}));
        fn covered(value: &Value, mapping: &Value, path: &str) {
            let Some(map) = value.as_object().filter(|_| mapping["enabled"] != false) else { return };
            for (name, value) in map {
                let inner = &mapping["properties"][name];
                assert!(!inner.is_null(), "{path}.{name} is not in the mapping");
                covered(value, inner, &format!("{path}.{name}"));
            }
        }
        covered(&document, &mapping, "");
    }
}
