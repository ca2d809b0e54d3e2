//! Bodies on their way through: counted, bounded, and given up when nothing moves.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use tokio::time::{Instant, Sleep};

use crate::Error;

/// A body of any origin.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// A body that is here already.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Passes frames on until `most` bytes have come or nothing has moved for `idle`.
pub(crate) struct Watched<B> {
    inner: B,
    left: u64,
    idle: Duration,
    alarm: Pin<Box<Sleep>>,
}

impl<B> Watched<B> {
    pub(crate) fn new(inner: B, most: u64, idle: Duration) -> Self {
        Self { inner, left: most, idle, alarm: Box::pin(tokio::time::sleep(idle)) }
    }
}

impl<B> HttpBody for Watched<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            let deadline = Instant::now() + this.idle;
            this.alarm.as_mut().reset(deadline);
            return Poll::Ready(match frame {
                Some(Ok(frame)) => {
                    let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                    match this.left.checked_sub(size) {
                        Some(left) => {
                            this.left = left;
                            Some(Ok(frame))
                        }
                        None => Some(Err(Error::BodyTooLarge.into())),
                    }
                }
                Some(Err(e)) => Some(Err(e.into())),
                None => None,
            });
        }
        ready!(this.alarm.as_mut().poll(cx));
        Poll::Ready(Some(Err(Error::ClientBody.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
