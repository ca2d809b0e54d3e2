//! What people let applications learn of them: seen, and taken back as easily as it was given.

use std::collections::BTreeSet;

use tutela_api as api;
use tutela_core::{AccountId, ClientId};
use tutela_identity::event::ClientConsentWithdrawn;

use super::host;
use crate::{App, Ctx, Error, usecase::session::own_account};

/// Whether somebody has agreed to all of it.
pub(crate) async fn consented(app: &App, account: AccountId, client: ClientId, scopes: &BTreeSet<String>) -> Result<bool, Error> {
    let row = app.store.client_consent_get(account, client).await?;
    Ok(row.is_some_and(|row| scopes.iter().all(|scope| row.scopes.contains(scope))))
}

/// What the caller has agreed to, newest first.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::ConsentedClient>, Error> {
    let account = own_account(ctx)?;
    let mut found = Vec::new();
    for row in app.store.client_consent_list(account).await? {
        let Some(known) = app.store.client_get(row.client).await?.filter(|known| known.revoked_at.is_none()) else { continue };
        let (client_id, given_at) = (row.client.to_string(), row.given_at.to_string());
        found.push(api::ConsentedClient { client_id, name: known.client.name, scopes: row.scopes, given_at });
    }
    Ok(found)
}

/// Takes it back: the client's sessions of theirs end, and the tokens that it has are worth nothing.
pub async fn withdraw(app: &App, ctx: &Ctx, client: ClientId) -> Result<(), Error> {
    let account = own_account(ctx)?;
    app.store.client_consent_get(account, client).await?.ok_or(Error::NotFound("consent"))?;
    let place = host(client);
    let sessions = app.store.session_count_by_host(account, &place, ctx.now).await?;
    let what = ClientConsentWithdrawn::new(account, client, sessions);
    app.commit(ctx, what, |c| c.client_consent_delete(account, client).session_end_on_host(account, &place, ctx.now)).await?;
    app.forget(account.0);
    Ok(())
}
