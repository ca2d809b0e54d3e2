//! Bodies on their way through: counted, bounded, and given up when nothing moves or nobody may have them any more.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep},
};

use crate::{Error, leash::Leash};

/// A body of any origin.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// A body that is here already.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Passes frames on, within bounds.
pub(crate) struct Watched<B> {
    inner: B,
    bounds: Bounds,
    leash: Option<Leash>,
    /// Since when nothing has come.
    waiting: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
    /// Dropped at the end.
    end: Option<oneshot::Sender<()>>,
}

/// How much, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Most bytes.
    pub most: u64,
    /// Longest time in which nothing comes.
    pub idle: Duration,
    /// When it has to be all there.
    pub until: Instant,
}

impl<B> Watched<B> {
    pub(crate) fn new(inner: B, bounds: Bounds, leash: Option<Leash>) -> Self {
        Self { inner, bounds, leash, waiting: None, alarm: None, end: None }
    }

    /// Without bounds, for a body that is here already.
    pub(crate) fn of(inner: B) -> Self {
        let day = Duration::from_secs(86_400);
        Self::new(inner, Bounds { most: u64::MAX, idle: day, until: Instant::now() + day }, None)
    }

    /// Why no more of it comes, if so; looks again when that may change.
    fn over(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        loop {
            if let Some(leash) = &mut self.leash
                && leash.poll_over(cx).is_ready()
            {
                return Poll::Ready(Error::Ended);
            }
            let now = Instant::now();
            let idle = *self.waiting.get_or_insert(now) + self.bounds.idle;
            if now >= idle {
                return Poll::Ready(Error::ClientBody);
            }
            if now >= self.bounds.until {
                return Poll::Ready(Error::TooSlow);
            }
            let ends = idle.min(self.bounds.until);
            let next = self.leash.as_ref().and_then(Leash::next).map_or(ends, |look| look.min(ends));
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next)));
            if alarm.deadline() != next {
                alarm.as_mut().reset(next);
            }
            std::task::ready!(alarm.as_mut().poll(cx));
        }
    }
}

impl<B: HttpBody> Watched<B> {
    /// Resolves once all of it has been taken, or none of it will be.
    pub(crate) fn sent(&mut self) -> impl Future<Output = ()> + use<B> {
        let waits = (!self.inner.is_end_stream()).then(|| {
            let (end, ended) = oneshot::channel();
            self.end = Some(end);
            ended
        });
        async move {
            if let Some(ended) = waits {
                let _ = ended.await;
            }
        }
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
        // What comes without a pause is looked at too.
        if let Some(leash) = &mut this.leash
            && leash.poll_over(cx).is_ready()
        {
            return Poll::Ready(Some(Err(Error::Ended.into())));
        }
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            return this.over(cx).map(|why| Some(Err(why.into())));
        };
        this.waiting = None;
        if frame.is_none() || this.inner.is_end_stream() {
            this.end = None;
        }
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                match this.bounds.most.checked_sub(size) {
                    Some(_) if Instant::now() >= this.bounds.until => Some(Err(Error::TooSlow.into())),
                    Some(left) => {
                        this.bounds.most = left;
                        Some(Ok(frame))
                    }
                    None => Some(Err(Error::BodyTooLarge.into())),
                }
            }
            Some(Err(e)) => Some(Err(e.into())),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
