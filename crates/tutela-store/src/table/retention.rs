//! Retention: how far the expiry of each class came, and taking out what has expired.
//!
//! A body goes when its class expires; its leaf hash stays, so that the tree above it can still be
//! proven. When everything before a position has expired, rows up to there go for good and the
//! log's `first` moves on. It moves in steps of 256, so that every hash that a proof of a later
//! entry needs stands in a stored tile node (C2SP tlog-tiles, "Pruning").

use std::collections::BTreeMap;

use tutela_core::EventId;
use tutela_ledger::Hash;

use crate::{
    Changeset, Error, Expect, Housekeeping, Store,
    append::{BLOCK_BITS, row_id},
    changeset::Merge,
    sql::statements,
    table::{ledger::LOG_SCAN, search::INDEX_MONTHS},
    value::{Value, params},
};

/// Pages of an index that one step of a merge writes.
const MERGE_PAGES: i64 = 512;

statements! {
    LOG_DELETE (Int, Int) = "DELETE FROM log WHERE seq >= $1 AND seq < $2";
    LOG_EXPIRE on Postgres (Ints) = "UPDATE log SET body = NULL WHERE seq = ANY($1)";
    LOG_EXPIRE_LITE on Sqlite (Ints) = "UPDATE log SET body = NULL WHERE seq IN (SELECT value FROM json_each($1))";
    INDEX_MONTH_DELETE (Int) = "DELETE FROM index_month WHERE month = $1";
    LOG_BODY_GONE (Int) = "SELECT CAST(count(*) AS BIGINT) FROM log WHERE seq = $1 AND body IS NOT NULL";
    LOG_FIRST_SET (Int) = "UPDATE log_head SET first = $1 WHERE one = 1 AND first <= $1 AND size >= $1";
    LOG_ITEM_DELETE (Int, Int) = "DELETE FROM log_item WHERE row_id >= $1 AND row_id < $2";
    LOG_MARK_DELETE (Int) = "DELETE FROM log_mark WHERE first < $1";
    LOG_OLDEST () = "SELECT min(seq) FROM log";
    RETENTION_LIST () = "SELECT days, classes, position FROM retention ORDER BY days";
    RETENTION_RESET () = "UPDATE retention SET position = (SELECT first FROM log_head WHERE one = 1)";
    RETENTION_SET (Int, Text, Int) = "INSERT INTO retention (days, classes, position) VALUES ($1, $2, $3)
        ON CONFLICT (days) DO UPDATE SET classes = excluded.classes, position = excluded.position";
    PARTITIONS on Postgres (Int) = "SELECT CAST(c.relname AS TEXT) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
        WHERE p.relname IN ('log', 'log_item') AND c.relnamespace = current_schema()::regnamespace AND CAST(substring(c.relname from '[0-9]+$') AS BIGINT) < $1";
}

impl Store {
    /// How far expiry came, by days that events are kept, and the classes it was about.
    pub async fn retention_list(&self) -> Result<BTreeMap<u32, (String, u64)>, Error> {
        let rows = self.all(&RETENTION_LIST, params![]).await?;
        rows.iter().map(|row| Ok((u32::try_from(row.get::<u64>(0)?).unwrap_or(u32::MAX), (row.get(1)?, row.get(2)?)))).collect()
    }

    /// Entries `from..to` that have no body, and those that have, as the storage holds them.
    pub async fn log_scan(&self, from: u64, to: u64) -> Result<Vec<(u64, EventId, Hash, Option<Vec<u8>>)>, Error> {
        let rows = self.all(&LOG_SCAN, params![from, to]).await?;
        rows.iter().map(|row| Ok((row.get(0)?, EventId(row.get(3)?), row.get(1)?, row.get(2)?))).collect()
    }

