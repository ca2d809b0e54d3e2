//! What compliance judges people's access by: counts, and ids of what stands out.

use tutela_core::Timestamp;
use uuid::Uuid;

use crate::{
    Error, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    ASSESSMENT_ADMINS_WITHOUT_SECOND () = "SELECT a.id FROM account a WHERE a.state = 'active' AND a.id IN (SELECT account_id FROM account_role WHERE role = 'admin'
            UNION SELECT m.account_id FROM account_group_member m JOIN account_group_role g ON g.group_name = m.group_name WHERE g.role = 'admin')
        AND NOT EXISTS (SELECT 1 FROM authenticator x WHERE x.account_id = a.id AND x.kind IN ('passkey', 'totp')) ORDER BY a.id LIMIT 1000";
    ASSESSMENT_COUNTS (Time) = "SELECT
        (SELECT count(*) FROM account WHERE state = 'active'),
        (SELECT count(*) FROM account WHERE state = 'disabled'),
        (SELECT count(*) FROM account a WHERE a.state = 'active' AND a.id IN (SELECT account_id FROM account_role WHERE role = 'admin'
            UNION SELECT m.account_id FROM account_group_member m JOIN account_group_role g ON g.group_name = m.group_name WHERE g.role = 'admin')),
        (SELECT count(*) FROM access_grant WHERE ended_at IS NULL AND (expires_at IS NULL OR expires_at > $1)),
        (SELECT count(*) FROM account a WHERE a.state = 'active' AND a.password_hash IS NOT NULL AND a.phone_verified_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM authenticator x WHERE x.account_id = a.id)),
        (SELECT count(*) FROM client_key k JOIN client c ON c.id = k.client_id WHERE c.revoked_at IS NULL AND k.expires_at > $1)";
    ASSESSMENT_GRANTS_UNAPPROVED (Time) = "SELECT id FROM access_grant WHERE approver = '' AND ended_at IS NULL AND (expires_at IS NULL OR expires_at > $1) ORDER BY id LIMIT 1000";
    ASSESSMENT_IDLE_ACCOUNTS (Time) = "SELECT a.id FROM account a WHERE a.state = 'active' AND a.created_at < $1
        AND NOT EXISTS (SELECT 1 FROM session s WHERE s.account_id = a.id AND s.last_seen_at >= $1)
        AND NOT EXISTS (SELECT 1 FROM device d WHERE d.account_id = a.id AND d.last_seen_at >= $1) ORDER BY a.id LIMIT 1000";
    ASSESSMENT_LEAVERS_INSIDE (Time) = "SELECT DISTINCT a.id FROM account a JOIN session s ON s.account_id = a.id
        WHERE a.state = 'disabled' AND s.ended_at IS NULL AND s.idle_until > $1 AND s.expires_at > $1 ORDER BY a.id LIMIT 1000";
    ASSESSMENT_OLD_PASSWORDS (Time) = "SELECT a.id FROM account a WHERE a.state = 'active' AND a.password_hash IS NOT NULL AND a.password_changed_at < $1 AND a.phone_verified_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM authenticator x WHERE x.account_id = a.id) ORDER BY a.id LIMIT 1000";
    ASSESSMENT_OLD_PROGRAM_KEYS (Time, Time) = "SELECT DISTINCT c.id FROM client_key k JOIN client c ON c.id = k.client_id
        WHERE c.revoked_at IS NULL AND k.expires_at > $1 AND k.created_at < $2 ORDER BY c.id LIMIT 1000";
}

/// Access of people and programs, as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessFacts {
    /// Accounts that can sign in.
    pub enabled: u64,
    /// Accounts that are off.
    pub disabled: u64,
    /// Administrators.
    pub admins: u64,
    /// Grants beside roles.
    pub grants: u64,
    /// Accounts with a password and nothing else.
    pub password_only: u64,
    /// Keys of programs.
    pub program_keys: u64,
    /// Accounts that nobody used of late.
    pub idle: Vec<Uuid>,
    /// Accounts that are off and have a session all the same.
    pub leavers_inside: Vec<Uuid>,
    /// Administrators without a second factor.
    pub admins_without_second: Vec<Uuid>,
    /// Grants that nobody approved.
    pub grants_unapproved: Vec<Uuid>,
    /// Of `password_only` those that are older.
    pub old_passwords: Vec<Uuid>,
    /// Programs with a key made before `made_since`.
    pub old_program_keys: Vec<Uuid>,
}

impl Store {
    /// Access as it is now; accounts count as used since a moment, and keys of programs as young since another.
    pub async fn access_facts(&self, now: Timestamp, used_since: Timestamp, made_since: Timestamp) -> Result<AccessFacts, Error> {
        let counts = self.opt(&ASSESSMENT_COUNTS, params![now]).await?.ok_or(Error::Decode("counts without a row".into()))?;
        let ids = |rows: Vec<Row>| rows.iter().map(|row| row.get(0)).collect::<Result<Vec<Uuid>, Error>>();
        let count = |at: usize| counts.get::<i64>(at).map(i64::unsigned_abs);
        Ok(AccessFacts {
            enabled: count(0)?,
            disabled: count(1)?,
            admins: count(2)?,
            grants: count(3)?,
            password_only: count(4)?,
            program_keys: count(5)?,
            idle: ids(self.all(&ASSESSMENT_IDLE_ACCOUNTS, params![used_since]).await?)?,
            leavers_inside: ids(self.all(&ASSESSMENT_LEAVERS_INSIDE, params![now]).await?)?,
            admins_without_second: ids(self.all(&ASSESSMENT_ADMINS_WITHOUT_SECOND, params![]).await?)?,
            grants_unapproved: ids(self.all(&ASSESSMENT_GRANTS_UNAPPROVED, params![now]).await?)?,
            old_passwords: ids(self.all(&ASSESSMENT_OLD_PASSWORDS, params![used_since]).await?)?,
            old_program_keys: ids(self.all(&ASSESSMENT_OLD_PROGRAM_KEYS, params![now, made_since]).await?)?,
        })
    }
}
