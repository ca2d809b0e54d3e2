//! Tokens for clients: the access token, and for a person's sign-in the ID token.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tutela_api::OauthTokens;
use tutela_core::{EventId, Timestamp};
use tutela_identity::{
    AccessClaims, Client, Session, Token,
    jwt::Claims as _,
    oauth::{About, Registration, person_claims},
};

use super::Error;
use crate::{App, Ctx, usecase::signing_key};

/// What tokens are made from.
pub(super) struct Grant<'a> {
    pub client: &'a Client,
    pub registration: &'a Registration,
    /// The session at the client; none where it acts for itself.
    pub session: Option<&'a Session>,
    pub scopes: BTreeSet<String>,
    pub audience: Option<&'a str>,
    pub nonce: Option<&'a str>,
}

/// Makes them.
pub(super) async fn tokens(app: &App, ctx: &Ctx, grant: Grant<'_>, refresh: Option<Token>) -> Result<OauthTokens, Error> {
    let (algorithm, now) = (grant.registration.algorithm, ctx.now);
    signing_key::ensure(app, ctx, algorithm).await?;
    let life = app.identity.session.access_token.duration();
    let scope = grant.scopes.iter().cloned().collect::<Vec<_>>().join(" ");
    let access = access(app, &grant, &scope, now);
    let access_token = app.signer().sign_as(algorithm, AccessClaims::TYPE, &access, now)?;
    let id_token = match grant.session.filter(|_| grant.scopes.contains("openid")) {
        Some(session) => {
            let claims = id_claims(app, &grant, session, &access, now).await?;
            Some(app.signer().sign_as(algorithm, "JWT", &claims, now)?)
        }
        None => None,
    };
    let refresh_token = refresh.map(|token| token.open().to_owned());
    Ok(OauthTokens { access_token, token_type: "Bearer".into(), expires_in: life.as_secs(), refresh_token, id_token, scope })
}

/// Whom access tokens are for where nothing is said: they open what stands about the person, and nothing else.
pub(super) fn user_info(app: &App) -> String {
    format!("{}/oauth/userinfo", app.urls.public)
}

fn access(app: &App, grant: &Grant<'_>, scope: &str, now: Timestamp) -> AccessClaims {
    let life = i64::try_from(app.identity.session.access_token.duration().as_secs()).unwrap_or(900);
    let client_id = grant.client.id.to_string();
    let proven = grant.session.map(|session| &session.assurance);
    AccessClaims {
        iss: app.urls.public.clone(),
        aud: grant.audience.map_or_else(|| user_info(app), str::to_owned),
        sub: grant.session.map_or_else(|| client_id.clone(), |session| session.account.to_string()),
        client_id,
        sid: grant.session.map(|session| session.id.to_string()),
        jti: EventId::batch(now, &mut { app.env() }).to_string(),
        acr: proven.map(|proven| proven.acr().to_owned()),
        amr: proven.map(|proven| proven.amr.clone()).unwrap_or_default(),
        auth_time: proven.map(|proven| proven.auth_time.secs()),
        scope: scope.to_owned(),
        iat: now.secs(),
        exp: now.secs() + life,
    }
}

/// The ID token (Core §2), with what the scopes tell of the person.
async fn id_claims(app: &App, grant: &Grant<'_>, session: &Session, access: &AccessClaims, now: Timestamp) -> Result<Value, Error> {
    let about = about(app, session, now).await?;
    let mut claims = person_claims(&about, &grant.scopes);
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("iss", json!(access.iss));
    put("aud", json!(access.client_id));
    put("azp", json!(access.client_id));
    put("exp", json!(access.exp));
    put("iat", json!(access.iat));
    put("sid", json!(access.sid));
    put("acr", json!(access.acr));
    put("amr", json!(access.amr));
    put("auth_time", json!(access.auth_time));
    if let Some(nonce) = grant.nonce {
        put("nonce", json!(nonce));
    }
    Ok(Value::Object(claims))
}

/// The holder of a session, as clients may learn of them.
pub(super) async fn about(app: &App, session: &Session, now: Timestamp) -> Result<About, Error> {
    let account = app.store.account_get(session.account).await?.ok_or(crate::Error::NotFound("account"))?;
    let (access, holder) = (app.access(now).await?, app.holder(session.account, now).await?);
    Ok(About {
        subject: session.account.to_string(),
        name: account.name,
        email: Some((account.email.as_str().to_owned(), account.email_verified_at.is_some())),
        phone: account.phone.map(|phone| (phone, account.phone_verified_at.is_some())),
        groups: holder.groups.clone(),
        roles: access.0.roles_of(&holder),
    })
}