    /// Drops the indexes of months whose events all stand before `first`. Gives the months.
    pub async fn index_drop_before(&self, first: u64) -> Result<Vec<i64>, Error> {
        let mut dropped = Vec::new();
        for row in self.all(&INDEX_MONTHS, params![]).await? {
            let (month, highest): (i64, i64) = (row.get(0)?, row.get(2)?);
            if highest < row_id(first, 0) {
                self.commit(Changeset { drop_index: Some(month), ..Changeset::housekeeping(Housekeeping::Index) }.run(
                    &INDEX_MONTH_DELETE,
                    params![month],
                    Expect::Any,
                ))
                .await?;
                dropped.push(month);
            }
        }
        Ok(dropped)
    }

    /// Drops every index, to build them again.
    pub async fn index_drop_all(&self) -> Result<(), Error> {
        self.index_drop_before(u64::MAX >> 11).await.map(drop)
    }

    /// Merges segments of a month's index (SQLite) until nothing that was deleted is left in it.
    pub async fn index_merge(&self, month: i64) -> Result<(), Error> {
        if self.engine_name() != "sqlite" {
            return Ok(());
        }
        // A negative number of pages has all segments merged into one; further steps go on with that.
        let mut pages = -MERGE_PAGES;
        loop {
            let merge = Merge::new(month, pages);
            self.commit(Changeset { merge: Some(merge.clone()), ..Changeset::housekeeping(Housekeeping::Index) }).await?;
            if merge.is_done() {
                return Ok(());
            }
            pages = MERGE_PAGES;
        }
    }

    /// Whether the entry at `position` has no body any more.
    pub async fn log_expired(&self, position: u64) -> Result<bool, Error> {
        let there: u64 = self.opt(&LOG_BODY_GONE, params![position]).await?.map_or(Ok(0), |row| row.get(0))?;
        Ok(there == 0)
    }

    /// The oldest entry that has a row at all; below `first` it waits to be deleted.
    pub async fn log_oldest(&self) -> Result<Option<u64>, Error> {
        self.opt(&LOG_OLDEST, params![]).await?.map_or(Ok(None), |row| row.get(0))
    }

    /// Drops the partitions (PostgreSQL) that stand wholly before `first`. Gives their names.
    pub async fn log_drop_partitions(&self, first: u64) -> Result<Vec<String>, Error> {
        if self.engine_name() == "sqlite" {
            return Ok(Vec::new());
        }
        let mut dropped = Vec::new();
        for row in self.all(&PARTITIONS, params![first >> BLOCK_BITS]).await? {
            let name: String = row.get(0)?;
            self.drop_table(&name).await?;
            dropped.push(name);
        }
        Ok(dropped)
    }
}

impl Changeset {
    /// Takes out the bodies of entries, with the records of batches among them.
    pub fn log_expire(mut self, positions: &[u64]) -> Self {
        let list: Vec<i64> = positions.iter().map(|p| i64::try_from(*p).unwrap_or(i64::MAX)).collect();
        for position in positions {
            self = self.run(&LOG_ITEM_DELETE, params![row_id(*position, 0), row_id(*position + 1, 0)], Expect::Any);
        }
        self.on_either(&LOG_EXPIRE, &LOG_EXPIRE_LITE, vec![Value::Ints(list)])
    }

    /// Deletes the rows `from..to` for good; they stand before the log's `first`.
    pub fn log_delete(self, from: u64, to: u64) -> Self {
        self.run(&LOG_DELETE, params![from, to], Expect::Any).run(&LOG_ITEM_DELETE, params![row_id(from, 0), row_id(to, 0)], Expect::Any).run(
            &LOG_MARK_DELETE,
            params![to],
            Expect::Any,
        )
    }

    /// Moves the log's `first` on.
    pub fn log_first_set(self, first: u64) -> Self {
        self.run(&LOG_FIRST_SET, params![first], Expect::One("the log begins later already"))
    }

    /// Says how far the expiry of what is kept for so many days came.
    pub fn retention_set(self, days: u32, classes: &str, position: u64) -> Self {
        self.run(&RETENTION_SET, params![u64::from(days), classes, position], Expect::Any)
    }

    /// Has expiry look at everything again, for example because a hold ended.
    pub fn retention_reset(self) -> Self {
        self.run(&RETENTION_RESET, params![], Expect::Any)
    }
}
