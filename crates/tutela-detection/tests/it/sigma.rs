//! Sigma: rules that others have written, and correlations.

use std::sync::Arc;

use serde_json::json;
use testkit::{files, shared};
use tutela_core::{Secret, Timestamp};
use tutela_detection::{Engine, Event, Metrics, Rules};

#[test]
fn the_rules_of_sigmahq_for_applications_cloud_and_identity_load_unchanged() {
    let Some(folder) = shared("sigma") else { return };
    let all = files(&folder, "yml");
    let failed: Vec<String> = all.iter().filter_map(|file| Rules::load(std::slice::from_ref(file), &Metrics::default()).err()).map(|e| e.to_string()).collect();
    assert!(failed.is_empty() && all.len() > 380, "{} of {}: {failed:#?}", failed.len(), all.len());
    let rules = Rules::load(&all, &Metrics::default()).unwrap();
    assert!(rules.len() > 380, "{}", rules.len());
    assert!(rules.iter().all(|rule| rule.credit.is_some()), "whoever wrote a rule is named in its alerts");
}

fn alerts(rules: &str, events: &[(i64, serde_json::Value)]) -> Vec<String> {
    let rules = Rules::load(&[("rules".into(), rules.into())], &Metrics::default()).unwrap_or_else(|e| panic!("{e}"));
    let mut engine = Engine::new(rules.iter().map(Arc::clone).collect(), &Secret::new([1; 16]), 1 << 20);
    let take = |(position, (second, body)): (usize, &(i64, serde_json::Value))| {
        engine.take(&Event { body, time: Timestamp::from_secs(1_767_603_600 + second), position: position as u64 })
    };
    events.iter().enumerate().flat_map(take).map(|alert| alert.rule.to_string()).collect()
}

const PARTS: &str = r"
title: Failed
name: failed
status: test
logsource: {product: app}
detection: {selection: {what: failed}, condition: selection}
---
title: Worked
name: worked
logsource: {product: app}
detection: {selection: {what: worked}, condition: selection}
---
";

#[test]
fn a_filter_narrows_the_rules_that_it_names_and_a_correlation_over_them() {
    let many = "title: Many\nname: many\ncorrelation: {type: event_count, rules: [failed], group-by: [user], timespan: 5m, condition: {gte: 2}}\n---\n";
    let filter = |rules: &str| {
        format!("{PARTS}{many}title: Not the probe\nlogsource: {{product: app}}\nfilter: {{rules: {rules}, probe: {{user: probe}}, condition: not probe}}\n")
    };
    let by = |user: &str| json!({"what": "failed", "user": user});
    let events = [(0, by("probe")), (1, by("probe")), (2, by("ada")), (3, by("ada"))];
    assert_eq!(alerts(&format!("{PARTS}{many}"), &events), ["many", "many"]);
    assert_eq!(alerts(&filter("[failed]"), &events), ["many"]);
    assert_eq!(alerts(&filter("any"), &events), ["many"]);
    assert_eq!(alerts(&filter("[worked]"), &events), ["many", "many"]);
    assert!(Rules::load(&[("x".into(), filter("[nobody]"))], &Metrics::default()).unwrap_err().to_string().contains("nobody"));
}

#[test]
fn correlations_count_and_order_as_the_specification_says() {
    let event = |what: &str, user: &str, host: &str| json!({"what": what, "user": user, "login": user, "host": host});
    let count =
        format!("{PARTS}title: Many\nname: many\ncorrelation: {{type: event_count, rules: [failed], group-by: [user], timespan: 5m, condition: {{gte: 3}}}}\n");
    let three: Vec<_> = (0..3).map(|n| (n * 100, event("failed", "ada", "a"))).collect();
    assert_eq!(alerts(&count, &three), ["many"], "and the rule that it counts is silent");
    assert!(alerts(&count, &(0..3).map(|n| (n * 200, event("failed", "ada", "a"))).collect::<Vec<_>>()).is_empty());
    assert!(alerts(&count, &[(0, event("failed", "ada", "a")), (1, event("failed", "bob", "a")), (2, event("failed", "eve", "a"))]).is_empty());
    let values = format!(
        "{PARTS}title: Wide\nname: wide\ncorrelation: {{type: value_count, rules: failed, group-by: [user], timespan: 5m, condition: {{gt: 1, field: host}}}}\n"
    );
    assert_eq!(alerts(&values, &[(0, event("failed", "ada", "a")), (1, event("failed", "ada", "a")), (2, event("failed", "ada", "b"))]), ["wide"]);
    let ordered = |kind: &str| {
        format!(
            "{PARTS}title: Both\nname: both\ncorrelation: {{type: {kind}, rules: [failed, worked], group-by: [user], timespan: 5m, aliases: {{user: {{failed: user, worked: login}}}}}}\n"
        )
    };
    let (failed, worked) = (event("failed", "ada", "a"), event("worked", "ada", "a"));
    for (kind, events, fires) in [
        ("temporal", [(0, failed.clone()), (10, worked.clone())], true),
        ("temporal", [(0, worked.clone()), (10, failed.clone())], true),
        ("temporal_ordered", [(0, failed.clone()), (10, worked.clone())], true),
        ("temporal_ordered", [(0, worked.clone()), (10, failed.clone())], false),
        ("temporal_ordered", [(0, failed.clone()), (400, worked.clone())], false),
        ("temporal", [(0, failed.clone()), (10, event("worked", "bob", "a"))], false),
    ] {
        assert_eq!(alerts(&ordered(kind), &events).len(), usize::from(fires), "{kind} {events:?}");
    }
    let each = format!("{count}---\n").replace("correlation: {", "correlation: {generate: true, ");
    assert_eq!(alerts(&each, &three).iter().filter(|name| *name == "failed").count(), 1, "asked for, it runs by itself too, once an hour for all");
}
