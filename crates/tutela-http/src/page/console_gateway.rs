//! The gateway in the console: routes and servers, what the firewall refused, what is excepted, whom limits refuse.

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use serde::Deserialize;
use serde_json::Value;
use tutela_api as api;
use tutela_app::{Error, exclusion, gateway, search};
use tutela_core::Timestamp;

use super::{console::desk, console_frame::Desk, console_keys::said, console_ledger_care::Why, console_ledger_read::events_of, see_other, show::when_text};
use crate::{
    caller::Caller,
    view::{
        console::Room,
        gateway::{ExclusionRow, FirewallPage, GatewayPage, LimitedRow, LimitsPage, RefusedRow, RouteRow, ServerRow, Tab, Tabs},
        part::{Count, Status, Tone},
    },
    web::Web,
};

/// Refused requests of a page.
const PAGE: u32 = 100;

/// What was just done, in a word of ours; any other says nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Done {
    done: String,
}

// === Routes and servers ===

pub(crate) async fn show(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    routes_page(&desk, None, None).await
}

async fn routes_page(desk: &Desk, notice: Option<String>, error: Option<String>) -> Response {
    let status = match gateway::status(&desk.web.app, &desk.caller.ctx).await {
        Ok(status) => status,
        Err(e) => return desk.failed(Room::Gateway, &e),
    };
    let servers: Vec<ServerRow> =
        status.upstreams.into_iter().flat_map(|upstream| upstream.servers.into_iter().map(move |server| server_row(&upstream.name, server))).collect();
    desk.show(&GatewayPage {
        frame: desk.frame(Room::Gateway),
        tabs: Tabs { at: Tab::Routes },
        notice,
        error,
        may_reload: desk.may("gateway:write"),
        routes: status.routes.into_iter().map(route_row).collect(),
        well: Count(servers.iter().filter(|server| server.state.word == "well").count() as u64),
        servers,
        rules: Count(status.waf_rules),
        websockets: Count(status.websockets),
        loaded: when_text(&status.loaded_at),
    })
}

fn route_row(route: api::GatewayRoute) -> RouteRow {
    let shown = match route.card_numbers.as_str() {
        "clear" if route.frameworks.iter().any(|of| of == "pci-dss") => Some("card numbers clear"),
        "clear" | "" => None,
        _ => Some("card numbers masked"),
    };
    let requires: Vec<&str> = std::iter::once(&route.require).chain(&route.frameworks).map(String::as_str).chain(shown).collect();
    RouteRow {
        events_url: events_of(&format!("type:gateway.request route:{}", route.name)),
        address: if route.path == "/" { route.host } else { format!("{}{}", route.host, route.path) },
        upstream: route.upstream,
        requires: requires.join(", "),
        mode: mode_of(&route.waf_mode),
        limits: route.limits.join(", "),
        name: route.name,
    }
}

fn mode_of(mode: &str) -> Status {
    match mode {
        "block" => Status::new(Tone::Good, "blocks"),
        "detect" => Status::new(Tone::Attention, "watches only"),
        _ => Status::new(Tone::Danger, "off"),
    }
}

fn server_row(upstream: &str, server: api::GatewayServer) -> ServerRow {
    let state = match (server.state.as_str(), server.weight) {
        ("well", 0) => Status::new(Tone::Information, "drained"),
        ("well", _) => Status::new(Tone::Good, "well"),
        ("resting", _) => Status::new(Tone::Attention, "resting"),
        _ => Status::new(Tone::Danger, "down"),
    };
    ServerRow { upstream: upstream.to_owned(), url: server.url, state, open: Count(server.open.into()), weight: server.weight }
}

pub(crate) async fn reload(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match gateway::reload(&desk.web.app, &desk.caller.ctx).await {
        Ok(reloaded) => {
            let list = |names: &[String], none: &str| if names.is_empty() { none.to_owned() } else { names.join(", ") };
            let text =
                format!("Read again. In force now: {}. Needs a restart: {}.", list(&reloaded.changed, "nothing new"), list(&reloaded.needs_restart, "nothing"));
            routes_page(&desk, Some(text), None).await
        }
        Err(e) => match desk.prove_again(&e, "/gateway") {
            Some(answer) => answer,
            None => routes_page(&desk, None, Some(said(&e))).await,
        },
    }
}

// === Firewall ===

pub(crate) async fn firewall(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(done): Query<Done>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let notice = match done.done.as_str() {
        "excluded" => Some("Excepted. Requests like this one pass from now on.".into()),
        "ended" => Some("Ended. The rule looks there again.".into()),
        _ => None,
    };
    firewall_page(&desk, notice, None).await
}

async fn firewall_page(desk: &Desk, notice: Option<String>, error: Option<String>) -> Response {
    match read_firewall(desk).await {
        Ok((refused, exclusions)) => desk.show(&FirewallPage {
            frame: desk.frame(Room::Gateway),
            tabs: Tabs { at: Tab::Firewall },
            notice,
            error,
            may_exclude: desk.may("gateway:write"),
            refused,
            exclusions,
        }),
        Err(e) => desk.failed(Room::Gateway, &e),
    }
}

