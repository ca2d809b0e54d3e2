//! Signing in on a guarded host, and telling the upstream who asks.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use percent_encoding::percent_decode_str;
use tutela_core::{
    AuthStrength, Timestamp,
    seam::{Asked, Caller, Identity, Proof, Refusal, RequestPolicy, SignInAnswer, Wanted, Who},
};
use tutela_identity::cookie::{Cookie, Cookies};

use crate::{
    banner,
    body::Body,
    config::Require,
    handle::Admitted,
    headers::own_cookie,
    leash::Credential,
    pages::{answer, consent_required, see_other, set_cookie, wants_page},
    routes::Route,
};

/// Paths that are ours on a guarded host.
pub(crate) const OWN_PREFIX: &str = "/_tutela/";

/// What answers about callers, and how our cookies are written.
#[derive(Clone, Copy)]
pub(crate) struct Door<'a> {
    pub policy: &'a dyn RequestPolicy,
    pub cookies: Cookies,
    /// Whether there is a banner for consent.
    pub banner: bool,
}

/// Who asks, by session cookie or by an access token; `Err` is the answer to send where that cannot be told.
pub(crate) async fn caller(door: Door<'_>, headers: &mut HeaderMap, host: &str, route: &Route, now: Timestamp) -> Result<Admitted, Response<Body>> {
    if let Some(token) = bearer(headers) {
        match door.policy.access_token(token, &route.name, &route.config.issuers, now).await {
            Ok(Proof::Good(caller)) => {
                // The application learns who asks from us; the token would let it ask in the person's name.
                let credential = Some(Credential::Token(token.to_owned()));
                headers.remove(header::AUTHORIZATION);
                return Ok(Admitted { caller: Some(*caller), credential });
            }
            Ok(Proof::Refused) => {
                let detail = "The access token is expired, revoked, or for another application. Get a new one.";
                let mut refused = answer(wants_page(headers), StatusCode::UNAUTHORIZED, "unauthenticated", "The access token is not good", detail);
                refused.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tutela\", error=\"invalid_token\""));
                return Err(refused);
            }
            Ok(Proof::Foreign) => {}
            Err(_) => return Err(unavailable(headers)),
        }
    }
    let Some(token) = own_cookie(headers, door.cookies, Cookie::GuardedSession) else { return Ok(Admitted::default()) };
    let found = door.policy.session(host, token, now).await.map_err(|_| unavailable(headers))?;
    Ok(found.map_or_else(Admitted::default, |identity| Admitted {
        caller: Some(Caller::session(identity)),
        credential: Some(Credential::Session(token.to_owned())),
    }))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether the caller may pass; `Err` is the answer to send.
