//! Limits of requests, in front of a real application.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{
    gateway::echo,
    server::{Browser, Instance, storages},
    waf::record,
};

fn routes(port: u16) -> String {
    let route = |path: &str, require: &str, limits: &str| {
        format!(
            "[[gateway.routes]]\nname = \"public{}\"\nhost = \"public.localhost\"\npath = \"{path}\"\nupstream = \"http://127.0.0.1:{port}\"\nrequire = {require}\nlimits = {limits}\n",
            path.replace('/', "-").trim_end_matches('-')
        )
    };
    "[gateway.limits.few]\nrequests = 60\nwindow = \"1h\"\nburst = 3\nby = [\"address\", \"route\"]\n\
     [gateway.limits.watched]\nrequests = 60\nwindow = \"1h\"\nburst = 1\nmode = \"shadow\"\n"
        .to_owned()
        + &route("/", "\"public\"", "[]")
        + &route("/api", "\"public\"", "[\"api\"]")
        + &route("/few", "\"signed-in\"", "[\"few\"]")
        + &route("/watched", "\"public\"", "[\"watched\"]")
}

async fn get(browser: &Browser, instance: &Instance, path: &str) -> Response {
    let request = browser.request(Method::GET, &format!("http://public.localhost:{}{path}", instance.port));
    request.header("accept", "application/json").send().await.unwrap()
}

#[tokio::test]
async fn the_api_takes_a_hundred_a_minute_and_twenty_at_once_and_says_what_is_left() {
    for storage in storages().await {
        let echo = echo().await;
        let instance = Instance::start(&storage, &routes(echo.port)).await;
        let browser = instance.browser();
        let mut refused = None;
        for number in 0..200_u32 {
            let response = get(&browser, &instance, "/api/x").await;
            let headers = response.headers();
            assert_eq!(headers["ratelimit-policy"], "\"api\";q=100;w=60");
            if response.status() == 429 {
                assert!(number >= 20, "{number}");
                refused = Some((headers["ratelimit"].to_str().unwrap().to_owned(), headers["retry-after"].to_str().unwrap().to_owned(), response));
                break;
            }
            assert_eq!(response.status(), 200);
        }
        let (left, wait, response) = refused.expect("nobody may ask for ever");
        assert!(left.starts_with("\"api\";r=0;t=") && wait == "1", "{left} {wait}");
        assert!(response.text().await.unwrap().contains("Too many requests"));
        let record = record(&instance, "/api/x%20outcome:denied").await;
        assert_eq!((&record["data"]["refused_by"], &record["data"]["limit_refused"]), (&json!("limit"), &json!("api")), "{record}");
        assert_eq!(record["data"]["limits_left"], json!({"api": 0}));
        // Other routes have nothing to do with it.
        assert_eq!(get(&browser, &instance, "/x").await.status(), 200);
    }
}

#[tokio::test]
async fn an_address_is_counted_before_anybody_is_asked_who_they_are_and_a_shadow_refuses_nobody() {
    let echo = echo().await;
    let instance = Instance::start("sqlite", &routes(echo.port)).await;
    let browser = instance.browser();
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(get(&browser, &instance, "/few").await.status().as_u16());
    }
    // Who is not signed in is led away, three times; the fourth is one too many already.
    assert!(seen[..3].iter().all(|status| [302, 303, 401].contains(status)) && seen[3] == 429, "{seen:?}");
    let stages = record(&instance, "/few%20outcome:denied").await["data"]["stages"].clone();
    let went = |name: &str| stages.as_array().unwrap().iter().any(|stage| stage["stage"] == name);
    assert!(!went("upstream") && went("limit"), "{stages}");
    for _ in 0..3 {
        let response = get(&browser, &instance, "/watched").await;
        assert_eq!((response.status().as_u16(), response.headers().get("ratelimit")), (200, None));
    }
    let record = record(&instance, "watched%20outcome:success").await;
    assert_eq!((&record["data"]["limit_would_refuse"], &record["data"]["limit_refused"]), (&json!("watched"), &Value::Null), "{record}");
}

