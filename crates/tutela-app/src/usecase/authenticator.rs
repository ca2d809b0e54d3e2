//! Ways to sign in, seen from their owner: set up, name, remove, and the list of recovery codes.
//!
//! Secrets are sealed under the root key together with whose they are, so that a row that was copied to
//! another account does not open. Every change asks for a fresh sign-in, is an event, and is told by mail.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tutela_core::{AccountId, AuthenticatorId, Secret, Timestamp};
use tutela_identity::{
    AuthenticatorKind, SessionEndReason,
    authenticator::{RecoveryCode, RecoverySet, TotpSecret, svg},
    event::{AuthenticatorAdded, AuthenticatorRemoved},
};
use tutela_kms::{open_token, seal_token};
use tutela_store::{AuthenticatorRow, Changeset};

use crate::{
    App, Ctx, Error, text,
    usecase::{
        message,
        session::{self, Ending},
        sign_in::{self, Person, attempts, attempts::Scope, unseal_passkeys},
    },
};

/// How long an offer to set something up is good.
const OFFER: Duration = Duration::from_secs(900);
const TOTP_OFFER: &[u8] = b"totp offer";
const PASSKEY_OFFER: &[u8] = b"passkey offer";
/// Most of one kind that an account has.
const MOST: usize = 20;

/// A secret for an app, not yet proven.
pub struct TotpOffer {
    /// To be typed: groups of four letters.
    pub secret: Secret<String>,
    /// For a link on the device itself.
    pub uri: Secret<String>,
    /// The same as a QR code.
    pub svg: String,
    /// What comes back with the first code.
    pub sealed: String,
}

/// The first half of setting up a passkey.
pub struct PasskeyOffer {
    /// For `navigator.credentials.create()` or `get()`.
    pub options: Value,
    /// What comes back with the answer.
    pub sealed: String,
}

#[derive(Serialize, Deserialize)]
struct Offered {
    account: Option<AccountId>,
    until: Timestamp,
    what: String,
}

/// A way to sign in as its owner sees it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its id.
    pub id: AuthenticatorId,
    /// `passkey`, `recovery` or `totp`.
    pub kind: AuthenticatorKind,
    /// Its name.
    pub name: String,
    /// Codes left, where it is a list of them.
    pub left: Option<i64>,
    /// When it was set up.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

// === Sealing ===

impl App {
    /// Seals what an authenticator is verified with, bound to whose it is.
    pub(crate) fn seal_secret(&self, account: AccountId, id: AuthenticatorId, secret: &[u8]) -> Result<String, Error> {
        let bytes = Secret::new([account.0.as_bytes(), id.0.as_bytes(), secret].concat());
        Ok(seal_token(self.sealer.root(), b"authenticator", bytes.open(), &mut { self.env() })?)
    }

    /// Opens it; a row of another account or id does not open.
    pub(crate) fn unseal_secret(&self, row: &AuthenticatorRow) -> Result<Secret<Vec<u8>>, Error> {
        let foreign = || Error::Internal("a stored authenticator belongs to another row");
        let bytes = Secret::new(open_token(self.sealer.root(), b"authenticator", &row.secret)?);
        let secret = bytes.open().strip_prefix(row.account.0.as_bytes()).and_then(|rest| rest.strip_prefix(row.id.0.as_bytes())).ok_or_else(foreign)?;
        Ok(Secret::new(secret.to_vec()))
    }

    fn seal_offer(&self, ctx: &Ctx, purpose: &[u8], account: Option<AccountId>, what: String) -> Result<String, Error> {
        let offered = Offered { account, until: ctx.now + OFFER, what };
        self.seal_as(purpose, &offered)
    }

    fn take_offer(&self, ctx: &Ctx, purpose: &[u8], account: Option<AccountId>, sealed: &str) -> Result<String, Error> {
        let stale = || Error::invalid("offer", "it took too long, or was begun by somebody else; begin again");
        let offered: Offered = self.open_as(purpose, sealed).ok_or_else(stale)?;
        if ctx.now >= offered.until || offered.account != account {
            return Err(stale());
        }
        Ok(offered.what)
    }
}

// === Making rows ===

/// A new secret for an app of `account`.
pub(crate) fn totp_offer(app: &App, ctx: &Ctx, account: AccountId, email: &str) -> Result<TotpOffer, Error> {
    let secret = TotpSecret::new(&mut { app.env() });
    let uri = secret.uri(app.own_host(), email);
    let svg = svg(uri.open(), "QR code for your app").map_err(Error::from)?;
    let sealed = app.seal_offer(ctx, TOTP_OFFER, Some(account), BASE64.encode(secret.open()))?;
    Ok(TotpOffer { secret: secret.text(), uri, svg, sealed })
}

