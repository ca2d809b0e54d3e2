//! Devices of the caller: which there are, forgetting one, and saying that one was never theirs.

use tutela_core::{AccountId, DeviceId};
use tutela_identity::{
    SessionEndReason,
    device::Device,
    event::{DeviceDisowned, DeviceForgotten},
};

use crate::{
    App, Ctx, Error,
    usecase::{
        link::{self, Purpose},
        session,
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
    app.commit(ctx, DeviceForgotten::new(account, Some(id)), |c| c.device_delete(id, account)).await?;
    end_of(app, ctx, account, id, SessionEndReason::Other).await.map(|_| ())
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
    let sessions = app.store.session_list_by_account(account, 1_000, ctx.now).await?;
    let ending = sessions.iter().filter(|view| view.session.device == Some(device)).count() as u64;
    app.commit(ctx, DeviceDisowned::new(account, device, ending), |changeset| {
        let changeset = changeset.link_use(row.id, ctx.now).account_must_change_password(account, DISOWNED).sign_in_end_by_account(account);
        let changeset = changeset.device_forget_all(account);
        if known { changeset.device_delete(device, account) } else { changeset }
    })
    .await?;
    end_of(app, ctx, account, device, SessionEndReason::NotMe).await?;
    app.forget(account.0);
    Ok(())
}

/// Ends every session that was begun with a device.
async fn end_of(app: &App, ctx: &Ctx, account: AccountId, device: DeviceId, reason: SessionEndReason) -> Result<u64, Error> {
    let mut ended = 0;
    for view in app.store.session_list_by_account(account, 1_000, ctx.now).await? {
        if view.session.device == Some(device) {
            session::end_because(app, ctx, view.session.id, reason).await?;
            ended += 1;
        }
    }
    Ok(ended)
}
