//! Lifting locks: by the owner, with the mailed link and a second factor where there is one, or by an administrator
//! with a reason.

use tutela_api as api;
use tutela_core::{AccountId, DeviceId};
use tutela_identity::{Account, AuthenticatorKind, event::SignInUnlocked};
use tutela_limits::Refused;
use tutela_store::Changeset;

use crate::{
    App, Ctx, Error,
    usecase::{
        account,
        link::{self, Purpose},
        role,
        sign_in::{self, Person, attempts::Scope},
    },
};

/// What an unlock link asks for beside being followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Whether a code of the owner's app or list is asked for.
    pub code: bool,
}

/// What the link behind `token` asks for.
pub async fn find(app: &App, ctx: &Ctx, token: &str) -> Result<Asked, Error> {
    let (row, _) = link::find(app, ctx, Purpose::Unlock, token).await?;
    let person = Person::load(app, row.account.ok_or(Error::NotFound("account"))?, None).await?.ok_or(Error::NotFound("account"))?;
    Ok(Asked { code: has_codes(&person) })
}

fn has_codes(person: &Person) -> bool {
    person.of_kind(AuthenticatorKind::Totp).next().is_some()
}

/// Lifts the caller's locks: the mailbox alone where there is no second factor, or with a code of the app.
pub async fn by_owner(app: &App, ctx: &Ctx, token: &str, code: &str) -> Result<(), Error> {
    let (row, _) = link::find(app, ctx, Purpose::Unlock, token).await?;
    let id = row.account.ok_or(Error::NotFound("account"))?;
    let person = Person::load(app, id, None).await?.ok_or(Error::NotFound("account"))?;
    let used = if has_codes(&person) { Some(sign_in::check_totp(app, ctx, &person, code).await?) } else { None };
    let unlocked = app.record(ctx, SignInUnlocked::new(id, "owner", "mailed link")).await?;
    let changeset = Changeset::of(unlocked).link_use(row.id, ctx.now);
    let changeset = match used {
        Some(used) => used(changeset),
        None => changeset,
    };
    Ok(app.store.commit(lift(app, changeset, &person, &[])).await?)
}

/// Lifts the locks of an account: of new devices, of its devices, and of every kind of code.
pub async fn by_admin(app: &App, ctx: &Ctx, id: AccountId, why: &str) -> Result<(), Error> {
    sign_in::permit_fresh(app, ctx, "accounts:write").await?;
    let why = account::reason(why)?;
    let person = Person::load(app, id, None).await?.ok_or(Error::NotFound("account"))?;
    role::must_be_over(app, ctx, id).await?;
    let devices: Vec<DeviceId> = app.store.device_list(id, 1_000).await?.iter().map(|device| device.id).collect();
    app.commit(ctx, SignInUnlocked::new(id, "administrator", &why), |changeset| lift(app, changeset, &person, &devices)).await
}

/// What is locked of an account now.
pub(crate) async fn locks(app: &App, ctx: &Ctx, account: &Account) -> Result<Vec<api::AccountLock>, Error> {
    let devices: Vec<DeviceId> = app.store.device_list(account.id, 1_000).await?.iter().map(|device| device.id).collect();
    let mut locks = Vec::new();
    for scope in scopes(account, &devices) {
        if let Some(refused) = scope.refused(app, ctx.now).await? {
            let until = match refused {
                Refused::Locked { until } => Some(until.to_string()),
                Refused::Exhausted => None,
            };
            let what = if matches!(scope, Scope::KnownDevice(..)) { "a known device" } else { scope.words() };
            locks.push(api::AccountLock { what: what.to_owned(), until });
        }
    }
    Ok(locks)
}

fn lift(app: &App, changeset: Changeset, person: &Person, devices: &[DeviceId]) -> Changeset {
    scopes(&person.account, devices).fold(changeset, |set, scope| set.attempt_clear(scope.key(app)))
}

/// Every bucket that can lock an account out.
fn scopes(account: &Account, devices: &[DeviceId]) -> impl Iterator<Item = Scope> {
    let id = account.id;
    let codes = [AuthenticatorKind::Email, AuthenticatorKind::Recovery, AuthenticatorKind::Sms, AuthenticatorKind::Totp].map(|kind| Scope::Code(id, kind));
    let devices = devices.iter().map(move |device| Scope::KnownDevice(id, *device));
    [Scope::unknown_devices(&account.email)].into_iter().chain(codes).chain(devices)
}
