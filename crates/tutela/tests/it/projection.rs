use std::{sync::Arc, time::Instant};

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Fault, FaultProxy, SearchServer};

use crate::server::{Instance, escape, http, until};

/// Both products, where they are installed.
fn servers() -> Vec<(&'static str, Arc<SearchServer>)> {
    let all = [("opensearch", SearchServer::opensearch()), ("elasticsearch", SearchServer::elasticsearch())];
    let there: Vec<_> = all.into_iter().filter_map(|(name, server)| Some((name, server?))).collect();
    if there.len() < 2 {
        testkit::skip("OpenSearch and Elasticsearch are not installed");
    }
    there
}

/// Projections of different tests must not share indexes.
fn config(name: &str, url: &str, index: &str, more: &str) -> String {
    format!("[audit]\nstorage = \"{name}\"\nretention_days = 365\n{more}\n[audit.cluster]\nurl = \"{url}\"\nindex = \"{index}\"\n")
}

async fn record(instance: &Instance, count: usize, label: &str) {
    for chunk in (0..count).collect::<Vec<_>>().chunks(500) {
        let events: Vec<Value> = chunk
            .iter()
            .map(|n| {
                json!({"type": "photo.viewed", "actor": {"namespace": "photos", "value": n % 7}, "resource": format!("photo/{n}"), "action": "view",
                "source": {"ip": format!("192.0.2.{}", n % 7)}, "metadata": {"note": format!("{label} number {n}")}})
            })
            .collect();
        let (status, answer) = instance.operator(Method::POST, "/v1/events", Value::Array(events)).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer["results"].as_array().unwrap().iter().all(|r| r["status"] == 201));
    }
}

async fn sink(instance: &Instance) -> Value {
    let (_, page) = instance.operator(Method::GET, "/v1/sinks", Value::Null).await;
    page["items"][0].clone()
}

async fn caught_up(instance: &Instance) {
    until("catching up", async || {
        let sink = sink(instance).await;
        sink["behind"] == 0 && sink["state"] == "following"
    })
    .await;
}

/// Reconciles; gives the number of events on both sides.
async fn equal(instance: &Instance, name: &str) -> u64 {
    caught_up(instance).await;
    let (status, report) = instance.operator(Method::POST, &format!("/v1/sinks/{name}/reconcile"), Value::Null).await;
    assert_eq!((status, &report["equal"]), (200, &json!(true)), "{report}");
    assert_eq!(report["ledger"], report["cluster"]);
    report["ledger"].as_u64().unwrap()
}

async fn found(instance: &Instance, query: &str, via: &str) -> Vec<Value> {
    let (status, page) = instance.operator(Method::GET, &format!("/v1/events?limit=1000&via={via}&q={}", escape(query)), Value::Null).await;
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().unwrap().clone()
}

