//! People in the console: the list, an invitation, and who is signed in. One account is in `console_person`.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use serde::Deserialize;
use tutela_api as api;
use tutela_app::{Error, SessionView, account, health, role, session};
use tutela_core::{AccountId, SessionId};

use super::{
    console::desk,
    console_frame::Desk,
    console_keys::{NO_REASON, given, said},
    console_person::{self, Told},
    see_other,
    show::{when, when_text},
};
use crate::{
    caller::Caller,
    view::{
        console::Room,
        part::{Choice, Count, Identifier, Status, Tone},
        people::{AccountRow, NewPersonPage, PeoplePage, SessionRow, SessionsPage, Tab, Tabs},
    },
    web::Web,
};

/// Rows of a list.
const PAGE: u32 = 50;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Below {
    cursor: Option<String>,
    done: String,
}

pub(crate) async fn list(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(below): Query<Below>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let before: Option<AccountId> = below.cursor.as_deref().and_then(|c| c.parse().ok());
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let (accounts, total) = match (account::list(app, ctx, before, PAGE).await, account::count(app, ctx).await) {
        (Ok(accounts), Ok(total)) => (accounts, total),
        (Err(e), _) | (_, Err(e)) => return desk.failed(Room::People, &e),
    };
    let older = (accounts.len() as u32 == PAGE).then(|| accounts.last().map(|a| format!("/people?cursor={}", a.id))).flatten();
    let rows = accounts.into_iter().map(|a| AccountRow {
        state: state(&a.state),
        created: when_text(&a.created_at),
        id: Identifier::new(a.id),
        name: a.name,
        email: a.email,
        roles: a.roles,
    });
    desk.show(&PeoplePage {
        frame: desk.frame(Room::People),
        tabs: Tabs { at: Tab::Accounts },
        notice: (below.done == "delete").then(|| "Account deleted. What it did stays in the ledger.".to_owned()),
        may_write: desk.may("accounts:write"),
        total: Count(total),
        rows: rows.collect(),
        newer: before.map(|_| "/people".into()),
        older,
    })
}

pub(super) fn state(word: &str) -> Status {
    let tone = match word {
        "active" => Tone::Good,
        "unverified" => Tone::Attention,
        _ => Tone::Danger,
    };
    Status::new(tone, word)
}

// === A new account ===

pub(crate) async fn form(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    form_page(&desk, &BTreeMap::new(), None).await
}

async fn form_page(desk: &Desk, typed: &BTreeMap<String, String>, error: Option<(String, String)>) -> Response {
    let roles = match role::list(&desk.web.app, &desk.caller.ctx).await {
        Ok(roles) => choices(roles, &ticked(typed, "role:")),
        Err(e) => return desk.failed(Room::People, &e),
    };
    let text = |field: &str| typed.get(field).cloned().unwrap_or_default();
    let can_mail = desk.web.app.can_mail();
    desk.show(&NewPersonPage { frame: desk.frame(Room::People), name: text("name"), email: text("email"), roles, can_mail, error })
}

pub(crate) async fn create(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Form(typed): Form<BTreeMap<String, String>>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let text = |field: &str| typed.get(field).map(|text| text.trim().to_owned()).unwrap_or_default();
    let new = api::NewAccount { name: text("name"), email: text("email"), roles: ticked(&typed, "role:"), password: None };
    match account::create(&desk.web.app, &desk.caller.ctx, new).await {
        Ok(made) => {
            // Shown in the answer itself: the link stands in no address and in no history.
            let told = Told { notice: Some("Account made.".into()), setup_link: made.setup_link, ..Told::default() };
            console_person::person_page(&desk, &made.id, told).await
        }
        Err(e) => {
            if let Some(answer) = desk.prove_again(&e, "/people/new") {
                return answer;
            }
            let field = e.field().map(|(field, _)| field.to_owned()).unwrap_or_default();
            form_page(&desk, &typed, Some((field, said(&e)))).await
        }
    }
}

/// The names behind `prefix` whose boxes are ticked.
pub(super) fn ticked(typed: &BTreeMap<String, String>, prefix: &str) -> Vec<String> {
    typed.keys().filter_map(|name| name.strip_prefix(prefix)).map(str::to_owned).collect()
}

/// Roles to choose from.
pub(super) fn choices(roles: Vec<api::Role>, chosen: &[String]) -> Vec<Choice> {
    let label =
        |role: &api::Role| format!("{}: {}", role.name, if role.permissions.is_empty() { "nothing yet".to_owned() } else { role.permissions.join(", ") });
    roles.into_iter().map(|role| Choice { label: label(&role), selected: chosen.contains(&role.name), value: role.name }).collect()
}

// === Who is signed in ===

pub(crate) async fn sessions(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(below): Query<Below>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    sessions_page(&desk, below.cursor.as_deref().and_then(|c| c.parse().ok()), None).await
}

async fn sessions_page(desk: &Desk, before: Option<SessionId>, error: Option<String>) -> Response {
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let (views, total) = match (session::list(app, ctx, before, PAGE).await, health::live_sessions(app, ctx).await) {
        (Ok(views), Ok(total)) => (views, total),
        (Err(e), _) | (_, Err(e)) => return desk.failed(Room::People, &e),
    };
    let mut rows = Vec::with_capacity(views.len());
    for view in &views {
        let name = account::name_of(app, ctx, view.session.account).await.unwrap_or_else(|_| "unknown".into());
        rows.push(session_row(desk, view, name));
    }
    let older = (views.len() as u32 == PAGE).then(|| views.last().map(|v| format!("/sessions?cursor={}", v.session.id))).flatten();
    desk.show(&SessionsPage {
        frame: desk.frame(Room::People),
        tabs: Tabs { at: Tab::Sessions },
        total: Count(total),
        notice: None,
        error,
        rows,
        newer: before.map(|_| "/sessions".into()),
        older,
    })
}

pub(super) fn session_row(desk: &Desk, view: &SessionView, account: String) -> SessionRow {
    SessionRow {
        id: Identifier::new(view.session.id.to_string()),
        account,
        account_url: format!("/people/{}", view.session.account),
        hosts: view.hosts.join(", "),
        started: when(view.session.created_at),
        seen: when(view.session.last_seen_at),
        current: desk.caller.ctx.principal.session() == Some(view.session.id),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Why {
    reason: String,
}

pub(crate) async fn end_session(
    State(web): State<Web>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    Path(id): Path<String>,
    Form(why): Form<Why>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let Some(reason) = given(&why.reason) else { return sessions_page(&desk, None, Some(NO_REASON.into())).await };
    let ended = match id.parse() {
        Ok(id) => session::end(&desk.web.app, &desk.caller.ctx, id, Some(reason)).await,
        Err(_) => Err(Error::NotFound("session")),
    };
    match ended {
        Ok(()) => see_other("/sessions"),
        Err(e) => sessions_page(&desk, None, Some(said(&e))).await,
    }
}
