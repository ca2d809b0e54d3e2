//! Counters of the commit guard: rows, changed in the commit of the event that moved them.

use tutela_core::seam::{CommitGuard, Effect};

use crate::{Error, Expect, Record, Store, changeset::Op, sql::statements, value::params};

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

/// What the guard wants done for `records`, as statements in the order of their keys, so that
/// two transactions never wait for each other.
pub(crate) fn effect_ops(guard: &dyn CommitGuard, records: &[Record]) -> Vec<Op> {
    let mut effects: Vec<Effect> = records.iter().flat_map(|record| guard.effects(&record.facts)).collect();
    effects.sort();
    effects.iter().flat_map(ops).collect()
}

fn ops(effect: &Effect) -> Vec<Op> {
    let op = |sql, params| Op { sql, params, expect: Expect::Any };
    match effect {
        Effect::CounterAdd { key, by } => vec![op(&COUNTER_ADD, params![key, *by])],
        Effect::CounterMove { key, into } => {
            vec![op(&COUNTER_KEEP, params![key, into]), op(&COUNTER_KEEP_ZERO, params![key, into]), op(&COUNTER_RESET, params![key])]
        }
    }
}
