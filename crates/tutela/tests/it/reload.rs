use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::any};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    server::{Instance, http, until},
    websocket::{echo, open, repeats},
};

async fn says(word: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(async move || word))).await });
    port
}

fn route(host: &str, port: u16) -> String {
    format!("[[gateway.routes]]\nhost = \"{host}.localhost\"\nupstream = \"http://127.0.0.1:{port}\"\nrequire = \"public\"\n")
}

#[tokio::test]
async fn a_hundred_reloads_under_load_drop_nothing() {
    let (a, b, socket) = (says("a").await, says("b").await, echo().await);
    let text = |port: u16| format!("{}{}", route("app", port), route("public", socket));
    let instance = Instance::start("sqlite", &text(a)).await;
    let port = instance.port;
    let (mut stream, answer) = open(port, "public.localhost", "").await;
    assert!(answer.starts_with("HTTP/1.1 101"));
    assert!(repeats_after_hello(&mut stream).await);

    let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (over, done) = (Arc::clone(&over), Arc::clone(&done));
            let client = http().resolve("app.localhost", ([127, 0, 0, 1], port).into()).build().unwrap();
            tokio::spawn(async move {
                let mut failed = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    match client.get(format!("http://app.localhost:{port}/")).send().await {
                        Ok(answer) if answer.status() == 200 => {
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                        other => failed.push(format!("{other:?}")),
                    }
                }
                failed
            })
        })
        .collect();
    for number in 0..100_u32 {
        let (from, to) = if number % 2 == 0 { (a, b) } else { (b, a) };
        instance.rewrite(|text| text.replace(&format!("127.0.0.1:{from}"), &format!("127.0.0.1:{to}")));
        let (status, said) = instance.reload().await;
        assert_eq!((status, &said["changed"]), (200, &json!(["gateway.routes"])), "{said}");
    }
    over.store(true, Ordering::Relaxed);
    for worker in workers {
        assert_eq!(worker.await.unwrap(), Vec::<String>::new());
    }
    assert!(done.load(Ordering::Relaxed) > 200, "there was a load: {}", done.load(Ordering::Relaxed));
    assert!(repeats(&mut stream, b"still there").await, "the WebSocket of a route that did not change");
}

async fn repeats_after_hello(stream: &mut tokio::net::TcpStream) -> bool {
    use tokio::io::AsyncReadExt as _;
    let mut hello = [0; 13];
    stream.read_exact(&mut hello).await.unwrap();
    &hello == b"hello nobody\n" && repeats(stream, b"one").await
}

#[tokio::test]
async fn what_is_wrong_changes_nothing_and_what_needs_a_restart_is_said() {
    let (a, b) = (says("a").await, says("b").await);
    let instance = Instance::start("sqlite", &route("app", a)).await;
    let get = async || instance.browser().get(&format!("http://app.localhost:{}/", instance.port)).await.text().await.unwrap();
    assert_eq!(get().await, "a");
    for (bad, said) in [
        ("bad_key = 1\n", "bad_key"),
        ("[gateway.waf]\nrules = [\"/nowhere.conf\"]\n", "/nowhere.conf"),
        ("[gateway]\nidle_timeout = 0\n", "`idle_timeout` is 0"),
    ] {
        let before = std::fs::read_to_string(instance.dir.path().join("tutela.toml")).unwrap();
        instance.rewrite(|text| if bad.starts_with('[') { format!("{text}\n{bad}") } else { format!("{bad}{text}") });
        let (status, problem) = instance.reload().await;
        assert!(status == 422 && problem.to_string().contains(said), "{status} {problem}");
        assert_eq!(get().await, "a");
        instance.rewrite(|_| before);
    }
    // A signal does the same, and says so in the ledger only.
    instance.rewrite(|text| format!("{}\n[identity.session]\ntimeout = 1800\n", text.replace(&format!(":{a}\""), &format!(":{b}\""))));
    instance.signal("-HUP");
    until("it is in force", async || get().await == "b").await;
    let (_, page) = instance.operator(Method::GET, "/v1/events?q=type:configuration.reloaded", Value::Null).await;
    let outcomes: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| item["event"]["outcome"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(outcomes, ["success", "failure", "failure", "failure"], "{page}");
    let (_, reloaded) = instance.reload().await;
    assert_eq!(reloaded, json!({"changed": [], "needs_restart": []}), "nothing differs from what was read last");
    let out = instance.cli(&["gateway", "routes"]).await;
    assert!(String::from_utf8_lossy(&out.stdout).contains("app.localhost"), "{out:?}");
}

#[tokio::test]
async fn the_listener_moves_while_what_is_open_goes_on() {
    let socket = echo().await;
    let instance = Instance::start("sqlite", &route("public", socket)).await;
    let (mut stream, _) = open(instance.port, "public.localhost", "").await;
    assert!(repeats_after_hello(&mut stream).await);
    let next = testkit::free_address().port();
    instance.rewrite(|text| text.replace(&format!("listen = \"127.0.0.1:{}\"", instance.port), &format!("listen = \"127.0.0.1:{next}\"")));
    let (status, said) = instance.reload().await;
    assert_eq!((status, &said["changed"]), (200, &json!(["server.listen"])), "{said}");
    assert!(open(next, "public.localhost", "").await.1.starts_with("HTTP/1.1 101"));
    until("the old one is gone", async || tokio::net::TcpStream::connect(("127.0.0.1", instance.port)).await.is_err()).await;
    assert!(repeats(&mut stream, b"still there").await);
    // A port that is taken is said, and nothing moves.
    instance.rewrite(|text| text.replace(&format!("listen = \"127.0.0.1:{next}\""), &format!("listen = \"127.0.0.1:{socket}\"")));
    let (status, problem) = instance.reload().await;
    assert!(status == 422 && problem.to_string().contains("is in use"), "{problem}");
    assert!(open(next, "public.localhost", "").await.1.starts_with("HTTP/1.1 101"));
    tokio::time::timeout(Duration::from_secs(30), instance.stop("-TERM")).await.unwrap();
}
