//! The keys that tokens are signed with: made where one is needed, published a day before they sign, replaced by
//! schedule or at once.

use std::time::Duration;

use tutela_api as api;
use tutela_core::{Principal, Secret, Timestamp};
use tutela_identity::{
    Algorithm,
    event::{SigningKeyMade, SigningKeyRevoked},
    jwt::{AFTERLIFE, SigningKey, TokenKey, TokenKeys, generate},
};
use tutela_store::SigningKeyRow;

use crate::{App, Ctx, Error, usecase::sign_in};

const PURPOSE: &[u8] = b"signing key";
/// How long before it signs a key is published, so that whoever keeps our keys has it by then.
const LEAD: Duration = Duration::from_secs(86_400);

/// Takes up what stands in the store.
pub(crate) async fn load(app: &App) -> Result<(), Error> {
    let mut keys = Vec::new();
    for row in app.store.signing_key_list().await? {
        let unusable = || Error::Internal("a key that tokens are signed with cannot be opened");
        let algorithm = Algorithm::parse(&row.algorithm).ok_or_else(unusable)?;
        let kept: Secret<Vec<u8>> = Secret::new(app.open_as::<Vec<u8>>(PURPOSE, &row.sealed).ok_or_else(unusable)?);
        let key = SigningKey::restore(algorithm, kept.open())?;
        if key.id() != row.id {
            return Err(unusable());
        }
        keys.push(TokenKey::new(key, row.signs_from)?);
    }
    app.token_keys.store(std::sync::Arc::new(TokenKeys::new(keys)));
    Ok(())
}

/// Makes sure that tokens can be signed with `algorithm`.
pub(crate) async fn ensure(app: &App, ctx: &Ctx, algorithm: Algorithm) -> Result<(), Error> {
    if app.signer().can_sign(algorithm) {
        return Ok(());
    }
    load(app).await?;
    if !app.signer().can_sign(algorithm) {
        make(app, ctx, algorithm, ctx.now).await?;
    }
    Ok(())
}

/// Makes the next key of an algorithm; of two nodes that try, one succeeds and both know it.
async fn make(app: &App, ctx: &Ctx, algorithm: Algorithm, signs_from: Timestamp) -> Result<(), Error> {
    let env = std::sync::Arc::clone(&app.env);
    let kept = tokio::task::spawn_blocking(move || generate(algorithm, &mut &*env)).await.map_err(|_| Error::Internal("no key could be made"))??;
    let id = SigningKey::restore(algorithm, kept.open())?.id().to_owned();
    let rows = app.store.signing_key_list().await?;
    let number = rows.iter().filter(|row| row.algorithm == algorithm.as_str()).map(|row| row.number).max().unwrap_or(0) + 1;
    let sealed = app.seal_as(PURPOSE, kept.open())?;
    let row = SigningKeyRow { id, algorithm: algorithm.as_str().to_owned(), number, sealed, signs_from, created_at: ctx.now };
    let made = SigningKeyMade::new(&row.id, algorithm.as_str(), signs_from.to_string());
    match app.commit(ctx, made, |c| c.signing_key_insert(&row)).await {
        Ok(()) | Err(Error::Store(tutela_store::Error::Conflict(_))) => load(app).await,
        Err(e) => Err(e),
    }
}

/// Makes the keys that are due, and drops those that no token can be checked with any more.
pub(crate) async fn upkeep(app: &App) -> Result<(), Error> {
    let ctx = Ctx::new(app.env(), Principal::System("keys"));
    let rotation = app.identity.tokens.rotation.duration();
    for algorithm in Algorithm::OURS {
        let keys = app.signer();
        let newest = keys.known(ctx.now).filter(|key| key.key().algorithm() == algorithm).map(TokenKey::from).max();
        let Some(newest) = newest else { continue };
        let next = newest + rotation;
        if ctx.now + LEAD >= next {
            // After a long stop the next one is published as long as any other before it signs.
            make(app, &ctx, algorithm, next.max(ctx.now + LEAD)).await?;
        }
    }
    let keys = app.signer();
    for row in app.store.signing_key_list().await? {
        if keys.until(&row.id).is_some_and(|until| ctx.now >= until + AFTERLIFE) {
            let gone = tutela_store::Changeset::housekeeping(tutela_store::Housekeeping::Sweep).signing_key_delete(&row.id);
            match app.store.commit(gone).await {
                Ok(()) | Err(tutela_store::Error::Conflict(_)) => load(app).await?,
                Err(e) => return Err(e.into()),
            }
        }
    }
    Ok(())
}

/// The keys, newest first.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::SigningKey>, Error> {
    app.permit(ctx, "keys:read").await?;
    let keys = app.signer();
    let shown = |key: &TokenKey| {
        let until = keys.until(key.key().id());
        let state = match until {
            _ if key.from() > ctx.now => "next",
            Some(until) if until <= ctx.now => "retired",
            _ => "active",
        };
        api::SigningKey {
            id: key.key().id().to_owned(),
            algorithm: key.key().algorithm().to_string(),
            state: state.to_owned(),
            signs_from: key.from().to_string(),
            signs_until: until.map(|until| until.to_string()),
        }
    };
    Ok(keys.known(ctx.now).map(shown).collect())
}

/// Has another key sign from now on. Where the old ones are `revoked`, everything that they have signed is worth nothing
/// at once; else they check for two more hours.
pub async fn rotate(app: &App, ctx: &Ctx, wish: api::RotateSigningKey) -> Result<Vec<api::SigningKey>, Error> {
    sign_in::permit_fresh(app, ctx, "keys:write").await?;
    let known = Algorithm::OURS.map(Algorithm::as_str).join(", ");
    let algorithm = Algorithm::parse(&wish.algorithm)
        .filter(|algorithm| Algorithm::OURS.contains(algorithm))
        .ok_or_else(|| Error::invalid("algorithm", format!("`{}` is not among those that we sign with: {known}", wish.algorithm)))?;
    let old: Vec<String> = app.signer().known(ctx.now).filter(|key| key.key().algorithm() == algorithm).map(|key| key.key().id().to_owned()).collect();
    make(app, ctx, algorithm, ctx.now).await?;
    if wish.revoke {
        for id in old {
            app.commit(ctx, SigningKeyRevoked::new(&id, algorithm.as_str()), |c| c.signing_key_delete(&id)).await?;
        }
        load(app).await?;
    }
    list(app, ctx).await
}
