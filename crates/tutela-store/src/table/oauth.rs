//! What clients get from people: codes, consents, and the sessions that they want to hear the end of.

use tutela_core::{AccountId, ClientId, SessionId, Timestamp};
use tutela_identity::{TokenHash, oauth::AuthorizationCode};

use crate::{
    Changeset, Error, Expect, Housekeeping, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    CLIENT_CODE_DELETE_BY_ACCOUNT (Id) = "DELETE FROM authorization_code WHERE login IN (SELECT id FROM session WHERE account_id = $1)";
    CLIENT_CODE_DELETE (Id, Id) = "DELETE FROM authorization_code WHERE client_id = $2 AND used_at IS NULL
        AND login IN (SELECT id FROM session WHERE account_id = $1)";
    CLIENT_CODE_GET (Bytes) = "SELECT client_id, login, redirect_uri, scopes, nonce, challenge, audience, expires_at, used_at, session_id
        FROM authorization_code WHERE hash = $1";
    CLIENT_CODE_INSERT (Bytes, Id, Id, Text, Json, Text, Text, Text, Time) =
        "INSERT INTO authorization_code (hash, client_id, login, redirect_uri, scopes, nonce, challenge, audience, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    CLIENT_CODE_SWEEP (Time) = "DELETE FROM authorization_code WHERE expires_at <= $1";
    CLIENT_CODE_USE (Bytes, Time, Id) = "UPDATE authorization_code SET used_at = $2, session_id = $3 WHERE hash = $1 AND used_at IS NULL";
    CLIENT_CONSENT_DELETE (Id, Id) = "DELETE FROM client_consent WHERE account_id = $1 AND client_id = $2";
    CLIENT_CONSENT_DELETE_BY_ACCOUNT (Id) = "DELETE FROM client_consent WHERE account_id = $1";
    CLIENT_CONSENT_GET (Id, Id) = "SELECT client_id, scopes, given_at FROM client_consent WHERE account_id = $1 AND client_id = $2";
    CLIENT_CONSENT_LIST (Id) = "SELECT client_id, scopes, given_at FROM client_consent WHERE account_id = $1 ORDER BY given_at DESC, client_id";
    CLIENT_CONSENT_SET (Id, Id, Json, Time) = "INSERT INTO client_consent (account_id, client_id, scopes, given_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (account_id, client_id) DO UPDATE SET scopes = excluded.scopes, given_at = excluded.given_at";
    CLIENT_SESSION_DELETE (Id) = "DELETE FROM client_session WHERE session_id = $1";
    CLIENT_SESSION_DUE (Time) = "SELECT c.session_id, c.client_id, c.account_id, c.attempts FROM client_session c
        LEFT JOIN session s ON s.id = c.session_id LEFT JOIN session l ON l.id = c.login
        WHERE c.run_at <= $1 AND (c.lease_until IS NULL OR c.lease_until <= $1)
        AND (s.id IS NULL OR s.ended_at IS NOT NULL OR s.expires_at <= $1 OR l.id IS NULL OR l.ended_at IS NOT NULL OR l.idle_until <= $1 OR l.expires_at <= $1)
        ORDER BY c.run_at, c.session_id LIMIT 1";
    CLIENT_SESSION_INSERT (Id, Id, Id, Id, Time) = "INSERT INTO client_session (session_id, login, client_id, account_id, run_at, attempts) VALUES ($1, $2, $3, $4, $5, 0)";
    CLIENT_SESSION_LATER (Id, Time) = "UPDATE client_session SET run_at = $2, lease_until = NULL WHERE session_id = $1";
    CLIENT_SESSION_LATER_BY_CLIENT (Id, Time) = "UPDATE client_session SET run_at = $2 WHERE client_id = $1 AND run_at < $2";
    CLIENT_SESSION_LEASE (Id, Time, Time) = "UPDATE client_session SET lease_until = $3, attempts = attempts + 1
        WHERE session_id = $1 AND (lease_until IS NULL OR lease_until <= $2)";
}

/// What somebody lets a client learn of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConsentRow {
    /// The client.
    pub client: ClientId,
    /// The scopes.
    pub scopes: Vec<String>,
    /// When they said so.
    pub given_at: Timestamp,
}

/// A session that has ended, and a client that is to hear of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldRow {
    /// The session at the client.
    pub session: SessionId,
    /// The client.
    pub client: ClientId,
    /// Whose session it was.
    pub account: AccountId,
    /// How often it was tried before.
    pub attempts: u64,
}

impl Store {
    /// A code by its hash, and the session that it was exchanged for.
    pub async fn client_code_get(&self, hash: TokenHash) -> Result<Option<(AuthorizationCode, Option<SessionId>)>, Error> {
        self.opt(&CLIENT_CODE_GET, params![hash]).await?.as_ref().map(code).transpose()
    }

    /// What somebody lets a client learn.
    pub async fn client_consent_get(&self, account: AccountId, client: ClientId) -> Result<Option<ClientConsentRow>, Error> {
        self.opt(&CLIENT_CONSENT_GET, params![account.0, client.0]).await?.as_ref().map(consent).transpose()
    }

