//! Signing in with a passkey: as the only proof, or as the second one. Wrong passwords never stand in its way.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tutela_core::{AccountId, Timestamp};
use tutela_identity::{
    AuthenticatorKind, Proof,
    authenticator::{PasskeyRefused, PasskeyUsed},
    event::AuthenticatorCloned,
};
use tutela_store::{AuthenticatorRow, Changeset};

use super::{Flow, Next, Person, Progress, Visitor, password::failed, unseal_passkeys};
use crate::{
    App, Ctx, Error,
    usecase::authenticator::{PasskeyOffer, off},
};

const PURPOSE: &[u8] = b"passkey sign-in";
/// What a person reads whose passkey was refused.
const REFUSED: &str = "This passkey was not accepted. Try again, or sign in another way.";

#[derive(Serialize, Deserialize)]
struct Asked {
    /// Whose passkeys are asked for; anybody's where none.
    account: Option<AccountId>,
    until: Timestamp,
    state: String,
}

/// Asks whatever passkey the browser has; nothing is written for it.
pub fn offer_passkey(app: &App, ctx: &Ctx) -> Result<PasskeyOffer, Error> {
    let (options, state) = app.passkeys.as_ref().ok_or_else(off)?.begin_sign_in_discoverable(ctx.now)?;
    seal(app, ctx, None, options, &state)
}

/// Asks for a passkey of whoever is signing in.
pub async fn offer_passkey_as_second(app: &App, ctx: &Ctx, visitor: &Visitor, token: &str) -> Result<PasskeyOffer, Error> {
    let flow = Flow::resume(app, ctx, visitor, token).await?;
    let passkeys = unseal_passkeys(app, flow.person.of_kind(AuthenticatorKind::Passkey))?;
    let account = flow.account().id;
    let (options, state) = app.passkeys.as_ref().ok_or_else(off)?.begin_sign_in(account, &passkeys, ctx.now)?;
    seal(app, ctx, Some(account), options, &state)
}

fn seal(app: &App, ctx: &Ctx, account: Option<AccountId>, options: Value, state: &[u8]) -> Result<PasskeyOffer, Error> {
    let asked = Asked { account, until: ctx.now + std::time::Duration::from_secs(300), state: BASE64.encode(state) };
    Ok(PasskeyOffer { options, sealed: app.seal_as(PURPOSE, &asked)? })
}

/// Takes the browser's answer. `token` is that of a sign-in under way, where the passkey is its second proof.
pub async fn finish_passkey(app: &App, ctx: &Ctx, visitor: &Visitor, token: Option<&str>, sealed: &str, answer: &Value) -> Result<Progress, Error> {
    let refused = || Error::Unauthenticated(REFUSED);
    let site = app.passkeys.as_ref().ok_or_else(off)?;
    let asked: Asked = app.open_as(PURPOSE, sealed).ok_or_else(refused)?;
    let state = BASE64.decode(&asked.state).map_err(|_| refused())?;
    let mut flow = match token {
        Some(token) => Flow::resume(app, ctx, visitor, token).await?,
        None => {
            let account = site.account_of(answer).map_err(|_| refused())?;
            Flow::first(app, ctx, visitor, Person::load(app, account, visitor.device.as_deref()).await?.ok_or_else(refused)?)
        }
    };
    let second = token.is_some();
    if second && !matches!(flow.standing().next, Next::Challenge(kinds) if kinds.contains(&AuthenticatorKind::Passkey)) {
        return Err(Error::Conflict("this sign-in does not ask for a passkey; begin again".into()));
    }
    if asked.account.is_some() != second || asked.account.is_some_and(|id| id != flow.account().id) {
        return Err(refused());
    }
    let rows: Vec<AuthenticatorRow> = flow.person.of_kind(AuthenticatorKind::Passkey).cloned().collect();
    let passkeys = unseal_passkeys(app, rows.iter())?;
    let used = match site.finish_sign_in(&state, answer, &passkeys, ctx.now) {
        Ok(used) => used,
        Err(why) => return refuse(&flow, why).await,
    };
    let row = rows.into_iter().find(|row| row.handle.as_deref() == Some(&used.credential_id)).ok_or_else(refused)?;
    let secret = match &used.updated {
        Some(updated) => app.seal_secret(row.account, row.id, updated.text.as_bytes())?,
        None => row.secret.clone(),
    };
    // The challenge is used up with this commit: an answer that was recorded is worth nothing.
    let (spent, until, now) = (app.keyed_hash(b"challenge", &state), asked.until, ctx.now);
    flow.with(move |changeset: Changeset| changeset.authenticator_use(&row, &secret, row.counter + 1, now).challenge_spend(spent, until));
    let PasskeyUsed { user_verified, backed_up, .. } = used;
    match flow.prove(Proof { user_verified, synced: backed_up, ..Proof::of(AuthenticatorKind::Passkey, ctx.now) }).await {
        Err(Error::Store(tutela_store::Error::Conflict(_))) => Err(refused()),
        done => done,
    }
}

async fn refuse(flow: &Flow<'_>, why: PasskeyRefused) -> Result<Progress, Error> {
    let (app, ctx, account) = (flow.app, flow.ctx, flow.account());
    if why == PasskeyRefused::Cloned {
        app.commit(ctx, AuthenticatorCloned::new(account.id, "passkey"), |c| c).await?;
    }
    failed(app, ctx, Some(account), account.email.as_str(), why.as_str(), &[]).await?;
    Err(Error::Unauthenticated(REFUSED))
}
