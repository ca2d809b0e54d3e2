use tutela_core::{AccountId, LinkId, Timestamp};
use tutela_identity::TokenHash;

use crate::{Changeset, Error, Expect, Store, sql::statements, value::params};

statements! {
    SETUP_GET (Bytes, Time) = "SELECT id, account_id, expires_at FROM setup_link WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2";
    SETUP_INSERT (Id, Bytes, Id, Time) = "INSERT INTO setup_link (id, token_hash, account_id, expires_at) VALUES ($1, $2, $3, $4)";
    SETUP_RETIRE (Time) = "UPDATE setup_link SET used_at = $1 WHERE account_id IS NULL AND used_at IS NULL";
    SETUP_USE (Id, Time) = "UPDATE setup_link SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND expires_at > $2";
}

/// A one-time link that can still be used.
#[derive(Debug, Clone)]
pub struct SetupRow {
    /// Its id.
    pub id: LinkId,
    /// The account it sets up; none for the first administrator.
    pub account: Option<AccountId>,
    /// Until when.
    pub expires_at: Timestamp,
}

impl Store {
    /// A link that is neither used nor expired, by the hash of its token.
    pub async fn setup_get(&self, token: TokenHash, now: Timestamp) -> Result<Option<SetupRow>, Error> {
        let Some(row) = self.opt(&SETUP_GET, params![token, now]).await? else { return Ok(None) };
        Ok(Some(SetupRow { id: LinkId(row.get(0)?), account: row.get::<Option<uuid::Uuid>>(1)?.map(AccountId), expires_at: row.get(2)? }))
    }
}

impl Changeset {
    /// Keeps a new link.
    pub fn setup_insert(self, id: LinkId, token: TokenHash, account: Option<AccountId>, expires_at: Timestamp) -> Self {
        self.run(&SETUP_INSERT, params![id.0, token, account.map(|a| a.0), expires_at], Expect::Any)
    }

    /// Ends every earlier link for the first administrator.
    pub fn setup_retire(self, now: Timestamp) -> Self {
        self.run(&SETUP_RETIRE, params![now], Expect::Any)
    }

    /// Uses up a link; of two that try, one gets a conflict.
    pub fn setup_use(self, id: LinkId, now: Timestamp) -> Self {
        self.run(&SETUP_USE, params![id.0, now], Expect::One("the link was used already, or has expired"))
    }
}
