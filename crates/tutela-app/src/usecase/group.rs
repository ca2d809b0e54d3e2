//! Groups: accounts that have roles together.

use tutela_api as api;
use tutela_core::AccountId;
use tutela_identity::event::{GroupChanged, GroupDeleted, GroupMemberChanged};

use crate::{
    App, Ctx, Error,
    usecase::{role, sign_in},
};

/// Most roles of a group.
const MOST_ROLES: usize = 64;

/// All groups.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::Group>, Error> {
    app.permit(ctx, "groups:read").await?;
    Ok(app.store.group_list().await?.into_iter().map(|(name, roles)| api::Group { name, roles }).collect())
}

/// Makes a group or sets its roles; what its members may do changes at once.
pub async fn set(app: &App, ctx: &Ctx, group: api::Group) -> Result<(), Error> {
    sign_in::permit_fresh(app, ctx, "groups:write").await?;
    let name = &group.name;
    let fine =
        (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_- ".contains(&b)) && name.trim() == name;
    if !fine {
        return Err(Error::invalid("name", "a group's name has 1 to 64 characters of `a-z 0-9 _ -` and spaces between"));
    }
    if group.roles.len() > MOST_ROLES {
        return Err(Error::invalid("roles", format!("a group has at most {MOST_ROLES} roles")));
    }
    let old = app.access(ctx.now).await?.0.group_roles(name).to_vec();
    role::must_be_giveable(app, ctx, &[&group.roles[..], &old[..]].concat()).await?;
    app.commit(ctx, GroupChanged::new(name, &group.roles), |c| c.group_set(name, &group.roles, ctx.now).announce("group", name)).await?;
    app.forget_all();
    Ok(())
}

/// Deletes a group; its members lose its roles.
pub async fn delete(app: &App, ctx: &Ctx, name: &str) -> Result<(), Error> {
    sign_in::permit_fresh(app, ctx, "groups:write").await?;
    must_be_mine(app, ctx, name).await?;
    let members = app.store.group_list_members(name, None, 10_000).await?.len() as u64;
    let change = |c: tutela_store::Changeset| c.grant_delete_by_group(name).group_delete(name).announce("group", name);
    app.commit(ctx, GroupDeleted::new(name, members), change).await?;
    app.forget_all();
    Ok(())
}

/// Members of a group.
pub async fn members(app: &App, ctx: &Ctx, name: &str, before: Option<AccountId>, limit: u32) -> Result<Vec<String>, Error> {
    app.permit(ctx, "groups:read").await?;
    exists(app, ctx, name).await?;
    Ok(app.store.group_list_members(name, before, limit.clamp(1, 100)).await?.iter().map(AccountId::to_string).collect())
}

/// Puts an account into a group or takes it out.
pub async fn set_member(app: &App, ctx: &Ctx, name: &str, account: AccountId, joined: bool) -> Result<(), Error> {
    sign_in::permit_fresh(app, ctx, "groups:write").await?;
    must_be_mine(app, ctx, name).await?;
    app.store.account_get(account).await?.ok_or(Error::NotFound("account"))?;
    app.commit(ctx, GroupMemberChanged::new(name, account, joined), |c| {
        let changeset = if joined { c.group_join(name, account) } else { c.group_leave(name, account) };
        changeset.announce("account", account)
    })
    .await?;
    app.forget(account.0);
    Ok(())
}

async fn exists(app: &App, ctx: &Ctx, name: &str) -> Result<(), Error> {
    if app.access(ctx.now).await?.0.has_group(name) { Ok(()) } else { Err(Error::NotFound("group")) }
}

/// Whoever changes a group's members gives and takes its roles and its grants.
pub(crate) async fn must_be_mine(app: &App, ctx: &Ctx, name: &str) -> Result<(), Error> {
    exists(app, ctx, name).await?;
    let roles = app.access(ctx.now).await?.0.group_roles(name).to_vec();
    role::must_be_giveable(app, ctx, &roles).await?;
    // Who joins gets what is granted to the group, and who leaves sheds what is denied to it.
    let grants = app.store.grant_list_by_group(name, ctx.now).await?;
    match grants.iter().find(|grant| !ctx.principal.allows(&grant.permission)) {
        Some(beyond) => Err(Error::Conflict(format!("the group has a grant of `{}`, which you do not hold yourself", beyond.permission))),
        None => Ok(()),
    }
}
