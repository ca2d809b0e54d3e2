//! The token endpoint (RFC 6749 §3.2): a code, a refresh token, or a client's own proof against tokens.

use std::collections::BTreeSet;

use tutela_api::OauthTokens;
use tutela_core::{SessionId, Timestamp};
use tutela_identity::{
    Client, Holder, Life, Presented, Refresh, Session, SessionEndReason, Token, TokenKind,
    event::{ClientCodeReplayed, ClientSignedIn, ClientTokenIssued, RefreshReplayed},
    oauth::{AuthorizationCode, Code, GrantKind, Redeem, Refused, Registration, SCOPES, words},
    successor,
};
use tutela_store::Changeset;

use super::{
    Error, Form, as_client, as_person,
    client_proof::authenticate,
    end_part, host, live_holder,
    mint::{Grant, tokens, user_info},
    record_refusal, refuse,
};
use crate::{
    App, Ctx,
    usecase::{session, token},
};

const OFFLINE: &str = "offline_access";

/// What a client gets for what it brings.
pub async fn exchange(app: &App, ctx: &Ctx, authorization: Option<&str>, form: &Form) -> Result<OauthTokens, Error> {
    let (client, registration) = authenticate(app, ctx, authorization, form).await?;
    let ctx = &as_client(ctx, &client);
    let done = by_grant(app, ctx, &client, &registration, form).await;
    if let Err(Error::Refused(refused)) = &done {
        record_refusal(app, ctx, client.id, refused).await?;
    }
    done
}

async fn by_grant(app: &App, ctx: &Ctx, client: &Client, registration: &Registration, form: &Form) -> Result<OauthTokens, Error> {
    let Some(grant) = GrantKind::parse(form.need("grant_type")?) else {
        return Err(refuse(Code::UnsupportedGrantType, "`grant_type` is `authorization_code`, `refresh_token` or `client_credentials`").into());
    };
    if !registration.grants.contains(&grant) {
        return Err(refuse(Code::UnauthorizedClient, format!("this client is not registered for `{}`", grant.as_str())).into());
    }
    match grant {
        GrantKind::AuthorizationCode => by_code(app, ctx, client, registration, form).await,
        GrantKind::ClientCredentials => for_itself(app, ctx, client, registration, form).await,
        GrantKind::RefreshToken => by_refresh(app, ctx, client, registration, form).await,
    }
}

fn bad_grant(why: &str) -> Refused {
    refuse(Code::InvalidGrant, why)
}

/// What was granted reaches no further than what the client is registered for by now, and is for whom it was granted for
/// (RFC 8707 §2.2).
fn still_registered(app: &App, registration: &Registration, scopes: &mut BTreeSet<String>, audience: Option<&str>, form: &Form) -> Result<(), Refused> {
    scopes.retain(|scope| registration.scopes.contains(scope));
    let audience = audience.map_or_else(|| user_info(app), str::to_owned);
    if audience != user_info(app) && !registration.audiences.contains(&audience) {
        return Err(bad_grant("the client is not registered any more for whom this was granted for"));
    }
    match form.get("resource") {
        Some(asked) if asked != audience => Err(refuse(Code::InvalidTarget, "`resource` is another than the one that this was granted for")),
        _ => Ok(()),
    }
}

// === A code ===

