//! Groups and grants in the console: who has what together, who may do something, and what was given to whom.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tutela_api as api;
use tutela_app::{Error, account, grant, group, permission, role};
use tutela_core::{AccountId, GrantId};

use super::{
    console::desk,
    console_frame::Desk,
    console_keys::{NO_REASON, given, said},
    console_people::{choices, ticked},
    see_other,
    show::when_text,
};
use crate::{
    caller::Caller,
    view::{
        console::Room,
        part::{Status, Tone},
        people::{AccessPage, GrantRow, GroupRow, GroupsPage, Tab, Tabs},
    },
    web::Web,
};

/// Members of a group that are named.
const MEMBERS: u32 = 20;
/// Grants on a page.
const PAGE: u32 = 50;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Done {
    done: String,
}

// === Groups ===

pub(crate) async fn groups(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(back): Query<Done>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let notice = match back.done.as_str() {
        "set" => Some("Group set. What its members may do changed at once.".to_owned()),
        "deleted" => Some("Group deleted. Its members lost its roles.".to_owned()),
        _ => None,
    };
    groups_page(&desk, notice, None, String::new()).await
}

async fn groups_page(desk: &Desk, notice: Option<String>, error: Option<String>, typed: String) -> Response {
    match filled(desk, notice, error, typed).await {
        Ok(page) => desk.show(&page),
        Err(e) => desk.failed(Room::People, &e),
    }
}

async fn filled(desk: &Desk, notice: Option<String>, error: Option<String>, typed: String) -> Result<GroupsPage, Error> {
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let roles = role::list(app, ctx).await?;
    let mut rows = Vec::new();
    for found in group::list(app, ctx).await? {
        let mut members = group::members(app, ctx, &found.name, None, MEMBERS + 1).await?;
        let more = members.len() > MEMBERS as usize;
        members.truncate(MEMBERS as usize);
        let mut named = Vec::with_capacity(members.len());
        for id in members {
            named.push((name_of(desk, &id).await, format!("/people/{id}")));
        }
        let path = utf8_percent_encode(&found.name, NON_ALPHANUMERIC).to_string();
        rows.push(GroupRow { path, roles: choices(roles.clone(), &found.roles), members: named, more, name: found.name });
    }
    let may_write = desk.may("groups:write");
    Ok(GroupsPage { frame: desk.frame(Room::People), tabs: Tabs { at: Tab::Groups }, notice, error, may_write, rows, roles: choices(roles, &[]), typed })
}

async fn name_of(desk: &Desk, id: &str) -> String {
    match id.parse::<AccountId>() {
        Ok(id) => account::name_of(&desk.web.app, &desk.caller.ctx, id).await.unwrap_or_else(|_| "unknown".into()),
        Err(_) => "unknown".into(),
    }
}

pub(crate) async fn set_group(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Form(typed): Form<BTreeMap<String, String>>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let name = typed.get("name").map(|name| name.trim().to_owned()).unwrap_or_default();
    let wanted = api::Group { name: name.clone(), roles: ticked(&typed, "role:") };
    match group::set(&desk.web.app, &desk.caller.ctx, wanted).await {
        Ok(()) => see_other("/people/groups?done=set"),
        Err(e) => match desk.prove_again(&e, "/people/groups") {
            Some(answer) => answer,
            None => groups_page(&desk, None, Some(said(&e)), name).await,
        },
    }
}

pub(crate) async fn delete_group(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(name): Path<String>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match group::delete(&desk.web.app, &desk.caller.ctx, &name).await {
        Ok(()) => see_other("/people/groups?done=deleted"),
        Err(e) => match desk.prove_again(&e, "/people/groups") {
            Some(answer) => answer,
            None => groups_page(&desk, None, Some(said(&e)), String::new()).await,
        },
    }
}

// === Who may do what ===

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    permission: String,
    resource: String,
    cursor: Option<String>,
    older: Option<String>,
    done: String,
}

pub(crate) async fn access(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(asked): Query<Asked>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    access_page(&desk, asked, None).await
}

async fn access_page(desk: &Desk, asked: Asked, mut error: Option<String>) -> Response {
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let resource = given(&asked.resource);
    let before = asked.cursor.as_deref().and_then(|cursor| cursor.parse().ok());
    let (mut holders, mut next) = (None, None);
    if let Some(wanted) = given(&asked.permission) {
        match permission::holders(app, ctx, &wanted, resource.as_deref(), before).await {
            Ok((found, more)) => {
                holders = Some(found.into_iter().map(|who| (who.name, format!("/people/{}", who.account_id), who.reason)).collect());
                let text = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                let same = format!("/people/access?permission={}&resource={}", text(&wanted), text(&asked.resource));
                next = more.map(|id| format!("{same}&cursor={id}"));
            }
            Err(e) => error = Some(said(&e)),
        }
    }
    let below = asked.older.as_deref().and_then(|cursor| cursor.parse::<GrantId>().ok());
    let grants = match grant::list(app, ctx, below, PAGE).await {
        Ok(grants) => grants,
        Err(e) => return desk.failed(Room::People, &e),
    };
    let mut rows = Vec::with_capacity(grants.len());
    for given in &grants {
        let to = match &given.account_id {
            Some(id) => name_of(desk, id).await,
            None => format!("group {}", given.group.as_deref().unwrap_or_default()),
        };
        rows.push(grant_row(given, to));
    }
    desk.show(&AccessPage {
        frame: desk.frame(Room::People),
        tabs: Tabs { at: Tab::Access },
        notice: (asked.done == "ended").then(|| "Grant ended.".to_owned()),
        error,
        may_grant: desk.may("grants:write"),
        permission: asked.permission,
        resource: asked.resource,
        holders,
        next,
        older: (grants.len() as u32 == PAGE).then(|| grants.last().map(|last| format!("/people/access?older={}", last.id))).flatten(),
        grants: rows,
    })
}

pub(super) fn grant_row(grant: &api::Grant, to: String) -> GrantRow {
    GrantRow {
        id: grant.id.clone(),
        to,
        to_url: grant.account_id.as_ref().map_or("/people/groups".into(), |id| format!("/people/{id}")),
        effect: if grant.effect == "allow" { Status::new(Tone::Good, "allowed") } else { Status::new(Tone::Danger, "denied") },
        permission: grant.permission.clone(),
        resource: Some(grant.resource.clone()).filter(|resource| resource != "*"),
        reason: grant.reason.clone(),
        approver: grant.approver.clone(),
        until: grant.expires_at.as_deref().map(when_text),
    }
}

pub(crate) async fn end_grant(
    State(web): State<Web>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    Path(id): Path<String>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let answer = match (id.parse(), typed.get("reason").and_then(|text| given(text))) {
        (Ok(id), Some(why)) => grant::end(&desk.web.app, &desk.caller.ctx, id, &why).await,
        (Err(_), _) => Err(Error::NotFound("grant")),
        (_, None) => return access_page(&desk, Asked::default(), Some(NO_REASON.into())).await,
    };
    match answer {
        Ok(()) => see_other("/people/access?done=ended"),
        Err(e) => match desk.prove_again(&e, "/people/access") {
            Some(answer) => answer,
            None => access_page(&desk, Asked::default(), Some(said(&e))).await,
        },
    }
}
