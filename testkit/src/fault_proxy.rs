//! An HTTP proxy in front of a search server that fails on demand, always in the same way.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::SearchServer;

/// What the proxy does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Every third item of a `_bulk` is not forwarded and is answered 429; the others and the whole are as they are.
    BusyItems,
    /// Takes requests and answers none, until the fault is another.
    Hang,
    /// Forwards requests and closes the connection in place of an answer.
    LoseAnswer,
    /// Forwards requests and answers.
    Pass,
    /// Closes connections at once.
    Refuse,
    /// Every third item of a `_bulk` is not forwarded and is answered as one that does not fit the mapping.
    RefuseItems,
    /// Answers 503 and forwards nothing.
    Unavailable,
}

/// The proxy. It lives on the runtime that it was started on, until it is dropped.
pub struct FaultProxy {
    /// Its address.
    pub url: String,
    fault: watch::Sender<Fault>,
    bulks: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl FaultProxy {
    /// Starts to forward to a server; it passes everything at first.
    pub async fn start(server: &SearchServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (fault, watched) = watch::channel(Fault::Pass);
        let bulks = Arc::new(AtomicU64::new(0));
        let (to, counter) = (server.address, bulks.clone());
        let task = tokio::spawn(async move {
            // Dropped with this task, and all connections with it.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, to, watched.clone(), counter.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { url, fault, bulks, task }
    }

    /// What it does from now on, for requests that are under way too.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How many `_bulk` requests came.
    pub fn bulk_requests(&self) -> u64 {
        self.bulks.load(Ordering::SeqCst)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Request {
    /// `POST /_bulk`
    target: String,
    /// Lines of the head that are passed on.
    headers: Vec<String>,
    body: Vec<u8>,
}

/// One request of one connection; then the connection is closed.
async fn serve(mut stream: TcpStream, to: SocketAddr, mut fault: watch::Receiver<Fault>, bulks: Arc<AtomicU64>) {
    if *fault.borrow() == Fault::Refuse {
        return;
    }
    let Some(request) = read(&mut stream).await else { return };
    let is_bulk = request.target.starts_with("POST /_bulk");
    bulks.fetch_add(u64::from(is_bulk), Ordering::SeqCst);
    let now = *fault.borrow_and_update();
    let answer = match now {
        Fault::Refuse => return,
        Fault::Hang => {
            let _ = fault.changed().await;
            return;
        }
        Fault::Unavailable => Some((503, json!({"error": {"type": "unavailable", "reason": "switched off"}, "status": 503}).to_string().into_bytes())),
        Fault::BusyItems if is_bulk => forward_some(to, request, 429, "es_rejected_execution_exception").await,
        Fault::RefuseItems if is_bulk => forward_some(to, request, 400, "mapper_parsing_exception").await,
        Fault::Pass | Fault::BusyItems | Fault::RefuseItems => forward(to, &request).await,
        Fault::LoseAnswer => {
            let _ = forward(to, &request).await;
            return;
        }
    };
    let Some((status, body)) = answer else { return };
    let head = format!("HTTP/1.1 {status} Answer\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = find(&bytes, b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let target = lines.next()?.rsplit_once(' ')?.0.to_owned();
    let (mut headers, mut length) = (Vec::new(), 0);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "authorization" | "content-type" => headers.push(line.to_owned()),
            _ => {}
        }
    }
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request { target, headers, body })
}

/// Status and body of the server's answer, which ends with the connection.
async fn forward(to: SocketAddr, request: &Request) -> Option<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(to).await.ok()?;
    let mut head = format!("{} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-length: {}\r\n", request.target, request.body.len());
    for line in &request.headers {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    stream.write_all(&[head.as_bytes(), &request.body].concat()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let end = find(&answer, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?.to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    // Elasticsearch sends chunks, whatever version of HTTP it is asked in.
    let body = &answer[end + 4..];
    Some((status, if head.contains("\r\ntransfer-encoding: chunked") { joined(body)? } else { body.to_vec() }))
}

/// The chunks of a body in one piece.
fn joined(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = find(chunks, b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&chunks[..end]).ok()?.trim(), 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunks.get(end + 2..end + 2 + length)?);
        chunks = chunks.get(end + 2 + length + 2..)?;
    }
}

/// Forwards a `_bulk` without every third of its items, and puts a refusal into the answer where they were.
async fn forward_some(to: SocketAddr, mut request: Request, refusal: u16, kind: &str) -> Option<(u16, Vec<u8>)> {
    let text = String::from_utf8(request.body).ok()?;
    let (mut kept, mut verbs, mut lines) = (String::new(), Vec::new(), text.lines());
    while let Some(action) = lines.next() {
        let verb = serde_json::from_str::<Value>(action).ok()?.as_object()?.keys().next()?.clone();
        let source = if verb == "delete" { None } else { lines.next() };
        verbs.push(verb);
        if !verbs.len().is_multiple_of(3) {
            for line in [Some(action), source].into_iter().flatten() {
                kept.push_str(line);
                kept.push('\n');
            }
        }
    }
    request.body = kept.into_bytes();
    let (status, body) = forward(to, &request).await?;
    if status != 200 {
        return Some((status, body));
    }
    let mut answer: Value = serde_json::from_slice(&body).ok()?;
    let stored = answer["items"].as_array()?.clone();
    let mut stored = stored.into_iter();
    let mut items = Vec::new();
    for (n, verb) in verbs.into_iter().enumerate() {
        let error = json!({"type": kind, "reason": "refused by the proxy"});
        items.push(if n % 3 == 2 { json!({verb: {"status": refusal, "error": error}}) } else { stored.next()? });
    }
    answer["errors"] = json!(true);
    answer["items"] = Value::Array(items);
    Some((status, answer.to_string().into_bytes()))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
