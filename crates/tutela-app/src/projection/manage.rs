//! Looking after projections: where they stand, rebuilding, comparing, dead letters, and searching
//! through them.

use serde_json::json;
use tutela_api as api;
use tutela_core::Timestamp;
use tutela_ledger::Query;
use tutela_store::{Changeset, DeadLetterRow, Position};

use super::{Projection, query::dsl, run::send};
use crate::{
    App, Ctx, Error,
    occurrence::SinkRebuilt,
    port::ClusterSearch,
    record::Facets,
    usecase::search::{Found, MAX_LOOKED_AT, MAX_PAGE, shown_anyway},
};

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
    let (page_size, mut looked_at) = (limit.max(100), 0);
    loop {
        let page = ClusterSearch {
            query: dsl(query, before),
            sort: json!([{"event.sequence": "desc"}, {"tutela.item": "desc"}]),
            after: None,
            size: page_size as u32,
            source: false,
        };
        let hits = projection.cluster.search(&page).await?;
        let positions: Vec<Position> = hits.iter().filter_map(|hit| position(&hit.sort)).collect();
        before = positions.last().copied();
        for row in app.store.log_rows(&positions).await? {
            let event = shown_anyway(app, &row).await?;
            if Facets::read(&event.event).fit(query) {
                found.items.push(event);
                if found.items.len() == limit {
                    found.next = Some(Position { entry: row.position.entry, item: Some(row.position.item.unwrap_or(0)) });
                    return Ok(found);
                }
            }
        }
        if hits.len() < page_size {
            return Ok(found);
        }
        looked_at += hits.len();
        if looked_at >= MAX_LOOKED_AT {
            found.next = before;
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
    projection.cluster.prepare(&super::document::mappings(app, true)).await?;
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

pub(super) fn position(sort: &serde_json::Value) -> Option<Position> {
    Some(Position { entry: sort.get(0)?.as_u64()?, item: sort.get(1)?.as_u64().and_then(|item| u16::try_from(item).ok()) })
}

pub(super) fn find<'a>(app: &'a App, name: &str) -> Result<&'a Projection, Error> {
    app.projection.as_ref().filter(|projection| projection.cluster.name() == name).ok_or(Error::NotFound("sink"))
}
