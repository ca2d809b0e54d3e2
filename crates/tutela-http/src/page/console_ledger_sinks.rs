//! Projections in the console: how far a search cluster is, comparing, rebuilding, dead letters.

use axum::{
    extract::{Path, Query, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use serde::Deserialize;
use tutela_api as api;
use tutela_app::{
    Error, Position, Query as LedgerQuery, projection,
    search::{self, By},
};

use super::{
    console::desk,
    console_frame::Desk,
    console_keys::{counted, said},
    console_ledger_read::events_of,
    see_other,
    show::when_text,
};
use crate::{
    caller::Caller,
    view::{
        console::Room,
        ledger::{ConfirmPage, DifferenceRow, LetterRow, LettersPage, ProjectionsPage, ReportCard, SinkCard, Tab, Tabs},
        part::{Count, Identifier, Link, Status, Tone},
    },
    web::Web,
};

/// Dead letters of a page.
const PAGE: u32 = 100;

/// What was just done, in a word of ours, with how many; any other says nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Done {
    done: String,
    taken: String,
    refused: String,
}

fn notice(done: &Done) -> Option<String> {
    let events = |text: &str| counted(text.parse().unwrap_or(0), "event");
    Some(match done.done.as_str() {
        "retried" => format!("Sent again: {} taken, {} refused once more.", events(&done.taken), events(&done.refused)),
        "rebuilt" => "Documents dropped. Every event is sent again, until \"Behind\" is 0.".into(),
        _ => return None,
    })
}

pub(crate) async fn show(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(done): Query<Done>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    projections_page(&desk, notice(&done), None, None).await
}

async fn projections_page(desk: &Desk, notice: Option<String>, error: Option<String>, report: Option<ReportCard>) -> Response {
    match projection::list(&desk.web.app, &desk.caller.ctx).await {
        Ok(sinks) => desk.show(&ProjectionsPage {
            frame: desk.frame(Room::Ledger),
            tabs: Tabs { at: Tab::Projections },
            notice,
            error,
            sinks: sinks.into_iter().map(sink_card).collect(),
            report,
        }),
        Err(e) => desk.failed(Room::Ledger, &e),
    }
}

fn sink_card(sink: api::Sink) -> SinkCard {
    let tone = match sink.state.as_str() {
        "following" => Tone::Good,
        "waiting" => Tone::Attention,
        _ => Tone::Information,
    };
    SinkCard {
        on: sink.state != "off",
        state: Status::new(tone, sink.state),
        since: when_text(&sink.since),
        problem: sink.error,
        sent: Count(sink.cursor),
        size: Count(sink.size),
        behind: Count(sink.behind),
        dead: Count(sink.dead_letters),
        name: sink.name,
    }
}

pub(crate) async fn reconcile(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(name): Path<String>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match projection::reconcile(&desk.web.app, &desk.caller.ctx, &name).await {
        Ok(found) => projections_page(&desk, None, None, Some(report_card(name, found))).await,
        Err(e) => projections_page(&desk, None, Some(of_cluster(&e)), None).await,
    }
}

fn report_card(name: String, found: api::Reconciliation) -> ReportCard {
    let missing = found.missing.into_iter().map(|id| DifferenceRow {
        events_url: Some(events_of(&format!("id:{id}"))),
        id: Identifier::new(id),
        what: Status::new(Tone::Danger, "missing there"),
    });
    let extra =
        found.extra.into_iter().map(|id| DifferenceRow { events_url: None, id: Identifier::new(id), what: Status::new(Tone::Attention, "too many there") });
    ReportCard {
        name,
        verdict: if found.equal { Status::new(Tone::Good, "equal") } else { Status::new(Tone::Danger, "different") },
        up_to: found.up_to,
        ledger: Count(found.ledger),
        cluster: Count(found.cluster),
        rows: missing.chain(extra).collect(),
    }
}

pub(crate) async fn retry(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(name): Path<String>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match projection::retry(&desk.web.app, &desk.caller.ctx, &name).await {
        Ok((taken, refused)) => see_other(&format!("/ledger/projections?done=retried&taken={taken}&refused={refused}")),
        Err(e) => projections_page(&desk, None, Some(of_cluster(&e)), None).await,
    }
}

pub(crate) async fn rebuild_form(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(name): Path<String>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match rebuild_page(&desk, &name).await {
        Ok(page) => desk.show(&page),
        Err(e) => desk.failed(Room::Ledger, &e),
    }
}

async fn rebuild_page(desk: &Desk, name: &str) -> Result<ConfirmPage, Error> {
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let sink = sink(desk, name).await?;
    let events = search::counts(app, ctx, &LedgerQuery::default(), By::Outcome).await?.total;
    Ok(ConfirmPage {
        frame: desk.frame(Room::Ledger),
        tabs: Tabs { at: Tab::Projections },
        back: Link { href: "/ledger/projections".into(), label: "Projections".into() },
        title: format!("Rebuild {name}"),
        question: "What is dropped, and what is sent again?".into(),
        lines: vec![
            format!("Drops every document that {name} has of this ledger: up to {}.", counted(events, "document")),
            format!("Then sends the events of all {} of the ledger again, oldest first.", entries(sink.size)),
            "Until it has caught up, a search through the cluster finds less. The ledger itself does not change.".into(),
        ],
        action: format!("/ledger/projections/{name}/rebuild"),
        button: "Rebuild documents".into(),
    })
}

pub(crate) async fn rebuild(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(name): Path<String>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match projection::rebuild(&desk.web.app, &desk.caller.ctx, &name).await {
        Ok(()) => see_other("/ledger/projections?done=rebuilt"),
        Err(e) => projections_page(&desk, None, Some(of_cluster(&e)), None).await,
    }
}

/// Where a page of dead letters begins.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Below {
    cursor: String,
}