/// The row of an offered secret, once a code proves that the app has it.
pub(crate) fn totp_row(app: &App, ctx: &Ctx, account: AccountId, sealed: &str, code: &str, name: &str) -> Result<AuthenticatorRow, Error> {
    let bytes = BASE64.decode(app.take_offer(ctx, TOTP_OFFER, Some(account), sealed)?).unwrap_or_default();
    let bytes: [u8; 20] = bytes.try_into().map_err(|_| Error::Internal("an offered TOTP secret has not 20 bytes"))?;
    let wrong = |_| Error::invalid("code", "the code does not fit; look at the app again, and at the clock of its device");
    let step = TotpSecret::from_stored(bytes).verify(code, ctx.now, None).map_err(wrong)?;
    let id = AuthenticatorId::new(ctx.now, &mut { app.env() });
    let secret = app.seal_secret(account, id, &bytes)?;
    let name = named(name, "App")?;
    Ok(AuthenticatorRow { id, account, kind: AuthenticatorKind::Totp, name, handle: None, secret, counter: step.0, created_at: ctx.now, last_used_at: None })
}

/// A new list of recovery codes; they are shown once.
pub(crate) async fn recovery_row(app: &App, ctx: &Ctx, account: AccountId) -> Result<(AuthenticatorRow, Vec<Secret<String>>), Error> {
    let (cost, env) = (app.hasher.cost(), std::sync::Arc::clone(&app.env));
    let (set, codes) = app.hasher.run(move || RecoverySet::create(cost, &mut { &*env })).await?;
    let id = AuthenticatorId::new(ctx.now, &mut { app.env() });
    let row = AuthenticatorRow {
        id,
        account,
        kind: AuthenticatorKind::Recovery,
        name: "Recovery codes".into(),
        handle: None,
        secret: set.to_text(),
        counter: i64::try_from(set.left()).unwrap_or(0),
        created_at: ctx.now,
        last_used_at: None,
    };
    Ok((row, codes.iter().map(RecoveryCode::text).collect()))
}

/// What a browser makes a passkey from.
pub(crate) fn passkey_offer(app: &App, ctx: &Ctx, person: &Person) -> Result<PasskeyOffer, Error> {
    let site = app.passkeys.as_ref().ok_or_else(off)?;
    let existing = unseal_passkeys(app, person.of_kind(AuthenticatorKind::Passkey))?;
    let account = &person.account;
    let (options, state) = site.begin_registration(account.id, account.email.as_str(), &account.name, &existing, ctx.now)?;
    let sealed = app.seal_offer(ctx, PASSKEY_OFFER, Some(account.id), BASE64.encode(state))?;
    Ok(PasskeyOffer { options, sealed })
}

/// The row of a passkey that a browser has made.
pub(crate) async fn passkey_row(app: &App, ctx: &Ctx, account: AccountId, sealed: &str, answer: &Value, name: &str) -> Result<AuthenticatorRow, Error> {
    let site = app.passkeys.as_ref().ok_or_else(off)?;
    let state = BASE64.decode(app.take_offer(ctx, PASSKEY_OFFER, Some(account), sealed)?).unwrap_or_default();
    let made = site.finish_registration(account, &state, answer, ctx.now).map_err(|e| Error::invalid("passkey", e.to_string()))?;
    if app.store.authenticator_get_by_handle(&made.credential_id).await?.is_some() {
        return Err(Error::Conflict("this passkey is set up already".into()));
    }
    let id = AuthenticatorId::new(ctx.now, &mut { app.env() });
    let secret = app.seal_secret(account, id, made.text.as_bytes())?;
    let (name, handle) = (named(name, "Passkey")?, Some(made.credential_id));
    Ok(AuthenticatorRow { id, account, kind: AuthenticatorKind::Passkey, name, handle, secret, counter: 0, created_at: ctx.now, last_used_at: None })
}

pub(crate) fn off() -> Error {
    Error::Conflict("passkeys are switched off (`identity.passkeys`)".into())
}

fn named(name: &str, otherwise: &str) -> Result<String, Error> {
    if name.trim().is_empty() { Ok(otherwise.to_owned()) } else { Ok(tutela_identity::display_name(name)?) }
}

// === What the owner does ===

/// The caller's own.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<Shown>, Error> {
    let account = session::own_account(ctx)?;
    Ok(app.store.authenticator_list(account).await?.iter().map(shown).collect())
}

