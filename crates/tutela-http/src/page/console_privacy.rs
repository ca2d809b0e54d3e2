//! Privacy in the console: what people ask for and deciding on it, stores and their maps, holds, purposes.

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use serde::Deserialize;
use tutela_api as api;
use tutela_app::{
    Error,
    privacy::{expiry, hold, places, purpose, request},
};

use super::{console::desk, console_frame::Desk, see_other, show::when_text};
use crate::{
    caller::Caller,
    view::{
        console::Room,
        console_privacy::{HoldsPage, PrivacyTab, PrivacyTabs, PurposesPage, RequestDetailPage, RequestRow, RequestsPage, StoresPage},
        part::{Identifier, Status, Tone},
    },
    web::Web,
};

/// Requests of a page.
const PAGE: u32 = 50;

/// Which page, and what was just done.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    before: Option<String>,
    done: String,
}

fn tabs(at: PrivacyTab) -> PrivacyTabs {
    PrivacyTabs { at }
}

pub(crate) async fn list(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(asked): Query<Asked>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let before = asked.before.and_then(|id| id.parse().ok());
    let found = match request::list(&desk.web.app, &desk.caller.ctx, before, PAGE).await {
        Ok(found) => found,
        Err(e) => return desk.failed(Room::Privacy, &e),
    };
    let older = found.last().filter(|_| found.len() == PAGE as usize).map(|last| format!("/privacy?before={}", last.id));
    desk.show(&RequestsPage { frame: desk.frame(Room::Privacy), tabs: tabs(PrivacyTab::Requests), rows: found.iter().map(row).collect(), older })
}

fn row(of: &api::SubjectRequest) -> RequestRow {
    RequestRow {
        id: of.id.clone(),
        what: format!("{}, {}", of.kind.replace('_', " "), of.law.to_uppercase()),
        state: match of.status.as_str() {
            "completed" => Status::new(Tone::Good, "completed"),
            "partial" => Status::new(Tone::Attention, "partial"),
            "refused" => Status::new(Tone::Information, "refused"),
            "stopped" => Status::new(Tone::Danger, "stopped"),
            "waiting" => Status::new(Tone::Attention, "waits for approval"),
            other => Status::new(Tone::Information, other),
        },
        received: when_text(&of.received_at),
        answer_by: of.answer_by.clone(),
        problem: of.progress.problems.first().map(|of| format!("{}: {}", of.place, of.why)).unwrap_or_default(),
    }
}

pub(crate) async fn show(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>, Query(asked): Query<Asked>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let notice = match asked.done.as_str() {
        "approve" => Some("Approved. It is carried out."),
        "extend" => Some("Extended. The person is told why."),
        "refuse" => Some("Refused. The person is told why, and where they can complain."),
        "run" => Some("It is tried again."),
        _ => None,
    };
    page(&desk, &id, notice.map(str::to_owned), None).await
}

async fn page(desk: &Desk, id: &str, notice: Option<String>, error: Option<String>) -> Response {
    let of = match request::get(&desk.web.app, &desk.caller.ctx, id).await {
        Ok(found) => found,
        Err(e) => return desk.failed(Room::Privacy, &e),
    };
    let pairs = |list: &[api::PlanFinding]| list.iter().map(|of| (of.place.clone(), of.why.clone())).collect();
    desk.show(&RequestDetailPage {
        frame: desk.frame(Room::Privacy),
        notice,
        error,
        row: row(&of),
        id: Identifier::new(of.id.clone()),
        section: of.section.clone(),
        reason: of.progress.reason.clone(),
        steps: of.progress.steps.iter().map(|step| (step.store.clone(), step.collection.clone(), step.done.clone(), step.rows)).collect(),
        kept: of
            .progress
            .kept
            .iter()
            .map(|of| (of.place.clone(), of.rows, format!("{} ({})", of.reason, of.article), of.until.clone().unwrap_or_default()))
            .collect(),
        problems: pairs(&of.progress.problems),
        notes: pairs(&of.progress.notes),
        acts: acts(desk, &of),
        confirmed: of.progress.receipt.is_some(),
    })
}

/// What can be done with a request now, by who looks.
fn acts(desk: &Desk, of: &api::SubjectRequest) -> Vec<(&'static str, &'static str, &'static str, bool)> {
    if of.closed_at.is_some() {
        return Vec::new();
    }
    let (may_decide, may_run) = (desk.may("subject-requests:approve"), desk.may("subject-requests:write"));
    let begun = of.progress.is_begun();
    [
        (may_decide && of.status == "waiting", "approve", "Approve", "The plan is carried out. What it deletes is gone.", false),
        (
            may_run && matches!(of.status.as_str(), "stopped" | "partial" | "pending"),
            "run",
            "Try again now",
            "It is planned and tried again, as things are now.",
            false,
        ),
        (may_decide && !of.progress.extended && of.extend_by.is_some(), "extend", "Extend", "It takes as much longer as the law allows, once.", true),
        (may_decide && !begun, "refuse", "Refuse", "Nothing is done. The person is told why, and where they can complain.", true),
    ]
    .into_iter()
    .filter(|(is, ..)| *is)
    .map(|(_, word, label, says, asks)| (word, label, says, asks))
    .collect()
}