async fn by_code(app: &App, ctx: &Ctx, client: &Client, registration: &Registration, form: &Form) -> Result<OauthTokens, Error> {
    let unknown = || bad_grant("the code is not good");
    let hash = Token::parse(TokenKind::ClientCode, form.need("code")?).ok_or_else(unknown)?.hash();
    let (mut code, _) = app.store.client_code_get(hash).await?.ok_or_else(unknown)?;
    match code.redeem(client.id, form.get("redirect_uri"), form.get("code_verifier"), ctx.now) {
        Redeem::Good => {}
        Redeem::Refused(refused) => return Err(refused.into()),
        Redeem::Replayed => return replayed(app, ctx, client, hash).await,
    }
    still_registered(app, registration, &mut code.scopes, code.audience.as_deref(), form)?;
    let login = app.store.session_get(code.login).await?.ok_or_else(unknown)?;
    let holder = live_holder(app, &login, ctx.now).await?.ok_or_else(|| bad_grant("the person has signed out meanwhile"))?;
    let session = begin(app, client, &login, &code, ctx.now)?;
    let (refresh, row) = first_refresh(app, client, registration, &session, &code, ctx.now).unzip();
    let offline = session.login == session.id;
    let what = ClientSignedIn::new(session.account, client.id, code.login, session.id, code.scopes.iter().cloned().collect(), offline);
    // The token that would be a browser's: nobody has it.
    let nobodys = Token::new(TokenKind::Session, &mut { app.env() }).hash();
    let is_told = registration.backchannel_logout_uri.is_some();
    let done = app
        .commit(&as_person(ctx, &login), what, |c| {
            // The login has to be there still in this very commit, for what is a login of its own too.
            let c = c.client_code_use(hash, ctx.now, session.id).session_used(&login).session_insert(&session, nobodys);
            let c = row.iter().fold(c, Changeset::refresh_insert);
            if is_told { c.client_session_insert(session.id, session.login, client.id, session.account, ctx.now) } else { c }
        })
        .await;
    match done {
        Ok(()) => {}
        // Somebody else was faster with the same code; one of the two is not its owner.
        Err(crate::Error::Store(tutela_store::Error::Conflict(_))) => return replayed(app, ctx, client, hash).await,
        Err(e) => return Err(e.into()),
    }
    let audience = code.audience.as_deref();
    let grant = Grant { client, registration, person: Some((&session, holder)), scopes: code.scopes, audience, nonce: code.nonce.as_deref() };
    tokens(app, ctx, grant, refresh).await
}

/// The session at the client: part of the login, or for `offline_access` a login of its own.
fn begin(app: &App, client: &Client, login: &Session, code: &AuthorizationCode, now: Timestamp) -> Result<Session, Error> {
    let id = SessionId::new(now, &mut { app.env() });
    let place = host(client.id);
    if code.scopes.contains(OFFLINE) {
        let life = app.identity.session.token_life();
        return Ok(Session::begin(id, login.account, &place, login.device, login.assurance.clone(), life, now));
    }
    // It has no idle time of its own: that of the login holds.
    let rest = login.expires_at.since(now);
    login.extend_to(id, &place, Life { idle: rest, absolute: rest }, now).map_err(|_| bad_grant("the person has signed out meanwhile").into())
}

fn first_refresh(
    app: &App,
    client: &Client,
    registration: &Registration,
    session: &Session,
    code: &AuthorizationCode,
    now: Timestamp,
) -> Option<(Token, Refresh)> {
    if !registration.grants.contains(&GrantKind::RefreshToken) || !app.identity.session.refresh_enabled {
        return None;
    }
    let token = Token::new(TokenKind::Refresh, &mut { app.env() });
    let row = Refresh {
        hash: token.hash(),
        session: session.id,
        holder: Holder::Client(client.id),
        audience: code.audience.clone().unwrap_or_else(|| user_info(app)),
        scopes: code.scopes.iter().cloned().collect(),
        expires_at: token::end(app, session, now),
        used_at: None,
    };
    Some((token, row))
}

/// A code that was used before: what it gave ends (RFC 6749 §4.1.2, RFC 9700 §2.1.1).
async fn replayed(app: &App, ctx: &Ctx, client: &Client, hash: [u8; 32]) -> Result<OauthTokens, Error> {
    let given = match app.store.client_code_get(hash).await? {
        Some((_, Some(session))) => app.store.session_get(session).await?,
        _ => None,
    };
    if let Some(session) = given {
        app.commit(ctx, ClientCodeReplayed::new(session.account, client.id, Some(session.id)), |c| c).await?;
        end_part(app, ctx, &session, "code_replayed").await?;
    }
    Err(bad_grant("the code was used before; what it had given has ended").into())
}

// === A refresh token ===

