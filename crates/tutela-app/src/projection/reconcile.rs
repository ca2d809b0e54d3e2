//! Whether a search cluster holds what the ledger holds: event by event, in the order of both.

use std::{cmp::Ordering, time::Duration};

use serde_json::{Value, json};
use tutela_api as api;
use tutela_core::EventId;
use tutela_store::LogRow;

use super::{
    Projection,
    document::document,
    manage::{find, position},
};
use crate::{App, Ctx, Error, occurrence::SinkReconciled, port::ClusterSearch, usecase::search::rows};

/// Documents of one page.
const PAGE: u32 = 1_000;
/// Ids that a report names.
const MOST_NAMED: usize = 100;

/// Compares the cluster with the ledger, event by event, up to where the cluster was told.
pub async fn reconcile(app: &App, ctx: &Ctx, name: &str) -> Result<api::Reconciliation, Error> {
    app.permit(ctx, "sinks:write").await?;
    let projection = find(app, name)?;
    projection.cluster.refresh().await?;
    let up_to = app.store.sink_list().await?.into_iter().find(|row| row.name == name).map_or(0, |row| row.position);
    // Months that the cluster may have dropped are none of its business any more.
    let oldest = app.env.now().minus(Duration::from_secs(u64::from(projection.retention_days) * 86_400)).month();
    let mut report = api::Reconciliation { up_to, ledger: 0, cluster: 0, missing: Vec::new(), extra: Vec::new(), changed: Vec::new(), equal: false };
    let mut there = Cluster { projection, up_to, page: Vec::new().into_iter(), after: None, ended: false };
    let (mut next, mut missing, mut extra, mut changed) = (there.next().await?, 0, 0, 0);
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
                match next.as_ref().map_or(Ordering::Greater, |found| found.at.cmp(&here)) {
                    Ordering::Less => {
                        extra += note_extra(app, &mut report, next.take()).await?;
                        next = there.next().await?;
                    }
                    Ordering::Equal => {
                        report.cluster += 1;
                        let same = match &next {
                            Some(found) => found.id == row.id.to_string() && is_same(app, &row, &found.source).await?,
                            None => false,
                        };
                        if !same {
                            changed += 1;
                            if report.changed.len() < MOST_NAMED {
                                report.changed.push(row.id.to_string());
                            }
                        }
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
    report.equal = missing == 0 && extra == 0 && changed == 0;
    app.commit(ctx, SinkReconciled::new(name, up_to, missing, extra, changed), |c| c).await?;
    Ok(report)
}

/// A document beyond the ledger's is one too many, unless only the ledger's retention has ended.
async fn note_extra(app: &App, report: &mut api::Reconciliation, found: Option<Found>) -> Result<u64, Error> {
    report.cluster += 1;
    let Some(Found { at: (entry, _), id, .. }) = found else { return Ok(0) };
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

/// Whether a document is the one that the event gives. What comes from the declaration of its type may
/// have changed since it was sent.
async fn is_same(app: &App, row: &LogRow, source: &Value) -> Result<bool, Error> {
    let made = match document(app, row).await {
        Ok(made) => made,
        Err(e) if e.kind() == tutela_core::ErrorKind::Corrupt => return Ok(false),
        Err(e) => return Err(e),
    };
    let made: Value = serde_json::from_slice(&made.source).unwrap_or_default();
    let bare = |mut document: Value| {
        for (outer, inner) in [("event", "category"), ("event", "type")] {
            document[outer].as_object_mut().and_then(|map| map.remove(inner));
        }
        document.as_object_mut().and_then(|map| map.remove("message"));
        document
    };
    Ok(bare(made) == bare(source.clone()))
}

/// A document of the cluster.
struct Found {
    at: (u64, u16),
    id: String,
    source: Value,
}

/// The cluster's documents in the order of the ledger.
struct Cluster<'a> {
    projection: &'a Projection,
    up_to: u64,
    page: std::vec::IntoIter<Found>,
    after: Option<serde_json::Value>,
    ended: bool,
}

impl Cluster<'_> {
    async fn next(&mut self) -> Result<Option<Found>, Error> {
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
            source: true,
        };
        let hits = self.projection.cluster.search(&request).await?;
        self.ended = hits.len() < PAGE as usize;
        self.after = hits.last().map(|hit| hit.sort.clone());
        let page: Vec<Found> = hits
            .into_iter()
            .filter_map(|hit| Some(Found { at: position(&hit.sort).map(|p| (p.entry, p.item.unwrap_or(0)))?, id: hit.id, source: hit.source }))
            .collect();
        self.page = page.into_iter();
        Ok(self.page.next())
    }
}
