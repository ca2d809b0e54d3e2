use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Instance, answer, storages};

/// One call with an API key on the own host.
async fn call(instance: &Instance, key: &str, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let request = instance.browser().request(method, &format!("{}{path}", instance.own())).bearer_auth(key);
    let request = if body.is_null() { request } else { request.json(body) };
    answer(request.send().await.unwrap()).await
}

#[tokio::test]
async fn events_are_recorded_found_and_proven_on_both_engines() {
    for storage in storages().await {
        let instance = Instance::start(&storage, "").await;
        let key = instance.key(&["events:write", "ledger:read"]).await;
        let full = json!({
            "type": "photo.shared", "action": "share", "outcome": "denied", "reason": "not a friend", "time": "2026-01-02T03:04:05+01:00",
            "actor": {"namespace": "photos", "value": 42}, "resource": {"type": "photo", "id": "7"},
            "source": {"ip": "192.0.2.77", "user_agent": "curl/8"}, "metadata": {"album": "Summer in Graz", "mail": "friend@example.com"},
        });
        let (status, one) = call(&instance, &key, Method::POST, "/v1/events", &full).await;
        assert_eq!(status, 201, "{one}");
        call(&instance, &key, Method::POST, "/v1/events", &json!({"type": "secure_access", "resource": "sensitive_data"})).await;
        let id = one["id"].as_str().unwrap();
        let (_, read) = call(&instance, &key, Method::GET, &format!("/v1/events/{id}"), &Value::Null).await;
        assert_eq!(read["event"]["metadata"]["mail"], "friend@example.com");
        assert_eq!(read["event"]["time"], "2026-01-02T02:04:05.000000Z");
        let sealed = read["sealed"].as_str().unwrap();
        for personal in ["192.0.2.77", "friend@example.com", "Summer", "curl"] {
            assert!(!sealed.contains(personal), "{personal} stands in the ledger in clear");
        }
        for (query, hits) in [
            ("actor:photos:42", 1),
            ("type:photo.shared", 1),
            ("type:photo.*", 1),
            ("resource:7", 1),
            ("resource:photo/7", 1),
            ("resource:sensitive_data", 1),
            ("outcome:denied,failure type:photo.shared", 1),
            ("-outcome:denied type:photo.shared", 0),
            ("-resource:7 resource:sensitive_data", 1),
            ("graz summer", 1),
            ("vienna", 0),
            ("ip:192.0.2.0/26", 0),
            ("ip:192.0.2.64/26", 1),
            ("after:2026-01-02T02:04:05Z before:2026-01-02T02:04:06Z", 1),
            ("before:2026-01-02T02:04:05Z", 0),
            ("type:photo.shared actor:photos:43", 0),
            (&format!("id:{id}"), 1),
        ] {
            let escaped: String = query.bytes().map(|b| format!("%{b:02X}")).collect();
            let query = format!("q={escaped}");
            let (status, page) = call(&instance, &key, Method::GET, &format!("/v1/events?{query}"), &Value::Null).await;
            assert_eq!((status, page["items"].as_array().map(Vec::len)), (200, Some(hits)), "{storage} {query} {page}");
        }
        let (_, proof) = call(&instance, &key, Method::GET, &format!("/v1/ledger/proof?event={id}"), &Value::Null).await;
        let vkey = call(&instance, &key, Method::GET, "/v1/ledger/key", &Value::Null).await.1;
        let proof = tutela_ledger::TlogProof::parse(proof.as_str().unwrap()).unwrap();
        proof.verify(sealed.as_bytes(), &tutela_ledger::VerifyingKey::parse(vkey.as_str().unwrap()).unwrap()).unwrap();
    }
}

