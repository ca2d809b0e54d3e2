//! Roles.

use tutela_api as api;
use tutela_core::AccountId;
use tutela_identity::{Role, access::Effect, event::RoleChanged};

use crate::{App, Ctx, Error, usecase::sign_in};

/// What somebody holds who may do everything.
pub(crate) const EVERYTHING: &str = "*";

/// All roles.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::Role>, Error> {
    app.permit(ctx, "roles:read").await?;
    Ok(app.store.role_list().await?.into_iter().map(|r| api::Role { name: r.name, permissions: r.permissions }).collect())
}

/// Makes a role or sets what it allows.
pub async fn set(app: &App, ctx: &Ctx, role: api::Role) -> Result<(), Error> {
    sign_in::permit_fresh(app, ctx, "roles:write").await?;
    let role = Role::new(&role.name, role.permissions)?;
    must_hold(ctx, &role.permissions)?;
    // Emptying a role is as much of a power as filling it.
    let old = app.store.role_list().await?.into_iter().find(|r| r.name == role.name).map(|r| r.permissions).unwrap_or_default();
    must_hold(ctx, &old)?;
    app.commit(ctx, RoleChanged { name: &role.name, permissions: &role.permissions }, |c| c.role_upsert(&role).announce("role", &role.name)).await?;
    app.forget_all();
    Ok(())
}

/// Refuses roles that do not exist, and those the caller does not hold: applications ask for roles by
/// name, so holding all their permissions is not enough. Whoever may do everything may give every role.
pub(crate) async fn must_be_giveable(app: &App, ctx: &Ctx, names: &[String]) -> Result<(), Error> {
    let access = app.access(ctx.now).await?;
    if let Some(unknown) = names.iter().find(|name| !access.0.has_role(name)) {
        return Err(Error::invalid("roles", format!("there is no role `{unknown}`; make it first")));
    }
    if ctx.principal.allows(EVERYTHING) {
        return Ok(());
    }
    let held = match ctx.principal.account() {
        Some(id) => access.0.roles_of(&*app.holder(id, ctx.now).await?),
        None => Vec::new(),
    };
    match names.iter().find(|name| !held.contains(name)) {
        Some(beyond) => Err(Error::Conflict(format!("you cannot give or take the role `{beyond}`: you do not hold it yourself"))),
        None => Ok(()),
    }
}

/// Refuses to act on somebody who may do what the caller may not, by a role of their own or of a group, or by a grant.
pub(crate) async fn must_be_over(app: &App, ctx: &Ctx, account: AccountId) -> Result<(), Error> {
    if ctx.principal.allows(EVERYTHING) {
        return Ok(());
    }
    let holder = app.holder(account, ctx.now).await?;
    let roles = app.access(ctx.now).await?.0.roles_of(&holder);
    must_be_giveable(app, ctx, &roles).await?;
    let given: Vec<String> = holder.grants.iter().filter(|grant| grant.effect == Effect::Allow).map(|grant| grant.permission.clone()).collect();
    must_hold(ctx, &given)
}

fn must_hold(ctx: &Ctx, permissions: &[String]) -> Result<(), Error> {
    match permissions.iter().find(|permission| !ctx.principal.allows(permission)) {
        Some(beyond) => Err(Error::Conflict(format!("you cannot give `{beyond}`: you do not hold it yourself"))),
        None => Ok(()),
    }
}