pub(crate) async fn dead_letters(
    State(web): State<Web>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    Path(name): Path<String>,
    Query(below): Query<Below>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match letters_page(&desk, &name, &below.cursor).await {
        Ok(page) => desk.show(&page),
        Err(e) => desk.failed(Room::Ledger, &e),
    }
}

async fn letters_page(desk: &Desk, name: &str, cursor: &str) -> Result<LettersPage, Error> {
    let sink = sink(desk, name).await?;
    let after: Option<Position> = cursor.parse().ok();
    let letters = projection::dead_letters(&desk.web.app, &desk.caller.ctx, name, after, PAGE).await?;
    let address = format!("/ledger/projections/{name}/dead-letters");
    let last = letters.last().filter(|_| letters.len() == PAGE as usize);
    Ok(LettersPage {
        frame: desk.frame(Room::Ledger),
        tabs: Tabs { at: Tab::Projections },
        total: Count(sink.dead_letters),
        on: sink.state != "off",
        newer: last.map(|letter| format!("{address}?cursor={}", letter.position)),
        older: after.map(|_| address),
        rows: letters.into_iter().map(|l| LetterRow { position: l.position, reason: l.reason, refused: when_text(&l.refused_at) }).collect(),
        name: name.to_owned(),
    })
}

async fn sink(desk: &Desk, name: &str) -> Result<api::Sink, Error> {
    let all = projection::list(&desk.web.app, &desk.caller.ctx).await?;
    all.into_iter().find(|sink| sink.name == name).ok_or(Error::NotFound("sink"))
}

/// What went wrong; of the cluster, its own words, which the page shows beside its state too.
fn of_cluster(error: &Error) -> String {
    match error {
        Error::Cluster(why) => format!("{why}. Nothing is lost: the ledger keeps every event."),
        other => said(other),
    }
}

fn entries(number: u64) -> String {
    if number == 1 { "1 entry".into() } else { format!("{} entries", Count(number)) }
}
