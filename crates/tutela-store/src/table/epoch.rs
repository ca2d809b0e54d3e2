//! Provider epochs.

use tutela_core::{KeyId, Timestamp};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    EPOCH_DESTROY (Int, Time) = "UPDATE key_epoch SET state = 'destroyed', wrapped = NULL, destroyed_at = $2
        WHERE number = $1 AND state = 'ending' AND NOT EXISTS (SELECT 1 FROM key_version WHERE epoch = $1)";
    EPOCH_END (Int) = "UPDATE key_epoch SET state = 'ending' WHERE number = $1 AND state IN ('retiring', 'ending') AND NOT EXISTS (SELECT 1 FROM key_version WHERE epoch = $1)";
    EPOCH_INSERT (Int, Id, Text, Text, Bytes, Bytes, Time) =
        "INSERT INTO key_epoch (number, id, provider, provider_key, wrapped, check_value, state, created_at) VALUES ($1, $2, $3, $4, $5, $6, 'active', $7)";
    EPOCH_LIST () = "SELECT number, id, provider, provider_key, wrapped, check_value, state, created_at, retired_at, destroyed_at,
        (SELECT count(*) FROM key_version WHERE key_version.epoch = key_epoch.number) FROM key_epoch ORDER BY number DESC LIMIT 1000";
    EPOCH_RETIRE (Int, Time) = "UPDATE key_epoch SET state = 'retiring', retired_at = $2 WHERE number < $1 AND state = 'active'";
}

/// A provider epoch.
#[derive(Debug, Clone)]
pub struct EpochRow {
    /// Its number, from 1.
    pub number: u32,
    /// Id of its key encryption key.
    pub id: KeyId,
    /// Which provider.
    pub provider: String,
    /// The exact version of the provider's key.
    pub provider_key: String,
    /// The key encryption key as the provider wrapped it; gone once the epoch is destroyed.
    pub wrapped: Option<Vec<u8>>,
    /// What tells the right key encryption key.
    pub check: [u8; 32],
    /// `active`, `retiring`, `ending` or `destroyed`.
    pub state: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When the next one began.
    pub retired_at: Option<Timestamp>,
    /// When its provider key was destroyed.
    pub destroyed_at: Option<Timestamp>,
    /// Keys wrapped under it.
    pub references: u64,
}

impl Store {
    /// The newest 1,000 epochs, newest first.
    pub async fn epoch_list(&self) -> Result<Vec<EpochRow>, Error> {
        self.all(&EPOCH_LIST, params![]).await?.iter().map(epoch).collect()
    }
}

impl Changeset {
    /// Begins an epoch; the earlier ones retire. A conflict where another node was faster.
    pub fn epoch_begin(self, row: &EpochRow) -> Self {
        let wrapped = row.wrapped.clone().unwrap_or_default();
        let params = params![u64::from(row.number), row.id.0, &row.provider, &row.provider_key, wrapped, row.check, row.created_at];
        self.run(&EPOCH_INSERT, params, Expect::Any).run(&EPOCH_RETIRE, params![u64::from(row.number), row.created_at], Expect::Any).announce("epoch", row.id.0)
    }

    /// Begins to end an epoch that nothing is wrapped under; from here on nothing can be.
    pub fn epoch_end(self, number: u32) -> Self {
        self.run(&EPOCH_END, params![u64::from(number)], Expect::One("the epoch is in use, still has keys under it, or is destroyed already"))
    }

    /// Notes that the provider key of an ending epoch is gone.
    pub fn epoch_destroy(self, number: u32, now: Timestamp) -> Self {
        self.run(&EPOCH_DESTROY, params![u64::from(number), now], Expect::One("another node ended the epoch meanwhile"))
    }
}

fn epoch(row: &Row) -> Result<EpochRow, Error> {
    Ok(EpochRow {
        number: number(row, 0)?,
        id: KeyId(row.get(1)?),
        provider: row.get(2)?,
        provider_key: row.get(3)?,
        wrapped: row.get(4)?,
        check: row.get(5)?,
        state: row.get(6)?,
        created_at: row.get(7)?,
        retired_at: row.get(8)?,
        destroyed_at: row.get(9)?,
        references: row.get(10)?,
    })
}

/// A version or epoch number, which fits 32 bits.
pub(crate) fn number(row: &Row, column: usize) -> Result<u32, Error> {
    let wide: u64 = row.get(column)?;
    u32::try_from(wide).map_err(|_| Error::Decode(format!("{wide} is too large for a key version")))
}
