//! Retention and holds in the console.

use std::time::Duration;

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use serde::Deserialize;
use tutela_api as api;
use tutela_app::{hold, retention, search};
use tutela_core::Timestamp;

use super::{
    console::desk,
    console_frame::Desk,
    console_keys::{NO_REASON, counted, given, given_time, said},
    console_ledger_read::events_of,
    see_other,
    show::when_text,
};
use crate::{
    caller::Caller,
    view::{
        console::Room,
        ledger::{ClassRow, ConfirmPage, HoldRow, RetentionPage, Tab, Tabs, TypedHold},
        part::{Count, Link, Status, Tone},
    },
    web::Web,
};

/// What was just done, in a word of ours, with how many; any other says nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Done {
    done: String,
    events: String,
}

fn notice(done: &Done) -> Option<String> {
    Some(match done.done.as_str() {
        "applied" => format!("Retention applied: {} taken out.", counted(done.events.parse().unwrap_or(0), "event")),
        "placed" => "Hold placed. What matches it is kept until it ends.".into(),
        "released" => "Hold released. What has expired meanwhile goes with the next round of retention.".into(),
        _ => return None,
    })
}

/// What the page says beside what is stored.
#[derive(Default)]
struct Told {
    notice: Option<String>,
    error: Option<String>,
    typed: TypedHold,
    wrong: Option<(String, String)>,
}

pub(crate) async fn kept(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(done): Query<Done>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    retention_page(&desk, Told { notice: notice(&done), ..Told::default() }).await
}

async fn retention_page(desk: &Desk, told: Told) -> Response {
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let (kept, holds) = match (retention::show(app, ctx).await, hold::list(app, ctx).await) {
        (Ok(kept), Ok(holds)) => (kept, holds),
        (Err(e), _) | (_, Err(e)) => return desk.failed(Room::Ledger, &e),
    };
    let mut holds: Vec<HoldRow> = holds.into_iter().map(|hold| hold_row(hold, ctx.now)).collect();
    holds.sort_by_key(|hold| !hold.stands);
    desk.show(&RetentionPage {
        frame: desk.frame(Room::Ledger),
        tabs: Tabs { at: Tab::Retention },
        notice: told.notice,
        error: told.error,
        first: kept.first_position,
        expired: kept.expired,
        entries: Count(search::size(app)),
        standing: Count(holds.iter().filter(|hold| hold.stands).count() as u64),
        classes: kept
            .classes
            .into_iter()
            .map(|class| ClassRow { class: class.class, days: Count(class.days.into()), rule: class.source, gone: class.expired_up_to })
            .collect(),
        holds,
        typed: told.typed,
        wrong: told.wrong,
    })
}

fn hold_row(hold: api::Hold, now: Timestamp) -> HoldRow {
    let ended = hold.until.as_deref().and_then(|at| at.parse::<Timestamp>().ok()).is_some_and(|at| at <= now);
    let state = match (&hold.released_at, ended) {
        (Some(_), _) => Status::new(Tone::Information, "released"),
        (None, true) => Status::new(Tone::Information, "ended"),
        (None, false) => Status::new(Tone::Attention, "holds"),
    };
    HoldRow {
        stands: hold.released_at.is_none() && !ended,
        state,
        events_url: events_of(&hold.q),
        placed: when_text(&hold.placed_at),
        until: hold.until.as_deref().map(when_text),
        id: hold.id,
        case: hold.case,
        reason: hold.reason,
        query: hold.q,
    }
}

pub(crate) async fn apply_form(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let kept = match retention::show(app, ctx).await {
        Ok(kept) => kept,
        Err(e) => return desk.failed(Room::Ledger, &e),
    };
    let mut lines: Vec<String> = vec![format!(
        "Goes through the {} entries of the ledger and takes out for good what no class keeps any longer. What goes cannot be brought back.",
        Count(search::size(app).saturating_sub(kept.first_position)),
    )];
    lines.extend(kept.classes.iter().map(|class| {
        let before = ctx.now.minus(Duration::from_secs(u64::from(class.days) * 86_400)).to_string();
        format!("Class {}: recorded before {} ({}).", class.class, before.get(..10).unwrap_or(&before), counted(class.days.into(), "day"))
    }));
    lines.push("What a hold keeps stays. Hashes stay, so that every proof of what remains still holds.".into());
    desk.show(&ConfirmPage {
        frame: desk.frame(Room::Ledger),
        tabs: Tabs { at: Tab::Retention },
        back: Link { href: "/ledger/retention".into(), label: "Retention".into() },
        title: "Apply retention now".into(),
        question: "Which events go at once, and not within the hour?".into(),
        lines,
        action: "/ledger/retention/apply".into(),
        button: "Apply retention".into(),
    })
}

pub(crate) async fn apply(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match retention::apply(&desk.web.app, &desk.caller.ctx).await {
        Ok(events) => see_other(&format!("/ledger/retention?done=applied&events={events}")),
        Err(e) => retention_page(&desk, Told { error: Some(said(&e)), ..Told::default() }).await,
    }
}

/// The form's fields.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct NewHold {
    case: String,
    reason: String,
    q: String,
    until: String,
}

pub(crate) async fn place(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Form(form): Form<NewHold>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let until = given_time(&form.until);
    let new = api::NewHold { case: form.case.clone(), reason: form.reason.clone(), q: form.q.trim().to_owned(), until };
    match hold::place(&desk.web.app, &desk.caller.ctx, new).await {
        Ok(_) => see_other("/ledger/retention?done=placed"),
        Err(e) => {
            let wrong = e.field().map(|(field, text)| (field.to_owned(), text.to_owned()));
            let error = if wrong.is_none() { Some(said(&e)) } else { None };
            let typed = TypedHold { case: form.case, reason: form.reason, query: form.q, until: form.until };
            retention_page(&desk, Told { error, typed, wrong, ..Told::default() }).await
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Why {
    pub reason: String,
}

pub(crate) async fn release(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>, Form(why): Form<Why>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let error = match given(&why.reason) {
        None => NO_REASON.to_owned(),
        Some(reason) => match hold::release(&desk.web.app, &desk.caller.ctx, &id, &reason).await {
            Ok(_) => return see_other("/ledger/retention?done=released"),
            Err(e) => said(&e),
        },
    };
    retention_page(&desk, Told { error: Some(error), ..Told::default() }).await
}
