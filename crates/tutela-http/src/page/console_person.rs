//! One account in the console: how it signs in, what it may do, and everything an administrator does to it.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use serde::Deserialize;
use tutela_api as api;
use tutela_app::{Error, account, authenticator, grant, group, permission, role, session, unlock};
use tutela_core::AccountId;

use super::{
    console::desk,
    console_access::grant_row,
    console_frame::Desk,
    console_keys::{NO_REASON, given, given_time, said},
    console_people::{choices, session_row, state, ticked},
    see_other,
    show::{when, when_text},
    sign_in::way,
};
use crate::{
    caller::Caller,
    view::{
        console::Room,
        part::{Choice, Fact, Identifier},
        people::{PersonPage, WayRow},
    },
    web::Web,
};

/// What the page says beside what is stored.
#[derive(Default)]
pub(super) struct Told {
    pub notice: Option<String>,
    pub error: Option<String>,
    pub setup_link: Option<String>,
}

/// What was just done, in a word of ours; any other says nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Done {
    done: String,
}

fn notice(done: &str) -> Option<String> {
    Some(
        match done {
            "disable" => "Account disabled. Every session of it has ended.",
            "enable" => "Account enabled.",
            "grant" => "Grant given. It holds within a second.",
            "groups" => "Groups set. What the account may do changed at once.",
            "password-change" => "Every session has ended, and the next sign-in asks for another password.",
            "removed" => "Removed. Every session of the account has ended.",
            "roles" => "Roles set. What the account may do changed at once.",
            "unlock" => "Locks lifted.",
            _ => return None,
        }
        .to_owned(),
    )
}

pub(crate) async fn show(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>, Query(back): Query<Done>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    person_page(&desk, &id, Told { notice: notice(&back.done), ..Told::default() }).await
}

pub(super) async fn person_page(desk: &Desk, id: &str, told: Told) -> Response {
    match filled(desk, id, told).await {
        Ok(page) => desk.show(&page),
        Err(e) => desk.failed(Room::People, &e),
    }
}

async fn filled(desk: &Desk, text: &str, told: Told) -> Result<PersonPage, Error> {
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let id: AccountId = text.parse().map_err(|_| Error::NotFound("account"))?;
    let found = account::get(app, ctx, id).await?;
    let name = found.account.name.clone();
    // Each part for those who may see it: what is left out here is refused by the use case as well.
    let held = &found.account.roles;
    let roles = if desk.may("roles:read") { choices(role::list(app, ctx).await?, held) } else { held.iter().map(|name| chosen(name)).collect() };
    let groups = if desk.may("groups:read") {
        group::list(app, ctx).await?.into_iter().map(|group| group_choice(group, &found.groups)).collect()
    } else {
        found.groups.iter().map(|name| chosen(name)).collect()
    };
    let of = if desk.may("permissions:check") { Some(permission::of(app, ctx, id).await?) } else { None };
    let grants = if desk.may("grants:read") { Some(grant::list_for(app, ctx, id).await?) } else { None };
    let sessions = if desk.may("sessions:read") { session::list_for(app, ctx, id).await? } else { Vec::new() };
    Ok(PersonPage {
        frame: desk.frame(Room::People),
        notice: told.notice,
        error: told.error,
        setup_link: told.setup_link,
        state: state(&found.account.state),
        active: found.account.state == "active",
        own: ctx.principal.account() == Some(id),
        may_write: desk.may("accounts:write"),
        may_remove: desk.may("authenticators:write"),
        may_grant: desk.may("grants:write"),
        facts: facts(&found),
        locks: found.locks.iter().map(lock).collect(),
        roles,
        groups,
        may_set: desk.may("roles:read") && desk.may("groups:read"),
        permissions: of.map(|of| of.permissions),
        grants: grants.map(|grants| grants.iter().map(|given| grant_row(given, name.clone())).collect()),
        authenticators: authenticator::list_for(app, ctx, id).await?.into_iter().map(way_row).collect(),
        sessions: sessions.iter().map(|view| session_row(desk, view, name.clone())).collect(),
        events_url: format!("/ledger?q=actor%3A{id}"),
        id: Identifier::new(found.account.id),
        email: found.account.email,
        name,
    })
}

fn facts(found: &api::AccountDetail) -> Vec<Fact> {
    let fact = |name: &str, value: String| Fact { name: name.into(), value, code: false };
    let at = |time: &Option<String>, before: &str, never: &str| time.as_deref().map_or(never.to_owned(), |iso| format!("{before}{}", when_text(iso).full));
    let mut facts = vec![
        fact("Mail arrives", at(&found.email_verified_at, "shown ", "not shown yet")),
        fact("Password", at(&found.password_changed_at, "chosen ", "none")),
    ];
    if let Some(why) = &found.password_must_change {
        facts.push(fact("Next sign-in", format!("has to choose another password: {why}")));
    }
    if let Some(phone) = &found.phone {
        facts.push(fact("Phone", phone.clone()));
    }
    facts.push(fact("Made", when_text(&found.account.created_at).full));
    facts
}

