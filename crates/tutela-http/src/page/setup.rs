//! The page behind a one-time link.

use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use tutela_app::{
    Error, password,
    setup::{self, Choice, Setup},
};
use tutela_core::{ErrorKind, Secret};

use super::{T, frame, html, message, see_other};
use crate::{
    caller::Caller,
    view::hosted::{Field, FormPage},
    web::Web,
};

pub(crate) async fn form(State(web): State<Web>, caller: Caller, Path(token): Path<String>) -> Response {
    match setup::find(&web.app, &caller.ctx, &token).await {
        Ok(found) => page(&web, &token, &found, None, None),
        Err(e) => refused(&web, &e),
    }
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    password: String,
}

pub(crate) async fn complete(State(web): State<Web>, caller: Caller, Path(token): Path<String>, Form(typed): Form<Typed>) -> Response {
    let found = match setup::find(&web.app, &caller.ctx, &token).await {
        Ok(found) => found,
        Err(e) => return refused(&web, &e),
    };
    let choice = Choice { name: typed.name.clone(), email: typed.email.clone(), password: Secret::new(typed.password.clone()) };
    match setup::complete(&web.app, &caller.ctx, &token, choice).await {
        Ok(_) => see_other("/sign-in"),
        Err(e) if e.kind() == ErrorKind::Invalid => page(&web, &token, &found, Some(&typed), Some(e.to_string())),
        Err(e) => refused(&web, &e),
    }
}

fn page(web: &Web, token: &str, found: &Setup, typed: Option<&Typed>, error: Option<String>) -> Response {
    let account = found.account.as_ref();
    let email = account.map(|a| a.email.as_str().to_owned()).or(typed.map(|t| t.email.clone())).unwrap_or_default();
    let name = typed.map(|t| t.name.clone()).or(account.map(|a| a.name.clone())).unwrap_or_default();
    let fields = vec![
        Field { value: name, ..Field::text("name", T.name, "name") },
        Field { readonly: account.is_some(), ..Field::email(T.mail, &email) },
        Field::new_password(T, password::minimum(&web.app)),
    ];
    let why = "You are here because somebody gave you a set-up link.";
    let base = FormPage::of(frame(web), "Set up your account", format!("/set-up/{token}"), "Create account", why);
    let status = if error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    html(status, &FormPage { lead: Some("This link works once.".into()), fields, error, ..base }, None, None)
}

fn refused(web: &Web, error: &Error) -> Response {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::Conflict => message(
            web,
            StatusCode::NOT_FOUND,
            "This link does not work any more",
            "It was used already, or it is older than 30 minutes.",
            "Ask for a new one: `tutela admin setup-link` on the server, or an administrator.",
        ),
        _ => message(web, crate::problem::status_of(error.kind()), "The account could not be set up", "Nothing was changed.", "Try again in a moment."),
    }
}
