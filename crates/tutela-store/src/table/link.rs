use tutela_core::{AccountId, LinkId, Timestamp};
use tutela_identity::TokenHash;

use crate::{Changeset, Error, Expect, Store, sql::statements, value::params};

statements! {
    LINK_GET (Text, Bytes, Time) = "SELECT id, account_id, sealed, expires_at FROM link WHERE purpose = $1 AND token_hash = $2 AND used_at IS NULL AND expires_at > $3";
    LINK_INSERT (Id, Text, Bytes, Id, Text, Time) = "INSERT INTO link (id, purpose, token_hash, account_id, sealed, expires_at) VALUES ($1, $2, $3, $4, $5, $6)";
    LINK_RETIRE (Text, Time) = "UPDATE link SET used_at = $2 WHERE purpose = $1 AND account_id IS NULL AND used_at IS NULL";
    LINK_RETIRE_OF (Text, Id, Time) = "UPDATE link SET used_at = $3 WHERE purpose = $1 AND account_id = $2 AND used_at IS NULL";
    LINK_SWEEP (Time) = "DELETE FROM link WHERE expires_at <= $1";
    LINK_USE (Id, Time) = "UPDATE link SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND expires_at > $2";
}

/// A one-time link that can still be used.
#[derive(Debug, Clone)]
pub struct LinkRow {
    /// Its id.
    pub id: LinkId,
    /// The account it is for; none for the first administrator.
    pub account: Option<AccountId>,
    /// What it confirms, sealed.
    pub sealed: Option<String>,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A new link.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// The link.
    pub row: LinkRow,
    /// What it is for.
    pub purpose: &'static str,
    /// Hash of its token.
    pub token: TokenHash,
}

impl Store {
    /// A link for `purpose` that is neither used nor expired, by the hash of its token.
    pub async fn link_get(&self, purpose: &'static str, token: TokenHash, now: Timestamp) -> Result<Option<LinkRow>, Error> {
        let Some(row) = self.opt(&LINK_GET, params![purpose, token, now]).await? else { return Ok(None) };
        let account = row.get::<Option<uuid::Uuid>>(1)?.map(AccountId);
        Ok(Some(LinkRow { id: LinkId(row.get(0)?), account, sealed: row.get(2)?, expires_at: row.get(3)? }))
    }
}

impl Changeset {
    /// Keeps a new link.
    pub fn link_insert(self, link: &NewLink) -> Self {
        let row = &link.row;
        self.run(&LINK_INSERT, params![row.id.0, link.purpose, link.token, row.account.map(|a| a.0), row.sealed.clone(), row.expires_at], Expect::Any)
    }

    /// Ends every earlier link of `purpose` that is for nobody yet, or for `account`.
    pub fn link_retire(self, purpose: &'static str, account: Option<AccountId>, now: Timestamp) -> Self {
        match account {
            None => self.run(&LINK_RETIRE, params![purpose, now], Expect::Any),
            Some(account) => self.run(&LINK_RETIRE_OF, params![purpose, account.0, now], Expect::Any),
        }
    }

    /// Uses up a link; of two that try, one gets a conflict.
    pub fn link_use(self, id: LinkId, now: Timestamp) -> Self {
        self.run(&LINK_USE, params![id.0, now], Expect::One("the link was used already, or has expired"))
    }

    /// Drops links that ended before `now`.
    pub fn link_sweep(self, now: Timestamp) -> Self {
        self.run(&LINK_SWEEP, params![now], Expect::Any)
    }
}
