//! Permissions given or denied beside roles.

use tutela_core::{AccountId, GrantId, Timestamp};
use tutela_identity::access::{Effect, Grant, Grantee};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    GRANT_DELETE_BY_ACCOUNT (Id) = "DELETE FROM access_grant WHERE account_id = $1";
    GRANT_DELETE_BY_GROUP (Text) = "DELETE FROM access_grant WHERE group_name = $1";
    GRANT_END (Id, Time) = "UPDATE access_grant SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
    GRANT_GET (Id) = "SELECT id, account_id, group_name, effect, permission, resource, reason, approver, created_at, expires_at FROM access_grant WHERE id = $1 AND ended_at IS NULL";
    GRANT_INSERT (Id, Id, Text, Text, Text, Text, Text, Text, Time, Time) = "INSERT INTO access_grant
        (id, account_id, group_name, effect, permission, resource, reason, approver, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    GRANT_LIST (Time, Id, Int) = "SELECT id, account_id, group_name, effect, permission, resource, reason, approver, created_at, expires_at FROM access_grant
        WHERE ended_at IS NULL AND (expires_at IS NULL OR expires_at > $1) AND id < $2 ORDER BY id DESC LIMIT $3";
    GRANT_LIST_BY_GROUP (Text, Time) = "SELECT id, account_id, group_name, effect, permission, resource, reason, approver, created_at, expires_at FROM access_grant
        WHERE ended_at IS NULL AND (expires_at IS NULL OR expires_at > $2) AND group_name = $1 ORDER BY id LIMIT 1000";
    GRANT_LIST_OF (Id, Time) = "SELECT id, account_id, group_name, effect, permission, resource, reason, approver, created_at, expires_at FROM access_grant
        WHERE ended_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
        AND (account_id = $1 OR group_name IN (SELECT group_name FROM account_group_member WHERE account_id = $1)) ORDER BY id LIMIT 1000";
    ROLE_HOLDERS (Text, Id, Int) = "SELECT DISTINCT id FROM (
        SELECT account_id AS id FROM account_role WHERE role = $1
        UNION ALL SELECT m.account_id AS id FROM account_group_member m JOIN account_group_role r ON r.group_name = m.group_name WHERE r.role = $1) AS held
        WHERE id < $2 ORDER BY id DESC LIMIT $3";
}

impl Store {
    /// A grant that has not been ended.
    pub async fn grant_get(&self, id: GrantId) -> Result<Option<Grant>, Error> {
        self.opt(&GRANT_GET, params![id.0]).await?.as_ref().map(grant).transpose()
    }

    /// Live grants, newest first, below `before`.
    pub async fn grant_list(&self, before: Option<GrantId>, limit: u32, now: Timestamp) -> Result<Vec<Grant>, Error> {
        let before = before.map_or(uuid::Uuid::max(), |id| id.0);
        self.all(&GRANT_LIST, params![now, before, i64::from(limit)]).await?.iter().map(grant).collect()
    }

    /// Live grants to a group.
    pub async fn grant_list_by_group(&self, group: &str, now: Timestamp) -> Result<Vec<Grant>, Error> {
        self.all(&GRANT_LIST_BY_GROUP, params![group, now]).await?.iter().map(grant).collect()
    }

    /// Live grants to an account and to its groups.
    pub async fn grant_list_by_account(&self, account: AccountId, now: Timestamp) -> Result<Vec<Grant>, Error> {
        self.all(&GRANT_LIST_OF, params![account.0, now]).await?.iter().map(grant).collect()
    }

    /// Accounts that hold a role, by themselves or through a group, below `before`.
    pub async fn role_list_holders(&self, role: &str, before: Option<AccountId>, limit: u32) -> Result<Vec<AccountId>, Error> {
        let before = before.map_or(uuid::Uuid::max(), |id| id.0);
        self.all(&ROLE_HOLDERS, params![role, before, i64::from(limit)]).await?.iter().map(|row| row.get(0).map(AccountId)).collect()
    }
}

impl Changeset {
    /// Gives or denies a permission.
    pub fn grant_insert(self, grant: &Grant) -> Self {
        let (account, group) = match &grant.to {
            Grantee::Account(id) => (Some(id.0), None),
            Grantee::Group(name) => (None, Some(name.clone())),
        };
        let g = grant;
        let params = params![g.id.0, account, group, g.effect.as_str(), &g.permission, &g.resource, &g.reason, &g.approver, g.created_at, g.expires_at];
        self.run(&GRANT_INSERT, params, Expect::Any)
    }

    /// Ends a grant.
    pub fn grant_end(self, id: GrantId, now: Timestamp) -> Self {
        self.run(&GRANT_END, params![id.0, now], Expect::One("the grant was ended already"))
    }

    /// Drops the grants of an account that is deleted.
    pub fn grant_delete_by_account(self, account: AccountId) -> Self {
        self.run(&GRANT_DELETE_BY_ACCOUNT, params![account.0], Expect::Any)
    }

    /// Drops the grants of a group that is deleted.
    pub fn grant_delete_by_group(self, name: &str) -> Self {
        self.run(&GRANT_DELETE_BY_GROUP, params![name], Expect::Any)
    }
}

pub(crate) fn grant(row: &Row) -> Result<Grant, Error> {
    let (account, group): (Option<uuid::Uuid>, Option<String>) = (row.get(1)?, row.get(2)?);
    let effect: String = row.get(3)?;
    let nobody = || Error::Decode("a grant is for nobody".into());
    Ok(Grant {
        id: GrantId(row.get(0)?),
        to: account.map(|id| Grantee::Account(AccountId(id))).or(group.map(Grantee::Group)).ok_or_else(nobody)?,
        // Unknown is no.
        effect: Effect::parse(&effect).unwrap_or(Effect::Deny),
        permission: row.get(4)?,
        resource: row.get(5)?,
        reason: row.get(6)?,
        approver: row.get(7)?,
        created_at: row.get(8)?,
        expires_at: row.get(9)?,
    })
}
