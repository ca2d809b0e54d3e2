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
    let mut response = if page {
        self::page(status, title, &format!("<p>{detail}</p>"), "'none'")
    } else {
        let problem = serde_json::json!({"type": format!("urn:tutela:problem:{kind}"), "title": title, "status": status.as_u16(), "detail": detail});
        sent(status, "application/problem+json", problem.to_string(), "'none'")
    };
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tutela\""));
    }
    response
}

/// The one style of these pages; its hash stands in their policy.
const STYLE: &str = ":root{color-scheme:light dark}body{font:16px/1.45 system-ui,sans-serif;max-width:360px;margin:48px auto;padding:0 16px}h1{font-size:20px}button{font:inherit;min-height:44px;padding:8px 16px;margin:0 4px 8px 0}input{width:18px;height:18px;vertical-align:-3px}";

/// A page of ours. `body` is HTML; what comes from elsewhere in it is escaped. Forms go to `forms`.
pub(crate) fn page(status: StatusCode, title: &str, body: &str, forms: &str) -> Response<Body> {
    let document = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>\n"
    );
    sent(status, "text/html; charset=utf-8", document, forms)
}

fn sent(status: StatusCode, content_type: &'static str, body: String, forms: &str) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-b4iwF40mXtFCgDiw33KZhoWsyoB18jtVaNaSkGWPIqA='; frame-ancestors 'none'; base-uri 'none'; form-action {forms}"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_the_one_style_that_there_is() {
        let response = answer(true, StatusCode::FORBIDDEN, "forbidden", "No", "Not from here.");
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, STYLE.as_bytes());
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        let named = policy.split_once("'sha256-").and_then(|(_, rest)| rest.split_once('\'')).unwrap().0;
        assert_eq!(base64(hash.as_ref()), named);
    }

    fn base64(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for three in bytes.chunks(3) {
            let number = three.iter().chain([&0, &0]).take(3).fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
            (0..4).for_each(|at| out.push(if at <= three.len() { char::from(LETTERS[number >> (18 - 6 * at) & 63]) } else { '=' }));
        }
        out
    }
}