async fn by_refresh(app: &App, ctx: &Ctx, client: &Client, registration: &Registration, form: &Form) -> Result<OauthTokens, Error> {
    let over = || bad_grant("the refresh token is not good any more; send the person to sign in");
    let token = Token::parse(TokenKind::Refresh, form.need("refresh_token")?).ok_or_else(over)?;
    let (row, session) = app.store.refresh_get_with_session(token.hash()).await?.filter(|(_, s)| s.ended_at.is_none()).ok_or_else(over)?;
    let presented = row.present(Some(Holder::Client(client.id)), ctx.now);
    match presented {
        Presented::Rotate | Presented::Repeat => {}
        Presented::Expired => return Err(over().into()),
        Presented::Replayed => {
            let why = if row.holder == Holder::Client(client.id) { "used_before" } else { "other_client" };
            app.commit(ctx, RefreshReplayed::new(session.account, session.id, why), |c| c).await?;
            match row.holder {
                Holder::Client(_) => end_part(app, ctx, &session, "refresh_token_replayed").await?,
                Holder::Device(_) => session::end_because(app, ctx, session.id, SessionEndReason::RefreshReplayed).await?,
            }
            return Err(over().into());
        }
    }
    let holder = live_holder(app, &session, ctx.now).await?.ok_or_else(over)?;
    let mut held: BTreeSet<String> = row.scopes.iter().cloned().collect();
    still_registered(app, registration, &mut held, Some(&row.audience), form)?;
    // Fewer than were granted may be asked for, never more (RFC 6749 §6).
    let scopes = match form.get("scope") {
        None => held,
        Some(text) => {
            let wanted: BTreeSet<String> = words(text).map(str::to_owned).collect();
            if wanted.is_empty() || !wanted.is_subset(&held) {
                return Err(refuse(Code::InvalidScope, "`scope` names what was not granted").into());
            }
            wanted
        }
    };
    let next = successor(&app.sign_in_key, &token);
    if presented == Presented::Rotate {
        rotate(app, &row, &session, &next, ctx.now).await?;
    }
    let audience = Some(row.audience.as_str());
    tokens(app, ctx, Grant { client, registration, person: Some((&session, holder)), scopes, audience, nonce: None }, Some(next)).await
}

async fn rotate(app: &App, row: &Refresh, session: &Session, next: &Token, now: Timestamp) -> Result<(), Error> {
    let next = Refresh { hash: next.hash(), expires_at: token::end(app, session, now), used_at: None, ..row.clone() };
    let idle_until = if session.login == session.id { now + app.identity.session.token_life().idle } else { session.idle_until };
    let touched = Session { last_seen_at: now, idle_until, ..session.clone() };
    let changeset = Changeset::sign_in_step().refresh_spend(row.hash, now).refresh_insert(&next).session_used(&touched);
    match app.store.commit(changeset).await {
        Ok(()) => Ok(()),
        // Another request with the same token was faster, and both get the one successor; or the session has just ended.
        Err(tutela_store::Error::Conflict(_)) => {
            let there = app.store.session_get(session.id).await?.is_some_and(|there| there.is_live(now));
            if there { Ok(()) } else { Err(bad_grant("the person has signed out meanwhile").into()) }
        }
        Err(e) => Err(e.into()),
    }
}

// === The client itself ===

async fn for_itself(app: &App, ctx: &Ctx, client: &Client, registration: &Registration, form: &Form) -> Result<OauthTokens, Error> {
    let audience = match form.get("resource") {
        None => registration.audiences.first(),
        Some(asked) => Some(
            registration
                .audiences
                .iter()
                .find(|known| *known == asked)
                .ok_or_else(|| refuse(Code::InvalidTarget, "`resource` is not one that this client may have tokens for"))?,
        ),
    };
    let audience = audience.ok_or_else(|| refuse(Code::InvalidTarget, "this client has no audience that it could have a token for"))?;
    // What tells of people means nothing for a client.
    let own: BTreeSet<String> = registration.scopes.iter().filter(|scope| !SCOPES.contains(&scope.as_str())).cloned().collect();
    let scopes: BTreeSet<String> = match form.get("scope") {
        None => own,
        Some(text) => words(text).filter(|scope| own.contains(*scope)).map(str::to_owned).collect(),
    };
    if form.get("scope").is_some() && scopes.is_empty() {
        return Err(refuse(Code::InvalidScope, "none of these scopes is one that this client may have").into());
    }
    app.commit(ctx, ClientTokenIssued::new(client.id, audience, scopes.iter().cloned().collect()), |c| c).await?;
    tokens(app, ctx, Grant { client, registration, person: None, scopes, audience: Some(audience), nonce: None }, None).await
}
