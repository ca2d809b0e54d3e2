//! What a token is worth (RFC 7662), that it is worth nothing any more (RFC 7009), and whom it is about (Core §5.3).

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use tutela_api::Introspection;
use tutela_core::SessionId;
use tutela_identity::{
    AccessClaims, Client, Holder, Token, TokenKind,
    oauth::{Code, Registration, person_claims, words},
};

use super::{Error, Form, as_client, client_of, client_proof::authenticate, end_part, live_holder, mint::about, refuse};
use crate::{App, Ctx};

/// Lets anybody's token be looked at.
const INTROSPECT: &str = "tokens:introspect";

/// What a token is worth at this moment. A client learns of its own tokens and of those that are for its audiences.
pub async fn introspect(app: &App, ctx: &Ctx, authorization: Option<&str>, form: &Form) -> Result<Introspection, Error> {
    let (client, registration) = authenticate(app, ctx, authorization, form).await?;
    if !registration.confidential {
        return Err(refuse(Code::UnauthorizedClient, "only a client that keeps a secret may ask (RFC 7662 §2.1)").into());
    }
    let token = form.need("token")?;
    if token.starts_with("tre_") {
        return refresh_token(app, ctx, &client, token).await;
    }
    access_token(app, ctx, &client, &registration, token).await
}

async fn access_token(app: &App, ctx: &Ctx, client: &Client, registration: &Registration, token: &str) -> Result<Introspection, Error> {
    let Ok(claims) = app.signer().verify::<AccessClaims>(token, &app.urls.public, &[], ctx.now) else { return Ok(Introspection::default()) };
    let own = claims.client_id == client.id.to_string() || registration.audiences.contains(&claims.aud);
    let may = own || client.grants(ctx.now).is_some_and(|grants| grants.allow(INTROSPECT));
    if !may || !is_alive(app, ctx, &claims).await? {
        return Ok(Introspection::default());
    }
    Ok(Introspection {
        active: true,
        scope: Some(claims.scope),
        client_id: Some(claims.client_id),
        token_type: Some("Bearer".into()),
        exp: Some(claims.exp),
        iat: Some(claims.iat),
        sub: Some(claims.sub),
        aud: Some(claims.aud),
        iss: Some(claims.iss),
        jti: Some(claims.jti),
        sid: claims.sid,
        acr: claims.acr,
        auth_time: claims.auth_time,
    })
}

/// Whether the session of a token lives, or the client where it is that client's own.
async fn is_alive(app: &App, ctx: &Ctx, claims: &AccessClaims) -> Result<bool, Error> {
    match claims.sid.as_deref().map(str::parse::<SessionId>) {
        Some(Ok(session)) => {
            let live = app.live_login(session, ctx.now).await?;
            // Tokens of a sign-in over the API are held by a device, and by no client.
            let held = match live.as_ref().and_then(|live| client_of(&live.session.host)) {
                Some(client) => app.client_by_id(&client.to_string(), ctx.now).await?.is_some(),
                None => true,
            };
            Ok(live.is_some() && held)
        }
        Some(Err(_)) => Ok(false),
        None => Ok(claims.sub == claims.client_id && app.client_by_id(&claims.client_id, ctx.now).await?.is_some()),
    }
}

async fn refresh_token(app: &App, ctx: &Ctx, client: &Client, token: &str) -> Result<Introspection, Error> {
    let Some(token) = Token::parse(TokenKind::Refresh, token) else { return Ok(Introspection::default()) };
    let found = app.store.refresh_get_with_session(token.hash()).await?;
    let own = found.filter(|(row, _)| row.holder == Holder::Client(client.id) && row.used_at.is_none() && ctx.now < row.expires_at);
    let Some((row, session)) = own else { return Ok(Introspection::default()) };
    if live_holder(app, &session, ctx.now).await?.is_none() {
        return Ok(Introspection::default());
    }
    Ok(Introspection {
        active: true,
        scope: Some(row.scopes.join(" ")),
        client_id: Some(client.id.to_string()),
        token_type: Some("refresh_token".into()),
        exp: Some(row.expires_at.secs()),
        sub: Some(session.account.to_string()),
        aud: Some(app.urls.public.clone()),
        iss: Some(app.urls.public.clone()),
        sid: Some(session.id.to_string()),
        ..Introspection::default()
    })
}

/// Ends the session of one of the client's tokens. An unknown token is no error (RFC 7009 §2.2).
pub async fn revoke(app: &App, ctx: &Ctx, authorization: Option<&str>, form: &Form) -> Result<(), Error> {
    let (client, _) = authenticate(app, ctx, authorization, form).await?;
    let ctx = &as_client(ctx, &client);
    let token = form.need("token")?;
    let session = match Token::parse(TokenKind::Refresh, token) {
        Some(token) => app.store.refresh_get_with_session(token.hash()).await?.map(|(_, session)| session),
        None => match app.signer().verify::<AccessClaims>(token, &app.urls.public, &[], ctx.now) {
            Ok(claims) if claims.client_id == client.id.to_string() => match claims.sid.as_deref().map(str::parse::<SessionId>) {
                Some(Ok(id)) => app.store.session_get(id).await?,
                Some(Err(_)) => None,
                None => return Err(refuse(Code::UnsupportedTokenType, "a client's own access token ends by itself; it is good for minutes").into()),
            },
            _ => None,
        },
    };
    // Another client's token is left alone, and nothing is said of it.
    match session.filter(|session| client_of(&session.host) == Some(client.id)) {
        Some(session) => Ok(end_part(app, ctx, &session, "revoked_by_client").await?),
        None => Ok(()),
    }
}

/// What an access token tells.
pub enum Told {
    /// Of its person.
    Claims(Map<String, Value>),
    /// It is not good, or its session has ended.
    NotGood,
    /// It is good, and not for this.
    NotForThis,
}

/// What an access token tells of its person.
pub async fn person(app: &App, ctx: &Ctx, token: &str) -> Result<Told, Error> {
    let Ok(claims) = app.signer().verify::<AccessClaims>(token, &app.urls.public, &[], ctx.now) else { return Ok(Told::NotGood) };
    let scopes: BTreeSet<String> = words(&claims.scope).map(str::to_owned).collect();
    let session = match claims.sid.as_deref().map(str::parse::<SessionId>) {
        Some(Ok(id)) => app.store.session_get(id).await?,
        _ => None,
    };
    let Some(session) = session else { return Ok(Told::NotGood) };
    let Some(holder) = live_holder(app, &session, ctx.now).await? else { return Ok(Told::NotGood) };
    if app.client_by_id(&claims.client_id, ctx.now).await?.is_none() {
        return Ok(Told::NotGood);
    }
    if !scopes.contains("openid") {
        return Ok(Told::NotForThis);
    }
    Ok(Told::Claims(person_claims(&about(app, holder, ctx.now).await?, &scopes)))
}
