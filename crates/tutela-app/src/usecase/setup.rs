//! Setting up an account with a one-time link: the first administrator's, and those of invited people.

use tutela_api::SetupLink;
use tutela_core::{AccountId, LinkId, Secret};
use tutela_identity::{
    ADMIN, Account, Email, SessionEndReason, display_name,
    event::{AccountCreated, SetupLinkCreated, SetupLinkUsed},
};
use tutela_store::{Changeset, NewLink};

use crate::{
    App, Ctx, Error,
    usecase::{
        link::{self, Made, Purpose},
        password,
        role::EVERYTHING,
        session::{self, Ending},
        sign_in,
    },
};

/// What a good link is for.
#[derive(Debug, Clone)]
pub struct Setup {
    link: LinkId,
    /// The account to set up; none for the first administrator.
    pub account: Option<Account>,
}

/// What the person typed.
pub struct Choice {
    /// Name shown to people.
    pub name: String,
    /// Mail address; ignored where the link is for an account.
    pub email: String,
    /// The password.
    pub password: Secret<String>,
}

/// Makes a link for an administrator; earlier ones end. Only for somebody who may do everything.
pub async fn create_first(app: &App, ctx: &Ctx) -> Result<SetupLink, Error> {
    sign_in::permit_fresh(app, ctx, EVERYTHING).await?;
    let made = link::make(app, ctx, Purpose::SetUp, None, None)?;
    let retired = |c: Changeset| c.link_retire(Purpose::SetUp.as_str(), None, ctx.now).link_insert(&made.row);
    app.commit(ctx, SetupLinkCreated { who: None }, retired).await?;
    Ok(shown(&made))
}

/// A link for `account`.
pub(crate) fn for_account(app: &App, ctx: &Ctx, account: AccountId) -> Result<(SetupLink, String, NewLink), Error> {
    let made = link::make(app, ctx, Purpose::SetUp, Some(account), None)?;
    Ok((shown(&made), made.url, made.row))
}

fn shown(made: &Made) -> SetupLink {
    SetupLink { url: made.url.clone(), expires_at: made.row.row.expires_at.to_string() }
}

/// Whether anybody can sign in yet.
pub async fn is_needed(app: &App) -> Result<bool, Error> {
    Ok(app.store.account_count().await? == 0)
}

/// What the link behind `token` is for. Used, expired and unknown look alike.
pub async fn find(app: &App, ctx: &Ctx, token: &str) -> Result<Setup, Error> {
    let (row, _) = link::find(app, ctx, Purpose::SetUp, token).await?;
    let account = match row.account {
        Some(id) => Some(app.store.account_get(id).await?.ok_or(Error::NotFound("account"))?),
        None => None,
    };
    Ok(Setup { link: row.id, account })
}

/// Uses up the link: makes the first administrator, or sets the account's password. Ends its other sessions.
pub async fn complete(app: &App, ctx: &Ctx, token: &str, choice: Choice) -> Result<AccountId, Error> {
    let setup = find(app, ctx, token).await?;
    let first = setup.account.is_none();
    let account = match setup.account {
        Some(account) => Account { name: display_name(&choice.name)?, ..account },
        None => Account::new(AccountId::new(ctx.now, &mut { app.env() }), Email::parse(&choice.email)?, &choice.name, ctx.now)?,
    };
    let hash = password::accept(app, ctx, &account, choice.password).await?;
    let (_, ending) = session::ending(app, ctx, account.id, Ending::AllBut(None), SessionEndReason::PasswordChanged).await?;
    let used = app.record(ctx, SetupLinkUsed { account: account.id }).await?;
    let changeset = Changeset::of(used).link_use(setup.link, ctx.now);
    let changeset = if first {
        let roles = [ADMIN.to_owned()];
        let created = app.record(ctx, AccountCreated { account: account.id, email: account.email.as_str(), roles: &roles }).await?;
        changeset.and(created).account_insert(&account, Some(&hash)).account_set_roles(account.id, &roles)
    } else {
        // Whoever has the link has the mailbox it was sent to, or had it from an administrator who knows the person.
        // What was begun with the old password ends with it.
        ending(changeset)
            .account_set_password(account.id, &hash, ctx.now)
            .account_set_name(account.id, &account.name)
            .account_verify_email(account.id, &account.email, ctx.now)
            .device_forget_all(account.id)
            .sign_in_end_by_account(account.id)
    };
    app.store.commit(changeset).await?;
    app.forget(account.id.0);
    Ok(account.id)
}
