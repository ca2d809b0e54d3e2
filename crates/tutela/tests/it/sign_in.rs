use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::people::without_chance;
use crate::server::{Instance, PASSWORD, location, storages};

#[tokio::test]
async fn the_first_administrator_is_made_with_a_link_that_works_once() {
    for storage in storages().await {
        let instance = Instance::start(&storage, "").await;
        let browser = instance.browser();
        // A new link ends the one printed at the start.
        let old = instance.new_setup_link().await;
        let link = instance.new_setup_link().await;
        assert_eq!(browser.get(&old).await.status(), 404);
        assert_eq!(browser.get(&link).await.status(), 200, "opening the link uses nothing up");
        let fields = |password| [("name", "Ada"), ("email", "ada@example.com"), ("password", password)];
        assert_eq!(browser.post(&link, &fields("too short")).await.status(), 400);
        assert_eq!(browser.post(&link, &fields(PASSWORD)).await.status(), 303);
        assert_eq!(browser.post(&link, &fields(PASSWORD)).await.status(), 404, "used up");
        assert_eq!(browser.post(&format!("{}/set-up/tsu_unknown", instance.own()), &fields(PASSWORD)).await.status(), 404);
        let (at, page) = browser.sign_in_at(&format!("{}/health", instance.console()), "ada@example.com").await;
        assert_eq!((at, page.status().as_u16()), (format!("{}/health", instance.console()), 200), "{storage}");
    }
}

#[tokio::test]
async fn of_many_that_use_a_link_at_once_one_succeeds() {
    let instance = Instance::start("sqlite", "").await;
    let link = instance.new_setup_link().await;
    let tries = (0..16).map(|i| {
        let (browser, link) = (instance.browser(), link.clone());
        tokio::spawn(
            async move { browser.post(&link, &[("name", "X"), ("email", &format!("x{i}@example.com")), ("password", PASSWORD)]).await.status() == 303 },
        )
    });
    let mut wins = 0;
    for attempt in tries.collect::<Vec<_>>() {
        wins += usize::from(attempt.await.unwrap());
    }
    let (_, accounts) = instance.operator(Method::GET, "/v1/accounts", Value::Null).await;
    assert_eq!((wins, accounts["items"].as_array().unwrap().len()), (1, 1));
}

#[tokio::test]
async fn wrong_and_unknown_look_alike_in_text_status_and_time() {
    let instance = Instance::start("sqlite", "").await;
    instance.account("ben@example.com", &[]).await;
    let url = format!("{}/sign-in", instance.own());
    let mut seen = Vec::new();
    for email in ["ben@example.com", "nobody@example.com", "not an address"] {
        let (mut best, mut text) = (Duration::MAX, String::new());
        for _ in 0..12 {
            let browser = instance.browser();
            let started = Instant::now();
            let response = browser.post(&url, &[("email", email), ("password", "some other plain words")]).await;
            best = best.min(started.elapsed());
            assert_eq!(response.status(), 401);
            text = without_chance(&response.text().await.unwrap().replace(email, ""));
        }
        seen.push((text, best));
    }
    assert!(seen.iter().all(|(text, _)| *text == seen[0].0));
    let (least, most) = (seen.iter().map(|s| s.1).min().unwrap(), seen.iter().map(|s| s.1).max().unwrap());
    assert!(most < least * 3 + Duration::from_millis(3), "{:?}", seen.iter().map(|s| s.1).collect::<Vec<_>>());
    // The ledger knows what the person is not told.
    let (_, page) = instance.operator(Method::GET, "/v1/events?q=type:sign_in.failed&limit=100", Value::Null).await;
    let reasons: Vec<&str> = page["items"].as_array().unwrap().iter().map(|i| i["event"]["reason"].as_str().unwrap()).collect();
    let count = |reason| reasons.iter().filter(|r| **r == reason).count();
    // After five the attempts are refused without a look, whether or not there is such an account.
    assert_eq!((count("wrong_password"), count("unknown_account"), count("locked")), (5, 10, 21));
}

