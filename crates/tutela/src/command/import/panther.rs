//! Both formats over labelled events that others wrote for their detection rules.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde_json::Value;
use tutela_api::{NewEvent, ResourceRef, SubjectRef};

use super::{cloudtrail, okta};

/// The labelled events of a family of rules, where the folder is there.
fn events(family: &str) -> Option<Vec<(String, Value)>> {
    let folder = testkit::shared(&format!("panther/rules/{family}"))?;
    let mut found = Vec::new();
    for (path, text) in testkit::files(&folder, "yml") {
        let rule: Value = serde_yaml_ng::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
        // A few tests have no event of their own.
        let events = rule["Tests"].as_array().into_iter().flatten().map(|test| test["Log"].clone()).filter(Value::is_object);
        found.extend(events.map(|event| (path.clone(), event)));
    }
    Some(found)
}

/// Converts all of them: how many there were, and how often which field was the reason for a refusal.
fn convert(family: &str, convert: fn(&Value) -> Result<Value, String>) -> Option<(usize, BTreeMap<String, usize>)> {
    let events = events(family)?;
    let mut refused = BTreeMap::new();
    for (path, record) in &events {
        match convert(record) {
            Ok(event) => check(path, record, &event),
            Err(error) => *refused.entry(error.split('`').nth(1).unwrap_or(&error).to_owned()).or_default() += 1,
        }
    }
    Some((events.len(), refused))
}

/// What was made is an event that the server takes, and nothing of the record is lost.
fn check(path: &str, record: &Value, event: &Value) {
    let new: NewEvent = serde_json::from_value(event.clone()).unwrap_or_else(|e| panic!("{path}: {e}"));
    let short = |text: &Option<String>, most: usize| text.as_ref().is_none_or(|text| (1..=most).contains(&text.len()));
    assert!(new.kind.len() <= 128 && new.kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b)), "{path}: {}", new.kind);
    assert!(short(&new.action, 128) && new.action.is_some() && short(&new.reason, 1_024), "{path}");
    assert!(["success", "failure", "denied", "unknown"].contains(&new.outcome.as_deref().unwrap()), "{path}");
    assert!(new.time.is_none_or(|time| time.parse::<tutela_core::Timestamp>().is_ok()), "{path}");
    let Some(SubjectRef::External(actor)) = new.actor else { panic!("{path}: nobody did it") };
    assert!((1..=256).contains(&actor.value.len()) && ["aws", "okta"].contains(&actor.namespace.as_str()), "{path}");
    if let Some(resource) = new.resource {
        let ResourceRef::Typed(resource) = resource else { panic!("{path}: a resource without a type") };
        assert!((1..=64).contains(&resource.kind.len()) && (1..=512).contains(&resource.id.len()) && !resource.id.contains(":user/"), "{path}");
    }
    let source = new.source.unwrap_or_default();
    assert!(short(&source.user_agent, 512) && source.ip.is_none_or(|ip| ip.parse::<IpAddr>().is_ok()), "{path}");
    let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
    texts(record, "", &mut before);
    texts(event, "", &mut after);
    let after: BTreeSet<&str> = after.iter().map(|(_, text)| text.as_str()).collect();
    for (member, text) in &before {
        // These are written in another way.
        let rewritten = ["eventsource", "eventtime", "eventtype", "published"].contains(&member.to_lowercase().as_str());
        assert!(rewritten || after.contains(text.as_str()), "{path}: `{member}` is lost");
    }
}

/// Every text in a value, with the name of the member it belongs to.
fn texts(value: &Value, member: &str, out: &mut BTreeSet<(String, String)>) {
    match value {
        Value::String(text) => {
            out.insert((member.to_owned(), text.clone()));
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, member, out)),
        Value::Object(map) => map.iter().for_each(|(name, value)| texts(value, name, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn every_cloudtrail_record_of_the_labelled_events_converts() {
    let Some((count, refused)) = convert("aws_cloudtrail_rules", cloudtrail) else { return testkit::skip("no shared data") };
    // Two were written without the service, two with a placeholder for the time.
    assert_eq!((count, refused), (461, BTreeMap::from([("eventSource".to_owned(), 2), ("eventTime".to_owned(), 2)])));
}

#[test]
fn every_okta_record_of_the_labelled_events_converts() {
    let Some((count, refused)) = convert("okta_rules", okta) else { return testkit::skip("no shared data") };
    // 26 are rows of a statistic over the log and no records of it; four have a placeholder for the time.
    assert_eq!((count, refused), (100, BTreeMap::from([("eventType".to_owned(), 26), ("published".to_owned(), 4)])));
}
