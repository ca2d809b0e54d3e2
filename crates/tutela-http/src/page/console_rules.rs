//! Rules and blocks in the console: what is looked for, trying a rule on the ledger, letting it act, and whom the
//! gateway refuses.

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use serde::Deserialize;
use tutela_api as api;
use tutela_app::{block, rule};
use tutela_core::Timestamp;

use super::{console::desk, console_frame::Desk, console_keys::said, console_ledger_read::events_of, see_other, show::when_text};
use crate::{
    caller::Caller,
    view::{
        console::Room,
        detection::{BlockRow, BlocksPage, RulePage, RuleRow, RulesPage, Tab, Tabs, TrialPart},
        part::{Count, Status, Tone},
    },
    web::Web,
};

/// Days that a rule is tried on where nothing else is said.
const DAYS: u32 = 30;

/// What was just done, and how many days a rule is tried on.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    done: String,
    days: Option<u32>,
}

/// How grave something is, as a word with its mark.
pub(super) fn level(word: &str) -> Status {
    let tone = match word {
        "critical" | "high" => Tone::Danger,
        "medium" => Tone::Attention,
        _ => Tone::Information,
    };
    Status::new(tone, word)
}

fn row(rule: &api::DetectionRule) -> RuleRow {
    let mode = match rule.mode.as_str() {
        "act" => Status::new(Tone::Good, "acts"),
        "alert" => Status::new(Tone::Information, "tells"),
        "shadow" => Status::new(Tone::Attention, "shadow"),
        _ => Status::new(Tone::Danger, "off"),
    };
    RuleRow {
        name: rule.name.clone(),
        title: rule.title.clone(),
        level: level(&rule.level),
        mode,
        actions: rule.actions.join(", "),
        window: rule.window.clone(),
    }
}

pub(crate) async fn list(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let rules = match rule::list(&desk.web.app, &desk.caller.ctx).await {
        Ok(rules) => rules,
        Err(e) => return desk.failed(Room::Detection, &e),
    };
    let in_mode = |mode: &str| Count(rules.iter().filter(|rule| rule.mode == mode).count() as u64);
    desk.show(&RulesPage {
        frame: desk.frame(Room::Detection),
        tabs: Tabs { at: Tab::Rules },
        acting: in_mode("act"),
        shadowed: in_mode("shadow"),
        rows: rules.iter().map(row).collect(),
    })
}

pub(crate) async fn show(
    State(web): State<Web>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let notice = match asked.done.as_str() {
        "set" => Some("Set. It runs so from now on, on every node.".into()),
        "reset" => Some("Taken back. It is as the configuration has it.".into()),
        _ => None,
    };
    page(&desk, &name, notice, None, asked.days).await
}

async fn page(desk: &Desk, name: &str, notice: Option<String>, error: Option<String>, days: Option<u32>) -> Response {
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let rule = match rule::get(app, ctx, name).await {
        Ok(rule) => rule,
        Err(e) => return desk.failed(Room::Detection, &e),
    };
    let (mut trial, mut error) = (None, error);
    if let Some(days) = days {
        match rule::backtest(app, ctx, &api::NewBacktest { rules: None, rule: Some(name.to_owned()), days }).await {
            Ok(found) => trial = Some(tried(found)),
            Err(e) => error = Some(said(&e)),
        }
    }
    let modes = [
        ("shadow", "Shadow: write down what it would have done"),
        ("alert", "Alert: tell people"),
        ("act", "Act: tell people and do what it says"),
        ("off", "Off: do not look"),
    ];
    desk.show(&RulePage {
        frame: desk.frame(Room::Detection),
        notice,
        error,
        row: row(&rule),
        key: rule.key.join(", "),
        tests: rule.tests,
        changed: rule.changed.map(|change| (change.by, when_text(&change.at), change.reason, change.text)),
        events_url: events_of(&format!("type:alert.raised {name}")),
        modes: modes.into_iter().filter(|(mode, _)| *mode != rule.mode).collect(),
        days: days.unwrap_or(DAYS),
        trial,
        may_write: desk.may("detection:write"),
        may_try: desk.may("ledger:read"),
        description: rule.description,
        text: rule.text,
    })
}

fn tried(found: api::Backtest) -> TrialPart {
    let (events, complete) = (Count(found.events), found.complete);
    let one = found.rules.into_iter().next();
    let number = |of: fn(&api::BacktestRule) -> u64| Count(one.as_ref().map_or(0, of));
    let (alerts, keys) = (number(|rule| rule.alerts), number(|rule| rule.keys));
    let (would_block, good) = (number(|rule| rule.would_block), number(|rule| rule.with_good_sign_ins));
    let most = one.into_iter().flat_map(|rule| rule.most).map(|key| (key.about, Count(key.alerts), when_text(&key.first), when_text(&key.last))).collect();
    TrialPart { events, complete, alerts, keys, would_block, good, most }
}

