use tutela_core::{AccountId, Timestamp};
use tutela_identity::{Account, AccountState, Email, TokenHash, access::Grant, device::Device};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    table::{
        authenticator::{AUTHENTICATOR_LIST, AUTHENTICATOR_LIST_BY_EMAIL, AuthenticatorRow, authenticator},
        device::{DEVICE_GET, DEVICE_GET_BY_EMAIL, device},
        grant::{GRANT_LIST_OF, grant},
        group::GROUP_LIST_OF,
        outside::{OUTSIDE_LIST, OUTSIDE_LIST_BY_EMAIL, OutsideRow, outside},
    },
    value::{Row, params},
};

statements! {
    ACCOUNT_COUNT () = "SELECT count(*) FROM account";
    ACCOUNT_GET (Id) = "SELECT id, email, name, state, created_at, email_verified_at, phone, phone_verified_at FROM account WHERE id = $1";
    ACCOUNT_GET_BY_EMAIL (Text) = "SELECT id, email, name, state, created_at, email_verified_at, phone, phone_verified_at, password_hash, password_changed_at, password_must_change, reminded_at, mail_reset_at FROM account WHERE email = $1";
    ACCOUNT_GET_WITH_PASSWORD (Id) = "SELECT id, email, name, state, created_at, email_verified_at, phone, phone_verified_at, password_hash, password_changed_at, password_must_change, reminded_at, mail_reset_at FROM account WHERE id = $1";
    ACCOUNT_DROP_AUTHENTICATORS (Id) = "DELETE FROM authenticator WHERE account_id = $1";
    ACCOUNT_DROP_CODES (Id) = "DELETE FROM sign_in_code WHERE login IN (SELECT id FROM session WHERE account_id = $1)";
    ACCOUNT_DROP_DEVICES (Id) = "DELETE FROM device WHERE account_id = $1";
    ACCOUNT_DROP_LINKS (Id) = "DELETE FROM link WHERE account_id = $1";
    ACCOUNT_DROP_REFRESH (Id) = "DELETE FROM refresh_token WHERE session_id IN (SELECT id FROM session WHERE account_id = $1)";
    ACCOUNT_DROP_SESSIONS (Id) = "DELETE FROM session WHERE account_id = $1";
    ACCOUNT_DELETE (Id) = "DELETE FROM account WHERE id = $1";
    ACCOUNT_INSERT (Id, Text, Text, Text, Text, Time, Time) =
        "INSERT INTO account (id, email, name, state, password_hash, password_changed_at, email_verified_at, created_at) VALUES ($1, $2, $3, $4, $5, CASE WHEN $5 IS NULL THEN NULL ELSE $7 END, $6, $7)";
    ACCOUNT_LIST (Id, Int) = "SELECT id, email, name, state, created_at, email_verified_at, phone, phone_verified_at FROM account WHERE id < $1 ORDER BY id DESC LIMIT $2";
    ACCOUNT_ROLE_ADD (Id, Text) = "INSERT INTO account_role (account_id, role) VALUES ($1, $2)";
    ACCOUNT_ROLE_CLEAR (Id) = "DELETE FROM account_role WHERE account_id = $1";
    ACCOUNT_ROLE_LIST (Id) = "SELECT role FROM account_role WHERE account_id = $1 ORDER BY role";
    ACCOUNT_SET_NAME (Id, Text) = "UPDATE account SET name = $2 WHERE id = $1";
    ACCOUNT_CONFIRM_PASSWORD (Id, Text, Text) = "UPDATE account SET password_hash = $3 WHERE id = $1 AND password_hash = $2 AND state = 'active'";
    ACCOUNT_GET_PASSWORD (Id) = "SELECT password_hash, password_changed_at, password_must_change, reminded_at, mail_reset_at FROM account WHERE id = $1";
    ACCOUNT_MUST_CHANGE (Id, Text) = "UPDATE account SET password_must_change = $2 WHERE id = $1";
    ACCOUNT_REMINDED (Id, Time) = "UPDATE account SET reminded_at = $2 WHERE id = $1";
    ACCOUNT_SET_EMAIL (Id, Text, Time) = "UPDATE account SET email = $2, email_verified_at = $3 WHERE id = $1 AND state = 'active'";
    ACCOUNT_SET_MAIL_RESET (Id, Time) = "UPDATE account SET mail_reset_at = $2 WHERE id = $1";
    ACCOUNT_SET_PASSWORD (Id, Text, Time) =
        "UPDATE account SET password_hash = $2, password_changed_at = $3, password_must_change = NULL, reminded_at = NULL WHERE id = $1 AND state = 'active'";
    ACCOUNT_SET_PHONE (Id, Text, Time) = "UPDATE account SET phone = $2, phone_verified_at = $3 WHERE id = $1 AND state = 'active'";
    ACCOUNT_VERIFY_EMAIL (Id, Text, Time) = "UPDATE account SET email_verified_at = coalesce(email_verified_at, $3) WHERE id = $1 AND email = $2";
    ACCOUNT_ACTIVATE (Id) = "UPDATE account SET state = 'active' WHERE id = $1 AND state = 'unverified'";
    ACCOUNT_SET_STATE (Id, Text) = "UPDATE account SET state = $2 WHERE id = $1 AND state <> $2";
    EXTERNAL_ID_DELETE (Id) = "DELETE FROM external_id WHERE account_id = $1";
    EXTERNAL_ID_GET (Text, Text) = "SELECT account_id FROM external_id WHERE namespace = $1 AND value = $2";
    EXTERNAL_ID_LIST (Id) = "SELECT namespace, value FROM external_id WHERE account_id = $1 ORDER BY namespace, value LIMIT 1000";
    EXTERNAL_ID_SET (Text, Text, Id) = "INSERT INTO external_id (namespace, value, account_id) VALUES ($1, $2, $3)
        ON CONFLICT (namespace, value) DO UPDATE SET account_id = excluded.account_id WHERE external_id.account_id = excluded.account_id";
}

