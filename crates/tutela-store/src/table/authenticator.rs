//! Ways to sign in beside the password.

use tutela_core::{AccountId, AuthenticatorId, Timestamp};
use tutela_identity::AuthenticatorKind;

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    AUTHENTICATOR_DELETE (Id, Id) = "DELETE FROM authenticator WHERE id = $1 AND account_id = $2";
    AUTHENTICATOR_DELETE_KIND (Id, Text) = "DELETE FROM authenticator WHERE account_id = $1 AND kind = $2";
    AUTHENTICATOR_GET_BY_HANDLE (Bytes) =
        "SELECT id, account_id, kind, name, handle, secret, counter, created_at, last_used_at FROM authenticator WHERE handle = $1";
    AUTHENTICATOR_INSERT (Id, Id, Text, Text, Bytes, Text, Int, Time) =
        "INSERT INTO authenticator (id, account_id, kind, name, handle, secret, counter, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    AUTHENTICATOR_LIST (Id) =
        "SELECT id, account_id, kind, name, handle, secret, counter, created_at, last_used_at FROM authenticator WHERE account_id = $1 ORDER BY created_at, id";
    AUTHENTICATOR_LIST_BY_EMAIL (Text) =
        "SELECT id, account_id, kind, name, handle, secret, counter, created_at, last_used_at FROM authenticator
         WHERE account_id = (SELECT id FROM account WHERE email = $1) ORDER BY created_at, id";
    AUTHENTICATOR_RENAME (Id, Id, Text) = "UPDATE authenticator SET name = $3 WHERE id = $1 AND account_id = $2";
    AUTHENTICATOR_USE (Id, Text, Int, Int, Time, Text) =
        "UPDATE authenticator SET secret = $2, counter = $4, last_used_at = $5 WHERE id = $1 AND counter = $3 AND secret = $6";
    CHALLENGE_SPEND (Bytes, Time) = "INSERT INTO spent_challenge (hash, expires_at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING";
    CHALLENGE_SWEEP (Time) = "DELETE FROM spent_challenge WHERE expires_at <= $1";
}

/// A way to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatorRow {
    /// Its id.
    pub id: AuthenticatorId,
    /// Whose.
    pub account: AccountId,
    /// `passkey`, `recovery` or `totp`.
    pub kind: AuthenticatorKind,
    /// What its owner calls it.
    pub name: String,
    /// Credential id of a passkey.
    pub handle: Option<Vec<u8>>,
    /// What it is verified with, sealed.
    pub secret: String,
    /// Time step of the last code, or codes left.
    pub counter: i64,
    /// When it was set up.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

impl Store {
    /// Those of an account, oldest first; there are few.
    pub async fn authenticator_list(&self, account: AccountId) -> Result<Vec<AuthenticatorRow>, Error> {
        self.all(&AUTHENTICATOR_LIST, params![account.0]).await?.iter().map(authenticator).collect()
    }

    /// A passkey by its credential id.
    pub async fn authenticator_get_by_handle(&self, handle: &[u8]) -> Result<Option<AuthenticatorRow>, Error> {
        self.opt(&AUTHENTICATOR_GET_BY_HANDLE, params![handle.to_vec()]).await?.as_ref().map(authenticator).transpose()
    }
}

impl Changeset {
    /// Sets one up.
    pub fn authenticator_insert(self, row: &AuthenticatorRow) -> Self {
        let params = params![row.id.0, row.account.0, row.kind.as_str(), &row.name, row.handle.clone(), &row.secret, row.counter, row.created_at];
        self.run(&AUTHENTICATOR_INSERT, params, Expect::Any)
    }

    /// Writes that it was used, from the state it was verified in: of two nodes that take the same code, one gets a conflict.
    pub fn authenticator_use(self, was: &AuthenticatorRow, secret: &str, counter: i64, now: Timestamp) -> Self {
        let params = params![was.id.0, secret, was.counter, counter, now, &was.secret];
        self.run(&AUTHENTICATOR_USE, params, Expect::One("the code was used already"))
    }

    /// Gives it another name.
    pub fn authenticator_rename(self, id: AuthenticatorId, account: AccountId, name: &str) -> Self {
        self.run(&AUTHENTICATOR_RENAME, params![id.0, account.0, name], Expect::One("this way to sign in was removed meanwhile"))
    }

    /// Removes one.
    pub fn authenticator_delete(self, id: AuthenticatorId, account: AccountId) -> Self {
        self.run(&AUTHENTICATOR_DELETE, params![id.0, account.0], Expect::One("this way to sign in was removed already"))
    }

    /// Removes all of a kind.
    pub fn authenticator_delete_kind(self, account: AccountId, kind: AuthenticatorKind) -> Self {
        self.run(&AUTHENTICATOR_DELETE_KIND, params![account.0, kind.as_str()], Expect::Any)
    }

    /// Marks a passkey's challenge as answered; a second answer to it is a conflict.
    pub fn challenge_spend(self, hash: [u8; 32], expires_at: Timestamp) -> Self {
        self.run(&CHALLENGE_SPEND, params![hash, expires_at], Expect::One("the challenge was answered already"))
    }

    /// Drops answered challenges that have expired anyway.
    pub fn challenge_sweep(self, now: Timestamp) -> Self {
        self.run(&CHALLENGE_SWEEP, params![now], Expect::Any)
    }
}

pub(crate) fn authenticator(row: &Row) -> Result<AuthenticatorRow, Error> {
    let kind: String = row.get(2)?;
    Ok(AuthenticatorRow {
        id: AuthenticatorId(row.get(0)?),
        account: AccountId(row.get(1)?),
        kind: AuthenticatorKind::parse(&kind).ok_or_else(|| Error::Decode(format!("`{kind}` is no kind of authenticator")))?,
        name: row.get(3)?,
        handle: row.get(4)?,
        secret: row.get(5)?,
        counter: row.get(6)?,
        created_at: row.get(7)?,
        last_used_at: row.get(8)?,
    })
}
