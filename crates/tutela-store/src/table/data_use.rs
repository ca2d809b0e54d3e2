//! How often data was used for which purpose, and on which ground.

use tutela_core::EventId;

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    DATA_USE_ADD (Int, Text, Text, Id) = "INSERT INTO data_use (day, purpose, ground, events, sample) VALUES ($1, $2, $3, 1, $4)
        ON CONFLICT (day, purpose, ground) DO UPDATE SET events = data_use.events + 1, sample = excluded.sample";
    DATA_USE_LIST (Int) = "SELECT purpose, ground, events, sample FROM data_use WHERE day >= $1 ORDER BY day, purpose, ground";
    DATA_USE_SWEEP (Int) = "DELETE FROM data_use WHERE day < $1";
}

/// Uses of data for a purpose on a ground, on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataUseRow {
    /// The purpose.
    pub purpose: String,
    /// The ground, or `none: ` and why.
    pub ground: String,
    /// How often.
    pub events: u64,
    /// One of the events.
    pub sample: EventId,
}

impl Store {
    /// Uses since a day, counted from 1970, day by day.
    pub async fn data_use_list(&self, since: i64) -> Result<Vec<DataUseRow>, Error> {
        self.all(&DATA_USE_LIST, params![since]).await?.iter().map(used).collect()
    }
}

impl Changeset {
    /// Data was used once more.
    pub fn data_use_add(self, day: i64, purpose: &str, ground: &str, event: EventId) -> Self {
        self.run(&DATA_USE_ADD, params![day, purpose, ground, event.0], Expect::Any)
    }

    /// Forgets the counts of days before one.
    pub fn data_use_sweep(self, before: i64) -> Self {
        self.run(&DATA_USE_SWEEP, params![before], Expect::Any)
    }
}

fn used(row: &Row) -> Result<DataUseRow, Error> {
    Ok(DataUseRow { purpose: row.get(0)?, ground: row.get(1)?, events: row.get(2)?, sample: EventId(row.get(3)?) })
}