fn shown(row: &AuthenticatorRow) -> Shown {
    let left = (row.kind == AuthenticatorKind::Recovery).then_some(row.counter);
    Shown { id: row.id, kind: row.kind, name: row.name.clone(), left, created_at: row.created_at, last_used_at: row.last_used_at }
}

/// Offers the caller a secret for an app.
pub async fn offer_totp(app: &App, ctx: &Ctx) -> Result<TotpOffer, Error> {
    let person = own(app, ctx).await?;
    if !app.offers(AuthenticatorKind::Totp) {
        return Err(Error::Conflict("codes of an app are switched off (`identity.mfa.providers`)".into()));
    }
    totp_offer(app, ctx, person.account.id, person.account.email.as_str())
}

/// Sets up an app for the caller. Gives recovery codes with the first second factor.
pub async fn add_totp(app: &App, ctx: &Ctx, sealed: &str, code: &str, name: &str) -> Result<Vec<Secret<String>>, Error> {
    let person = own(app, ctx).await?;
    let account = person.account.id;
    attempts::reserve_one(app, ctx, Scope::Code(account, AuthenticatorKind::Totp)).await?;
    let row = totp_row(app, ctx, account, sealed, code, name)?;
    add(app, ctx, &person, row).await
}

/// Offers the caller a passkey.
pub async fn offer_passkey(app: &App, ctx: &Ctx) -> Result<PasskeyOffer, Error> {
    passkey_offer(app, ctx, &own(app, ctx).await?)
}

/// Sets up a passkey for the caller. Gives recovery codes with the first second factor.
pub async fn add_passkey(app: &App, ctx: &Ctx, sealed: &str, answer: &Value, name: &str) -> Result<Vec<Secret<String>>, Error> {
    let person = own(app, ctx).await?;
    let row = passkey_row(app, ctx, person.account.id, sealed, answer, name).await?;
    add(app, ctx, &person, row).await
}

/// New recovery codes in place of the old ones.
pub async fn renew_recovery(app: &App, ctx: &Ctx) -> Result<Vec<Secret<String>>, Error> {
    let person = own(app, ctx).await?;
    let (row, codes) = recovery_row(app, ctx, person.account.id).await?;
    insert(app, ctx, &person, vec![row]).await?;
    Ok(codes)
}

async fn add(app: &App, ctx: &Ctx, person: &Person, row: AuthenticatorRow) -> Result<Vec<Secret<String>>, Error> {
    let (rows, codes) = with_recovery(app, ctx, person, row).await?;
    insert(app, ctx, person, rows).await?;
    Ok(codes)
}

async fn insert(app: &App, ctx: &Ctx, person: &Person, rows: Vec<AuthenticatorRow>) -> Result<(), Error> {
    let account = person.account.id;
    // A code that was right is no guess.
    let counted: Vec<Scope> = rows.iter().map(|row| Scope::Code(account, row.kind)).collect();
    let (event, change) = added(app, ctx, person, rows).await?;
    // Whoever sits in another session of this account learns of it by signing in again.
    let keep = ctx.principal.session();
    let (_, ending) = session::ending(app, ctx, account, Ending::AllBut(keep), SessionEndReason::AuthenticatorsChanged).await?;
    let changeset = ending(change(event)).device_forget_all(account);
    app.store.commit(counted.iter().fold(changeset, |set, scope| set.attempt_clear(scope.key(app)))).await?;
    app.forget(account.0);
    Ok(())
}

/// The row, and with the first second factor a list of recovery codes.
pub(crate) async fn with_recovery(app: &App, ctx: &Ctx, person: &Person, row: AuthenticatorRow) -> Result<(Vec<AuthenticatorRow>, Vec<Secret<String>>), Error> {
    if person.of_kind(row.kind).count() >= MOST {
        return Err(Error::Conflict(format!("an account has at most {MOST} of a kind; remove one first")));
    }
    if person.of_kind(AuthenticatorKind::Recovery).next().is_some() {
        return Ok((vec![row], Vec::new()));
    }
    let (recovery, codes) = recovery_row(app, ctx, person.account.id).await?;
    Ok((vec![row, recovery], codes))
}

