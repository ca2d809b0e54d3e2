//! Roles.

use tutela_api as api;
use tutela_identity::{Role, Roles, event::RoleChanged};

use crate::{App, Ctx, Error};

/// All roles.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::Role>, Error> {
    app.permit(ctx, "roles:read").await?;
    Ok(app.store.role_list().await?.into_iter().map(|r| api::Role { name: r.name, permissions: r.permissions }).collect())
}

/// Makes a role or sets what it allows.
pub async fn set(app: &App, ctx: &Ctx, role: api::Role) -> Result<(), Error> {
    app.permit(ctx, "roles:write").await?;
    let role = Role::new(&role.name, role.permissions)?;
    must_hold(ctx, &role.permissions)?;
    app.commit(ctx, RoleChanged { name: &role.name, permissions: &role.permissions }, |c| c.role_upsert(&role).announce("role", &role.name)).await?;
    app.forget_all();
    Ok(())
}

pub(crate) async fn all(app: &App) -> Result<Roles, Error> {
    Ok(Roles::new(app.store.role_list().await?))
}

/// Refuses roles that do not exist, and those that allow more than the caller may: nobody hands out what they do not hold.
pub(crate) async fn must_be_giveable(app: &App, ctx: &Ctx, names: &[String]) -> Result<(), Error> {
    let roles = all(app).await?;
    if let Some(unknown) = names.iter().find(|name| !roles.contains(name)) {
        return Err(Error::invalid("roles", format!("there is no role `{unknown}`; make it first")));
    }
    let permissions: Vec<String> = roles.grants(names).iter().map(str::to_owned).collect();
    must_hold(ctx, &permissions)
}

fn must_hold(ctx: &Ctx, permissions: &[String]) -> Result<(), Error> {
    match permissions.iter().find(|permission| !ctx.principal.allows(permission)) {
        Some(beyond) => Err(Error::Conflict(format!("you cannot give `{beyond}`: you do not hold it yourself"))),
        None => Ok(()),
    }
}
