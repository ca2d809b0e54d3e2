use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::any};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use reqwest::Method;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

use crate::server::{Instance, answer, http, storages, until};

/// A server of an application: says who it is, waits where it is told to, and can be stopped.
#[derive(Clone)]
struct Server {
    address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    name: u32,
    answered: AtomicU32,
    /// What `/health` says.
    well: AtomicBool,
    go_on: Notify,
    stop: CancellationToken,
}

impl Server {
    async fn start(name: u32) -> Self {
        Self::at(name, "127.0.0.1:0".parse().unwrap()).await
    }

    async fn at(name: u32, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let inner = Arc::new(Inner { name, answered: AtomicU32::new(0), well: AtomicBool::new(true), go_on: Notify::new(), stop: CancellationToken::new() });
        let server = Self { address: listener.local_addr().unwrap(), inner: Arc::clone(&inner) };
        let app = Router::new().route("/health", any(health)).route("/slow", any(slow)).fallback(any(who)).with_state(inner.clone());
        tokio::spawn(async move {
            tokio::select! {
                served = axum::serve(listener, app).into_future() => served.unwrap(),
                () = inner.stop.cancelled() => {}
            }
        });
        server
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn answered(&self) -> u32 {
        self.inner.answered.load(Ordering::SeqCst)
    }
}

async fn who(State(server): State<Arc<Inner>>) -> String {
    server.answered.fetch_add(1, Ordering::SeqCst);
    server.name.to_string()
}

async fn slow(State(server): State<Arc<Inner>>) -> String {
    server.go_on.notified().await;
    who(State(server)).await
}

async fn health(State(server): State<Arc<Inner>>) -> impl IntoResponse {
    if server.well.load(Ordering::SeqCst) { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// One route to an upstream of these servers.
fn config(servers: &[String], more: &str) -> String {
    let list = servers.iter().map(|server| format!("\"{server}\"")).collect::<Vec<_>>().join(", ");
    format!(
        "[gateway]\nresponse_timeout = 2\nconnect_timeout = 2\n[[gateway.routes]]\nhost = \"app.localhost\"\nupstream = \"app\"\nrequire = \"public\"\n\
         [gateway.upstreams.app]\nservers = [{list}]\n{more}\n"
    )
}

async fn get(instance: &Instance, path: &str) -> (u16, String) {
    let answer = instance.browser().request(Method::GET, &format!("http://app.localhost:{}{path}", instance.port)).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap_or_else(|e| format!("broke off: {e}")))
}

async fn three() -> [Server; 3] {
    [Server::start(0).await, Server::start(1).await, Server::start(2).await]
}

fn urls(servers: &[Server]) -> Vec<String> {
    servers.iter().map(Server::url).collect()
}

#[tokio::test]
async fn requests_go_to_servers_as_the_balance_says() {
    let servers = three().await;
    let instance = Instance::start("sqlite", &config(&urls(&servers), "")).await;
    let mut counts = BTreeMap::new();
    for _ in 0..30 {
        let (status, name) = get(&instance, "/").await;
        assert_eq!(status, 200);
        *counts.entry(name).or_insert(0) += 1;
    }
    assert_eq!(counts.values().collect::<Vec<_>>(), [&10, &10, &10], "one after the other: {counts:?}");

    for balance in ["least_requests", "two_choices"] {
        let servers = three().await;
        let instance = Instance::start("sqlite", &config(&urls(&servers), &format!("balance = \"{balance}\""))).await;
        // Each server gets one that it does not finish; the first is let go, and is the only idle one then.
        let port = instance.port;
        let client = http().resolve("app.localhost", ([127, 0, 0, 1], port).into()).build().unwrap();
        let status = async || instance.operator(Method::GET, "/v1/gateway", Value::Null).await.1["upstreams"][0]["servers"].clone();
        let open_at = |servers: &Value| (0..3).map(|n| servers[n]["open"].as_u64().unwrap()).collect::<Vec<_>>();
        let mut open = Vec::new();
        for number in 1..=9 {
            open.push(tokio::spawn(client.get(format!("http://app.localhost:{port}/slow")).send()));
            until("it is open", async || open_at(&status().await).iter().sum::<u64>() == number).await;
        }
        let spread = open_at(&status().await);
        assert!(spread.iter().all(|open| (1..=5).contains(open)) && (balance != "least_requests" || spread == [3, 3, 3]), "{balance}: {spread:?}");
        until("the first is idle", async || {
            servers[0].inner.go_on.notify_waiters();
            open_at(&status().await)[0] == 0
        })
        .await;
        if balance == "least_requests" {
            assert_eq!(get(&instance, "/").await.1, "0", "the one with the fewest open requests");
        }
        servers.iter().for_each(|server| server.inner.go_on.notify_waiters());
        open.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[tokio::test]
async fn a_session_stays_with_its_server_as_long_as_that_is_well() {
    let servers = three().await;
    let text = config(&urls(&servers), "sticky = \"session\"\nmax_failures = 1\nfail_time = \"1 hours\"").replace("\"public\"", "\"signed-in\"");
    let instance = Instance::start("sqlite", &text).await;
    let url = format!("http://app.localhost:{}/", instance.port);
    let mut homes = Vec::new();
    for number in 0..8 {
        let email = format!("p{number}@example.com");
        instance.account(&email, &[]).await;
        let browser = instance.browser();
        let (_, page) = browser.sign_in_at(&url, &email).await;
        let home: usize = page.text().await.unwrap().parse().unwrap();
        for _ in 0..5 {
            assert_eq!(browser.get(&url).await.text().await.unwrap(), home.to_string());
        }
        homes.push((browser, home));
    }
    assert!(homes.iter().any(|(_, home)| *home != homes[0].1), "not all at one server");
    let gone = homes[0].1;
    servers[gone].inner.stop.cancel();
    for (browser, home) in &homes {
        // The browser's own connection to the gateway goes on; the gateway's to the server is dead.
        let now: usize = browser.get(&url).await.text().await.unwrap().parse().unwrap();
        assert!(if *home == gone { now != gone } else { now == *home }, "{home} -> {now}: only those of the dead server move");
    }
}

#[tokio::test]
async fn a_server_that_dies_is_left_out_without_a_failed_request_and_comes_back() {
    for storage in storages().await {
        let servers = three().await;
        let instance = Instance::start(&storage, &config(&urls(&servers), "max_failures = 2\nfail_time = \"1 seconds\"")).await;
        for _ in 0..6 {
            assert_eq!(get(&instance, "/").await.0, 200);
        }
        servers[1].inner.stop.cancel();
        for _ in 0..30 {
            assert_eq!(get(&instance, "/").await.0, 200, "another server is tried");
        }
        let state = async || instance.operator(Method::GET, "/v1/gateway", Value::Null).await.1["upstreams"][0]["servers"][1]["state"].clone();
        until("the dead one rests", async || {
            get(&instance, "/").await;
            state().await == "resting"
        })
        .await;
        let _back = Server::at(9, servers[1].address).await;
        until("it is used again", async || get(&instance, "/").await.1 == "9").await;
        let events = async |kind: &str| instance.operator(Method::GET, &format!("/v1/events?q=type:{kind}"), Value::Null).await.1["items"].clone();
        until("both are on record", async || {
            !events("upstream.failed").await.as_array().unwrap().is_empty() && !events("upstream.recovered").await.as_array().unwrap().is_empty()
        })
        .await;
        let failed = events("upstream.failed").await[0]["event"].clone();
        assert_eq!(
            (failed["resource"]["id"].as_str(), failed["data"]["server"].as_str()),
            (Some("app"), Some(servers[1].url().as_str())),
            "{storage}: {failed}"
        );
    }
}

#[tokio::test]
async fn a_server_that_says_it_is_not_well_gets_nothing_and_where_none_is_the_answer_says_so() {
    let servers = [Server::start(0).await, Server::start(1).await];
    let health = "health = { path = \"/health\", interval = \"1 seconds\", timeout = \"1 seconds\", healthy = 1, unhealthy = 1 }";
    let instance = Instance::start("sqlite", &config(&urls(&servers), health)).await;
    let state = async |number: usize| instance.operator(Method::GET, "/v1/gateway", Value::Null).await.1["upstreams"][0]["servers"][number]["state"].clone();
    servers[0].inner.well.store(false, Ordering::SeqCst);
    until("it is known", async || state(0).await == "down").await;
    let before = servers[0].answered();
    for _ in 0..10 {
        assert_eq!(get(&instance, "/").await, (200, "1".into()));
    }
    assert_eq!(servers[0].answered(), before);
    servers[1].inner.well.store(false, Ordering::SeqCst);
    until("none is well", async || get(&instance, "/").await.0 == 503).await;
    servers[0].inner.well.store(true, Ordering::SeqCst);
    until("one is well again", async || get(&instance, "/").await == (200, "0".into())).await;
}

/// A server that reads a request and then does `what` with the connection; it counts requests by method.
async fn rude(what: &'static [u8], hold: bool) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut bytes = vec![0; 4_096];
                let Ok(length) = stream.read(&mut bytes).await else { return };
                let head = String::from_utf8_lossy(&bytes[..length]).into_owned();
                log.lock().unwrap().push(head.split(' ').next().unwrap_or_default().to_owned());
                let _ = stream.write_all(what).await;
                if hold {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    (url, seen)
}

#[tokio::test]
async fn what_may_do_harm_twice_is_sent_once() {
    let (rude, seen) = rude(b"", false).await;
    let good = Server::start(7).await;
    let instance = Instance::start("sqlite", &config(&[rude, good.url()], "max_failures = 1000")).await;
    let url = format!("http://app.localhost:{}/", instance.port);
    for _ in 0..8 {
        assert_eq!(get(&instance, "/").await, (200, "7".into()), "a GET is tried again at the other");
    }
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(instance.browser().request(Method::POST, &url).body("x=1").send().await.unwrap().status().as_u16());
    }
    let posts = seen.lock().unwrap().iter().filter(|method| *method == "POST").count();
    let failed = statuses.iter().filter(|status| **status == 502).count();
    assert!(posts == failed && posts > 0, "each POST that was read and not answered is a 502, never sent again: {posts} {statuses:?}");
}

#[tokio::test]
async fn answers_that_are_late_broken_or_no_http_harm_nobody() {
    let cases: [(&'static [u8], bool, &[u16]); 6] = [
        (b"", true, &[504]),
        (b"SSH-2.0-OpenSSH_9.2\r\n", false, &[502]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false, &[502]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", false, &[502]),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", true, &[502]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nonly this", false, &[200]),
    ];
    for (what, hold, statuses) in cases {
        let (rude, _) = rude(what, hold).await;
        let instance = Instance::start("sqlite", &config(&[rude], "retries = 0\nmax_failures = 1000")).await;
        let (status, text) = get(&instance, "/").await;
        let what = String::from_utf8_lossy(what);
        assert!(statuses.contains(&status), "{what}: {status} {text}");
        assert!(status != 200 || text.starts_with("broke off"), "what breaks off is not an answer that ended: {text}");
    }
}

/// A certificate authority, and what it gives out.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for these names, and its key, both as PEM.
    pub fn issue(&self, names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// A server over TLS that wants to see a certificate of `clients`, and says which version was spoken.
async fn over_tls(authority: &Authority, names: &[&str]) -> SocketAddr {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (cert, key) = authority.issue(names);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let verifier = rustls::server::WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let config = rustls::ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()], PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut bytes = [0; 4_096];
                if stream.read(&mut bytes).await.is_ok_and(|length| length > 0) {
                    let text = format!("{:?}", stream.get_ref().1.negotiated_key_exchange_group().map(|group| group.name()));
                    let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len()).as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn servers_over_tls_are_verified_and_see_our_certificate() {
    let (authority, other) = (Authority::new(), Authority::new());
    let address = over_tls(&authority, &["app.internal"]).await;
    let files = tempfile::TempDir::new().unwrap();
    let path = |name: &str| files.path().join(name).display().to_string();
    let (cert, key) = authority.issue(&["gateway.internal"]);
    let (foreign_cert, foreign_key) = other.issue(&["gateway.internal"]);
    for (name, text) in [
        ("ca.pem", &authority.pem),
        ("other.pem", &other.pem),
        ("cert.pem", &cert),
        ("key.pem", &key),
        ("foreign.pem", &foreign_cert),
        ("foreign-key.pem", &foreign_key),
    ] {
        std::fs::write(path(name), text).unwrap();
    }
    let tls = |ca: &str, cert: &str, key: &str, name: &str| {
        format!("tls = {{ ca_file = \"{}\", cert_file = \"{}\", key_file = \"{}\", name = \"{name}\" }}", path(ca), path(cert), path(key))
    };
    for (what, tls, status) in [
        ("all as it should be", tls("ca.pem", "cert.pem", "key.pem", "app.internal"), 200),
        ("another authority", tls("other.pem", "cert.pem", "key.pem", "app.internal"), 502),
        ("another name", tls("ca.pem", "cert.pem", "key.pem", "else.internal"), 502),
        ("a certificate that it does not know", tls("ca.pem", "foreign.pem", "foreign-key.pem", "app.internal"), 502),
        ("no certificate", format!("tls = {{ ca_file = \"{}\", name = \"app.internal\" }}", path("ca.pem")), 502),
        ("the system's authorities", "tls = { name = \"app.internal\" }".to_owned(), 502),
    ] {
        let instance = Instance::start("sqlite", &config(&[format!("https://{address}")], &tls)).await;
        let (got, text) = get(&instance, "/").await;
        assert_eq!(got, status, "{what}: {text}");
        assert!(got != 200 || text.contains("X25519MLKEM768"), "post-quantum key exchange: {text}");
    }
    // What cannot work is said before anything starts.
    std::fs::write(path("empty.pem"), "").unwrap();
    for (tls, said) in [
        (tls("empty.pem", "cert.pem", "key.pem", "a"), "there is no certificate in it"),
        (tls("ca.pem", "cert.pem", "foreign-key.pem", "a"), "`tls.cert_file` and `tls.key_file`"),
        (tls("missing.pem", "cert.pem", "key.pem", "a"), "missing.pem"),
        (format!("tls = {{ cert_file = \"{}\" }}", path("cert.pem")), "go together"),
    ] {
        let instance = Instance::new("sqlite", &config(&[format!("https://{address}")], &tls));
        let out = instance.cli(&["config", "check"]).await;
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.code() == Some(2) && text.contains(said) && text.contains("gateway.upstreams.app"), "{said}: {text}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_does_not_leave_its_request_open() {
    let server = Server::start(0).await;
    let instance = Instance::start("sqlite", &config(&[server.url()], "")).await;
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", instance.port)).await.unwrap();
    stream.write_all(format!("GET /slow HTTP/1.1\r\nHost: app.localhost:{}\r\n\r\n", instance.port).as_bytes()).await.unwrap();
    let open = async || instance.operator(Method::GET, "/v1/gateway", Value::Null).await.1["upstreams"][0]["servers"][0]["open"].as_u64();
    until("it is open", async || open().await == Some(1)).await;
    drop(stream);
    tokio::time::timeout(Duration::from_secs(10), until("it is not", async || open().await == Some(0))).await.unwrap();
    let _ = answer(instance.browser().request(Method::GET, &instance.own()).send().await.unwrap()).await;
}
