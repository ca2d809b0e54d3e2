//! Asking about one's data without an account, by a mailed link.

use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use tutela_app::privacy::{request, visitor};
use tutela_core::ErrorKind;

use super::{
    T, failed, frame, html, message,
    requests::{KINDS, label},
    see_other, show_form,
};
use crate::{
    api::subject_request::zipped,
    caller::Caller,
    view::{
        hosted::{Field, FormPage},
        part::Link,
        requests::{AskPage, Asking},
    },
    web::Web,
};

/// What can be asked for.
pub(crate) async fn overview(State(web): State<Web>) -> Response {
    if !visitor::is_open(&web.app) {
        return message(&web, StatusCode::NOT_FOUND, T.ask_title, T.ask_no_mail, T.ask_no_mail_advice);
    }
    let asks = KINDS.iter().filter(|(_, kind, ..)| request::is_on(&web.app, kind)).map(|(_, kind, label, lead)| Asking { kind, label, lead }).collect();
    html(StatusCode::OK, &AskPage { frame: frame(&web), asks }, None, None)
}

/// Asks for the address.
pub(crate) async fn form(State(web): State<Web>, Path(kind): Path<String>) -> Response {
    page(&web, &kind, "", None)
}

fn page(web: &Web, kind: &str, email: &str, error: Option<&tutela_app::Error>) -> Response {
    let Some((_, kind, label, lead)) = KINDS.iter().find(|(_, known, ..)| *known == kind) else { return see_other("/privacy/ask") };
    let base = FormPage::of(frame(web), label, format!("/privacy/ask/{kind}"), T.send_link, T.why_ask);
    let link = Some(Link { href: "/privacy/ask".into(), label: T.ask_title.into() });
    show_form(FormPage { lead: Some(format!("{lead} {}", T.ask_mail_lead)), fields: vec![Field::email(T.mail, email)], link, ..base }, error)
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Typed {
    email: String,
}

/// Mails the link; the answer is the same whoever it is.
pub(crate) async fn ask(State(web): State<Web>, caller: Caller, Path(kind): Path<String>, Form(typed): Form<Typed>) -> Response {
    let Some((law, kind, ..)) = KINDS.iter().find(|(_, known, ..)| *known == kind) else { return see_other("/privacy/ask") };
    match visitor::ask(&web.app, &caller.ctx, &typed.email, law, kind).await {
        Ok(()) => message(&web, StatusCode::OK, T.ask_sent, T.ask_sent_lead, T.ask_sent_advice),
        Err(e) if matches!(e.kind(), ErrorKind::Invalid | ErrorKind::RateLimited | ErrorKind::Conflict) => page(&web, kind, &typed.email, Some(&e)),
        Err(e) => failed(&web, &e),
    }
}

/// Opening the mailed link uses nothing up, because mail scanners open links too; the button does.
pub(crate) async fn confirm_form(State(web): State<Web>, caller: Caller, Path(token): Path<String>) -> Response {
    match visitor::find(&web.app, &caller.ctx, &token).await {
        Ok(kind) => {
            let base = FormPage::of(frame(&web), &label(&kind), format!("/privacy/confirm/{token}"), T.ask_for, T.why_ask);
            let lead = KINDS.iter().find(|(_, known, ..)| *known == kind).map(|(.., lead)| (*lead).to_owned());
            show_form(FormPage { lead, ..base }, None)
        }
        Err(e) => failed(&web, &e),
    }
}

/// Takes it in, and shows how far it is.
pub(crate) async fn confirm(State(web): State<Web>, caller: Caller, Path(token): Path<String>) -> Response {
    let made = match visitor::confirm(&web.app, &caller.ctx, &token).await {
        Ok(made) => made,
        Err(e) if e.kind() == ErrorKind::Conflict => return message(&web, StatusCode::NOT_FOUND, T.link_gone, T.link_gone_why, T.link_gone_advice),
        Err(e) => return failed(&web, &e),
    };
    let _ = request::wait(&web.app, &made.id, std::time::Duration::from_secs(5)).await;
    match request::status_path(&web.app, &made.id) {
        Ok(path) => see_other(&path),
        Err(e) => failed(&web, &e),
    }
}

/// The package, for whoever was mailed its address.
pub(crate) async fn fetch(State(web): State<Web>, caller: Caller, Path(token): Path<String>) -> Response {
    match visitor::fetch(&web.app, &caller.ctx, &token).await {
        Ok((id, bytes)) => zipped(&id, bytes).into_response(),
        Err(e) => failed(&web, &e),
    }
}
