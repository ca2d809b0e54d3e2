//! The password: counted, verified, looked up among the breached ones, and renewed where it was hashed at another cost.

use std::sync::Arc;

use tutela_core::{Secret, Timestamp};
use tutela_identity::{
    Account, AccountState, AuthenticatorKind, Breached, Email, PASSWORD_MAX, Proof, SessionEndReason,
    event::{PasswordBreached, PasswordChanged, SignInFailed, SignInLocked},
    password::{PasswordAge, normalize},
};
use tutela_limits::Refused;
use tutela_store::Changeset;

use super::{
    Flow, Next, Person, Progress, REFUSED, Visitor,
    attempts::{self, NotReserved, Reserved, Scope},
    begin::when_text,
    send,
};
use crate::{
    App, Ctx, Error, text,
    usecase::{
        block,
        link::{self, Purpose},
        message, profile,
        session::{self, Ending},
    },
};

/// Why a password has to be changed, as people read it.
const BREACHED: &str = "it is on a list of passwords that leaked from other services";
pub(crate) const TOO_OLD: &str = "it is older than the rules of this service allow";

/// Signs somebody in with a password, as far as it leads.
pub async fn password(app: &App, ctx: &Ctx, visitor: &Visitor, email: &str, password: Secret<String>) -> Result<Progress, Error> {
    if password.open().len() > PASSWORD_MAX {
        return Err(Error::Unauthenticated(REFUSED));
    }
    let password = normalize(password.open());
    let parsed = Email::parse(email).ok();
    let person = match &parsed {
        Some(email) => Person::find(app, email, visitor.device.as_deref()).await?,
        None => None,
    };
    let typed: String = email.chars().take(254).collect();
    let reserved = match attempts::reserve(app, ctx, scopes(ctx, person.as_ref(), parsed.as_ref(), &typed)).await {
        Ok(reserved) => reserved,
        Err(NotReserved::Failed(e)) => return Err(e),
        Err(NotReserved::Full(scope, refused)) => return locked(app, ctx, person.map(|p| p.account), &typed, &scope, refused, password).await,
    };
    let hash = person.as_ref().and_then(|p| p.hash.clone());
    // Before it is known whether it is right: a filter that cannot be read says nothing about the password either.
    let breached = app.breaches.ask(&password)?;
    let fits = app.hasher.verify(password.clone(), hash).await?;
    match person {
        Some(person) if fits && person.account.state == AccountState::Unverified => {
            failed(app, ctx, Some(&person.account), &typed, "email_unverified", &reserved.locks).await?;
            // The page says what it says of any wrong password, or signing up would tell who has an account; the mailbox says more.
            match send::allow(app, ctx, None, person.account.email.as_str(), "mail").await {
                Ok(()) => app.store.commit(profile::verification(app, ctx, &person.account)?(Changeset::sign_in_step())).await?,
                Err(Error::TooMany { .. }) => {}
                Err(e) => return Err(e),
            }
            Err(Error::Unauthenticated(REFUSED))
        }
        Some(person) if fits && person.account.state == AccountState::Active => proven(app, ctx, visitor, person, reserved, (password, breached)).await,
        person => {
            let account = person.map(|p| p.account);
            let reason = match &account {
                None => "unknown_account",
                Some(a) if a.state == AccountState::Disabled => "account_disabled",
                Some(_) => "wrong_password",
            };
            failed(app, ctx, account.as_ref(), &typed, reason, &reserved.locks).await?;
            Err(Error::Unauthenticated(REFUSED))
        }
    }
}

/// Where a wrong password counts.
fn scopes(ctx: &Ctx, person: Option<&Person>, email: Option<&Email>, typed: &str) -> Vec<Scope> {
    let nobody = || email.map_or_else(|| Scope::UnknownDevices(typed.to_lowercase()), Scope::unknown_devices);
    let login = person.map_or_else(nobody, Person::password_scope);
    let address = ctx.ip.as_ref().map(|ip| Scope::Address(*ip.open()));
    [login].into_iter().chain(address).collect()
}

/// One of the buckets is full. Whoever is locked out is told no more than whoever is wrong, and waits as long.
async fn locked(
    app: &App,
    ctx: &Ctx,
    account: Option<Account>,
    typed: &str,
    scope: &Scope,
    refused: Refused,
    password: Secret<String>,
) -> Result<Progress, Error> {
    failed(app, ctx, account.as_ref(), typed, "locked", &[]).await?;
    if let (Scope::Address(_), Refused::Locked { until }) = (scope, refused) {
        return Err(Error::TooMany { after: until.since(ctx.now) });
    }
    app.hasher.verify(password, None).await?;
    Err(Error::Unauthenticated(REFUSED))
}

/// Records a failure, and the locks that it set; the owner is told of a lock by mail, in the same commit.
pub(crate) async fn failed(
    app: &App,
    ctx: &Ctx,
    account: Option<&Account>,
    typed: &str,
    reason: &'static str,
    locks: &[(Scope, Timestamp)],
) -> Result<(), Error> {
    let id = account.map(|a| a.id);
    let mut changeset = Changeset::of(app.record(ctx, SignInFailed { account: id, email: typed, reason }).await?);
    for (scope, until) in locks {
        changeset = changeset.and(app.record(ctx, SignInLocked::new(id, scope.words(), until.to_string())).await?);
        let Some(account) = account else { continue };
        let (email, until) = (account.email.as_str(), when_text(*until));
        match scope {
            Scope::UnknownDevices(_) => {
                let made = link::make(app, ctx, Purpose::Unlock, Some(account.id), None)?;
                let mail = text::Mail::Locked { until: &until, unlock_url: Some(&made.url) };
                changeset = message::mail(app, ctx, email, &mail, None)?(changeset.link_insert(&made.row));
            }
            Scope::Code(..) => changeset = message::mail(app, ctx, email, &text::Mail::CodesWrong { until: &until }, None)?(changeset),
            _ => {}
        }
    }
    app.store.commit(changeset).await?;
    metrics::counter!("tutela_sign_ins_total", "outcome" => "failure").increment(1);
    block::take_up(app, ctx).await
}