async fn read_firewall(desk: &Desk) -> Result<(Vec<RefusedRow>, Vec<ExclusionRow>), Error> {
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let mut exclusions: Vec<ExclusionRow> = exclusion::list(app, ctx).await?.into_iter().map(|one| exclusion_row(one, ctx.now)).collect();
    exclusions.sort_by_key(|one| !one.stands);
    let mut refused = Vec::new();
    // Records in which rules would refuse have one of these words.
    for word in ["refused", "would_refuse"] {
        let query = search::query(&format!("type:gateway.request {word}"))?;
        refused.extend(search::search(app, ctx, &query, None, PAGE).await?.items.into_iter().filter_map(|stored| refused_row(&stored)));
    }
    refused.sort_by(|a, b| b.event.cmp(&a.event));
    refused.truncate(PAGE as usize);
    Ok((refused, exclusions))
}

fn refused_row(stored: &api::StoredEvent) -> Option<RefusedRow> {
    let event = &stored.event;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let outcome = match event["data"]["waf_outcome"].as_str()? {
        "refused" => Status::new(Tone::Danger, "refused"),
        "would_refuse" => Status::new(Tone::Attention, "watched only"),
        _ => return None,
    };
    let id = text(&event["id"]);
    Some(RefusedRow {
        event_url: format!("/ledger/{}", stored.position),
        event: id,
        at: when_text(event["time"].as_str().unwrap_or_default()),
        route: text(&event["request"]["route"]),
        request: format!("{} {}", text(&event["request"]["method"]), text(&event["personal"]["path"])),
        outcome,
        score: event["data"]["waf_score"].as_i64().unwrap_or_default(),
        matched: event["personal"]["waf_matched"].as_array().into_iter().flatten().map(text).collect(),
    })
}

fn exclusion_row(one: api::Exclusion, now: Timestamp) -> ExclusionRow {
    let over = one.until.parse::<Timestamp>().is_ok_and(|until| until <= now);
    let stands = one.ended_at.is_none() && !over;
    ExclusionRow {
        until: when_text(one.ended_at.as_deref().unwrap_or(&one.until)),
        state: if stands { Status::new(Tone::Attention, "in force") } else { Status::new(Tone::Information, "ended") },
        stands,
        id: one.id,
        route: one.route,
        rule: one.rule,
        place: one.place.unwrap_or_default(),
        reason: one.reason,
        made_by: one.made_by,
    }
}

/// The form's fields.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Exclude {
    event: String,
    days: String,
    reason: String,
}

pub(crate) async fn exclude(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Form(form): Form<Exclude>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    // What is no number is out of range, and is told so.
    let days = Some(form.days.trim().parse().unwrap_or(0));
    let new = api::NewExclusion { event: Some(form.event), days, reason: form.reason, ..api::NewExclusion::default() };
    let made = exclusion::make(&desk.web.app, &desk.caller.ctx, new).await;
    done(&desk, made.map(drop), "excluded").await
}

pub(crate) async fn end(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>, Form(why): Form<Why>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let ended = exclusion::end(&desk.web.app, &desk.caller.ctx, &id, &why.reason).await;
    done(&desk, ended, "ended").await
}

async fn done(desk: &Desk, result: Result<(), Error>, word: &str) -> Response {
    match result {
        Ok(()) => see_other(&format!("/gateway/firewall?done={word}")),
        Err(e) => match desk.prove_again(&e, "/gateway/firewall") {
            Some(answer) => answer,
            None => firewall_page(desk, None, Some(said(&e))).await,
        },
    }
}

// === Limits ===

pub(crate) async fn limits(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(done): Query<Done>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let notice = (done.done == "lifted").then(|| "Let in. What was counted for them is forgotten.".to_owned());
    limits_page(&desk, notice, None).await
}

async fn limits_page(desk: &Desk, notice: Option<String>, error: Option<String>) -> Response {
    let rows = match gateway::limited(&desk.web.app, &desk.caller.ctx).await {
        Ok(rows) => rows,
        Err(e) => return desk.failed(Room::Gateway, &e),
    };
    let row = |one: api::Limited| LimitedRow {
        since: when_text(&one.since),
        until: when_text(&one.until),
        refused: Count(one.refused),
        limit: one.limit,
        who: one.who,
    };
    desk.show(&LimitsPage {
        frame: desk.frame(Room::Gateway),
        tabs: Tabs { at: Tab::Limits },
        notice,
        error,
        may_lift: desk.may("gateway:write"),
        rows: rows.into_iter().map(row).collect(),
    })
}

/// The form's fields.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Lift {
    limit: String,
    who: String,
    reason: String,
}

pub(crate) async fn lift(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Form(form): Form<Lift>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let wanted = api::LiftLimit { limit: form.limit, who: form.who, reason: form.reason };
    match gateway::lift(&desk.web.app, &desk.caller.ctx, &wanted).await {
        Ok(()) => see_other("/gateway/limits?done=lifted"),
        Err(e) => match desk.prove_again(&e, "/gateway/limits") {
            Some(answer) => answer,
            None => limits_page(&desk, None, Some(said(&e))).await,
        },
    }
}
