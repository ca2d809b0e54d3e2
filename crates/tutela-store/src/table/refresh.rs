use tutela_core::{DeviceId, SessionId, Timestamp};
use tutela_identity::{Refresh, TokenHash};

use crate::{Changeset, Error, Expect, Store, sql::statements, value::params};

statements! {
    REFRESH_GET (Bytes) = "SELECT hash, session_id, device_id, audience, expires_at, used_at FROM refresh_token WHERE hash = $1";
    REFRESH_INSERT (Bytes, Id, Id, Text, Time) = "INSERT INTO refresh_token (hash, session_id, device_id, audience, expires_at) VALUES ($1, $2, $3, $4, $5)";
    REFRESH_SPEND (Bytes, Time) = "UPDATE refresh_token SET used_at = $2 WHERE hash = $1 AND used_at IS NULL";
    REFRESH_SWEEP (Time) = "DELETE FROM refresh_token WHERE expires_at <= $1";
}

impl Store {
    /// A refresh token by its hash.
    pub async fn refresh_get(&self, hash: TokenHash) -> Result<Option<Refresh>, Error> {
        let Some(row) = self.opt(&REFRESH_GET, params![hash]).await? else { return Ok(None) };
        Ok(Some(Refresh {
            hash: row.get(0)?,
            session: SessionId(row.get(1)?),
            device: DeviceId(row.get(2)?),
            audience: row.get(3)?,
            expires_at: row.get(4)?,
            used_at: row.get(5)?,
        }))
    }
}

impl Changeset {
    /// Keeps a new refresh token.
    pub fn refresh_insert(self, token: &Refresh) -> Self {
        self.run(&REFRESH_INSERT, params![token.hash, token.session.0, token.device.0, &token.audience, token.expires_at], Expect::Any)
    }

    /// Uses up a refresh token; of many that try, one succeeds.
    pub fn refresh_spend(self, hash: TokenHash, now: Timestamp) -> Self {
        self.run(&REFRESH_SPEND, params![hash, now], Expect::One("the refresh token was used already"))
    }

    /// Drops refresh tokens that have expired.
    pub fn refresh_sweep(self, now: Timestamp) -> Self {
        self.run(&REFRESH_SWEEP, params![now], Expect::Any)
    }
}
