//! Declaring event types: once each, so that search, exports and reports know what they mean.

use tutela_api as api;
use tutela_store::Changeset;

use crate::{
    App, Ctx, Declared, Error, audit,
    occurrence::{EventTypeDeclared, EventTypeRemoved},
};

/// Most types that may be declared over the API.
const MAX_TYPES: usize = 1_000;

/// Every type that is known, by name.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::EventType>, Error> {
    app.permit(ctx, "ledger:read").await?;
    Ok(app.types.list().iter().map(|declared| shown(declared)).collect())
}

/// One type.
pub async fn get(app: &App, ctx: &Ctx, name: &str) -> Result<api::EventType, Error> {
    app.permit(ctx, "ledger:read").await?;
    app.types.get(name).map(|declared| shown(&declared)).ok_or(Error::NotFound("event type"))
}

/// Declares a type, or declares it anew. What was recorded before stays as it is.
pub async fn set(app: &App, ctx: &Ctx, name: &str, mut body: api::EventTypeBody) -> Result<api::EventType, Error> {
    app.permit(ctx, "event_types:write").await?;
    if body.name.is_empty() {
        name.clone_into(&mut body.name);
    }
    if body.name != name {
        return Err(Error::invalid("name", format!("the address says `{name}`, the declaration `{}`", body.name)));
    }
    audit::check(&body).map_err(|(field, message)| Error::invalid(field, message))?;
    if app.types.is_fixed(name) {
        return Err(Error::Conflict(format!("`{name}` is declared by tutela itself or by the configuration, which cannot be changed here")));
    }
    if app.types.get(name).is_none() && app.types.list().len() >= MAX_TYPES {
        return Err(Error::Conflict(format!("at most {MAX_TYPES} types can be declared")));
    }
    let stored = serde_json::to_value(&body).map_err(|_| Error::Internal("a declaration is not JSON"))?;
    let fields = body.fields.iter().map(|f| f.name.clone()).collect();
    app.commit(ctx, EventTypeDeclared::new(name, &body.class, fields), |c| c.event_type_set(name, stored)).await?;
    load(app).await?;
    app.types.get(name).map(|declared| shown(&declared)).ok_or(Error::Internal("a declared type is not there"))
}

/// Takes a declaration back: the name is an undeclared one again.
pub async fn delete(app: &App, ctx: &Ctx, name: &str) -> Result<(), Error> {
    app.permit(ctx, "event_types:write").await?;
    if app.types.is_fixed(name) {
        return Err(Error::Conflict(format!("`{name}` is declared by tutela itself or by the configuration, which cannot be changed here")));
    }
    if app.types.get(name).is_none() {
        return Err(Error::NotFound("event type"));
    }
    app.commit(ctx, EventTypeRemoved::new(name), |c: Changeset| c.event_type_delete(name)).await?;
    load(app).await
}

/// Takes up what is stored.
pub(crate) async fn load(app: &App) -> Result<(), Error> {
    app.types.replace(app.store.event_type_list().await?);
    // A search cluster indexes what is declared.
    app.projection.iter().for_each(|projection| projection.woken.notify_one());
    Ok(())
}

fn shown(declared: &Declared) -> api::EventType {
    api::EventType { declaration: declared.body.clone(), origin: declared.origin.as_str().to_owned() }
}
