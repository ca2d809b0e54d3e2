//! The register of breaches.

use tutela_core::{BreachId, Timestamp};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    BREACH_GET (Id) = "SELECT id, sealed, version, aware_at, opened_at, closed_at FROM breach WHERE id = $1";
    BREACH_INSERT (Id, Text, Time, Time) = "INSERT INTO breach (id, sealed, version, aware_at, opened_at) VALUES ($1, $2, 0, $3, $4)";
    BREACH_LIST () = "SELECT id, sealed, version, aware_at, opened_at, closed_at FROM breach ORDER BY id DESC LIMIT 1000";
    BREACH_SET (Id, Int, Text, Time) = "UPDATE breach SET version = version + 1, sealed = $3, closed_at = $4 WHERE id = $1 AND version = $2";
}

/// A breach of personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreachRow {
    /// Its id.
    pub id: BreachId,
    /// What happened, who signed and who was told, sealed.
    pub sealed: String,
    /// Counts its changes.
    pub version: u64,
    /// Since when it is known.
    pub aware_at: Timestamp,
    /// When it was entered.
    pub opened_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

impl Store {
    /// A breach.
    pub async fn breach_get(&self, id: BreachId) -> Result<Option<BreachRow>, Error> {
        self.opt(&BREACH_GET, params![id.0]).await?.as_ref().map(breach).transpose()
    }

    /// The newest 1,000.
    pub async fn breach_list(&self) -> Result<Vec<BreachRow>, Error> {
        self.all(&BREACH_LIST, params![]).await?.iter().map(breach).collect()
    }
}

impl Changeset {
    /// A new breach.
    pub fn breach_insert(self, row: &BreachRow) -> Self {
        self.run(&BREACH_INSERT, params![row.id.0, &row.sealed, row.aware_at, row.opened_at], Expect::Any)
    }

    /// A breach is otherwise than it was when `row` was read.
    pub fn breach_set(self, row: &BreachRow) -> Self {
        let params = params![row.id.0, row.version, &row.sealed, row.closed_at];
        self.run(&BREACH_SET, params, Expect::One("the breach was changed meanwhile; look at it again"))
    }
}

fn breach(row: &Row) -> Result<BreachRow, Error> {
    Ok(BreachRow {
        id: BreachId(row.get(0)?),
        sealed: row.get(1)?,
        version: row.get(2)?,
        aware_at: row.get(3)?,
        opened_at: row.get(4)?,
        closed_at: row.get(5)?,
    })
}
