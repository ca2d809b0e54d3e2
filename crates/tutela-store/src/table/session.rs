use tutela_core::{AccountId, AuthStrength, DeviceId, SessionId, Timestamp};
use tutela_identity::{Account, Assurance, Session, TokenHash};

use crate::{
    Changeset, Error, Expect, Housekeeping, Store,
    sql::statements,
    table::account::{ACCOUNT_GET, account},
    value::{Row, params},
};

statements! {
    CODE_INSERT (Bytes, Id, Text, Bytes, Time) = "INSERT INTO sign_in_code (code_hash, login, origin, cookie_hash, expires_at) VALUES ($1, $2, $3, $4, $5)";
    CODE_LOGIN (Bytes, Text, Bytes, Time) = "SELECT login FROM sign_in_code WHERE code_hash = $1 AND origin = $2 AND cookie_hash = $3 AND expires_at > $4";
    CODE_SWEEP (Time) = "DELETE FROM sign_in_code WHERE expires_at <= $1";
    CODE_USE (Bytes, Text, Bytes, Time) = "DELETE FROM sign_in_code WHERE code_hash = $1 AND origin = $2 AND cookie_hash = $3 AND expires_at > $4";
    SESSION_COUNT_LIVE (Time) = "SELECT count(*) FROM session WHERE id = login AND ended_at IS NULL AND idle_until > $1 AND expires_at > $1";
    SESSION_DOUBT (Id, Text, Time) = "UPDATE session SET aal = $2, auth_time = $3 WHERE account_id = $1 AND ended_at IS NULL";
    SESSION_END_BY_ACCOUNT (Id, Time) = "UPDATE session SET ended_at = $2 WHERE account_id = $1 AND ended_at IS NULL";
    SESSION_END_BY_LOGIN (Id, Time) = "UPDATE session SET ended_at = $2 WHERE login = $1 AND ended_at IS NULL";
    SESSION_END_ON_HOST (Id, Text, Time) = "UPDATE session SET ended_at = $3 WHERE account_id = $1 AND host = $2 AND ended_at IS NULL";
    SESSION_END_EVERYBODY (Text, Time) = "UPDATE session SET ended_at = $2 WHERE host = $1 AND ended_at IS NULL";
    SESSION_END_PART (Id, Time) = "UPDATE session SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
    SESSION_END_LOGIN (Id, Time) = "UPDATE session SET ended_at = $2 WHERE id = $1 AND login = $1 AND ended_at IS NULL";
    SESSION_GET (Id) = "SELECT id, login, account_id, host, device_id, aal, amr, auth_time, created_at, last_seen_at, idle_until, expires_at, ended_at FROM session WHERE id = $1";
    SESSION_GET_BY_REFRESH (Bytes) = "SELECT id, login, account_id, host, device_id, aal, amr, auth_time, created_at, last_seen_at, idle_until, expires_at, ended_at FROM session
        WHERE id = (SELECT session_id FROM refresh_token WHERE hash = $1)";
    SESSION_GET_BY_TOKEN (Bytes) = "SELECT id, login, account_id, host, device_id, aal, amr, auth_time, created_at, last_seen_at, idle_until, expires_at, ended_at FROM session WHERE token_hash = $1";
    SESSION_INSERT (Id, Id, Id, Text, Id, Text, Json, Time, Bytes, Time, Time, Time, Time) =
        "INSERT INTO session (id, login, account_id, host, device_id, aal, amr, auth_time, token_hash, created_at, last_seen_at, idle_until, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    SESSION_LIST (Time, Id, Int) =
        "SELECT id, login, account_id, host, device_id, aal, amr, auth_time, created_at, last_seen_at, idle_until, expires_at, ended_at FROM session
         WHERE id = login AND ended_at IS NULL AND idle_until > $1 AND expires_at > $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    SESSION_LIST_BY_ACCOUNT (Id, Time, Int) =
        "SELECT id, login, account_id, host, device_id, aal, amr, auth_time, created_at, last_seen_at, idle_until, expires_at, ended_at FROM session
         WHERE account_id = $1 AND id = login AND ended_at IS NULL AND idle_until > $2 AND expires_at > $2 ORDER BY created_at DESC, id DESC LIMIT $3";
    SESSION_COUNT_BY_HOST (Id, Text, Time) = "SELECT COUNT(*) FROM session WHERE account_id = $1 AND host = $2 AND ended_at IS NULL AND expires_at > $3";
    SESSION_LIST_HOSTS (Id) = "SELECT DISTINCT host FROM session WHERE login = $1 AND ended_at IS NULL ORDER BY host";
    SESSION_SWEEP (Time) = "DELETE FROM session WHERE expires_at <= $1 AND id <> login";
    SESSION_END_BY_DEVICE (Id, Id, Time) = "UPDATE session SET ended_at = $3 WHERE account_id = $1 AND ended_at IS NULL
        AND login IN (SELECT id FROM session WHERE account_id = $1 AND device_id = $2)";
    SESSION_END_OTHERS (Id, Id, Time) = "UPDATE session SET ended_at = $3 WHERE account_id = $1 AND login <> $2 AND ended_at IS NULL";
    SESSION_STRENGTHEN (Id, Text, Json, Time, Id) = "UPDATE session SET aal = $2, amr = $3, auth_time = $4 WHERE login = $1 AND account_id = $5 AND host NOT LIKE 'client:%' AND ended_at IS NULL";
    SESSION_TOKEN (Id, Bytes) = "UPDATE session SET token_hash = $2 WHERE id = $1 AND ended_at IS NULL";
    SESSION_TOUCH (Id, Time, Time) = "UPDATE session SET last_seen_at = $2, idle_until = $3 WHERE id = $1 AND ended_at IS NULL";
}

