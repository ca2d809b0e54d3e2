//! Named keys. Their material stands in `key_version.rs`.

use std::{collections::BTreeSet, time::Duration};

use tutela_core::{KeyId, Timestamp};
use tutela_kms::{KeyState, NamedKey, Purpose, Suite};
use uuid::Uuid;

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    table::epoch::number,
    value::{Row, Value, params},
};

statements! {
    KEY_DUE (Time, Int) = "SELECT id, name, purposes, suite, export, state, version, min_decryption_version, rotation_secs, created_at, rotated_at, destroy_at
        FROM named_key WHERE state = 'destroying' AND destroy_at <= $1 ORDER BY id LIMIT $2";
    KEY_GET (Id) = "SELECT id, name, purposes, suite, export, state, version, min_decryption_version, rotation_secs, created_at, rotated_at, destroy_at FROM named_key WHERE id = $1";
    KEY_GET_BY_NAME (Text) = "SELECT id, name, purposes, suite, export, state, version, min_decryption_version, rotation_secs, created_at, rotated_at, destroy_at FROM named_key WHERE name = $1";
    KEY_INSERT (Id, Text, Json, Int, Int, Text, Int, Int, Int, Time, Time, Time) =
        "INSERT INTO named_key (id, name, purposes, suite, export, state, version, min_decryption_version, rotation_secs, created_at, rotated_at, destroy_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    KEY_LIST (Id, Int) = "SELECT id, name, purposes, suite, export, state, version, min_decryption_version, rotation_secs, created_at, rotated_at, destroy_at
        FROM named_key WHERE id < $1 ORDER BY id DESC LIMIT $2";
    KEY_REPLACE (Id, Text, Int, Text, Int, Int, Int, Time, Time) =
        "UPDATE named_key SET state = $4, version = $5, min_decryption_version = $6, rotation_secs = $7, rotated_at = $8, destroy_at = $9
         WHERE id = $1 AND state = $2 AND version = $3";
}

impl Store {
    /// A key by id.
    pub async fn key_get(&self, id: KeyId) -> Result<Option<NamedKey>, Error> {
        self.opt(&KEY_GET, params![id.0]).await?.as_ref().map(key).transpose()
    }

    /// A key by name.
    pub async fn key_get_by_name(&self, name: &str) -> Result<Option<NamedKey>, Error> {
        self.opt(&KEY_GET_BY_NAME, params![name]).await?.as_ref().map(key).transpose()
    }

    /// Keys, newest first, below `before`.
    pub async fn key_list(&self, before: Option<KeyId>, limit: u32) -> Result<Vec<NamedKey>, Error> {
        let before = before.map_or(Uuid::max(), |id| id.0);
        self.all(&KEY_LIST, params![before, i64::from(limit)]).await?.iter().map(key).collect()
    }

    /// Keys whose wait before destruction is over.
    pub async fn key_list_due(&self, now: Timestamp, limit: u32) -> Result<Vec<NamedKey>, Error> {
        self.all(&KEY_DUE, params![now, i64::from(limit)]).await?.iter().map(key).collect()
    }
}

impl Changeset {
    /// Keeps a new key.
    pub fn key_insert(self, key: &NamedKey) -> Self {
        let purposes: Vec<String> = key.purposes.iter().map(|p| p.as_str().to_owned()).collect();
        let params = params![
            key.id.0,
            &key.name,
            &purposes[..],
            key.suite as i64,
            i64::from(key.export),
            key.state.as_str(),
            u64::from(key.version),
            u64::from(key.min_decryption_version),
            rotation(key),
            key.created_at,
            key.rotated_at,
            key.destroy_at
        ];
        self.run(&KEY_INSERT, params, Expect::Any).announce("key", key.id.0)
    }

    /// Replaces what can change, where the key is still as `before` says.
    pub fn key_replace(self, before: &NamedKey, after: &NamedKey) -> Self {
        let params = params![
            before.id.0,
            before.state.as_str(),
            u64::from(before.version),
            after.state.as_str(),
            u64::from(after.version),
            u64::from(after.min_decryption_version),
            rotation(after),
            after.rotated_at,
            after.destroy_at
        ];
        self.run(&KEY_REPLACE, params, Expect::One("somebody else changed the key meanwhile; look at it again")).announce("key", before.id.0)
    }
}

fn rotation(key: &NamedKey) -> Value {
    key.rotation.map(|every| every.as_secs()).into()
}

fn key(row: &Row) -> Result<NamedKey, Error> {
    let bad = |what: &str| Error::Decode(format!("a named key has a {what} that is not known"));
    let purposes: Vec<String> = row.get(2)?;
    let purposes: Option<BTreeSet<Purpose>> = purposes.iter().map(|word| Purpose::parse(word)).collect();
    let (suite, state): (u64, String) = (row.get(3)?, row.get(5)?);
    Ok(NamedKey {
        id: KeyId(row.get(0)?),
        name: row.get(1)?,
        purposes: purposes.ok_or_else(|| bad("purpose"))?,
        suite: u8::try_from(suite).ok().and_then(Suite::from_number).ok_or_else(|| bad("suite"))?,
        export: row.get::<i64>(4)? != 0,
        state: KeyState::parse(&state).ok_or_else(|| bad("state"))?,
        version: number(row, 6)?,
        min_decryption_version: number(row, 7)?,
        rotation: row.get::<Option<u64>>(8)?.map(Duration::from_secs),
        created_at: row.get(9)?,
        rotated_at: row.get(10)?,
        destroy_at: row.get(11)?,
    })
}
