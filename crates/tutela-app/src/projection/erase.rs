//! Erased people in a search cluster: their documents are deleted, and written again without what
//! can no longer be read. It runs between two rounds of the same task that sends events, so that no
//! document made before the erasure arrives after it.

use std::time::Duration;

use serde_json::json;
use tutela_core::KeyId;
use tutela_store::{Changeset, Housekeeping, Position};

use super::{Projection, run::send};
use crate::{App, Error, port::ClusterSearch};

/// Documents of one step.
const STEP: u32 = 500;
/// Other nodes may open events with a key for so long after it was destroyed; then is looked again.
const STALENESS: Duration = Duration::from_secs(600);

pub(super) async fn run(app: &App, projection: &Projection) -> Result<(), Error> {
    let place = projection.cluster.name();
    for (key, added_at) in app.store.erasure_task_list(place).await? {
        clean(app, projection, key).await?;
        if app.env.now().since(added_at) >= STALENESS {
            app.store.commit(Changeset::housekeeping(Housekeeping::Projection).erasure_task_done(key, place)).await?;
        }
    }
    Ok(())
}

async fn clean(app: &App, projection: &Projection, key: KeyId) -> Result<(), Error> {
    loop {
        projection.cluster.refresh().await?;
        let page = ClusterSearch {
            // What is written again no longer names the key, so each round finds fewer.
            query: json!({"term": {"tutela.subjects": key.to_string()}}),
            sort: json!([{"event.sequence": "asc"}, {"tutela.item": "asc"}]),
            after: None,
            size: STEP,
            source: false,
        };
        let hits = projection.cluster.search(&page).await?;
        if hits.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = hits.iter().map(|hit| hit.id.as_str()).collect();
        projection.cluster.delete(&json!({"terms": {"event.id": ids}})).await?;
        let positions: Vec<Position> = hits
            .iter()
            .filter_map(|hit| Some(Position { entry: hit.sort.get(0)?.as_u64()?, item: hit.sort.get(1)?.as_u64().and_then(|item| u16::try_from(item).ok()) }))
            .collect();
        let rows = app.store.log_rows(&positions).await?;
        let letters = send(app, projection, &rows).await?;
        if !letters.is_empty() {
            let keep = Changeset::housekeeping(Housekeeping::Projection);
            app.store.commit(letters.iter().fold(keep, |c, letter| c.dead_letter_insert(projection.cluster.name(), letter))).await?;
        }
        if hits.len() < STEP as usize {
            return Ok(());
        }
    }
}
