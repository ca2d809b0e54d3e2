//! Looking after projections: where they stand, rebuilding, comparing, dead letters, and searching
//! through them.

use std::{cmp::Ordering, time::Duration};

use serde_json::json;
use tutela_api as api;
use tutela_core::{EventId, Timestamp};
use tutela_ledger::Query;
use tutela_store::{Changeset, DeadLetterRow, Position};

use super::{Projection, query::dsl, run::send};
use crate::{
    App, Ctx, Error,
    occurrence::{SinkRebuilt, SinkReconciled},
    port::ClusterSearch,
    record::Facets,
    usecase::search::{Found, MAX_PAGE, rows, shown},
};

/// Documents of one page while comparing.
const PAGE: u32 = 1_000;
/// Ids that a report names.
const MOST_NAMED: usize = 100;

/// Every projection, those that the configuration no longer names too.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::Sink>, Error> {
    app.permit(ctx, "ledger:read").await?;
    let size = app.store.log_head().await?.0;
    let mut out = Vec::new();
    for row in app.store.sink_list().await? {
        let configured = app.projection.as_ref().is_some_and(|p| p.cluster.name() == row.name);
        out.push(api::Sink {
            dead_letters: app.store.dead_letter_count(&row.name).await?,
            cursor: row.position,
            size,
            behind: size.saturating_sub(row.position),
            state: if configured { row.state } else { "off".into() },
            error: row.error.filter(|_| configured),
            since: row.since.to_string(),
            name: row.name,
        });
    }
    Ok(out)
}

/// Searches through the cluster. What is found is read from the ledger, and compared there.
pub async fn search(app: &App, ctx: &Ctx, query: &Query, mut before: Option<Position>, limit: u32) -> Result<Found, Error> {
    app.permit(ctx, "ledger:read").await?;
    let Some(projection) = &app.projection else {
        return Err(Error::invalid("via", "there is no search cluster: `audit.storage` is `ledger`"));
    };
    let limit = limit.clamp(1, MAX_PAGE) as usize;
    let mut found = Found { items: Vec::new(), next: None };
    loop {
        let page = ClusterSearch {
            query: dsl(query, before),
            sort: json!([{"event.sequence": "desc"}, {"tutela.item": "desc"}]),
            after: None,
            size: limit as u32,
            source: false,
        };
        let hits = projection.cluster.search(&page).await?;
        let positions: Vec<Position> = hits.iter().filter_map(|hit| position(&hit.sort)).collect();
        before = positions.last().copied();
        for row in app.store.log_rows(&positions).await? {
            let event = shown(app, &row).await?;
            if Facets::read(&event.event).fit(query) {
                found.items.push(event);
                if found.items.len() == limit {
                    found.next = Some(Position { entry: row.position.entry, item: Some(row.position.item.unwrap_or(0)) });
                    return Ok(found);
                }
            }
        }
        if hits.len() < limit {
            return Ok(found);
        }
    }
}

/// Drops all documents and sends every event again.
pub async fn rebuild(app: &App, ctx: &Ctx, name: &str) -> Result<(), Error> {
    app.permit(ctx, "sinks:write").await?;
    let projection = find(app, name)?;
    // In this order: a crash in between sends what is there already, which changes nothing.
    projection.cluster.drop_before(None).await?;
    app.commit(ctx, SinkRebuilt::new(name), |c| c.sink_rewind(name)).await?;
    projection.woken.notify_one();
    Ok(())
}

/// Compares the cluster with the ledger, event by event, up to where the cluster was told.
pub async fn reconcile(app: &App, ctx: &Ctx, name: &str) -> Result<api::Reconciliation, Error> {
    app.permit(ctx, "sinks:write").await?;
    let projection = find(app, name)?;
    projection.cluster.refresh().await?;
    let up_to = app.store.sink_list().await?.into_iter().find(|row| row.name == name).map_or(0, |row| row.position);
    // Months that the cluster may have dropped are none of its business any more.
    let oldest = app.env.now().minus(Duration::from_secs(u64::from(projection.retention_days) * 86_400)).month();
    let mut report = api::Reconciliation { up_to, ledger: 0, cluster: 0, missing: Vec::new(), extra: Vec::new(), equal: false };
    let mut there = Cluster { projection, up_to, page: Vec::new().into_iter(), after: None, ended: false };
    let (mut next, mut missing, mut extra) = (there.next().await?, 0, 0);
    let mut from = app.store.log_first().await?;
    while from < up_to {
        let to = up_to.min(from + 512);
        for row in rows(app, from, to).await? {
            let here = (row.position.entry, row.position.item.unwrap_or(0));
            if row.id.time().month() < oldest {
                continue;
            }
            report.ledger += 1;
            loop {
                match next.as_ref().map_or(Ordering::Greater, |(at, _)| at.cmp(&here)) {
                    Ordering::Less => {
                        extra += note_extra(app, &mut report, next.take()).await?;
                        next = there.next().await?;
                    }
                    Ordering::Equal => {
                        report.cluster += 1;
                        next = there.next().await?;
                        break;
                    }
                    Ordering::Greater => {
                        missing += 1;
                        if report.missing.len() < MOST_NAMED {
                            report.missing.push(row.id.to_string());
                        }
                        break;
                    }
                }
            }
        }
        from = to;
    }
    while next.is_some() {
        extra += note_extra(app, &mut report, next.take()).await?;
        next = there.next().await?;
    }
    report.equal = missing == 0 && extra == 0;
    app.commit(ctx, SinkReconciled::new(name, up_to, missing, extra), |c| c).await?;
    Ok(report)
}

