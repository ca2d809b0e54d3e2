//! Events of clouds whose answers others have given, against rules that say the same in our words.

use std::sync::Arc;

use testkit::{files, shared};
use tutela_core::{Secret, Timestamp};
use tutela_detection::{Engine, Event, Metrics, Rules};

const RULES: &str = include_str!("../data/cloud.yml");

/// Some of the logs were written down with names in lower case, which neither cloud does.
fn as_recorded(log: &serde_json::Value) -> serde_json::Value {
    let mut log = log.clone();
    if let Some(map) = log.as_object_mut() {
        for (written, name) in [("eventtype", "eventType"), ("eventname", "eventName"), ("eventsource", "eventSource")] {
            if let Some(value) = map.remove(written) {
                map.insert(name.to_owned(), value);
            }
        }
    }
    log
}

/// Of the events that should be found, how many are; of those that are found, how many should be.
#[test]
fn labelled_events_are_found_and_their_like_are_not() {
    let Some(folder) = shared("panther") else { return };
    let rules = Rules::load(&[("cloud.yml".into(), RULES.into())], &Metrics::default()).unwrap_or_else(|e| panic!("{e}"));
    let labelled = files(&folder, "yml");
    let (mut right, mut missed, mut false_alarms, mut judged, mut used) = (0, Vec::new(), Vec::new(), 0, 0);
    for (file, text) in &labelled {
        let document: serde_json::Value = serde_yaml_ng::from_str(text).unwrap_or_else(|e| panic!("{file}: {e}"));
        let Some(rule) = document["RuleID"].as_str().and_then(|id| rules.get(id)) else { continue };
        used += 1;
        for test in document["Tests"].as_array().into_iter().flatten() {
            let mut engine = Engine::new(vec![Arc::clone(rule)], &Secret::new([1; 16]), 1 << 20);
            let log = as_recorded(&test["Log"]);
            let found = !engine.take(&Event { body: &log, time: Timestamp::from_secs(1_767_603_600), position: 1 }).is_empty();
            let name = format!("{}: {}", rule.name, test["Name"].as_str().unwrap_or_default());
            judged += 1;
            match (test["ExpectedResult"].as_bool() == Some(true), found) {
                (true, true) => right += 1,
                (true, false) => missed.push(name),
                (false, true) => false_alarms.push(name),
                (false, false) => {}
            }
        }
    }
    let recall = f64::from(right) / (f64::from(right) + missed.len() as f64);
    let precision = f64::from(right) / (f64::from(right) + false_alarms.len() as f64);
    println!("{used} rules, {judged} events: recall {recall:.3}, precision {precision:.3}; missed {missed:#?}, false {false_alarms:#?}");
    assert!(used == rules.len(), "a rule has no labelled events");
    assert!(judged > 200 && recall >= 0.95 && precision >= 0.95, "recall {recall:.3}, precision {precision:.3}: missed {missed:#?}, false {false_alarms:#?}");
}
