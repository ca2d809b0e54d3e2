//! Clients: programs that call the API with a key, and applications that people sign in to.

use std::time::Duration;

use tutela_api as api;
use tutela_core::{ClientId, Timestamp};
use tutela_identity::{
    Algorithm, Client, Token, TokenKind,
    event::{ClientChanged, ClientCreated, ClientKeyRolled, ClientRevoked},
    key_end,
    oauth::{GrantKind, RedirectUri, Registration},
};

use crate::{
    App, Ctx, Error, PERMISSIONS,
    usecase::{oauth, sign_in},
};

/// For how long a client's keys go on working when it gets another, where nothing is said.
const OVERLAP: u32 = 86_400;
const LONGEST_OVERLAP: u32 = 7 * 86_400;
/// What an application learns of people where nothing is said.
const USUAL_SCOPES: [&str; 3] = ["openid", "profile", "email"];

/// Makes a client; where it has a key, the answer shows it once. Nobody hands out more than they hold themselves.
pub async fn create(app: &App, ctx: &Ctx, new: api::NewClient) -> Result<api::Client, Error> {
    sign_in::permit_fresh(app, ctx, "clients:write").await?;
    let expires_at = time(new.expires_at.as_deref())?;
    let registration = new.oauth.map(|asked| registration(app, asked)).transpose()?;
    let known: Vec<&str> = PERMISSIONS.iter().map(|p| p.name).collect();
    let rng = &mut { app.env() };
    let client = Client::new(ClientId::new(ctx.now, rng), &new.name, new.scopes, registration, expires_at, &known, ctx.now)?;
    if let Some(beyond) = client.scopes.iter().find(|scope| !ctx.principal.allows(scope)) {
        return Err(Error::invalid("scopes", format!("you do not hold `{beyond}` yourself")));
    }
    let key = client.expires_at.map(|end| (Token::new(TokenKind::ApiKey, rng), end));
    let what = ClientCreated { client: client.id, name: &client.name, scopes: &client.scopes, redirect_uris: addresses(&client) };
    app.commit(ctx, what, |c| {
        let c = c.client_insert(&client);
        key.iter().fold(c, |c, (key, end)| c.client_key_insert(client.id, key.hash(), ctx.now, *end))
    })
    .await?;
    Ok(api::Client { api_key: key.map(|(key, _)| key.open().to_owned()), ..shown(&client) })
}

/// Clients that were not revoked, newest first.
pub async fn list(app: &App, ctx: &Ctx, before: Option<ClientId>, limit: u32) -> Result<Vec<api::Client>, Error> {
    app.permit(ctx, "clients:read").await?;
    Ok(app.store.client_list(before, limit.clamp(1, 100)).await?.iter().map(|row| shown(&row.client)).collect())
}

/// One of them.
pub async fn get(app: &App, ctx: &Ctx, id: ClientId) -> Result<api::Client, Error> {
    app.permit(ctx, "clients:read").await?;
    Ok(shown(&there(app, id).await?))
}

/// Changes a client's side of OAuth 2.0, from the next request on.
pub async fn set_oauth(app: &App, ctx: &Ctx, id: ClientId, asked: api::ClientOauth) -> Result<api::Client, Error> {
    sign_in::permit_fresh(app, ctx, "clients:write").await?;
    let registration = registration(app, asked)?;
    registration.check()?;
    let before = there(app, id).await?;
    if before.registration.as_ref().is_none_or(Registration::has_secret) != registration.has_secret() {
        return Err(Error::invalid("token_endpoint_auth_method", "whether a client has a secret stays as it was made; make another client"));
    }
    let client = Client { registration: Some(registration), ..before };
    app.commit(ctx, ClientChanged::new(id, addresses(&client)), |c| c.client_set_registration(&client)).await?;
    app.forget(id.0);
    Ok(shown(&client))
}