pub(crate) fn check(door: Door<'_>, route: &Route, caller: Option<&Caller>, request: &Seen<'_>) -> Result<(), Response<Body>> {
    let Some(caller) = caller else {
        return if route.config.require == Require::Public {
            Ok(())
        } else {
            Err(sign_in(door, route, request, "Sign-in is needed", "Open this application in a browser and sign in."))
        };
    };
    let no = |title: &str, detail: &str| Err(answer(wants_page(request.headers), StatusCode::FORBIDDEN, "forbidden", title, detail));
    if !comes_through(route, caller) {
        return no("Not from here", "This is for named applications only, with an access token.");
    }
    if let Some(missing) = missing_scope(route, caller) {
        let mut refused =
            answer(false, StatusCode::FORBIDDEN, "forbidden", "The access token does not reach so far", "Ask for a token with the scope that this needs.");
        // RFC 6750 §3.1.
        if let Ok(value) = HeaderValue::from_str(&format!("Bearer realm=\"tutela\", error=\"insufficient_scope\", scope=\"{missing}\"")) {
            refused.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        return Err(refused);
    }
    let Some(identity) = caller.person() else {
        // A program passes where it was named, or where everybody does; what asks for a person it does not pass.
        let named = route.config.require == Require::Public || !route.config.clients.is_empty() || matches!(caller.who, Who::Outside { .. });
        let wants_person = matches!(route.config.require, Require::Permission(_)) || !route.config.groups.is_empty() || route.wanted != Wanted::default();
        return if named && !wants_person { Ok(()) } else { no("This asks for a person", "A program, or somebody without an account here, cannot pass.") };
    };
    if !route.config.groups.is_empty() && !route.config.groups.iter().any(|group| identity.groups.contains(group)) {
        return no("You are not in a group that may use this", "Ask an administrator of this application for access. That you asked is on record.");
    }
    match &route.config.require {
        Require::Permission(permission) if !identity.grants.allow(permission) && !identity.roles.contains(permission) => {
            no("Your roles do not allow this", "Ask an administrator of this application for access. That you asked is on record.")
        }
        Require::Permission(_) | Require::Public | Require::SignedIn => check_strength(door, route, identity, request),
    }
}

/// Whether the caller has agreed to what the route's purposes are; `Err` is the answer to send.
pub(crate) async fn consent(door: Door<'_>, route: &Route, caller: Option<&Caller>, headers: &HeaderMap, path_and_query: &str) -> Result<(), Response<Body>> {
    let purposes = &route.config.purposes;
    if purposes.is_empty() {
        return Ok(());
    }
    let page = wants_page(headers);
    // A program has nobody's consent, whatever cookie it brings.
    let visitor = || visitor(door, headers).filter(|_| caller.is_none()).map(Asked::Visitor);
    let who = caller.and_then(Caller::person).map(|identity| Asked::Person(identity)).or_else(visitor);
    let Some(who) = who else {
        if door.banner && caller.is_none() && page {
            return Err(see_other(&banner::page_for(path_and_query)));
        }
        let detail = "Nobody is signed in whose consent could be asked for.";
        return Err(answer(page, StatusCode::FORBIDDEN, "consent-required", "This needs a person's consent", detail));
    };
    match door.policy.consent(who, purposes, signals(headers)).await {
        Ok(None) => Ok(()),
        Ok(Some(mut missing)) => {
            if matches!(who, Asked::Visitor(_)) {
                missing.give_at = if page { banner::page_for(path_and_query) } else { banner::PAGE.into() };
            }
            Err(consent_required(page, &missing))
        }
        Err(_) => Err(unavailable(headers)),
    }
}

/// Whether a browser asks not to be sold: exactly this, in any of them (W3C Global Privacy Control).
pub(crate) fn signals(headers: &HeaderMap) -> bool {
    headers.get_all("sec-gpc").iter().any(|value| value == "1")
}

/// What a browser that has chosen without signing in is known by.
pub(crate) fn visitor<'a>(door: Door<'_>, headers: &'a HeaderMap) -> Option<&'a str> {
    let id = own_cookie(headers, door.cookies, Cookie::Visitor).filter(|_| door.banner)?;
    (id.len() == banner::ID_DIGITS && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))).then_some(id)
}

/// Whether the request comes through a client that the route names; where it names none, any way will do.
fn comes_through(route: &Route, caller: &Caller) -> bool {
    let client = caller.token.as_ref().and_then(|token| token.client.as_ref()).filter(|_| !matches!(caller.who, Who::Outside { .. }));
    let is = |named: &String| client.is_some_and(|client| client.id == *named || client.name.as_ref() == Some(named));
    route.config.clients.is_empty() || route.config.clients.iter().any(is)
}

/// A scope that a client's token lacks. What a person brings themselves, in a browser or from a sign-in over the API, is
/// not limited so.
fn missing_scope<'a>(route: &'a Route, caller: &Caller) -> Option<&'a str> {
    let token = caller.token.as_ref().filter(|token| token.client.is_some() || caller.person().is_none())?;
    route.config.scopes.iter().find(|scope| !token.scopes.contains(scope)).map(String::as_str)
}

