//! Hosted pages: sign in, sign out, the own account.

use axum::{
    Form, Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tutela_app::{
    Error, account,
    handover::{self, host_of},
    permission, session,
};
use tutela_core::{ErrorKind, Secret};
use tutela_identity::cookie;

use super::{frame, html, message, see_other, set_cookie, show::when};
use crate::{
    caller::Caller,
    problem::status_of,
    view::{
        hosted::{AccountPage, OwnSession, SignInPage, SignOutPage, SignedOutPage},
        part::{Count, Identifier},
    },
    web::Web,
};

#[derive(Deserialize)]
pub(crate) struct To {
    #[serde(default)]
    to: String,
}

/// Asks for mail and password; who is signed in already goes on at once.
pub(crate) async fn sign_in_form(State(web): State<Web>, caller: Caller, Query(to): Query<To>) -> Response {
    match caller.ctx.principal.session() {
        Some(_) => go_on(&web, &caller, &to.to).await,
        None => form(&web, &caller, to.to, String::new(), StatusCode::OK, None),
    }
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    email: String,
    password: String,
    #[serde(default)]
    to: String,
}

pub(crate) async fn sign_in(State(web): State<Web>, caller: Caller, Form(typed): Form<Typed>) -> Response {
    match session::sign_in(&web.app, &caller.ctx, web.host(), &typed.email, Secret::new(typed.password)).await {
        Ok(signed_in) => {
            let ctx = caller.ctx.as_account(signed_in.session.account, signed_in.session.id, Default::default());
            // 303: the browser must not send the password on (RFC 9700 §4.12).
            let mut response = go_on(&web, &Caller { ctx, identity: None }, &typed.to).await;
            set_cookie(&mut response, cookie::OWN_SESSION, signed_in.token.open());
            response
        }
        Err(e) => {
            let mut response = form(&web, &caller, typed.to, typed.email, status_of(e.kind()), Some(said(&e)));
            if let Error::Busy(after) = e {
                response.headers_mut().insert("retry-after", after.as_secs().into());
            }
            response
        }
    }
}

fn said(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Unauthenticated | ErrorKind::Invalid | ErrorKind::RateLimited => error.to_string(),
        _ => "You could not be signed in because a part of this server does not answer. Try again in a moment.".into(),
    }
}

/// Back to the application that asked, or to the account page.
async fn go_on(web: &Web, caller: &Caller, to: &str) -> Response {
    let Some(login) = caller.ctx.principal.session().filter(|_| !to.is_empty()) else { return see_other("/account") };
    match handover::issue(&web.app, &caller.ctx, login, to).await {
        Ok(location) => see_other(&location),
        Err(e) if e.kind() == ErrorKind::Invalid => see_other("/account"),
        Err(e) => message(
            web,
            status_of(e.kind()),
            "You could not be sent back",
            "You are signed in, but a part of this server does not answer.",
            "Open the page you wanted again in a moment.",
        ),
    }
}

fn form(web: &Web, caller: &Caller, to: String, email: String, status: StatusCode, error: Option<String>) -> Response {
    let transaction = handover::read(&web.app, &to, caller.ctx.now);
    let origin = transaction.as_ref().map(|t| t.origin.clone());
    let page = SignInPage { frame: frame(web), to, app_name: origin.as_deref().map(|o| host_of(o).to_owned()), error, email };
    html(status, &page, origin.as_deref(), None)
}

pub(crate) async fn sign_out_form(State(web): State<Web>, caller: Caller) -> Response {
    if caller.ctx.principal.session().is_none() {
        return see_other("/signed-out");
    }
    html(StatusCode::OK, &SignOutPage { frame: frame(&web), action: "/sign-out".into(), app_name: None }, None, None)
}

pub(crate) async fn sign_out(State(web): State<Web>, caller: Caller) -> Response {
    if caller.ctx.principal.session().is_some()
        && let Err(e) = session::sign_out(&web.app, &caller.ctx).await
    {
        return message(&web, status_of(e.kind()), "You are still signed in", "The session could not be ended.", "Try again in a moment.");
    }
    let mut response = see_other("/signed-out");
    set_cookie(&mut response, cookie::OWN_SESSION, "");
    response
}

pub(crate) async fn signed_out(State(web): State<Web>) -> Response {
    html(StatusCode::OK, &SignedOutPage { frame: frame(&web), sign_in_url: "/sign-in".into() }, None, None)
}

/// The own account: who one is here, and one's sessions.
pub(crate) async fn account(State(web): State<Web>, caller: Caller) -> Response {
    account_page(&web, &caller, None).await
}

async fn account_page(web: &Web, caller: &Caller, notice: Option<String>) -> Response {
    let Some(identity) = &caller.identity else { return see_other("/sign-in") };
    let (sessions, failed) = match (session::own(&web.app, &caller.ctx).await, account::failed_before_sign_in(&web.app, &caller.ctx).await) {
        (Ok(sessions), Ok(failed)) => (sessions, failed),
        (Err(e), _) | (_, Err(e)) => {
            return message(web, status_of(e.kind()), "Your account cannot be shown", "A part of this server does not answer.", "Try again in a moment.");
        }
    };
    let page = AccountPage {
        frame: frame(web),
        notice,
        name: identity.name.clone(),
        email: identity.email.clone(),
        roles: identity.roles.clone(),
        failed_attempts: Some(Count(failed)).filter(|_| failed > 0),
        sessions: sessions
            .iter()
            .map(|view| OwnSession {
                id: Identifier::new(view.session.id.to_string()),
                hosts: view.hosts.join(", "),
                started: when(view.session.created_at),
                seen: when(view.session.last_seen_at),
                current: caller.ctx.principal.session() == Some(view.session.id),
            })
            .collect(),
        is_admin: identity.grants.allow("console:use"),
        console_url: web.app.urls().admin.clone(),
    };
    html(StatusCode::OK, &page, None, None)
}

pub(crate) async fn end_session(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Response {
    let ended = match id.parse() {
        Ok(id) => session::end_own(&web.app, &caller.ctx, id).await,
        Err(_) => Err(Error::NotFound("session")),
    };
    match ended {
        Ok(()) => see_other("/account"),
        Err(e) if e.kind() == ErrorKind::Unauthenticated => see_other("/sign-in"),
        Err(e) if e.kind() == ErrorKind::NotFound => account_page(&web, &caller, Some("That session had ended already.".into())).await,
        Err(e) => message(&web, status_of(e.kind()), "The session was not ended", "A part of this server does not answer.", "Try again in a moment."),
    }
}

pub(crate) async fn end_others(State(web): State<Web>, caller: Caller) -> Response {
    match session::end_others(&web.app, &caller.ctx).await {
        Ok(ended) => account_page(&web, &caller, Some(format!("{ended} other {} ended.", if ended == 1 { "session" } else { "sessions" }))).await,
        Err(e) if e.kind() == ErrorKind::Unauthenticated => see_other("/sign-in"),
        Err(e) => message(&web, status_of(e.kind()), "The sessions were not ended", "A part of this server does not answer.", "Try again in a moment."),
    }
}

/// The keys that check identity tokens.
pub(crate) async fn jwks(State(web): State<Web>) -> Response {
    let mut response = Json(permission::jwks(&web.app)).into_response();
    response.headers_mut().insert("cache-control", axum::http::HeaderValue::from_static("public, max-age=300"));
    response
}
