//! Every automatic check by what is so on a running instance: a planted violation turns it red, a repair green. Nothing is
//! made up: what is planted goes through the API, the configuration or the database.
//!
//! What each check was seen as, in order, stands in `matrix/*.txt`.

mod key;
mod ledger;
mod people;
mod probe;
mod purpose;
mod setting;
mod store;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Mutex,
};

use reqwest::Method;
use serde_json::Value;
use tutela_http::route_table;

use super::{ALL, checks, execute, send};
use crate::server::Instance;

/// What checks were seen as, one after another.
#[derive(Default)]
pub struct Seen(Mutex<BTreeMap<String, Vec<String>>>);

impl Seen {
    /// A check stands so now.
    pub async fn is(&self, instance: &Instance, check: &str, outcome: &str) {
        self.are(instance, &[check], outcome).await;
    }

    /// Several checks stand so now.
    pub async fn are(&self, instance: &Instance, names: &[&str], outcome: &str) {
        let found = checks(instance).await;
        for name in names {
            assert_eq!(found.get(*name).map(String::as_str), Some(outcome), "{name}");
            let mut seen = self.0.lock().unwrap();
            let seen = seen.entry((*name).to_owned()).or_default();
            if seen.last().map(String::as_str) != Some(outcome) {
                seen.push(outcome.to_owned());
            }
        }
    }

    /// All of it is what the table says.
    pub fn matches(&self, table: &str) {
        let text: String = self.0.lock().unwrap().iter().map(|(check, seen)| format!("{check:<32}{}\n", seen.join(" -> "))).collect();
        let path = tables().join(format!("{table}.txt"));
        if std::env::var_os("TUTELA_BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "decide about the difference, then run with TUTELA_BLESS=1");
    }
}

fn tables() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/compliance/matrix")
}

#[tokio::test]
async fn no_check_is_without_something_that_turns_it_red_and_something_that_turns_it_green() {
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in std::fs::read_dir(tables()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|of| of == "txt")) {
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let (check, outcomes) = line.split_once(' ').unwrap();
            seen.entry(check.to_owned()).or_default().extend(outcomes.trim().split(" -> ").map(str::to_owned));
        }
    }
    let instance = Instance::start("sqlite", ALL).await;
    let found = send(&instance, Method::GET, "/v1/compliance", Value::Null).await;
    let controls = found["frameworks"].as_array().unwrap().iter().flat_map(|framework| framework["controls"].as_array().unwrap());
    let findings: Vec<&Value> = controls.flat_map(|control| control["findings"].as_array().unwrap()).collect();
    assert!(findings.len() > 60);
    let there: BTreeSet<&str> = route_table().iter().filter(|route| route.method == Method::GET).map(|route| route.path).collect();
    for finding in findings.into_iter().filter(|of| of["why"] != "this check is not there yet") {
        let check = finding["check"].as_str().unwrap();
        let seen = seen.get(check);
        assert!(seen.is_some_and(|seen| seen.contains("fail") && seen.contains("pass")), "{check}: {seen:?}");
        // Whoever wants to collect it again is told where.
        for path in finding["source"].as_str().unwrap().split(", ").filter_map(|source| source.strip_prefix("GET ")) {
            let path = path.split('?').next().unwrap();
            assert!(there.contains(path), "{check}: {path}");
        }
    }
}
