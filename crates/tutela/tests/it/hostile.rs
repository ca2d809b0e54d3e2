//! Connections that mean harm: framing, floods, slowness. What the application saw is compared with what was answered.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::server::Instance;

/// What an application that reads HTTP/1.1 strictly has seen: the numbers of requests, and what it could not read.
#[derive(Default)]
struct Seen {
    numbers: BTreeSet<String>,
    wrong: Vec<String>,
}

async fn application() -> (u16, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                while let Some(number) = read(&mut stream, &log).await {
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Seen: {number}\r\n\r\n");
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, seen)
}

/// Reads one request by the letter of RFC 9112; gives its number.
async fn read(stream: &mut BufReader<TcpStream>, log: &Mutex<Seen>) -> Option<String> {
    let wrong = |what: String| {
        log.lock().unwrap().wrong.push(what);
        None::<String>
    };
    let (mut lengths, mut codings, mut numbers, mut head) = (Vec::new(), Vec::new(), Vec::new(), String::new());
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
            return if head.is_empty() { None } else { wrong(format!("a head broke off: {head:?}")) };
        }
        // Values may hold bytes that are no ASCII (RFC 9110 §5.5), and no control characters.
        let Some(line) = line.strip_suffix(b"\r\n").filter(|line| !line.iter().any(|byte| b"\r\n\0\x0b\x0c\x7f".contains(byte))) else {
            return wrong(format!("a line of a head is {:?}, after {head:?}", String::from_utf8_lossy(&line)));
        };
        let line = &*String::from_utf8_lossy(line);
        if line.is_empty() {
            break;
        }
        let first = head.is_empty();
        head += line;
        head += "|";
        if first {
            continue;
        }
        if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => lengths.push(value.trim().to_owned()),
                "transfer-encoding" => codings.push(value.trim().to_owned()),
                "tutela-request" => numbers.push(value.trim().to_owned()),
                name if name.is_empty() || name.contains([' ', '\t']) => return wrong(format!("a name with spaces: {head:?}")),
                _ => {}
            }
        }
    }
    let [number] = &numbers[..] else { return wrong(format!("{} numbers: {head:?}", numbers.len())) };
    match (&lengths[..], &codings[..]) {
        ([], []) => {}
        ([length], []) => {
            let mut body = vec![0; length.parse().unwrap_or(usize::MAX >> 20)];
            stream.read_exact(&mut body).await.ok()?;
        }
        ([], [coding]) if coding == "chunked" => loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                // The client left within its body, and the gateway with it.
                return None;
            }
            let Ok(size) = usize::from_str_radix(line.trim_end_matches("\r\n").split(';').next().unwrap_or_default(), 16) else {
                return wrong(format!("a chunk's size is {line:?}: {head:?}"));
            };
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).await.ok()?;
            if size == 0 {
                break;
            }
        },
        _ => return wrong(format!("lengths {lengths:?}, codings {codings:?}: {head:?}")),
    }
    if !log.lock().unwrap().numbers.insert(number.clone()) {
        return wrong(format!("{number} came twice: {head:?}"));
    }
    Some(number.clone())
}

fn config(port: u16, more: &str) -> String {
    format!(
        "[gateway]\nheader_timeout = 1\nidle_timeout = 1\n{more}\n[gateway.waf]\nmode = \"off\"\n[[gateway.routes]]\nhost = \"public.localhost\"\nupstream = \"http://127.0.0.1:{port}\"\nrequire = \"public\"\n"
    )
}

/// Requests that are good, or nearly.
fn templates(host: &str) -> Vec<String> {
    let inner = format!("GET /inner HTTP/1.1\r\nHost: {host}\r\nTutela-Request: forged\r\n\r\n");
    let post = |fields: &str, body: &str| format!("POST /outer HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n\r\n{body}");
    vec![
        format!("GET /plain HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n"),
        post(&format!("Content-Length: {}", inner.len()), &inner),
        post("Transfer-Encoding: chunked", &format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len())),
        post("Transfer-Encoding: chunked", &format!("0\r\n\r\n{inner}")),
        post(&format!("Content-Length: {}\r\nTransfer-Encoding: chunked", inner.len() + 5), &format!("0\r\n\r\n{inner}")),
        post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", &format!("0\r\n\r\n{inner}")),
        post("Content-Length: 0\r\nContent-Length: 44", &inner),
        post("Connection: Content-Length\r\nContent-Length: 4", "abcd"),
        post("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        post("Expect: 100-continue\r\nContent-Length: 4", "abcd"),
        format!("GET http://{host}/absolute HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: h2c\r\nConnection: upgrade, http2-settings\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"),
    ]
}

