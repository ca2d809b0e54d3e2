//! The own account: who one is here, sessions, devices, ways to sign in, and what happened.

use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use tutela_app::{Error, account, authenticator, device, federation, password, profile, search, session, sign_in};
use tutela_core::ErrorKind;
use tutela_identity::AuthenticatorKind;

use super::{T, failed, frame, html, outside, prove_again, see_other, show::when, show::when_text, sign_in::way};
use crate::{
    caller::{Browser, Caller},
    view::{
        own::{AccountPage, AccountTab, ActivityPage, DevicesPage, OwnAuthenticator, OwnConnection, OwnDevice, OwnEvent, OwnSession, SecurityPage},
        part::{Count, Identifier},
    },
    web::Web,
};

/// Fewer recovery codes than this are few.
const FEW_CODES: i64 = 4;

pub(crate) async fn overview(State(web): State<Web>, caller: Caller) -> Response {
    overview_page(&web, &caller, None).await
}

pub(super) async fn overview_page(web: &Web, caller: &Caller, notice: Option<String>) -> Response {
    match overview_view(web, caller, notice).await {
        Ok(Some(page)) => html(StatusCode::OK, &page, None, None),
        Ok(None) => see_other("/sign-in"),
        Err(e) => failed(web, &e),
    }
}

async fn overview_view(web: &Web, caller: &Caller, notice: Option<String>) -> Result<Option<AccountPage>, Error> {
    let Some(identity) = &caller.identity else { return Ok(None) };
    let (app, ctx) = (&web.app, &caller.ctx);
    let own = profile::own(app, ctx).await?;
    let failed = account::failed_before_sign_in(app, ctx).await?;
    let sessions = session::own(app, ctx).await?;
    Ok(Some(AccountPage {
        frame: frame(web),
        tab: AccountTab::Overview,
        notice,
        name: own.name,
        email: own.email.as_str().to_owned(),
        email_verified: own.email_verified_at.is_some(),
        can_mail: app.can_mail(),
        roles: identity.roles.clone(),
        failed_attempts: Some(Count(failed)).filter(|_| failed > 0),
        old_password: password::is_reminder_due(app, ctx).await?,
        sessions: sessions
            .iter()
            .map(|view| OwnSession {
                id: Identifier::new(view.session.id.to_string()),
                hosts: view.hosts.join(", "),
                started: when(view.session.created_at),
                seen: when(view.session.last_seen_at),
                current: ctx.principal.session() == Some(view.session.id),
            })
            .collect(),
        is_admin: identity.grants.allow("console:use"),
        console_url: app.urls().admin.clone(),
    }))
}