/// A document beyond the ledger's is one too many, unless only the ledger's retention has ended.
async fn note_extra(app: &App, report: &mut api::Reconciliation, found: Option<((u64, u16), String)>) -> Result<u64, Error> {
    report.cluster += 1;
    let Some(((entry, _), id)) = found else { return Ok(0) };
    let expired = match id.parse::<EventId>() {
        Ok(event) => app.store.log_expired(entry).await? && event.time() < app.env.now(),
        Err(_) => false,
    };
    if expired {
        return Ok(0);
    }
    if report.extra.len() < MOST_NAMED {
        report.extra.push(id);
    }
    Ok(1)
}

/// The cluster's documents in the order of the ledger.
struct Cluster<'a> {
    projection: &'a Projection,
    up_to: u64,
    page: std::vec::IntoIter<((u64, u16), String)>,
    after: Option<serde_json::Value>,
    ended: bool,
}

impl Cluster<'_> {
    async fn next(&mut self) -> Result<Option<((u64, u16), String)>, Error> {
        if let Some(next) = self.page.next() {
            return Ok(Some(next));
        }
        if self.ended {
            return Ok(None);
        }
        let request = ClusterSearch {
            query: json!({"range": {"event.sequence": {"lt": self.up_to}}}),
            sort: json!([{"event.sequence": "asc"}, {"tutela.item": "asc"}]),
            after: self.after.take(),
            size: PAGE,
            source: false,
        };
        let hits = self.projection.cluster.search(&request).await?;
        self.ended = hits.len() < PAGE as usize;
        self.after = hits.last().map(|hit| hit.sort.clone());
        let page: Vec<_> = hits.into_iter().filter_map(|hit| position(&hit.sort).map(|p| ((p.entry, p.item.unwrap_or(0)), hit.id))).collect();
        self.page = page.into_iter();
        Ok(self.page.next())
    }
}

/// Events that the cluster refused, oldest first.
pub async fn dead_letters(app: &App, ctx: &Ctx, name: &str, after: Option<Position>, limit: u32) -> Result<Vec<api::DeadLetter>, Error> {
    app.permit(ctx, "ledger:read").await?;
    let rows = app.store.dead_letter_list(name, after, limit.clamp(1, 1_000)).await?;
    let text = |at: Timestamp| at.to_string();
    Ok(rows.into_iter().map(|row| api::DeadLetter { position: row.position.to_string(), reason: row.reason, refused_at: text(row.refused_at) }).collect())
}

/// Sends dead letters again. Gives how many were taken and how many were not.
pub async fn retry(app: &App, ctx: &Ctx, name: &str) -> Result<(u64, u64), Error> {
    app.permit(ctx, "sinks:write").await?;
    let projection = find(app, name)?;
    projection.cluster.prepare(&super::document::mappings(app)).await?;
    let (mut taken, mut after) = (0, None);
    loop {
        let letters = app.store.dead_letter_list(name, after, 500).await?;
        let Some(last) = letters.last() else { break };
        after = Some(last.position);
        let events = app.store.log_rows(&letters.iter().map(|letter| letter.position).collect::<Vec<_>>()).await?;
        let refused = send(app, projection, &events).await?;
        let still = |letter: &DeadLetterRow| refused.iter().any(|again| same(again.position, letter.position));
        let mut changeset = Changeset::housekeeping(tutela_store::Housekeeping::Projection);
        for letter in letters.iter().filter(|letter| !still(letter)) {
            changeset = changeset.dead_letter_delete(name, letter.position);
            taken += 1;
        }
        app.store.commit(changeset).await?;
    }
    Ok((taken, app.store.dead_letter_count(name).await?))
}

fn same(a: Position, b: Position) -> bool {
    (a.entry, a.item.unwrap_or(0)) == (b.entry, b.item.unwrap_or(0))
}

fn position(sort: &serde_json::Value) -> Option<Position> {
    Some(Position { entry: sort.get(0)?.as_u64()?, item: sort.get(1)?.as_u64().and_then(|item| u16::try_from(item).ok()) })
}

fn find<'a>(app: &'a App, name: &str) -> Result<&'a Projection, Error> {
    app.projection.as_ref().filter(|projection| projection.cluster.name() == name).ok_or(Error::NotFound("sink"))
}
