//! `detection`: events through the rules, in this process, in CPU time of one thread: four of our own with the memory
//! they keep, and SigmaHQ's over CloudTrail and Okta events that others have labelled. Then the whole program beside
//! others that watch for the same ([`beside`]).

mod beside;

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};
use tutela_core::{Secret, Timestamp};
use tutela_detection::{Engine, Event, Metrics, OWN_METRICS, OWN_RULES, Rules};

use crate::{flags::Flags, machine, report::Report, stats::median};

const BEGIN: i64 = 1_767_603_600;
/// The four: two that count, one that orders, one that sums up what was never seen before.
const FOUR: [&str; 4] = ["brute_force_detection", "password_spraying", "success_after_failures", "suspicious_activity"];

/// `detection [--events N] [--rounds N]`.
pub fn run(flags: &Flags) -> Result<(), String> {
    flags.only(&["events", "rounds"])?;
    let (events, rounds) = (flags.number("events", 500_000), flags.number("rounds", 5));
    let shared = std::env::var("TUTELA_SHARED").unwrap_or_else(|_| "../shared".into());
    let mut metrics = Metrics::default();
    metrics.add(OWN_METRICS)?;
    let own: Vec<(String, String)> = OWN_RULES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let own = Rules::load(&own, &metrics).map_err(|e| e.to_string())?;
    let four = || FOUR.iter().filter_map(|name| own.get(name)).map(Arc::clone).collect::<Vec<_>>();
    let mut report = Report::new("detection");
    let lines = sign_ins(events);
    let (mut rates, mut all_rates) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut engine = Engine::new(four(), &Secret::new([1; 16]), 1 << 30);
        rates.push(rate(&mut engine, &lines)?);
        let mut engine = Engine::new(own.iter().map(Arc::clone).collect(), &Secret::new([1; 16]), 1 << 30);
        all_rates.push(rate(&mut engine, &lines)?);
        println!("{:.0} events/s with four rules, {:.0} with {}", rates.last().unwrap_or(&0.0), all_rates.last().unwrap_or(&0.0), own.len());
    }
    report.figure("four_rules_per_cpu_s", median(rates));
    report.figure("own_rules_per_cpu_s", median(all_rates));
    for keys in [10_000, 100_000, 1_000_000_u32] {
        let bytes = memory(&own, keys)?;
        println!("{keys} keys: {bytes:.0} bytes a key");
        if keys == 1_000_000 {
            report.figure("bytes_per_key", bytes);
        }
    }
    let (sigma, foreign) = (sigma(Path::new(&shared))?, labelled(Path::new(&shared))?);
    let mut sigma_rates = Vec::new();
    for _ in 0..rounds {
        let mut engine = Engine::new(sigma.iter().map(Arc::clone).collect(), &Secret::new([1; 16]), 1 << 30);
        let lines: Vec<Vec<u8>> = (0..40).flat_map(|_| foreign.iter().cloned()).collect();
        sigma_rates.push(rate(&mut engine, &lines)?);
        println!("{:.0} events/s with {} rules of SigmaHQ, {} events of others", sigma_rates.last().unwrap_or(&0.0), sigma.len(), foreign.len());
    }
    report.figure("sigma_per_cpu_s", median(sigma_rates));
    // The floor: the same lines parsed, and no rules.
    for (name, lines) in [("parse_only_per_cpu_s", &lines), ("sigma_parse_only_per_cpu_s", &(0..40).flat_map(|_| foreign.iter().cloned()).collect())] {
        let mut engine = Engine::new(Vec::new(), &Secret::new([1; 16]), 1 << 30);
        report.figure(name, rate(&mut engine, lines)?);
    }
    beside::measure(&mut report)?;
    report.raw("load", json!({"events": events, "own_rules": own.len(), "sigma_rules": sigma.len(), "foreign_events": foreign.len()}));
    report.finish()
}

