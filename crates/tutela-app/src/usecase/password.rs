//! Passwords outside of signing in: accepted, changed, reset with a mailed link, and the reminder that they are old.

use std::sync::Arc;

use tutela_core::{AccountId, Secret, Timestamp};
use tutela_identity::{
    Account, AccountState, Email, PasswordHash, SessionEndReason, Strength,
    event::{PasswordChanged, PasswordReminderDismissed, PasswordReset, PasswordResetRequested},
    password::{PasswordAge, normalize},
};
use tutela_kms::{open_token, seal_token};
use tutela_store::{PasswordRow, SealedPassword};

use crate::{
    App, Ctx, Error, text,
    usecase::{
        link::{self, Purpose},
        message,
        session::{self, Ending},
        sign_in::{self, Person, Visitor, attempts, send, when_text},
    },
};

const PURPOSE: &[u8] = b"password";

/// Hashes a password that may be one for `account` from now on: long enough, not guessable, not known from a breach.
pub(crate) async fn accept(app: &App, ctx: &Ctx, account: &Account, chosen: Secret<String>) -> Result<SealedPassword, Error> {
    let context = [account.email.as_str(), &account.name, app.own_host()];
    let chosen = normalize_bounded(&chosen)?;
    let breached = app.breaches.ask(&chosen)?;
    app.identity.password_policy().check(chosen.open(), &context, breached)?;
    let hash = app.hasher.create(chosen, Arc::clone(&app.env)).await?;
    seal(app, account.id, ctx.now, &hash)
}

/// Seals a hash with whose it is and since when (SP 800-63B-4 §3.1.1.2 asks for a key beside the hash).
pub(crate) fn seal(app: &App, account: AccountId, since: Timestamp, hash: &PasswordHash) -> Result<SealedPassword, Error> {
    let bytes = Secret::new([bound(account, since).as_slice(), hash.as_str().as_bytes()].concat());
    Ok(SealedPassword(seal_token(app.sealer.root(), PURPOSE, bytes.open(), &mut { app.env() })?))
}

/// Opens the hash of an account. One that was written by somebody else, for somebody else, or with another date beside
/// it does not open: no password fits it, and the log says so.
pub(crate) fn open(app: &App, account: AccountId, row: &PasswordRow) -> Option<PasswordHash> {
    let (sealed, since) = (row.sealed.as_ref()?, row.changed_at?);
    let bytes = open_token(app.sealer.root(), PURPOSE, &sealed.0).ok().map(Secret::new);
    let hash = bytes.and_then(|bytes| String::from_utf8(bytes.open().strip_prefix(bound(account, since).as_slice())?.to_vec()).ok());
    if hash.is_none() {
        tracing::error!(%account, "the stored password of an account was not written by this instance; it lets nobody in");
    }
    hash.map(PasswordHash::from_stored)
}

fn bound(account: AccountId, since: Timestamp) -> [u8; 24] {
    let mut out = [0; 24];
    out[..16].copy_from_slice(account.0.as_bytes());
    out[16..].copy_from_slice(&since.micros().to_be_bytes());
    out
}

/// How good a password would be, for a meter.
pub fn strength(app: &App, chosen: &Secret<String>) -> Result<Strength, Error> {
    let chosen = normalize_bounded(chosen)?;
    let breached = app.breaches.ask(&chosen)?;
    Ok(app.identity.password_policy().strength(chosen.open(), &[app.own_host()], breached))
}

fn normalize_bounded(chosen: &Secret<String>) -> Result<Secret<String>, Error> {
    let most = tutela_identity::PASSWORD_MAX;
    if chosen.open().len() > most {
        return Err(Error::invalid("password", format!("a password has at most {most} bytes; all of them count")));
    }
    Ok(normalize(chosen.open()))
}

/// Fewest characters of a password here.
pub fn minimum(app: &App) -> u64 {
    app.identity.password_policy().min_length as u64
}

