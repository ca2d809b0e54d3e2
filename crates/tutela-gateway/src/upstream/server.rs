//! One server of an upstream: its open connections, and how much it has to do.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;

use super::{Patience, balance::mix, connect::Target, health::Health};
use crate::{body::Watched, held::Held, patient::Patient};

/// Connections that are kept while nobody needs them, and for how long. Servers close theirs after a minute or so.
const MOST_IDLE: usize = 64;
const IDLE: Duration = Duration::from_secs(55);
/// How long a connection may take to settle after an answer.
const SETTLING: Duration = Duration::from_millis(20);

/// What is sent to servers.
pub(crate) type Sent = Watched<Held>;

/// A server.
pub(crate) struct Server {
    /// Its address, as configured.
    pub url: String,
    /// Its address as a number, for choices by key.
    pub name: u64,
    pub target: Target,
    pub health: Health,
    busy: AtomicU32,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    sender: SendRequest<Sent>,
    since: Instant,
}

impl Server {
    pub(crate) fn new(url: String, target: Target) -> Self {
        let name = url.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        Self { url, name: mix(name), target, health: Health::default(), busy: AtomicU32::new(0), idle: Mutex::default() }
    }

    /// Requests that it has not answered to the end.
    pub(crate) fn busy(&self) -> u32 {
        self.busy.load(Ordering::Relaxed)
    }

    /// Counts a request as open, until what comes back is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Open {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    /// A connection that is open already: one that is free, else one whose last answer has just been read and that is free
    /// as soon as its task has run.
    pub(crate) async fn kept(&self) -> Option<SendRequest<Sent>> {
        loop {
            let mut sender = self.pick()?;
            if sender.is_ready() {
                return Some(sender);
            }
            if let Ok(Ok(())) = tokio::time::timeout(SETTLING, sender.ready()).await {
                return Some(sender);
            }
        }
    }

    fn pick(&self) -> Option<SendRequest<Sent>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| !kept.sender.is_closed());
        // The newest that is free; those that stand long are closed by and by.
        let free = idle.iter().rposition(|kept| kept.sender.is_ready());
        let at = free.or_else(|| idle.len().checked_sub(1))?;
        let kept = idle.remove(at);
        if kept.since.elapsed() <= IDLE { Some(kept.sender) } else { None }
    }

    /// A new connection.
    pub(crate) async fn connect(&self, patience: Patience) -> std::io::Result<SendRequest<Sent>> {
        let stream = Patient::new(self.target.connect(patience.connect).await?, patience.idle);
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }

    fn keep(&self, sender: SendRequest<Sent>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push(Idle { sender, since: Instant::now() });
        }
    }

    /// Closes connections that nobody has needed for long.
    pub(crate) fn tidy(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).retain(|kept| !kept.sender.is_closed() && kept.since.elapsed() <= IDLE);
    }
}

/// A request that is open at a server.
pub(crate) struct Open(Arc<Server>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer on its way; once it has ended, its connection is free for the next request.
pub(crate) struct Answer {
    body: Incoming,
    lease: Option<(Open, SendRequest<Sent>)>,
}

impl Answer {
    pub(crate) fn new(body: Incoming, open: Open, sender: SendRequest<Sent>) -> Self {
        Self { body, lease: Some((open, sender)) }
    }

    /// Frees the connection where there is nothing to read. Not for one that becomes a WebSocket's.
    pub(crate) fn look(&mut self) {
        if self.body.is_end_stream()
            && let Some((open, sender)) = self.lease.take()
        {
            open.0.keep(sender);
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(_)) => self.look(),
            Some(Err(_)) => self.lease = None,
            None => {
                if let Some((open, sender)) = self.lease.take() {
                    open.0.keep(sender);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
