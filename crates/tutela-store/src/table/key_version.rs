//! Data keys: wrapped material, its epoch, and how much was sealed with it.

use tutela_core::{KeyId, Timestamp};
use tutela_kms::VersionState;

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    table::epoch::number,
    value::{Row, params},
};

statements! {
    KEY_VERSION_COUNT (Id, Int, Int, Int, Int, Int) = "UPDATE key_version SET messages = messages + $3, plain_messages = plain_messages + $4, released = CASE WHEN released + $5 > messages + $3 THEN messages + $3 ELSE released + $5 END
        WHERE key_id = $1 AND version = $2 AND wrapped IS NOT NULL AND plain_messages + $4 <= $6";
    KEY_VERSION_DEACTIVATE (Id, Int) = "UPDATE key_version SET state = 'deactivated' WHERE key_id = $1 AND version < $2 AND state = 'active'";
    KEY_VERSION_DESTROY (Id) = "UPDATE key_version SET state = 'destroyed', wrapped = NULL, epoch = NULL WHERE key_id = $1";
    KEY_VERSION_DESTROY_BELOW (Id, Int) = "UPDATE key_version SET state = 'destroyed', wrapped = NULL, epoch = NULL WHERE key_id = $1 AND version < $2";
    KEY_VERSION_GET (Id, Int) = "SELECT key_id, version, state, epoch, wrapped, created_at, messages, plain_messages, released FROM key_version WHERE key_id = $1 AND version = $2";
    KEY_VERSION_INSERT (Id, Int, Text, Int, Bytes, Time) =
        "INSERT INTO key_version (key_id, version, state, epoch, wrapped, created_at, messages, plain_messages, released) SELECT $1, $2, $3, $4, $5, $6, 0, 0, 0 WHERE EXISTS (SELECT 1 FROM key_epoch WHERE number = $4 AND state = 'active')";
    KEY_VERSION_INSERT_OF_SUBJECT (Id, Int, Text, Int, Bytes, Time) =
        "INSERT INTO key_version (key_id, version, state, epoch, wrapped, created_at, messages, plain_messages, released)
         SELECT $1, $2, $3, $4, $5, $6, 0, 0, 0 WHERE EXISTS (SELECT 1 FROM subject_key WHERE key_id = $1)";
    KEY_VERSION_LIST (Id) = "SELECT key_id, version, state, epoch, wrapped, created_at, messages, plain_messages, released FROM key_version WHERE key_id = $1 ORDER BY version DESC";
    KEY_VERSION_LIST_ALL (Id, Int, Int) = "SELECT key_id, version, state, epoch, wrapped, created_at, messages, plain_messages, released FROM key_version
        WHERE wrapped IS NOT NULL AND (key_id > $1 OR (key_id = $1 AND version > $2)) ORDER BY key_id, version LIMIT $3";
    KEY_VERSION_LIST_OUTSIDE (Int, Id, Int, Int) = "SELECT key_id, version, state, epoch, wrapped, created_at, messages, plain_messages, released FROM key_version
        WHERE wrapped IS NOT NULL AND epoch < $1 AND (key_id > $2 OR (key_id = $2 AND version > $3)) ORDER BY key_id, version LIMIT $4";
    KEY_VERSION_COUNT_OUTSIDE (Int) = "SELECT count(*) FROM key_version WHERE wrapped IS NOT NULL AND epoch < $1";
    KEY_VERSION_MARK (Id, Int) = "UPDATE key_version SET state = 'compromised' WHERE key_id = $1 AND version = $2 AND state IN ('active', 'deactivated')";
    KEY_VERSION_PUT (Id, Int, Text, Int, Bytes, Time, Int, Int, Int) =
        "INSERT INTO key_version (key_id, version, state, epoch, wrapped, created_at, messages, plain_messages, released) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (key_id, version) DO UPDATE SET epoch = excluded.epoch, wrapped = excluded.wrapped WHERE key_version.state <> 'destroyed'";
    KEY_VERSION_RELEASE (Id, Int, Int) = "UPDATE key_version SET released = released + $3 WHERE key_id = $1 AND version = $2 AND released + $3 <= messages";
    KEY_VERSION_REWRAP (Id, Int, Int, Bytes, Int, Bytes) =
        "UPDATE key_version SET epoch = $5, wrapped = $6 WHERE key_id = $1 AND version = $2 AND epoch = $3 AND wrapped = $4
         AND EXISTS (SELECT 1 FROM key_epoch WHERE number = $5 AND state = 'active')";
}

/// One version of a data key.
#[derive(Debug, Clone)]
pub struct KeyVersionRow {
    /// The key.
    pub key: KeyId,
    /// Its version.
    pub version: u32,
    /// State.
    pub state: VersionState,
    /// The epoch it is wrapped under.
    pub epoch: Option<u32>,
    /// The wrapped key; gone once it is destroyed.
    pub wrapped: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Messages sealed with it.
    pub messages: u64,
    /// Of these, with the plain suites.
    pub plain_messages: u64,
    /// Messages that were rewrapped or are gone.
    pub released: u64,
}

/// What was sealed with a version since it was last counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sealed {
    /// All messages.
    pub messages: u64,
    /// Of these, with the plain suites.
    pub plain: u64,
    /// Messages that were moved away from it.
    pub released: u64,
}

impl Store {
    /// One version of a key.
    pub async fn key_version_get(&self, key: KeyId, version: u32) -> Result<Option<KeyVersionRow>, Error> {
        self.opt(&KEY_VERSION_GET, params![key.0, u64::from(version)]).await?.as_ref().map(key_version).transpose()
    }