async fn proven(
    app: &App,
    ctx: &Ctx,
    visitor: &Visitor,
    mut person: Person,
    reserved: Reserved,
    (password, breached): (Secret<String>, Breached),
) -> Result<Progress, Error> {
    let account = person.account.id;
    let (Some(verified), Some(hash)) = (person.password.sealed.clone(), person.hash.clone()) else { return Err(Error::Unauthenticated(REFUSED)) };
    let breached = breached == Breached::Listed;
    let age = person.password.changed_at.map(|at| app.identity.password_policy().age(at, ctx.now));
    if breached {
        person.password.must_change = Some(BREACHED.into());
    } else if age == Some(PasswordAge::Expired) && person.password.must_change.is_none() {
        person.password.must_change = Some(TOO_OLD.into());
    }
    let must_change = person.password.must_change.clone();
    let renewed = match person.password.changed_at {
        Some(since) if hash.is_outdated(app.hasher.cost()) => {
            let hash = app.hasher.create(password, Arc::clone(&app.env)).await?;
            Some(crate::usecase::password::seal(app, account, since, &hash)?)
        }
        _ => None,
    };
    let compromised = person.is_compromised();
    let mut flow = Flow::first(app, ctx, visitor, person);
    if breached {
        flow.record(PasswordBreached::new(account)).await?;
    }
    if compromised {
        // Others may know it too: a second proof before it is changed, where there is any.
        flow.row.sign_in.wanted.factors = flow.row.sign_in.wanted.factors.max(if flow.can_prove_more() { 2 } else { 1 });
    }
    flow.with(move |changeset| {
        let changeset = changeset.account_confirm_password(account, &verified, renewed.as_ref());
        must_change.iter().fold(changeset, |set, why| set.account_must_change_password(account, why))
    });
    flow.counted(reserved);
    match flow.prove(Proof::of(AuthenticatorKind::Password, ctx.now)).await {
        // The password was reset or the account disabled while this one was being verified.
        Err(Error::Store(tutela_store::Error::Conflict(_))) => Err(Error::Unauthenticated(REFUSED)),
        done => done,
    }
}

/// Chooses another password, where a sign-in asks for one.
pub async fn new_password(app: &App, ctx: &Ctx, visitor: &Visitor, token: &str, chosen: Secret<String>) -> Result<Progress, Error> {
    let mut flow = Flow::resume(app, ctx, visitor, token).await?;
    let Next::NewPassword(_) = flow.standing().next else { return Err(Error::Conflict("no new password is asked for; begin again".into())) };
    let account = flow.account().clone();
    let was = flow.person.hash.clone();
    if app.hasher.verify(normalize(chosen.open()), was).await? {
        return Err(Error::invalid("password", "this is the password that has to be changed; choose another"));
    }
    let hash = crate::usecase::password::accept(app, ctx, &account, chosen).await?;
    let (ended, ending) = session::ending(app, ctx, account.id, Ending::AllBut(None), SessionEndReason::PasswordChanged).await?;
    flow.record(PasswordChanged::new(account.id, ended)).await?;
    let mail = message::mail(app, ctx, account.email.as_str(), &text::Mail::PasswordChanged { when: &when_text(ctx.now) }, None)?;
    flow.person.password.must_change = None;
    let (id, now) = (account.id, ctx.now);
    flow.with(move |changeset| mail(ending(changeset).account_set_password(id, &hash, now).device_forget_all(id)));
    let done = flow.advance().await;
    app.forget(id.0);
    done
}

/// Proves the password of somebody who is known already: for a step-up.
pub async fn password_again(app: &App, ctx: &Ctx, visitor: &Visitor, token: &str, password: Secret<String>) -> Result<Progress, Error> {
    let wrong = || Error::Unauthenticated("This is not your password.");
    if password.open().len() > PASSWORD_MAX {
        return Err(wrong());
    }
    let mut flow = Flow::asked(app, ctx, visitor, token, AuthenticatorKind::Password).await?;
    let account = flow.account().clone();
    let scopes = scopes(ctx, Some(&flow.person), Some(&account.email), account.email.as_str());
    let reserved = match attempts::reserve(app, ctx, scopes).await {
        Ok(reserved) => reserved,
        Err(NotReserved::Failed(e)) => return Err(e),
        Err(NotReserved::Full(scope, refused)) => return locked(app, ctx, Some(account.clone()), account.email.as_str(), &scope, refused, password).await,
    };
    let hash = flow.person.hash.clone();
    if !app.hasher.verify(normalize(password.open()), hash).await? {
        failed(app, ctx, Some(&account), account.email.as_str(), "wrong_password", &reserved.locks).await?;
        return Err(wrong());
    }
    if let Some(verified) = flow.person.password.sealed.clone() {
        flow.with(move |changeset| changeset.account_confirm_password(account.id, &verified, None));
    }
    flow.counted(reserved);
    flow.prove(Proof::of(AuthenticatorKind::Password, ctx.now)).await
}