/// A login session with every host it is signed in to.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// The login.
    pub session: Session,
    /// Host names, its own first.
    pub hosts: Vec<String>,
}

impl Store {
    /// A session by id.
    pub async fn session_get(&self, id: SessionId) -> Result<Option<Session>, Error> {
        self.opt(&SESSION_GET, params![id.0]).await?.as_ref().map(session).transpose()
    }

    /// A login and the account that holds it, in one trip.
    pub async fn session_get_with_holder(&self, login: SessionId, holder: AccountId) -> Result<Option<(Session, Account)>, Error> {
        let [logins, accounts] = self.several([(&SESSION_GET, params![login.0]), (&ACCOUNT_GET, params![holder.0])]).await?;
        let (Some(login), Some(holder)) = (logins.first(), accounts.first()) else { return Ok(None) };
        Ok(Some((session(login)?, account(holder)?)))
    }

    /// A session by the hash of its token.
    pub async fn session_get_by_token(&self, hash: TokenHash) -> Result<Option<Session>, Error> {
        self.opt(&SESSION_GET_BY_TOKEN, params![hash]).await?.as_ref().map(session).transpose()
    }

    /// Live login sessions of everybody, newest first, below `before`.
    pub async fn session_list(&self, before: Option<SessionId>, limit: u32, now: Timestamp) -> Result<Vec<SessionView>, Error> {
        let before = before.map_or(uuid::Uuid::max(), |id| id.0);
        self.session_views(self.all(&SESSION_LIST, params![now, before, i64::from(limit)]).await?).await
    }

    /// Live login sessions of one account, newest first.
    pub async fn session_list_by_account(&self, account: AccountId, limit: u32, now: Timestamp) -> Result<Vec<SessionView>, Error> {
        self.session_views(self.all(&SESSION_LIST_BY_ACCOUNT, params![account.0, now, i64::from(limit)]).await?).await
    }

    /// How much an account has on one host that has not ended, logins and parts of them.
    pub async fn session_count_by_host(&self, account: AccountId, host: &str, now: Timestamp) -> Result<u64, Error> {
        self.opt(&SESSION_COUNT_BY_HOST, params![account.0, host, now]).await?.map_or(Ok(0), |row| row.get(0))
    }

    /// Number of live login sessions.
    pub async fn session_count_live(&self, now: Timestamp) -> Result<u64, Error> {
        self.opt(&SESSION_COUNT_LIVE, params![now]).await?.map_or(Ok(0), |row| row.get(0))
    }

    /// The login behind a single-use code that is still good; using it up is [`Changeset::code_use`].
    pub async fn code_login(&self, code: TokenHash, origin: &str, cookie: TokenHash, now: Timestamp) -> Result<Option<SessionId>, Error> {
        self.opt(&CODE_LOGIN, params![code, origin, cookie, now]).await?.map(|row| row.get(0).map(SessionId)).transpose()
    }

    async fn session_views(&self, rows: Vec<Row>) -> Result<Vec<SessionView>, Error> {
        let mut views = Vec::with_capacity(rows.len());
        for row in &rows {
            let session = session(row)?;
            let mut hosts: Vec<String> = self.all(&SESSION_LIST_HOSTS, params![session.id.0]).await?.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
            hosts.sort_by_key(|host| *host != session.host);
            views.push(SessionView { session, hosts });
        }
        Ok(views)
    }
}

impl Changeset {
    /// Begins a session, or its part on another host.
    pub fn session_insert(self, session: &Session, token: TokenHash) -> Self {
        let s = session;
        let proven = &s.assurance;
        let params = params![
            s.id.0,
            s.login.0,
            s.account.0,
            &s.host,
            s.device.map(|id| id.0),
            proven.aal.acr(),
            &proven.amr[..],
            proven.auth_time,
            token,
            s.created_at,
            s.last_seen_at,
            s.idle_until,
            s.expires_at,
        ];
        self.run(&SESSION_INSERT, params, Expect::Any)
    }

    /// Ends a login and all its parts.
    pub fn session_end(self, login: SessionId, now: Timestamp) -> Self {
        self.run(&SESSION_END_LOGIN, params![login.0, now], Expect::One("the session has ended already"))
            .run(&SESSION_END_BY_LOGIN, params![login.0, now], Expect::Any)
            .announce("session", login)
    }