/// Fields of the forms.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Change {
    mode: String,
    network: String,
    minutes: String,
    reason: String,
}

pub(crate) async fn set(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(name): Path<String>, Form(form): Form<Change>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let change = api::ChangeRule { text: None, mode: Some(form.mode), reason: form.reason };
    let done = rule::set(&desk.web.app, &desk.caller.ctx, &name, &change).await;
    after_rule(&desk, &name, done.map(drop), "set").await
}

pub(crate) async fn reset(
    State(web): State<Web>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    Path(name): Path<String>,
    Form(form): Form<Change>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let done = rule::reset(&desk.web.app, &desk.caller.ctx, &name, &form.reason).await;
    if done.is_ok() && rule::get(&desk.web.app, &desk.caller.ctx, &name).await.is_err() {
        return see_other("/rules");
    }
    after_rule(&desk, &name, done, "reset").await
}

async fn after_rule(desk: &Desk, name: &str, result: Result<(), tutela_app::Error>, word: &str) -> Response {
    match result {
        Ok(()) => see_other(&format!("/rules/{name}?done={word}")),
        Err(e) => match desk.prove_again(&e, &format!("/rules/{name}")) {
            Some(answer) => answer,
            None => page(desk, name, None, Some(said(&e)), None).await,
        },
    }
}

// === Blocks ===

pub(crate) async fn blocks(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(asked): Query<Asked>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let notice = match asked.done.as_str() {
        "blocked" => Some("Blocked from the next request on.".into()),
        "lifted" => Some("Lifted. Requests from there pass again.".into()),
        _ => None,
    };
    blocks_page(&desk, notice, None).await
}

async fn blocks_page(desk: &Desk, notice: Option<String>, error: Option<String>) -> Response {
    let now = desk.caller.ctx.now;
    let mut rows: Vec<BlockRow> = match block::list(&desk.web.app, &desk.caller.ctx).await {
        Ok(rows) => rows.into_iter().map(|one| block_row(one, now)).collect(),
        Err(e) => return desk.failed(Room::Detection, &e),
    };
    rows.sort_by_key(|row| !row.stands);
    desk.show(&BlocksPage {
        frame: desk.frame(Room::Detection),
        tabs: Tabs { at: Tab::Blocks },
        notice,
        error,
        live: Count(rows.iter().filter(|row| row.stands).count() as u64),
        rows,
        may_write: desk.may("detection:write"),
    })
}

fn block_row(one: api::Block, now: Timestamp) -> BlockRow {
    let over = one.until.parse::<Timestamp>().is_ok_and(|until| until <= now);
    let stands = one.ended_at.is_none() && !over;
    let state = match (stands, &one.ended_at) {
        (true, _) => Status::new(Tone::Danger, "blocked"),
        (false, Some(_)) => Status::new(Tone::Information, "lifted"),
        (false, None) => Status::new(Tone::Information, "over"),
    };
    BlockRow {
        until: when_text(one.ended_at.as_deref().unwrap_or(&one.until)),
        made: when_text(&one.made_at),
        by: one.rule.unwrap_or(one.made_by),
        state,
        stands,
        id: one.id,
        network: one.network,
        reason: one.reason,
    }
}

pub(crate) async fn block(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Form(form): Form<Change>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    // What is no number is out of range, and is told so.
    let new = api::NewBlock { network: form.network, minutes: Some(form.minutes.trim().parse().unwrap_or(0)), reason: form.reason };
    let made = block::make(&desk.web.app, &desk.caller.ctx, &new).await;
    after_block(&desk, made, "blocked").await
}

pub(crate) async fn lift(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>, Form(form): Form<Change>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let lifted = block::lift(&desk.web.app, &desk.caller.ctx, &api::LiftBlock { block: id, reason: form.reason }).await;
    after_block(&desk, lifted, "lifted").await
}

async fn after_block(desk: &Desk, result: Result<(), tutela_app::Error>, word: &str) -> Response {
    match result {
        Ok(()) => see_other(&format!("/blocks?done={word}")),
        Err(e) => match desk.prove_again(&e, "/blocks") {
            Some(answer) => answer,
            None => blocks_page(desk, None, Some(said(&e))).await,
        },
    }
}
