//! Erased people in the search index: their rows get the tokens of what can still be read, and the
//! old tokens are merged away.

use serde_json::Value;
use tutela_core::KeyId;
use tutela_kms::Message;
use tutela_store::{Bounds, Changeset, Housekeeping, IndexChange, LogRow, Match};

use crate::{App, Error, record::subject_token, ring::KeyError};

/// Where an erasure's task says that the index is to be cleaned.
pub(crate) const PLACE: &str = "index";
/// Rows of one commit.
const STEP: u32 = 500;

/// Cleans the index for every erasure that waits for it.
pub(crate) async fn run(app: &App) -> Result<(), Error> {
    for (key, _) in app.store.erasure_task_list(PLACE).await? {
        let months = clean(app, key).await?;
        for month in months {
            app.store.index_merge(month).await?;
        }
        // Old pages of the index stand in the write-ahead log until it is cut.
        app.store.scrub().await?;
        app.store.commit(Changeset::housekeeping(Housekeeping::Index).erasure_task_done(key, PLACE)).await?;
    }
    Ok(())
}

/// Rewrites the rows that carry the key's token. Gives the months that were touched.
async fn clean(app: &App, key: KeyId) -> Result<Vec<i64>, Error> {
    let token = subject_token(key);
    let of = |_: i64| Ok(Match { all: vec![token.clone()], ..Match::default() });
    let mut months = std::collections::BTreeSet::new();
    loop {
        // What is rewritten no longer carries the token, so each round begins at the top.
        let positions = app.store.search(&of, Bounds { from: 0, before: None }, STEP).await?;
        if positions.is_empty() {
            return Ok(months.into_iter().collect());
        }
        let rows = app.store.log_rows(&positions).await?;
        let mut changes = Vec::with_capacity(positions.len());
        for position in &positions {
            let row = rows.iter().find(|row| row.position.entry == position.entry && row.position.item.unwrap_or(0) == position.item.unwrap_or(0));
            let Some(row) = row else { continue };
            let month = row.id.time().month();
            months.insert(month);
            let mut tokens = app.sealer.tokens_again(month, &super::search::shown_anyway(app, row).await?.event)?;
            tokens.extend(living(app, row, Some(key)).await);
            changes.push(IndexChange { month, position: *position, tokens });
        }
        if changes.is_empty() {
            return Ok(months.into_iter().collect());
        }
        app.store.commit(Changeset::housekeeping(Housekeeping::Index).index_change(changes)).await?;
    }
}

/// The tokens of the people whose data an event holds, but the one who is being erased.
pub(crate) async fn living(app: &App, row: &LogRow, erased: Option<KeyId>) -> Vec<String> {
    let mut out = Vec::new();
    for (key, version) in keys_of(&row.body) {
        if Some(key) != erased && !matches!(app.ring.data_key(key, version).await, Err(KeyError::Destroyed)) {
            out.push(subject_token(key));
        }
    }
    out
}

/// The keys that the sealed parts of an event are under.
pub(crate) fn keys_of(body: &[u8]) -> Vec<(KeyId, u32)> {
    let event: Value = serde_json::from_slice(body).unwrap_or_default();
    let sealed = event["sealed"].as_array().into_iter().flatten();
    let messages = sealed.filter_map(|part| Message::from_text(part["message"].as_str()?).ok());
    messages.map(|message| (message.header().key, message.header().version)).collect()
}
