//! What detection remembers: how far it has read the log, and what its rules know of their keys.

use crate::{Changeset, Error, Expect, Store, sql::statements, value::params};

statements! {
    DETECTION_CURSOR_ADVANCE (Int, Int) = "UPDATE detection_cursor SET position = $2 WHERE one = 1 AND position = $1";
    DETECTION_CURSOR_ENSURE (Int) = "INSERT INTO detection_cursor (one, position) VALUES (1, $1) ON CONFLICT (one) DO NOTHING";
    DETECTION_CURSOR_GET () = "SELECT position FROM detection_cursor WHERE one = 1";
    DETECTION_STATE_DELETE (Text, Bytes) = "DELETE FROM detection_state WHERE rule = $1 AND key_hash = $2";
    DETECTION_STATE_LIST (Text, Bytes, Int) = "SELECT rule, key_hash, version, state FROM detection_state WHERE (rule, key_hash) > ($1, $2) ORDER BY rule, key_hash LIMIT $3";
    DETECTION_STATE_SET (Text, Bytes, Int, Bytes) = "INSERT INTO detection_state (rule, key_hash, version, state) VALUES ($1, $2, $3, $4)
        ON CONFLICT (rule, key_hash) DO UPDATE SET version = excluded.version, state = excluded.state";
}

/// What a rule remembers of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectionState {
    /// The rule's name.
    pub rule: String,
    /// The key's hash.
    pub key: [u8; 16],
    /// The rule's version.
    pub version: u64,
    /// The state.
    pub state: Vec<u8>,
}

impl Store {
    /// Everything before this position has been looked at; nothing where nobody has begun yet.
    pub async fn detection_cursor(&self) -> Result<Option<u64>, Error> {
        self.opt(&DETECTION_CURSOR_GET, params![]).await?.map(|row| row.get(0)).transpose()
    }

    /// States behind `after`, in their order.
    pub async fn detection_state_list(&self, after: Option<&DetectionState>, limit: u32) -> Result<Vec<DetectionState>, Error> {
        let (rule, key) = after.map_or(("", Vec::new()), |after| (after.rule.as_str(), after.key.to_vec()));
        let rows = self.all(&DETECTION_STATE_LIST, params![rule, key, i64::from(limit)]).await?;
        let read = |row: &crate::value::Row| {
            let key: Vec<u8> = row.get(1)?;
            let key = key.try_into().map_err(|_| Error::Decode("the hash of a detection's key has another length".into()))?;
            Ok(DetectionState { rule: row.get(0)?, key, version: row.get::<i64>(2)?.cast_unsigned(), state: row.get(3)? })
        };
        rows.iter().map(read).collect()
    }
}

impl Changeset {
    /// Begins to read the log at a position, where nobody has begun yet.
    pub fn detection_cursor_ensure(self, position: u64) -> Self {
        self.run(&DETECTION_CURSOR_ENSURE, params![position], Expect::Any)
    }

    /// Moves on, if nobody else has.
    pub fn detection_cursor_advance(self, from: u64, to: u64) -> Self {
        self.run(&DETECTION_CURSOR_ADVANCE, params![from, to], Expect::One("another node has read the log meanwhile"))
    }

    /// Keeps what a rule remembers of a key.
    pub fn detection_state_set(self, state: &DetectionState) -> Self {
        let version = state.version.cast_signed();
        self.run(&DETECTION_STATE_SET, params![&state.rule, state.key.to_vec(), version, state.state.clone()], Expect::Any)
    }

    /// Drops what a rule remembered of a key.
    pub fn detection_state_delete(self, rule: &str, key: [u8; 16]) -> Self {
        self.run(&DETECTION_STATE_DELETE, params![rule, key.to_vec()], Expect::Any)
    }
}
