use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use reqwest::Method;
use serde_json::{Value, json};
use testkit::PostgresServer;

use crate::server::{Instance, until};

/// Records one event after the other until told to stop; gives the ids that were acknowledged.
async fn writer(instance: Arc<Instance>, stop: Arc<AtomicBool>, label: usize) -> Vec<String> {
    let (mut ids, mut number) = (Vec::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let event = json!({"type": "chaos.tried", "resource": format!("{label}/{number}")});
        let (status, answer) = instance.operator(Method::POST, "/v1/events", event).await;
        if status == 201 {
            ids.push(answer["id"].as_str().unwrap().to_owned());
        }
    }
    ids
}

async fn size(instance: &Instance) -> u64 {
    let (status, note) = instance.operator(Method::GET, "/v1/ledger/checkpoint", Value::Null).await;
    if status == 200 { note.as_str().unwrap().lines().nth(1).unwrap().parse().unwrap() } else { 0 }
}

/// Every acknowledged event stands in the log, and the log holds no event twice.
async fn all_there(instance: &Instance, ids: &[String]) {
    let mut seen = std::collections::BTreeSet::new();
    let mut from = 0;
    loop {
        let (status, page) = instance.operator(Method::GET, &format!("/v1/ledger/entries?from={from}"), Value::Null).await;
        assert_eq!(status, 200, "{page}");
        let entries = page["entries"].as_array().unwrap().clone();
        let Some(last) = entries.last() else { break };
        from = last["position"].as_u64().unwrap() + 1;
        for entry in entries {
            let id = entry["id"].as_str().unwrap().to_owned();
            assert!(seen.insert(id.clone()), "{id} stands in the log twice");
        }
    }
    for id in ids {
        assert!(seen.contains(id), "{id} was acknowledged and is not in the log");
    }
}

async fn verified(instance: &Instance) {
    let out = instance.cli(&["audit", "verify"]).await;
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequencer_that_is_paused_loses_its_turn_and_cannot_write_when_it_wakes() {
    let Some(server) = testkit::shared_postgres() else { return testkit::skip("PostgreSQL is not installed") };
    let url = server.fresh("chaos_pause").await;
    let one = Arc::new(Instance::start(&url, "").await);
    let other = Arc::new(Instance::new(&url, ""));
    std::fs::create_dir_all(other.data()).unwrap();
    std::fs::copy(one.data().join("instance.key"), other.data().join("instance.key")).unwrap();
    std::fs::create_dir_all(other.data().join("keys")).unwrap();
    for entry in std::fs::read_dir(one.data().join("keys")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), other.data().join("keys").join(entry.file_name())).unwrap();
    }
    other.run().await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4).map(|n| tokio::spawn(writer(Arc::clone(&other), Arc::clone(&stop), n))).collect();
    let before = size(&other).await;
    until("sequencing", async || size(&other).await > before + 20).await;
    // The first node began first, so it holds the lease.
    one.signal("-STOP");
    let paused_at = size(&other).await;
    until("the other taking over", async || size(&other).await > paused_at + 50).await;
    one.signal("-CONT");
    let woken_at = size(&other).await;
    until("going on after the first woke", async || size(&other).await > woken_at + 50).await;
    stop.store(true, Ordering::Relaxed);
    let mut ids = Vec::new();
    for writer in writers {
        ids.extend(writer.await.unwrap());
    }
    until("everything in its place", async || size(&other).await > 0 && size(&one).await == size(&other).await).await;
    all_there(&other, &ids).await;
    one.stop("-INT").await;
    other.stop("-INT").await;
    verified(&other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_that_goes_and_comes_under_load_loses_nothing_that_was_acknowledged() {
    let Some(server) = PostgresServer::start(&["fsync=on"]) else { return testkit::skip("PostgreSQL is not installed") };
    let url = server.fresh("chaos_restart").await;
    let instance = Arc::new(Instance::start(&url, "").await);
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8).map(|n| tokio::spawn(writer(Arc::clone(&instance), Arc::clone(&stop), n))).collect();
    for round in 0..3 {
        let before = size(&instance).await;
        until("writing", async || size(&instance).await > before + 30).await;
        // A backend that is killed has the server throw everybody out and recover from its log.
        let backend = Command::new("pgrep").args(["-P", &server.pid().to_string(), "-f", "chaos_restart"]).output().unwrap();
        let pid = String::from_utf8(backend.stdout).unwrap().lines().next().map(str::to_owned);
        assert!(Command::new("kill").args(["-9", &pid.expect("a backend of this database")]).status().unwrap().success(), "round {round}");
    }
    let before = size(&instance).await;
    until("writing again", async || size(&instance).await > before + 30).await;
    stop.store(true, Ordering::Relaxed);
    let mut ids = Vec::new();
    for writer in writers {
        ids.extend(writer.await.unwrap());
    }
    let (status, _) = instance.operator(Method::POST, "/v1/events?wait=sequenced", json!({"type": "chaos.over"})).await;
    assert_eq!(status, 201);
    all_there(&instance, &ids).await;
    instance.stop("-INT").await;
    verified(&instance).await;
}
