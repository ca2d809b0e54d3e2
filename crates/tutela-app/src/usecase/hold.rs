//! Holds: what matches is kept whatever its retention says, for example for a court.

use tutela_api as api;
use tutela_core::{HoldId, Timestamp};
use tutela_ledger::Query;
use tutela_store::HoldRow;

use super::search;
use crate::{
    App, Ctx, Error,
    occurrence::{LedgerHoldPlaced, LedgerHoldReleased},
};

/// Most holds at a time: every event that expires is compared with each.
const MOST: usize = 100;

/// Places a hold.
pub async fn place(app: &App, ctx: &Ctx, new: api::NewHold) -> Result<api::Hold, Error> {
    app.permit(ctx, "ledger:hold").await?;
    let case = text("case", &new.case, 128)?;
    let reason = text("reason", &new.reason, 1_024)?;
    search::query(&new.q)?;
    let until: Option<Timestamp> = match new.until {
        None => None,
        Some(until) => Some(until.parse().map_err(|_| Error::invalid("until", format!("`{until}` is not an RFC 3339 time such as 2027-11-22T00:00:00Z")))?),
    };
    if until.is_some_and(|until| until <= ctx.now) {
        return Err(Error::invalid("until", "a hold ends in the future, or never by itself"));
    }
    if active_rows(app, ctx.now).await?.len() >= MOST {
        return Err(Error::Conflict(format!("there are {MOST} holds already; release one first")));
    }
    let row = HoldRow {
        id: HoldId::new(ctx.now, &mut { app.env() }),
        case: case.to_owned(),
        reason: reason.to_owned(),
        query: new.q.trim().to_owned(),
        placed_at: ctx.now,
        until,
        released_at: None,
    };
    app.commit(ctx, LedgerHoldPlaced::new(row.id, case, reason, &row.query), |c| c.hold_insert(&row)).await?;
    Ok(shown(row))
}

/// The newest 1,000 holds, those that ended too.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::Hold>, Error> {
    app.permit(ctx, "ledger:read").await?;
    Ok(app.store.hold_list().await?.into_iter().map(shown).collect())
}

/// Ends a hold. What has expired meanwhile goes with the next round of retention.
pub async fn release(app: &App, ctx: &Ctx, id: &str, reason: &str) -> Result<api::Hold, Error> {
    app.permit(ctx, "ledger:hold").await?;
    let reason = text("reason", reason, 1_024)?;
    let id: HoldId = id.parse().map_err(|_| Error::NotFound("hold"))?;
    let row = app.store.hold_get(id).await?.ok_or(Error::NotFound("hold"))?;
    app.commit(ctx, LedgerHoldReleased::new(id, &row.case, reason), |c| c.hold_release(id, ctx.now).retention_reset()).await?;
    app.store.hold_get(id).await?.map(shown).ok_or(Error::NotFound("hold"))
}

/// Releases the holds whose time is over, so that what has expired under them goes.
pub(crate) async fn end_by_time(app: &App, ctx: &Ctx) -> Result<(), Error> {
    for row in app.store.hold_list_active().await? {
        if row.until.is_some_and(|until| until <= app.env.now()) {
            app.commit(ctx, LedgerHoldReleased::new(row.id, &row.case, "its time is over"), |c| c.hold_release(row.id, ctx.now).retention_reset()).await?;
        }
    }
    Ok(())
}

/// What holds keep at this moment.
pub(crate) async fn active(app: &App, now: Timestamp) -> Result<Vec<Query>, Error> {
    // A hold that cannot be read keeps everything: unknown is no.
    Ok(active_rows(app, now).await?.iter().map(|row| Query::parse(&row.query).unwrap_or_default()).collect())
}

async fn active_rows(app: &App, now: Timestamp) -> Result<Vec<HoldRow>, Error> {
    let rows = app.store.hold_list_active().await?;
    Ok(rows.into_iter().filter(|row| row.until.is_none_or(|until| now < until)).collect())
}

fn text<'a>(field: &'static str, text: &'a str, most: usize) -> Result<&'a str, Error> {
    let text = text.trim();
    if text.is_empty() || text.len() > most { Err(Error::invalid(field, format!("`{field}` has 1 to {most} bytes"))) } else { Ok(text) }
}

fn shown(row: HoldRow) -> api::Hold {
    api::Hold {
        id: row.id.to_string(),
        case: row.case,
        reason: row.reason,
        q: row.query,
        placed_at: row.placed_at.to_string(),
        until: row.until.map(|at| at.to_string()),
        released_at: row.released_at.map(|at| at.to_string()),
    }
}
