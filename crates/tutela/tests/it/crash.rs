use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Instance, storages};

/// Writers that remember what was acknowledged, in order, until the server is gone.
async fn write_until_killed(instance: &Instance, key: &str, round: usize) -> Vec<Vec<(u64, String)>> {
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8_u64)
        .map(|writer| {
            let (browser, url, key, done) = (instance.browser(), format!("{}/v1/events", instance.own()), key.to_owned(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for number in 0_u64.. {
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                    let body = json!({"type": "load.written", "resource": format!("{round}/{writer}/{number}")});
                    let Ok(response) = browser.request(Method::POST, &url).bearer_auth(&key).json(&body).send().await else { break };
                    if response.status() != 201 {
                        break;
                    }
                    let Ok(answer) = response.json::<Value>().await else { break };
                    acknowledged.push((number, answer["id"].as_str().unwrap().to_owned()));
                }
                acknowledged
            })
        })
        .collect();
    // A moment nobody chose: between one and two hundred milliseconds of load.
    tokio::time::sleep(Duration::from_millis(100 + (round as u64 * 37) % 100)).await;
    instance.stop("-KILL").await;
    done.store(true, Ordering::SeqCst);
    let mut all = Vec::new();
    for writer in writers {
        all.push(writer.await.unwrap());
    }
    all
}

#[tokio::test]
async fn after_kill_9_every_acknowledged_event_is_there_in_order_and_the_log_verifies() {
    for storage in storages().await {
        let instance = Instance::start(&storage, "").await;
        let key = instance.key(&["events:write"]).await;
        let mut total = 0;
        // `cargo xtask soak --kills N` asks for more.
        let rounds = std::env::var("TUTELA_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(5_usize);
        for round in 0..rounds {
            let acknowledged = write_until_killed(&instance, &key, round).await;
            instance.run().await;
            for events in &acknowledged {
                let mut last = None;
                for (number, id) in events {
                    let (status, found) = instance.operator(Method::GET, &format!("/v1/events/{id}"), Value::Null).await;
                    assert_eq!(status, 200, "{storage}: acknowledged event {number} of round {round} is gone");
                    let position: u64 = found["position"].as_str().unwrap().parse().unwrap();
                    assert!(last < Some(position), "{storage}: one writer's events stand out of order");
                    last = Some(position);
                    total += 1;
                }
            }
            let out = instance.cli(&["audit", "verify"]).await;
            assert!(out.status.success(), "{storage}: {}", String::from_utf8_lossy(&out.stderr));
        }
        assert!(total > 50, "{storage}: only {total} events were written");
        let engine = storage.split(['=', ':']).next().unwrap_or("sqlite");
        println!("{}: {rounds} kills, {total} events acknowledged, none lost, log verified", if engine == "sqlite" { "SQLite" } else { "PostgreSQL" });
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_keeps_reads_and_recovers_by_itself() {
    let dir = TempDir::new().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(dir.path()).status();
    if !mounted.is_ok_and(|s| s.success()) {
        return testkit::skip("a small file system cannot be mounted here");
    }
    let mount = dir.path().to_owned();
    let instance = Instance::in_dir(dir, "sqlite", "");
    instance.run().await;
    let key = instance.key(&["events:write"]).await;
    let (browser, url) = (instance.browser(), format!("{}/v1/events", instance.own()));
    let send = |text: String| browser.request(Method::POST, &url).bearer_auth(&key).json(&json!({"type": "disk.filled", "metadata": {"t": text}})).send();
    let ballast = mount.join("ballast");
    let mut status = 0;
    for size in [2_u64 << 20, 1 << 20, 1 << 19, 1 << 18, 1 << 17, 1 << 16, 1 << 15, 1 << 14, 1 << 13, 1 << 12] {
        // Fill what is left, in ever smaller pieces.
        use std::io::Write as _;
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&ballast).unwrap();
        while file.write_all(&vec![0; size as usize]).is_ok() {}
    }
    for _ in 0..200 {
        let response = send("x".repeat(30_000)).await.unwrap();
        status = response.status().as_u16();
        if status != 201 {
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            break;
        }
    }
    assert_eq!(status, 503, "a full disk is told as unavailable");
    let (read, _) = instance.operator(Method::GET, "/v1/events?limit=1", Value::Null).await;
    assert_eq!(read, 200, "reads go on");
    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(send("y".repeat(1_000)).await.unwrap().status(), 201, "it recovers by itself");
    let out = instance.cli(&["audit", "verify"]).await;
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    instance.stop("-INT").await;
    assert!(Command::new("umount").arg(&mount).status().unwrap().success());
}

#[tokio::test]
async fn a_stop_under_load_loses_nothing_and_ends_in_good_order() {
    let instance = Instance::start("sqlite", "").await;
    let key = instance.key(&["events:write"]).await;
    let (browser, url) = (instance.browser(), format!("{}/v1/events", instance.own()));
    let mut acknowledged = Vec::new();
    for _ in 0..50 {
        let answer: Value = browser.request(Method::POST, &url).bearer_auth(&key).json(&json!({"type": "a.b"})).send().await.unwrap().json().await.unwrap();
        acknowledged.push(answer["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(instance.stop("-TERM").await, Some(0));
    assert!(!instance.data().join("admin.sock").exists());
    instance.run().await;
    for id in acknowledged {
        assert_eq!(instance.operator(Method::GET, &format!("/v1/events/{id}"), Value::Null).await.0, 200);
    }
    let (_, page) = instance.operator(Method::GET, "/v1/events?q=type:server.stopped", Value::Null).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
}
