//! The gateway of this process: what it guards, and reading its configuration again.

use tutela_api as api;

use crate::{App, Ctx, Error, occurrence::ConfigurationReloaded, port::GatewayControl, usecase::sign_in};

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

pub(crate) fn control(app: &App) -> Result<&dyn GatewayControl, Error> {
    app.gateway.get().map(|gateway| &**gateway).ok_or(Error::NotFound("gateway"))
}