/// A password's hash as it is stored: sealed under the root key with whose it is and since when, so that a hash from
/// elsewhere, of somebody else or of another time does not open, and a stolen database holds nothing to guess at.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPassword(pub String);

/// An account with all that it can sign in with.
#[derive(Clone)]
pub struct AccountWays {
    /// The account.
    pub account: Account,
    /// Its password.
    pub password: PasswordRow,
    /// Its other ways to sign in, oldest first.
    pub authenticators: Vec<AuthenticatorRow>,
    /// Who it is at outside providers, oldest first.
    pub outsides: Vec<OutsideRow>,
    /// The device that was asked about, where it is one of its own.
    pub device: Option<Device>,
}

/// An account with everything that says what it may do.
#[derive(Clone)]
pub struct AccountStanding {
    /// It, and what it can sign in with.
    pub ways: AccountWays,
    /// Roles of its own.
    pub roles: Vec<String>,
    /// Groups it is in.
    pub groups: Vec<String>,
    /// Live grants to it and to its groups.
    pub grants: Vec<Grant>,
}

/// The password of an account, and what has to happen to it.
#[derive(Clone, Default)]
pub struct PasswordRow {
    /// Its hash, sealed; none where no password was chosen.
    pub sealed: Option<SealedPassword>,
    /// When it was chosen.
    pub changed_at: Option<Timestamp>,
    /// Why the next sign-in has to choose a new one.
    pub must_change: Option<String>,
    /// When the reminder to change it was put off.
    pub reminded_at: Option<Timestamp>,
    /// When it was reset through the mailbox; none since something stronger was proven.
    pub mail_reset_at: Option<Timestamp>,
}

const GONE: Expect = Expect::One("the account is disabled or gone");

impl Store {
    /// Number of accounts.
    pub async fn account_count(&self) -> Result<u64, Error> {
        self.opt(&ACCOUNT_COUNT, params![]).await?.map_or(Ok(0), |row| row.get(0))
    }

    /// An account by id.
    pub async fn account_get(&self, id: AccountId) -> Result<Option<Account>, Error> {
        self.opt(&ACCOUNT_GET, params![id.0]).await?.as_ref().map(account).transpose()
    }

    /// An account by the name used to sign in, with its password.
    pub async fn account_get_by_email(&self, email: &Email) -> Result<Option<(Account, PasswordRow)>, Error> {
        let Some(row) = self.opt(&ACCOUNT_GET_BY_EMAIL, params![email.as_str()]).await? else { return Ok(None) };
        Ok(Some((account(&row)?, password(&row, 8)?)))
    }

    /// An account by id, with all that it can sign in with, and the device with this cookie.
    pub async fn account_get_ways(&self, id: AccountId, device: Option<TokenHash>) -> Result<Option<AccountWays>, Error> {
        let asked = [
            (&ACCOUNT_GET_WITH_PASSWORD, params![id.0]),
            (&AUTHENTICATOR_LIST, params![id.0]),
            (&OUTSIDE_LIST, params![id.0]),
            (&DEVICE_GET, params![id.0, device.unwrap_or_default()]),
        ];
        ways(self.several(asked).await?)
    }

