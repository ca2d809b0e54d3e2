//! `Idempotency-Key` on every mutation of the API.

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tutela_app::idempotency::{self, Begun};
use tutela_core::ErrorKind;

use crate::{caller::Caller, problem::Failure, web::Web};

/// Largest request body of the API.
pub(crate) const MAX_BODY: usize = 16 << 20;
/// Largest answer that is kept for a repeat; a full batch with a problem in each item stays below.
const MAX_ANSWER: usize = 32 << 20;

/// Runs a mutation once per key and answers repeats from what was kept.
pub(crate) async fn once(State(web): State<Web>, caller: Option<Caller>, request: Request, next: Next) -> Response {
    let key = request.headers().get("idempotency-key").cloned();
    let (Some(key), Some(caller)) = (key, caller) else { return next.run(request).await };
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) || holds_secrets(request.uri().path()) {
        return next.run(request).await;
    }
    // In a task of its own: a client that goes away must not leave the key reserved for good.
    let task = tokio::spawn(async move { run(&web, &caller, &key, request, next).await.unwrap_or_else(IntoResponse::into_response) });
    let died = |_| Failure::new(ErrorKind::Internal, "The error is in the server's log.").into_response();
    task.await.unwrap_or_else(died)
}

/// Answers that hold plaintexts, keys or tokens are never kept: what is kept for a repeat would outlive the key
/// that was destroyed to erase them. Repeating these calls does no harm.
fn holds_secrets(path: &str) -> bool {
    const DATA: [&str; 6] = ["encrypt", "decrypt", "rewrap", "data-keys", "index", "records/"];
    const SIGNING_IN: [&str; 2] = ["/v1/sign-in", "/v1/tokens"];
    SIGNING_IN.iter().any(|route| path.starts_with(route))
        || path.strip_prefix("/v1/crypto/").is_some_and(|rest| DATA.iter().any(|route| rest.starts_with(route)) || rest.ends_with("/derive"))
}

async fn run(web: &Web, caller: &Caller, key: &HeaderValue, request: Request, next: Next) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| Failure::new(ErrorKind::Invalid, "the request's body is larger than 16 MiB or ended early"))?;
    let mut fingerprint = format!("{} {}\n", parts.method, parts.uri).into_bytes();
    fingerprint.extend_from_slice(&body);
    let reserved = match idempotency::begin(&web.app, &caller.ctx, key.to_str().unwrap_or_default(), &fingerprint).await? {
        Begun::Repeat(status, content_type, body) => return Ok(repeat(status, &content_type, body)),
        Begun::Run(reserved) => reserved,
    };
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let passing = response.status().is_server_error() || response.status() == StatusCode::TOO_MANY_REQUESTS;
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_ANSWER).await.map_err(|_| Failure::new(ErrorKind::Internal, "the answer is too large to be kept"))?;
    if passing {
        idempotency::give_back(&web.app, reserved).await?;
    } else {
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        // The mutation is committed; its caller must hear of it even where the answer cannot be kept.
        if let Err(e) = idempotency::finish(&web.app, reserved, parts.status.as_u16(), content_type, &body).await {
            tracing::error!(error = %e, "an answer could not be kept for its idempotency key");
        }
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn repeat(status: u16, content_type: &str, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    if let Ok(value) = HeaderValue::from_str(content_type)
        && !content_type.is_empty()
    {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response.headers_mut().insert("idempotent-replay", HeaderValue::from_static("true"));
    response
}
