//! The second proof by a code: of an app, one that was sent, or one of the list.

use tutela_core::Secret;
use tutela_identity::{
    AuthenticatorKind, Proof,
    authenticator::{RecoveryCode, RecoverySet, Step, TotpRefused, TotpSecret},
};
use tutela_limits::Refused;
use tutela_store::{AuthenticatorRow, Changeset};

use super::{
    CODE_REFUSED, Flow, Person, Progress, Visitor,
    attempts::{self, NotReserved, Reserved, Scope},
    password::failed,
};
use crate::{App, Ctx, Error};

/// Proves a code of an app, or one that was sent by SMS or mail.
pub async fn code(app: &App, ctx: &Ctx, visitor: &Visitor, token: &str, kind: AuthenticatorKind, typed: &str, remember: bool) -> Result<Progress, Error> {
    let mut flow = Flow::asked(app, ctx, visitor, token, kind).await?;
    flow.remember = remember;
    let reserved = count(app, ctx, &flow, kind).await?;
    let checked = match kind {
        AuthenticatorKind::Totp => totp(&mut flow, typed).await?,
        AuthenticatorKind::Email | AuthenticatorKind::Sms => sent(&mut flow, kind, typed).await?,
        AuthenticatorKind::Outside | AuthenticatorKind::Passkey | AuthenticatorKind::Password | AuthenticatorKind::Recovery => Err("wrong_kind"),
    };
    settle(flow, reserved, kind, checked).await
}

/// Proves one of the recovery codes; it is struck out.
pub async fn recovery(app: &App, ctx: &Ctx, visitor: &Visitor, token: &str, typed: &str) -> Result<Progress, Error> {
    let kind = AuthenticatorKind::Recovery;
    let mut flow = Flow::asked(app, ctx, visitor, token, kind).await?;
    let reserved = count(app, ctx, &flow, kind).await?;
    let checked = strike(&mut flow, typed).await?;
    settle(flow, reserved, kind, checked).await
}

/// Counts the attempt before anything is compared.
async fn count(app: &App, ctx: &Ctx, flow: &Flow<'_>, kind: AuthenticatorKind) -> Result<Reserved, Error> {
    let scope = Scope::Code(flow.account().id, kind);
    let address = ctx.ip.as_ref().map(|ip| Scope::Address(*ip.open()));
    match attempts::reserve(app, ctx, [scope].into_iter().chain(address).collect()).await {
        Ok(reserved) => Ok(reserved),
        Err(NotReserved::Failed(e)) => Err(e),
        Err(NotReserved::Full(_, refused)) => {
            failed(app, ctx, Some(flow.account()), flow.account().email.as_str(), "locked", &[]).await?;
            // Whoever gets here has proven the password, so nothing is given away.
            Err(match refused {
                Refused::Locked { until } => Error::TooMany { after: until.since(ctx.now) },
                Refused::Exhausted => {
                    Error::Conflict("too many codes were wrong in a row; sign in another way, or ask an administrator to unlock this one".into())
                }
            })
        }
    }
}

/// Goes on after a right code; a wrong one is recorded and refused.
async fn settle(mut flow: Flow<'_>, reserved: Reserved, kind: AuthenticatorKind, checked: Result<(), &'static str>) -> Result<Progress, Error> {
    if let Err(reason) = checked {
        failed(flow.app, flow.ctx, Some(flow.account()), flow.account().email.as_str(), reason, &reserved.locks).await?;
        return Err(Error::Unauthenticated(CODE_REFUSED));
    }
    let proof = Proof::of(kind, flow.ctx.now);
    flow.counted(reserved);
    match flow.prove(proof).await {
        // The same code was faster on another node, or in another window.
        Err(Error::Store(tutela_store::Error::Conflict(_))) => Err(Error::Unauthenticated(CODE_REFUSED)),
        done => done,
    }
}

