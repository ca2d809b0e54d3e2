use tutela_core::Timestamp;

use crate::{Changeset, Error, Expect, Housekeeping, Store, sql::statements, value::params};

statements! {
    IDEMPOTENCY_DROP (Bytes) = "DELETE FROM idempotency WHERE key_hash = $1 AND status IS NULL";
    IDEMPOTENCY_FILL (Bytes, Int, Text, Bytes) = "UPDATE idempotency SET status = $2, content_type = $3, body = $4 WHERE key_hash = $1";
    IDEMPOTENCY_GET (Bytes, Time) = "SELECT request_hash, status, content_type, body FROM idempotency WHERE key_hash = $1 AND expires_at > $2";
    IDEMPOTENCY_RESERVE (Bytes, Bytes, Time, Time) = "INSERT INTO idempotency (key_hash, request_hash, expires_at) VALUES ($1, $2, $3)
        ON CONFLICT (key_hash) DO UPDATE SET request_hash = excluded.request_hash, expires_at = excluded.expires_at, status = NULL, content_type = NULL, body = NULL
        WHERE idempotency.expires_at <= $4";
    IDEMPOTENCY_SWEEP (Time) = "DELETE FROM idempotency WHERE expires_at <= $1";
}

/// What is known of an idempotency key.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Hash of the request it was used with first.
    pub request_hash: [u8; 32],
    /// Status, content type and body of the answer; `None` while the first request runs.
    pub answer: Option<(u16, String, Vec<u8>)>,
}

impl Store {
    /// What is known of a key.
    pub async fn idempotency_get(&self, key: [u8; 32], now: Timestamp) -> Result<Option<Stored>, Error> {
        let Some(row) = self.opt(&IDEMPOTENCY_GET, params![key, now]).await? else { return Ok(None) };
        let status: Option<i64> = row.get(1)?;
        let answer = match status.and_then(|s| u16::try_from(s).ok()) {
            Some(status) => Some((status, row.get::<Option<String>>(2)?.unwrap_or_default(), row.get::<Option<Vec<u8>>>(3)?.unwrap_or_default())),
            None => None,
        };
        Ok(Some(Stored { request_hash: row.get(0)?, answer }))
    }
}

impl Changeset {
    /// Reserves a key for a request; of two that try, one gets a conflict.
    pub fn idempotency_reserve(key: [u8; 32], request: [u8; 32], expires_at: Timestamp, now: Timestamp) -> Self {
        let conflict = Expect::One("a request with this idempotency key is running or has run");
        Self::housekeeping(Housekeeping::IdempotencyKey).run(&IDEMPOTENCY_RESERVE, params![key, request, expires_at, now], conflict)
    }

    /// Keeps the answer.
    pub fn idempotency_fill(key: [u8; 32], status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let params = params![key, i64::from(status), content_type, body];
        Self::housekeeping(Housekeeping::IdempotencyKey).run(&IDEMPOTENCY_FILL, params, Expect::Any)
    }

    /// Gives a reserved key back, so that the request can be tried again.
    pub fn idempotency_drop(key: [u8; 32]) -> Self {
        Self::housekeeping(Housekeeping::IdempotencyKey).run(&IDEMPOTENCY_DROP, params![key], Expect::Any)
    }

    /// Drops keys that have expired.
    pub fn idempotency_sweep(self, now: Timestamp) -> Self {
        self.run(&IDEMPOTENCY_SWEEP, params![now], Expect::Any)
    }
}
