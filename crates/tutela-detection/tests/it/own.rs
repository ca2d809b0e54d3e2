//! The rules of a fresh installation.

use std::{path::Path, sync::Arc};

use serde_json::json;
use tutela_core::Secret;
use tutela_detection::{Action, Engine, Metrics, Mode, Rules};

pub fn metrics() -> Metrics {
    let mut metrics = Metrics::default();
    metrics.add(include_str!("../../../../rules/detection/metrics.yml")).unwrap();
    metrics
}

pub fn rules() -> Rules {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/detection");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| !path.ends_with("metrics.yml")).collect();
    files.sort();
    let files: Vec<(String, String)> = files.iter().map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap())).collect();
    Rules::load(&files, &metrics()).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn each_rule_finds_what_it_is_for_and_lets_its_like_be() {
    let rules = rules();
    assert!(rules.len() >= 25, "{}", rules.len());
    let mut failed = Vec::new();
    for rule in rules.iter() {
        assert!(rule.tests.iter().any(|test| test.alerts > 0), "{}: a test in which it fires", rule.name);
        failed.extend(rule.run_tests().into_iter().filter(|outcome| outcome.failure.is_some()));
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn ordinary_requests_are_not_opened_for_any_rule() {
    let engine = Engine::new(rules().iter().map(Arc::clone).collect(), &Secret::new([1; 16]), 1 << 20);
    for (event, wanted) in [
        (json!({"type": "gateway.request", "request": {"status": 200}, "data": {"waf_outcome": "passed"}}), false),
        (json!({"type": "gateway.request", "request": {"status": 404}, "data": {}}), true),
        (json!({"type": "gateway.request", "request": {"status": 403}, "data": {"waf_outcome": "refused"}}), true),
        (json!({"type": "sign_in.failed"}), true),
        (json!({"type": "server.started"}), false),
    ] {
        assert_eq!(engine.may_take(&event), wanted, "{event}");
    }
}

#[test]
fn the_two_rules_that_everybody_asks_for_are_there_under_their_names() {
    let rules = rules();
    let brute = rules.get("brute_force_detection").unwrap();
    assert_eq!((brute.actions.as_slice(), brute.mode), ([Action::BlockIp].as_slice(), Mode::Act));
    let bounded = brute.bounded().unwrap();
    assert_eq!((bounded.count, bounded.types.as_slice()), (6, ["sign_in.failed".to_owned()].as_slice()));
    let suspicious = rules.get("suspicious_activity").unwrap();
    assert_eq!((suspicious.actions.as_slice(), suspicious.mode), ([Action::AlertAdmin].as_slice(), Mode::Alert));
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    let metrics = metrics();
    for (yaml, says) in [
        ("{name: a, condition: failed_logins > 5, window: 5m}", "there is no metric `failed_logins`"),
        ("{name: a, condition: failed_login_attempts > 5, window: 5x}", "window"),
        ("{name: a, condition: failed_login_attempts < 5, window: 5m}", "silence"),
        ("{name: a, condition: failed_login_attempts > 5, window: 5m, action: block}", "there is no action `block`"),
        ("{name: a, condition: failed_login_attempts > five, window: 5m}", "`five` is no number"),
        ("{name: a, condition: failed_login_attempts > 5, window: 5m, windows: 5m}", "windows"),
        ("{name: a, condition: failed_login_attempts > 5}", "window"),
        ("{name: a b, condition: failed_login_attempts > 5, window: 5m}", "`name`"),
        ("{name: a, condition: failed_login_attempts > 5 and, window: 5m}", "empty"),
        ("{name: a, condition: events, window: 5m}", "neither `events` nor `where`"),
        ("{name: a, condition: failed_login_attempts > 5, window: 400d}", "at most"),
        ("[1, 2]", "a rule is a map"),
        ("{title: x, detection: {a: {b: 1}}}", "condition"),
        ("{title: x, detection: {a: {b: 1}, condition: c}}", "there is no selection `c`"),
        ("{title: x, correlation: {type: event_count, rules: [nothing], timespan: 1m, condition: {gte: 5}}}", "there is no rule `nothing`"),
    ] {
        let error = Rules::load(&[("file.yml".into(), yaml.into())], &metrics).expect_err(yaml).to_string();
        assert!(error.contains(says), "{yaml}: {error}");
    }
}
