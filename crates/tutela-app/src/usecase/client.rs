//! Clients and their API keys.

use tutela_api as api;
use tutela_core::{ClientId, Timestamp};
use tutela_identity::{
    Client, Token, TokenKind,
    event::{ClientCreated, ClientRevoked},
};

use crate::{App, Ctx, Error, PERMISSIONS, usecase::sign_in};

/// Issues a key; the answer shows it once. Nobody hands out more than they hold themselves.
pub async fn create(app: &App, ctx: &Ctx, new: api::NewClient) -> Result<api::Client, Error> {
    sign_in::permit_fresh(app, ctx, "clients:write").await?;
    let expires_at = match new.expires_at {
        Some(text) => Some(
            text.parse::<Timestamp>().map_err(|_| Error::invalid("expires_at", format!("`{text}` is not an RFC 3339 time such as 2027-01-31T00:00:00Z")))?,
        ),
        None => None,
    };
    let known: Vec<&str> = PERMISSIONS.iter().map(|p| p.name).collect();
    let rng = &mut { app.env() };
    let client = Client::new(ClientId::new(ctx.now, rng), &new.name, new.scopes, expires_at, &known, ctx.now)?;
    if let Some(beyond) = client.scopes.iter().find(|scope| !ctx.principal.allows(scope)) {
        return Err(Error::invalid("scopes", format!("you do not hold `{beyond}` yourself")));
    }
    let key = Token::new(TokenKind::ApiKey, rng);
    app.commit(ctx, ClientCreated { client: client.id, name: &client.name, scopes: &client.scopes }, |c| c.client_insert(&client, key.hash())).await?;
    Ok(api::Client { api_key: Some(key.open().to_owned()), ..shown(&client) })
}

/// Clients whose keys work, newest first.
pub async fn list(app: &App, ctx: &Ctx, before: Option<ClientId>, limit: u32) -> Result<Vec<api::Client>, Error> {
    app.permit(ctx, "clients:read").await?;
    Ok(app.store.client_list(before, limit.clamp(1, 100)).await?.iter().map(|row| shown(&row.client)).collect())
}

/// Stops a key, at once on this node and within a second on others.
pub async fn revoke(app: &App, ctx: &Ctx, id: ClientId) -> Result<(), Error> {
    sign_in::permit_fresh(app, ctx, "clients:write").await?;
    match app.commit(ctx, ClientRevoked { client: id }, |c| c.client_revoke(id, ctx.now)).await {
        Err(Error::Store(tutela_store::Error::Conflict(_))) => Err(Error::NotFound("client")),
        done => {
            app.forget(id.0);
            done
        }
    }
}

fn shown(client: &Client) -> api::Client {
    api::Client {
        id: client.id.to_string(),
        name: client.name.clone(),
        scopes: client.scopes.clone(),
        created_at: client.created_at.to_string(),
        expires_at: client.expires_at.to_string(),
        api_key: None,
    }
}