/// Whether the sign-in is as strong and as fresh as the route asks for.
fn check_strength(door: Door<'_>, route: &Route, identity: &Identity, request: &Seen<'_>) -> Result<(), Response<Body>> {
    if route.wanted.is_met(identity, request.now) {
        return Ok(());
    }
    let mut refused = sign_in(door, route, request, "A stronger sign-in is needed", "Open this application in a browser and prove again who you are.");
    if refused.status() == StatusCode::UNAUTHORIZED {
        // RFC 9470 §3: what would be enough.
        let age = route.wanted.max_age.map(|age| format!(", max_age=\"{}\"", age.as_secs())).unwrap_or_default();
        let text = format!("Bearer realm=\"tutela\", error=\"insufficient_user_authentication\", acr_values=\"{}\"{age}", route.wanted.strength.acr());
        if let Ok(value) = HeaderValue::from_str(&text) {
            refused.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
    }
    Err(refused)
}

/// The way to the sign-in page for whoever navigates, 401 for everybody else.
fn sign_in(door: Door<'_>, route: &Route, request: &Seen<'_>, title: &str, detail: &str) -> Response<Body> {
    let page = wants_page(request.headers);
    if !(page && matches!(*request.method, Method::GET | Method::HEAD)) {
        return answer(page, StatusCode::UNAUTHORIZED, "unauthenticated", title, detail);
    }
    let start = door.policy.begin_sign_in(request.origin, request.path_and_query, route.wanted, request.now);
    let mut response = see_other(&start.location);
    set_cookie(&mut response, door.cookies, Cookie::Transaction, &start.cookie);
    response
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
pub(crate) fn name_to_upstream(policy: &dyn RequestPolicy, headers: &mut HeaderMap, caller: &Caller, route: &Route, now: Timestamp) -> Result<(), Refusal> {
    let token = policy.identity_token(caller, &route.name, now)?;
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
    if let Some(client) = caller.token.as_ref().and_then(|token| token.client.as_ref()) {
        set("tutela-client", &client.id);
    }
    match &caller.who {
        Who::Client => {}
        Who::Outside { issuer, subject } => {
            set("tutela-issuer", issuer);
            set("tutela-subject", subject);
        }
        Who::Person(identity) => {
            set("tutela-user", &identity.account.to_string());
            set("tutela-name", &identity.name);
            set("tutela-email", &identity.email);
            set("tutela-roles", &identity.roles.join(","));
        }
    }
    Ok(())
}

/// Our own paths on a guarded host: the way back from signing in, and signing out.
pub(crate) async fn own_path<B>(door: Door<'_>, request: &Request<B>, host: &str, origin: &str, own_origin: &str, now: Timestamp) -> Response<Body> {
    let page = wants_page(request.headers());
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/_tutela/callback") => callback(door, request, origin, now).await,
        (&Method::GET, "/_tutela/step-up") => step_up(door, request, origin, now),
        (&Method::POST, "/_tutela/sign-out") if same_origin(request.headers(), origin) => sign_out(door, request.headers(), host, own_origin, now).await,
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

/// Where an application sends whoever has to prove more; they come back to `return_to`.
fn step_up<B>(door: Door<'_>, request: &Request<B>, origin: &str, now: Timestamp) -> Response<Body> {
    let field = |name: &str| query_field(request, name);
    let wanted = Wanted {
        strength: AuthStrength::parse(&field("acr")),
        factors: if field("factors") == "2" { 2 } else { 1 },
        max_age: field("max_age").parse().ok().map(|seconds: u64| Duration::from_secs(seconds.clamp(30, 86_400))),
    };
    let start = door.policy.begin_sign_in(origin, &field("return_to"), wanted, now);
    let mut response = see_other(&start.location);
    set_cookie(&mut response, door.cookies, Cookie::Transaction, &start.cookie);
    response
}

/// A field of the query, decoded; empty where it is not there.
pub(crate) fn query_field<B>(request: &Request<B>, name: &str) -> String {
    let query = request.uri().query().unwrap_or_default();
    let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    pair.and_then(|value| percent_decode_str(value).decode_utf8().ok()).unwrap_or_default().into_owned()
}

async fn callback<B>(door: Door<'_>, request: &Request<B>, origin: &str, now: Timestamp) -> Response<Body> {
    let (code, state) = (query_field(request, "code"), query_field(request, "state"));
    let answered =
        SignInAnswer { origin, code: &code, state: &state, cookie: own_cookie(request.headers(), door.cookies, Cookie::Transaction).unwrap_or_default() };
    match door.policy.finish_sign_in(answered, now).await {
        Ok(end) => {
            let mut response = see_other(&end.return_to);
            set_cookie(&mut response, door.cookies, Cookie::GuardedSession, &end.token);
            set_cookie(&mut response, door.cookies, Cookie::Transaction, "");
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

async fn sign_out(door: Door<'_>, headers: &HeaderMap, host: &str, own_origin: &str, now: Timestamp) -> Response<Body> {
    if let Some(token) = own_cookie(headers, door.cookies, Cookie::GuardedSession)
        && let Err(Refusal::Unavailable) = door.policy.sign_out(host, token, now).await
    {
        return unavailable(headers);
    }
    let mut response = see_other(&format!("{own_origin}/signed-out"));
    set_cookie(&mut response, door.cookies, Cookie::GuardedSession, "");
    response
}

/// A form of this very origin; browsers say so in one of two headers.
pub(crate) fn same_origin(headers: &HeaderMap, origin: &str) -> bool {
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