    /// Ends one part of a login; the rest of it lives on.
    pub fn session_end_part(self, part: SessionId, login: SessionId, now: Timestamp) -> Self {
        self.run(&SESSION_END_PART, params![part.0, now], Expect::One("the session has ended already")).announce("session", login)
    }

    /// Ends what everybody has on one host.
    pub fn session_end_everybody_on_host(self, host: &str, now: Timestamp) -> Self {
        self.run(&SESSION_END_EVERYBODY, params![host, now], Expect::Any)
    }

    /// Ends what an account has on one host, logins and parts of them.
    pub fn session_end_on_host(self, account: AccountId, host: &str, now: Timestamp) -> Self {
        self.run(&SESSION_END_ON_HOST, params![account.0, host, now], Expect::Any).announce("account", account)
    }

    /// As [`session_end`](Self::session_end), where it may have ended already.
    pub fn session_end_if_live(self, login: SessionId, now: Timestamp) -> Self {
        self.run(&SESSION_END_BY_LOGIN, params![login.0, now], Expect::Any).announce("session", login)
    }

    /// Ends all sessions of an account.
    pub fn session_end_by_account(self, account: AccountId, now: Timestamp) -> Self {
        self.run(&SESSION_END_BY_ACCOUNT, params![account.0, now], Expect::Any).announce("account", account)
    }

    /// Has nothing count any more that was proven in an account's sessions.
    pub fn session_doubt(self, account: AccountId) -> Self {
        let weakest = tutela_core::AuthStrength::Aal1.acr();
        self.run(&SESSION_DOUBT, params![account.0, weakest, Timestamp::from_secs(0)], Expect::Any).announce("account", account)
    }

    /// Ends all sessions of an account but one.
    pub fn session_end_others(self, account: AccountId, but: SessionId, now: Timestamp) -> Self {
        self.run(&SESSION_END_OTHERS, params![account.0, but.0, now], Expect::Any).announce("account", account)
    }

    /// Ends the sessions that an account began with a device.
    pub fn session_end_by_device(self, account: AccountId, device: DeviceId, now: Timestamp) -> Self {
        self.run(&SESSION_END_BY_DEVICE, params![account.0, device.0, now], Expect::Any).announce("account", account)
    }

    /// Writes that more was proven in a login; its parts on hosts know it too. A client learns of it with its next code: the
    /// `auth_time` of a session there stays (OpenID Connect Core §12.2). The browser gets a new token for it.
    pub fn session_strengthen(self, session: &Session, token: TokenHash) -> Self {
        let proven = &session.assurance;
        self.run(&SESSION_STRENGTHEN, params![session.id.0, proven.aal.acr(), &proven.amr[..], proven.auth_time, session.account.0], Expect::Any)
            .run(&SESSION_TOKEN, params![session.id.0, token], Expect::One("the session has ended"))
            .announce("session", session.id)
    }

    /// Marks a session as used in the commit of its use.
    pub fn session_used(self, session: &Session) -> Self {
        self.run(&SESSION_TOUCH, params![session.id.0, session.last_seen_at, session.idle_until], Expect::One("the session has ended"))
    }

    /// Marks a session as used, at most once a minute.
    pub fn session_touch(session: &Session) -> Self {
        Self::housekeeping(Housekeeping::SessionTouch).run(&SESSION_TOUCH, params![session.id.0, session.last_seen_at, session.idle_until], Expect::Any)
    }

    /// Keeps a single-use code, bound to the origin and the cookie of the browser it is for.
    pub fn code_insert(code: TokenHash, login: SessionId, origin: &str, cookie: TokenHash, expires_at: Timestamp) -> Self {
        Self::housekeeping(Housekeeping::SignInTransaction).run(&CODE_INSERT, params![code, login.0, origin, cookie, expires_at], Expect::Any)
    }

    /// Uses up a single-use code; of two that try, one gets a conflict.
    pub fn code_use(self, code: TokenHash, origin: &str, cookie: TokenHash, now: Timestamp) -> Self {
        self.run(&CODE_USE, params![code, origin, cookie, now], Expect::One("the code was used already"))
    }

    /// Drops codes, and parts of sessions, that ended before `now`.
    pub fn session_sweep(self, now: Timestamp) -> Self {
        self.run(&CODE_SWEEP, params![now], Expect::Any).run(&SESSION_SWEEP, params![now], Expect::Any)
    }
}

pub(crate) fn session(row: &Row) -> Result<Session, Error> {
    let aal: String = row.get(5)?;
    Ok(Session {
        id: SessionId(row.get(0)?),
        login: SessionId(row.get(1)?),
        account: AccountId(row.get(2)?),
        host: row.get(3)?,
        device: row.get::<Option<uuid::Uuid>>(4)?.map(DeviceId),
        assurance: Assurance { aal: AuthStrength::parse(&aal), amr: row.get(6)?, auth_time: row.get(7)? },
        created_at: row.get(8)?,
        last_seen_at: row.get(9)?,
        idle_until: row.get(10)?,
        expires_at: row.get(11)?,
        ended_at: row.get(12)?,
    })
}