#[tokio::test]
async fn whoever_is_over_a_limit_is_listed_and_let_in_again_with_a_reason() {
    let echo = echo().await;
    let instance = Instance::start("sqlite", &routes(echo.port)).await;
    let browser = instance.browser();
    for _ in 0..6 {
        get(&browser, &instance, "/few").await;
    }
    assert_eq!(get(&browser, &instance, "/few").await.status(), 429);
    let (_, list) = instance.operator(Method::GET, "/v1/limits", Value::Null).await;
    let one = &list[0];
    assert_eq!(
        (one["limit"].as_str(), one["who"].as_str(), one["refused"].as_u64()),
        (Some("few"), Some("address 127.0.0.1, route public-few"), Some(4)),
        "{list}"
    );
    let out = instance.cli(&["limit", "lift", "few", "address 127.0.0.1, route public-few", "--reason", "a test of ours"]).await;
    assert!(out.status.success(), "{out:?}");
    assert_ne!(get(&browser, &instance, "/few").await.status(), 429);
    let (_, page) = instance.operator(Method::GET, "/v1/events?q=type:limit.lifted", Value::Null).await;
    assert_eq!(page["items"][0]["event"]["reason"], "a test of ours", "{page}");
    let again = instance.cli(&["limit", "lift", "few", "address 127.0.0.1, route public-few", "--reason", "once more"]).await;
    assert_eq!(again.status.code(), Some(3), "nobody of that name: {again:?}");
}

#[tokio::test]
async fn nodes_count_together_and_do_as_they_are_told_when_the_store_dies() {
    let Some(mut redis) = testkit::RedisServer::start() else { return testkit::skip("neither Redis nor Valkey is installed") };
    let echo = echo().await;
    let route = |name: &str| {
        format!(
            "[[gateway.routes]]\nname = \"{name}\"\nhost = \"public.localhost\"\npath = \"/{name}\"\nupstream = \"http://127.0.0.1:{}\"\nrequire = \"public\"\nlimits = [\"{name}\"]\n",
            echo.port
        )
    };
    let limit = |name: &str| format!("[gateway.limits.{name}]\nrequests = 10\nwindow = \"1h\"\nby = [\"header:x-who\"]\non_backend_down = \"{name}\"\n");
    let names = ["local", "open", "closed"];
    let text = format!("[gateway.shared_limits]\nurl = \"redis://{}\"\n{}{}", redis.address, names.map(limit).concat(), names.map(route).concat());
    let nodes = [Instance::start("sqlite", &text).await, Instance::start("sqlite", &text).await];
    let browser = nodes[0].browser();
    let ask = async |node: usize, name: &str, who: &str| {
        let request = browser.request(Method::GET, &format!("http://public.localhost:{}/{name}", nodes[node].port)).header("x-who", who);
        request.send().await.unwrap().status().as_u16()
    };
    let statuses = async |name: &str, who: &str| {
        let mut seen = Vec::new();
        for number in 0..24 {
            seen.push(ask(number % 2, name, who).await);
        }
        seen
    };
    let count = |seen: &[u16], status: u16| seen.iter().filter(|one| **one == status).count();
    for name in names {
        let seen = statuses(name, "ada").await;
        assert_eq!((count(&seen, 200), count(&seen, 429)), (10, 14), "{name}: ten for both nodes together: {seen:?}");
    }
    // It is killed: nobody waits long, and each limit does as it says.
    redis.kill();
    let begun = std::time::Instant::now();
    let local = statuses("local", "ben").await;
    assert_eq!((count(&local, 200), count(&local, 429)), (20, 4), "ten at each node: {local:?}");
    assert_eq!(count(&statuses("local", "ada").await, 200), 0, "whoever was over it stays so");
    assert_eq!(count(&statuses("open", "ben").await, 200), 24);
    assert_eq!(count(&statuses("closed", "ben").await, 200), 0);
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "nobody waits for what is not there");
    redis.start_again();
    crate::server::until("it counts together again", async || ask(0, "closed", "cleo").await == 200).await;
    // A store that hangs is given up after its time.
    redis.pause();
    let begun = std::time::Instant::now();
    assert_eq!(ask(1, "open", "cleo").await, 200);
    assert!(begun.elapsed() < std::time::Duration::from_secs(3));
    redis.resume();
}
