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
    assert!(stages.get("upstream").is_none() && stages.get("limit").is_some(), "{stages}");
    for _ in 0..3 {
        let response = get(&browser, &instance, "/watched").await;
        assert_eq!((response.status().as_u16(), response.headers().get("ratelimit")), (200, None));
    }
    let record = record(&instance, "watched%20outcome:success").await;
    assert_eq!((&record["data"]["limit_would_refuse"], &record["data"]["limit_refused"]), (&json!("watched"), &Value::Null), "{record}");
}
