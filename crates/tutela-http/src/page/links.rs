//! The pages behind mailed links. Opening one uses nothing up, because mail scanners open links too; the
//! button does.

use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use tutela_app::{Error, device, password, profile, unlock};
use tutela_core::{ErrorKind, Secret};

use super::{T, failed, frame, html, message, show_form, sign_in_link};
use crate::{
    caller::Caller,
    view::hosted::{DonePage, Field, FormPage},
    web::Web,
};

/// What the forms send; each uses some of it.
#[derive(Default, Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    code: String,
}

fn done(web: &Web, title: &'static str, lead: &'static str) -> Response {
    html(StatusCode::OK, &DonePage { frame: frame(web), title, lead, link: sign_in_link(), why: T.why_link }, None, None)
}

/// A page with one button, and perhaps a field.
fn ask(web: &Web, title: &'static str, lead: &str, action: String, fields: Vec<Field>, button: &'static str, error: Option<&Error>) -> Response {
    show_form(FormPage { lead: Some(lead.to_owned()), fields, ..FormPage::of(frame(web), title, action, button, T.why_link) }, error)
}

// === Reset ===

pub(crate) async fn recover_form(State(web): State<Web>) -> Response {
    recover_page(&web, "", None)
}

fn recover_page(web: &Web, email: &str, error: Option<&Error>) -> Response {
    let base = FormPage::of(frame(web), T.recover, "/recover".into(), T.send_link, T.why_recover);
    show_form(FormPage { lead: Some(T.recover_lead.into()), fields: vec![Field::email(T.mail, email)], link: Some(sign_in_link()), ..base }, error)
}

pub(crate) async fn recover(State(web): State<Web>, caller: Caller, Form(typed): Form<Typed>) -> Response {
    match password::request_reset(&web.app, &caller.ctx, &typed.email).await {
        Ok(()) => {
            let page = DonePage { frame: frame(&web), title: T.recover_sent, lead: T.recover_sent_lead, link: sign_in_link(), why: T.why_recover };
            html(StatusCode::OK, &page, None, None)
        }
        Err(e) if matches!(e.kind(), ErrorKind::Invalid | ErrorKind::RateLimited | ErrorKind::Conflict) => recover_page(&web, &typed.email, Some(&e)),
        Err(e) => failed(&web, &e),
    }
}

pub(crate) async fn reset_form(State(web): State<Web>, caller: Caller, Path(token): Path<String>) -> Response {
    match password::find_reset(&web.app, &caller.ctx, &token).await {
        Ok(()) => reset_page(&web, &token, None),
        Err(e) => failed(&web, &e),
    }
}

fn reset_page(web: &Web, token: &str, error: Option<&Error>) -> Response {
    let fields = vec![Field::new_password(T, password::minimum(&web.app))];
    ask(web, T.reset, T.reset_lead, format!("/reset/{token}"), fields, T.set_password, error)
}

pub(crate) async fn reset(State(web): State<Web>, caller: Caller, Path(token): Path<String>, Form(typed): Form<Typed>) -> Response {
    match password::reset(&web.app, &caller.ctx, &token, Secret::new(typed.password)).await {
        Ok(()) => done(&web, T.reset_done, T.reset_done_lead),
        Err(e) if e.kind() == ErrorKind::Invalid => reset_page(&web, &token, Some(&e)),
        Err(e) => gone_or_failed(&web, &e),
    }
}

/// Of two that use a link at once, one finds it gone.
fn gone_or_failed(web: &Web, error: &Error) -> Response {
    if error.kind() == ErrorKind::Conflict {
        return message(web, StatusCode::NOT_FOUND, T.link_gone, T.link_gone_why, T.link_gone_advice);
    }
    failed(web, error)
}

// === Unlock ===

pub(crate) async fn unlock_form(State(web): State<Web>, caller: Caller, Path(token): Path<String>) -> Response {
    unlock_page(&web, &caller, &token, None).await
}

async fn unlock_page(web: &Web, caller: &Caller, token: &str, error: Option<&Error>) -> Response {
    match unlock::find(&web.app, &caller.ctx, token).await {
        Ok(asked) => {
            let (lead, fields) = if asked.code { (T.unlock_code, vec![Field::code(T.code)]) } else { (T.unlock_lead, Vec::new()) };
            ask(web, T.unlock, lead, format!("/unlock/{token}"), fields, T.unlock_button, error)
        }
        Err(e) => failed(web, &e),
    }
}

pub(crate) async fn unlock(State(web): State<Web>, caller: Caller, Path(token): Path<String>, Form(typed): Form<Typed>) -> Response {
    match unlock::by_owner(&web.app, &caller.ctx, &token, &typed.code).await {
        Ok(()) => done(&web, T.unlock_done, T.unlock_done_lead),
        Err(e) if matches!(e.kind(), ErrorKind::Invalid | ErrorKind::RateLimited) => unlock_page(&web, &caller, &token, Some(&e)).await,
        Err(e) => gone_or_failed(&web, &e),
    }
}

// === Not me ===

pub(crate) async fn not_me_form(State(web): State<Web>, caller: Caller, Path(token): Path<String>) -> Response {
    match device::find_disowning(&web.app, &caller.ctx, &token).await {
        Ok(()) => ask(&web, T.not_me, T.not_me_lead, format!("/not-me/{token}"), Vec::new(), T.not_me_button, None),
        Err(e) => failed(&web, &e),
    }
}

pub(crate) async fn not_me(State(web): State<Web>, caller: Caller, Path(token): Path<String>) -> Response {
    match device::disown(&web.app, &caller.ctx, &token).await {
        Ok(()) => done(&web, T.not_me_done, T.not_me_done_lead),
        Err(e) => gone_or_failed(&web, &e),
    }
}

// === Mail addresses ===

pub(crate) async fn verify_form(State(web): State<Web>, caller: Caller, Path(token): Path<String>) -> Response {
    match profile::find_verification(&web.app, &caller.ctx, &token).await {
        Ok(()) => ask(&web, T.verify, T.verify_lead, format!("/verify-email/{token}"), Vec::new(), T.verify_button, None),
        Err(e) => failed(&web, &e),
    }
}

pub(crate) async fn verify(State(web): State<Web>, caller: Caller, Path(token): Path<String>) -> Response {
    match profile::verify_email(&web.app, &caller.ctx, &token).await {
        Ok(()) => done(&web, T.verify_done, T.verify_lead),
        Err(e) => gone_or_failed(&web, &e),
    }
}

pub(crate) async fn change_email_form(State(web): State<Web>, caller: Caller, Path(token): Path<String>) -> Response {
    match profile::find_email_change(&web.app, &caller.ctx, &token).await {
        Ok(()) => ask(&web, T.change_email, T.change_email_lead, format!("/change-email/{token}"), Vec::new(), T.verify_button, None),
        Err(e) => failed(&web, &e),
    }
}

pub(crate) async fn change_email(State(web): State<Web>, caller: Caller, Path(token): Path<String>) -> Response {
    match profile::change_email(&web.app, &caller.ctx, &token).await {
        Ok(()) => done(&web, T.change_email_done, T.change_email_done_lead),
        Err(e) => gone_or_failed(&web, &e),
    }
}