    /// What somebody lets clients learn, newest first.
    pub async fn client_consent_list(&self, account: AccountId) -> Result<Vec<ClientConsentRow>, Error> {
        self.all(&CLIENT_CONSENT_LIST, params![account.0]).await?.iter().map(consent).collect()
    }

    /// Takes the next session that has ended, ran out or is gone, and whose client was not told; `None` where there is
    /// none, or another process was faster.
    pub async fn client_session_take(&self, now: Timestamp, lease_until: Timestamp) -> Result<Option<ToldRow>, Error> {
        let Some(row) = self.opt(&CLIENT_SESSION_DUE, params![now]).await? else { return Ok(None) };
        let told = ToldRow { session: SessionId(row.get(0)?), client: ClientId(row.get(1)?), account: AccountId(row.get(2)?), attempts: row.get(3)? };
        let lease =
            Changeset::housekeeping(Housekeeping::Job).run(&CLIENT_SESSION_LEASE, params![told.session.0, now, lease_until], Expect::One("it is being told"));
        match self.commit(lease).await {
            Ok(()) => Ok(Some(told)),
            Err(Error::Conflict(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Has a client that did not listen be told later, of its other sessions too, so that it holds up no other client.
    pub async fn client_session_later(&self, session: SessionId, client: ClientId, run_at: Timestamp) -> Result<(), Error> {
        let later = Changeset::housekeeping(Housekeeping::Job).run(&CLIENT_SESSION_LATER, params![session.0, run_at], Expect::Any);
        self.commit(later.run(&CLIENT_SESSION_LATER_BY_CLIENT, params![client.0, run_at], Expect::Any)).await
    }
}

impl Changeset {
    /// Keeps a new code; what it is exchanged for is an event.
    pub fn client_code_insert(hash: TokenHash, code: &AuthorizationCode) -> Self {
        let scopes: Vec<String> = code.scopes.iter().cloned().collect();
        let params = params![
            hash,
            code.client.0,
            code.login.0,
            &code.redirect_uri,
            &scopes[..],
            code.nonce.as_ref(),
            &code.challenge,
            code.audience.as_ref(),
            code.expires_at
        ];
        Self::housekeeping(Housekeeping::SignInTransaction).run(&CLIENT_CODE_INSERT, params, Expect::Any)
    }

    /// Uses up a code for a session; of two that try, one gets a conflict.
    pub fn client_code_use(self, hash: TokenHash, now: Timestamp, session: SessionId) -> Self {
        self.run(&CLIENT_CODE_USE, params![hash, now, session.0], Expect::One("the code was used already"))
    }

    /// Writes what somebody lets a client learn, in place of what they did before.
    pub fn client_consent_set(self, account: AccountId, client: ClientId, scopes: &[String], now: Timestamp) -> Self {
        self.run(&CLIENT_CONSENT_SET, params![account.0, client.0, scopes, now], Expect::Any)
    }

    /// Withdraws it, and the codes that are on their way with it.
    pub fn client_consent_delete(self, account: AccountId, client: ClientId) -> Self {
        self.run(&CLIENT_CONSENT_DELETE, params![account.0, client.0], Expect::Any).run(&CLIENT_CODE_DELETE, params![account.0, client.0], Expect::Any)
    }

    /// Has a client be told when a session ends.
    pub fn client_session_insert(self, session: SessionId, login: SessionId, client: ClientId, account: AccountId, now: Timestamp) -> Self {
        self.run(&CLIENT_SESSION_INSERT, params![session.0, login.0, client.0, account.0, now], Expect::Any)
    }

    /// The client was told, or is not told any more.
    pub fn client_session_delete(self, session: SessionId) -> Self {
        self.run(&CLIENT_SESSION_DELETE, params![session.0], Expect::Any)
    }

    /// Drops what an account let clients have.
    pub(crate) fn oauth_delete_by_account(self, account: AccountId) -> Self {
        self.run(&CLIENT_CODE_DELETE_BY_ACCOUNT, params![account.0], Expect::Any).run(&CLIENT_CONSENT_DELETE_BY_ACCOUNT, params![account.0], Expect::Any)
    }

    /// Drops codes that ended before `until`.
    pub fn client_code_sweep(self, until: Timestamp) -> Self {
        self.run(&CLIENT_CODE_SWEEP, params![until], Expect::Any)
    }
}

fn code(row: &Row) -> Result<(AuthorizationCode, Option<SessionId>), Error> {
    let scopes: Vec<String> = row.get(3)?;
    let code = AuthorizationCode {
        client: ClientId(row.get(0)?),
        login: SessionId(row.get(1)?),
        redirect_uri: row.get(2)?,
        scopes: scopes.into_iter().collect(),
        nonce: row.get(4)?,
        challenge: row.get(5)?,
        audience: row.get(6)?,
        expires_at: row.get(7)?,
        used_at: row.get(8)?,
    };
    Ok((code, row.get::<Option<uuid::Uuid>>(9)?.map(SessionId)))
}

fn consent(row: &Row) -> Result<ClientConsentRow, Error> {
    Ok(ClientConsentRow { client: ClientId(row.get(0)?), scopes: row.get(1)?, given_at: row.get(2)? })
}
