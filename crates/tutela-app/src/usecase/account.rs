//! Accounts: make, list, disable, give roles, name by outside identifiers.

use tutela_api as api;
use tutela_core::{AccountId, Secret, Timestamp};
use tutela_identity::{
    Account, AccountState, Email, SessionEndReason,
    event::{
        AccountCreated, AccountDeleted, AccountDisabled, AccountEnabled, AccountIdentifierSet, AccountRolesChanged, PasswordChangeRequired, SetupLinkCreated,
    },
};
use tutela_store::Changeset;

use crate::{
    App, Ctx, Error,
    guard::failed_before,
    text,
    usecase::{
        link::Purpose,
        message, password, role,
        session::{self, Ending},
        setup, sign_in, unlock,
    },
};

/// Makes an account. Without a password the answer holds a one-time link for choosing one.
pub async fn create(app: &App, ctx: &Ctx, new: api::NewAccount) -> Result<api::Account, Error> {
    sign_in::permit_fresh(app, ctx, "accounts:write").await?;
    let account = Account::new(AccountId::new(ctx.now, &mut { app.env() }), Email::parse(&new.email)?, &new.name, ctx.now)?;
    role::must_be_giveable(app, ctx, &new.roles).await?;
    let hash = match new.password {
        Some(chosen) => Some(password::accept(app, ctx, &account, Secret::new(chosen)).await?),
        None => None,
    };
    let email = account.email.as_str();
    let created = app.record(ctx, AccountCreated { account: account.id, email, roles: &new.roles }).await?;
    let mut changeset = Changeset::of(created).account_insert(&account, hash.as_ref()).account_set_roles(account.id, &new.roles);
    let mut setup_link = None;
    if hash.is_none() {
        let (link, url, row) = setup::for_account(app, ctx, account.id)?;
        let mail = message::mail(app, ctx, email, &text::Mail::Invited { name: &account.name, url: &url }, Some(row.row.expires_at))?;
        changeset = mail(changeset.and(app.record(ctx, SetupLinkCreated { who: Some((account.id, email)) }).await?).link_insert(&row));
        setup_link = Some(link.url);
    }
    app.store.commit(changeset).await?;
    Ok(api::Account { setup_link, ..shown(&account, new.roles) })
}

/// Accounts, newest first.
pub async fn list(app: &App, ctx: &Ctx, before: Option<AccountId>, limit: u32) -> Result<Vec<api::Account>, Error> {
    app.permit(ctx, "accounts:read").await?;
    let mut out = Vec::new();
    for account in app.store.account_list(before, limit.clamp(1, 100)).await? {
        let roles = app.store.account_role_list(account.id).await?;
        out.push(shown(&account, roles));
    }
    Ok(out)
}

/// Number of accounts.
pub async fn count(app: &App, ctx: &Ctx) -> Result<u64, Error> {
    app.permit(ctx, "accounts:read").await?;
    Ok(app.store.account_count().await?)
}

/// Disables an account and ends its sessions in the same commit.
pub async fn disable(app: &App, ctx: &Ctx, id: AccountId) -> Result<(), Error> {
    not_own(ctx, id)?;
    governed(app, ctx, id).await?;
    let (sessions, ending) = session::ending(app, ctx, id, Ending::AllBut(None), SessionEndReason::AccountDisabled).await?;
    app.commit(ctx, AccountDisabled { account: id, sessions }, |c| ending(c).account_set_state(id, AccountState::Disabled)).await?;
    app.forget(id.0);
    Ok(())
}

/// An account that the caller may change: nobody changes somebody who may do more than they may.
async fn governed(app: &App, ctx: &Ctx, id: AccountId) -> Result<Account, Error> {
    sign_in::permit_fresh(app, ctx, "accounts:write").await?;
    let account = app.store.account_get(id).await?.ok_or(Error::NotFound("account"))?;
    role::must_be_over(app, ctx, id).await?;
    Ok(account)
}

