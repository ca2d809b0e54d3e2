use tutela_core::{AccountId, DeviceId, Timestamp};
use tutela_identity::{
    TokenHash,
    device::{Device, Hints},
};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    DEVICE_DELETE (Id, Id) = "DELETE FROM device WHERE id = $1 AND account_id = $2";
    DEVICE_FORGET (Id) = "UPDATE device SET remembered_until = NULL WHERE account_id = $1 AND remembered_until IS NOT NULL";
    DEVICE_GET (Id, Bytes) =
        "SELECT id, account_id, label, language, first_seen_at, last_seen_at, remembered_until FROM device WHERE account_id = $1 AND token_hash = $2";
    DEVICE_GET_BY_EMAIL (Text, Bytes) =
        "SELECT id, account_id, label, language, first_seen_at, last_seen_at, remembered_until FROM device
         WHERE account_id = (SELECT id FROM account WHERE email = $1) AND token_hash = $2";
    DEVICE_LIST (Id, Int) =
        "SELECT id, account_id, label, language, first_seen_at, last_seen_at, remembered_until FROM device WHERE account_id = $1 ORDER BY last_seen_at DESC, id LIMIT $2";
    DEVICE_SEEN (Id, Id, Bytes, Text, Text, Time, Time) =
        "INSERT INTO device (id, account_id, token_hash, label, language, first_seen_at, last_seen_at, remembered_until) VALUES ($1, $2, $3, $4, $5, $6, $6, $7)
         ON CONFLICT (account_id, token_hash) DO UPDATE SET label = excluded.label, language = excluded.language, last_seen_at = excluded.last_seen_at,
         remembered_until = coalesce(excluded.remembered_until, device.remembered_until)";
    DEVICE_TOKEN (Id, Id, Bytes) = "UPDATE device SET token_hash = $3 WHERE id = $1 AND account_id = $2 AND token_hash <> $3";
    DEVICE_SWEEP (Time) = "DELETE FROM device WHERE last_seen_at <= $1";
}

impl Store {
    /// The device of an account with this cookie.
    pub async fn device_get(&self, account: AccountId, token: TokenHash) -> Result<Option<Device>, Error> {
        self.opt(&DEVICE_GET, params![account.0, token]).await?.as_ref().map(device).transpose()
    }

    /// Devices of an account, the last used first.
    pub async fn device_list(&self, account: AccountId, limit: u32) -> Result<Vec<Device>, Error> {
        self.all(&DEVICE_LIST, params![account.0, i64::from(limit)]).await?.iter().map(device).collect()
    }
}

impl Changeset {
    /// Writes that an account was signed in with from this device, for the first time or again.
    pub fn device_seen(self, device: &Device, token: TokenHash) -> Self {
        let d = device;
        let params = params![d.id.0, d.account.0, token, &d.hints.label, &d.hints.language, d.last_seen_at, d.remembered_until];
        // The token of a device that is known may be another from now on.
        self.run(&DEVICE_TOKEN, params![device.id.0, device.account.0, token], Expect::Any).run(&DEVICE_SEEN, params, Expect::Any)
    }

    /// Forgets a device.
    pub fn device_delete(self, id: DeviceId, account: AccountId) -> Self {
        self.run(&DEVICE_DELETE, params![id.0, account.0], Expect::One("the device was forgotten already"))
    }

    /// From now on no device of the account spares the second factor.
    pub fn device_forget_all(self, account: AccountId) -> Self {
        self.run(&DEVICE_FORGET, params![account.0], Expect::Any)
    }

    /// Drops devices that were last seen before `then`.
    pub fn device_sweep(self, then: Timestamp) -> Self {
        self.run(&DEVICE_SWEEP, params![then], Expect::Any)
    }
}

pub(crate) fn device(row: &Row) -> Result<Device, Error> {
    Ok(Device {
        id: DeviceId(row.get(0)?),
        account: AccountId(row.get(1)?),
        hints: Hints { label: row.get(2)?, language: row.get(3)? },
        first_seen_at: row.get(4)?,
        last_seen_at: row.get(5)?,
        remembered_until: row.get(6)?,
    })
}
