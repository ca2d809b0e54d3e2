//! Search: newest first over the token index, month by month.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Error, LogRow, Position, Store,
    append::row_id,
    sql::statements,
    table::ledger::log_row,
    value::{Value, params},
};

statements! {
    FOUND_ENTRIES on Postgres (Ints) = "SELECT seq, id, time, leaf, body FROM log WHERE seq = ANY($1)";
    FOUND_ENTRIES_LITE on Sqlite (Ints) = "SELECT seq, id, time, leaf, body FROM log WHERE seq IN (SELECT value FROM json_each($1))";
    FOUND_ITEMS on Postgres (Ints) = "SELECT row_id, body FROM log_item WHERE row_id = ANY($1)";
    FOUND_ITEMS_LITE on Sqlite (Ints) = "SELECT row_id, body FROM log_item WHERE row_id IN (SELECT value FROM json_each($1))";
    INDEX_MONTHS () = "SELECT month, lowest, highest FROM index_month ORDER BY highest DESC";
    INDEX_PAGE on Postgres (Int, Int, Int, Int, Texts, Texts, Texts, Texts) =
        "SELECT row_id FROM event_index WHERE month = $1 AND row_id >= $2 AND row_id < $3 AND tokens @> $5 AND (cardinality($6) = 0 OR NOT tokens && $6)
         AND (cardinality($7) = 0 OR tokens && $7) AND (cardinality($8) = 0 OR tokens && $8) ORDER BY row_id DESC LIMIT $4";
    INDEX_DELETE on Postgres (Int, Ints) = "DELETE FROM event_index WHERE month = $1 AND row_id = ANY($2)";
}

/// Which part of the log is searched: positions `from..before`.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Entries from here on.
    pub from: u64,
    /// Only what stands before this; `None` for the newest.
    pub before: Option<Position>,
}

/// What an index row must carry.
///
/// The engines may answer with rows that do not fit `any` (PostgreSQL looks at the first two groups
/// only), so the caller compares what it opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    /// Every one of these tokens.
    pub all: Vec<String>,
    /// At least one token of each group.
    pub any: Vec<Vec<String>>,
    /// None of these.
    pub none: Vec<String>,
}

/// The tokens to find in the index of a month (each month has its own key).
pub type TokensOf<'a> = dyn Fn(i64) -> Result<Match, Error> + Send + Sync + 'a;

impl Store {
    /// Positions of the newest `limit` events that carry all tokens.
    ///
    /// Months may overlap where a clock jumped, so a page is only cut where no other month can
    /// hold anything newer.
    pub async fn search(&self, tokens: &TokensOf<'_>, bounds: Bounds, limit: u32) -> Result<Vec<Position>, Error> {
        let lo = row_id(bounds.from, 0);
        let hi = bounds.before.map_or(i64::MAX, |p| row_id(p.entry, p.item.unwrap_or(0)));
        let mut found: Vec<i64> = Vec::new();
        for row in self.all(&INDEX_MONTHS, params![]).await? {
            let (month, lowest, highest): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if highest < lo || lowest >= hi {
                continue;
            }
            if found.len() >= limit as usize && found.get(limit as usize - 1).is_some_and(|last| *last > highest) {
                break;
            }
            let page = self.index_page(month, tokens(month)?, lo.max(lowest), hi.min(highest.saturating_add(1)), i64::from(limit)).await?;
            found.extend(page);
            found.sort_unstable_by(|a, b| b.cmp(a));
            found.truncate(limit as usize);
        }
        Ok(found.into_iter().map(position).collect())
    }

    /// The events at `positions`, in that order; those that are gone are left out.
    pub async fn log_rows(&self, positions: &[Position]) -> Result<Vec<LogRow>, Error> {
        let lite = self.engine_name() == "sqlite";
        let (entries_sql, items_sql) = if lite { (&FOUND_ENTRIES_LITE, &FOUND_ITEMS_LITE) } else { (&FOUND_ENTRIES, &FOUND_ITEMS) };
        let numbers: BTreeSet<i64> = positions.iter().map(|p| row_id(p.entry, 0) >> 10).collect();
        let mut entries = BTreeMap::new();
        for row in self.all(entries_sql, vec![Value::Ints(numbers.into_iter().collect())]).await? {
            let entry = log_row(&row)?;
            entries.insert(entry.position.entry, entry);
        }
        let mut items = BTreeMap::new();
        let ids = positions.iter().map(|p| row_id(p.entry, p.item.unwrap_or(0))).collect();
        for row in self.all(items_sql, vec![Value::Ints(ids)]).await? {
            let (id, body): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            items.insert(id, body);
        }
        let found = positions.iter().filter_map(|p| {
            let entry = entries.get(&p.entry)?;
            // The index cannot tell the first record of a batch from an ordinary event; the records can.
            let item = p.item.unwrap_or(0);
            Some(match items.remove(&row_id(p.entry, item)) {
                Some(body) => entry.item(item, body),
                None => entry.clone(),
            })
        });
        Ok(found.collect())
    }
}

pub(crate) fn position(row: i64) -> Position {
    let row = row.unsigned_abs();
    Position { entry: row >> 10, item: Some((row & 1_023) as u16) }
}
