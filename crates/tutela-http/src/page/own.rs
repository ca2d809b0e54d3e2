//! Signing out, and the keys that check tokens.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use tutela_app::{federation, permission, session};
use tutela_identity::cookie::Cookie;

use super::{frame, html, message, see_other, set_cookie};
use crate::{
    caller::Caller,
    problem::status_of,
    view::hosted::{SignOutPage, SignedOutPage},
    web::Web,
};

pub(crate) async fn sign_out_form(State(web): State<Web>, caller: Caller) -> Response {
    let Some(session) = caller.ctx.principal.session() else { return see_other("/signed-out") };
    // Browsers hold the redirect after a form to the form's policy, so it names the provider that comes next.
    let way_out = federation::way_out(&web.app, &caller.ctx, session).await.ok().flatten();
    let origin = way_out.map(|url| url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/"));
    html(StatusCode::OK, &SignOutPage { frame: frame(&web), action: "/sign-out".into(), app_name: None }, origin.as_deref(), None)
}

pub(crate) async fn sign_out(State(web): State<Web>, caller: Caller) -> Response {
    // A provider that does not answer keeps nobody signed in here.
    let way_out = match caller.ctx.principal.session() {
        Some(session) => federation::way_out(&web.app, &caller.ctx, session).await.ok().flatten(),
        None => None,
    };
    if caller.ctx.principal.session().is_some()
        && let Err(e) = session::sign_out(&web.app, &caller.ctx).await
    {
        return message(&web, status_of(e.kind()), "You are still signed in", "The session could not be ended.", "Try again in a moment.");
    }
    let mut response = see_other(way_out.as_deref().unwrap_or("/signed-out"));
    set_cookie(&mut response, &web, Cookie::OwnSession, "");
    response
}

pub(crate) async fn signed_out(State(web): State<Web>) -> Response {
    html(StatusCode::OK, &SignedOutPage { frame: frame(&web), sign_in_url: "/sign-in".into() }, None, None)
}

/// The keys that check identity tokens and access tokens.
pub(crate) async fn jwks(State(web): State<Web>) -> Response {
    let mut response = Json(permission::jwks(&web.app, web.app.env().now())).into_response();
    response.headers_mut().insert("cache-control", axum::http::HeaderValue::from_static("public, max-age=300"));
    response
}
