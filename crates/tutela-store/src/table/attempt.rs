//! Buckets of attempts, each under a keyed hash of what it is counted for.

use serde_json::Value as Json;
use tutela_core::Timestamp;
use tutela_limits::Bucket;

use crate::{
    Changeset, Error, Expect, Housekeeping, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    ATTEMPT_DELETE (Bytes) = "DELETE FROM attempt WHERE key = $1";
    ATTEMPT_GET (Bytes) = "SELECT times, in_a_row, locked_until, version FROM attempt WHERE key = $1";
    ATTEMPT_INSERT (Bytes, Json, Int, Time, Time) = "INSERT INTO attempt (key, times, in_a_row, locked_until, changed_at, version) VALUES ($1, $2, $3, $4, $5, 1)
        ON CONFLICT (key) DO NOTHING";
    ATTEMPT_SET (Bytes, Json, Int, Time, Time, Int) = "UPDATE attempt SET times = $2, in_a_row = $3, locked_until = $4, changed_at = $5, version = version + 1
        WHERE key = $1 AND version = $6";
    ATTEMPT_SWEEP (Time, Time) = "DELETE FROM attempt WHERE changed_at <= $1 AND in_a_row < 50 AND (locked_until IS NULL OR locked_until <= $2)";
}

/// A bucket and the version it was read in; version 0 is one that has no row yet.
#[derive(Debug, Clone, Default)]
pub struct AttemptRow {
    /// The bucket.
    pub bucket: Bucket,
    /// How often it was written.
    pub version: i64,
}

impl Store {
    /// The bucket under `key`.
    pub async fn attempt_get(&self, key: [u8; 32]) -> Result<AttemptRow, Error> {
        attempt(self.opt(&ATTEMPT_GET, params![key]).await?.as_ref())
    }

    /// Two buckets at once.
    pub async fn attempt_get_two(&self, one: [u8; 32], other: [u8; 32]) -> Result<[AttemptRow; 2], Error> {
        let [one, other] = self.several([(&ATTEMPT_GET, params![one]), (&ATTEMPT_GET, params![other])]).await?;
        Ok([attempt(one.first())?, attempt(other.first())?])
    }
}

fn attempt(row: Option<&Row>) -> Result<AttemptRow, Error> {
    let Some(row) = row else { return Ok(AttemptRow::default()) };
    let times: Json = row.get(0)?;
    let times: Vec<i64> = serde_json::from_value(times).map_err(|e| Error::Decode(e.to_string()))?;
    let in_a_row: i64 = row.get(1)?;
    let bucket = Bucket {
        times: times.into_iter().map(Timestamp::from_micros).collect(),
        in_a_row: u32::try_from(in_a_row).unwrap_or(u32::MAX),
        locked_until: row.get(2)?,
    };
    Ok(AttemptRow { bucket, version: row.get(3)? })
}

impl Changeset {
    /// Reserves attempts that are about to be verified.
    pub fn attempts() -> Self {
        Self::housekeeping(Housekeeping::AttemptReservation)
    }

    /// Writes a bucket, from the version it was read in; somebody else's write in between is a conflict.
    pub fn attempt_set(self, key: [u8; 32], bucket: &Bucket, version: i64, now: Timestamp) -> Self {
        const RACE: Expect = Expect::One("another attempt was counted at the same time");
        let times = Json::from(bucket.times.iter().map(|time| time.micros()).collect::<Vec<_>>());
        let in_a_row = i64::from(bucket.in_a_row);
        if version == 0 {
            return self.run(&ATTEMPT_INSERT, params![key, times, in_a_row, bucket.locked_until, now], RACE);
        }
        self.run(&ATTEMPT_SET, params![key, times, in_a_row, bucket.locked_until, now, version], RACE)
    }

    /// Forgets what was counted.
    pub fn attempt_clear(self, key: [u8; 32]) -> Self {
        self.run(&ATTEMPT_DELETE, params![key], Expect::Any)
    }

    /// Drops buckets that nobody touched since `then`, but for those that are far towards their end or locked at `now`.
    pub fn attempt_sweep(self, then: Timestamp, now: Timestamp) -> Self {
        self.run(&ATTEMPT_SWEEP, params![then, now], Expect::Any)
    }
}