    /// An account with everything that says what it may do.
    pub async fn account_get_standing(&self, id: AccountId, now: Timestamp) -> Result<Option<AccountStanding>, Error> {
        let asked = [
            (&ACCOUNT_GET_WITH_PASSWORD, params![id.0]),
            (&AUTHENTICATOR_LIST, params![id.0]),
            (&OUTSIDE_LIST, params![id.0]),
            (&ACCOUNT_ROLE_LIST, params![id.0]),
            (&GROUP_LIST_OF, params![id.0]),
            (&GRANT_LIST_OF, params![id.0, now]),
        ];
        let [found, authenticators, outsides, roles, groups, grants] = self.several(asked).await?;
        let Some(ways) = ways([found, authenticators, outsides, Vec::new()])? else { return Ok(None) };
        Ok(Some(AccountStanding {
            ways,
            roles: roles.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?,
            groups: groups.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?,
            grants: grants.iter().map(grant).collect::<Result<_, _>>()?,
        }))
    }

    /// As [`account_get_ways`](Self::account_get_ways), by the name used to sign in.
    pub async fn account_get_ways_by_email(&self, email: &Email, device: Option<TokenHash>) -> Result<Option<AccountWays>, Error> {
        let asked = [
            (&ACCOUNT_GET_BY_EMAIL, params![email.as_str()]),
            (&AUTHENTICATOR_LIST_BY_EMAIL, params![email.as_str()]),
            (&OUTSIDE_LIST_BY_EMAIL, params![email.as_str()]),
            (&DEVICE_GET_BY_EMAIL, params![email.as_str(), device.unwrap_or_default()]),
        ];
        ways(self.several(asked).await?)
    }

    /// The password of an account.
    pub async fn account_get_password(&self, id: AccountId) -> Result<Option<PasswordRow>, Error> {
        self.opt(&ACCOUNT_GET_PASSWORD, params![id.0]).await?.map(|row| password(&row, 0)).transpose()
    }

    /// Accounts, newest first, below `before`.
    pub async fn account_list(&self, before: Option<AccountId>, limit: u32) -> Result<Vec<Account>, Error> {
        let before = before.map_or(uuid::Uuid::max(), |id| id.0);
        self.all(&ACCOUNT_LIST, params![before, i64::from(limit)]).await?.iter().map(account).collect()
    }

    /// Names of the roles an account holds.
    pub async fn account_role_list(&self, id: AccountId) -> Result<Vec<String>, Error> {
        self.all(&ACCOUNT_ROLE_LIST, params![id.0]).await?.iter().map(|row| row.get(0)).collect()
    }

    /// The identifiers that applications have for an account: namespace and value.
    pub async fn external_id_list(&self, account: AccountId) -> Result<Vec<(String, String)>, Error> {
        let rows = self.all(&EXTERNAL_ID_LIST, params![account.0]).await?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }

    /// The account an application's own identifier means.
    pub async fn external_id_get(&self, namespace: &str, value: &str) -> Result<Option<AccountId>, Error> {
        self.opt(&EXTERNAL_ID_GET, params![namespace, value]).await?.map(|row| row.get(0).map(AccountId)).transpose()
    }
}

impl Changeset {
    /// Makes an account; its address must be free.
    pub fn account_insert(self, account: &Account, password: Option<&SealedPassword>) -> Self {
        let params = params![
            account.id.0,
            account.email.as_str(),
            &account.name,
            account.state.as_str(),
            password.map(|sealed| sealed.0.as_str()),
            account.email_verified_at,
            account.created_at
        ];
        self.run(&ACCOUNT_INSERT, params, Expect::Any)
    }

    /// Sets the roles of an account; every role must exist.
    pub fn account_set_roles(self, id: AccountId, roles: &[String]) -> Self {
        let cleared = self.run(&ACCOUNT_ROLE_CLEAR, params![id.0], Expect::Any);
        roles.iter().fold(cleared, |set, role| set.run(&ACCOUNT_ROLE_ADD, params![id.0, role], Expect::Any))
    }

    /// Sets the password of an active account; what asked for a new one is settled.
    pub fn account_set_password(self, id: AccountId, sealed: &SealedPassword, now: Timestamp) -> Self {
        self.run(&ACCOUNT_SET_PASSWORD, params![id.0, sealed.0.as_str(), now], GONE)
    }

    /// Says why the next sign-in has to choose a new password.
    pub fn account_must_change_password(self, id: AccountId, why: &str) -> Self {
        self.run(&ACCOUNT_MUST_CHANGE, params![id.0, why], Expect::Any)
    }

    /// Writes that the reminder to change the password was put off.
    pub fn account_reminded(self, id: AccountId, now: Timestamp) -> Self {
        self.run(&ACCOUNT_REMINDED, params![id.0, now], Expect::Any)
    }

    /// Writes that the password was reset through the mailbox, or (without a time) that something stronger was proven since.
    pub fn account_set_mail_reset(self, id: AccountId, at: Option<Timestamp>) -> Self {
        self.run(&ACCOUNT_SET_MAIL_RESET, params![id.0, at], Expect::Any)
    }

