//! Choosing on a guarded host what one consents to: by a script that draws a banner, and by a page for browsers that run
//! none.

use std::{fmt::Write as _, net::IpAddr, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use tutela_core::{
    Env, Timestamp, random_bytes,
    seam::{Asked, Choice, Chosen, Identity, Refusal},
};
use tutela_identity::cookie::Cookie;

use crate::{
    body::{Body, full},
    headers::own_cookie,
    held::Held,
    identity::{Door, query_field, same_origin, signals, unavailable, visitor},
    pages::{answer, page, see_other, set_cookie, wants_page},
};

/// Where is chosen.
pub(crate) const PAGE: &str = "/_tutela/consent";
const SCRIPT: &str = "/_tutela/consent.js";
const SCRIPT_TEXT: &str = include_str!("../assets/consent.js");

/// How a browser is known that nobody is signed in with.
pub(crate) const ID_DIGITS: usize = 32;

/// Longest answer, and how long it may take to come.
const LONGEST: usize = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Wanted {
    Script,
    Choices,
}

/// What a path of ours means; nothing where there is no banner.
pub(crate) fn wanted(door: Door<'_>, path: &str) -> Option<Wanted> {
    match path {
        PAGE if door.banner => Some(Wanted::Choices),
        SCRIPT if door.banner => Some(Wanted::Script),
        _ => None,
    }
}

/// Where a request comes from, and when.
pub(crate) struct From<'a> {
    pub host: &'a str,
    pub origin: &'a str,
    pub address: IpAddr,
    pub now: Timestamp,
    pub env: &'a dyn Env,
}

/// What somebody has chosen, of what they were shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answers {
    choices: Vec<Chosen>,
    #[serde(skip)]
    back: String,
}

/// Answers what is asked for.
pub(crate) async fn serve(door: Door<'_>, wanted: Wanted, request: Request<Held>, from: &From<'_>) -> Response<Body> {
    let page = wants_page(request.headers());
    match (wanted, request.method()) {
        (Wanted::Script, &Method::GET) => script(),
        (Wanted::Choices, &Method::GET | &Method::POST) => {
            let headers = request.headers().clone();
            choices(door, request, from).await.unwrap_or_else(|refusal| match refusal {
                Refusal::Invalid => {
                    let detail =
                        "Its words may have changed since they were shown: open the choices again. Or too much was chosen from this address: try again later.";
                    answer(page, StatusCode::BAD_REQUEST, "invalid", "This choice cannot be taken", detail)
                }
                Refusal::Unavailable => unavailable(&headers),
            })
        }
        _ => {
            let mut response = answer(page, StatusCode::METHOD_NOT_ALLOWED, "invalid", "This is not done here", "Send a GET to this address.");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
            response
        }
    }
}

async fn choices(door: Door<'_>, request: Request<Held>, from: &From<'_>) -> Result<Response<Body>, Refusal> {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let identity = signed_in(door, headers, from).await?;
    let known = visitor(door, headers);
    let who = identity.as_deref().map(Asked::Person).or(known.map(Asked::Visitor));
    if parts.method == Method::GET {
        let request = Request::from_parts(parts.clone(), ());
        let found = door.policy.choices(who, signals(headers)).await?;
        return Ok(if wants_page(headers) { choices_page(&found, &back(&query_field(&request, "return")), signals(headers)) } else { listed(&found, headers) });
    }
    if !same_origin(headers, from.origin) {
        let detail = "Choose on the page of the application itself.";
        return Ok(answer(wants_page(headers), StatusCode::FORBIDDEN, "forbidden", "This form was sent from another site", detail));
    }
    let bytes = tokio::time::timeout(PATIENCE, Limited::new(body, LONGEST).collect()).await.ok().and_then(Result::ok).ok_or(Refusal::Invalid)?.to_bytes();
    let is_json = headers.get(header::CONTENT_TYPE).is_some_and(|of| of.as_bytes().starts_with(b"application/json"));
    let answers: Answers = if is_json { serde_json::from_slice(&bytes).map_err(|_| Refusal::Invalid)? } else { form(&bytes) };
    let fresh = known.map_or_else(|| format!("{:032x}", u128::from_be_bytes(random_bytes(&mut { from.env }))), str::to_owned);
    let who = identity.as_deref().map_or(Asked::Visitor(&fresh), Asked::Person);
    door.policy.choose(who, &answers.choices, from.address, from.now).await?;
    let mut response = if is_json { listed(&door.policy.choices(Some(who), signals(headers)).await?, headers) } else { see_other(&back(&answers.back)) };
    match (&identity, known) {
        (None, _) => set_cookie(&mut response, door.cookies, Cookie::Visitor, &fresh),
        // What this browser had said before somebody signed in counts no more.
        (Some(_), Some(_)) => set_cookie(&mut response, door.cookies, Cookie::Visitor, ""),
        (Some(_), None) => {}
    }
    Ok(response)
}

