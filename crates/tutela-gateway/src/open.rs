//! What a connection has open, and whether it is still of use.
//!
//! Over HTTP/1 whoever does not read is noticed by the writing ([`Patient`](crate::patient::Patient)). Over HTTP/2 nothing
//! is written to a stream whose window is shut, while pings go on being answered: there it shows only in that nobody
//! comes for the next piece of an answer.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use crate::Body;

/// The requests of a connection.
#[derive(Default)]
pub(crate) struct Open {
    open: AtomicU32,
    begun: AtomicU32,
    /// HTTP/2 answers whose next piece nobody has come for, and since when.
    untaken: Mutex<BTreeMap<u32, Instant>>,
}

/// One of them, open until its answer has ended.
pub(crate) struct OpenRequest {
    of: Arc<Open>,
    number: u32,
    streams: bool,
}

impl Open {
    pub(crate) fn begin<B>(self: &Arc<Self>, request: &Request<B>) -> OpenRequest {
        self.open.fetch_add(1, Ordering::Relaxed);
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        OpenRequest { of: Arc::clone(self), number, streams: request.version() == Version::HTTP_2 }
    }

    /// Resolves once nothing was asked for so long and all that was is answered to the end, or once an answer was left
    /// lying for so long.
    pub(crate) async fn useless(&self, idle: Duration) {
        let mut seen = self.begun.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(idle).await;
            let begun = self.begun.load(Ordering::Relaxed);
            let unused = begun == seen && self.open.load(Ordering::Relaxed) == 0;
            if unused || self.untaken().values().any(|since| since.elapsed() >= idle) {
                return;
            }
            seen = begun;
        }
    }

    fn untaken(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Instant>> {
        self.untaken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenRequest {
    /// Its answer.
    pub(crate) fn answer(self, body: Body) -> Answer {
        let answer = Answer { body, open: self };
        answer.lies();
        answer
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.of.open.fetch_sub(1, Ordering::Relaxed);
        if self.streams {
            self.of.untaken().remove(&self.number);
        }
    }
}

/// The body of an answer, whose request is open until it has ended.
pub(crate) struct Answer {
    body: Body,
    open: OpenRequest,
}

impl Answer {
    /// From now on somebody has to come for the rest.
    fn lies(&self) {
        if self.open.streams && !self.body.is_end_stream() {
            self.open.of.untaken().insert(self.open.number, Instant::now());
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        match &frame {
            Poll::Ready(Some(Ok(_))) => self.lies(),
            // It is the application that is waited for now.
            Poll::Pending if self.open.streams => drop(self.open.of.untaken().remove(&self.open.number)),
            _ => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
