//! Sessions that are there: who holds them, and how they end. `sign_in/` is how they begin.

use std::{collections::BTreeMap, sync::Arc};

use tutela_api as api;
use tutela_core::{AccountId, DeviceId, SessionId, Timestamp, seam::Identity};
use tutela_identity::{AccountState, Assurance, Life, SessionEndReason, TOKENS, TokenHash, event::SessionEnded};
use tutela_store::{Changeset, SessionView};

use uuid::Uuid;

use crate::{App, Ctx, Error, handover::host_of, oauth, request_policy::Live};

/// Most sessions shown at once.
const PAGE: u32 = 100;
/// Most sessions that get an event of their own when all of an account end; the others end too.
const MOST_ENDED: u32 = 1_000;

/// Ends the caller's own session, on every host.
pub async fn sign_out(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let session = ctx.principal.session().ok_or(Error::Unauthenticated("nobody is signed in"))?;
    end_login(app, ctx, session, SessionEndReason::SignOut, None).await
}

/// Ends another session of the caller.
pub async fn end_own(app: &App, ctx: &Ctx, id: SessionId) -> Result<(), Error> {
    let account = own_account(ctx)?;
    let session = app.store.session_get(id).await?.filter(|s| s.account == account).ok_or(Error::NotFound("session"))?;
    let reason = if Some(session.login) == ctx.principal.session() { SessionEndReason::SignOut } else { SessionEndReason::Other };
    end_login(app, ctx, session.login, reason, None).await
}

/// The caller's own account.
pub(crate) fn own_account(ctx: &Ctx) -> Result<AccountId, Error> {
    ctx.principal.account().ok_or(Error::Unauthenticated("nobody is signed in"))
}

/// Ends all sessions of the caller but this one; gives their number.
pub async fn end_others(app: &App, ctx: &Ctx) -> Result<u64, Error> {
    let mut ended = 0;
    for view in own(app, ctx).await? {
        if Some(view.session.id) != ctx.principal.session() {
            end_login(app, ctx, view.session.id, SessionEndReason::Other, None).await?;
            ended += 1;
        }
    }
    Ok(ended)
}

/// Which sessions of an account end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending {
    /// All but one; all where there is none to keep.
    AllBut(Option<SessionId>),
    /// Those that were begun with a device.
    With(DeviceId),
}

/// Ends sessions in the commit of whatever ends them, each with an event of its own; gives their number and the
/// change. The caller then [forgets](App::forget) the account.
pub(crate) async fn ending(
    app: &App,
    ctx: &Ctx,
    account: AccountId,
    which: Ending,
    reason: SessionEndReason,
) -> Result<(u64, impl FnOnce(Changeset) -> Changeset + Send + Sync + use<>), Error> {
    let now = ctx.now;
    let mut events = Vec::new();
    for view in app.store.session_list_by_account(account, MOST_ENDED, now).await? {
        let session = &view.session;
        let stays = match which {
            Ending::AllBut(kept) => Some(session.id) == kept,
            Ending::With(device) => session.device != Some(device),
        };
        if !stays {
            events.push(app.record(ctx, SessionEnded { session: session.id, account, reason, note: None }).await?);
        }
    }
    Ok((events.len() as u64, move |changeset: Changeset| {
        let changeset = events.into_iter().fold(changeset, Changeset::and);
        match which {
            Ending::AllBut(Some(kept)) => changeset.session_end_others(account, kept, now),
            Ending::With(device) => changeset.session_end_by_device(account, device, now),
            Ending::AllBut(None) => changeset.session_end_by_account(account, now),
        }
    }))
}

/// Ends anybody's session.
pub async fn end(app: &App, ctx: &Ctx, id: SessionId, note: Option<String>) -> Result<(), Error> {
    app.permit(ctx, "sessions:end").await?;
    if note.as_ref().is_some_and(|n| n.chars().count() > 500) {
        return Err(Error::invalid("reason", "a reason has at most 500 characters"));
    }
    end_login(app, ctx, id, SessionEndReason::Admin, note).await
}

/// Ends a session for a reason of our own; one that has ended is left alone.
pub(crate) async fn end_because(app: &App, ctx: &Ctx, login: SessionId, reason: SessionEndReason) -> Result<(), Error> {
    match end_login(app, ctx, login, reason, None).await {
        Err(Error::NotFound(_)) => Ok(()),
        done => done,
    }
}