async fn signed_in(door: Door<'_>, headers: &HeaderMap, from: &From<'_>) -> Result<Option<Arc<Identity>>, Refusal> {
    match own_cookie(headers, door.cookies, Cookie::GuardedSession) {
        Some(token) => door.policy.session(from.host, token, from.now).await,
        None => Ok(None),
    }
}

/// Fields of a form: `shown`, a purpose and its notice's version, and `given`, each as often as there are; `choose`; `return`.
fn form(bytes: &[u8]) -> Answers {
    let text = String::from_utf8_lossy(bytes).replace('+', " ");
    let (mut shown, mut given, mut choice, mut back) = (Vec::new(), Vec::new(), String::new(), String::new());
    for (name, value) in text.split('&').filter_map(|pair| pair.split_once('=')) {
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        match name {
            "shown" => shown.push(value),
            "given" => given.push(value),
            "choose" => choice = value,
            "return" => back = value,
            _ => {}
        }
    }
    let answer = |shown: String| {
        let (purpose, version) = shown.split_once(' ').unwrap_or((&shown, ""));
        let is_given = match choice.as_str() {
            "all" => true,
            "none" => false,
            _ => given.iter().any(|name| name == purpose),
        };
        Chosen { purpose: purpose.to_owned(), notice_version: version.to_owned(), given: is_given }
    };
    Answers { choices: shown.into_iter().map(answer).collect(), back }
}

/// The page of the choices, from which one comes back to where one was.
pub(crate) fn page_for(path_and_query: &str) -> String {
    format!("{PAGE}?return={}", utf8_percent_encode(path_and_query, NON_ALPHANUMERIC))
}

/// Where somebody comes back to: a path on this host, else the choices.
fn back(path: &str) -> String {
    let here = path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\r', '\n', '\t']);
    if here { path.to_owned() } else { PAGE.to_owned() }
}

fn script() -> Response<Body> {
    let mut response = Response::new(full(SCRIPT_TEXT));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn listed(choices: &[Choice], headers: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(full(json!({"choices": choices, "signal": signals(headers)}).to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The same without scripts.
fn choices_page(choices: &[Choice], back: &str, signal: bool) -> Response<Body> {
    let mut body = String::from("<p>We ask before we use your data for these. You can change your mind at any time.</p>");
    if signal {
        body +=
            "<p>Your browser asks that your data is not sold or shared (Global Privacy Control). That counts as a no, unless you allow it here yourself.</p>";
    }
    let _ = write!(body, "<form method=\"post\" action=\"{PAGE}\"><input type=\"hidden\" name=\"return\" value=\"{}\">", escaped(back));
    for choice in choices {
        let checked = if choice.given == Some(true) { " checked" } else { "" };
        let to = if choice.recipients.is_empty() { String::new() } else { format!(" Goes to {}.", escaped(&choice.recipients.join(", "))) };
        let (name, title, notice) = (escaped(&choice.purpose), escaped(&choice.title), escaped(&choice.notice));
        let version = escaped(&choice.notice_version);
        let _ = write!(
            body,
            "<p><input type=\"hidden\" name=\"shown\" value=\"{name} {version}\"><label><input type=\"checkbox\" name=\"given\" value=\"{name}\"{checked}> {title}</label><br>{notice}{to}</p>"
        );
    }
    if choices.is_empty() {
        body += "<p>Nothing is asked for here.</p>";
    } else {
        body += "<p><button name=\"choose\" value=\"these\">Save these choices</button> <button name=\"choose\" value=\"all\">Allow all</button> <button name=\"choose\" value=\"none\">Allow none</button></p>";
    }
    body += "</form>";
    page(StatusCode::OK, "Your privacy choices", &body, "'self'")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_all_none_or_these() {
        let shown = "shown=a.b+2&shown=c+1%261&";
        let of = |text: &str| form(format!("{shown}{text}").as_bytes()).choices.into_iter().map(|of| of.given).collect::<Vec<_>>();
        assert_eq!(of("given=a.b&choose=these"), [true, false]);
        assert_eq!(of("given=a.b&choose=none"), [false, false]);
        assert_eq!(of("choose=all"), [true, true]);
        let answers = form(format!("{shown}return=%2Fx%3Fa%3D1").as_bytes());
        assert_eq!((answers.choices[1].purpose.as_str(), answers.choices[1].notice_version.as_str(), answers.back.as_str()), ("c", "1&1", "/x?a=1"));
    }

    #[test]
    fn nobody_is_led_to_another_host() {
        for (path, to) in
            [("/x?y=1", "/x?y=1"), ("//evil.example", PAGE), ("https://evil.example", PAGE), ("/\\evil.example", PAGE), ("/a\r\nb", PAGE), ("", PAGE)]
        {
            assert_eq!(back(path), to, "{path:?}");
        }
    }
}
