//! Retention: events go when their class has been kept long enough, unless a hold keeps them.
//!
//! ```text
//!   recorded --days of its class--> expired: the body goes, the leaf hash stays   ledger.expired
//!            --everything before has expired--> pruned: the row goes, too          ledger.pruned
//! ```
//!
//! An event goes in the commit that records that it went, so that `verify` can tell retention from
//! tampering after any crash.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;
use tutela_api as api;
use tutela_core::{Class, ErrorKind, Timestamp};
use tutela_ledger::{EXPIRED, PRUNED, Query};
use tutela_store::{Changeset, Housekeeping, IndexChange, LogRow, Position};

use super::hold;
use crate::{
    App, Ctx, Error, Rules,
    occurrence::{LedgerExpired, LedgerPruned, LedgerRetentionRefused},
    record::Facets,
};

/// Entries that are read at a time.
const STEP: u64 = 512;
/// Events and records of batches that one commit takes out.
const MOST: u64 = 4_096;
/// Positions that one commit speaks of: a bit each in its event.
const SPAN: u64 = 32_768;
/// Rows that one commit deletes for good.
const DELETE: u64 = 2_048;
/// The log begins at a multiple of this: then stored tile nodes stand for everything before it.
const ALIGN: u64 = 256;

/// How long which events are kept, and how far that came.
pub async fn show(app: &App, ctx: &Ctx) -> Result<api::Retention, Error> {
    app.permit(ctx, "ledger:read").await?;
    let (first, cursors) = (app.store.log_first().await?, app.store.retention_list().await?);
    let reached = |days: u32| cursors.get(&days).map_or(0, |(_, position)| *position).max(first);
    let rules: Vec<_> = classes(app).iter().map(|class| app.rules.of(class)).collect();
    Ok(api::Retention {
        first_position: first,
        expired: rules.iter().map(|rule| reached(rule.days)).max().unwrap_or(first),
        holds: hold::active(app, ctx.now).await?.len() as u64,
        classes: rules
            .into_iter()
            .map(|rule| api::RetentionClass { expired_up_to: reached(rule.days), class: rule.class.to_string(), days: rule.days, source: rule.source })
            .collect(),
    })
}

/// The classes of rules and of declared types.
fn classes(app: &App) -> std::collections::BTreeSet<Class> {
    app.rules.classes().into_iter().chain(app.types.list().iter().map(|declared| declared.class.clone())).collect()
}

/// Takes out what has expired, now. Gives the number of events that went.
pub async fn apply(app: &App, ctx: &Ctx) -> Result<u64, Error> {
    app.permit(ctx, "ledger:expire").await?;
    run(app, ctx).await
}

pub(crate) async fn run(app: &App, ctx: &Ctx) -> Result<u64, Error> {
    let now = app.env.now();
    hold::end_by_time(app, ctx).await?;
    let holds = hold::active(app, now).await?;
    let first = app.store.log_first().await?;
    let stored = app.store.retention_list().await?;
    // Classes that are kept equally long expire together; one that nobody configured has the default.
    let mut periods: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for class in classes(app).into_iter().chain(Class::parse("other")) {
        periods.entry(app.rules.of(&class).days).or_default().push(class.to_string());
    }
    let (mut gone, mut reached) = (0, Vec::new());
    for (days, classes) in &periods {
        let classes = classes.join(",");
        // A period that other classes belong to than before is looked at again from the beginning.
        let mut at = stored.get(days).filter(|(of, _)| *of == classes).map_or(first, |(_, position)| (*position).max(first));
        loop {
            let round = expire(app, ctx, &Expiry { days: *days, classes: &classes, from: at, before: now.minus(day(*days)), holds: &holds }).await?;
            gone += round.events;
            at = round.to;
            if round.ended {
                break;
            }
        }
        reached.push(at);
    }
    if let Some(least) = reached.into_iter().min() {
        prune(app, ctx, least).await?;
    }
    Ok(gone)
}

fn day(days: u32) -> std::time::Duration {
    std::time::Duration::from_secs(u64::from(days) * 86_400)
}

/// What expires in one go.
struct Expiry<'a> {
    days: u32,
    /// The classes that are kept so long.
    classes: &'a str,
    from: u64,
    /// Recorded before this time.
    before: Timestamp,
    holds: &'a [Query],
}

struct Round {
    events: u64,
    to: u64,
    ended: bool,
}

