//! Outside providers: who accounts are there, people on their way there and back, and sessions that began there.

use tutela_core::{AccountId, OutsideId, SessionId, Timestamp};

use crate::{
    Changeset, Error, Expect, Housekeeping, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    OUTSIDE_DELETE (Id, Id) = "DELETE FROM outside_identity WHERE id = $1 AND account_id = $2";
    OUTSIDE_DELETE_BY_ACCOUNT (Id) = "DELETE FROM outside_identity WHERE account_id = $1";
    OUTSIDE_SESSION_DELETE_BY_ACCOUNT (Id) = "DELETE FROM outside_session WHERE session_id IN (SELECT id FROM session WHERE account_id = $1)";
    OUTSIDE_FIND (Text, Bytes) = "SELECT id, provider, subject_hash, account_id, sealed, created_at, last_used_at FROM outside_identity
        WHERE provider = $1 AND subject_hash = $2";
    OUTSIDE_INSERT (Id, Text, Bytes, Id, Text, Time, Time) =
        "INSERT INTO outside_identity (id, provider, subject_hash, account_id, sealed, created_at, last_used_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (provider, subject_hash) DO NOTHING";
    OUTSIDE_LIST_BY_EMAIL (Text) = "SELECT id, provider, subject_hash, account_id, sealed, created_at, last_used_at FROM outside_identity
        WHERE account_id = (SELECT id FROM account WHERE email = $1) ORDER BY created_at, id";
    OUTSIDE_LIST (Id) = "SELECT id, provider, subject_hash, account_id, sealed, created_at, last_used_at FROM outside_identity
        WHERE account_id = $1 ORDER BY created_at, id";
    OUTSIDE_USE (Id, Time) = "UPDATE outside_identity SET last_used_at = $2 WHERE id = $1";
    ERRAND_ANSWER (Bytes, Text, Time) = "UPDATE outside_errand SET answer = $2 WHERE state_hash = $1 AND answer IS NULL AND expires_at > $3";
    ERRAND_GET (Bytes, Time) = "SELECT sealed, answer FROM outside_errand WHERE state_hash = $1 AND expires_at > $2";
    ERRAND_INSERT (Bytes, Text, Text, Time) = "INSERT INTO outside_errand (state_hash, sealed, answer, expires_at) VALUES ($1, $2, $3, $4)";
    ERRAND_SWEEP (Time) = "DELETE FROM outside_errand WHERE expires_at <= $1";
    ERRAND_USE (Bytes) = "DELETE FROM outside_errand WHERE state_hash = $1";
    OUTSIDE_SESSION_GET (Id) = "SELECT session_id, provider, subject_hash, outside_hash, sealed FROM outside_session WHERE session_id = $1";
    OUTSIDE_SESSION_INSERT (Id, Text, Bytes, Bytes, Text) =
        "INSERT INTO outside_session (session_id, provider, subject_hash, outside_hash, sealed) VALUES ($1, $2, $3, $4, $5)";
    OUTSIDE_SESSION_LIST (Text, Bytes, Bytes) =
        "SELECT o.session_id FROM outside_session o JOIN session s ON s.id = o.session_id
         WHERE o.provider = $1 AND s.ended_at IS NULL AND (o.subject_hash = $2 OR $2 IS NULL) AND (o.outside_hash = $3 OR $3 IS NULL) ORDER BY o.session_id";
    OUTSIDE_SESSION_SWEEP (Time) = "DELETE FROM outside_session WHERE session_id IN (SELECT id FROM session WHERE expires_at <= $1)";
}

/// Who an account is at an outside provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideRow {
    /// Its id.
    pub id: OutsideId,
    /// Name of the provider.
    pub provider: String,
    /// Keyed hash of what the provider calls the person.
    pub subject_hash: [u8; 32],
    /// The account.
    pub account: AccountId,
    /// What is shown of it, sealed.
    pub sealed: String,
    /// When it was connected.
    pub created_at: Timestamp,
    /// When somebody last signed in with it.
    pub last_used_at: Option<Timestamp>,
}

/// What an outside provider calls the session behind one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideSessionRow {
    /// Our session.
    pub session: SessionId,
    /// Name of the provider.
    pub provider: String,
    /// Keyed hash of what the provider calls the person.
    pub subject_hash: [u8; 32],
    /// Keyed hash of what it calls the session.
    pub outside_hash: Option<[u8; 32]>,
    /// What ending it there takes, sealed.
    pub sealed: String,
}

impl Store {
    /// The account that a provider's subject belongs to.
    pub async fn outside_find(&self, provider: &str, subject: [u8; 32]) -> Result<Option<OutsideRow>, Error> {
        self.opt(&OUTSIDE_FIND, params![provider, subject]).await?.as_ref().map(outside).transpose()
    }

