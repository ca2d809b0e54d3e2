//! Projections of the ledger: how far each came, and what it refused for good.

use tutela_core::Timestamp;

use crate::{
    Changeset, Error, Expect, Position, Store,
    append::row_id,
    sql::statements,
    table::search::position,
    value::{Row, params},
};

statements! {
    DEAD_LETTER_COUNT (Text) = "SELECT count(*) FROM sink_dead_letter WHERE sink = $1";
    DEAD_LETTER_DELETE (Text) = "DELETE FROM sink_dead_letter WHERE sink = $1";
    DEAD_LETTER_DELETE_ONE (Text, Int) = "DELETE FROM sink_dead_letter WHERE sink = $1 AND row_id = $2";
    DEAD_LETTER_INSERT (Text, Int, Text, Time) = "INSERT INTO sink_dead_letter (sink, row_id, reason, refused_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (sink, row_id) DO UPDATE SET reason = excluded.reason, refused_at = excluded.refused_at";
    DEAD_LETTER_LIST (Text, Int, Int) = "SELECT row_id, reason, refused_at FROM sink_dead_letter WHERE sink = $1 AND row_id > $2 ORDER BY row_id LIMIT $3";
    SINK_ADVANCE (Text, Int, Int) = "UPDATE sink SET position = $3 WHERE name = $1 AND position = $2";
    SINK_ENSURE (Text, Time) = "INSERT INTO sink (name, position, state, since) VALUES ($1, 0, 'following', $2) ON CONFLICT (name) DO NOTHING";
    SINK_LIST () = "SELECT name, position, state, error, since FROM sink ORDER BY name";
    SINK_REWIND (Text) = "UPDATE sink SET position = 0 WHERE name = $1";
    SINK_STATE (Text, Text, Text, Time) = "UPDATE sink SET state = $2, error = $3, since = $4 WHERE name = $1";
    SINK_WAIT (Text, Text, Time) = "UPDATE sink SET state = CASE WHEN state = 'restored' THEN state ELSE 'waiting' END, error = $2, since = $3 WHERE name = $1";
}

/// Where a projection stands.
#[derive(Debug, Clone)]
pub struct SinkRow {
    /// Its name.
    pub name: String,
    /// Everything before this position is there, or among the dead letters.
    pub position: u64,
    /// `following` or `waiting`.
    pub state: String,
    /// Why it waits.
    pub error: Option<String>,
    /// Since when it is in this state.
    pub since: Timestamp,
}

/// An event that a projection refused for good.
#[derive(Debug, Clone)]
pub struct DeadLetterRow {
    /// Which event.
    pub position: Position,
    /// What the projection said.
    pub reason: String,
    /// When.
    pub refused_at: Timestamp,
}

impl Store {
    /// Every projection.
    pub async fn sink_list(&self) -> Result<Vec<SinkRow>, Error> {
        self.all(&SINK_LIST, params![]).await?.iter().map(sink).collect()
    }

    /// Number of events that `sink` refused.
    pub async fn dead_letter_count(&self, sink: &str) -> Result<u64, Error> {
        self.opt(&DEAD_LETTER_COUNT, params![sink]).await?.map_or(Ok(0), |row| row.get(0))
    }

    /// Events that `sink` refused, oldest first, behind `after`.
    pub async fn dead_letter_list(&self, sink: &str, after: Option<Position>, limit: u32) -> Result<Vec<DeadLetterRow>, Error> {
        let after = after.map_or(-1, |p| row_id(p.entry, p.item.unwrap_or(0)));
        let rows = self.all(&DEAD_LETTER_LIST, params![sink, after, u64::from(limit)]).await?;
        rows.iter().map(|row| Ok(DeadLetterRow { position: position(row.get(0)?), reason: row.get(1)?, refused_at: row.get(2)? })).collect()
    }
}

impl Changeset {
    /// Makes the row of a projection that begins at the start.
    pub fn sink_ensure(self, name: &str, now: Timestamp) -> Self {
        self.run(&SINK_ENSURE, params![name, now], Expect::Any)
    }

    /// Moves a cursor on, if it still stands where it stood.
    pub fn sink_advance(self, name: &str, from: u64, to: u64) -> Self {
        self.run(&SINK_ADVANCE, params![name, from, to], Expect::One("the projection's cursor was moved meanwhile"))
    }

    /// Has a projection begin again, without dead letters.
    pub fn sink_rewind(self, name: &str) -> Self {
        self.run(&SINK_REWIND, params![name], Expect::One("there is no such projection")).run(&DEAD_LETTER_DELETE, params![name], Expect::Any)
    }

    /// Says how a projection fares.
    pub fn sink_state(self, name: &str, state: &str, error: Option<&str>, now: Timestamp) -> Self {
        self.run(&SINK_STATE, params![name, state, error, now], Expect::Any)
    }

    /// Says that a projection waits, and why. One that was restored still has to forget what was lost.
    pub fn sink_wait(self, name: &str, error: &str, since: Timestamp) -> Self {
        self.run(&SINK_WAIT, params![name, error, since], Expect::Any)
    }

    /// Keeps an event that a projection refused.
    pub fn dead_letter_insert(self, sink: &str, letter: &DeadLetterRow) -> Self {
        let row = row_id(letter.position.entry, letter.position.item.unwrap_or(0));
        self.run(&DEAD_LETTER_INSERT, params![sink, row, &letter.reason, letter.refused_at], Expect::Any)
    }

    /// Drops a dead letter that was taken after all.
    pub fn dead_letter_delete(self, sink: &str, position: Position) -> Self {
        self.run(&DEAD_LETTER_DELETE_ONE, params![sink, row_id(position.entry, position.item.unwrap_or(0))], Expect::Any)
    }
}

fn sink(row: &Row) -> Result<SinkRow, Error> {
    Ok(SinkRow { name: row.get(0)?, position: row.get(1)?, state: row.get(2)?, error: row.get(3)?, since: row.get(4)? })
}