/// Takes out the next events in one commit, with the event that says so.
async fn expire(app: &App, ctx: &Ctx, expiry: &Expiry<'_>) -> Result<Round, Error> {
    let size = app.store.log_head().await?.0;
    let (mut at, mut weight, mut ended) = (expiry.from, 0, false);
    let (mut positions, mut index, mut held) = (Vec::new(), Vec::new(), BTreeMap::<String, u64>::new());
    let mut by_class = BTreeMap::<String, u64>::new();
    let mut removed: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    'log: while weight < MOST && at < expiry.from + SPAN {
        let rows = app.store.log_scan(at, size.min(at + STEP)).await?;
        if rows.is_empty() {
            ended = true;
            break;
        }
        for (position, id, leaf, body) in rows {
            if id.time() >= expiry.before {
                ended = true;
                break 'log;
            }
            at = position + 1;
            let Some(body) = body else { continue };
            let event: Value = serde_json::from_slice(&body).unwrap_or_default();
            let class = event["retain"].as_str().unwrap_or(Class::AUDIT.as_str()).to_owned();
            if is_record_of_removal(&event) || days_of(&app.rules, &class) != expiry.days {
                continue;
            }
            let row = LogRow { position: Position { entry: position, item: None }, id, leaf, body };
            let items = event["items"]["count"].as_u64().unwrap_or(0);
            if !expiry.holds.is_empty() && is_held(app, &row, items, expiry.holds).await? {
                *held.entry(class).or_default() += 1;
                continue;
            }
            let month = id.time().month();
            let item = |item: u64| IndexChange { month, position: Position { entry: position, item: Some(item as u16) }, tokens: Vec::new() };
            index.extend((0..items.max(1)).map(item));
            positions.push(position);
            set_bit(removed.entry(class.clone()).or_default(), position - expiry.from);
            weight += items.max(1);
            *by_class.entry(class).or_default() += items.max(1);
        }
    }
    let mut records = Vec::new();
    for (class, events) in &by_class {
        let map = BASE64.encode(removed.get(class).map(Vec::as_slice).unwrap_or_default());
        records.push(app.record(ctx, LedgerExpired::new(class, expiry.from, at, *events, map)).await?);
    }
    for (class, events) in &held {
        records.push(app.record(ctx, LedgerRetentionRefused::new(class, *events)).await?);
    }
    if at > expiry.from {
        let changeset = Changeset::of_all(records).unwrap_or_else(|| Changeset::housekeeping(Housekeeping::Cursor));
        app.store.commit(changeset.log_expire(&positions).index_change(index).retention_set(expiry.days, expiry.classes, at)).await?;
    }
    Ok(Round { events: by_class.values().sum(), to: at, ended })
}

/// One bit a position, the lowest first.
fn set_bit(map: &mut Vec<u8>, number: u64) {
    let (byte, bit) = ((number / 8) as usize, number % 8);
    if map.len() <= byte {
        map.resize(byte + 1, 0);
    }
    if let Some(byte) = map.get_mut(byte) {
        *byte |= 1 << bit;
    }
}

fn days_of(rules: &Rules, class: &str) -> u32 {
    rules.of(&Class::parse(class).unwrap_or(Class::AUDIT)).days
}

/// What says that others are gone goes last, with everything around it.
fn is_record_of_removal(event: &Value) -> bool {
    matches!(event["type"].as_str(), Some(EXPIRED | PRUNED))
}

async fn is_held(app: &App, row: &LogRow, items: u64, holds: &[Query]) -> Result<bool, Error> {
    if items == 0 {
        return fits(app, row, holds).await;
    }
    // One record that is held keeps its batch.
    for (item, body) in app.store.log_items(row.position.entry).await?.into_iter().enumerate() {
        if fits(app, &row.item(item as u16, body), holds).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a hold keeps an event. One that cannot be opened is kept: unknown is no.
async fn fits(app: &App, row: &LogRow, holds: &[Query]) -> Result<bool, Error> {
    match app.open_event(row).await {
        Ok(event) => Ok(holds.iter().any(|hold| Facets::read(&event).fit(hold))),
        Err(e) if e.kind() == ErrorKind::Corrupt => Ok(true),
        Err(e) => Err(e),
    }
}

/// Deletes the beginning of the log up to where everything has expired.
async fn prune(app: &App, ctx: &Ctx, least: u64) -> Result<(), Error> {
    let first = app.store.log_first().await?;
    let to = still_needed(app, first, least).await?;
    let to = to - to % ALIGN;
    if to > first {
        app.commit(ctx, LedgerPruned::new(to), |c| c.log_first_set(to)).await?;
    }
    // Rows before the beginning go in small steps, so that nobody waits for them; also those that a crash left.
    let first = first.max(to);
    app.store.log_drop_partitions(first).await?;
    while let Some(oldest) = app.store.log_oldest().await?.filter(|oldest| *oldest < first) {
        let next = first.min(oldest + DELETE);
        app.store.commit(Changeset::housekeeping(Housekeeping::Index).log_delete(oldest, next)).await?;
    }
    app.store.index_drop_before(first).await?;
    Ok(())
}

/// The first entry from `first` on that must stay, at most `least`.
async fn still_needed(app: &App, first: u64, least: u64) -> Result<u64, Error> {
    let mut at = first;
    while at < least {
        for (position, _, _, body) in app.store.log_scan(at, least.min(at + STEP)).await? {
            let needed = body.is_some_and(|body| !is_record_of_removal(&serde_json::from_slice(&body).unwrap_or_default()));
            if needed {
                return Ok(position);
            }
        }
        at = least.min(at + STEP);
    }
    Ok(least)
}
