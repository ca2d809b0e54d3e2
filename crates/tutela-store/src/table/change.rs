//! The change feed: what other nodes' caches have to drop.

use crate::{Changeset, Error, Expect, Store, sql::statements, value::params};

statements! {
    CHANGE_INSERT (Text, Text) = "INSERT INTO change (topic, key) VALUES ($1, $2)";
    CHANGE_LAST () = "SELECT coalesce(max(seq), 0) FROM change";
    CHANGE_LIST (Int, Int) = "SELECT seq, topic, key FROM change WHERE seq > $1 ORDER BY seq LIMIT $2";
    CHANGE_SWEEP (Int) = "DELETE FROM change WHERE seq <= $1";
}

/// One announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number; numbers may become visible out of order on PostgreSQL.
    pub seq: u64,
    /// What kind of thing changed.
    pub topic: String,
    /// Which one.
    pub key: String,
}

impl Store {
    /// The newest number.
    pub async fn change_last(&self) -> Result<u64, Error> {
        self.opt(&CHANGE_LAST, params![]).await?.map_or(Ok(0), |row| row.get(0))
    }

    /// Announcements after `seq`, oldest first. Whoever follows must look back a little (see
    /// [`Change::seq`]) and take repeats calmly.
    pub async fn change_list(&self, after: u64, limit: u32) -> Result<Vec<Change>, Error> {
        let rows = self.all(&CHANGE_LIST, params![after, i64::from(limit)]).await?;
        rows.iter().map(|row| Ok(Change { seq: row.get(0)?, topic: row.get(1)?, key: row.get(2)? })).collect()
    }
}

impl Changeset {
    /// Drops announcements up to `seq`.
    pub fn change_sweep(self, seq: u64) -> Self {
        self.run(&CHANGE_SWEEP, params![seq], Expect::Any)
    }
}
