//! Looking at everything: the whole ledger is hashed again, and stores and ledger are looked through for card numbers; of the
//! ledger only what it has got since the last time. A find is an event, which opens an incident.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tutela_api as api;
use tutela_core::{Timestamp, has_card_number};
use tutela_store::{Changeset, Error as StoreError, Housekeeping};

use super::happened::CardNumbersFound;
use crate::{App, Ctx, Error, port::DataError};

const KEPT: &str = "compliance_scan";
const SEALED_AS: &[u8] = b"tutela compliance scan";
/// Entries of the ledger that are read at a time.
const STEP: u64 = 1_024;
/// How long a store may take to be looked through.
const PATIENCE: Duration = Duration::from_secs(3_600);
const LEDGER: &str = "ledger";

/// What came of the last one.
#[derive(Serialize, Deserialize)]
pub(super) struct Last {
    pub at: Timestamp,
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
    let _only = app.assessing.lock().await;
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

/// What came of the last one, where there was one.
pub(super) async fn last(app: &App) -> Result<Option<Last>, Error> {
    let kept = app.store.setting_get(KEPT).await?;
    Ok(kept.and_then(|kept| app.open_as(SEALED_AS, kept.as_str()?)))
}

pub(super) async fn run(app: &App, ctx: &Ctx) -> Result<Last, Error> {
    let before = last(app).await?;
    let known = |place: &str| before.as_ref().and_then(|before| before.found.get(place)).copied().unwrap_or(0);
    let (entries, flaw) = verified(app).await?;
    let (more, position) = in_entries(app, before.as_ref().map_or(0, |before| before.position)).await?;
    let in_ledger = known(LEDGER) + more;
    let found = (in_ledger > 0).then(|| (LEDGER.to_owned(), in_ledger)).into_iter().collect();
    let mut now = Last { at: ctx.now, entries, flaw, position, looked: 1, unlooked: Vec::new(), found };
    for (name, store) in app.data_stores.iter() {
        let late = |_| Err(DataError::Unavailable("it takes too long".into()));
        match tokio::time::timeout(PATIENCE, store.scan_for(has_card_number)).await.unwrap_or_else(late) {
            Ok(hits) => {
                now.looked += 1;
                now.found.extend(hits.into_iter().map(|hit| (format!("{name}.{}.{}", hit.table, hit.column), hit.rows)));
            }
            // The words of a store may name a file, and a file a person.
            Err(DataError::Refused(_)) => now.unlooked.push(format!("{name}: what is in it cannot be looked through")),
            Err(DataError::Unavailable(_)) => now.unlooked.push(format!("{name}: it does not answer")),
        }
    }
    for (place, rows) in &now.found {
        if known(place) < *rows {
            app.commit(ctx, CardNumbersFound::new(place, *rows), |changeset| changeset).await?;
        }
    }
    let kept = app.seal_as(SEALED_AS, &now)?;
    app.store.commit(Changeset::housekeeping(Housekeeping::Job).setting_set(KEPT, kept.into())).await?;
    Ok(now)
}

/// How many entries were hashed again, and what does not fit. It reads everything, so it has a thread of its own.
async fn verified(app: &App) -> Result<(u64, Option<String>), Error> {
    let (app, runtime) = (app.clone(), tokio::runtime::Handle::current());
    let report = tokio::task::spawn_blocking(move || {
        runtime.block_on(async {
            let verification = app.store.verification().await?;
            let report = verification.run(&app.ledger_key, &[], &|_, _| {}).await;
            // The connection goes back to others, whatever came of it.
            verification.close().await?;
            Ok::<_, Error>(report)
        })
    });
    match report.await.map_err(|_| Error::Internal("the verification was stopped"))?? {
        Ok(report) => Ok((report.entries, report.flaw.map(|flaw| flaw.to_string()))),
        Err(StoreError::Decode(what)) => Ok((0, Some(what))),
        Err(e) => Err(e.into()),
    }
}

/// Entries with card numbers from a position on, and the position up to which that is known.
async fn in_entries(app: &App, from: u64) -> Result<(u64, u64), Error> {
    let (end, mut found, mut at) = (app.store.log_head().await?.0, 0, from.max(app.store.log_first().await?));
    while at < end {
        let to = (at + STEP).min(end);
        let holds = |body: &[u8]| std::str::from_utf8(body).is_ok_and(has_card_number);
        let entries = app.store.log_scan(at, to).await?.into_iter().filter(|(.., body)| body.as_deref().is_some_and(holds)).map(|(position, ..)| position);
        let items = app.store.log_items_range(at, to).await?.into_iter().filter(|(_, body)| holds(body)).map(|(position, _)| position.entry);
        found += entries.chain(items).collect::<BTreeSet<u64>>().len() as u64;
        at = to;
    }
    Ok((found, end))
}
