//! Around every console page: who is signed in, and the way to sign in on this host.

use std::time::Duration;

use axum::{
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::Deserialize;
use tutela_app::{Error, handover, session};
use tutela_core::{
    ErrorKind, random_bytes,
    seam::{SignInAnswer, Wanted},
};
use tutela_identity::cookie::Cookie;

use super::{html, see_other, set_cookie};
use crate::{
    caller::{Caller, own_cookie},
    problem::status_of,
    view::{
        console::{ConsoleFrame, ConsoleMessagePage, Room},
        part::{Identifier, Link},
    },
    web::Web,
};

/// A console request by somebody who may use it.
pub(crate) struct Desk {
    pub web: Web,
    pub caller: Caller,
    fragment: bool,
    nonce: String,
}

impl Desk {
    /// Lets in who may use the console; everybody else gets the answer to send.
    pub(crate) async fn open(web: &Web, caller: Caller, headers: &HeaderMap, uri: &Uri) -> Result<Self, Response> {
        let fragment = headers.contains_key("hx-request");
        if caller.identity.is_none() {
            return Err(begin(web, &caller, uri, fragment));
        }
        let nonce = BASE64.encode(random_bytes::<16>(&mut { web.app.env() }));
        let desk = Self { web: web.clone(), caller, fragment, nonce };
        match web.app.permit(&desk.caller.ctx, "console:use").await {
            Ok(_) => Ok(desk),
            Err(e) => Err(desk.failed(Room::Overview, &e)),
        }
    }

    /// Whether who looks may do something; nothing is recorded, because nothing was tried.
    pub(crate) fn may(&self, permission: &str) -> bool {
        self.caller.ctx.principal.allows(permission)
    }

    /// Where an act asks for a fresh sign-in: leads there, and then to the page at `back`, where it is done again.
    pub(crate) fn prove_again(&self, error: &Error, back: &str) -> Option<Response> {
        let Error::NotFresh { max_age, .. } = error else { return None };
        let wanted = Wanted { max_age: Some(Duration::from_secs(*max_age)), ..Wanted::default() };
        Some(lead(&self.web, &self.caller, back, wanted, self.fragment))
    }

    pub(crate) fn frame(&self, room: Room) -> ConsoleFrame {
        let identity = self.caller.identity.as_deref();
        ConsoleFrame {
            assets: (*self.web.assets).clone(),
            nonce: self.nonce.clone(),
            brand: "tutela".into(),
            room,
            account_name: identity.map(|i| i.name.clone()).unwrap_or_default(),
            account_email: identity.map(|i| i.email.clone()).unwrap_or_default(),
            account_url: format!("{}/account", self.web.app.urls().public),
            sign_out_action: "/_tutela/sign-out".into(),
        }
    }

    /// A page, or the fragment of it that htmx takes out; the nonce in a fragment's policy is what hx-csp checks.
    pub(crate) fn show(&self, page: &impl askama::Template) -> Response {
        self.show_as(StatusCode::OK, page)
    }

    fn show_as(&self, status: StatusCode, page: &impl askama::Template) -> Response {
        let own = self.web.app.urls().public.as_str();
        html(status, page, Some(own), self.fragment.then_some(self.nonce.as_str()))
    }

    /// The page for an error.
    pub(crate) fn failed(&self, room: Room, error: &Error) -> Response {
        let kind = error.kind();
        let (title, failed, advice) = match kind {
            ErrorKind::Forbidden => {
                ("Your roles do not allow this", error.to_string(), "Ask an administrator for a role that includes it. That you asked is in the ledger.")
            }
            ErrorKind::NotFound => ("There is no such thing here", error.to_string(), "It may have ended or been removed. Go back to the list."),
            ErrorKind::Invalid | ErrorKind::Conflict => ("That cannot be done", error.to_string(), "Go back and change what you entered."),
            _ => (
                "A part of this server does not answer",
                "The error is in the server's log. Nothing was changed.".to_owned(),
                "Try again in a moment, or look at Settings.",
            ),
        };
        let page = ConsoleMessagePage {
            frame: self.frame(room),
            title: title.into(),
            failed,
            kept: None,
            advice: advice.into(),
            link: Some(Link { href: "/".into(), label: "Go to the overview".into() }),
            reference: Some(Identifier::new(self.caller.ctx.request.to_string())),
        };
        self.show_as(status_of(kind), &page)
    }
}

/// Leads to the own host's sign-in page and back here.
fn begin(web: &Web, caller: &Caller, uri: &Uri, fragment: bool) -> Response {
    lead(web, caller, uri.path_and_query().map_or("/", |p| p.as_str()), Wanted::default(), fragment)
}

fn lead(web: &Web, caller: &Caller, return_to: &str, wanted: Wanted, fragment: bool) -> Response {
    let start = handover::begin(&web.app, web.origin(), return_to, wanted, caller.ctx.now);
    // A fetch cannot follow a redirect to another origin; htmx is told to navigate instead.
    let mut response = match HeaderValue::from_str(&start.location) {
        Ok(location) if fragment => (StatusCode::OK, [("hx-redirect", location)]).into_response(),
        _ => see_other(&start.location),
    };
    set_cookie(&mut response, web, Cookie::Transaction, &start.cookie);
    response
}

#[derive(Deserialize)]
pub(crate) struct Back {
    code: String,
    state: String,
}

/// The way back from the own host.
pub(crate) async fn callback(State(web): State<Web>, caller: Caller, headers: HeaderMap, Query(back): Query<Back>) -> Response {
    let answer = SignInAnswer {
        origin: web.origin(),
        code: &back.code,
        state: &back.state,
        cookie: own_cookie(&headers, &web, Cookie::Transaction).unwrap_or_default(),
    };
    match handover::finish(&web.app, &caller.ctx, answer).await {
        Ok(end) => {
            let mut response = see_other(&end.return_to);
            set_cookie(&mut response, &web, Cookie::OwnSession, &end.token);
            set_cookie(&mut response, &web, Cookie::Transaction, "");
            response
        }
        Err(e) if e.kind() == ErrorKind::Unauthenticated => {
            let mut failed = super::message(
                &web,
                StatusCode::BAD_REQUEST,
                "This sign-in link does not work any more",
                "It was used already, is too old, or belongs to another browser.",
                "Open the console again.",
            );
            set_cookie(&mut failed, &web, Cookie::Transaction, "");
            failed
        }
        Err(e) => super::message(
            &web,
            status_of(e.kind()),
            "You could not be signed in",
            "A part of this server does not answer.",
            "Open the console again in a moment.",
        ),
    }
}

/// Ends the session on every host and leads to the own host.
pub(crate) async fn sign_out(State(web): State<Web>, caller: Caller) -> Response {
    if caller.ctx.principal.session().is_some()
        && let Err(e) = session::sign_out(&web.app, &caller.ctx).await
        && e.kind() != ErrorKind::NotFound
    {
        return super::message(&web, status_of(e.kind()), "You are still signed in", "The session could not be ended.", "Try again in a moment.");
    }
    let mut response = see_other(&format!("{}/signed-out", web.app.urls().public));
    set_cookie(&mut response, &web, Cookie::OwnSession, "");
    response
}
