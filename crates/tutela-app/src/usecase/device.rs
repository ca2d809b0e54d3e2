//! Devices of the caller: which there are, forgetting one, and saying that one was never theirs.

use tutela_core::DeviceId;
use tutela_identity::{
    SessionEndReason,
    device::Device,
    event::{DeviceDisowned, DeviceForgotten},
};

use crate::{
    App, Ctx, Error,
    usecase::{
        link::{self, Purpose},
        session::{self, Ending},
        sign_in::{self, Needed, Visitor},
    },
};

/// Most devices shown.
const PAGE: u32 = 100;
/// What the next sign-in reads that has to choose another password.
const DISOWNED: &str = "you said that somebody else had signed in";

/// The caller's devices, the last used first.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<Device>, Error> {
    Ok(app.store.device_list(session::own_account(ctx)?, PAGE).await?)
}

/// Which of the caller's devices this one is.
pub async fn current(app: &App, ctx: &Ctx, visitor: &Visitor) -> Result<Option<DeviceId>, Error> {
    let account = session::own_account(ctx)?;
    let Some(token) = visitor.device.as_deref() else { return Ok(None) };
    Ok(app.store.device_get(account, token.hash()).await?.map(|device| device.id))
}

/// Forgets one of the caller's devices: it spares nothing any more, and its sessions end.
pub async fn forget(app: &App, ctx: &Ctx, id: DeviceId) -> Result<(), Error> {
    let account = session::own_account(ctx)?;
    sign_in::require_fresh(app, ctx, Needed::Fresh).await?;
    let known = app.store.device_list(account, 1_000).await?.iter().any(|device| device.id == id);
    if !known {
        return Err(Error::NotFound("device"));
    }
    let (_, ending) = session::ending(app, ctx, account, Ending::With(id), SessionEndReason::Other).await?;
    app.commit(ctx, DeviceForgotten::new(account, Some(id)), |c| ending(c).device_delete(id, account)).await?;
    app.forget(account.0);
    Ok(())
}

/// Whether a link of the mail about a new device is good, and for which one.
pub async fn find_disowning(app: &App, ctx: &Ctx, token: &str) -> Result<(), Error> {
    link::find(app, ctx, Purpose::NotMe, token).await.map(|_| ())
}

/// "This was not me": ends the device's sessions, forgets it, and asks for a new password at the next sign-in.
pub async fn disown(app: &App, ctx: &Ctx, token: &str) -> Result<(), Error> {
    let gone = || Error::NotFound("link: it was used already, is too old, or was replaced by a newer one");
    let (row, payload) = link::find(app, ctx, Purpose::NotMe, token).await?;
    let (Some(account), Some(device)) = (row.account, payload.and_then(|text| text.parse::<DeviceId>().ok())) else { return Err(gone()) };
    let known = app.store.device_list(account, 1_000).await?.iter().any(|d| d.id == device);
    let (ended, ending) = session::ending(app, ctx, account, Ending::With(device), SessionEndReason::NotMe).await?;
    app.commit(ctx, DeviceDisowned::new(account, device, ended), |changeset| {
        let changeset = ending(changeset).link_use(row.id, ctx.now).account_must_change_password(account, DISOWNED).sign_in_end_by_account(account);
        let changeset = changeset.device_forget_all(account);
        if known { changeset.device_delete(device, account) } else { changeset }
    })
    .await?;
    app.forget(account.0);
    Ok(())
}
