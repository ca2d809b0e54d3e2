//! WebSockets (RFC 6455): opened like any request, then passed through until somebody ends them.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use crate::{Error, leash::Leash, serve::Connection, upstream::Answer};

/// Whether a request asks for a WebSocket. Every other upgrade is ignored, as RFC 9110 §7.8 allows.
pub(crate) fn asks<B>(request: &Request<B>) -> bool {
    let lists = |name: header::HeaderName, word: &str| {
        let mut values = request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
    };
    request.method() == Method::GET
        && request.version() == http::Version::HTTP_11
        && lists(header::UPGRADE, "websocket")
        && lists(header::CONNECTION, "upgrade")
}

/// Writes into headers what makes them ask for, or grant, a WebSocket.
pub(crate) fn mark(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// Whether the page that opens it is of this origin, or of one that the route names. Programs that are no browsers name none.
pub(crate) fn may_open(headers: &HeaderMap, own_origin: &str, others: &[String]) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) => origin.as_bytes() == own_origin.as_bytes() || others.iter().any(|other| other.as_bytes() == origin.as_bytes()),
        (Some(_), Some(_)) => false,
    }
}

/// Two ends of a WebSocket, and what ends it.
pub(crate) struct Tunnel {
    pub client: OnUpgrade,
    pub server: OnUpgrade,
    /// Keeps the client's place among connections.
    pub connection: Connection,
    /// Keeps the request open at its server.
    pub answer: Answer,
    pub leash: Leash,
    pub idle: Duration,
    pub stopping: CancellationToken,
}

impl Tunnel {
    /// The server's end; it has to have agreed.
    pub(crate) fn server_end(response: &mut Response<Answer>) -> Result<OnUpgrade, Error> {
        let agreed = response.headers().get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
        if agreed { Ok(hyper::upgrade::on(response)) } else { Err(Error::Upstream("it changes to a protocol that nobody asked for".into())) }
    }

    /// Passes everything on until one end closes, nothing moves for too long, the session or the route ends, or the server stops.
    pub(crate) async fn run(self) {
        let Self { client, server, connection, answer, leash, idle, stopping } = self;
        let Ok((client, server)) = tokio::try_join!(client, server) else { return };
        metrics::gauge!("tutela_gateway_websockets").increment(1);
        let moved = Arc::new(Moved::new());
        let mut client = Counted { inner: TokioIo::new(client), moved: Arc::clone(&moved) };
        let mut server = TokioIo::new(server);
        tokio::select! {
            // An end that breaks off is that end's affair.
            _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
            () = leash.over() => tracing::info!("a WebSocket was closed: its session or its route has ended"),
            () = moved.stands_still(idle) => {}
            () = stopping.cancelled() => {}
        }
        metrics::gauge!("tutela_gateway_websockets").decrement(1);
        drop((answer, connection));
    }
}

/// When something last moved, in milliseconds since the beginning.
struct Moved {
    begun: Instant,
    last: AtomicU64,
}

impl Moved {
    fn new() -> Self {
        Self { begun: Instant::now(), last: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn stands_still(&self, idle: Duration) {
        let idle = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        loop {
            let stood = self.now().saturating_sub(self.last.load(Ordering::Relaxed));
            if stood >= idle {
                return;
            }
            tokio::time::sleep(Duration::from_millis(idle - stood)).await;
        }
    }
}

/// Notes that something moves, whichever way.
struct Counted<S> {
    inner: S,
    moved: Arc<Moved>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        if read.is_ready() {
            self.moved.last.store(self.moved.now(), Ordering::Relaxed);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        if written.is_ready() {
            self.moved.last.store(self.moved.now(), Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