async fn totp(flow: &mut Flow<'_>, typed: &str) -> Result<Result<(), &'static str>, Error> {
    match matching_totp(flow.app, flow.ctx, &flow.person, typed)? {
        Ok(used) => flow.with(used),
        Err(refused) => return Ok(Err(refused.as_str())),
    }
    Ok(Ok(()))
}

/// Checks a code of a person's app outside of a sign-in; it is counted like one. Gives what uses it up.
pub(crate) async fn check_totp(app: &App, ctx: &Ctx, person: &Person, typed: &str) -> Result<Used, Error> {
    let reserved = attempts::reserve_one(app, ctx, Scope::Code(person.account.id, AuthenticatorKind::Totp)).await?;
    match matching_totp(app, ctx, person, typed)? {
        Ok(used) => Ok(used),
        Err(refused) => {
            failed(app, ctx, Some(&person.account), person.account.email.as_str(), refused.as_str(), &reserved.locks).await?;
            Err(Error::invalid("code", CODE_REFUSED))
        }
    }
}

/// What uses up a right code, in the commit it is for.
pub(crate) type Used = Box<dyn FnOnce(Changeset) -> Changeset + Send + Sync>;

fn matching_totp(app: &App, ctx: &Ctx, person: &Person, typed: &str) -> Result<Result<Used, TotpRefused>, Error> {
    let now = ctx.now;
    let mut refused = TotpRefused::Wrong;
    let mut right: Option<(AuthenticatorRow, Step)> = None;
    for row in person.of_kind(AuthenticatorKind::Totp) {
        let secret = totp_secret(app, row)?;
        let last = (row.counter > 0).then_some(Step(row.counter));
        match secret.verify(typed, now, last) {
            Ok(step) => right = Some((row.clone(), step)),
            Err(e) if e != TotpRefused::Wrong => refused = e,
            Err(_) => {}
        }
    }
    let Some((row, step)) = right else { return Ok(Err(refused)) };
    Ok(Ok(Box::new(move |changeset: Changeset| changeset.authenticator_use(&row, &row.secret, step.0, now))))
}

/// The secret of an app.
pub(crate) fn totp_secret(app: &App, row: &AuthenticatorRow) -> Result<TotpSecret, Error> {
    let bytes: Secret<Vec<u8>> = app.unseal_secret(row)?;
    let bytes: [u8; 20] = bytes.open().as_slice().try_into().map_err(|_| Error::Internal("a stored TOTP secret has not 20 bytes"))?;
    Ok(TotpSecret::from_stored(bytes))
}

/// Compares a sent code. What a try makes of it is written before the answer, in the version it was read in: parallel
/// guesses are counted one by one.
async fn sent(flow: &mut Flow<'_>, kind: AuthenticatorKind, typed: &str) -> Result<Result<(), &'static str>, Error> {
    let (app, now) = (flow.app, flow.ctx.now);
    let id = flow.row.sign_in.id.to_string();
    let Some((_, code)) = flow.row.code.as_mut().filter(|(by, _)| *by == kind) else { return Ok(Err("no_code")) };
    let taken = code.take(typed, &app.sign_in_key, &[&id, kind.as_str()], now);
    app.store.commit(Changeset::sign_in_step().sign_in_code(&flow.row)).await?;
    flow.row.version += 1;
    Ok(taken.map_err(|refused| refused.as_str()))
}

async fn strike(flow: &mut Flow<'_>, typed: &str) -> Result<Result<(), &'static str>, Error> {
    let (app, now) = (flow.app, flow.ctx.now);
    let Some(code) = RecoveryCode::parse(typed) else { return Ok(Err("wrong_recovery_code")) };
    let Some(row) = flow.person.of_kind(AuthenticatorKind::Recovery).next().cloned() else { return Ok(Err("wrong_recovery_code")) };
    let set = RecoverySet::parse(&row.secret)?;
    let (set, index) = app.hasher.run(move || set.verify(&code).map(|index| (set, index))).await?;
    let Some(index) = index else { return Ok(Err("wrong_recovery_code")) };
    let struck = set.strike(index);
    let left = i64::try_from(struck.left()).unwrap_or(0);
    flow.with(move |changeset: Changeset| changeset.authenticator_use(&row, &struck.to_text(), left, now));
    Ok(Ok(()))
}
