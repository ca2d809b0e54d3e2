//! The few answers the gateway gives by itself on guarded hosts: plain, short, without scripts.

use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, header};
use tutela_identity::cookie::{Cookie, Cookies};

use tutela_core::seam::ConsentMissing;

use crate::body::{Body, full};

/// Whether the client reads pages rather than data.
pub(crate) fn wants_page(headers: &http::HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
}

/// The address is refused whole, for so long; why is told to nobody who may have caused it.
pub(crate) fn blocked(page: bool, left: Duration) -> Response<Body> {
    let detail = "Too much that looked like an attack came from this address. It may come again later; whoever runs this service can let it in earlier.";
    let mut response = answer(page, StatusCode::FORBIDDEN, "address-blocked", "This address is blocked", detail);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(left.as_secs().max(1)));
    response
}

/// The person has not agreed: what to, and where they can.
pub(crate) fn consent_required(page: bool, missing: &ConsentMissing) -> Response<Body> {
    let title = "This is done only with your consent";
    if page {
        // Whoever reads pages decides on one, and comes back.
        return see_other(&missing.give_at);
    }
    let problem = serde_json::json!({
        "type": "urn:tutela:problem:consent-required", "title": title, "status": 403,
        "detail": format!("The person has not agreed to {}.", missing.purposes.iter().map(|of| of.purpose.as_str()).collect::<Vec<_>>().join(", ")),
        "missing": missing.purposes, "give_at": missing.give_at,
    });
    let mut response = answer(false, StatusCode::FORBIDDEN, "consent-required", title, "");
    *response.body_mut() = full(problem.to_string());
    response
}

/// An error as a page or as a problem (RFC 9457), whichever the client reads.
pub(crate) fn answer(page: bool, status: StatusCode, kind: &str, title: &str, detail: &str) -> Response<Body> {
    let (content_type, body) = if page {
        ("text/html; charset=utf-8", document(title, detail))
    } else {
        let problem = serde_json::json!({"type": format!("urn:tutela:problem:{kind}"), "title": title, "status": status.as_u16(), "detail": detail});
        ("application/problem+json", problem.to_string())
    };
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'sha256-tIrpMrm5mYD2YLjUga30SupjVqIB0L+oop4V1UkluRI='; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
    );
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tutela\""));
    }
    response
}

/// The one style of these pages; its hash stands in their policy.
const STYLE: &str = ":root{color-scheme:light dark}body{font:16px/1.45 system-ui,sans-serif;max-width:360px;margin:48px auto;padding:0 16px}h1{font-size:20px}";

fn document(title: &str, detail: &str) -> String {
    // Both texts are our own constants; nothing from the request stands in them.
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1><p>{detail}</p></main></body></html>\n"
    )
}

/// What everybody may read, also from other sites.
pub(crate) fn json(body: &str) -> Response<Body> {
    let mut response = Response::new(full(body.to_owned()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// 303 to `location`.
pub(crate) fn see_other(location: &str) -> Response<Body> {
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(value) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// 308 to `location`: the same request again, over there.
pub(crate) fn moved(location: &str) -> Response<Body> {
    let mut response = see_other(location);
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response
}

/// Sets one of our cookies, or (with an empty value) drops it.
pub(crate) fn set_cookie(response: &mut Response<Body>, cookies: Cookies, cookie: Cookie, value: &str) {
    if let Ok(value) = HeaderValue::from_str(&cookies.set(cookie, value)) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
