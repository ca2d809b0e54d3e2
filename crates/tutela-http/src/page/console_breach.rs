//! The register of breaches in the console.

use axum::{
    extract::{Form, Path, Query, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use serde::Deserialize;
use tutela_api as api;
use tutela_app::{Error, compliance::breach};

use super::{console::desk, console_frame::Desk, console_keys::given, see_other, show::when_text};
use crate::{
    caller::Caller,
    view::{
        console::Room,
        console_breach::{BreachPage, BreachesPage, DutyView},
        part::{Status, Tone},
    },
    web::Web,
};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    done: String,
}

/// What a form says.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Act {
    title: String,
    incident: String,
    nature: String,
    to: String,
    reference: String,
    reason: String,
}

pub(crate) async fn list(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    list_page(&desk, None).await
}

pub(crate) async fn open(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Form(form): Form<Act>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let facts = api::BreachFacts { nature: form.nature, ..api::BreachFacts::default() };
    let new = api::NewBreach { title: form.title, incident: given(&form.incident), aware_at: None, facts };
    match breach::open(&desk.web.app, &desk.caller.ctx, new).await {
        Ok(made) => see_other(&format!("/compliance/breaches/{}?done=open", made.id)),
        Err(e) => list_page(&desk, Some(e.to_string())).await,
    }
}

async fn list_page(desk: &Desk, error: Option<String>) -> Response {
    let found = match breach::list(&desk.web.app, &desk.caller.ctx).await {
        Ok(found) => found,
        Err(e) => return desk.failed(Room::Compliance, &e),
    };
    let row = |of: api::Breach| {
        let open = of.duties.iter().filter(|duty| duty.told_at.is_none()).map(|duty| format!("{} by {}", duty.to, due(duty)));
        let open = open.collect::<Vec<_>>().join(", ");
        (of.id.clone(), of.title.clone(), state(&of), when_text(&of.aware_at), open)
    };
    desk.show(&BreachesPage {
        frame: desk.frame(Room::Compliance),
        breaches: found.into_iter().map(row).collect(),
        may_write: desk.may("compliance:write"),
        error,
    })
}

pub(crate) async fn show(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>, Query(asked): Query<Asked>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let notice = match asked.done.as_str() {
        "open" => Some("It is in the register; the clocks run."),
        "sign" => Some("Signed."),
        "told" => Some("Recorded."),
        "close" => Some("Closed."),
        _ => None,
    };
    page(&desk, &id, notice.map(str::to_owned), None).await
}

pub(crate) async fn sign(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let done = breach::sign(&desk.web.app, &desk.caller.ctx, &id).await;
    acted(&desk, &id, "sign", done).await
}

pub(crate) async fn told(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>, Form(form): Form<Act>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let new = api::BreachTold { to: form.to, at: None, reference: form.reference, reason: given(&form.reason) };
    let done = breach::told(&desk.web.app, &desk.caller.ctx, &id, new).await;
    acted(&desk, &id, "told", done).await
}

pub(crate) async fn close(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>, Form(form): Form<Act>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let done = breach::close(&desk.web.app, &desk.caller.ctx, &id, &form.reason).await;
    acted(&desk, &id, "close", done).await
}

async fn acted(desk: &Desk, id: &str, word: &str, done: Result<api::Breach, Error>) -> Response {
    match done {
        Ok(_) => see_other(&format!("/compliance/breaches/{id}?done={word}")),
        Err(e) => page(desk, id, None, Some(e.to_string())).await,
    }
}

async fn page(desk: &Desk, id: &str, notice: Option<String>, error: Option<String>) -> Response {
    let of = match breach::get(&desk.web.app, &desk.caller.ctx, id).await {
        Ok(of) => of,
        Err(e) => return desk.failed(Room::Compliance, &e),
    };
    let duty = |of: &api::BreachDuty| DutyView {
        to: of.to.clone(),
        law: format!("{} {}", of.framework, of.section),
        due: due(of),
        state: match (&of.told_at, of.late) {
            (Some(_), false) => Status::new(Tone::Good, "told"),
            (Some(_), true) => Status::new(Tone::Attention, "told late"),
            (None, true) => Status::new(Tone::Danger, "late"),
            (None, false) => Status::new(Tone::Attention, "to be told"),
        },
        open: of.told_at.is_none(),
    };
    desk.show(&BreachPage {
        frame: desk.frame(Room::Compliance),
        state: state(&of),
        aware: when_text(&of.aware_at),
        signed: if of.signed_by.is_empty() { "nobody yet".into() } else { of.signed_by.join(", ") },
        duties: of.duties.iter().map(duty).collect(),
        may_write: of.closed_at.is_none() && desk.may("compliance:write"),
        id: of.id,
        title: of.title,
        incident: of.incident,
        missing: of.missing,
        draft: of.draft,
        notice,
        error,
    })
}

fn due(of: &api::BreachDuty) -> String {
    when_text(&of.due).full
}

fn state(of: &api::Breach) -> Status {
    if of.closed_at.is_some() { Status::new(Tone::Information, "closed") } else { Status::new(Tone::Attention, "open") }
}
