//! A body of which the beginning was read already, for the rules.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::Error;

/// Most bytes of a refused body that are read all the same.
const DRAIN: usize = 16 << 20;

/// What was read, then what is still to come.
pub struct Held<B = Incoming> {
    read: VecDeque<Bytes>,
    rest: Option<B>,
}

impl Held {
    /// No body.
    pub(crate) fn empty() -> Self {
        Self { read: VecDeque::new(), rest: None }
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> Held<B> {
    /// A body of which nothing was read.
    pub(crate) fn new(rest: B) -> Self {
        Self { read: VecDeque::new(), rest: Some(rest) }
    }

    /// Reads the beginning, piece by piece, as long as `take` takes all of a piece; gives up when nothing moves for `idle`, or at `until`.
    pub(crate) async fn read(&mut self, idle: Duration, until: Instant, mut take: impl FnMut(&[u8]) -> bool) -> Result<(), Error> {
        while let Some(rest) = &mut self.rest {
            match tokio::time::timeout_at(until.min(Instant::now() + idle), rest.frame()).await {
                Err(_) if Instant::now() >= until => return Err(Error::TooSlow),
                Err(_) | Ok(Some(Err(_))) => return Err(Error::ClientBody),
                Ok(None) => self.rest = None,
                Ok(Some(Ok(frame))) => {
                    // Trailers are not passed on: nothing here has judged them.
                    let Ok(data) = frame.into_data() else { continue };
                    let more = take(&data);
                    self.read.push_back(data);
                    if !more {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> Held<B> {
    /// Reads the rest and forgets it: a client that is still sending would not read its refusal. Not more than
    /// [`DRAIN`], and not longer than `patience`.
    pub(crate) async fn drain(&mut self, patience: Duration) {
        self.read.clear();
        let mut left = DRAIN;
        let rest = async {
            while let Some(Ok(frame)) = match &mut self.rest {
                Some(rest) => rest.frame().await,
                None => None,
            } {
                left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                if left == 0 {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(patience, rest).await;
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Held<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(data) = self.read.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx).map_err(|_| Error::ClientBody),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let held: u64 = self.read.iter().map(|data| data.len() as u64).sum();
        let mut hint = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + held);
        }
        hint.set_lower(hint.lower() + held);
        hint
    }
}
