use std::sync::{Arc, Mutex};

use axum::{Router, body::Body, extract::Request, response::Response, routing::any};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::server::{Instance, answer, http, location, storages};

/// An application that answers what it was sent, and remembers it.
pub struct Echo {
    pub port: u16,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Echo {
    /// What came, in its order.
    pub fn seen(&self) -> Vec<Value> {
        self.seen.lock().unwrap().clone()
    }
}

pub async fn echo() -> Echo {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
    let log = Arc::clone(&seen);
    let app = Router::new().fallback(any(move |request: Request| {
        let log = Arc::clone(&log);
        async move {
            let headers: serde_json::Map<String, Value> =
                request.headers().iter().map(|(k, v)| (k.to_string(), json!(String::from_utf8_lossy(v.as_bytes())))).collect();
            let uri = request.uri().to_string();
            let bytes = axum::body::to_bytes(request.into_body(), 1 << 30).await.map(|b| b.len());
            let line = json!({"uri": uri, "headers": headers, "bytes": bytes.ok()});
            log.lock().unwrap().push(line.clone());
            Response::builder()
                .header("content-type", "application/json")
                .header("set-cookie", "__Host-tutela-session=evil; Path=/; Secure")
                .header("set-cookie", "app=1")
                .header("x-app", "yes")
                .body(Body::from(line.to_string()))
                .unwrap()
        }
    }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Echo { port, seen }
}

fn routes(port: u16) -> String {
    let route = |host: &str, path: &str, require: &str| {
        format!(
            "[[gateway.routes]]\nname = \"{}\"\nhost = \"{host}.localhost\"\npath = \"{path}\"\nupstream = \"http://127.0.0.1:{port}\"\nrequire = {require}\nmax_body_bytes = 100000000\n",
            format!("{host}{}", path.replace('/', "-")).trim_end_matches('-')
        )
    };
    route("public", "/", "\"public\"")
        + &route("photos", "/", "\"signed-in\"")
        + &route("photos", "/admin", "{ permission = \"admin\" }")
        + &route("photos", "/open", "\"public\"")
}

#[tokio::test]
async fn a_person_is_led_to_sign_in_and_back_and_the_application_learns_who_it_is() {
    for storage in storages().await {
        let echo = echo().await;
        let instance = Instance::start(&storage, &routes(echo.port)).await;
        let id = instance.account("ben@example.com", &[]).await;
        let browser = instance.browser();
        let wanted = format!("http://photos.localhost:{}/album?x=1&y=%2F%20", instance.port);
        let (at, page) = browser.sign_in_at(&wanted, "ben@example.com").await;
        assert_eq!(at, wanted);
        assert_eq!(page.headers().get_all("set-cookie").iter().collect::<Vec<_>>(), ["app=1"], "an upstream cannot set our cookies");
        let (status, seen) = answer(page).await;
        assert_eq!((status, seen["uri"].as_str()), (200, Some("/album?x=1&y=%2F%20")));
        let headers = &seen["headers"];
        assert_eq!(headers["tutela-user"], json!(id));
        assert_eq!(headers["tutela-email"], "ben@example.com");
        assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
        assert!(!headers["cookie"].as_str().unwrap_or_default().contains("tutela"), "our cookies never reach an upstream: {headers}");
        // The signed identity: right audience, at most 60 seconds, checked with the published keys.
        let token = headers["tutela-identity"].as_str().unwrap();
        let key = instance.key(&["tokens:introspect"]).await;
        let question = browser.request(Method::POST, &format!("{}/v1/tokens/introspect", instance.own())).bearer_auth(key).json(&json!({"token": token}));
        let (_, answered) = answer(question.send().await.unwrap()).await;
        assert_eq!((&answered["active"], &answered["sub"]), (&json!(true), &json!(id)));
        // The session is on record, and so is each request.
        let (_, page) = instance.operator(Method::GET, &format!("/v1/events?q=actor:{id}%20type:session.extended"), Value::Null).await;
        assert_eq!(page["items"][0]["event"]["data"]["host"], "photos.localhost", "{storage}");
    }
}

#[tokio::test]
async fn whatever_a_client_claims_about_itself_is_removed_on_every_route() {
    let echo = echo().await;
    let instance = Instance::start("sqlite", &routes(echo.port)).await;
    let url = format!("http://public.localhost:{}/", instance.port);
    let forged = ["tutela-identity", "tutela-user", "Tutela-Roles", "tutela_identity", "x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip"];
    let browser = instance.browser();
    let request =
        forged.iter().fold(browser.request(Method::GET, &url), |r, name| r.header(*name, "forged")).header("cookie", "__Host-tutela-session=tse_x; a=1");
    let (_, seen) = answer(request.send().await.unwrap()).await;
    assert!(!seen.to_string().contains("forged"), "{seen}");
    assert_eq!(seen["headers"]["cookie"], "a=1");
}

#[tokio::test]
async fn an_api_call_without_a_session_gets_a_problem_and_a_role_is_needed_where_asked() {
    let echo = echo().await;
    let instance = Instance::start("sqlite", &routes(echo.port)).await;
    instance.account("ben@example.com", &[]).await;
    instance.account("ada@example.com", &["admin"]).await;
    let at = |path: &str| format!("http://photos.localhost:{}{path}", instance.port);
    let anonymous = instance.browser();
    let call = anonymous.request(Method::GET, &at("/x")).header("accept", "application/json").send().await.unwrap();
    // The client's own `accept` from the helper comes first; ask again without a page in it.
    let plain = http().resolve("photos.localhost", ([127, 0, 0, 1], instance.port).into()).build().unwrap();
    let refused = plain.get(at("/x")).header("accept", "application/json").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["content-type"].to_str().unwrap()), (401, "application/problem+json"));
    assert!(location(&call, &at("/x")).is_some());
    let (ben, ada) = (instance.browser(), instance.browser());
    assert_eq!(ben.sign_in_at(&at("/admin/x"), "ben@example.com").await.1.status(), 403);
    assert_eq!(ada.sign_in_at(&at("/admin/x"), "ada@example.com").await.1.status(), 200);
    for sneaky in ["/open/../admin", "/open/%2e%2e/admin", "//admin", "/open%2f..%2fadmin", "/%61dmin", "/admin;x=1"] {
        let raw = raw_get(instance.port, "photos.localhost", sneaky).await;
        assert!(raw.starts_with("HTTP/1.1 400") || raw.starts_with("HTTP/1.1 401"), "{sneaky}: {raw}");
    }
    assert!(echo.seen.lock().unwrap().iter().all(|line| line["uri"] == "/admin/x" && line["headers"]["tutela-email"] == "ada@example.com"));
}

/// A request with a target exactly as written.
async fn raw_get(port: u16, host: &str, target: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text).await;
    text
}

