//! Tokens for clients: the access token, and for a person's sign-in the ID token.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tutela_api::OauthTokens;
use tutela_core::{EventId, Timestamp};
use tutela_identity::{
    AccessClaims, Account, Client, Session, Token,
    jwt::Claims as _,
    oauth::{About, Registration, person_claims},
};

use super::Error;
use crate::{App, Ctx, usecase::signing_key};

/// What tokens are made from.
pub(super) struct Grant<'a> {
    pub client: &'a Client,
    pub registration: &'a Registration,
    /// The session at the client, and who holds it; none where it acts for itself.
    pub person: Option<(&'a Session, Account)>,
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
    let id_token = match grant.person.filter(|_| grant.scopes.contains("openid")) {
        Some((_, holder)) => {
            let claims = id_claims(&about(app, holder, now).await?, &grant.scopes, grant.nonce, &access);
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
    let session = grant.person.as_ref().map(|(session, _)| *session);
    let proven = session.map(|session| &session.assurance);
    AccessClaims {
        iss: app.urls.public.clone(),
        aud: grant.audience.map_or_else(|| user_info(app), str::to_owned),
        sub: session.map_or_else(|| client_id.clone(), |session| session.account.to_string()),
        client_id,
        sid: session.map(|session| session.id.to_string()),
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
fn id_claims(about: &About, scopes: &BTreeSet<String>, nonce: Option<&str>, access: &AccessClaims) -> Value {
    let mut claims = person_claims(about, scopes);
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
    if let Some(nonce) = nonce {
        put("nonce", json!(nonce));
    }
    Value::Object(claims)
}

/// Somebody, as clients may learn of them.
pub(super) async fn about(app: &App, account: Account, now: Timestamp) -> Result<About, Error> {
    let (access, holder) = (app.access(now).await?, app.holder(account.id, now).await?);
    Ok(About {
        subject: account.id.to_string(),
        name: account.name,
        email: Some((account.email.as_str().to_owned(), account.email_verified_at.is_some())),
        phone: account.phone.map(|phone| (phone, account.phone_verified_at.is_some())),
        groups: holder.groups.clone(),
        roles: access.0.roles_of(&holder),
    })
}
