//! Answers that stand in place of a service's own.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{Either, Full};
use serde_json::{Value, json};

/// The body of an answer: the service's own, or the refusal that stands in its place.
pub type GuardedBody<B> = Either<B, Full<Bytes>>;

/// A problem (RFC 9457) that nobody keeps; `more` are members beside the usual ones.
pub(crate) fn refusal<B>(status: StatusCode, kind: &str, title: &str, detail: &str, more: Value) -> Response<GuardedBody<B>> {
    let mut problem = json!({"type": format!("urn:tutela:problem:{kind}"), "title": title, "status": status.as_u16(), "detail": detail});
    if let (Some(problem), Value::Object(more)) = (problem.as_object_mut(), more) {
        problem.extend(more);
    }
    let mut response = Response::new(Either::Right(Full::from(problem.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What is needed does not answer.
pub(crate) fn unavailable<B>(detail: &str) -> Response<GuardedBody<B>> {
    refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "A part that is needed does not answer", detail, Value::Null)
}
