//! Places where an erased subject's traces are still to be removed: the index, and projections.

use tutela_core::{KeyId, Timestamp};

use crate::{Changeset, Error, Expect, Store, sql::statements, value::params};

statements! {
    ERASURE_TASK_ADD (Id, Text, Time) = "INSERT INTO erasure_task (key_id, place, added_at) VALUES ($1, $2, $3) ON CONFLICT (key_id, place) DO NOTHING";
    ERASURE_TASK_DONE (Id, Text) = "DELETE FROM erasure_task WHERE key_id = $1 AND place = $2";
    ERASURE_TASK_LIST (Text) = "SELECT key_id, added_at FROM erasure_task WHERE place = $1 ORDER BY added_at, key_id LIMIT 1000";
    ERASURE_TASK_OF (Id) = "SELECT place FROM erasure_task WHERE key_id = $1 ORDER BY place";
}

impl Store {
    /// Erased subjects whose traces in `place` are still to be removed, and since when, oldest first.
    pub async fn erasure_task_list(&self, place: &str) -> Result<Vec<(KeyId, Timestamp)>, Error> {
        self.all(&ERASURE_TASK_LIST, params![place]).await?.iter().map(|row| Ok((KeyId(row.get(0)?), row.get(1)?))).collect()
    }

    /// Where traces of a subject are still to be removed.
    pub async fn erasure_task_of(&self, key: KeyId) -> Result<Vec<String>, Error> {
        self.all(&ERASURE_TASK_OF, params![key.0]).await?.iter().map(|row| row.get(0)).collect()
    }
}

impl Changeset {
    /// Traces of a subject are to be removed from `place`.
    pub fn erasure_task_add(self, key: KeyId, place: &str, now: Timestamp) -> Self {
        self.run(&ERASURE_TASK_ADD, params![key.0, place, now], Expect::Any)
    }

    /// Traces of a subject are gone from `place`.
    pub fn erasure_task_done(self, key: KeyId, place: &str) -> Self {
        self.run(&ERASURE_TASK_DONE, params![key.0, place], Expect::Any)
    }
}
