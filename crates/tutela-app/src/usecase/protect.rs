//! What protects: addresses are blocked, sessions end, accounts and clients are locked, proofs are asked for again.
//! Rules of detection do it by themselves, people by a button of an incident; the guardrails are the same.

use std::net::IpAddr;

use tutela_core::{AccountId, ClientId, SessionId};
use tutela_detection::Action;
use tutela_identity::{
    ADMIN, AccountState, SessionEndReason,
    event::{AccountDisabled, ClientRevoked, SessionEnded},
};
use tutela_store::Changeset;

use super::{
    block::{self, Why},
    oauth,
    session::{self, Ending},
};
use crate::{App, Ctx, Error, network::household, occurrence::StepUpAsked};

/// What an action adds to a commit.
pub(crate) type Done = Box<dyn FnOnce(Changeset) -> Changeset + Send>;

/// Prepares an action upon what something is about, by the names of its members. The inner error is a guardrail: why it
/// is not done.
pub(crate) async fn prepare(app: &App, ctx: &Ctx, action: Action, about: &[(String, String)], why: Why<'_>) -> Result<Result<Done, String>, Error> {
    let said = |name: &str| about.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let account = || said("account").and_then(|id| id.parse::<AccountId>().ok());
    let nobody = |what: &str| Ok(Err(format!("it is not said which {what}")));
    match action {
        // Whoever reads alerts is told by them.
        Action::AlertAdmin => Ok(Ok(Box::new(|set| set))),
        Action::BlockIp => match said("ip").and_then(|ip| ip.parse::<IpAddr>().ok()) {
            Some(address) => block::prepare(app, ctx, household(address), why).await,
            None => nobody("address"),
        },
        Action::RevokeSession => match said("session").and_then(|id| id.parse().ok()) {
            Some(id) => end_one(app, ctx, id).await,
            None => nobody("session"),
        },
        Action::RevokeSessions => match account() {
            Some(id) => {
                let (_, ending) = session::ending(app, ctx, id, Ending::AllBut(None), SessionEndReason::Detection).await?;
                Ok(Ok(Box::new(ending)))
            }
            None => nobody("account"),
        },
        Action::LockAccount => match account() {
            Some(id) => lock(app, ctx, id).await,
            None => nobody("account"),
        },
        Action::DisableClient => match said("client").or_else(|| said("actor")).and_then(|id| id.parse().ok()) {
            Some(id) => disable(app, ctx, id).await,
            None => nobody("client"),
        },
        Action::StepUp => match account() {
            Some(id) => step_up(app, ctx, id).await,
            None => nobody("account"),
        },
    }
}

async fn end_one(app: &App, ctx: &Ctx, id: SessionId) -> Result<Result<Done, String>, Error> {
    let Some(session) = app.store.session_get(id).await?.filter(|session| session.is_live(ctx.now)) else { return Ok(Err("the session has ended".into())) };
    let ended = SessionEnded { session: session.login, account: session.account, reason: SessionEndReason::Detection, note: None };
    let (record, now) = (app.record(ctx, ended).await?, ctx.now);
    Ok(Ok(Box::new(move |set: Changeset| set.and(record).session_end_if_live(session.login, now))))
}

async fn lock(app: &App, ctx: &Ctx, id: AccountId) -> Result<Result<Done, String>, Error> {
    match app.store.account_get(id).await? {
        None => return Ok(Err("there is no such account".into())),
        Some(account) if account.state != AccountState::Active => return Ok(Err("the account is not active anyway".into())),
        Some(_) => {}
    }
    if ctx.principal.account() == Some(id) {
        return Ok(Err("nobody locks their own account".into()));
    }
    if is_last_admin(app, id).await? {
        return Ok(Err("it is the last active administrator, who could undo it".into()));
    }
    let (sessions, ending) = session::ending(app, ctx, id, Ending::AllBut(None), SessionEndReason::AccountDisabled).await?;
    let record = app.record(ctx, AccountDisabled { account: id, sessions }).await?;
    Ok(Ok(Box::new(move |set: Changeset| ending(set.and(record)).account_set_state(id, AccountState::Disabled))))
}

async fn is_last_admin(app: &App, id: AccountId) -> Result<bool, Error> {
    let holders = app.store.role_list_holders(ADMIN, None, 1_000).await?;
    if !holders.contains(&id) {
        return Ok(false);
    }
    for other in holders.into_iter().filter(|other| *other != id) {
        if app.store.account_get(other).await?.is_some_and(|account| account.state == AccountState::Active) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn disable(app: &App, ctx: &Ctx, id: ClientId) -> Result<Result<Done, String>, Error> {
    if app.store.client_get(id).await?.is_none_or(|row| row.revoked_at.is_some()) {
        return Ok(Err("there is no such client, or its keys work no more".into()));
    }
    let (record, host, now) = (app.record(ctx, ClientRevoked { client: id }).await?, oauth::host(id), ctx.now);
    Ok(Ok(Box::new(move |set: Changeset| set.and(record).client_revoke(id, now).session_end_everybody_on_host(&host, now))))
}

/// Nothing that was proven counts any more, and no device spares a second factor.
async fn step_up(app: &App, ctx: &Ctx, id: AccountId) -> Result<Result<Done, String>, Error> {
    if app.store.account_get(id).await?.is_none() {
        return Ok(Err("there is no such account".into()));
    }
    let record = app.record(ctx, StepUpAsked::new(id)).await?;
    Ok(Ok(Box::new(move |set: Changeset| set.and(record).session_doubt(id).device_forget_all(id))))
}
