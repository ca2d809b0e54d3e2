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
    app.commit(ctx, RoleChanged { name: &role.name, permissions: &role.permissions }, |c| c.role_upsert(&role).announce("role", &role.name)).await?;
    app.forget_all();
    Ok(())
}

pub(crate) async fn all(app: &App) -> Result<Roles, Error> {
    Ok(Roles::new(app.store.role_list().await?))
}

pub(crate) async fn must_exist(app: &App, names: &[String]) -> Result<(), Error> {
    let roles = all(app).await?;
    match names.iter().find(|name| !roles.contains(name)) {
        Some(unknown) => Err(Error::invalid("roles", format!("there is no role `{unknown}`; make it first"))),
        None => Ok(()),
    }
}