#[tokio::test]
async fn a_code_is_for_one_browser_one_host_and_one_use() {
    let echo = echo().await;
    let instance = Instance::start("sqlite", &routes(echo.port)).await;
    instance.account("ben@example.com", &[]).await;
    let wanted = format!("http://photos.localhost:{}/album", instance.port);
    let browser = instance.browser();
    browser.sign_in_at(&format!("{}/sign-in", instance.own()), "ben@example.com").await;
    // Stop at the callback: take the address, do not open it.
    let to_sign_in = location(&browser.get(&wanted).await, &wanted).unwrap();
    let callback = location(&browser.get(&to_sign_in).await, &to_sign_in).unwrap();
    assert!(callback.starts_with(&format!("http://photos.localhost:{}/_tutela/callback?code=", instance.port)));
    let thief = instance.browser();
    assert_eq!(thief.get(&callback).await.status(), 400, "another browser has no transaction cookie");
    thief.set_cookie("photos.localhost", "__Host-tutela-txn", "ttx_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(thief.get(&callback).await.status(), 400);
    let elsewhere = callback.replace("photos.localhost", "public.localhost");
    assert_eq!(browser.get(&elsewhere).await.status(), 400, "a code for one host does not work on another");
    assert_eq!(browser.get(&callback).await.status(), 303);
    assert_eq!(browser.get(&callback).await.status(), 400, "used up");
    assert_eq!(browser.get(&wanted).await.status(), 200);
}

#[tokio::test]
async fn signing_out_on_the_application_s_host_ends_it_there_and_here() {
    let echo = echo().await;
    let instance = Instance::start("sqlite", &routes(echo.port)).await;
    instance.account("ben@example.com", &[]).await;
    let browser = instance.browser();
    let wanted = format!("http://photos.localhost:{}/album", instance.port);
    browser.sign_in_at(&wanted, "ben@example.com").await;
    let stolen = browser.cookie("photos.localhost", "__Host-tutela-session").unwrap();
    let out = format!("http://photos.localhost:{}/_tutela/sign-out", instance.port);
    let forged = browser.request(Method::POST, &out).header("origin", "https://evil.example");
    assert_eq!(browser.send(&out, forged).await.status(), 403);
    assert_eq!(browser.get(&out).await.status(), 405);
    assert_eq!(browser.post(&out, &[]).await.status(), 303);
    let thief = instance.browser();
    thief.set_cookie("photos.localhost", "__Host-tutela-session", &stolen);
    assert_eq!(thief.get(&wanted).await.status(), 303, "a copied cookie is worth nothing after sign-out");
    assert_eq!(browser.get(&format!("{}/account", instance.own())).await.status(), 303);
}

#[tokio::test]
async fn large_bodies_stream_and_too_large_ones_are_refused() {
    let echo = echo().await;
    let instance = Instance::start("sqlite", &routes(echo.port)).await;
    let url = format!("http://public.localhost:{}/upload", instance.port);
    let browser = instance.browser();
    let (status, seen) = answer(browser.request(Method::PUT, &url).body(vec![7_u8; 50 << 20]).send().await.unwrap()).await;
    assert_eq!((status, seen["bytes"].as_u64()), (200, Some(50 << 20)));
    let refused = browser.request(Method::PUT, &url).body(vec![7_u8; 100_000_001]).send().await;
    // The refusal may overtake the upload.
    assert!(refused.is_err() || refused.unwrap().status() == 413);
}

#[tokio::test]
async fn hosts_nobody_named_get_421_and_dead_upstreams_502() {
    let instance = Instance::start("sqlite", &routes(1)).await;
    let browser = instance.browser();
    assert_eq!(browser.get(&format!("http://unknown.localhost:{}/", instance.port)).await.status(), 421);
    assert_eq!(browser.get(&format!("http://public.localhost:{}/", instance.port)).await.status(), 502);
    for raw in
        ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET http://public.localhost/ HTTP/1.1\r\nHost: photos.localhost\r\n\r\n"]
    {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", instance.port)).await.unwrap();
        stream.write_all(raw.as_bytes()).await.unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 400", "{raw}");
    }
}

#[tokio::test]
async fn every_request_is_recorded_and_each_record_is_proven_alone() {
    for storage in storages().await {
        let echo = echo().await;
        let instance = Instance::start(&storage, &routes(echo.port)).await;
        let browser = instance.browser();
        for i in 0..30 {
            browser.get(&format!("http://public.localhost:{}/page/{i}", instance.port)).await;
        }
        let search = || instance.operator(Method::GET, "/v1/events?q=type:gateway.request%20/page/17", Value::Null);
        let mut found = search().await.1;
        for _ in 0..100 {
            if found["items"].as_array().is_some_and(|items| !items.is_empty()) {
                break;
            }
            tokio::task::yield_now().await;
            found = search().await.1;
        }
        let event = &found["items"][0]["event"];
        assert_eq!((&event["personal"]["path"], &event["request"]["status"]), (&json!("/page/17"), &json!(200)), "{storage} {found}");
        let id = event["id"].as_str().unwrap();
        let sealed = instance.operator(Method::GET, &format!("/v1/events/{id}"), Value::Null).await.1["sealed"].as_str().unwrap().to_owned();
        let (_, proof) = instance.operator(Method::GET, &format!("/v1/ledger/proof?event={id}"), Value::Null).await;
        let (_, key) = instance.operator(Method::GET, "/v1/ledger/key", Value::Null).await;
        let proof = tutela_ledger::TlogProof::parse(proof.as_str().unwrap()).unwrap();
        assert!(proof.item.is_some());
        proof.verify(sealed.as_bytes(), &tutela_ledger::VerifyingKey::parse(key.as_str().unwrap()).unwrap()).unwrap();
    }
}

#[tokio::test]
async fn python_s_own_server_is_guarded_without_knowing_it() {
    use std::process::{Command, Stdio};
    let files = tempfile::TempDir::new().unwrap();
    std::fs::write(files.path().join("hello.txt"), "hello from python\n").unwrap();
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let python = Command::new("python3")
        .args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()])
        .current_dir(files.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut python) = python else { return testkit::skip("python3 is not installed") };
    let instance = Instance::start("sqlite", &routes(port)).await;
    instance.account("ben@example.com", &[]).await;
    let browser = instance.browser();
    let url = format!("http://photos.localhost:{}/hello.txt", instance.port);
    let mut page = browser.sign_in_at(&url, "ben@example.com").await.1;
    for _ in 0..200 {
        if page.status() != 502 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        page = browser.get(&url).await;
    }
    let text = page.text().await;
    let _ = python.kill();
    let _ = python.wait();
    assert_eq!(text.unwrap(), "hello from python\n");
}

