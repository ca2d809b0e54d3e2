//! Signing in, signing out, and ending sessions.

use std::sync::Arc;

use tutela_api as api;
use tutela_core::{AccountId, Secret, SessionId, Timestamp, seam::Identity};
use tutela_identity::{
    Account, AccountState, Email, Lifetimes, PasswordHash, Session, SessionEndReason, Token, TokenHash, TokenKind,
    event::{SessionEnded, SessionStarted, SignInFailed},
};
use tutela_store::SessionView;

use crate::{App, Ctx, Error, handover::host_of, request_policy::Live, usecase::role};

/// Most sessions shown at once.
const PAGE: u32 = 100;
/// What a refused person reads, whatever the reason.
const REFUSED: &str = "The address or the password is not right.";

/// A new session and the token that goes into its cookie.
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Its token, once.
    pub token: Token,
}

/// Signs somebody in with a password. Wrong, unknown and disabled are one answer, at one cost.
pub async fn sign_in(app: &App, ctx: &Ctx, host: &str, email: &str, password: Secret<String>) -> Result<SignedIn, Error> {
    if password.open().len() > tutela_identity::PASSWORD_MAX {
        return Err(Error::Unauthenticated(REFUSED));
    }
    let parsed = Email::parse(email).ok();
    let found = match &parsed {
        Some(email) => app.store.account_get_by_email(email).await?,
        None => None,
    };
    let (account, hash) = found.map_or((None, None), |(account, hash)| (Some(account), hash));
    let fits = app.hasher.verify(password.clone(), hash.clone()).await?;
    match (account, hash) {
        (Some(account), Some(hash)) if fits && account.state == AccountState::Active => begin(app, ctx, host, &account, &hash, password).await,
        (account, _) => {
            let reason = match &account {
                None => "unknown_account",
                Some(a) if a.state == AccountState::Disabled => "account_disabled",
                Some(_) => "wrong_password",
            };
            let typed: String = email.chars().take(254).collect();
            app.commit(ctx, SignInFailed { account: account.map(|a| a.id), email: &typed, reason }, |c| c).await?;
            metrics::counter!("tutela_sign_ins_total", "outcome" => "failure").increment(1);
            Err(Error::Unauthenticated(REFUSED))
        }
    }
}

async fn begin(app: &App, ctx: &Ctx, host: &str, account: &Account, hash: &PasswordHash, password: Secret<String>) -> Result<SignedIn, Error> {
    let (session, token) = new_session(app, ctx, host, account.id);
    let as_account = ctx.as_account(account.id, session.id, Default::default());
    let renewed = if hash.is_outdated(app.hasher.cost()) { Some(app.hasher.create(password, Arc::clone(&app.env)).await?) } else { None };
    let started = SessionStarted { session: session.id, methods: &["pwd"] };
    let begun =
        app.commit(&as_account, started, |c| c.account_confirm_password(account.id, hash, renewed.as_ref()).session_insert(&session, token.hash())).await;
    match begun {
        Ok(()) => {}
        // The password was reset or the account disabled while this one was being verified.
        Err(Error::Store(tutela_store::Error::Conflict(_))) => return Err(Error::Unauthenticated(REFUSED)),
        Err(e) => return Err(e),
    }
    metrics::counter!("tutela_sign_ins_total", "outcome" => "success").increment(1);
    Ok(SignedIn { session, token })
}

/// A session on the own host, not yet written.
pub(crate) fn new_session(app: &App, ctx: &Ctx, host: &str, account: AccountId) -> (Session, Token) {
    let rng = &mut { app.env() };
    let session = Session::begin(SessionId::new(ctx.now, rng), account, host, app.identity.session, ctx.now);
    (session, Token::new(TokenKind::Session, rng))
}

/// Ends the caller's own session, on every host.
pub async fn sign_out(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let session = ctx.principal.session().ok_or(Error::Unauthenticated("nobody is signed in"))?;
    end_login(app, ctx, session, SessionEndReason::SignOut, None).await
}

/// Ends another session of the caller.
pub async fn end_own(app: &App, ctx: &Ctx, id: SessionId) -> Result<(), Error> {
    let account = ctx.principal.account().ok_or(Error::Unauthenticated("nobody is signed in"))?;
    let session = app.store.session_get(id).await?.filter(|s| s.account == account).ok_or(Error::NotFound("session"))?;
    let reason = if Some(session.login) == ctx.principal.session() { SessionEndReason::SignOut } else { SessionEndReason::Other };
    end_login(app, ctx, session.login, reason, None).await
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

/// Ends anybody's session.
pub async fn end(app: &App, ctx: &Ctx, id: SessionId, note: Option<String>) -> Result<(), Error> {
    app.permit(ctx, "sessions:end").await?;
    if note.as_ref().is_some_and(|n| n.chars().count() > 500) {
        return Err(Error::invalid("reason", "a reason has at most 500 characters"));
    }
    end_login(app, ctx, id, SessionEndReason::Admin, note).await
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
    let account = ctx.principal.account().ok_or(Error::Unauthenticated("nobody is signed in"))?;
    Ok(app.store.session_list_by_account(account, PAGE, ctx.now).await?)
}

/// Everybody's live sessions, newest first.
pub async fn list(app: &App, ctx: &Ctx, before: Option<SessionId>, limit: u32) -> Result<Vec<SessionView>, Error> {
    app.permit(ctx, "sessions:read").await?;
    Ok(app.store.session_list(before, limit.clamp(1, PAGE), ctx.now).await?)
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
    let Some(identity) = identity_of(app, session.account, session.login).await? else { return Ok(None) };
    app.touch_later(&session, now);
    Ok(Some(Live { session, identity: Arc::new(identity) }))
}

/// Who an account is at this moment; `None` where it may not be used.
pub(crate) async fn identity_of(app: &App, id: AccountId, session: SessionId) -> Result<Option<Identity>, Error> {
    let Some(account) = app.store.account_get(id).await?.filter(|a| a.state == AccountState::Active) else { return Ok(None) };
    let roles = app.store.account_role_list(id).await?;
    let grants = role::all(app).await?.grants(&roles);
    Ok(Some(Identity { account: id, session, name: account.name, email: account.email.as_str().to_owned(), roles, grants }))
}

/// Lifetimes for a session on `host`: shorter ones for the console.
pub(crate) fn lifetimes_on(app: &App, host: &str) -> Lifetimes {
    if host == host_of(&app.urls.admin) { app.identity.session.for_admin() } else { app.identity.session }
}
