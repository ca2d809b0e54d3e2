//! Signing in with an account elsewhere: the way to a provider, the way back, and connecting two accounts.

use axum::{
    Form,
    extract::{Path, Query, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tutela_app::{
    Error,
    federation::{self, Button, Connected, Finished, Wish},
};
use tutela_core::ErrorKind;
use tutela_identity::{
    cookie::Cookie,
    federation::{openid::Returned, saml::Sent},
};

use super::{T, account::security_page, failed, frame, html, prove_again, see_other, set_cookie, show_form, sign_in};
use crate::{
    caller::{Browser, Caller, own_cookie},
    problem::{Failure, status_of},
    view::{
        hosted::{FormPage, MessagePage},
        part::Link,
    },
    web::Web,
};

/// Before a sealed offer, where `to` is one.
pub(crate) const OFFER: &str = "connect:";

/// Buttons as links; `prove` where they are to prove anew who somebody is.
pub(crate) fn links(buttons: &[Button], to: &str, prove: bool) -> Vec<Link> {
    let wish = if prove { "&for=prove" } else { "" };
    buttons.iter().map(|button| Link { href: format!("/sign-in/with/{}?to={to}{wish}", button.name), label: button.label.clone() }).collect()
}

/// Providers that an account is not connected with yet.
pub(crate) fn to_connect(buttons: &[Button], connected: &[Connected]) -> Vec<Link> {
    let free = buttons.iter().filter(|button| connected.iter().all(|other| other.provider != button.name));
    free.map(|button| Link { href: format!("/sign-in/with/{}?for=connect", button.name), label: button.label.clone() }).collect()
}

#[derive(Deserialize)]
pub(crate) struct Departing {
    #[serde(default)]
    to: String,
    #[serde(default, rename = "for")]
    wish: String,
}

/// Sends the browser to a provider.
pub(crate) async fn leave(State(web): State<Web>, caller: Caller, headers: HeaderMap, Path(name): Path<String>, Query(asked): Query<Departing>) -> Response {
    let wish = match asked.wish.as_str() {
        "connect" => Wish::Connect,
        "prove" => Wish::Prove,
        _ => Wish::SignIn,
    };
    match federation::begin(&web.app, &caller.ctx, &name, wish, &asked.to, own_cookie(&headers, &web, Cookie::Errand)).await {
        Ok(departure) => {
            let mut response = match departure.there {
                Sent::Redirect(location) => see_other(&location),
                Sent::Post(action, fields) => {
                    let origin = action.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
                    let base = FormPage::of(frame(&web), T.leave_title, action, T.go_on, T.why_leave);
                    html(StatusCode::OK, &FormPage { hidden: fields, ..base }, Some(&origin), None)
                }
            };
            if let Some(cookie) = &departure.cookie {
                set_cookie(&mut response, &web, Cookie::Errand, cookie.open());
            }
            response
        }
        Err(e) => not_there(&web, &e, &asked.to),
    }
}

/// An answer that a form of the provider's page has posted: without our cookies, which other sites' forms do not bring.
/// It is kept, and the browser asks for it by itself.
pub(crate) async fn posted(State(web): State<Web>, caller: Caller, Path(name): Path<String>, Form(answer): Form<Returned>) -> Response {
    match federation::keep_answer(&web.app, &caller.ctx, &name, &answer).await {
        Ok(posted) => {
            let mut response = see_other(&format!("/sign-in/with/{name}/callback?state={}", posted.state));
            if let Some(cookie) = &posted.cookie {
                set_cookie(&mut response, &web, Cookie::Errand, cookie.open());
            }
            response
        }
        Err(e) => not_there(&web, &e, ""),
    }
}

/// The browser is back.
pub(crate) async fn back(
    State(web): State<Web>,
    caller: Caller,
    Browser(visitor): Browser,
    headers: HeaderMap,
    Path(name): Path<String>,
    Query(returned): Query<Returned>,
) -> Response {
    let (cookie, token) = (own_cookie(&headers, &web, Cookie::Errand), own_cookie(&headers, &web, Cookie::SignIn));
    match federation::finish(&web.app, &caller.ctx, &visitor, &name, returned, cookie, token).await {
        Ok(Finished::Progress(progress, to)) => sign_in::lead_on(&web, &caller, *progress, &to).await,
        Ok(Finished::Offered(offer)) => see_other(&format!("/sign-in/connect?offer={offer}")),
        Err(Error::Cancelled { to }) => sign_in::first(&web, &caller, to, None, StatusCode::OK, Some(T.outside_cancelled.into())).await,
        Err(e) => not_there(&web, &e, ""),
    }
}

/// The provider does not answer, or its answer is not believed. Other ways to sign in are a click away.
fn not_there(web: &Web, error: &Error, to: &str) -> Response {
    let (title, why, advice) = match error {
        Error::Provider { provider, .. } => (format!("{provider} {}", T.outside_down), T.outside_down_why.to_owned(), T.outside_down_advice),
        Error::Identity(_) => (T.outside_no.to_owned(), T.outside_no_why.to_owned(), T.outside_no_advice),
        e if matches!(e.kind(), ErrorKind::NotFound) => (T.begin_again.to_owned(), T.too_long.to_owned(), ""),
        e if matches!(e.kind(), ErrorKind::Unauthenticated | ErrorKind::Conflict) => (T.outside_no.to_owned(), format!("{e}."), T.outside_no_advice),
        e => return failed(web, e),
    };
    let link = Some(Link { href: format!("/sign-in?to={to}"), label: T.back_to_sign_in.into() });
    let page = MessagePage { frame: frame(web), title, failed: why, kept: None, advice: advice.into(), link, reference: None };
    html(status_of(error.kind()), &page, None, None)
}

#[derive(Deserialize)]
pub(crate) struct Offered {
    #[serde(default)]
    offer: String,
}

/// Whoever has proven an account elsewhere connects it with theirs here, once they have proven that too.
pub(crate) async fn offered(State(web): State<Web>, caller: Caller, headers: HeaderMap, Query(offered): Query<Offered>) -> Response {
    offer_page(&web, &caller, &headers, &offered.offer, None)
}

fn offer_page(web: &Web, caller: &Caller, headers: &HeaderMap, sealed: &str, error: Option<&Error>) -> Response {
    let offer = match federation::read_offer(&web.app, &caller.ctx, sealed, own_cookie(headers, web, Cookie::Errand)) {
        Ok(offer) => offer,
        Err(e) => return not_there(web, &e, ""),
    };
    let Some(identity) = &caller.identity else {
        let link = Some(Link { href: format!("/sign-in?to={OFFER}{sealed}"), label: T.sign_in_and_connect.into() });
        let (title, failed, advice) = (T.nobody_yet.into(), format!("{} ({})", offer.label, offer.shown), T.nobody_yet_lead.into());
        return html(StatusCode::OK, &MessagePage { frame: frame(web), title, failed, kept: None, advice, link, reference: None }, None, None);
    };
    let lead = format!("{} ({}) ↔ {} ({})", offer.label, offer.shown, web.host(), identity.email);
    let base = FormPage::of(frame(web), T.connect_title, "/sign-in/connect".into(), T.connect_button, T.why_connect);
    let link = Some(Link { href: "/account/security".into(), label: T.not_now.into() });
    show_form(FormPage { lead: Some(lead), hidden: vec![("offer", sealed.to_owned())], link, ..base }, error)
}

pub(crate) async fn connect(State(web): State<Web>, caller: Caller, headers: HeaderMap, Form(offered): Form<Offered>) -> Response {
    match federation::connect(&web.app, &caller.ctx, &offered.offer, own_cookie(&headers, &web, Cookie::Errand)).await {
        Ok(to) if to.is_empty() => security_page(&web, &caller, Some(T.connected.into()), None).await,
        Ok(to) => see_other(&format!("/sign-in?to={to}")),
        Err(Error::NotFresh { acr, .. }) => see_other(&format!("/step-up?acr={acr}&to={OFFER}{}", offered.offer)),
        Err(e) if e.kind() == ErrorKind::Conflict => offer_page(&web, &caller, &headers, &offered.offer, Some(&e)),
        Err(e) => not_there(&web, &e, ""),
    }
}

pub(crate) async fn disconnect(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Response {
    let done = match id.parse() {
        Ok(id) => federation::disconnect(&web.app, &caller.ctx, id).await,
        Err(_) => Err(Error::NotFound("connection")),
    };
    match done {
        Ok(()) => security_page(&web, &caller, Some(T.disconnected.into()), None).await,
        Err(e) if e.kind() == ErrorKind::NotFound => see_other("/account/security"),
        Err(e) if e.kind() == ErrorKind::Conflict => security_page(&web, &caller, None, Some(e.to_string())).await,
        Err(e) => prove_again(&e, "/account/security").unwrap_or_else(|| failed(&web, &e)),
    }
}

#[derive(Deserialize)]
pub(crate) struct Logout {
    #[serde(default)]
    logout_token: String,
}

/// A provider says that a session there has ended (OpenID Connect Back-Channel Logout 1.0 §2.8).
pub(crate) async fn ended(State(web): State<Web>, caller: Caller, Path(name): Path<String>, Form(said): Form<Logout>) -> Response {
    match federation::ended_outside(&web.app, &caller.ctx, &name, &said.logout_token).await {
        Ok(_) => StatusCode::OK.into_response(),
        // The specification's own word for a token that is not right (§2.8).
        Err(e) if e.kind() == ErrorKind::Invalid => (StatusCode::BAD_REQUEST, axum::Json(serde_json::json!({"error": "invalid_request"}))).into_response(),
        Err(e) => Failure::from(e).into_response(),
    }
}

/// A SAML provider's messages about logout, in the query.
pub(crate) async fn logout(State(web): State<Web>, caller: Caller, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    match federation::logout(&web.app, &caller.ctx, &name, &query.unwrap_or_default()).await {
        Ok(location) => see_other(&location),
        Err(e) => not_there(&web, &e, ""),
    }
}

/// What a SAML provider needs to know of us.
pub(crate) async fn metadata(State(web): State<Web>, Path(name): Path<String>) -> Response {
    match federation::metadata(&web.app, &name) {
        Ok(xml) => ([(header::CONTENT_TYPE, "application/samlmetadata+xml")], xml).into_response(),
        Err(e) => Failure::from(e).into_response(),
    }
}
