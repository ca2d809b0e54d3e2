//! Counters of the commit guard: rows, changed in the commit of the event that moved them.

use crate::{
    Error, Expect, Store,
    changeset::Op,
    sql::{Sql, statements},
    value::{Value, params},
};

statements! {
    COUNTER_ADD (Text, Int) = "INSERT INTO counter (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = counter.value + excluded.value";
    COUNTER_GET (Text) = "SELECT value FROM counter WHERE key = $1";
    COUNTER_KEEP (Text, Text) = "INSERT INTO counter (key, value) SELECT $2, value FROM counter WHERE key = $1
        ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    COUNTER_KEEP_ZERO (Text, Text) = "UPDATE counter SET value = 0 WHERE key = $2 AND NOT EXISTS (SELECT 1 FROM counter WHERE key = $1)";
    COUNTER_RESET (Text) = "DELETE FROM counter WHERE key = $1";
}

impl Store {
    /// A counter; zero where it was never moved.
    pub async fn counter_get(&self, key: &str) -> Result<u64, Error> {
        self.opt(&COUNTER_GET, params![key]).await?.map_or(Ok(0), |row| row.get(0))
    }
}

/// Adds to a counter.
pub(crate) fn add(key: &str, by: i64) -> Vec<Op> {
    vec![op(&COUNTER_ADD, params![key, by])]
}

/// Keeps a counter's value under another name, and begins it anew.
pub(crate) fn keep(key: &str, into: &str) -> Vec<Op> {
    vec![op(&COUNTER_KEEP, params![key, into]), op(&COUNTER_KEEP_ZERO, params![key, into]), op(&COUNTER_RESET, params![key])]
}

fn op(sql: &'static Sql, params: Vec<Value>) -> Op {
    Op { sql, params, expect: Expect::Any }
}
