use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::json;
use tower::{Layer, Service};
use tutela_api::{ConsentAnswer, ConsentQuestion};
use tutela_client::Client;

use crate::{
    Actor, Remote,
    refusal::{GuardedBody, refusal, unavailable},
};

/// Answers whether somebody's data may be used for purposes.
pub trait ConsentSource: Send + Sync {
    /// The answer; the error is why there is none, for the log.
    fn check(&self, question: ConsentQuestion) -> BoxFuture<'_, Result<ConsentAnswer, String>>;
}

/// A layer that lets a request reach the service only where the data of its person may be used for some purposes.
///
/// The person is the extension [`Actor`] that an authentication layer further out inserted; without one the answer is 401.
/// Whoever has not agreed, objected, or whose browser sends `Sec-GPC: 1` where data is sold, gets 403 with what is
/// missing and where consent can be given; a browser that asks for a page is led there (303). Without an answer of tutela
/// nothing is let through (503). Put it inside of [`Audit`](crate::Audit), so that refusals are recorded.
#[derive(Clone)]
pub struct Consent {
    source: Arc<dyn ConsentSource>,
    purposes: Arc<[String]>,
}

impl Consent {
    /// A layer that asks `source`; where no purpose is named, for all that are required.
    pub fn new(source: Arc<dyn ConsentSource>, purposes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { source, purposes: purposes.into_iter().map(Into::into).collect() }
    }

    /// A layer that asks a tutela elsewhere; the client's key needs the scope `consents:check`.
    pub fn remote(client: Client, purposes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::new(Arc::new(Remote::new(client)), purposes)
    }

    fn question<Q>(&self, request: &Request<Q>) -> Option<ConsentQuestion> {
        let Actor(subject) = request.extensions().get::<Actor>()?.clone();
        // Exactly this, in any of them (W3C Global Privacy Control).
        let gpc = request.headers().get_all("sec-gpc").iter().any(|value| value == "1");
        Some(ConsentQuestion { subject, purposes: self.purposes.to_vec(), gpc })
    }
}

impl<S> Layer<S> for Consent {
    type Service = ConsentService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ConsentService { inner, consent: self.clone() }
    }
}

/// A service inside a [`Consent`].
#[derive(Clone)]
pub struct ConsentService<S> {
    inner: S,
    consent: Consent,
}

impl<S, Q, B> Service<Request<Q>> for ConsentService<S>
where
    S: Service<Request<Q>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    Q: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<GuardedBody<B>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        // The one that is ready goes along, a fresh one stays.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let (source, question) = (Arc::clone(&self.consent.source), self.consent.question(&request));
        Box::pin(async move {
            let Some(question) = question else {
                return Ok(refusal(StatusCode::UNAUTHORIZED, "unauthenticated", "Sign in first", "Nobody is signed in whose consent this needs.", json!({})));
            };
            match source.check(question).await {
                Ok(answer) if answer.allowed => inner.call(request).await.map(|response| response.map(http_body_util::Either::Left)),
                Ok(answer) => Ok(missing(&answer, wants_page(request.method(), request.headers()))),
                Err(why) => {
                    tracing::error!(why, "whether somebody has agreed could not be asked; the request is refused");
                    Ok(unavailable("Whether this may be done could not be asked. Try again."))
                }
            }
        })
    }
}

fn missing<B>(answer: &ConsentAnswer, page: bool) -> Response<GuardedBody<B>> {
    let purposes = answer.missing.iter().map(|of| of.purpose.as_str()).collect::<Vec<_>>().join(", ");
    let more = json!({"missing": answer.missing, "give_at": answer.give_at});
    let detail = format!("The person has not agreed to {purposes}.");
    let mut response = refusal(StatusCode::FORBIDDEN, "consent-required", "This is done only with your consent", &detail, more);
    if let Some(to) = HeaderValue::from_str(&answer.give_at).ok().filter(|_| page) {
        *response.status_mut() = StatusCode::SEE_OTHER;
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}

/// Whether a browser asks for a page, so that leading it elsewhere leads a person somewhere.
fn wants_page(method: &Method, headers: &HeaderMap) -> bool {
    let html = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains("text/html"));
    matches!(*method, Method::GET | Method::HEAD) && headers.get_all(header::ACCEPT).iter().any(html)
}
