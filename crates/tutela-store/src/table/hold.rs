//! Holds on events: what matches is kept whatever its class says.

use tutela_core::{HoldId, Timestamp};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    HOLD_GET (Id) = "SELECT id, case_name, reason, query, placed_at, until, released_at FROM ledger_hold WHERE id = $1";
    HOLD_INSERT (Id, Text, Text, Text, Time, Time) = "INSERT INTO ledger_hold (id, case_name, reason, query, placed_at, until) VALUES ($1, $2, $3, $4, $5, $6)";
    HOLD_ACTIVE () = "SELECT id, case_name, reason, query, placed_at, until, released_at FROM ledger_hold WHERE released_at IS NULL ORDER BY id";
    HOLD_LIST () = "SELECT id, case_name, reason, query, placed_at, until, released_at FROM ledger_hold ORDER BY id DESC LIMIT 1000";
    HOLD_RELEASE (Id, Time) = "UPDATE ledger_hold SET released_at = $2 WHERE id = $1 AND released_at IS NULL";
}

/// A hold.
#[derive(Debug, Clone)]
pub struct HoldRow {
    /// Its id.
    pub id: HoldId,
    /// The case it is for.
    pub case: String,
    /// Why.
    pub reason: String,
    /// What it keeps, in the query language; empty for everything.
    pub query: String,
    /// Since when.
    pub placed_at: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// When it was released.
    pub released_at: Option<Timestamp>,
}

impl Store {
    /// A hold.
    pub async fn hold_get(&self, id: HoldId) -> Result<Option<HoldRow>, Error> {
        self.opt(&HOLD_GET, params![id.0]).await?.as_ref().map(hold).transpose()
    }

    /// Holds that nobody has released; the time of some may be over.
    pub async fn hold_list_active(&self) -> Result<Vec<HoldRow>, Error> {
        self.all(&HOLD_ACTIVE, params![]).await?.iter().map(hold).collect()
    }

    /// The newest 1,000 holds, those that ended too.
    pub async fn hold_list(&self) -> Result<Vec<HoldRow>, Error> {
        self.all(&HOLD_LIST, params![]).await?.iter().map(hold).collect()
    }
}

impl Changeset {
    /// Places a hold.
    pub fn hold_insert(self, row: &HoldRow) -> Self {
        self.run(&HOLD_INSERT, params![row.id.0, &row.case, &row.reason, &row.query, row.placed_at, row.until], Expect::Any)
    }

    /// Ends a hold.
    pub fn hold_release(self, id: HoldId, now: Timestamp) -> Self {
        self.run(&HOLD_RELEASE, params![id.0, now], Expect::One("this hold was released already"))
    }
}

fn hold(row: &Row) -> Result<HoldRow, Error> {
    Ok(HoldRow {
        id: HoldId(row.get(0)?),
        case: row.get(1)?,
        reason: row.get(2)?,
        query: row.get(3)?,
        placed_at: row.get(4)?,
        until: row.get(5)?,
        released_at: row.get(6)?,
    })
}
