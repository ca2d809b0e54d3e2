//! `Idempotency-Key`: the same request sent twice happens once, and is answered twice.

use std::time::Duration;

use tutela_core::Principal;
use tutela_kms::{open_token, seal_token};
use tutela_store::Changeset;

use crate::{App, Ctx, Error};

const PURPOSE: &[u8] = b"idempotent answer";
/// How long an answer is kept.
const LIFE: Duration = Duration::from_secs(86_400);

/// What to do with a request that carries a key.
pub enum Begun {
    /// Run it, then call [`finish`] or [`give_back`].
    Run([u8; 32]),
    /// It ran before; this is its answer: status, content type, body.
    Repeat(u16, String, Vec<u8>),
}

/// Reserves `key` of this caller for the request with `fingerprint`.
pub async fn begin(app: &App, ctx: &Ctx, key: &str, fingerprint: &[u8]) -> Result<Begun, Error> {
    if key.is_empty() || key.len() > 128 || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::invalid("Idempotency-Key", "a key has 1 to 128 visible ASCII characters, for example a UUID"));
    }
    let caller = match &ctx.principal {
        Principal::Account { id, .. } => id.to_string(),
        Principal::Client { id, .. } => id.to_string(),
        Principal::Operator { uid } => format!("operator:{uid}"),
        Principal::Anonymous | Principal::System(_) => return Err(Error::Unauthenticated("this needs a session or an API key")),
    };
    let key_hash = tutela_ledger::leaf_hash(format!("{caller}\0{key}").as_bytes());
    // Keyed: a request may hold a password, and what anybody can hash anybody can guess.
    let request_hash = app.keyed_hash(b"idempotent request", fingerprint);
    match app.store.commit(Changeset::idempotency_reserve(key_hash, request_hash, ctx.now + LIFE, ctx.now)).await {
        Ok(()) => return Ok(Begun::Run(key_hash)),
        Err(tutela_store::Error::Conflict(_)) => {}
        Err(e) => return Err(e.into()),
    }
    let running = || Error::Conflict("a request with this idempotency key is still running; try again in a moment".into());
    let stored = app.store.idempotency_get(key_hash, ctx.now).await?.ok_or_else(running)?;
    if stored.request_hash != request_hash {
        return Err(Error::invalid("Idempotency-Key", "this key was used with another request; use a new key for each request"));
    }
    let (status, content_type, sealed) = stored.answer.ok_or_else(running)?;
    let body = open_token(app.sealer.root(), PURPOSE, &String::from_utf8_lossy(&sealed))?;
    Ok(Begun::Repeat(status, content_type, body))
}

/// Keeps the answer for the next time, sealed: it may hold an API key or a one-time link.
pub async fn finish(app: &App, key: [u8; 32], status: u16, content_type: &str, body: &[u8]) -> Result<(), Error> {
    let sealed = seal_token(app.sealer.root(), PURPOSE, body, &mut { app.env() })?;
    Ok(app.store.commit(Changeset::idempotency_fill(key, status, content_type, sealed.into_bytes())).await?)
}

/// Gives the key back, because the request failed for a reason that may pass.
pub async fn give_back(app: &App, key: [u8; 32]) -> Result<(), Error> {
    Ok(app.store.commit(Changeset::idempotency_drop(key)).await?)
}