/// One's own account is changed as its owner, with the old password and all that goes with it.
pub(crate) fn not_own(ctx: &Ctx, id: AccountId) -> Result<(), Error> {
    if ctx.principal.account() == Some(id) {
        return Err(Error::Conflict("nobody can do this to their own account; ask another administrator".into()));
    }
    Ok(())
}

/// One account, with what an administrator has to know of its ways to sign in.
pub async fn get(app: &App, ctx: &Ctx, id: AccountId) -> Result<api::AccountDetail, Error> {
    app.permit(ctx, "accounts:read").await?;
    let standing = app.store.account_get_standing(id, ctx.now).await?.ok_or(Error::NotFound("account"))?;
    let (account, password) = (standing.ways.account, standing.ways.password);
    let locks = unlock::locks(app, ctx, &account).await?;
    let at = |time: tutela_core::Timestamp| time.to_string();
    Ok(api::AccountDetail {
        email_verified_at: account.email_verified_at.map(at),
        phone: account.phone.as_deref().map(sign_in::masked_phone),
        phone_verified_at: account.phone_verified_at.map(at),
        password_changed_at: password.changed_at.map(at),
        password_must_change: password.must_change,
        groups: standing.groups,
        locks,
        account: shown(&account, standing.roles),
    })
}

/// Lets a disabled account sign in again.
pub async fn enable(app: &App, ctx: &Ctx, id: AccountId, why: &str) -> Result<(), Error> {
    if governed(app, ctx, id).await?.state != AccountState::Disabled {
        return Err(Error::Conflict("this account is not disabled".into()));
    }
    let why = reason(why)?;
    app.commit(ctx, AccountEnabled::new(id, &why), |c| c.account_set_state(id, AccountState::Active).announce("account", id)).await?;
    app.forget(id.0);
    Ok(())
}

/// Deletes an account with its credentials, devices, sessions and grants. What it did stays in the ledger; erasing the
/// person is another thing (`subjects:erase`).
pub async fn delete(app: &App, ctx: &Ctx, id: AccountId, why: &str) -> Result<(), Error> {
    not_own(ctx, id)?;
    governed(app, ctx, id).await?;
    let why = reason(why)?;
    let (_, ending) = session::ending(app, ctx, id, Ending::AllBut(None), SessionEndReason::AccountDeleted).await?;
    app.commit(ctx, AccountDeleted::new(id, &why), |c| ending(c).account_delete(id)).await?;
    app.forget(id.0);
    Ok(())
}

/// Has somebody choose another password at the next sign-in, because it may be known to others; sessions end.
pub async fn require_password_change(app: &App, ctx: &Ctx, id: AccountId, why: &str) -> Result<(), Error> {
    governed(app, ctx, id).await?;
    let why = reason(why)?;
    let change = |c: Changeset| c.account_must_change_password(id, "an administrator asked for it").device_forget_all(id).sign_in_end_by_account(id);
    let (_, ending) = session::ending(app, ctx, id, Ending::AllBut(None), SessionEndReason::PasswordChanged).await?;
    app.commit(ctx, PasswordChangeRequired::new(id, &why), |c| change(ending(c))).await?;
    app.forget(id.0);
    Ok(())
}

/// A fresh set-up link for somebody whose account an administrator vouches for.
pub async fn invite(app: &App, ctx: &Ctx, id: AccountId) -> Result<api::SetupLink, Error> {
    not_own(ctx, id)?;
    let account = governed(app, ctx, id).await?;
    if account.state != AccountState::Active {
        return Err(Error::Conflict("this account is not active; enable it first".into()));
    }
    let (link, url, row) = setup::for_account(app, ctx, id)?;
    let email = account.email.as_str();
    let mail = message::mail(app, ctx, email, &text::Mail::Invited { name: &account.name, url: &url }, Some(row.row.expires_at))?;
    let change = |c: Changeset| mail(c.link_retire(Purpose::SetUp.as_str(), Some(id), ctx.now).link_insert(&row));
    app.commit(ctx, SetupLinkCreated { who: Some((id, email)) }, change).await?;
    Ok(link)
}

