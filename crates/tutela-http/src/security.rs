//! Headers that every answer carries, and the content security policy of pages.

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tutela_app::handover::host_of;
use tutela_core::{ErrorKind, RequestId};

use crate::{
    problem::Failure,
    web::{Front, Web},
};

/// The policy of a page. `form_to` is the one other origin its forms may lead to (browsers apply
/// `form-action` to the redirects after a post too); `nonce` marks a fragment's htmx elements.
pub(crate) fn policy(form_to: Option<&str>, nonce: Option<&str>) -> HeaderValue {
    let form_to = form_to.map(|origin| format!(" {origin}")).unwrap_or_default();
    let nonce = nonce.map(|nonce| format!(" 'nonce-{nonce}'")).unwrap_or_default();
    let text = format!(
        "default-src 'none'; script-src 'self'{nonce}; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
         frame-ancestors 'none'; form-action 'self'{form_to}; require-trusted-types-for 'script'; trusted-types htmx"
    );
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// Adds what every answer carries, and refuses requests for another host name (DNS rebinding).
pub(crate) async fn guard(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let named = request.headers().get(header::HOST).and_then(|v| v.to_str().ok());
    let host = named.or(request.uri().authority().map(|a| a.as_str())).unwrap_or_default().to_owned();
    // What came through the gateway has its number already.
    let given = request.extensions().get::<RequestId>().copied();
    let id = given.unwrap_or_else(|| RequestId::new(web.app.env().now(), &mut { web.app.env() }));
    request.extensions_mut().insert(id);
    let probe = web.front == Front::Admin && matches!(request.uri().path(), "/livez" | "/readyz" | "/metrics");
    let known = web.front == Front::Socket || probe || host_of(&host) == web.host();
    let mut response = if known { next.run(request).await } else { misdirected() };
    let headers = response.headers_mut();
    let always = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in always {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert("request-id", id);
    }
    if web.origin().starts_with("https://") {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static("max-age=63072000; includeSubDomains"));
    }
    response
}

fn misdirected() -> Response {
    let mut response = Failure::new(ErrorKind::NotFound, "this server does not answer for this host name").into_response();
    *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
    response
}