async fn end_login(app: &App, ctx: &Ctx, login: SessionId, reason: SessionEndReason, note: Option<String>) -> Result<(), Error> {
    let session = app.store.session_get(login).await?.ok_or(Error::NotFound("session"))?;
    let ended = session.end(ctx.now).map_err(|_| Error::NotFound("session"))?;
    app.commit(ctx, SessionEnded { session: session.login, account: session.account, reason, note }, |c| c.session_end(session.login, ended.at)).await?;
    app.forget(session.login.0);
    Ok(())
}

/// The caller's own live sessions, newest first.
pub async fn own(app: &App, ctx: &Ctx) -> Result<Vec<SessionView>, Error> {
    let account = own_account(ctx)?;
    named(app, app.store.session_list_by_account(account, PAGE, ctx.now).await?).await
}

/// The live sessions of one account, newest first.
pub async fn list_for(app: &App, ctx: &Ctx, account: AccountId) -> Result<Vec<SessionView>, Error> {
    app.permit(ctx, "sessions:read").await?;
    named(app, app.store.session_list_by_account(account, PAGE, ctx.now).await?).await
}

/// Everybody's live sessions, newest first.
pub async fn list(app: &App, ctx: &Ctx, before: Option<SessionId>, limit: u32) -> Result<Vec<SessionView>, Error> {
    app.permit(ctx, "sessions:read").await?;
    named(app, app.store.session_list(before, limit.clamp(1, PAGE), ctx.now).await?).await
}

/// With the names of clients, where sessions are for those.
async fn named(app: &App, mut views: Vec<SessionView>) -> Result<Vec<SessionView>, Error> {
    let mut names: BTreeMap<Uuid, String> = BTreeMap::new();
    for place in views.iter_mut().flat_map(|view| &mut view.hosts) {
        let Some(client) = oauth::client_of(place) else { continue };
        let name = match names.get(&client.0) {
            Some(name) => name.clone(),
            None => app.store.client_get(client).await?.map_or_else(|| client.to_string(), |row| row.client.name),
        };
        names.insert(client.0, name.clone());
        *place = name;
    }
    Ok(views)
}

/// A session as the API shows it.
pub fn shown(view: &SessionView, current: Option<SessionId>) -> api::Session {
    let s = &view.session;
    api::Session {
        id: s.id.to_string(),
        account_id: s.account.to_string(),
        hosts: view.hosts.clone(),
        created_at: s.created_at.to_string(),
        last_seen_at: s.last_seen_at.to_string(),
        expires_at: s.expires_at.to_string(),
        current: current == Some(s.id),
        acr: s.assurance.acr().to_owned(),
        amr: s.assurance.amr.clone(),
        auth_time: s.assurance.auth_time.to_string(),
        device_id: s.device.map(|id| id.to_string()),
    }
}

/// Reads a live session and who holds it. The login it hangs on must live too.
pub(crate) async fn find_live(app: &App, host: &str, token: TokenHash, now: Timestamp) -> Result<Option<Live>, Error> {
    let Some(session) = app.store.session_get_by_token(token).await?.filter(|s| s.host == host && s.is_live(now)) else { return Ok(None) };
    if session.login != session.id {
        let Some(login) = app.store.session_get(session.login).await?.filter(|s| s.is_live(now)) else { return Ok(None) };
        // Use on any host keeps the whole login alive.
        app.touch_later(&login, now);
    }
    let Some(identity) = identity_of(app, session.account, session.login, &session.assurance).await? else { return Ok(None) };
    app.touch_later(&session, now);
    Ok(Some(Live { session, identity: Arc::new(identity) }))
}

/// Who an account is at this moment; `None` where it may not be used.
pub(crate) async fn identity_of(app: &App, id: AccountId, session: SessionId, assurance: &Assurance) -> Result<Option<Identity>, Error> {
    let Some(account) = app.store.account_get(id).await?.filter(|a| a.state == AccountState::Active) else { return Ok(None) };
    let now = app.env.now();
    let (access, holder) = (app.access(now).await?, app.holder(id, now).await?);
    let (roles, grants) = (access.0.roles_of(&holder), access.0.grants_of(&holder, now));
    Ok(Some(Identity {
        account: id,
        session,
        name: account.name,
        email: account.email.as_str().to_owned(),
        roles,
        groups: holder.groups.clone(),
        grants,
        strength: assurance.aal,
        methods: assurance.amr.clone(),
        auth_time: assurance.auth_time,
    }))
}

/// Lifetimes for a session on `host`: shorter ones for the console.
pub(crate) fn life_on(app: &App, host: &str) -> Life {
    let config = &app.identity.session;
    if host == TOKENS {
        config.token_life()
    } else if host == host_of(&app.urls.admin) {
        config.admin_life()
    } else {
        config.life()
    }
}
