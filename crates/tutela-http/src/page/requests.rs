//! One's own data: ask for it, take it along, have it deleted, and see how far that is.

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use tutela_api::{OwnSubjectRequest, RequestStep, SubjectRequest};
use tutela_app::privacy::request::{self, Part};

use super::{T, destination::sign_in_first, failed, frame, html, prove_again, see_other, show::when_text, show_form};
use crate::{
    api::subject_request::zipped,
    caller::Caller,
    view::{
        hosted::FormPage,
        own::AccountTab,
        part::Link,
        requests::{Asking, OwnRequest, RequestPage, YourDataPage},
    },
    web::Web,
};

const PAGE: &str = "/account/data";

/// The law, the kind, the label, what happens, and the button.
pub(super) const KINDS: [(&str, &str, &str, &str); 6] = [
    ("gdpr", "access", T.ask_access, T.ask_access_lead),
    ("gdpr", "portability", T.ask_portability, T.ask_portability_lead),
    ("ccpa", "do_not_sell", T.ask_do_not_sell, T.ask_do_not_sell_lead),
    ("gdpr", "objection", T.ask_objection, T.ask_objection_lead),
    ("gdpr", "restriction", T.ask_restriction, T.ask_restriction_lead),
    ("gdpr", "erasure", T.ask_erasure, T.ask_erasure_lead),
];

/// What can be asked for, and what was.
pub(crate) async fn overview(State(web): State<Web>, caller: Caller) -> Response {
    if caller.identity.is_none() {
        return sign_in_first(PAGE);
    }
    let requests = match request::list_own(&web.app, &caller.ctx).await {
        Ok(found) => found,
        Err(e) => return failed(&web, &e),
    };
    let asks = KINDS.iter().filter(|(_, kind, ..)| request::is_on(&web.app, kind)).map(|(_, kind, label, lead)| Asking { kind, label, lead }).collect();
    let mut shown = Vec::new();
    for of in requests {
        let status_at = match request::status_path(&web.app, &of.id) {
            Ok(path) => path,
            Err(e) => return failed(&web, &e),
        };
        shown.push(OwnRequest {
            label: label(&of.kind),
            state: state_words(&of.status).0,
            when: when_text(&of.received_at),
            answer_by: of.answer_by,
            reason: of.progress.reason,
            package_until: of.progress.package_until.as_deref().map(when_text),
            status_at,
            id: of.id,
        });
    }
    html(StatusCode::OK, &YourDataPage { frame: frame(&web), tab: AccountTab::Data, asks, requests: shown }, None, None)
}

/// Says what happens, before it is asked for.
pub(crate) async fn form(State(web): State<Web>, caller: Caller, Path(kind): Path<String>) -> Response {
    let Some((_, kind, label, lead)) = KINDS.iter().find(|(_, known, ..)| *known == kind) else { return see_other(PAGE) };
    if let Err(e) = request::may_ask(&web.app, &caller.ctx, kind).await {
        return if caller.identity.is_none() { sign_in_first(PAGE) } else { prove_again(&e, &format!("{PAGE}/{kind}")).unwrap_or_else(|| failed(&web, &e)) };
    }
    let base = FormPage::of(frame(&web), label, format!("{PAGE}/{kind}"), if *kind == "erasure" { T.erase_all } else { T.ask_for }, T.why_account);
    show_form(FormPage { lead: Some((*lead).to_owned()), link: Some(Link { href: PAGE.into(), label: T.your_data.into() }), ..base }, None)
}

/// Asks for it, and shows how far it is.
pub(crate) async fn ask(State(web): State<Web>, caller: Caller, Path(kind): Path<String>) -> Response {
    let Some((law, kind, ..)) = KINDS.iter().find(|(_, known, ..)| *known == kind) else { return see_other(PAGE) };
    let new = OwnSubjectRequest { law: Some((*law).into()), kind: (*kind).into(), corrections: Default::default(), purposes: Vec::new() };
    let made = match request::create_own(&web.app, &caller.ctx, new).await {
        Ok(made) => made,
        Err(e) => return prove_again(&e, &format!("{PAGE}/{kind}")).unwrap_or_else(|| failed(&web, &e)),
    };
    // Most are answered at once; what takes longer is looked at again.
    let _ = request::wait(&web.app, &made.id, std::time::Duration::from_secs(5)).await;
    match request::status_path(&web.app, &made.id) {
        Ok(path) => see_other(&path),
        Err(e) => failed(&web, &e),
    }
}