    /// Where else an account is known, oldest first; there are few.
    pub async fn outside_list(&self, account: AccountId) -> Result<Vec<OutsideRow>, Error> {
        self.all(&OUTSIDE_LIST, params![account.0]).await?.iter().map(outside).collect()
    }

    /// What was sealed for somebody who was sent to a provider, and the answer that was posted for them.
    pub async fn errand_get(&self, state: [u8; 32], now: Timestamp) -> Result<Option<(String, Option<String>)>, Error> {
        self.opt(&ERRAND_GET, params![state, now]).await?.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
    }

    /// What the provider behind a session calls it.
    pub async fn outside_session_get(&self, session: SessionId) -> Result<Option<OutsideSessionRow>, Error> {
        self.opt(&OUTSIDE_SESSION_GET, params![session.0]).await?.as_ref().map(outside_session).transpose()
    }

    /// Sessions of ours that began with a session there, or with any of a person there.
    pub async fn outside_session_list(&self, provider: &str, subject: Option<[u8; 32]>, session: Option<[u8; 32]>) -> Result<Vec<SessionId>, Error> {
        if subject.is_none() && session.is_none() {
            return Ok(Vec::new());
        }
        let rows = self.all(&OUTSIDE_SESSION_LIST, params![provider, subject, session]).await?;
        rows.iter().map(|row| row.get(0).map(SessionId)).collect()
    }
}

impl Changeset {
    /// Connects an account to a provider's subject; one that is connected already is a conflict.
    pub fn outside_insert(self, row: &OutsideRow) -> Self {
        let params = params![row.id.0, &row.provider, row.subject_hash, row.account.0, &row.sealed, row.created_at, row.last_used_at];
        self.run(&OUTSIDE_INSERT, params, Expect::One("this identity is connected to an account already"))
    }

    /// Writes that somebody signed in with it; one that was removed meanwhile is a conflict.
    pub fn outside_use(self, id: OutsideId, now: Timestamp) -> Self {
        self.run(&OUTSIDE_USE, params![id.0, now], Expect::One("this identity is no longer connected"))
    }

    /// Disconnects one.
    pub fn outside_delete(self, id: OutsideId, account: AccountId) -> Self {
        self.run(&OUTSIDE_DELETE, params![id.0, account.0], Expect::One("this identity is no longer connected"))
    }

    /// Forgets who an account was outside, and what its sessions are called there.
    pub fn outside_delete_by_account(self, account: AccountId) -> Self {
        self.run(&OUTSIDE_DELETE_BY_ACCOUNT, params![account.0], Expect::Any).run(&OUTSIDE_SESSION_DELETE_BY_ACCOUNT, params![account.0], Expect::Any)
    }

    /// Keeps what somebody who is sent to a provider has to come back with.
    pub fn errand_insert(state: [u8; 32], sealed: &str, answer: Option<&str>, expires_at: Timestamp) -> Self {
        Self::housekeeping(Housekeeping::SignInTransaction).run(&ERRAND_INSERT, params![state, sealed, answer, expires_at], Expect::Any)
    }

    /// Keeps the answer that was posted for somebody; there is one.
    pub fn errand_answer(state: [u8; 32], answer: &str, now: Timestamp) -> Self {
        Self::housekeeping(Housekeeping::SignInTransaction).run(
            &ERRAND_ANSWER,
            params![state, answer, now],
            Expect::One("there is no such errand, or it was answered"),
        )
    }

    /// Somebody is back; of two that bring the same state, one gets a conflict.
    pub fn errand_use(state: [u8; 32]) -> Self {
        Self::housekeeping(Housekeeping::SignInTransaction).run(&ERRAND_USE, params![state], Expect::One("this answer was used already"))
    }

    /// Keeps what the provider calls a session.
    pub fn outside_session_insert(self, row: &OutsideSessionRow) -> Self {
        let params = params![row.session.0, &row.provider, row.subject_hash, row.outside_hash, &row.sealed];
        self.run(&OUTSIDE_SESSION_INSERT, params, Expect::Any)
    }

    /// Drops people who never came back, and names of sessions that are over.
    pub fn outside_sweep(self, now: Timestamp) -> Self {
        self.run(&ERRAND_SWEEP, params![now], Expect::Any).run(&OUTSIDE_SESSION_SWEEP, params![now], Expect::Any)
    }
}

pub(crate) fn outside(row: &Row) -> Result<OutsideRow, Error> {
    Ok(OutsideRow {
        id: OutsideId(row.get(0)?),
        provider: row.get(1)?,
        subject_hash: row.get(2)?,
        account: AccountId(row.get(3)?),
        sealed: row.get(4)?,
        created_at: row.get(5)?,
        last_used_at: row.get(6)?,
    })
}

fn outside_session(row: &Row) -> Result<OutsideSessionRow, Error> {
    Ok(OutsideSessionRow { session: SessionId(row.get(0)?), provider: row.get(1)?, subject_hash: row.get(2)?, outside_hash: row.get(3)?, sealed: row.get(4)? })
}