/// The events of what was set up, and the change with the mail about it.
pub(crate) async fn added(
    app: &App,
    ctx: &Ctx,
    person: &Person,
    rows: Vec<AuthenticatorRow>,
) -> Result<(Changeset, impl FnOnce(Changeset) -> Changeset + Send + Sync + 'static), Error> {
    let mut records = Vec::new();
    for row in &rows {
        records.push(app.record(ctx, AuthenticatorAdded::new(row.account, row.id, row.kind.as_str(), &row.name)).await?);
    }
    let names: Vec<String> = rows.iter().map(|row| format!("{} ({})", row.name, row.kind.as_str())).collect();
    let what = format!("This was set up for signing in to your account: {}.", names.join(", "));
    let mail = message::mail(app, ctx, person.account.email.as_str(), &text::Mail::Authenticator { what: &what }, None)?;
    let changeset = Changeset::of_all(records).ok_or(Error::Internal("nothing was set up"))?;
    Ok((changeset, move |changeset: Changeset| {
        mail(rows.iter().fold(changeset, |set, row| {
            // There is one list of recovery codes; a new one ends the old.
            let set = if row.kind == AuthenticatorKind::Recovery { set.authenticator_delete_kind(row.account, row.kind) } else { set };
            set.authenticator_insert(row)
        }))
    }))
}

/// Removes one of the caller's. The last second factor cannot go where two factors are required.
pub async fn remove(app: &App, ctx: &Ctx, id: AuthenticatorId) -> Result<(), Error> {
    let person = own(app, ctx).await?;
    let row = person.authenticators.iter().find(|row| row.id == id).ok_or(Error::NotFound("way to sign in"))?;
    if row.kind != AuthenticatorKind::Recovery {
        person.keeps_a_second(app, Some(id))?;
    }
    take_away(app, ctx, &person, row, "removed by its owner", ctx.principal.session()).await
}

/// Removes one of somebody's, with a reason: a factor that was lost, after the person was identified anew.
pub async fn remove_for(app: &App, ctx: &Ctx, account: AccountId, id: AuthenticatorId, why: &str) -> Result<(), Error> {
    super::account::not_own(ctx, account)?;
    sign_in::permit_fresh(app, ctx, "authenticators:write").await?;
    let person = Person::load(app, account, None).await?.ok_or(Error::NotFound("account"))?;
    super::role::must_be_over(app, ctx, account).await?;
    let why = super::account::reason(why)?;
    let row = person.authenticators.iter().find(|row| row.id == id).ok_or(Error::NotFound("way to sign in"))?;
    take_away(app, ctx, &person, row, &why, None).await
}

/// Somebody's, for administrators.
pub async fn list_for(app: &App, ctx: &Ctx, account: AccountId) -> Result<Vec<Shown>, Error> {
    app.permit(ctx, "accounts:read").await?;
    app.store.account_get(account).await?.ok_or(Error::NotFound("account"))?;
    Ok(app.store.authenticator_list(account).await?.iter().map(shown).collect())
}

async fn take_away(app: &App, ctx: &Ctx, person: &Person, row: &AuthenticatorRow, why: &str, keep: Option<tutela_core::SessionId>) -> Result<(), Error> {
    let account = person.account.id;
    let what = format!("This no longer serves for signing in to your account: {} ({}).", row.name, row.kind.as_str());
    let mail = message::mail(app, ctx, person.account.email.as_str(), &text::Mail::Authenticator { what: &what }, None)?;
    // Without a second factor the list of codes is a list of second factors that nobody asked for.
    let last = person.authenticators.iter().filter(|other| other.id != row.id && other.kind != AuthenticatorKind::Recovery).count() == 0;
    let (_, ending) = session::ending(app, ctx, account, Ending::AllBut(keep), SessionEndReason::AuthenticatorsChanged).await?;
    let also = person.of_kind(AuthenticatorKind::Recovery).filter(|_| last && row.kind != AuthenticatorKind::Recovery);
    let gone: Vec<&AuthenticatorRow> = std::iter::once(row).chain(also).collect();
    let mut records = Vec::new();
    for row in &gone {
        records.push(app.record(ctx, AuthenticatorRemoved::new(account, row.id, row.kind.as_str(), &row.name, why)).await?);
    }
    let changeset = ending(Changeset::of_all(records).ok_or(Error::Internal("nothing was removed"))?).device_forget_all(account);
    app.store.commit(mail(gone.iter().fold(changeset, |set, row| set.authenticator_delete(row.id, account)))).await?;
    app.forget(account.0);
    Ok(())
}

/// The caller, who has to be freshly signed in.
async fn own(app: &App, ctx: &Ctx) -> Result<Person, Error> {
    sign_in::require_fresh(app, ctx, sign_in::Needed::Fresh).await?;
    let account = session::own_account(ctx)?;
    Person::load(app, account, None).await?.ok_or(Error::NotFound("account"))
}