/// Fields of the forms.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Act {
    reason: String,
}

pub(crate) async fn act(
    State(web): State<Web>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    Path((id, word)): Path<(String, String)>,
    Form(form): Form<Act>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let done = match word.as_str() {
        "approve" => request::approve(app, ctx, &id).await,
        "extend" => request::extend(app, ctx, &id, &form.reason).await,
        "refuse" => request::refuse(app, ctx, &id, &form.reason).await,
        "run" => request::run(app, ctx, &id).await,
        _ => Err(Error::NotFound("act")),
    };
    let back = format!("/privacy/requests/{id}");
    match done {
        Ok(_) => see_other(&format!("{back}?done={word}")),
        Err(e) => match desk.prove_again(&e, &back) {
            Some(answer) => answer,
            None => page(&desk, &id, None, Some(e.to_string())).await,
        },
    }
}

pub(crate) async fn stores(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let found = match places::status(app, ctx).await {
        Ok(found) => found,
        Err(e) => return desk.failed(Room::Privacy, &e),
    };
    // A store that does not answer is told of above; nothing is over its time then, as far as anybody knows.
    let expired = expiry::report(app, ctx).await.unwrap_or_default();
    let store = |of: api::DataStoreStatus| {
        let state = match (&of.error, of.findings.is_empty()) {
            (Some(why), _) => Status::new(Tone::Danger, why),
            (None, true) => Status::new(Tone::Good, "answers, as mapped"),
            (None, false) => Status::new(Tone::Attention, "answers, and differs from its map"),
        };
        (of.name, of.kind, state, of.collections, of.findings.into_iter().map(|of| (of.place, of.why)).collect())
    };
    let over =
        |of: api::ExpiredData| (of.place, of.class, of.days.map(|days| days.to_string()).unwrap_or_default(), of.expired, of.problem.unwrap_or_default());
    desk.show(&StoresPage {
        frame: desk.frame(Room::Privacy),
        tabs: tabs(PrivacyTab::Stores),
        stores: found.into_iter().map(store).collect(),
        expired: expired.into_iter().map(over).collect(),
    })
}

pub(crate) async fn holds(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(asked): Query<Asked>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let notice = (asked.done == "release").then(|| "Released. What it stopped goes on.".to_owned());
    holds_page(&desk, notice, None).await
}

async fn holds_page(desk: &Desk, notice: Option<String>, error: Option<String>) -> Response {
    let found = match hold::list(&desk.web.app, &desk.caller.ctx).await {
        Ok(found) => found,
        Err(e) => return desk.failed(Room::Privacy, &e),
    };
    let hold = |of: api::PrivacyHold| {
        let live = of.released_at.is_none();
        let until = if live { of.until.unwrap_or_else(|| "released".into()) } else { "released".into() };
        (of.id, of.place, of.article, of.reason, of.owner, until, live)
    };
    let may_hold = desk.may("subjects:hold");
    desk.show(&HoldsPage {
        frame: desk.frame(Room::Privacy),
        tabs: tabs(PrivacyTab::Holds),
        holds: found.into_iter().map(hold).collect(),
        notice,
        error,
        may_hold,
    })
}

pub(crate) async fn release(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>, Form(form): Form<Act>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match hold::release(&desk.web.app, &desk.caller.ctx, &id, &form.reason).await {
        Ok(()) => see_other("/privacy/holds?done=release"),
        Err(e) => holds_page(&desk, None, Some(e.to_string())).await,
    }
}

pub(crate) async fn purposes(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let found = match purpose::list(&desk.web.app, &desk.caller.ctx).await {
        Ok(found) => found,
        Err(e) => return desk.failed(Room::Privacy, &e),
    };
    let row = |of: api::KeptPurpose| {
        let recipients = of.purpose.recipients.iter().map(|of| of.name.clone()).collect::<Vec<_>>().join(", ");
        let state = if of.retired_at.is_some() { Status::new(Tone::Information, "out of use") } else { Status::new(Tone::Good, "in use") };
        (of.purpose.name, of.purpose.title, of.purpose.basis.replace('_', " "), recipients, of.purpose.notice.version, state)
    };
    desk.show(&PurposesPage { frame: desk.frame(Room::Privacy), tabs: tabs(PrivacyTab::Purposes), purposes: found.into_iter().map(row).collect() })
}