/// Sets the roles of an account; what it may do changes at once.
pub async fn set_roles(app: &App, ctx: &Ctx, id: AccountId, roles: Vec<String>) -> Result<(), Error> {
    sign_in::permit_fresh(app, ctx, "accounts:write").await?;
    app.store.account_get(id).await?.ok_or(Error::NotFound("account"))?;
    let old = app.store.account_role_list(id).await?;
    // Taking a role away is as much of a power as giving it.
    role::must_be_giveable(app, ctx, &[&roles[..], &old[..]].concat()).await?;
    app.commit(ctx, AccountRolesChanged { account: id, old: &old, new: &roles }, |c| c.account_set_roles(id, &roles).announce("account", id)).await?;
    app.forget(id.0);
    Ok(())
}

/// Says that an application's own identifier means this account.
pub async fn set_identifier(app: &App, ctx: &Ctx, id: AccountId, external: &api::ExternalId) -> Result<(), Error> {
    governed(app, ctx, id).await?;
    check_external(external)?;
    let holder = app.store.external_id_get(&external.namespace, &external.value).await?;
    if holder.is_some_and(|holder| holder != id) {
        return Err(Error::Conflict("this identifier means another account already".into()));
    }
    let set = AccountIdentifierSet { account: id, namespace: &external.namespace, value: &external.value };
    app.commit(ctx, set, |c| c.external_id_set(&external.namespace, &external.value, id)).await
}

/// Failed sign-ins between the caller's last two successful ones.
pub async fn failed_before_sign_in(app: &App, ctx: &Ctx) -> Result<u64, Error> {
    let id = ctx.principal.account().ok_or(Error::Unauthenticated("nobody is signed in"))?;
    Ok(app.store.counter_get(&failed_before(id)).await?)
}

/// A reason as it goes to the ledger: 1 to 500 characters.
pub(crate) fn reason(why: &str) -> Result<String, Error> {
    let why = why.trim();
    if why.is_empty() || why.chars().count() > 500 || why.chars().any(char::is_control) {
        return Err(Error::invalid("reason", "write why, in 1 to 500 characters; the reason goes to the ledger"));
    }
    Ok(why.to_owned())
}

/// A line that somebody wrote into a field: 1 to so many characters.
pub(crate) fn line(field: &'static str, text: &str, longest: usize) -> Result<String, Error> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > longest || text.chars().any(char::is_control) {
        return Err(Error::invalid(field, format!("`{field}` has 1 to {longest} characters")));
    }
    Ok(text.to_owned())
}

/// The last moment of a day that somebody wrote into a field.
pub(crate) fn last_moment(field: &'static str, day: &str) -> Result<Timestamp, Error> {
    format!("{day}T23:59:59Z").parse().map_err(|_| Error::invalid(field, "a day is written `2036-12-31`"))
}

/// Refuses an identifier that is empty or too long.
pub(crate) fn check_external(external: &api::ExternalId) -> Result<(), Error> {
    let fine = |text: &str, most: usize| !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control);
    if !fine(&external.namespace, 64) || external.namespace.contains(':') {
        return Err(Error::invalid("namespace", "a namespace has 1 to 64 bytes and no `:`"));
    }
    if !fine(&external.value, 256) {
        return Err(Error::invalid("value", "an identifier has 1 to 256 bytes"));
    }
    Ok(())
}

fn shown(account: &Account, roles: Vec<String>) -> api::Account {
    api::Account {
        id: account.id.to_string(),
        email: account.email.as_str().to_owned(),
        name: account.name.clone(),
        state: account.state.as_str().to_owned(),
        roles,
        created_at: account.created_at.to_string(),
        setup_link: None,
    }
}

/// The name of an account, for lists.
pub async fn name_of(app: &App, ctx: &Ctx, id: AccountId) -> Result<String, Error> {
    app.permit(ctx, "accounts:read").await?;
    Ok(app.store.account_get(id).await?.ok_or(Error::NotFound("account"))?.name)
}