/// Parses and takes in each line; events a CPU second.
fn rate(engine: &mut Engine, lines: &[Vec<u8>]) -> Result<f64, String> {
    let begun = machine::thread_cpu();
    let mut alerts = 0;
    for (position, line) in lines.iter().enumerate() {
        let body: Value = serde_json::from_slice(line).map_err(|e| e.to_string())?;
        let time = Timestamp::from_micros(BEGIN * 1_000_000 + position as i64 * 3_000);
        alerts += engine.take(&Event { body: &body, time, position: position as u64 }).len();
    }
    std::hint::black_box(alerts);
    Ok(lines.len() as f64 / (machine::thread_cpu() - begun))
}

/// Sign-ins as the ledger has them, opened: 10,000 addresses, one in ten wrong twelve times, the others now and then.
fn sign_ins(events: u64) -> Vec<Vec<u8>> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut chance = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let one = |number: u64| {
        let address = chance(10_000);
        let failed = address % 10 == 0 || chance(20) == 0;
        let (kind, outcome) = if failed { ("sign_in.failed", "failure") } else { ("session.started", "success") };
        let event = json!({
            "v": 1, "id": format!("019ab3a4-7c00-7000-8000-{number:012x}"), "time": "2026-01-05T09:00:00.000000Z", "recorded_at": "2026-01-05T09:00:00.000000Z",
            "type": kind, "outcome": outcome, "severity": 2, "retain": "audit", "actor": {"type": "anonymous"}, "action": "sign_in", "reason": "wrong_password",
            "source": {"ip": format!("198.18.{}.{}", address >> 8, address & 255), "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0"},
            "personal": {"email": format!("person{}@example.com", address % 4_000)}, "data": {"device": format!("device-{address}")},
            "about": {"account": format!("account-{}", address % 4_000)}, "request": {"id": "019ab3a4-7c00-7000-8000-000000000004"},
        });
        event.to_string().into_bytes()
    };
    (0..events).map(one).collect()
}

/// Bytes of a key of the rule of six, each address three times.
fn memory(own: &Rules, keys: u32) -> Result<f64, String> {
    let rule = own.get(FOUR[0]).ok_or("the rule is gone")?;
    let before = machine::rss_mb(std::process::id())?;
    let mut engine = Engine::new(vec![Arc::clone(rule)], &Secret::new([1; 16]), 4 << 30);
    for position in 0..u64::from(keys) * 3 {
        let body = json!({"type": "sign_in.failed", "source": {"ip": format!("10.{}", position % u64::from(keys))}});
        engine.take(&Event { body: &body, time: Timestamp::from_secs(BEGIN + position as i64 / i64::from(keys)), position });
    }
    let after = machine::rss_mb(std::process::id())?;
    let bytes = (after - before) * 1_048_576.0 / f64::from(keys);
    drop(engine);
    Ok(bytes)
}

fn sigma(shared: &Path) -> Result<Rules, String> {
    let mut files = Vec::new();
    walk(&shared.join("data/sigma"), &mut files)?;
    Rules::load(&files, &Metrics::default()).map_err(|e| e.to_string())
}

/// The events of panther's tests.
fn labelled(shared: &Path) -> Result<Vec<Vec<u8>>, String> {
    let mut files = Vec::new();
    walk(&shared.join("data/panther"), &mut files)?;
    let mut events = Vec::new();
    for (_, text) in files {
        let Ok(rule) = serde_yaml_ng::from_str::<serde_yaml_ng::Value>(&text) else { continue };
        let logs = rule["Tests"].as_sequence().into_iter().flatten().filter_map(|test| serde_json::to_vec(&test["Log"]).ok());
        events.extend(logs.filter(|log| log.len() > 10));
    }
    Ok(events)
}

fn walk(folder: &Path, out: &mut Vec<(String, String)>) -> Result<(), String> {
    for entry in std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.is_dir() {
            walk(&path, out)?;
        } else if path.extension().is_some_and(|end| end == "yml") {
            out.push((path.display().to_string(), std::fs::read_to_string(&path).map_err(|e| e.to_string())?));
        }
    }
    out.sort();
    Ok(())
}
