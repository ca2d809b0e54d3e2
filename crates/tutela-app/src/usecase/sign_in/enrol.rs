//! Setting up a second authenticator in the middle of a sign-in, where one is required and there is none.

use serde_json::Value;
use tutela_identity::{AuthenticatorKind, Proof};
use tutela_store::AuthenticatorRow;

use super::{Flow, Next, Progress, Visitor};
use crate::{
    App, Ctx, Error,
    usecase::authenticator::{self, PasskeyOffer, TotpOffer, added, with_recovery},
};

/// Offers a secret for an app.
pub async fn offer_totp(app: &App, ctx: &Ctx, visitor: &Visitor, token: &str) -> Result<TotpOffer, Error> {
    let flow = asked(app, ctx, visitor, token, AuthenticatorKind::Totp).await?;
    authenticator::totp_offer(app, ctx, flow.account().id, flow.account().email.as_str())
}

/// Takes the first code of the app; it is the second proof too.
pub async fn enrol_totp(app: &App, ctx: &Ctx, visitor: &Visitor, token: &str, sealed: &str, code: &str, name: &str) -> Result<Progress, Error> {
    let flow = asked(app, ctx, visitor, token, AuthenticatorKind::Totp).await?;
    let row = authenticator::totp_row(app, ctx, flow.account().id, sealed, code, name)?;
    set_up(flow, row, Proof::of(AuthenticatorKind::Totp, ctx.now)).await
}

/// Offers a passkey.
pub async fn offer_passkey(app: &App, ctx: &Ctx, visitor: &Visitor, token: &str) -> Result<PasskeyOffer, Error> {
    let flow = asked(app, ctx, visitor, token, AuthenticatorKind::Passkey).await?;
    authenticator::passkey_offer(app, ctx, &flow.person)
}

/// Takes the passkey that the browser made; making it verified the person.
pub async fn enrol_passkey(app: &App, ctx: &Ctx, visitor: &Visitor, token: &str, sealed: &str, answer: &Value, name: &str) -> Result<Progress, Error> {
    let flow = asked(app, ctx, visitor, token, AuthenticatorKind::Passkey).await?;
    let row = authenticator::passkey_row(app, ctx, flow.account().id, sealed, answer, name).await?;
    let proof = Proof { user_verified: true, synced: true, ..Proof::of(AuthenticatorKind::Passkey, ctx.now) };
    set_up(flow, row, proof).await
}

async fn asked<'a>(app: &'a App, ctx: &'a Ctx, visitor: &'a Visitor, token: &str, kind: AuthenticatorKind) -> Result<Flow<'a>, Error> {
    let flow = Flow::resume(app, ctx, visitor, token).await?;
    match flow.standing().next {
        Next::Enrol(kinds) if kinds.contains(&kind) => Ok(flow),
        _ => Err(Error::Conflict("this sign-in does not ask for that; begin again".into())),
    }
}

async fn set_up(mut flow: Flow<'_>, row: AuthenticatorRow, proof: Proof) -> Result<Progress, Error> {
    let (rows, codes) = with_recovery(flow.app, flow.ctx, &flow.person, row).await?;
    let (events, change) = added(flow.app, flow.ctx, &flow.person, rows.clone()).await?;
    flow.recovery_codes = codes;
    flow.person.authenticators.extend(rows);
    flow.events_of(events);
    flow.with(change);
    flow.prove(proof).await
}
