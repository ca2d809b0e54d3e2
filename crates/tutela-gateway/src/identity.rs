//! Signing in on a guarded host, and telling the upstream who asks.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use percent_encoding::percent_decode_str;
use tutela_core::{
    Timestamp,
    seam::{Identity, Refusal, RequestPolicy, SignInAnswer},
};
use tutela_identity::cookie::{GUARDED_SESSION, TRANSACTION};

use crate::{
    body::Body,
    config::Require,
    headers::cookie,
    pages::{answer, see_other, set_cookie, wants_page},
    routes::Route,
};

/// Paths that are ours on a guarded host.
pub(crate) const OWN_PREFIX: &str = "/_tutela/";

/// Who asks; `Err` is the answer to send where that cannot be told.
pub(crate) async fn caller(policy: &dyn RequestPolicy, headers: &HeaderMap, host: &str, now: Timestamp) -> Result<Option<Arc<Identity>>, Response<Body>> {
    let Some(token) = cookie(headers, GUARDED_SESSION) else { return Ok(None) };
    policy.session(host, token, now).await.map_err(|_| unavailable(headers))
}

/// Whether the caller may pass; `Err` is the answer to send.
pub(crate) fn check(policy: &dyn RequestPolicy, route: &Route, caller: Option<&Identity>, request: &Seen<'_>) -> Result<(), Response<Body>> {
    let page = wants_page(request.headers);
    match (&route.require, caller) {
        (Require::Public, _) | (Require::SignedIn, Some(_)) => Ok(()),
        (Require::Permission(permission), Some(identity)) if identity.grants.allow(permission) || identity.roles.contains(permission) => Ok(()),
        (Require::Permission(_), Some(_)) => Err(answer(
            page,
            StatusCode::FORBIDDEN,
            "forbidden",
            "Your roles do not allow this",
            "Ask an administrator of this application for access. That you asked is on record.",
        )),
        (Require::Permission(_) | Require::SignedIn, None) => {
            let navigates = page && matches!(*request.method, Method::GET | Method::HEAD);
            Err(if navigates {
                let start = policy.begin_sign_in(request.origin, request.path_and_query, request.now);
                let mut response = see_other(&start.location);
                set_cookie(&mut response, TRANSACTION, &start.cookie);
                response
            } else {
                answer(page, StatusCode::UNAUTHORIZED, "unauthenticated", "Sign-in is needed", "Open this application in a browser and sign in.")
            })
        }
    }
}

/// What of a request the checks look at.
pub(crate) struct Seen<'a> {
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
    pub origin: &'a str,
    pub path_and_query: &'a str,
    pub now: Timestamp,
}

/// Names the caller to the upstream: a signed token, and plain headers for simple applications.
pub(crate) fn name_to_upstream(
    policy: &dyn RequestPolicy,
    headers: &mut HeaderMap,
    identity: &Arc<Identity>,
    route: &Route,
    now: Timestamp,
) -> Result<(), Refusal> {
    let token = policy.identity_token(identity, &route.name, now)?;
    let mut set = |name: &'static str, value: &str| {
        // Names may hold any letter; a header may not, and says so in RFC 8187's way.
        let value = if value.is_ascii() {
            HeaderValue::from_str(value)
        } else {
            HeaderValue::from_str(&format!("UTF-8''{}", percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)))
        };
        if let Ok(value) = value {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("tutela-identity", &token);
    set("tutela-user", &identity.account.to_string());
    set("tutela-name", &identity.name);
    set("tutela-email", &identity.email);
    set("tutela-roles", &identity.roles.join(","));
    Ok(())
}

/// Our own paths on a guarded host: the way back from signing in, and signing out.
pub(crate) async fn own_path<B>(
    policy: &dyn RequestPolicy,
    request: &Request<B>,
    host: &str,
    origin: &str,
    own_origin: &str,
    now: Timestamp,
) -> Response<Body> {
    let page = wants_page(request.headers());
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/_tutela/callback") => callback(policy, request, origin, now).await,
        (&Method::POST, "/_tutela/sign-out") if same_origin(request.headers(), origin) => sign_out(policy, request.headers(), host, own_origin, now).await,
        (&Method::POST, "/_tutela/sign-out") => {
            answer(page, StatusCode::FORBIDDEN, "forbidden", "This form was sent from another site", "Sign out from the application itself.")
        }
        (_, "/_tutela/sign-out") => {
            let mut response = answer(page, StatusCode::METHOD_NOT_ALLOWED, "invalid", "Sign out with a form", "Send a POST to this address.");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            response
        }
        _ => answer(page, StatusCode::NOT_FOUND, "not-found", "There is no such page", "The address leads nowhere."),
    }
}

async fn callback<B>(policy: &dyn RequestPolicy, request: &Request<B>, origin: &str, now: Timestamp) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default();
    let field = |name: &str| {
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        pair.and_then(|value| percent_decode_str(value).decode_utf8().ok()).unwrap_or_default().into_owned()
    };
    let (code, state) = (field("code"), field("state"));
    let answered = SignInAnswer { origin, code: &code, state: &state, cookie: cookie(request.headers(), TRANSACTION).unwrap_or_default() };
    match policy.finish_sign_in(answered, now).await {
        Ok(end) => {
            let mut response = see_other(&end.return_to);
            set_cookie(&mut response, GUARDED_SESSION, &end.token);
            set_cookie(&mut response, TRANSACTION, "");
            response
        }
        Err(Refusal::Invalid) => answer(
            true,
            StatusCode::BAD_REQUEST,
            "invalid",
            "This sign-in link does not work any more",
            "It was used already, is too old, or belongs to another browser. Open the page you wanted again.",
        ),
        Err(Refusal::Unavailable) => unavailable(request.headers()),
    }
}

async fn sign_out(policy: &dyn RequestPolicy, headers: &HeaderMap, host: &str, own_origin: &str, now: Timestamp) -> Response<Body> {
    if let Some(token) = cookie(headers, GUARDED_SESSION)
        && let Err(Refusal::Unavailable) = policy.sign_out(host, token, now).await
    {
        return unavailable(headers);
    }
    let mut response = see_other(&format!("{own_origin}/signed-out"));
    set_cookie(&mut response, GUARDED_SESSION, "");
    response
}

/// A form of this very origin; browsers say so in one of two headers.
fn same_origin(headers: &HeaderMap, origin: &str) -> bool {
    match (headers.get("sec-fetch-site").map(HeaderValue::as_bytes), headers.get(header::ORIGIN).map(HeaderValue::as_bytes)) {
        (Some(site), _) => site == b"same-origin",
        (None, Some(from)) => from == origin.as_bytes(),
        (None, None) => false,
    }
}

pub(crate) fn unavailable(headers: &HeaderMap) -> Response<Body> {
    answer(
        wants_page(headers),
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "A part of this server does not answer",
        "Your request was not passed on. Try again in a moment.",
    )
}
