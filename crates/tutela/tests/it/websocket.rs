use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::server::{Instance, until};

/// An application that takes every WebSocket, says first what it was told of the caller, and then repeats what comes.
pub async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let head = head(&mut stream).await;
                if !head.to_ascii_lowercase().contains("upgrade: websocket") {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain").await;
                    return;
                }
                let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n").await;
                let user = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("tutela-email: ").map(str::to_owned));
                let _ = stream.write_all(format!("hello {}\n", user.unwrap_or_else(|| "nobody".into())).as_bytes()).await;
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    port
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { break };
        head.push(byte);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Asks for a WebSocket; the connection and the head of the answer.
pub async fn open(port: u16, host: &str, more: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!(
        "GET /socket HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = head(&mut stream).await;
    (stream, answer)
}

/// Sends and reads back; false where it is closed.
pub async fn repeats(stream: &mut TcpStream, text: &[u8]) -> bool {
    let mut back = vec![0; text.len()];
    stream.write_all(text).await.is_ok() && stream.read_exact(&mut back).await.is_ok() && back == text
}

async fn line(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while text.last() != Some(&b'\n') {
        text.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(text).unwrap().trim().to_owned()
}

async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "it is still open");
}

fn config(port: u16) -> String {
    let route = |host: &str, require: &str, more: &str| {
        format!("[[gateway.routes]]\nhost = \"{host}.localhost\"\nupstream = \"http://127.0.0.1:{port}\"\nrequire = \"{require}\"\n{more}\n")
    };
    route("public", "public", "websocket_origins = [\"https://other.example.com\"]") + &route("photos", "signed-in", "")
}

#[tokio::test]
async fn it_carries_any_bytes_and_knows_who_has_opened_it() {
    let port = echo().await;
    let instance = Instance::start("sqlite", &config(port)).await;
    let (mut stream, answer) = open(instance.port, "public.localhost", "").await;
    assert!(answer.starts_with("HTTP/1.1 101") && answer.to_ascii_lowercase().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
    assert_eq!(line(&mut stream).await, "hello nobody");
    // Frames are no HTTP: what would be a second request, bare line feeds, zero bytes.
    for text in [&b"\x81\x85\0\0\0\0hello"[..], b"GET /admin HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"\0\n\r\0", &[0xff; 100_000]] {
        assert!(repeats(&mut stream, text).await);
    }
    assert_eq!(instance.operator(Method::GET, "/v1/gateway", Value::Null).await.1["websockets"], 1);
    drop(stream);
    until("it is closed", async || instance.operator(Method::GET, "/v1/gateway", Value::Null).await.1["websockets"] == 0).await;
    let query = "/v1/events?q=type:gateway.request%20route:public.localhost";
    until("its record", async || instance.operator(Method::GET, query, Value::Null).await.1["items"][0]["event"]["request"]["status"] == 101).await;
}

#[tokio::test]
async fn only_pages_of_the_same_origin_may_open_one() {
    let port = echo().await;
    let instance = Instance::start("sqlite", &config(port)).await;
    let own = format!("http://public.localhost:{}", instance.port);
    for (origin, status) in [
        (own.as_str(), "101"),
        ("https://other.example.com", "101"),
        ("https://evil.example.com", "403"),
        ("http://public.localhost", "403"),
        ("null", "403"),
        (&format!("{own}\r\nOrigin: https://evil.example.com"), "403"),
    ] {
        let (_, answer) = open(instance.port, "public.localhost", &format!("Origin: {origin}\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{origin}: {answer}");
    }
}

#[tokio::test]
async fn other_protocols_are_not_passed_on() {
    let port = echo().await;
    let instance = Instance::start("sqlite", &config(port)).await;
    let url = format!("http://public.localhost:{}/", instance.port);
    for (upgrade, connection) in [("h2c", "upgrade, http2-settings"), ("tls/1.2", "upgrade"), ("websocket", "keep-alive")] {
        let request =
            instance.browser().request(Method::GET, &url).header("upgrade", upgrade).header("connection", connection).header("http2-settings", "AAMAAABk");
        let answer = request.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "plain".into()), "{upgrade}");
    }
}

#[tokio::test]
async fn it_ends_with_its_session_and_with_its_route() {
    let port = echo().await;
    let instance = Instance::start("sqlite", &config(port)).await;
    instance.account("ben@example.com", &[]).await;
    let browser = instance.browser();
    browser.sign_in_at(&format!("http://photos.localhost:{}/", instance.port), "ben@example.com").await;
    let cookie = format!("Cookie: __Host-tutela-session={}\r\n", browser.cookie("photos.localhost", "__Host-tutela-session").unwrap());
    let (_, refused) = open(instance.port, "photos.localhost", "").await;
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    let (mut stream, _) = open(instance.port, "photos.localhost", &cookie).await;
    let (mut other, _) = open(instance.port, "public.localhost", "").await;
    assert_eq!((line(&mut stream).await, line(&mut other).await), ("hello ben@example.com".into(), "hello nobody".into()));
    assert!(repeats(&mut stream, b"one").await);

    // Signing out ends it, within the time in which the gateway learns of it.
    assert_eq!(browser.post(&format!("http://photos.localhost:{}/_tutela/sign-out", instance.port), &[]).await.status(), 303);
    closed(&mut stream).await;
    assert!(repeats(&mut other, b"still there").await, "nobody else's");

    // A route that goes takes its WebSockets with it.
    instance.rewrite(|text| text.replace("host = \"public.localhost\"", "host = \"strict.localhost\""));
    assert_eq!(instance.reload().await.0, 200);
    closed(&mut other).await;
}

#[tokio::test]
async fn one_in_which_nothing_moves_is_closed() {
    let port = echo().await;
    let instance = Instance::start("sqlite", &format!("[gateway]\nwebsocket_idle_timeout = 1\n{}", config(port))).await;
    let (mut stream, _) = open(instance.port, "public.localhost", "").await;
    line(&mut stream).await;
    closed(&mut stream).await;
}
