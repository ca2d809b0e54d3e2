//! Card numbers in answers of applications.

use std::convert::Infallible;

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ALL, matrix::Seen, send};
use crate::{
    people::{MESSAGES, app_code, set_up_app},
    server::{Browser, Instance, location},
    websocket,
};

const PAGE: &str = "<p>Paid with 4111 1111 1111 1111</p><p>and 378282246310005</p><p>Order 4111111111111112</p>";
const HIDDEN: &str = "<p>Paid with 4111 11** **** 1111</p><p>and 378282*****0005</p><p>Order 4111111111111112</p>";
/// What gzip begins with.
const PACKED: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0];

/// A shop that shows what it should not.
async fn shop() -> u16 {
    let of = |kind: &'static str, body: &'static str| async move { ([(header::CONTENT_TYPE, kind), (header::ETAG, "\"1\"")], body) };
    let stream = || async {
        // One byte at a time, and a pause where a number is half there.
        let bytes = PAGE.bytes().map(|byte| Ok::<_, Infallible>(Bytes::from(vec![byte])));
        Body::from_stream(futures_util::stream::iter(bytes).then(|byte| async {
            tokio::task::yield_now().await;
            byte
        }))
    };
    let asked = |headers: HeaderMap| async move {
        let named = ["accept-encoding", "range", "if-range"].map(|name| headers.contains_key(name));
        axum::Json(json!({"asked": named, "pan": 5_555_555_555_554_444_u64, "text": "5555555555554444"}))
    };
    let part = || async { (axum::http::StatusCode::PARTIAL_CONTENT, [(header::CONTENT_RANGE, "bytes 0-7/16")], "41111111").into_response() };
    let packed = || async { Response::builder().header("content-encoding", "gzip").body(Body::from(PACKED)).unwrap() };
    let app = Router::new()
        .route("/page", get(move || of("text/html; charset=utf-8", PAGE)))
        .route("/stream", get(stream))
        .route("/asked", get(asked))
        .route("/part", get(part))
        .route("/packed", get(packed))
        .route("/picture", get(move || of("image/png", "4111111111111111")))
        .route("/wide", get(move || of("text/plain; charset=utf-16", "4111111111111111")));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, app).await });
    port
}

/// Where one ends who goes there.
async fn followed(browser: &Browser, url: &str) -> reqwest::Response {
    let mut at = url.to_owned();
    loop {
        let response = browser.get(&at).await;
        match location(&response, &at) {
            Some(next) => at = next,
            None => return response,
        }
    }
}

