use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Instance, storages};

/// One rule that strikes in the commit of the offence and one that follows the log, both of which block.
const RULES: &str = r#"
[detection]
own_rules = false
never_block = ["127.0.0.1"]
[[detection.rules]]
name = "in_the_commit"
condition = "events > 5"
events = "app.sign_in_failed"
key = "ip"
window = "5m"
action = "block_ip"
mode = "act"
suppress = "1d"
[[detection.rules]]
name = "in_the_log"
condition = "distinct resource in events >= 6"
events = "app.sign_in_failed"
key = "ip"
window = "5m"
action = "block_ip"
mode = "act"
suppress = "1d"
"#;

/// Events of one batch: one address that attacks, in the middle of others that do not.
const BATCH: usize = 500;
const FAILURES: usize = 12;

fn attacker(number: usize) -> String {
    format!("198.{}.{}.{}", 18 + number / 50_000, number / 200 % 250, number % 200 + 1)
}

fn batch(number: usize) -> Value {
    let event = |at: usize| {
        let ip = if at.is_multiple_of(BATCH / FAILURES) && at / (BATCH / FAILURES) < FAILURES { attacker(number) } else { format!("203.0.113.{}", at % 250) };
        let kind = if ip.starts_with("198.") { "app.sign_in_failed" } else { "app.viewed" };
        json!({"type": kind, "resource": format!("{at}"), "source": {"ip": ip}})
    };
    (0..BATCH).map(event).collect()
}

/// Every event of a type, newest first.
async fn all(instance: &Instance, kind: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let (status, page) = instance.operator(Method::GET, &format!("/v1/events?q=type:{kind}&limit=200{after}"), Value::Null).await;
        assert_eq!(status, 200, "{page}");
        found.extend(page["items"].as_array().unwrap().iter().map(|item| item["event"].clone()));
        match page["next"].as_str() {
            Some(next) => after = format!("&cursor={next}"),
            None => return found,
        }
    }
}

/// What was found and what was done, each once, however often the server dies. `cargo xtask soak --kills N` asks for more.
#[tokio::test]
async fn after_kill_9_every_attack_is_found_once_and_answered_once() {
    let number = |name: &str, least: usize| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(least);
    let kills = number("TUTELA_KILLS", 5);
    let events = number("TUTELA_KILL_EVENTS", 5_000 * kills.min(200));
    for storage in storages().await {
        let instance = Instance::start(&storage, RULES).await;
        let key = instance.key(&["events:write"]).await;
        let (mut sent, mut killed) = (0, 0);
        while killed < kills || sent * BATCH < events {
            // A moment nobody chose, from the first batch to some two thousand events later.
            let moment = Duration::from_millis(5 + (killed as u64 * 7_919) % 400);
            let writer = {
                let (browser, url, key) = (instance.browser(), format!("{}/v1/events", instance.own()), key.clone());
                tokio::spawn(async move {
                    let mut at = sent;
                    // Whether the last batch is there is not known, and it is sent again.
                    while browser.request(Method::POST, &url).bearer_auth(&key).json(&batch(at)).send().await.is_ok_and(|answer| answer.status() == 200) {
                        at += 1;
                    }
                    at
                })
            };
            tokio::time::sleep(moment).await;
            if killed < kills {
                instance.stop("-KILL").await;
                killed += 1;
                sent = writer.await.unwrap();
                instance.run().await;
            } else {
                tokio::time::sleep(Duration::from_secs(1)).await;
                instance.stop("-TERM").await;
                sent = writer.await.unwrap();
                instance.run().await;
            }
        }
        let rules = ["in_the_commit", "in_the_log"];
        let expected: BTreeSet<String> = (0..sent).map(attacker).collect();
        let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
        for _ in 0..1_200 {
            found.clear();
            for alert in all(&instance, "alert.raised").await {
                *found.entry((alert["data"]["rule"].as_str().unwrap().into(), alert["personal"]["about"]["ip"].as_str().unwrap().into())).or_default() += 1;
            }
            if expected.iter().all(|ip| rules.iter().all(|rule| found.contains_key(&((*rule).to_owned(), ip.clone())))) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        for rule in rules {
            let of: BTreeMap<&String, usize> = found.iter().filter(|((name, _), _)| name == rule).map(|((_, ip), times)| (ip, *times)).collect();
            let missing = expected.iter().filter(|ip| !of.contains_key(ip)).count();
            // The last batch of a round may be there though its sender was not told.
            let repeated: Vec<_> = of.iter().filter(|(_, times)| **times > 1).collect();
            assert!(missing == 0 && repeated.is_empty(), "{storage}: {rule}: {missing} missing, {repeated:?} repeated");
        }
        let mut blocked: BTreeMap<String, usize> = BTreeMap::new();
        for block in all(&instance, "address.blocked").await {
            *blocked.entry(block["personal"]["network"].as_str().unwrap().trim_end_matches("/32").to_owned()).or_default() += 1;
        }
        let missing = expected.iter().filter(|ip| !blocked.contains_key(*ip)).count();
        let repeated: Vec<_> = blocked.iter().filter(|(_, times)| **times > 1).collect();
        assert!(missing == 0 && repeated.is_empty(), "{storage}: {missing} not blocked, {repeated:?} twice");
        let engine = if storage == "sqlite" { "SQLite" } else { "PostgreSQL" };
        println!("{engine}: {killed} kills, {} events, {sent} attacks, each found once by each rule and blocked once", sent * BATCH);
    }
}