pub(crate) async fn end_session(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Response {
    let ended = match id.parse() {
        Ok(id) => session::end_own(&web.app, &caller.ctx, id).await,
        Err(_) => Err(Error::NotFound("session")),
    };
    match ended {
        Ok(()) => see_other("/account"),
        Err(e) if e.kind() == ErrorKind::NotFound => overview_page(&web, &caller, Some("That session had ended already.".into())).await,
        Err(e) => failed(&web, &e),
    }
}

pub(crate) async fn end_others(State(web): State<Web>, caller: Caller) -> Response {
    match session::end_others(&web.app, &caller.ctx).await {
        Ok(ended) => overview_page(&web, &caller, Some(format!("{ended} other {} ended.", if ended == 1 { "session" } else { "sessions" }))).await,
        Err(e) => failed(&web, &e),
    }
}

pub(crate) async fn security(State(web): State<Web>, caller: Caller) -> Response {
    security_page(&web, &caller, None, None).await
}

pub(super) async fn security_page(web: &Web, caller: &Caller, notice: Option<String>, error: Option<String>) -> Response {
    let (app, ctx) = (&web.app, &caller.ctx);
    let (own, list, connected) = match (profile::own(app, ctx).await, authenticator::list(app, ctx).await, federation::list(app, ctx).await) {
        (Ok(own), Ok(list), Ok(connected)) => (own, list, connected),
        (Err(e), ..) | (_, Err(e), _) | (.., Err(e)) => return failed(web, &e),
    };
    let passkeys = list.iter().filter(|way| way.kind == AuthenticatorKind::Passkey).count();
    let page = SecurityPage {
        frame: frame(web),
        tab: AccountTab::Security,
        notice,
        error: error.clone(),
        few_codes: list.iter().any(|way| way.left.is_some_and(|left| left < FEW_CODES)),
        one_passkey: passkeys == 1,
        can_totp: app.offers(AuthenticatorKind::Totp),
        can_passkey: app.offers(AuthenticatorKind::Passkey),
        can_phone: app.offers(AuthenticatorKind::Sms),
        phone: own.phone.as_deref().map(sign_in::masked_phone),
        can_connect: outside::to_connect(&federation::buttons(app), &connected),
        connected: connected
            .into_iter()
            .map(|other| OwnConnection {
                id: other.id.to_string(),
                label: other.label,
                shown: other.shown,
                added: when(other.created_at),
                used: other.last_used_at.map(when),
            })
            .collect(),
        authenticators: list
            .into_iter()
            .map(|shown| OwnAuthenticator {
                id: shown.id.to_string(),
                kind: way(shown.kind),
                name: shown.name,
                left: shown.left,
                added: when(shown.created_at),
                used: shown.last_used_at.map(when),
            })
            .collect(),
    };
    html(if error.is_some() { StatusCode::CONFLICT } else { StatusCode::OK }, &page, None, None)
}

pub(crate) async fn devices(State(web): State<Web>, caller: Caller, Browser(visitor): Browser) -> Response {
    devices_page(&web, &caller, &visitor, None).await
}

async fn devices_page(web: &Web, caller: &Caller, visitor: &tutela_app::sign_in::Visitor, notice: Option<String>) -> Response {
    let (list, current) = match (device::list(&web.app, &caller.ctx).await, device::current(&web.app, &caller.ctx, visitor).await) {
        (Ok(list), Ok(current)) => (list, current),
        (Err(e), _) | (_, Err(e)) => return failed(web, &e),
    };
    let shown = |device: tutela_identity::device::Device| OwnDevice {
        id: device.id.to_string(),
        first: when(device.first_seen_at),
        seen: when(device.last_seen_at),
        remembered: device.remembered_until.filter(|until| caller.ctx.now < *until).map(when),
        current: current == Some(device.id),
        label: device.hints.label,
    };
    let devices = list.into_iter().map(shown).collect();
    html(StatusCode::OK, &DevicesPage { frame: frame(web), tab: AccountTab::Devices, notice, devices }, None, None)
}

pub(crate) async fn forget_device(State(web): State<Web>, caller: Caller, Browser(visitor): Browser, Path(id): Path<String>) -> Response {
    let forgotten = match id.parse() {
        Ok(id) => device::forget(&web.app, &caller.ctx, id).await,
        Err(_) => Err(Error::NotFound("device")),
    };
    match forgotten {
        Ok(()) => devices_page(&web, &caller, &visitor, Some(T.forgotten.into())).await,
        Err(e) if e.kind() == ErrorKind::NotFound => see_other("/account/devices"),
        Err(e) => prove_again(&e, "/account/devices").unwrap_or_else(|| failed(&web, &e)),
    }
}

#[derive(Deserialize)]
pub(crate) struct Below {
    cursor: Option<String>,
}

/// What happened to the account, in the sentences that auditors read.
pub(crate) async fn activity(State(web): State<Web>, caller: Caller, Query(below): Query<Below>) -> Response {
    let found = match search::own(&web.app, &caller.ctx, below.cursor.as_deref()).await {
        Ok(found) => found,
        Err(e) => return failed(&web, &e),
    };
    let rows = found.items.iter().map(|stored| {
        let event = &stored.event;
        let sentence = web.app.sentence_of(event["type"].as_str().unwrap_or_default());
        let source = event["source"]["ip"].as_str().unwrap_or_default().to_owned();
        OwnEvent { at: when_text(event["time"].as_str().unwrap_or_default()), sentence, source }
    });
    let older = found.next.as_ref().map(|cursor| format!("/account/activity?cursor={cursor}"));
    html(StatusCode::OK, &ActivityPage { frame: frame(&web), tab: AccountTab::Activity, rows: rows.collect(), older }, None, None)
}
