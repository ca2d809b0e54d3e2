//! The gateway of this process: what it guards, whom its limits refuse, and reading its configuration again.

use tutela_api as api;

use crate::{
    App, Ctx, Error,
    occurrence::{ConfigurationReloaded, LimitLifted},
    port::GatewayControl,
    usecase::{account::reason, sign_in},
};

/// What it guards now, and how.
pub async fn status(app: &App, ctx: &Ctx) -> Result<api::Gateway, Error> {
    app.permit(ctx, "gateway:read").await?;
    Ok(control(app)?.status())
}

/// Reads the configuration again and goes on with it. What is wrong with it leaves everything as it is, and is recorded too.
pub async fn reload(app: &App, ctx: &Ctx) -> Result<api::Reloaded, Error> {
    sign_in::permit_fresh(app, ctx, "gateway:write").await?;
    match control(app)?.reload().await {
        Ok(reloaded) => {
            app.commit(ctx, ConfigurationReloaded::new(&reloaded.changed, None), |c| c).await?;
            Ok(reloaded)
        }
        Err(why) => {
            app.commit(ctx, ConfigurationReloaded::new(&[], Some(&why)), |c| c).await?;
            Err(Error::invalid("configuration", why))
        }
    }
}

/// Who would be refused by limits of requests now, as far as they were refused on this node.
pub async fn limited(app: &App, ctx: &Ctx) -> Result<Vec<api::Limited>, Error> {
    app.permit(ctx, "gateway:read").await?;
    Ok(control(app)?.limited())
}

/// Lets somebody in again whom a limit refuses.
pub async fn lift(app: &App, ctx: &Ctx, lift: &api::LiftLimit) -> Result<(), Error> {
    sign_in::permit_fresh(app, ctx, "gateway:write").await?;
    let why = reason(&lift.reason)?;
    let lifted = control(app)?.lift(&lift.limit, &lift.who).await.map_err(Error::SharedLimits)?;
    if !lifted {
        return Err(Error::NotFound("limited client"));
    }
    app.commit(ctx, LimitLifted::new(&lift.limit, &lift.who, &why), |c| c).await
}

pub(crate) fn control(app: &App) -> Result<&dyn GatewayControl, Error> {
    app.gateway.get().map(|gateway| &**gateway).ok_or(Error::NotFound("gateway"))
}