#[tokio::test]
async fn card_numbers_are_masked_on_their_way_but_for_whom_they_are() {
    let (port, socket) = (shop().await, websocket::echo().await);
    let route = |name: &str, path: &str, port: u16, more: &str| {
        format!(
            "[[gateway.routes]]\nname = \"{name}{}\"\nhost = \"{name}.localhost\"\npath = \"{path}\"\nupstream = \"http://127.0.0.1:{port}\"\n{more}\n",
            path.replace('/', "-")
        )
    };
    let pay = "frameworks = [\"pci-dss\"]";
    let desk = "card_numbers = { permission = \"cards:read\" }";
    let routes = [
        route("public", "/", port, "require = \"public\"\ncard_numbers = \"masked\""),
        route("public", "/socket", socket, "require = \"public\"\ncard_numbers = \"masked\""),
        route("public", "/clear", port, "require = \"public\""),
        route("photos", "/", port, pay),
        route("app", "/", port, desk),
        route("app", "/socket", socket, desk),
    ];
    let session = "[identity.session]\ntimeout = 900\nadmin_timeout = 900\n";
    let instance = Instance::start("sqlite", &format!("{ALL}{session}{}{MESSAGES}", routes.concat())).await;
    let at = |host: &str, path: &str| format!("http://{host}.localhost:{}{path}", instance.port);
    let anybody = instance.browser();
    // As a whole, in pieces, as JSON; a number of JSON stays one.
    let page = anybody.get(&at("public", "/page")).await;
    assert_eq!((page.headers()["content-length"].to_str().unwrap(), page.headers().contains_key("cache-control")), (PAGE.len().to_string().as_str(), false));
    assert_eq!(page.text().await.unwrap(), HIDDEN);
    assert_eq!(anybody.get(&at("public", "/stream")).await.text().await.unwrap(), HIDDEN);
    let url = at("public", "/asked");
    let asked = anybody.request(Method::GET, &url).header("accept-encoding", "gzip, br").header("range", "bytes=0-7").header("if-range", "\"1\"");
    let found: Value = anybody.send(&url, asked).await.json().await.unwrap();
    assert_eq!(found, json!({"asked": [false, false, false], "pan": 5_555_550_000_004_444_u64, "text": "555555******4444"}));
    // What cannot be read is not passed on, and a picture is none of it.
    for unread in ["/part", "/packed", "/wide"] {
        let answer = anybody.get(&at("public", unread)).await;
        assert_eq!(answer.status(), 502, "{unread}");
        let said = answer.text().await.unwrap();
        assert!(said.contains("Card numbers in it could not be masked") && !said.contains("4111"), "{unread}: {said}");
    }
    assert_eq!(anybody.get(&at("public", "/picture")).await.text().await.unwrap(), "4111111111111111");
    assert!(websocket::open(instance.port, "public.localhost", "").await.1.starts_with("HTTP/1.1 403"));
    // For whoever holds the permission they are clear, and in no cache; for others not.
    instance.role("desk", &["cards:read"]).await;
    instance.account("dora@example.com", &["desk"]).await;
    instance.account("ada@example.com", &[]).await;
    for (who, expected, cached, opened) in [("dora@example.com", PAGE, Some("no-store"), "101"), ("ada@example.com", HIDDEN, None, "403")] {
        let browser = instance.browser();
        let page = browser.sign_in_at(&at("app", "/page"), who).await.1;
        assert_eq!(page.headers().get("cache-control").map(|of| of.to_str().unwrap()), cached, "{who}");
        assert_eq!(page.text().await.unwrap(), expected, "{who}");
        let cookie = browser.cookie("app.localhost", "__Host-tutela-session").unwrap();
        let (_stream, answer) = websocket::open(instance.port, "app.localhost", &format!("Cookie: __Host-tutela-session={cookie}\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {opened}")), "{who}: {answer}");
    }
    // Under PCI DSS without being asked to, and with two factors.
    let ada = instance.browser();
    ada.password(&instance, "ada@example.com").await;
    let secret = set_up_app(&ada, &instance).await.secret;
    let ada = instance.browser();
    ada.password(&instance, "ada@example.com").await;
    assert_eq!(ada.submit(&instance, "/sign-in/code", &[("kind", "totp"), ("code", &app_code(&secret, 1))]).await.status(), 303);
    assert_eq!(followed(&ada, &at("photos", "/page")).await.text().await.unwrap(), HIDDEN);
    let shown = send(&instance, Method::GET, "/v1/gateway", Value::Null).await;
    let of = |name: &str| shown["routes"].as_array().unwrap().iter().find(|of| of["name"] == name).unwrap()["card_numbers"].clone();
    assert_eq!(["photos-", "app-", "public-", "public-clear"].map(of), ["masked", "permission cards:read", "masked", "clear"].map(Value::from));
    // Whoever shows them to everybody is told so.
    let seen = Seen::default();
    seen.is(&instance, "card-numbers-masked", "pass").await;
    instance.rewrite(|text| text.replace(pay, &format!("{pay}\ncard_numbers = \"clear\"")));
    assert_eq!(instance.reload().await.0, 200);
    assert_eq!(followed(&ada, &at("photos", "/page")).await.text().await.unwrap(), PAGE);
    seen.is(&instance, "card-numbers-masked", "fail").await;
    instance.rewrite(|text| text.replace("card_numbers = \"clear\"", "card_numbers = { permission = \"cards:read\" }"));
    assert_eq!(instance.reload().await.0, 200);
    assert_eq!(followed(&ada, &at("photos", "/page")).await.text().await.unwrap(), HIDDEN);
    seen.is(&instance, "card-numbers-masked", "pass").await;
    seen.matches("mask");
    for (wrong, named) in [("{ permission = \"\" }", "names a permission"), ("\"sometimes\"", "card_numbers")] {
        instance.rewrite(|text| text.replacen("card_numbers = { permission = \"cards:read\" }", &format!("card_numbers = {wrong}"), 1));
        let out = instance.cli(&["config", "check"]).await;
        let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(!out.status.success() && said.contains(named), "{named}: {said}");
        instance.rewrite(|text| text.replacen(&format!("card_numbers = {wrong}"), "card_numbers = { permission = \"cards:read\" }", 1));
    }
}