/// What comes back to these bytes, until the connection ends or nothing more comes for a second.
async fn raw(port: u16, text: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4_096];
    while let Ok(Ok(count @ 1..)) = tokio::time::timeout(std::time::Duration::from_secs(1), stream.read(&mut piece)).await {
        answer.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_another_server_could_read_as_two_requests_arrives_as_none() {
    let echo = echo().await;
    let instance = Instance::start("sqlite", &routes(echo.port)).await;
    let host = "Host: public.localhost";
    let post = |fields: &str, body: &str| format!("POST /smuggled HTTP/1.1\r\n{host}\r\n{fields}\r\n\r\n{body}");
    let hidden = "GET /hidden HTTP/1.1\r\nHost: public.localhost\r\n\r\n";
    let cases = [
        post("Content-Length: 6\r\nTransfer-Encoding: chunked", &format!("0\r\n\r\n{hidden}")),
        post("Transfer-Encoding: chunked\r\nContent-Length: 6", &format!("0\r\n\r\n{hidden}")),
        post("Content-Length: 3, 3", "abc"),
        post("Content-Length: 3\r\nContent-Length: 4", "abcd"),
        post("Content-Length: +3", "abc"),
        post("Content-Length: 0x3", "abc"),
        post("Transfer-Encoding: xchunked", "0\r\n\r\n"),
        post("Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
        post("Transfer-Encoding: \u{b}chunked", "0\r\n\r\n"),
        post("Transfer-Encoding : chunked", "0\r\n\r\n"),
        post("Transfer-Encoding: chunked", &format!("3\nabc\r\n0\r\n\r\n{hidden}")),
        post("Transfer-Encoding: chunked", &format!("3;x\nabc\r\n0\r\n\r\n{hidden}")),
        format!("POST /smuggled HTTP/1.0\r\n{host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("GET /smuggled HTTP/1.1\r\n{host}\r\nA: b\r\n c\r\n\r\n"),
        format!("GET /smuggled HTTP/1.1\r\n{host}\r\nA: b\0c\r\n\r\n"),
        format!("GET /smuggled HTTP/1.1\r\n{host}\r\nA: b\rX: c\r\n\r\n"),
        "GET /smuggled HTTP/1.1\nHost: public.localhost\n\n".to_owned(),
        format!("GET /smuggled HTTP/1.1\r\n{host}\r\nHost: photos.localhost\r\n\r\n"),
        "GET /smuggled HTTP/1.1\r\n\r\n".to_owned(),
        format!("GET http://photos.localhost/smuggled HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("GET /smuggled HTTP/1.1\r\n{host}\r\nContent-Type: a/b\r\nContent-Type: c/d\r\n\r\n"),
        format!("GET /smuggled HTTP/1.1\r\n{host}\r\n{}\r\n", "A: b\r\n".repeat(200)),
    ];
    for case in &cases {
        let answer = raw(instance.port, case).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{case:?}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{case:?}: {answer}");
    }
    // Where the head was fine and the body is not, the application may have heard of it, and of nothing behind it.
    assert!(echo.seen().iter().all(|seen| seen["uri"] == "/smuggled" && seen["headers"]["transfer-encoding"] == "chunked"), "{:?}", echo.seen());
    let before = echo.seen().len();
    // What is named in `Connection` is for this hop, and an upgrade to nothing known is none.
    let fine = format!("GET /fine HTTP/1.1\r\n{host}\r\nConnection: X-User, close\r\nX-User: admin\r\nUpgrade: h2c\r\n\r\n");
    assert!(raw(instance.port, &fine).await.starts_with("HTTP/1.1 200"));
    let seen = echo.seen();
    let headers = &seen[before]["headers"];
    assert!(seen.len() == before + 1 && headers.get("x-user").is_none() && headers.get("upgrade").is_none(), "{seen:?}");
}