fn lock(lock: &api::AccountLock) -> String {
    let what = match lock.what.as_str() {
        "new devices" => "Signing in with a password from a new device".to_owned(),
        "a known device" => "Signing in with a password from one of the account's own devices".to_owned(),
        kind => format!("Codes ({kind})"),
    };
    match &lock.until {
        Some(until) => format!("{what} is locked until {}: too many were wrong. Passkeys go on working.", when_text(until).full),
        None => format!("{what} is locked until somebody lifts it: too many were wrong in a row. Passkeys go on working."),
    }
}

fn chosen(name: &str) -> Choice {
    Choice { value: name.to_owned(), label: name.to_owned(), selected: true }
}

fn group_choice(group: api::Group, joined: &[String]) -> Choice {
    Choice { label: format!("{}: {}", group.name, group.roles.join(", ")), selected: joined.contains(&group.name), value: group.name }
}

fn way_row(shown: authenticator::Shown) -> WayRow {
    let name = shown.left.map_or(shown.name, |left| format!("{left} left"));
    WayRow { id: shown.id.to_string(), kind: way(shown.kind).into(), name, added: when(shown.created_at), used: shown.last_used_at.map(when) }
}

// === What can be done ===

/// A GET at an address that takes a post: back to the account.
pub(crate) async fn again(Path((id, _)): Path<(String, String)>) -> Response {
    see_other(&id.parse::<AccountId>().map_or("/people".into(), |id| format!("/people/{id}")))
}

/// Does what the last part of the address says, and leads back to the account; says on its page why not.
pub(crate) async fn act(
    State(web): State<Web>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    Path((text, verb)): Path<(String, String)>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let Ok(id) = text.parse::<AccountId>() else { return desk.failed(Room::People, &Error::NotFound("account")) };
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let reason = typed.get("reason").and_then(|text| given(text));
    let answer = match (verb.as_str(), &reason) {
        ("disable", _) => account::disable(app, ctx, id).await,
        ("roles", _) => account::set_roles(app, ctx, id, ticked(&typed, "role:")).await,
        ("groups", _) => set_groups(&desk, id, &ticked(&typed, "group:")).await,
        ("invite", _) => match account::invite(app, ctx, id).await {
            Ok(link) => return person_page(&desk, &text, Told { setup_link: Some(link.url), ..Told::default() }).await,
            Err(e) => Err(e),
        },
        ("delete", Some(why)) => account::delete(app, ctx, id, why).await,
        ("enable", Some(why)) => account::enable(app, ctx, id, why).await,
        ("password-change", Some(why)) => account::require_password_change(app, ctx, id, why).await,
        ("unlock", Some(why)) => unlock::by_admin(app, ctx, id, why).await,
        ("grant", Some(why)) => grant::give(app, ctx, new_grant(id, &typed, why)).await.map(|_| ()),
        ("delete" | "enable" | "password-change" | "unlock" | "grant", None) => {
            return person_page(&desk, &text, Told { error: Some(NO_REASON.into()), ..Told::default() }).await;
        }
        _ => Err(Error::NotFound("page")),
    };
    answered(&desk, &text, &verb, answer).await
}

async fn answered(desk: &Desk, id: &str, verb: &str, answer: Result<(), Error>) -> Response {
    match answer {
        Ok(()) if verb == "delete" => see_other("/people?done=delete"),
        Ok(()) => see_other(&format!("/people/{id}?done={verb}")),
        Err(e) => match desk.prove_again(&e, &format!("/people/{id}")) {
            Some(answer) => answer,
            None => person_page(desk, id, Told { error: Some(said(&e)), ..Told::default() }).await,
        },
    }
}

/// Joins and leaves groups until the account is in those that are ticked.
async fn set_groups(desk: &Desk, id: AccountId, wanted: &[String]) -> Result<(), Error> {
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let had = account::get(app, ctx, id).await?.groups;
    for name in had.iter().filter(|name| !wanted.contains(name)) {
        group::set_member(app, ctx, name, id, false).await?;
    }
    for name in wanted.iter().filter(|name| !had.contains(name)) {
        group::set_member(app, ctx, name, id, true).await?;
    }
    Ok(())
}

fn new_grant(id: AccountId, typed: &BTreeMap<String, String>, why: &str) -> api::NewGrant {
    let text = |field: &str| typed.get(field).and_then(|text| given(text));
    api::NewGrant {
        account_id: Some(id.to_string()),
        group: None,
        effect: text("effect").unwrap_or_default(),
        permission: text("permission").unwrap_or_default(),
        resource: text("resource"),
        reason: why.to_owned(),
        expires_at: typed.get("expires_at").and_then(|text| given_time(text)),
    }
}

pub(crate) async fn remove_authenticator(
    State(web): State<Web>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    Path((account, way)): Path<(String, String)>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let Some(why) = typed.get("reason").and_then(|text| given(text)) else {
        return person_page(&desk, &account, Told { error: Some(NO_REASON.into()), ..Told::default() }).await;
    };
    let answer = match (account.parse(), way.parse()) {
        (Ok(id), Ok(way)) => authenticator::remove_for(&desk.web.app, &desk.caller.ctx, id, way, &why).await,
        _ => Err(Error::NotFound("way to sign in")),
    };
    answered(&desk, &account, "removed", answer).await
}