const PIECES: [&[u8]; 34] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b" ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\x7f",
    b"\xff",
    b"\xa0",
    b":",
    b",",
    b";",
    b"=",
    b"+",
    b"-",
    b"0",
    b"1",
    b"f",
    b"0x",
    b"chunked",
    b"identity",
    b"Content-Length: 5\r\n",
    b"Content-Length:0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding:\tchunked\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"Host: evil\r\n",
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"\r\n\r\n",
    b"GET /inner HTTP/1.1\r\n",
    b"\r\n X: y",
];

/// Chance that is the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % most.max(1)
    }
}

fn mutated(template: &str, chance: &mut Chance) -> Vec<u8> {
    let mut bytes = template.as_bytes().to_vec();
    for _ in 0..=chance.below(3) {
        let at = chance.below(bytes.len());
        let piece = PIECES[chance.below(PIECES.len())];
        match chance.below(4) {
            0 => drop(bytes.splice(at..at, piece.iter().copied())),
            1 => drop(bytes.splice(at..(at + piece.len()).min(bytes.len()), piece.iter().copied())),
            2 => drop(bytes.remove(at)),
            _ => {
                let end = (at + 1 + chance.below(24)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

#[tokio::test]
async fn of_thousands_of_broken_framings_the_application_sees_what_was_answered_and_nothing_else() {
    const MUTATIONS: usize = 4_000;
    let (port, seen) = application().await;
    let instance = Instance::start("sqlite", &config(port, "max_connections_per_address = 1000")).await;
    let host = format!("public.localhost:{}", instance.port);
    let (templates, mut chance) = (templates(&host), Chance(7));
    let end = format!("GET /end HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let (mut running, mut answered, mut good) = (JoinSet::new(), BTreeSet::new(), 0);
    for number in 0..MUTATIONS + templates.len() {
        let template = &templates[number % templates.len()];
        let mut bytes = if number < templates.len() { template.as_bytes().to_vec() } else { mutated(template, &mut chance) };
        bytes.extend_from_slice(end.as_bytes());
        let port = instance.port;
        running.spawn(async move {
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return String::new() };
            let _ = stream.write_all(&bytes).await;
            let mut text = Vec::new();
            let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut text)).await;
            String::from_utf8_lossy(&text).into_owned()
        });
        if running.len() >= 128 || number + 1 == MUTATIONS + templates.len() {
            while let Some(text) = running.join_next().await {
                let text = text.unwrap();
                good += usize::from(text.contains("x-seen"));
                answered.extend(text.lines().filter_map(|line| line.strip_prefix("x-seen: ").map(|number| number.trim().to_owned())));
                if running.len() < 96 && number + 1 < MUTATIONS + templates.len() {
                    break;
                }
            }
        }
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.wrong, Vec::<String>::new());
    // An answer may have been lost with its connection; what was answered was seen, and what was seen has a number of ours.
    assert!(answered.is_subset(&seen.numbers));
    assert!(seen.numbers.iter().all(|number| number.len() == 36 && number != "forged"));
    assert!(good > MUTATIONS / 10, "enough of them still came through: {good}");
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn get(host: &str) -> Vec<u8> {
    [&[0x82, 0x86, 0x84, 0x41, host.len() as u8], host.as_bytes()].concat()
}

/// Sends a beginning of HTTP/2 and then frames until the server has enough; how many bytes it took.
async fn flood(port: u16, mut next: impl FnMut(u32) -> Vec<u8>) -> (usize, Vec<u8>) {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let answers = tokio::spawn(async move {
        let mut bytes = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(20), from.read_to_end(&mut bytes)).await;
        bytes
    });
    to.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    to.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    let mut sent = 0;
    for number in 0..200_000 {
        let bytes = next(number);
        if to.write_all(&bytes).await.is_err() {
            break;
        }
        sent += bytes.len();
    }
    drop(to);
    (sent, answers.await.unwrap())
}

#[tokio::test]
async fn floods_of_http2_are_cut_and_others_are_served_meanwhile() {
    let (port, seen) = application().await;
    let instance = Instance::start("sqlite", &config(port, "")).await;
    let host = format!("public.localhost:{}", instance.port);
    // Rapid reset (CVE-2023-44487).
    let (sent, _) = flood(instance.port, |number| {
        let stream = number * 2 + 1;
        [frame(1, 0x05, stream, &get(&host)), frame(3, 0, stream, &8_u32.to_be_bytes())].concat()
    })
    .await;
    assert!(sent < 2_000_000, "it was cut: {sent} bytes");
    let reached = seen.lock().unwrap().numbers.len();
    assert!(reached < 5_000, "{reached} of what was taken back at once reached the application");
    // CONTINUATION frames without an end (CVE-2024-27316).
    let field = [&[0x00, 0x05][..], b"x-abc", &[0x7f, 0x81, 0x01], &[b'v'; 256]].concat();
    let (sent, _) = flood(instance.port, |number| if number == 0 { frame(1, 0x01, 1, &get(&host)) } else { frame(9, 0, 1, &field) }).await;
    assert!(sent < 20_000_000, "it was cut: {sent} bytes");
    // Settings and pings without an end.
    for kind in [4, 6] {
        let payload: &[u8] = if kind == 6 { &[0; 8] } else { &[] };
        flood(instance.port, |number| if number < 20_000 { frame(kind, 0, 0, payload) } else { Vec::new() }).await;
    }
    let answer = instance.browser().get(&format!("http://{host}/")).await;
    assert_eq!(answer.status(), 200);
    assert!(seen.lock().unwrap().wrong.is_empty());
}

/// How long a connection stays that begins like this and goes on with a byte of `then` from time to time.
async fn lasts(port: u16, begin: &str, then: u8) -> Duration {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(begin.as_bytes()).await.unwrap();
    let begun = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(300));
    let mut buf = [0; 1_024];
    while begun.elapsed() < Duration::from_secs(30) {
        tokio::select! {
            read = stream.read(&mut buf) => if !matches!(read, Ok(1..)) { break },
            _ = tick.tick() => if then != 0 && stream.write_all(&[then]).await.is_err() { break },
        }
    }
    begun.elapsed()
}

#[tokio::test]
async fn whoever_is_slow_on_purpose_is_let_go() {
    let (port, seen) = application().await;
    let instance = Instance::start("sqlite", &config(port, "body_timeout = 2\nmax_connections_per_address = 50")).await;
    let host = format!("public.localhost:{}", instance.port);
    let post = format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000000\r\n\r\n");
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for (what, begin, then) in [
        ("nothing", String::new(), 0),
        ("half a preface", "PRI * HT".to_owned(), 0),
        ("a head, a byte at a time", "GET /".to_owned(), b'a'),
        ("fields without an end", format!("GET / HTTP/1.1\r\nHost: {host}\r\nX: "), b'a'),
        ("an idle connection", format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), 0),
        ("a body that stands still", post.clone(), 0),
        ("a body, a byte at a time", post, b'a'),
        ("HTTP/2 without requests", preface.to_owned(), 0),
    ] {
        let lasted = lasts(instance.port, &begin, then).await;
        assert!(lasted < Duration::from_secs(12), "{what}: {lasted:?}");
    }
    // One address has so many connections and no more; the others are closed at once.
    let mut held = Vec::new();
    for _ in 0..60 {
        held.push(TcpStream::connect(("127.0.0.1", instance.port)).await.unwrap());
    }
    let mut closed = 0;
    for stream in &mut held[50..] {
        let mut byte = [0; 1];
        closed += u32::from(matches!(tokio::time::timeout(Duration::from_millis(900), stream.read(&mut byte)).await, Ok(Ok(0) | Err(_))));
    }
    assert_eq!(closed, 10);
    drop(held);
    crate::server::until("it serves again", async || instance.browser().request(reqwest::Method::GET, &format!("http://{host}/")).send().await.is_ok()).await;
    assert!(seen.lock().unwrap().wrong.is_empty());
}

#[tokio::test]
async fn whoever_does_not_read_their_answer_is_let_go() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = axum::Router::new().fallback(async || axum::body::Body::from(vec![7_u8; 64 << 20]));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let instance = Instance::start("sqlite", &config(port, "")).await;
    let open = async || {
        let (_, status) = instance.operator(reqwest::Method::GET, "/v1/gateway", serde_json::Value::Null).await;
        status["upstreams"][0]["servers"][0]["open"].as_u64().unwrap()
    };
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(("127.0.0.1", instance.port)).await.unwrap();
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: public.localhost:{}\r\n\r\n", instance.port).as_bytes()).await.unwrap();
        held.push(stream);
    }
    crate::server::until("they are open", async || open().await > 0).await;
    crate::server::until("they are let go", async || open().await == 0).await;
    drop(held);
    // Over HTTP/2 a window that is never opened: the connection itself is well, and answers pings.
    let mut stream = TcpStream::connect(("127.0.0.1", instance.port)).await.unwrap();
    let host = format!("public.localhost:{}", instance.port);
    let shut = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    stream.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &shut, &frame(1, 0x05, 1, &get(&host))].concat()).await.unwrap();
    crate::server::until("it is open", async || open().await > 0).await;
    let (mut from, mut to) = stream.into_split();
    let lives = tokio::spawn(async move {
        let mut rest = Vec::new();
        let _ = from.read_to_end(&mut rest).await;
    });
    crate::server::until("it is let go too", async || {
        let _ = to.write_all(&frame(6, 0, 0, &[7; 8])).await;
        open().await == 0
    })
    .await;
    crate::server::until("so is the connection", async || lives.is_finished()).await;
}