/// Gives a client another key; those it has go on working for a while, so that nothing stands still meanwhile.
pub async fn roll(app: &App, ctx: &Ctx, id: ClientId, wish: api::RollClientKey) -> Result<api::Client, Error> {
    sign_in::permit_fresh(app, ctx, "clients:write").await?;
    let overlap = wish.overlap_seconds.unwrap_or(OVERLAP);
    if overlap > LONGEST_OVERLAP {
        return Err(Error::invalid("overlap_seconds", format!("keys overlap for 0 to {LONGEST_OVERLAP} seconds")));
    }
    let client = there(app, id).await?;
    if client.expires_at.is_none() {
        return Err(Error::Conflict("this client has no key: it proves itself with one of its own, or cannot keep a secret".into()));
    }
    if let Some(beyond) = client.scopes.iter().find(|scope| !ctx.principal.allows(scope)) {
        return Err(Error::invalid("scopes", format!("the key carries `{beyond}`, which you do not hold yourself")));
    }
    let end = key_end(time(wish.expires_at.as_deref())?, ctx.now)?;
    let old_until = ctx.now + Duration::from_secs(overlap.into());
    let key = Token::new(TokenKind::ApiKey, &mut { app.env() });
    app.commit(ctx, ClientKeyRolled::new(id, old_until.to_string()), |c| c.client_key_end(id, old_until).client_key_insert(id, key.hash(), ctx.now, end))
        .await?;
    app.forget(id.0);
    Ok(api::Client { api_key: Some(key.open().to_owned()), ..shown(&Client { expires_at: Some(end), ..client }) })
}

/// Stops a client, at once on this node and within a second on others; people's sessions at it end.
pub async fn revoke(app: &App, ctx: &Ctx, id: ClientId) -> Result<(), Error> {
    sign_in::permit_fresh(app, ctx, "clients:write").await?;
    let sessions = oauth::host(id);
    match app.commit(ctx, ClientRevoked { client: id }, |c| c.client_revoke(id, ctx.now).session_end_everybody_on_host(&sessions, ctx.now)).await {
        Err(Error::Store(tutela_store::Error::Conflict(_))) => Err(Error::NotFound("client")),
        done => {
            app.forget(id.0);
            done
        }
    }
}

async fn there(app: &App, id: ClientId) -> Result<Client, Error> {
    let row = app.store.client_get(id).await?.filter(|row| row.revoked_at.is_none()).ok_or(Error::NotFound("client"))?;
    Ok(row.client)
}

fn time(text: Option<&str>) -> Result<Option<Timestamp>, Error> {
    let bad = |text| Error::invalid("expires_at", format!("`{text}` is not an RFC 3339 time such as 2027-01-31T00:00:00Z"));
    text.map(|text| text.parse::<Timestamp>().map_err(|_| bad(text))).transpose()
}

fn addresses(client: &Client) -> Vec<String> {
    client.registration.iter().flat_map(|registration| &registration.redirect_uris).map(|uri| uri.as_str().to_owned()).collect()
}

// === What is asked for, read ===

