use std::{net::IpAddr, time::Duration};

use axum::{Extension, Router, body::Body, extract::MatchedPath, http::Request, routing::get};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tutela_tower::{Actor, Audit, Client, Consent, Note, PeerAddr};

use crate::server::{Instance, escape};

async fn photo(Extension(note): Extension<Note>) -> &'static str {
    note.event_type("photo.read");
    note.resource("photo", "42");
    note.metadata("album", "summer");
    "a photo"
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    "never"
}

#[tokio::test]
async fn the_layer_audit_of_an_application_records_each_exit_of_a_handler_in_a_real_ledger() {
    let instance = Instance::start("sqlite", "").await;
    let key = instance.key(&["events:write"]).await;
    let _ = crate::server::http();
    let audit = Audit::remote(Client::remote(&instance.own(), &key).unwrap())
        .event_type("photo.request")
        .route(|parts| parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()));
    let app: Router = Router::new()
        .route("/photos/{id}", get(photo))
        .route("/refused", get(|| async { axum::http::StatusCode::FORBIDDEN }))
        .route("/slow", get(slow))
        .layer(audit);
    let ask = |path: &str| {
        let mut request = Request::builder().uri(path).body(Body::empty()).unwrap();
        request.extensions_mut().insert(Actor::external("photos", "7"));
        request.extensions_mut().insert(PeerAddr("192.0.2.7".parse::<IpAddr>().unwrap()));
        request
    };
    let response = app.clone().oneshot(ask("/photos/42")).await.unwrap();
    assert_eq!(response.status(), 200, "recorded, then answered");
    assert_eq!(app.clone().oneshot(ask("/refused")).await.unwrap().status(), 403);
    // A caller that goes away while the handler works.
    let gone = tokio::time::timeout(Duration::from_millis(50), app.clone().oneshot(ask("/slow"))).await;
    assert!(gone.is_err());

    let find = async |query: &str| -> Vec<Value> {
        let (status, page) = instance.operator(reqwest::Method::GET, &format!("/v1/events?q={}", escape(query)), Value::Null).await;
        assert_eq!(status, 200, "{page}");
        page["items"].as_array().unwrap().clone()
    };
    let read = find("type:photo.read outcome:success actor:photos:7 ip:192.0.2.0/24 route:/photos/{id}").await;
    assert_eq!(read.len(), 1);
    let event = &read[0]["event"];
    assert_eq!((&event["resource"]["id"], &event["metadata"]["album"], &event["request"]["status"]), (&"42".into(), &"summer".into(), &200.into()));
    assert_eq!(find("type:photo.request outcome:denied route:/refused").await.len(), 1);
    crate::server::until("the event of who went away", async || find("type:photo.request outcome:unknown route:/slow").await.len() == 1).await;

    // Without its server the layer fails closed.
    instance.stop("-INT").await;
    assert_eq!(app.oneshot(ask("/photos/42")).await.unwrap().status(), 503);
}

#[tokio::test]
async fn the_layer_consent_asks_a_real_server_and_a_withdrawal_counts_at_once() {
    let instance = Instance::start("sqlite", "").await;
    let key = instance.key(&["consents:check"]).await;
    let _ = crate::server::http();
    let purpose = json!({"name": "personalize", "title": "Suggestions", "basis": "consent", "notice": {"version": "1", "text": "We look at what you like."}});
    let (status, answer) = instance.operator(reqwest::Method::PUT, "/v1/purposes/personalize", purpose).await;
    assert_eq!(status, 200, "{answer}");
    let consent = Consent::remote(Client::remote(&instance.own(), &key).unwrap(), ["personalize"]);
    let app: Router = Router::new().route("/for-you", get(|| async { "what you like" })).layer(consent);
    let ask = async || {
        let mut request = Request::builder().uri("/for-you").body(Body::empty()).unwrap();
        request.extensions_mut().insert(Actor::external("photos", "7"));
        app.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    let say = async |said: &str| {
        let body = json!({"subject": {"namespace": "photos", "value": "7"}, "purposes": ["personalize"], "said": said});
        let (status, answer) = instance.operator(reqwest::Method::POST, "/v1/consents", body).await;
        assert!(status < 300, "{answer}");
    };
    assert_eq!(ask().await, 403);
    say("given").await;
    assert_eq!(ask().await, 200);
    say("withdrawn").await;
    assert_eq!(ask().await, 403);
    instance.stop("-INT").await;
    assert_eq!(ask().await, 503);
}
