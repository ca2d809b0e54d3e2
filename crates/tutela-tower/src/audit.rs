use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use http::{Request, Response, request::Parts};
use http_body_util::Either;
use tower::{Layer, Service};
use tutela_client::Client;

use crate::{
    Described, Note, Recorder, Remote,
    open::{Begun, Exit, Open},
    refusal::{GuardedBody, unavailable},
};

/// The type of events that nobody named.
const EVENT_TYPE: &str = "app.request";
const WITHHELD: &str = "The request could not be put on record, so its answer is withheld; it may have been carried out. Try again.";

type Reads<T> = Arc<dyn Fn(&Parts) -> T + Send + Sync>;

/// A layer that records one event for each request, before its answer leaves.
///
/// Put it outside of what refuses (authentication, permissions), so that refusals are recorded too.
/// Who acts is known from the extension [`Actor`](crate::Actor) if a layer further out inserted one;
/// layers further in say it to the [`Note`] that each request carries.
#[derive(Clone)]
pub struct Audit {
    recorder: Arc<dyn Recorder>,
    event_type: Arc<str>,
    describe: Reads<Described>,
    route: Option<Reads<Option<String>>>,
    peer: Option<Reads<Option<IpAddr>>>,
    required: bool,
}

impl Audit {
    /// A layer that hands its events to `recorder`.
    pub fn new(recorder: Arc<dyn Recorder>) -> Self {
        Self { recorder, event_type: EVENT_TYPE.into(), describe: Arc::new(Described::of), route: None, peer: None, required: true }
    }

    /// A layer that records at a tutela elsewhere, with the limits of [`Remote::new`].
    pub fn remote(client: Client) -> Self {
        Self::new(Arc::new(Remote::new(client)))
    }

    /// The type of events for which neither the description nor a handler chose one; `app.request` by default.
    pub fn event_type(mut self, name: impl Into<String>) -> Self {
        self.event_type = Arc::from(name.into());
        self
    }

    /// What a request is about; [`Described::of`] by default.
    pub fn describe(mut self, describe: impl Fn(&Parts) -> Described + Send + Sync + 'static) -> Self {
        self.describe = Arc::new(describe);
        self
    }

    /// The name or template of a request's route, where the description gives none. Never the path itself, whose values may be about a person.
    pub fn route(mut self, route: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        self.route = Some(Arc::new(route));
        self
    }

    /// The caller's address, where the description gives none, for example out of axum's `ConnectInfo`.
    pub fn peer(mut self, peer: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.peer = Some(Arc::new(peer));
        self
    }

    /// Whether an answer whose event cannot be recorded is replaced by 503 (default), or sent all the same.
    pub fn required(mut self, required: bool) -> Self {
        self.required = required;
        self
    }

    /// The request as the service gets it, and what will record its end.
    fn begin<Q>(&self, request: Request<Q>) -> (Request<Q>, Open) {
        let (mut parts, body) = request.into_parts();
        let mut described = (self.describe)(&parts);
        if described.route.is_none() {
            described.route = self.route.as_ref().and_then(|route| route(&parts));
        }
        if described.ip.is_none() {
            described.ip = self.peer.as_ref().and_then(|peer| peer(&parts));
        }
        let note = Note::default();
        parts.extensions.insert(note.clone());
        let begun = Begun { event_type: self.event_type.to_string(), method: parts.method.as_str().to_owned(), described, note };
        (Request::from_parts(parts, body), Open::new(Arc::clone(&self.recorder), begun))
    }
}

impl<S> Layer<S> for Audit {
    type Service = AuditService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AuditService { inner, audit: self.clone() }
    }
}

/// A service inside an [`Audit`].
#[derive(Clone)]
pub struct AuditService<S> {
    inner: S,
    audit: Audit,
}

impl<S, Q, B> Service<Request<Q>> for AuditService<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<GuardedBody<B>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let required = self.audit.required;
        let (request, mut open) = self.audit.begin(request);
        // A panic is an exit like any other: it is recorded, and then goes on. Nothing of the service is used after it.
        let started = catch_unwind(AssertUnwindSafe(|| self.inner.call(request)));
        // Dropping this future anywhere records too: see `Open`.
        Box::pin(async move {
            let ended = match started {
                Ok(answer) => AssertUnwindSafe(answer).catch_unwind().await,
                Err(panic) => Err(panic),
            };
            let exit = match &ended {
                Ok(Ok(response)) => Exit::Answered(response.status()),
                Ok(Err(_)) => Exit::Failed,
                Err(_) => Exit::Panicked,
            };
            let recorded = open.record(exit).await;
            match ended {
                Err(panic) => resume_unwind(panic),
                // Why is in the log, where [`Open`] put it.
                Ok(_) if required && recorded.is_err() => Ok(unavailable(WITHHELD)),
                Ok(ended) => ended.map(|response| response.map(Either::Left)),
            }
        })
    }
}
