use tutela_core::{ClientId, DeviceId, SessionId, Timestamp};
use tutela_identity::{Holder, Refresh, Session, TokenHash};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    table::session::{SESSION_GET_BY_REFRESH, session},
    value::{Row, params},
};

statements! {
    REFRESH_DEVICE (Bytes, Bytes) = "SELECT d.id FROM device d JOIN session s ON s.account_id = d.account_id JOIN refresh_token r ON r.session_id = s.id
        WHERE r.hash = $1 AND d.token_hash = $2";
    REFRESH_GET (Bytes) = "SELECT hash, session_id, device_id, client_id, audience, scopes, expires_at, used_at FROM refresh_token WHERE hash = $1";
    REFRESH_INSERT (Bytes, Id, Id, Id, Text, Json, Time) =
        "INSERT INTO refresh_token (hash, session_id, device_id, client_id, audience, scopes, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
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

    /// A refresh token with its session.
    pub async fn refresh_get_with_session(&self, hash: TokenHash) -> Result<Option<(Refresh, Session)>, Error> {
        let [tokens, sessions] = self.several([(&REFRESH_GET, params![hash]), (&SESSION_GET_BY_REFRESH, params![hash])]).await?;
        let (Some(token), Some(found)) = (tokens.first(), sessions.first()) else { return Ok(None) };
        Ok(Some((refresh(token)?, session(found)?)))
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
    let holder = match (row.get(2)?, row.get(3)?) {
        (Some(device), None) => Holder::Device(DeviceId(device)),
        (None, Some(client)) => Holder::Client(ClientId(client)),
        _ => return Err(Error::Decode("a refresh token has one holder".into())),
    };
    Ok(Refresh {
        hash: row.get(0)?,
        session: SessionId(row.get(1)?),
        holder,
        audience: row.get(4)?,
        scopes: row.get(5)?,
        expires_at: row.get(6)?,
        used_at: row.get(7)?,
    })
}

impl Changeset {
    /// Keeps a new refresh token.
    pub fn refresh_insert(self, token: &Refresh) -> Self {
        let (device, client) = match token.holder {
            Holder::Client(id) => (None, Some(id.0)),
            Holder::Device(id) => (Some(id.0), None),
        };
        let params = params![token.hash, token.session.0, device, client, &token.audience, &token.scopes[..], token.expires_at];
        self.run(&REFRESH_INSERT, params, Expect::Any)
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