fn registration(app: &App, asked: api::ClientOauth) -> Result<Registration, Error> {
    let redirect_uris = uris("redirect_uris", &asked.redirect_uris)?;
    let post_logout_redirect_uris = uris("post_logout_redirect_uris", &asked.post_logout_redirect_uris)?;
    let backchannel_logout_uri = asked.backchannel_logout_uri.as_deref().map(|text| logout_uri(app, text)).transpose()?;
    let grants: std::collections::BTreeSet<GrantKind> = if asked.grant_types.is_empty() {
        if redirect_uris.is_empty() { [GrantKind::ClientCredentials].into() } else { [GrantKind::AuthorizationCode, GrantKind::RefreshToken].into() }
    } else {
        let known = GrantKind::ALL.map(GrantKind::as_str).join("`, `");
        let bad = |word: &str| Error::invalid("grant_types", format!("`{word}` is not a grant; there are `{known}`"));
        asked.grant_types.iter().map(|word| GrantKind::parse(word).ok_or_else(|| bad(word))).collect::<Result<_, _>>()?
    };
    let method = asked.token_endpoint_auth_method.as_deref().unwrap_or("client_secret_basic");
    let confidential = match method {
        "client_secret_basic" | "client_secret_post" | "private_key_jwt" => true,
        "none" => false,
        _ => return Err(Error::invalid("token_endpoint_auth_method", "`client_secret_basic`, `client_secret_post`, `private_key_jwt` or `none`")),
    };
    if (method == "private_key_jwt") != asked.jwks.is_some() {
        return Err(Error::invalid("jwks", "a key set goes with `private_key_jwt`, and `private_key_jwt` with a key set"));
    }
    let scopes = if asked.scopes.is_empty() && !redirect_uris.is_empty() { USUAL_SCOPES.map(str::to_owned).into() } else { asked.scopes.into_iter().collect() };
    if asked.audiences.contains(&app.urls.public) && grants.contains(&GrantKind::AuthorizationCode) {
        return Err(Error::invalid("audiences", "a person's power over this server's own API is not handed to clients; the API has its own sign-in"));
    }
    let algorithm = match asked.id_token_signed_response_alg.as_deref() {
        None => Algorithm::Es256,
        Some(word) => Algorithm::parse(word).ok_or_else(|| Error::invalid("id_token_signed_response_alg", "`ES256`, `EdDSA` or `RS256`"))?,
    };
    Ok(Registration {
        redirect_uris,
        post_logout_redirect_uris,
        backchannel_logout_uri,
        grants,
        confidential,
        jwks: asked.jwks,
        scopes,
        audiences: asked.audiences,
        algorithm,
        asks_consent: asked.require_consent.unwrap_or(true),
    })
}

fn uris(field: &'static str, texts: &[String]) -> Result<Vec<RedirectUri>, Error> {
    let read = |text: &String| RedirectUri::parse(text).map_err(|e| Error::invalid(field, e.to_string()));
    texts.iter().map(read).collect()
}

fn logout_uri(app: &App, text: &str) -> Result<RedirectUri, Error> {
    let invalid = |why: String| Error::invalid("backchannel_logout_uri", why);
    let uri = RedirectUri::parse(text).map_err(|e| invalid(e.to_string()))?;
    match app.clients_http.as_ref().map_or(Ok(()), |http| http.check(text)) {
        Ok(()) => Ok(uri),
        Err(e) => Err(invalid(format!("{e}; for applications inside your own network set `identity.back_channel.allow_private`"))),
    }
}

fn shown(client: &Client) -> api::Client {
    api::Client {
        id: client.id.to_string(),
        name: client.name.clone(),
        scopes: client.scopes.clone(),
        oauth: client.registration.as_ref().map(shown_oauth),
        created_at: client.created_at.to_string(),
        expires_at: client.expires_at.map(|end| end.to_string()),
        api_key: None,
    }
}

fn shown_oauth(registration: &Registration) -> api::ClientOauth {
    let texts = |uris: &[RedirectUri]| uris.iter().map(|uri| uri.as_str().to_owned()).collect();
    let method = match (registration.confidential, &registration.jwks) {
        (false, _) => "none",
        (true, Some(_)) => "private_key_jwt",
        (true, None) => "client_secret_basic",
    };
    api::ClientOauth {
        redirect_uris: texts(&registration.redirect_uris),
        post_logout_redirect_uris: texts(&registration.post_logout_redirect_uris),
        backchannel_logout_uri: registration.backchannel_logout_uri.as_ref().map(|uri| uri.as_str().to_owned()),
        grant_types: registration.grants.iter().map(|grant| grant.as_str().to_owned()).collect(),
        token_endpoint_auth_method: Some(method.to_owned()),
        jwks: registration.jwks.clone(),
        scopes: registration.scopes.iter().cloned().collect(),
        audiences: registration.audiences.clone(),
        id_token_signed_response_alg: Some(registration.algorithm.to_string()),
        require_consent: Some(registration.asks_consent),
    }
}
