use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use tower::{Layer as _, Service, ServiceExt as _};
use tutela_tower::{Audit, GuardedBody, NewEvent, NotRecorded, Recorder};

/// Keeps what it is given, as soon as it may.
pub(crate) struct Kept {
    events: Mutex<Vec<NewEvent>>,
    gate: Semaphore,
    news: Notify,
    refuses: bool,
}

impl Kept {
    pub(crate) fn new() -> Arc<Self> {
        Self::with(Semaphore::MAX_PERMITS, false)
    }

    /// Takes nothing before `release`.
    pub(crate) fn held() -> Arc<Self> {
        Self::with(0, false)
    }

    pub(crate) fn refusing() -> Arc<Self> {
        Self::with(Semaphore::MAX_PERMITS, true)
    }

    fn with(permits: usize, refuses: bool) -> Arc<Self> {
        Arc::new(Self { events: Mutex::default(), gate: Semaphore::new(permits), news: Notify::new(), refuses })
    }

    pub(crate) fn release(&self) {
        self.gate.add_permits(1_000);
    }

    /// The only event there is, once there is one and everything that could record another has run.
    pub(crate) async fn only(&self) -> Value {
        while self.events.lock().unwrap().is_empty() {
            self.news.notified().await;
        }
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let events = self.events.lock().unwrap();
        assert_eq!(events.len(), 1, "one request, one event");
        serde_json::to_value(&events[0]).unwrap()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.lock().unwrap().is_empty()
    }
}

impl Recorder for Kept {
    fn record(&self, event: NewEvent) -> BoxFuture<'_, Result<(), NotRecorded>> {
        Box::pin(async move {
            let _turn = self.gate.acquire().await.map_err(|e| NotRecorded::new(e.to_string()))?;
            if self.refuses {
                return Err(NotRecorded::new("the disk is full"));
            }
            self.events.lock().unwrap().push(event);
            self.news.notify_one();
            Ok(())
        })
    }
}

pub(crate) fn request() -> Request<()> {
    Request::get("/photos/42").header("user-agent", "test/1").body(()).unwrap()
}

/// Asks `service` through `audit`.
pub(crate) async fn ask<S, B>(audit: &Audit, service: S, request: Request<()>) -> Result<Response<GuardedBody<B>>, S::Error>
where
    S: Service<Request<()>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
{
    audit.layer(service).oneshot(request).await
}