#[tokio::test]
async fn a_flood_of_sign_ins_queues_and_then_gets_429() {
    let instance = Instance::new("sqlite", "");
    let file = instance.dir.path().join("tutela.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("memory_kib = 64", "memory_kib = 65536").replace("passes = 1", "passes = 3");
    std::fs::write(&file, text).unwrap();
    instance.run().await;
    instance.account("ben@example.com", &[]).await;
    let url = format!("{}/sign-in", instance.own());
    let tries: Vec<_> = (0..200)
        .map(|_| {
            let (browser, url) = (instance.browser(), url.clone());
            tokio::spawn(async move {
                let response = browser.post(&url, &[("email", "ben@example.com"), ("password", "wrong words in here")]).await;
                (response.status().as_u16(), response.headers().contains_key("retry-after"))
            })
        })
        .collect();
    let (mut refused, mut busy) = (0, 0);
    for attempt in tries {
        match attempt.await.unwrap() {
            (401, _) => refused += 1,
            (429, true) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(refused > 0 && busy > 0, "{refused} refused, {busy} busy");
    let (_, page) = instance.operator(Method::GET, "/v1/sessions", Value::Null).await;
    assert_eq!(page, json!({"items": []}), "the server still answers");
}

#[tokio::test]
async fn sessions_are_seen_and_ended_on_every_host_at_once() {
    for storage in storages().await {
        let instance = Instance::start(&storage, "").await;
        instance.account("ada@example.com", &["admin"]).await;
        let (here, there) = (instance.browser(), instance.browser());
        let console = format!("{}/sessions", instance.console());
        here.sign_in_at(&console, "ada@example.com").await;
        there.sign_in_at(&console, "ada@example.com").await;
        let (_, page) = instance.operator(Method::GET, "/v1/sessions", Value::Null).await;
        assert_eq!(page["items"].as_array().unwrap().len(), 2);
        assert_eq!(page["items"][0]["hosts"], json!(["tutela.localhost", "console.tutela.localhost"]));
        let ended = here.post(&format!("{}/account/sessions/end-others", instance.own()), &[]).await;
        assert!(ended.text().await.unwrap().contains("1 other session ended"));
        assert!(location(&there.get(&console).await, &console).is_some(), "the other browser is asked to sign in again");
        assert_eq!(here.get(&console).await.status(), 200);
        // Signing out ends this one everywhere too.
        here.post(&format!("{}/sign-out", instance.own()), &[]).await;
        assert!(location(&here.get(&console).await, &console).is_some());
        let (_, page) = instance.operator(Method::GET, "/v1/sessions", Value::Null).await;
        assert_eq!(page["items"], json!([]), "{storage}");
    }
}

#[tokio::test]
async fn a_disabled_account_is_out_at_once_and_cannot_come_back() {
    let instance = Instance::start("sqlite", "").await;
    instance.account("ada@example.com", &["admin"]).await;
    let id = instance.account("eve@example.com", &["admin"]).await;
    let eve = instance.browser();
    let url = format!("{}/people", instance.console());
    assert_eq!(eve.sign_in_at(&url, "eve@example.com").await.1.status(), 200);
    assert_eq!(instance.operator(Method::POST, &format!("/v1/accounts/{id}/disable"), Value::Null).await.0, 204);
    assert_eq!(eve.get(&url).await.status(), 303);
    let again = eve.post(&format!("{}/sign-in", instance.own()), &[("email", "eve@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(again.status(), 401);
}

#[tokio::test]
async fn a_form_from_another_site_does_nothing() {
    let instance = Instance::start("sqlite", "").await;
    instance.account("ben@example.com", &[]).await;
    let browser = instance.browser();
    let url = format!("{}/sign-out", instance.own());
    browser.sign_in_at(&format!("{}/sign-in", instance.own()), "ben@example.com").await;
    let forged = browser.request(Method::POST, &url).header("sec-fetch-site", "cross-site").header("origin", "https://evil.example");
    assert_eq!(browser.send(&url, forged).await.status(), 403);
    assert_eq!(browser.get(&format!("{}/account", instance.own())).await.status(), 200);
}