#[tokio::test]
async fn a_batch_with_bad_items_stores_the_good_ones_and_names_the_others() {
    let instance = Instance::start("sqlite", "").await;
    let key = instance.key(&["events:write", "ledger:read"]).await;
    let batch = json!([
        {"type": "ok.one"},
        {"type": "Bad Type"},
        {"type": "ok.two", "unknown": 1},
        {"type": "ok.three", "time": "yesterday"},
        {"type": "ok.four", "outcome": "maybe"},
        {"type": "ok.five", "source": {"ip": "300.1.1.1"}},
        {"type": "session.started"},
        {"type": "ok.six", "metadata": {"text": "x".repeat(61 * 1024)}},
        {"type": 7},
        {"type": "ok.seven"},
    ]);
    let (status, answer) = call(&instance, &key, Method::POST, "/v1/events", &batch).await;
    assert_eq!(status, 200);
    let results = answer["results"].as_array().unwrap();
    let statuses: Vec<u64> = results.iter().map(|r| r["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 422, 422, 422, 422, 422, 422, 422, 422, 201]);
    let fields: Vec<&str> = results.iter().filter_map(|r| r["problem"]["errors"][0]["field"].as_str()).collect();
    assert_eq!(fields, ["type", "event", "time", "outcome", "source.ip", "type", "event"]);
    assert!(results[7]["problem"]["detail"].as_str().unwrap().contains("61440 bytes"));
    let (_, page) = call(&instance, &key, Method::GET, "/v1/events?q=type:ok.one", &Value::Null).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    for (bad, status) in [(json!("text"), 422), (json!(7), 422), (json!(null), 400)] {
        assert_eq!(call(&instance, &key, Method::POST, "/v1/events", &bad).await.0, status, "{bad}");
    }
}

#[tokio::test]
async fn the_same_request_with_one_idempotency_key_happens_once() {
    for storage in storages().await {
        let instance = Instance::start(&storage, "").await;
        let key = instance.key(&["events:write", "ledger:read"]).await;
        let send = |body: Value| {
            let request =
                instance.browser().request(Method::POST, &format!("{}/v1/events", instance.own())).bearer_auth(&key).header("idempotency-key", "order-1");
            async move { answer(request.json(&body).send().await.unwrap()).await }
        };
        let first = send(json!({"type": "order.paid"})).await;
        assert_eq!(send(json!({"type": "order.paid"})).await, first);
        assert_eq!(send(json!({"type": "order.lost"})).await.0, 422, "another request under the same key");
        let (_, page) = call(&instance, &key, Method::GET, "/v1/events?q=type:order.paid", &Value::Null).await;
        assert_eq!(page["items"].as_array().unwrap().len(), 1, "{storage}");
    }
}

#[tokio::test]
async fn permissions_are_asked_with_external_identifiers_and_follow_roles_at_once() {
    let instance = Instance::start("sqlite", "").await;
    instance.role("editor", &["photos:edit"]).await;
    let id = instance.account("ben@example.com", &["editor"]).await;
    let key = instance.key(&["permissions:check"]).await;
    let external = json!({"namespace": "photos", "value": 42});
    assert_eq!(instance.operator(Method::PUT, &format!("/v1/accounts/{id}/identifiers"), external.clone()).await.0, 204);
    let other = instance.account("eve@example.com", &[]).await;
    assert_eq!(instance.operator(Method::PUT, &format!("/v1/accounts/{other}/identifiers"), external.clone()).await.0, 409, "taken");
    let may = |subject: Value, permission: &'static str| {
        let (instance, key) = (&instance, &key);
        async move { call(instance, key, Method::POST, "/v1/permissions/check", &json!({"subject": subject, "permission": permission})).await.1["allowed"].clone() }
    };
    for (subject, permission, allowed) in [
        (json!(id), "photos:edit", true),
        (json!(id), "editor", true),
        (json!(id), "admin", false),
        (external.clone(), "photos:edit", true),
        (json!({"namespace": "photos", "value": 43}), "photos:edit", false),
        (json!("nobody"), "photos:edit", false),
    ] {
        assert_eq!(may(subject, permission).await, json!(allowed), "{permission}");
    }
    instance.operator(Method::PUT, &format!("/v1/accounts/{id}/roles"), json!({"roles": []})).await;
    assert_eq!(may(external, "photos:edit").await, json!(false));
}

#[tokio::test]
async fn a_revoked_key_stops_at_once() {
    let instance = Instance::start("sqlite", "").await;
    let key = instance.key(&["events:write"]).await;
    assert_eq!(call(&instance, &key, Method::POST, "/v1/events", &json!({"type": "a.b"})).await.0, 201);
    let (_, clients) = instance.operator(Method::GET, "/v1/clients", Value::Null).await;
    let id = clients["items"][0]["id"].as_str().unwrap();
    assert_eq!(instance.operator(Method::DELETE, &format!("/v1/clients/{id}"), Value::Null).await.0, 204);
    assert_eq!(call(&instance, &key, Method::POST, "/v1/events", &json!({"type": "a.b"})).await.0, 401);
    assert_eq!(call(&instance, "tck_forged", Method::POST, "/v1/events", &json!({"type": "a.b"})).await.0, 401);
}

#[tokio::test]
async fn errors_are_problems_and_the_api_describes_itself() {
    let instance = Instance::start("sqlite", "").await;
    let browser = instance.browser();
    for (method, path, status) in [(Method::GET, "/v1/nothing", 404), (Method::DELETE, "/v1/events", 405), (Method::GET, "/v1/events", 401)] {
        let response = browser.request(method.clone(), &format!("{}{path}", instance.own())).header("accept", "application/json").send().await.unwrap();
        assert_eq!(response.status(), status, "{method} {path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{method} {path}");
    }
    let (_, document) = answer(browser.get(&format!("{}/v1/openapi.json", instance.own())).await).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut described: Vec<String> = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        described.extend(operations.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let mut routed: Vec<String> = tutela_http::route_table()
        .iter()
        .map(|r| format!("{} {}", r.method, r.path.replace("{*path}", "{path}")))
        .filter(|r| !r.ends_with("openapi.json"))
        .collect();
    described.sort();
    routed.sort();
    assert_eq!(described, routed);
}
