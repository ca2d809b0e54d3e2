use tutela_core::{DeviceId, SessionId, Timestamp};
use tutela_identity::{Refresh, Session, TokenHash};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    table::session::{SESSION_GET_BY_REFRESH, session},
    value::{Row, params},
};

statements! {
    REFRESH_DEVICE (Bytes, Bytes) = "SELECT d.id FROM device d JOIN session s ON s.account_id = d.account_id JOIN refresh_token r ON r.session_id = s.id
        WHERE r.hash = $1 AND d.token_hash = $2";
    REFRESH_GET (Bytes) = "SELECT hash, session_id, device_id, audience, expires_at, used_at FROM refresh_token WHERE hash = $1";
    REFRESH_INSERT (Bytes, Id, Id, Text, Time) = "INSERT INTO refresh_token (hash, session_id, device_id, audience, expires_at) VALUES ($1, $2, $3, $4, $5)";
    REFRESH_SPEND (Bytes, Time) = "UPDATE refresh_token SET used_at = $2 WHERE hash = $1 AND used_at IS NULL";
    REFRESH_SWEEP (Time) = "DELETE FROM refresh_token WHERE expires_at <= $1";
}

/// A refresh token as somebody brings it: with its session, and the device that brings it.
#[derive(Debug, Clone)]
pub struct RefreshBrought {
    /// The token.
    pub refresh: Refresh,
    /// Its session.
    pub session: Session,
    /// The device, where it is one of the account's own.
    pub device: Option<DeviceId>,
}

impl Store {
    /// A refresh token by its hash.
    pub async fn refresh_get(&self, hash: TokenHash) -> Result<Option<Refresh>, Error> {
        self.opt(&REFRESH_GET, params![hash]).await?.as_ref().map(refresh).transpose()
    }

    /// A refresh token with its session and the device that brings it.
    pub async fn refresh_get_brought(&self, hash: TokenHash, device: Option<TokenHash>) -> Result<Option<RefreshBrought>, Error> {
        let asked = [(&REFRESH_GET, params![hash]), (&SESSION_GET_BY_REFRESH, params![hash]), (&REFRESH_DEVICE, params![hash, device.unwrap_or_default()])];
        let [tokens, sessions, devices] = self.several(asked).await?;
        let (Some(token), Some(found)) = (tokens.first(), sessions.first()) else { return Ok(None) };
        let device = devices.first().map(|row| row.get(0).map(DeviceId)).transpose()?;
        Ok(Some(RefreshBrought { refresh: refresh(token)?, session: session(found)?, device }))
    }
}

fn refresh(row: &Row) -> Result<Refresh, Error> {
    Ok(Refresh {
        hash: row.get(0)?,
        session: SessionId(row.get(1)?),
        device: DeviceId(row.get(2)?),
        audience: row.get(3)?,
        expires_at: row.get(4)?,
        used_at: row.get(5)?,
    })
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