/// The package of one's request, after a fresh sign-in.
pub(crate) async fn fetch(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Response {
    match request::fetch_own(&web.app, &caller.ctx, &id, Part::Package).await {
        Ok(bytes) => zipped(&id, bytes).into_response(),
        Err(e) => prove_again(&e, PAGE).unwrap_or_else(|| failed(&web, &e)),
    }
}

/// How far a request is, for whoever has its address.
pub(crate) async fn status(State(web): State<Web>, Path(token): Path<String>) -> Response {
    let of = match request::by_token(&web.app, &token).await {
        Ok(found) => found,
        Err(e) => return failed(&web, &e),
    };
    let kept = |of: &tutela_api::KeptData| {
        let until = of.until.as_ref().map(|until| format!(", {} {until}", T.until)).unwrap_or_default();
        format!("{}: {} ({}{until})", of.place, of.reason, of.article)
    };
    let moving = matches!(of.status.as_str(), "pending" | "running" | "partial" | "waiting" | "stopped");
    let page = RequestPage {
        frame: frame(&web),
        label: label(&of.kind),
        lead: lead(&of),
        when: when_text(&of.received_at),
        answer_by: of.answer_by.clone(),
        reason: of.progress.reason.clone(),
        steps: of.progress.steps.iter().map(step).collect(),
        kept: of.progress.kept.iter().map(kept).collect(),
        receipt: of.progress.receipt.as_ref().map(|_| format!("/privacy/requests/{token}/confirmation")),
        moving,
    };
    html(StatusCode::OK, &page, None, None)
}

/// The signed confirmation, to be kept.
pub(crate) async fn confirmation(State(web): State<Web>, Path(token): Path<String>) -> Response {
    match request::by_token(&web.app, &token).await.map(|of| of.progress.receipt) {
        Ok(Some(receipt)) => {
            let text = serde_json::to_string_pretty(&receipt).unwrap_or_default();
            let name = "attachment; filename=\"confirmation.json\"";
            ([(header::CONTENT_TYPE, "application/json"), (header::CONTENT_DISPOSITION, name)], text).into_response()
        }
        Ok(None) => failed(&web, &tutela_app::Error::NotFound("confirmation")),
        Err(e) => failed(&web, &e),
    }
}

pub(super) fn label(kind: &str) -> String {
    let known = KINDS.iter().find(|(_, known, ..)| *known == kind).map(|(.., label, _)| *label);
    known
        .unwrap_or(match kind {
            "delete" => T.ask_erasure,
            "rectification" | "correct" => T.ask_rectification,
            other => other,
        })
        .to_owned()
}

/// A word for it, and a sentence.
fn state_words(state: &str) -> (&'static str, &'static str) {
    match state {
        "completed" => (T.request_completed, T.request_completed_lead),
        "partial" => (T.request_partial, T.request_partial_lead),
        "refused" => (T.request_refused, T.request_refused_lead),
        "stopped" | "waiting" => (T.request_waiting, T.request_waiting_lead),
        _ => (T.request_running, T.request_running_lead),
    }
}

fn lead(of: &SubjectRequest) -> &'static str {
    match (of.status.as_str(), of.kind.as_str(), of.progress.package_until.is_some()) {
        ("completed", "erasure" | "delete", _) => T.erased_lead,
        ("completed", _, true) => T.package_lead,
        (state, ..) => state_words(state).1,
    }
}

fn step(of: &RequestStep) -> String {
    let done = match of.done.as_str() {
        "deleted" => T.step_deleted,
        "masked" => T.step_masked,
        "changed" => T.step_changed,
        "read" => T.step_read,
        _ => T.step_set,
    };
    format!("{}, {}: {} {done}", of.store, of.collection, of.rows)
}