async fn in_cluster(server: &SearchServer, index: &str, query: Value) -> Value {
    let client = http().build().unwrap();
    client.post(format!("{}/{index}/_refresh", server.url)).send().await.unwrap();
    let body = json!({"query": query, "size": 100, "track_total_hits": true});
    client.post(format!("{}/{index}/_search", server.url)).json(&body).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn events_follow_into_both_products_are_found_there_and_an_erased_person_is_not() {
    for (name, server) in servers() {
        let index = format!("tutela-follow-{name}");
        let instance = Instance::start("sqlite", &config(name, &server.url, &index, "")).await;
        record(&instance, 1_200, "album").await;
        let events = equal(&instance, name).await;
        assert!(events > 1_200, "{events}");

        // Found through the cluster what is found in the ledger, in the same order.
        for query in
            ["actor:photos:3", "type:photo.* actor:photos:3 ip:192.0.2.3", "\"album number 77\"", "resource:photo/5", "-type:photo.viewed type:server.*"]
        {
            let (here, there) = (found(&instance, query, "ledger").await, found(&instance, query, "cluster").await);
            assert!(!here.is_empty(), "{query}");
            assert_eq!(here, there, "{name}: {query}");
        }

        // One person is erased: documents are written again without what was theirs.
        let person = json!({"term": {"tutela.actor.id": "photos:3"}});
        let before = in_cluster(&server, &index, person.clone()).await;
        assert!(before["hits"]["total"]["value"].as_u64().unwrap() > 100, "{before}");
        let erase = json!({"subject": {"namespace": "photos", "value": "3"}, "reason": "asked for it"});
        let (status, certificate) = instance.operator(Method::POST, "/v1/crypto/subjects/erase", erase).await;
        assert_eq!(status, 200, "{certificate}");
        until("the erasure in the cluster", async || in_cluster(&server, &index, person.clone()).await["hits"]["total"]["value"] == 0).await;
        let erased = json!({"exists": {"field": "tutela.erased"}});
        until("what is left in the cluster", async || in_cluster(&server, &index, erased.clone()).await["hits"]["total"]["value"].as_u64() > Some(100)).await;
        let rest = in_cluster(&server, &index, erased).await;
        let text = rest.to_string();
        assert!(!text.contains("192.0.2.3\"") && !text.contains("album number 3\""), "{text}");
        until("the erasure in the ledger's index", async || found(&instance, "actor:photos:3", "ledger").await.is_empty()).await;
        assert_eq!(equal(&instance, name).await, events + 2, "the erasure and the first comparison are events themselves");

        // From zero again.
        let (status, _) = instance.operator(Method::POST, &format!("/v1/sinks/{name}/rebuild"), Value::Null).await;
        assert_eq!(status, 202);
        assert!(equal(&instance, name).await > events);
        instance.stop("-INT").await;
    }
}

#[tokio::test]
async fn a_cluster_that_fails_in_every_way_misses_nothing_holds_nothing_twice_and_slows_nobody() {
    let Some((name, server)) = servers().into_iter().next() else { return };
    let proxy = FaultProxy::start(&server).await;
    let index = "tutela-faults";
    proxy.set(Fault::Unavailable);
    // It starts although the cluster does not answer.
    let instance = Instance::start("sqlite", &config(name, &proxy.url, index, "")).await;
    until("waiting", async || sink(&instance).await["state"] == "waiting").await;
    let waiting = sink(&instance).await;
    assert!(waiting["behind"].as_u64().unwrap() > 0 && waiting["error"].as_str().unwrap().contains("does not answer"), "{waiting}");

    for fault in [Fault::Hang, Fault::BusyItems, Fault::LoseAnswer, Fault::Refuse, Fault::Unavailable] {
        proxy.set(fault);
        let begun = Instant::now();
        record(&instance, 300, &format!("{fault:?}")).await;
        let took = begun.elapsed();
        assert!(took.as_secs_f64() < 5.0, "{fault:?}: recording 300 events took {took:?}");
        proxy.set(Fault::Pass);
        caught_up(&instance).await;
    }
    let all = in_cluster(&server, index, json!({"term": {"tutela.type": "photo.viewed"}})).await;
    assert_eq!(all["hits"]["total"]["value"], 1_500);

    // What the cluster refuses for good is kept, told, and sent again when asked.
    proxy.set(Fault::RefuseItems);
    record(&instance, 30, "refused").await;
    caught_up(&instance).await;
    let letters = sink(&instance).await["dead_letters"].as_u64().unwrap();
    assert!(letters >= 10, "{letters}");
    assert!(!found(&instance, "type:sink.refused outcome:failure", "ledger").await.is_empty());
    proxy.set(Fault::Pass);
    let (status, retried) = instance.operator(Method::POST, &format!("/v1/sinks/{name}/retry"), Value::Null).await;
    assert_eq!((status, &retried["refused"]), (200, &json!(0)), "{retried}");
    equal(&instance, name).await;
    instance.stop("-INT").await;
}

#[tokio::test]
async fn a_cluster_that_is_killed_and_starts_again_holds_everything_once() {
    let Some(server) = SearchServer::private_elasticsearch() else {
        testkit::skip("Elasticsearch is not installed");
        return;
    };
    let instance = Instance::start("sqlite", &config("elasticsearch", &server.url, "tutela-restart", "")).await;
    record(&instance, 600, "before").await;
    let server = tokio::task::spawn_blocking(move || {
        server.crash();
        server
    })
    .await
    .unwrap();
    record(&instance, 600, "while it is down").await;
    // We are killed, too, in the middle of waiting.
    instance.stop("-KILL").await;
    let server = tokio::task::spawn_blocking(move || {
        server.start_again();
        server
    })
    .await
    .unwrap();
    instance.run().await;
    equal(&instance, "elasticsearch").await;
    let all = in_cluster(&server, "tutela-restart", json!({"term": {"tutela.type": "photo.viewed"}})).await;
    assert_eq!(all["hits"]["total"]["value"], 1_200);
    instance.stop("-INT").await;
}
