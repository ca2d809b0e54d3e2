//! What rsigma finds with the same rules in the same events: SigmaHQ's rules, and rules of chance.
//! `TUTELA_RSIGMA` names the program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use serde_json::{Value, json};
use testkit::{files, shared};
use tutela_core::{Secret, Timestamp};
use tutela_detection::{Engine, Event, Metrics, Rules};

/// An event's number and the id of a rule that fits it.
type Found = BTreeSet<(u64, String)>;

/// By which an event is known in both answers; no rule asks for it.
const NUMBER: &str = "number__of__event";

fn ours(files: &[(String, String)], events: &[Value]) -> Found {
    let rules = Rules::load(files, &Metrics::default()).unwrap_or_else(|e| panic!("{e}"));
    let mut found = Found::new();
    for rule in rules.iter() {
        for (position, body) in events.iter().enumerate() {
            let mut engine = Engine::new(vec![Arc::clone(rule)], &Secret::new([1; 16]), 1 << 20);
            if !engine.take(&Event { body, time: Timestamp::from_secs(1_767_603_600), position: position as u64 }).is_empty() {
                found.insert((position as u64, rule.name.clone()));
            }
        }
    }
    found
}

fn theirs(rules: &Path, events: &[Value], folder: &Path) -> Found {
    let program = std::env::var("TUTELA_RSIGMA").expect("TUTELA_RSIGMA names the program");
    let file = folder.join("events.ndjson");
    std::fs::write(&file, events.iter().map(|event| format!("{event}\n")).collect::<String>()).unwrap();
    let out = Command::new(program)
        .args(["engine", "eval", "--include-event", "--quiet", "--output-format", "ndjson", "--rules"])
        .arg(rules)
        .arg("--event")
        .arg(format!("@{}", file.display()))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let line = |line: &str| {
        let found: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        (found["event"][NUMBER].as_u64().unwrap_or_else(|| panic!("{line}")), found["rule_id"].as_str().unwrap().to_owned())
    };
    String::from_utf8(out.stdout).unwrap().lines().map(line).collect()
}

fn same(files: &[(String, String)], rules: &Path, events: &[Value], folder: &Path) -> usize {
    let (ours, theirs) = (ours(files, events), theirs(rules, events, folder));
    let text = |found: &Found, other: &Found| {
        let differ = found.difference(other).take(5).map(|(at, rule)| {
            let rule = files.iter().find(|(_, text)| text.contains(rule.as_str())).map(|(_, text)| text.as_str()).unwrap_or_default();
            format!("{rule}\n{}", events[*at as usize])
        });
        differ.collect::<Vec<_>>().join("\n\n")
    };
    assert!(ours == theirs, "found by us alone:\n{}\n\nby rsigma alone:\n{}", text(&ours, &theirs), text(&theirs, &ours));
    ours.len()
}

#[test]
fn sigmahqs_rules_find_the_same_in_the_events_of_others() {
    let (Some(sigma), Some(panther)) = (shared("sigma/rules"), shared("panther")) else { return };
    let rules = files(&sigma, "yml");
    let mut events = Vec::new();
    for (_, text) in files(&panther, "yml") {
        let document: Value = serde_yaml_ng::from_str(&text).unwrap();
        for test in document["Tests"].as_array().into_iter().flatten() {
            let mut log = test["Log"].clone();
            if let Some(map) = log.as_object_mut() {
                map.insert(NUMBER.into(), json!(events.len()));
                events.push(log);
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let found = same(&rules, &sigma, &events, folder.path());
    println!("{} rules, {} events: {found} findings, the same", rules.len(), events.len());
    assert!(rules.len() > 380 && found > 300);
}

/// Chance that is the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

const FIELDS: [&str; 5] = ["name", "path", "code", "deep.inner", "flag"];

/// Without null: whether a member that is null exists the specification does not say, and both read it otherwise.
fn event(chance: &mut Chance, number: usize) -> Value {
    let texts = ["admin", "Admin", "C:\\Tools\\run.exe", "run.exe", "10.1.2.3", "2001:db8::7", "a*b", "a?b", "", "true", "4625", "-enc", "x y z", "QQ=="];
    let value = |chance: &mut Chance| match chance.below(8) {
        0 => json!(chance.of(&[0, 1, 7, 4625, -3])),
        1 => json!(chance.of(&[true, false])),
        3 => json!([chance.of(&texts), chance.of(&texts)]),
        _ => json!(chance.of(&texts)),
    };
    let mut map = serde_json::Map::from_iter([(NUMBER.to_owned(), json!(number))]);
    for name in FIELDS {
        if chance.below(4) > 0 {
            let value = value(chance);
            match name.split_once('.') {
                Some((outer, inner)) => drop(map.insert(outer.into(), json!({inner: value}))),
                None => drop(map.insert(name.into(), value)),
            }
        }
    }
    Value::Object(map)
}

fn selection(chance: &mut Chance) -> Value {
    let mut map = serde_json::Map::new();
    for _ in 0..=chance.below(2) {
        let field = chance.of(&FIELDS);
        let texts = ["admin", "ADMIN", "run.exe", "C:\\\\Tools*", "*exe", "a\\*b", "a?b", "10.1.2.3", "4625", "enc", "y", "true"];
        let (modifier, value) = match chance.below(14) {
            0 => ("|contains", json!(chance.of(&texts))),
            1 => ("|startswith", json!(chance.of(&texts))),
            2 => ("|endswith", json!(chance.of(&texts))),
            3 => ("|contains|all", json!([chance.of(&texts), chance.of(&texts)])),
            4 => ("", json!([chance.of(&texts), chance.of(&texts)])),
            5 => ("", json!(chance.of(&[1, 7, 4625]))),
            6 => ("", json!(chance.of(&[true, false]))),
            7 => ("|cidr", json!(chance.of(&["10.0.0.0/8", "192.168.0.0/16", "2001:db8::/32"]))),
            8 => ("|re", json!(chance.of(&["^adm", "exe$", "[0-9]+", "^a.b$"]))),
            9 => ("|re|i", json!(chance.of(&["^ADM", "EXE$"]))),
            10 => (chance.of(&["|gt", "|gte", "|lt", "|lte"]), json!(chance.of(&[0, 7, 4000]))),
            11 => ("|exists", json!(chance.of(&[true, false]))),
            12 => ("|cased", json!(chance.of(&["admin", "Admin", "run.exe"]))),
            _ => ("", json!(chance.of(&texts))),
        };
        map.insert(format!("{field}{modifier}"), value);
    }
    Value::Object(map)
}

#[test]
fn rules_of_chance_find_the_same() {
    let mut chance = Chance(0x2545_f491_4f6c_dd1d);
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    let conditions = ["a", "a and b", "a or b", "a and not b", "not a", "1 of them", "all of them", "a and not 1 of f_*", "(a or b) and not f_one"];
    let mut texts = Vec::new();
    for number in 0..600 {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let detection = json!({"a": selection(&mut chance), "b": selection(&mut chance), "f_one": selection(&mut chance), "condition": chance.of(&conditions)});
        let rule = json!({"title": format!("Rule {number}"), "id": id, "status": "test", "logsource": {"category": "application"}, "detection": detection});
        let text = serde_yaml_ng::to_string(&rule).unwrap();
        std::fs::write(rules.join(format!("{number}.yml")), &text).unwrap();
        texts.push((id, text));
    }
    let events: Vec<Value> = (0..400).map(|number| event(&mut chance, number)).collect();
    let found = same(&texts, &rules, &events, folder.path());
    println!("{} rules, {} events: {found} findings, the same", texts.len(), events.len());
    assert!(found > 1_000);
}