    /// Sets another mail address; it must be free.
    pub fn account_set_email(self, id: AccountId, email: &Email, verified_at: Option<Timestamp>) -> Self {
        self.run(&ACCOUNT_SET_EMAIL, params![id.0, email.as_str(), verified_at], GONE)
    }

    /// Writes that mail arrives at the address, if it is still this one.
    pub fn account_verify_email(self, id: AccountId, email: &Email, now: Timestamp) -> Self {
        self.run(&ACCOUNT_VERIFY_EMAIL, params![id.0, email.as_str(), now], Expect::One("the account has another mail address by now"))
    }

    /// Lets an account be used whose mail address has been shown to be its owner's; one that was disabled stays so.
    pub fn account_activate(self, id: AccountId) -> Self {
        self.run(&ACCOUNT_ACTIVATE, params![id.0], Expect::Any)
    }

    /// Sets or removes the phone.
    pub fn account_set_phone(self, id: AccountId, phone: Option<&str>, verified_at: Option<Timestamp>) -> Self {
        self.run(&ACCOUNT_SET_PHONE, params![id.0, phone, verified_at], GONE)
    }

    /// Deletes an account with everything that refers to it.
    pub fn account_delete(self, id: AccountId) -> Self {
        let rows =
            [&ACCOUNT_DROP_REFRESH, &ACCOUNT_DROP_CODES, &ACCOUNT_DROP_SESSIONS, &ACCOUNT_DROP_AUTHENTICATORS, &ACCOUNT_DROP_DEVICES, &ACCOUNT_DROP_LINKS];
        let gone = rows.into_iter().fold(self.outside_delete_by_account(id).oauth_delete_by_account(id), |set, sql| set.run(sql, params![id.0], Expect::Any));
        gone.sign_in_end_by_account(id)
            .grant_delete_by_account(id)
            .group_leave_all(id)
            .run(&ACCOUNT_ROLE_CLEAR, params![id.0], Expect::Any)
            .run(&EXTERNAL_ID_DELETE, params![id.0], Expect::Any)
            .run(&ACCOUNT_DELETE, params![id.0], Expect::One("the account is gone already"))
            .announce("account", id)
    }

    /// Holds a sign-in to the password it was verified against, and renews its hash; a password set or an account disabled meanwhile is a conflict.
    pub fn account_confirm_password(self, id: AccountId, verified: &SealedPassword, renewed: Option<&SealedPassword>) -> Self {
        let params = params![id.0, verified.0.as_str(), renewed.unwrap_or(verified).0.as_str()];
        self.run(&ACCOUNT_CONFIRM_PASSWORD, params, Expect::One("the password was changed, or the account disabled"))
    }

    /// Sets the name shown to people.
    pub fn account_set_name(self, id: AccountId, name: &str) -> Self {
        self.run(&ACCOUNT_SET_NAME, params![id.0, name], Expect::Any)
    }

    /// Enables or disables an account.
    pub fn account_set_state(self, id: AccountId, state: AccountState) -> Self {
        self.run(&ACCOUNT_SET_STATE, params![id.0, state.as_str()], Expect::One("the account is in this state already, or gone"))
    }

    /// Says which account an application's own identifier means.
    pub fn external_id_set(self, namespace: &str, value: &str, account: AccountId) -> Self {
        self.run(&EXTERNAL_ID_SET, params![namespace, value, account.0], Expect::One("this identifier means another account already"))
    }
}

fn ways([found, authenticators, outsides, devices]: [Vec<Row>; 4]) -> Result<Option<AccountWays>, Error> {
    let Some(row) = found.first() else { return Ok(None) };
    Ok(Some(AccountWays {
        account: account(row)?,
        password: password(row, 8)?,
        authenticators: authenticators.iter().map(authenticator).collect::<Result<_, _>>()?,
        outsides: outsides.iter().map(outside).collect::<Result<_, _>>()?,
        device: devices.first().map(device).transpose()?,
    }))
}

pub(crate) fn account(row: &Row) -> Result<Account, Error> {
    let email: String = row.get(1)?;
    let state: String = row.get(3)?;
    Ok(Account {
        id: AccountId(row.get(0)?),
        email: Email::from_stored(email),
        name: row.get(2)?,
        state: AccountState::parse(&state),
        created_at: row.get(4)?,
        email_verified_at: row.get(5)?,
        phone: row.get(6)?,
        phone_verified_at: row.get(7)?,
    })
}

fn password(row: &Row, from: usize) -> Result<PasswordRow, Error> {
    Ok(PasswordRow {
        sealed: row.get::<Option<String>>(from)?.map(SealedPassword),
        changed_at: row.get(from + 1)?,
        must_change: row.get(from + 2)?,
        reminded_at: row.get(from + 3)?,
        mail_reset_at: row.get(from + 4)?,
    })
}