/// Changes the caller's password. The old one is asked for and counted like a sign-in; other sessions end.
pub async fn change(app: &App, ctx: &Ctx, visitor: &Visitor, old: Secret<String>, new: Secret<String>) -> Result<(), Error> {
    let id = session::own_account(ctx)?;
    sign_in::require_fresh(app, ctx, sign_in::Needed::Fresh).await?;
    let person = Person::load(app, id, visitor.device.as_deref()).await?.ok_or(Error::NotFound("account"))?;
    let reserved = attempts::reserve_one(app, ctx, person.password_scope()).await?;
    let (account, hash) = (person.account, person.hash);
    let was = person.password.sealed.ok_or(Error::Conflict("this account has no password yet".into()))?;
    let old = normalize_bounded(&old)?;
    if !app.hasher.verify(old, hash).await? {
        sign_in::failed(app, ctx, Some(&account), account.email.as_str(), "wrong_password", &reserved.locks).await?;
        return Err(Error::invalid("old_password", "this is not your password"));
    }
    let hash = accept(app, ctx, &account, new).await?;
    let mail = message::mail(app, ctx, account.email.as_str(), &text::Mail::PasswordChanged { when: &when_text(ctx.now) }, None)?;
    let (ended, ending) = session::ending(app, ctx, id, Ending::AllBut(ctx.principal.session()), SessionEndReason::PasswordChanged).await?;
    app.commit(ctx, PasswordChanged::new(id, ended), |changeset| {
        let changeset = ending(changeset);
        let changeset = reserved.clear(app, changeset).account_confirm_password(id, &was, None);
        mail(changeset.account_set_password(id, &hash, ctx.now).device_forget_all(id).sign_in_end_by_account(id))
    })
    .await?;
    app.forget(id.0);
    Ok(())
}

/// Mails a link to reset a password, if there is such an account. The answer is the same where there is none.
pub async fn request_reset(app: &App, ctx: &Ctx, email: &str) -> Result<(), Error> {
    if app.mail.is_none() {
        return Err(Error::Conflict("this server sends no mail; ask an administrator for a set-up link".into()));
    }
    let parsed = Email::parse(email)?;
    // Counted for whatever address was typed, so that a refusal says nothing about accounts.
    send::allow(app, ctx, None, parsed.as_str(), "mail").await?;
    let found = app.store.account_get_by_email(&parsed).await?.map(|(account, _)| account).filter(|a| a.state != AccountState::Disabled);
    let requested = PasswordResetRequested::new(found.as_ref().map(|a| a.id), parsed.as_str());
    let Some(account) = found else { return app.commit(ctx, requested, |c| c).await };
    let made = link::make(app, ctx, Purpose::Reset, Some(account.id), None)?;
    let mail = message::mail(app, ctx, account.email.as_str(), &text::Mail::Reset { url: &made.url }, Some(made.row.row.expires_at))?;
    app.commit(ctx, requested, |c| mail(c.link_retire(Purpose::Reset.as_str(), Some(account.id), ctx.now).link_insert(&made.row))).await
}

/// Whether a reset link is good; looking uses nothing up, because mail scanners look too.
pub async fn find_reset(app: &App, ctx: &Ctx, token: &str) -> Result<(), Error> {
    link::find(app, ctx, Purpose::Reset, token).await.map(|_| ())
}

/// Sets a password with a mailed link. All sessions end; every other way to sign in stays, and is asked for.
pub async fn reset(app: &App, ctx: &Ctx, token: &str, chosen: Secret<String>) -> Result<(), Error> {
    let (row, _) = link::find(app, ctx, Purpose::Reset, token).await?;
    let id = row.account.ok_or(Error::NotFound("account"))?;
    let account = app.store.account_get(id).await?.filter(|a| a.state != AccountState::Disabled).ok_or(Error::NotFound("account"))?;
    let hash = accept(app, ctx, &account, chosen).await?;
    let mail = message::mail(app, ctx, account.email.as_str(), &text::Mail::PasswordChanged { when: &when_text(ctx.now) }, None)?;
    let (ended, ending) = session::ending(app, ctx, id, Ending::AllBut(None), SessionEndReason::PasswordChanged).await?;
    app.commit(ctx, PasswordReset::new(id, ended), |changeset| {
        let changeset = ending(changeset).link_use(row.id, ctx.now).account_verify_email(id, &account.email, ctx.now).account_activate(id);
        let changeset = changeset.account_set_password(id, &hash, ctx.now);
        let changeset = changeset.account_set_mail_reset(id, Some(ctx.now));
        mail(changeset.device_forget_all(id).sign_in_end_by_account(id))
    })
    .await?;
    app.forget(id.0);
    Ok(())
}

/// Whether the caller's password is old enough for a reminder that was not put off.
pub async fn is_reminder_due(app: &App, ctx: &Ctx) -> Result<bool, Error> {
    let row = app.store.account_get_password(session::own_account(ctx)?).await?.unwrap_or_default();
    let policy = app.identity.password_policy();
    let old = |at| policy.age(at, ctx.now) != PasswordAge::Fresh;
    // Put off, it comes again after as long as the password may be old.
    Ok(row.changed_at.is_some_and(old) && row.reminded_at.is_none_or(old))
}

/// Puts the reminder off.
pub async fn dismiss_reminder(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let id = session::own_account(ctx)?;
    app.commit(ctx, PasswordReminderDismissed::new(id), |c| c.account_reminded(id, ctx.now)).await
}
