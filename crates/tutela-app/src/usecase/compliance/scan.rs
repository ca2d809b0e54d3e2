//! Looking at everything: the whole ledger is hashed again, and stores and ledger are looked through for card numbers. Only
//! what the ledger has got since the last time is read again; a find is an event, which opens an incident.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tutela_api as api;
use tutela_compliance::has_card_number;
use tutela_core::Timestamp;
use tutela_store::{Changeset, Housekeeping};

use super::happened::CardNumbersFound;
use crate::{App, Ctx, Error, port::DataError};

const KEPT: &str = "compliance_scan";
/// Entries of the ledger that are read at a time.
const STEP: u64 = 1_024;
const LEDGER: &str = "ledger";

/// What came of the last one.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Last {
    pub at: Option<Timestamp>,
    pub entries: u64,
    pub flaw: Option<String>,
    /// Up to where the ledger was looked through for card numbers.
    position: u64,
    pub looked: u64,
    pub unlooked: Vec<String>,
    pub found: BTreeMap<String, u64>,
}

/// Looks now.
pub async fn scan(app: &App, ctx: &Ctx) -> Result<api::ComplianceScan, Error> {
    app.permit(ctx, "compliance:write").await?;
    let last = run(app, ctx).await?;
    Ok(api::ComplianceScan {
        at: ctx.now.to_string(),
        entries: last.entries,
        flaw: last.flaw,
        looked: last.looked,
        unlooked: last.unlooked,
        card_numbers: last.found,
    })
}

/// What came of the last one.
pub(super) async fn last(app: &App) -> Result<Last, Error> {
    Ok(app.store.setting_get(KEPT).await?.and_then(|kept| serde_json::from_value(kept).ok()).unwrap_or_default())
}

pub(super) async fn run(app: &App, ctx: &Ctx) -> Result<Last, Error> {
    let before = last(app).await?;
    let mut now = Last { at: Some(ctx.now), ..Last::default() };
    (now.entries, now.flaw) = verified(app).await?;
    let in_ledger = before.found.get(LEDGER).copied().unwrap_or(0);
    let more;
    (more, now.position) = in_entries(app, before.position).await?;
    now.looked = 1;
    now.found.extend((in_ledger + more > 0).then(|| (LEDGER.to_owned(), in_ledger + more)));
    for (name, store) in app.data_stores.iter() {
        match store.scan_for(has_card_number).await {
            Ok(hits) => {
                now.looked += 1;
                now.found.extend(hits.into_iter().map(|hit| (format!("{name}.{}.{}", hit.table, hit.column), hit.rows)));
            }
            Err(DataError::Refused(why) | DataError::Unavailable(why)) => now.unlooked.push(format!("{name}: {why}")),
        }
    }
    for (place, rows) in &now.found {
        if before.found.get(place).is_none_or(|known| known < rows) {
            app.commit(ctx, CardNumbersFound::new(place, *rows), |changeset| changeset).await?;
        }
    }
    let kept = serde_json::to_value(&now).map_err(|_| Error::Internal("what was found could not be written down"))?;
    app.store.commit(Changeset::housekeeping(Housekeeping::Job).setting_set(KEPT, kept)).await?;
    Ok(now)
}

/// How many entries were hashed again, and what does not fit. It reads everything, so it has a thread of its own.
async fn verified(app: &App) -> Result<(u64, Option<String>), Error> {
    let (app, runtime) = (app.clone(), tokio::runtime::Handle::current());
    let report = tokio::task::spawn_blocking(move || {
        runtime.block_on(async {
            let verification = app.store.verification().await?;
            let report = verification.run(&app.ledger_key, &[], &|_, _| {}).await?;
            verification.close().await?;
            Ok::<_, Error>(report)
        })
    });
    let report = report.await.map_err(|_| Error::Internal("the verification was stopped"))??;
    Ok((report.entries, report.flaw.map(|flaw| flaw.to_string())))
}

/// Entries with card numbers from a position on, and the position up to which that is known.
async fn in_entries(app: &App, from: u64) -> Result<(u64, u64), Error> {
    let (end, mut found, mut at) = (app.store.log_head().await?.0, 0, from.max(app.store.log_first().await?));
    while at < end {
        let to = (at + STEP).min(end);
        for (position, _, _, body) in app.store.log_scan(at, to).await? {
            let in_body = body.is_some_and(|body| std::str::from_utf8(&body).is_ok_and(has_card_number));
            let in_items =
                async || app.store.log_items(position).await.map(|items| items.iter().any(|item| std::str::from_utf8(item).is_ok_and(has_card_number)));
            found += u64::from(in_body || in_items().await?);
        }
        at = to;
    }
    Ok((found, end))
}
