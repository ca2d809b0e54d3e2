use std::fmt::Write as _;

use reqwest::Method;
use tutela_http::{Needs, route_table};

use crate::server::Instance;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/authorization.txt");

/// Every route of the API against every kind of caller. A new route changes the table, and somebody has to decide.
#[tokio::test]
async fn the_table_of_callers_and_routes_is_as_decided() {
    let instance = Instance::start("sqlite", "").await;
    instance.role("auditor", &["ledger:read", "console:use"]).await;
    instance.role("support", &["sessions:read", "sessions:end", "accounts:read"]).await;
    instance.role("nothing", &[]).await;
    let mut callers = Vec::new();
    for role in ["admin", "auditor", "nothing", "support"] {
        let email = format!("{role}@example.com");
        instance.account(&email, &[role]).await;
        let browser = instance.browser();
        // The console answers 403 to those who may not use it; its session is there all the same.
        browser.sign_in_at(&format!("{}/", instance.console()), &email).await;
        assert!(browser.cookie("console.tutela.localhost", "__Host-tutela").is_some(), "{role} has no session");
        callers.push((role, browser));
    }
    callers.insert(0, ("anonymous", instance.browser()));
    let writer = instance.key(&["events:write"]).await;

    let mut table = String::new();
    for route in route_table() {
        let needs = match route.needs {
            Needs::Permission(permission) => permission,
            Needs::Public => "public",
            Needs::SignedIn => "signed in",
        };
        let _ = write!(table, "{:<6} {:<32} {needs:<18}", route.method.as_str(), route.path);
        let path = route.path.replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057").replace("{*path}", "0/000.p/1");
        let url = format!("{}{path}", instance.console());
        for (name, browser) in &callers {
            let status = browser.request(route.method.clone(), &url).send().await.unwrap().status().as_u16();
            let _ = write!(table, " {name}={}", verdict(status));
        }
        let request = instance.browser().request(route.method.clone(), &url).bearer_auth(&writer);
        let _ = writeln!(table, " key(events:write)={}", verdict(request.send().await.unwrap().status().as_u16()));
    }
    if std::env::var_os("TUTELA_BLESS").is_some() {
        std::fs::write(GOLDEN, &table).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert_eq!(golden, table, "decide about the difference, then run with TUTELA_BLESS=1");
}

/// A refusal, or anything else: a request without a body may well be wrong, but it was let in.
fn verdict(status: u16) -> &'static str {
    match status {
        401 => "401",
        403 => "403",
        500.. => "ERROR",
        _ => "in",
    }
}

#[tokio::test]
async fn the_own_host_has_only_what_applications_need() {
    let instance = Instance::start("sqlite", "").await;
    let browser = instance.browser();
    for route in route_table().into_iter().filter(|r| r.method == Method::GET && !r.path.contains('{')) {
        let status = browser.request(Method::GET, &format!("{}{}", instance.own(), route.path)).send().await.unwrap().status();
        assert_eq!(status == 404, !route.on_own_host, "{} {status}", route.path);
    }
    for admin_only in ["/metrics", "/readyz", "/ledger", "/people"] {
        assert_eq!(browser.get(&format!("{}{admin_only}", instance.own())).await.status(), 404, "{admin_only}");
    }
}

/// Whoever may administer accounts or roles must not thereby be able to do everything.
#[tokio::test]
async fn nobody_hands_out_or_takes_away_what_they_do_not_hold() {
    let instance = Instance::start("sqlite", "").await;
    instance.role("helpdesk", &["accounts:write", "accounts:read", "roles:write"]).await;
    instance.role("photos-admin", &[]).await;
    instance.role("auditor", &["ledger:read"]).await;
    let helper = instance.account("helper@example.com", &["helpdesk"]).await;
    let ada = instance.account("ada@example.com", &["admin"]).await;
    let browser = instance.browser();
    browser.sign_in_at(&format!("{}/", instance.console()), "helper@example.com").await;
    let call = |method: Method, path: String, body: serde_json::Value| {
        let request = browser.request(method, &format!("{}{path}", instance.console())).header("sec-fetch-site", "same-origin").json(&body);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    for role in ["admin", "photos-admin", "auditor"] {
        assert_eq!(call(Method::PUT, format!("/v1/accounts/{helper}/roles"), serde_json::json!({"roles": ["helpdesk", role]})).await, 409, "{role}");
    }
    assert_eq!(call(Method::PUT, format!("/v1/accounts/{ada}/roles"), serde_json::json!({"roles": []})).await, 409);
    assert_eq!(call(Method::POST, format!("/v1/accounts/{ada}/disable"), serde_json::json!({})).await, 409);
    assert_eq!(call(Method::PUT, "/v1/roles".into(), serde_json::json!({"name": "auditor", "permissions": []})).await, 409);
    assert_eq!(call(Method::PUT, "/v1/roles".into(), serde_json::json!({"name": "helpdesk", "permissions": ["*"]})).await, 409);
    assert_eq!(call(Method::POST, "/v1/setup-links".into(), serde_json::json!({})).await, 403);
    let new = serde_json::json!({"email": "new@example.com", "name": "New", "roles": ["helpdesk"]});
    assert_eq!(call(Method::POST, "/v1/accounts".into(), new).await, 201, "what one holds one may give");
}
