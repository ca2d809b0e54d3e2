//! Provider epochs: a new provider key every `rotation_schedule`, two alive at a time, the old one
//! destroyed once nothing is wrapped under it.

use tutela_api as api;
use tutela_kms::event::{EpochBegan, EpochDestroyed};
use tutela_store::EpochRow;

use super::{key::unless_conflict, rewrap, subject};
use crate::{App, Ctx, Error};

/// All epochs, newest first.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::Epoch>, Error> {
    app.permit(ctx, "keys:read").await?;
    Ok(app.store.epoch_list().await?.iter().map(shown).collect())
}

/// Begins an epoch now and starts to move all keys under it.
pub async fn rotate(app: &App, ctx: &Ctx) -> Result<api::Epoch, Error> {
    app.permit(ctx, "keys:write").await?;
    let row = begin(app, ctx).await?;
    rewrap::begin(app, ctx).await?;
    Ok(shown(&row))
}

/// Destroys the provider key of an epoch that nothing is wrapped under any more.
pub async fn destroy(app: &App, ctx: &Ctx, number: u64, reason: api::Reason) -> Result<api::Epoch, Error> {
    app.permit(ctx, "keys:destroy").await?;
    if reason.reason.trim().is_empty() {
        return Err(Error::invalid("reason", "say why; the reason goes to the ledger"));
    }
    let row = find(app, number).await?;
    if row.state == "destroyed" {
        return Err(Error::Conflict("the epoch is destroyed already".into()));
    }
    if row.state == "active" || row.references > 0 {
        let text = format!("{} keys are wrapped under epoch {number}: rotate the provider key and let the rewrap job finish first", row.references);
        return Err(Error::Conflict(text));
    }
    end(app, ctx, &row, &reason.reason).await?;
    Ok(shown(&find(app, number).await?))
}

async fn find(app: &App, number: u64) -> Result<EpochRow, Error> {
    app.store.epoch_list().await?.into_iter().find(|row| u64::from(row.number) == number).ok_or(Error::NotFound("epoch"))
}

/// At the first start there is no epoch yet.
pub(crate) async fn ensure(app: &App, ctx: &Ctx) -> Result<(), Error> {
    if app.store.epoch_list().await?.is_empty() {
        unless_conflict(begin(app, ctx).await.map(|_| ()))?;
        app.ring.load_epochs().await?;
    }
    Ok(())
}

/// Makes the next epoch. Where another node is faster, the provider key made here is destroyed again.
pub(crate) async fn begin(app: &App, ctx: &Ctx) -> Result<EpochRow, Error> {
    let number = app.store.epoch_list().await?.first().map_or(1, |row| row.number + 1);
    let (row, kek) = app.ring.new_epoch(number, ctx.now).await?;
    let done = app.commit(ctx, EpochBegan::new(number, &row.provider, &row.provider_key), |c| c.epoch_begin(&row)).await;
    if let Err(e) = done {
        if let Err(left) = app.ring.provider_named(&row.provider)?.destroy(&row.provider_key).await {
            tracing::warn!(error = %left, key = row.provider_key, "a provider key that is not needed could not be destroyed");
        }
        return Err(e);
    }
    app.ring.hold(kek, &row.provider);
    Ok(row)
}

/// First the row says that nothing may be wrapped under it any more, then the provider key dies, then
/// the row says so. A crash in between leaves an ending row, which the next round takes up again; a
/// provider counts a missing key as destroyed.
async fn end(app: &App, ctx: &Ctx, row: &EpochRow, reason: &str) -> Result<(), Error> {
    app.store.commit(tutela_store::Changeset::housekeeping(tutela_store::Housekeeping::Job).epoch_end(row.number)).await?;
    app.ring.provider_named(&row.provider)?.destroy(&row.provider_key).await.map_err(crate::ring::KeyError::from)?;
    app.commit(ctx, EpochDestroyed::new(row.number, &row.provider, &row.provider_key, reason), |c| c.epoch_destroy(row.number, ctx.now)).await?;
    app.ring.drop_epoch(row.number);
    if let Err(e) = app.store.scrub().await {
        tracing::warn!(error = %e, "old pages are still in the write-ahead log");
    }
    subject::complete(app, ctx).await
}

/// What is due: the next epoch, and the end of those that have nothing under them any more.
pub(crate) async fn upkeep(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let rows = app.store.epoch_list().await?;
    let old = rows.first().is_none_or(|newest| ctx.now.since(newest.created_at) >= app.ring.settings.rotation);
    let moved = rows.first().is_some_and(|newest| newest.provider != app.ring.settings.provider);
    if old || moved {
        unless_conflict(begin(app, ctx).await.map(|_| ()))?;
        rewrap::begin(app, ctx).await?;
    }
    for row in rows.iter().filter(|row| row.state != "active" && row.state != "destroyed" && row.references == 0) {
        // A database backup may still be wanted that was made before: it can be opened for this long.
        let over = row.retired_at.is_some_and(|at| ctx.now.since(at) >= app.ring.settings.destroy_wait);
        // One that cannot be ended yet must not keep the others from it.
        if (over || row.state == "ending")
            && let Err(e) = unless_conflict(end(app, ctx, row, "nothing is wrapped under it any more").await)
        {
            tracing::warn!(epoch = row.number, error = %e, "an epoch's provider key could not be destroyed yet");
        }
    }
    Ok(())
}

fn shown(row: &EpochRow) -> api::Epoch {
    api::Epoch {
        number: u64::from(row.number),
        provider: row.provider.clone(),
        provider_key: row.provider_key.clone(),
        state: row.state.clone(),
        created_at: row.created_at.to_string(),
        destroyed_at: row.destroyed_at.map(|at| at.to_string()),
        references: row.references,
    }
}
