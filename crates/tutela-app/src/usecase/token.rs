//! Tokens of applications that sign people in over the API: a short-lived access token, and refresh tokens
//! that are good once each.

use std::time::Duration;

use tutela_core::{DeviceId, EventId, Timestamp};
use tutela_identity::{AccessClaims, Holder, Presented, Refresh, Session, SessionEndReason, TOKENS, Token, TokenKind, event::RefreshReplayed, successor};
use tutela_store::{Changeset, RefreshBrought};

use crate::{
    App, Ctx, Error,
    usecase::{oauth, session, sign_in::SignedIn},
};

/// Why a refresh token is refused, for the caller.
const REFUSED: &str = "the refresh token is not good any more; sign in again";

/// What an application gets.
pub struct Tokens {
    /// The access token (RFC 9068).
    pub access: String,
    /// Its life.
    pub expires_in: Duration,
    /// The refresh token, where the configuration gives any.
    pub refresh: Option<Token>,
    /// The session they belong to.
    pub session: Session,
}

/// Refuses an audience that there is not, before anything begins for it.
pub fn check_audience(app: &App, audience: &str) -> Result<(), Error> {
    checked(app, audience).map(|_| ())
}

/// The first refresh token of a session, where the configuration gives any; it begins in the session's own commit.
pub(crate) fn first(app: &App, session: &Session, audience: &str, now: Timestamp) -> Result<Option<(Token, Refresh)>, Error> {
    let audience = checked(app, audience)?;
    let Some(device) = session.device.filter(|_| app.identity.session.refresh_enabled) else { return Ok(None) };
    let token = Token::new(TokenKind::Refresh, &mut { app.env() });
    let row = fresh(app, session, device, &token, audience, now);
    Ok(Some((token, row)))
}

/// Tokens for a session that has just begun.
pub fn issue(app: &App, ctx: &Ctx, signed_in: &mut SignedIn) -> Result<Tokens, Error> {
    let session = &signed_in.session;
    let access = access(app, session, checked(app, &signed_in.audience)?, ctx.now)?;
    Ok(Tokens { access, expires_in: app.identity.session.access_token.duration(), refresh: signed_in.refresh.take(), session: session.clone() })
}

/// Exchanges a refresh token for the next one and a new access token.
pub async fn refresh(app: &App, ctx: &Ctx, presented: &str, device: Option<&str>) -> Result<Tokens, Error> {
    let refused = || Error::Unauthenticated(REFUSED);
    let token = Token::parse(TokenKind::Refresh, presented).ok_or_else(refused)?;
    let device = device.and_then(|text| Token::parse(TokenKind::Device, text)).map(|token| token.hash());
    let brought = app.store.refresh_get_brought(token.hash(), device).await?.filter(|brought| brought.session.ended_at.is_none());
    let RefreshBrought { refresh: row, session, device } = brought.ok_or_else(refused)?;
    match row.present(device.map(Holder::Device), ctx.now) {
        Presented::Rotate => rotate(app, ctx, token, row, session).await,
        Presented::Repeat => answer(app, ctx, &token, &row, session),
        Presented::Expired => Err(refused()),
        Presented::Replayed => {
            let why = if device.map(Holder::Device) == Some(row.holder) { "used_before" } else { "other_device" };
            app.commit(ctx, RefreshReplayed::new(session.account, session.id, why), |c| c).await?;
            match row.holder {
                // An application's token says nothing of the person's own login.
                Holder::Client(_) => oauth::end_part(app, ctx, &session, "refresh_token_replayed").await?,
                Holder::Device(_) => session::end_because(app, ctx, session.id, SessionEndReason::RefreshReplayed).await?,
            }
            Err(refused())
        }
    }
}