    /// All versions of a key, newest first.
    pub async fn key_version_list(&self, key: KeyId) -> Result<Vec<KeyVersionRow>, Error> {
        self.all(&KEY_VERSION_LIST, params![key.0]).await?.iter().map(key_version).collect()
    }

    /// Versions that are not destroyed, of all keys, after the one given.
    pub async fn key_version_list_all(&self, after: (KeyId, u32), limit: u32) -> Result<Vec<KeyVersionRow>, Error> {
        self.all(&KEY_VERSION_LIST_ALL, params![after.0.0, u64::from(after.1), i64::from(limit)]).await?.iter().map(key_version).collect()
    }

    /// Versions wrapped under an epoch before `epoch`, after the one given.
    pub async fn key_version_list_outside(&self, epoch: u32, after: (KeyId, u32), limit: u32) -> Result<Vec<KeyVersionRow>, Error> {
        let params = params![u64::from(epoch), after.0.0, u64::from(after.1), i64::from(limit)];
        self.all(&KEY_VERSION_LIST_OUTSIDE, params).await?.iter().map(key_version).collect()
    }

    /// How many versions are wrapped under an epoch before `epoch`.
    pub async fn key_version_count_outside(&self, epoch: u32) -> Result<u64, Error> {
        self.opt(&KEY_VERSION_COUNT_OUTSIDE, params![u64::from(epoch)]).await?.map_or(Ok(0), |row| row.get(0))
    }
}

impl Changeset {
    /// Keeps a new version, which is the one that seals from now on.
    pub fn key_version_insert(self, row: &KeyVersionRow) -> Self {
        self.run(&KEY_VERSION_INSERT, first_values(row), Expect::One("another node began an epoch meanwhile; try again"))
            .run(&KEY_VERSION_DEACTIVATE, params![row.key.0, u64::from(row.version)], Expect::Any)
            .announce("key", row.key.0)
    }

    /// Keeps the key of a data subject, where its row was made in the same changeset.
    pub(crate) fn key_version_insert_of_subject(self, row: &KeyVersionRow) -> Self {
        self.run(&KEY_VERSION_INSERT_OF_SUBJECT, first_values(row), Expect::Any)
    }

    /// Puts back a version from a backup, unless it was destroyed since.
    pub fn key_version_restore(self, row: &KeyVersionRow) -> Self {
        let mut values = first_values(row);
        values.extend(params![row.messages, row.plain_messages, row.released]);
        self.run(&KEY_VERSION_PUT, values, Expect::Any)
    }

    /// Moves a version to another epoch, where it is still as `row` says.
    pub fn key_version_rewrap(self, row: &KeyVersionRow, epoch: u32, wrapped: Vec<u8>) -> Self {
        let old = row.wrapped.clone().unwrap_or_default();
        let params = params![row.key.0, u64::from(row.version), u64::from(row.epoch.unwrap_or(0)), old, u64::from(epoch), wrapped];
        self.run(&KEY_VERSION_REWRAP, params, Expect::Any)
    }

    /// Counts what was sealed. A conflict where the plain suites' `budget` would be exceeded, or the key is gone.
    pub fn key_version_count(self, key: KeyId, version: u32, sealed: Sealed, budget: u64) -> Self {
        let params = params![key.0, u64::from(version), sealed.messages, sealed.plain, sealed.released, budget];
        self.run(&KEY_VERSION_COUNT, params, Expect::One("the key's message budget is used up, or the key was destroyed; rotate it"))
    }

    /// Counts messages as gone.
    pub fn key_version_release(self, key: KeyId, version: u32, messages: u64) -> Self {
        let params = params![key.0, u64::from(version), messages];
        self.run(&KEY_VERSION_RELEASE, params, Expect::One("this version does not have so many messages"))
    }

    /// Marks a version as compromised.
    pub fn key_version_mark(self, key: KeyId, version: u32) -> Self {
        self.run(&KEY_VERSION_MARK, params![key.0, u64::from(version)], Expect::One("there is no such version, or it is compromised or destroyed already"))
    }

    /// Destroys the material of every version.
    pub fn key_version_destroy(self, key: KeyId) -> Self {
        self.run(&KEY_VERSION_DESTROY, params![key.0], Expect::Any).announce("key", key.0)
    }

    /// Destroys the material of every version below `version`.
    pub fn key_version_destroy_below(self, key: KeyId, version: u32) -> Self {
        self.run(&KEY_VERSION_DESTROY_BELOW, params![key.0, u64::from(version)], Expect::Any).announce("key", key.0)
    }
}

fn first_values(row: &KeyVersionRow) -> Vec<crate::value::Value> {
    params![row.key.0, u64::from(row.version), row.state.as_str(), row.epoch.map(u64::from), row.wrapped.clone(), row.created_at]
}

fn key_version(row: &Row) -> Result<KeyVersionRow, Error> {
    let state: String = row.get(2)?;
    let epoch: Option<u64> = row.get(3)?;
    Ok(KeyVersionRow {
        key: KeyId(row.get(0)?),
        version: number(row, 1)?,
        state: VersionState::parse(&state).ok_or_else(|| Error::Decode(format!("a key version has the state `{state}`, which is not known")))?,
        epoch: epoch.map(|n| u32::try_from(n).map_err(|_| Error::Decode(format!("{n} is too large for an epoch")))).transpose()?,
        wrapped: row.get(4)?,
        created_at: row.get(5)?,
        messages: row.get(6)?,
        plain_messages: row.get(7)?,
        released: row.get(8)?,
    })
}
