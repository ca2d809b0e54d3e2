//! One-time links: the first administrator, and accounts that are to choose a password.

use std::{sync::Arc, time::Duration};

use tutela_api::SetupLink;
use tutela_core::{AccountId, LinkId, Secret};
use tutela_identity::{
    ADMIN, Account, Email, Token, TokenKind, check_strength,
    event::{AccountCreated, SetupLinkCreated, SetupLinkUsed},
};
use tutela_store::{Changeset, SetupRow};

use crate::{App, Ctx, Error, usecase::role::EVERYTHING};

/// Life of a link.
pub const LIFE: Duration = Duration::from_secs(1_800);

/// Fewest characters of a password.
pub const MIN_PASSWORD: u64 = tutela_identity::PASSWORD_MIN as u64;

/// What a good link is for.
#[derive(Debug, Clone)]
pub struct Setup {
    row: SetupRow,
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
    app.permit(ctx, EVERYTHING).await?;
    let (link, change) = link(app, ctx, None);
    app.commit(ctx, SetupLinkCreated { who: None }, |c| change(c.setup_retire(ctx.now))).await?;
    Ok(link)
}

/// Whether anybody can sign in yet.
pub async fn is_needed(app: &App) -> Result<bool, Error> {
    Ok(app.store.account_count().await? == 0)
}

/// A link for `account`, and the change that keeps it.
pub(crate) fn link(app: &App, ctx: &Ctx, account: Option<AccountId>) -> (SetupLink, impl FnOnce(Changeset) -> Changeset) {
    let rng = &mut { app.env() };
    let (id, token) = (LinkId::new(ctx.now, rng), Token::new(TokenKind::Setup, rng));
    let expires_at = ctx.now + LIFE;
    let link = SetupLink { url: format!("{}/set-up/{}", app.urls.public, token.open()), expires_at: expires_at.to_string() };
    (link, move |changeset: Changeset| changeset.setup_insert(id, token.hash(), account, expires_at))
}

/// What the link behind `token` is for. Used, expired and unknown look alike.
pub async fn find(app: &App, ctx: &Ctx, token: &str) -> Result<Setup, Error> {
    let gone = Error::NotFound("set-up link: it was used already or is older than 30 minutes. Make a new one with `tutela admin setup-link`");
    let Some(token) = Token::parse(TokenKind::Setup, token) else { return Err(gone) };
    let Some(row) = app.store.setup_get(token.hash(), ctx.now).await? else { return Err(gone) };
    let account = match row.account {
        Some(id) => Some(app.store.account_get(id).await?.ok_or(Error::NotFound("account"))?),
        None => None,
    };
    Ok(Setup { row, account })
}

/// Uses up the link: makes the first administrator, or sets the account's password. Ends its other sessions.
pub async fn complete(app: &App, ctx: &Ctx, token: &str, choice: Choice) -> Result<AccountId, Error> {
    let setup = find(app, ctx, token).await?;
    let first = setup.account.is_none();
    let account = match setup.account {
        Some(account) => Account { name: Account::new(account.id, account.email.clone(), &choice.name, ctx.now)?.name, ..account },
        None => Account::new(AccountId::new(ctx.now, &mut { app.env() }), Email::parse(&choice.email)?, &choice.name, ctx.now)?,
    };
    check_strength(choice.password.open(), &[account.email.as_str(), &account.name])?;
    let hash = app.hasher.create(choice.password, Arc::clone(&app.env)).await?;
    let used = app.record(ctx, SetupLinkUsed { account: account.id }).await?;
    let changeset = Changeset::of(used).setup_use(setup.row.id, ctx.now);
    let changeset = if first {
        let roles = [ADMIN.to_owned()];
        let created = app.record(ctx, AccountCreated { account: account.id, email: account.email.as_str(), roles: &roles }).await?;
        changeset.and(created).account_insert(&account, Some(&hash)).account_set_roles(account.id, &roles)
    } else {
        changeset.account_set_password(account.id, &hash).account_set_name(account.id, &account.name).session_end_by_account(account.id, ctx.now)
    };
    app.store.commit(changeset).await?;
    app.forget(account.id.0);
    Ok(account.id)
}