async fn rotate(app: &App, ctx: &Ctx, token: Token, row: Refresh, session: Session) -> Result<Tokens, Error> {
    let now = ctx.now;
    if !session.is_live(now) || !app.holder(session.account, now).await?.active {
        return Err(Error::Unauthenticated(REFUSED));
    }
    let next = successor(&app.sign_in_key, &token);
    let next_row = Refresh { hash: next.hash(), expires_at: end(app, &session, now), used_at: None, ..row.clone() };
    let touched = Session { last_seen_at: now, idle_until: now + session::life_on(app, TOKENS).idle, ..session.clone() };
    let changeset = Changeset::sign_in_step().refresh_spend(row.hash, now).refresh_insert(&next_row).session_used(&touched);
    match app.store.commit(changeset).await {
        Ok(()) => answer(app, ctx, &token, &row, touched),
        // Another request with the same token was faster, and both get the one successor; or the session has just ended.
        Err(tutela_store::Error::Conflict(_)) => {
            let now_there = app.store.session_get(row.session).await?.ok_or(Error::Unauthenticated(REFUSED))?;
            answer(app, ctx, &token, &row, now_there)
        }
        Err(e) => Err(e.into()),
    }
}

fn answer(app: &App, ctx: &Ctx, token: &Token, row: &Refresh, session: Session) -> Result<Tokens, Error> {
    if !session.is_live(ctx.now) {
        return Err(Error::Unauthenticated(REFUSED));
    }
    let access = access(app, &session, &row.audience, ctx.now)?;
    Ok(Tokens { access, expires_in: app.identity.session.access_token.duration(), refresh: Some(successor(&app.sign_in_key, token)), session })
}

fn fresh(app: &App, session: &Session, device: DeviceId, token: &Token, audience: &str, now: Timestamp) -> Refresh {
    let (holder, audience) = (Holder::Device(device), audience.to_owned());
    Refresh { hash: token.hash(), session: session.id, holder, audience, scopes: Vec::new(), expires_at: end(app, session, now), used_at: None }
}

/// Until when a refresh token of a session is good.
pub(crate) fn end(app: &App, session: &Session, now: Timestamp) -> Timestamp {
    (now + app.identity.session.refresh_idle.duration()).min(session.expires_at)
}

fn access(app: &App, session: &Session, audience: &str, now: Timestamp) -> Result<String, Error> {
    let life = i64::try_from(app.identity.session.access_token.duration().as_secs()).unwrap_or(900);
    let claims = AccessClaims {
        iss: app.urls.public.clone(),
        aud: audience.to_owned(),
        sub: session.account.to_string(),
        client_id: session.device.map(|id| id.to_string()).unwrap_or_default(),
        sid: Some(session.id.to_string()),
        jti: EventId::batch(now, &mut { app.env() }).to_string(),
        acr: Some(session.assurance.acr().to_owned()),
        amr: session.assurance.amr.clone(),
        auth_time: Some(session.assurance.auth_time.secs()),
        scope: String::new(),
        iat: now.secs(),
        exp: now.secs() + life,
    };
    Ok(app.signer().sign(&claims, now)?)
}

/// Ends the session of a refresh or access token. Unknown tokens are no error (RFC 7009 §2.2).
pub async fn revoke(app: &App, ctx: &Ctx, presented: &str) -> Result<(), Error> {
    let session = match Token::parse(TokenKind::Refresh, presented) {
        Some(token) => app.store.refresh_get(token.hash()).await?.map(|row| row.session),
        None => app.signer().verify::<AccessClaims>(presented, &app.urls.public, &[], ctx.now).ok().and_then(|claims| claims.sid?.parse().ok()),
    };
    match session {
        Some(id) => session::end_because(app, ctx, id, SessionEndReason::SignOut).await,
        None => Ok(()),
    }
}

/// Whom tokens may be for: the API where nothing is said, or a name such as that of a route.
fn checked<'a>(app: &'a App, audience: &'a str) -> Result<&'a str, Error> {
    match audience {
        "" => Ok(&app.urls.public),
        url if url == app.urls.public => Ok(url),
        name if name.len() <= 64 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b)) => Ok(name),
        _ => Err(Error::invalid("audience", format!("an audience is the name of a route, or `{}`", app.urls.public))),
    }
}
