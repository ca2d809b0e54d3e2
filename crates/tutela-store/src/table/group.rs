//! Groups, their roles and members.

use std::collections::BTreeMap;

use tutela_core::{AccountId, Timestamp};

use crate::{Changeset, Error, Expect, Store, sql::statements, value::params};

statements! {
    GROUP_CLEAR_MEMBERS (Text) = "DELETE FROM account_group_member WHERE group_name = $1";
    GROUP_CLEAR_ROLES (Text) = "DELETE FROM account_group_role WHERE group_name = $1";
    GROUP_DELETE (Text) = "DELETE FROM account_group WHERE name = $1";
    GROUP_INSERT (Text, Time) = "INSERT INTO account_group (name, created_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    GROUP_JOIN (Text, Id) = "INSERT INTO account_group_member (group_name, account_id) VALUES ($1, $2) ON CONFLICT (account_id, group_name) DO NOTHING";
    GROUP_LEAVE (Text, Id) = "DELETE FROM account_group_member WHERE group_name = $1 AND account_id = $2";
    GROUP_LEAVE_ALL (Id) = "DELETE FROM account_group_member WHERE account_id = $1";
    GROUP_LIST () = "SELECT name FROM account_group ORDER BY name";
    GROUP_LIST_MEMBERS (Text, Id, Int) = "SELECT account_id FROM account_group_member WHERE group_name = $1 AND account_id < $2 ORDER BY account_id DESC LIMIT $3";
    GROUP_LIST_OF (Id) = "SELECT group_name FROM account_group_member WHERE account_id = $1 ORDER BY group_name";
    GROUP_LIST_ROLES () = "SELECT group_name, role FROM account_group_role ORDER BY group_name, role";
    GROUP_ROLE_ADD (Text, Text) = "INSERT INTO account_group_role (group_name, role) VALUES ($1, $2)";
}

impl Store {
    /// All groups and the roles they give; there are few.
    pub async fn group_list(&self) -> Result<BTreeMap<String, Vec<String>>, Error> {
        let mut groups = BTreeMap::new();
        for row in self.all(&GROUP_LIST, params![]).await? {
            groups.insert(row.get(0)?, Vec::new());
        }
        for row in self.all(&GROUP_LIST_ROLES, params![]).await? {
            let name: String = row.get(0)?;
            groups.entry(name).or_default().push(row.get(1)?);
        }
        Ok(groups)
    }

    /// Groups an account is in.
    pub async fn group_list_by_account(&self, account: AccountId) -> Result<Vec<String>, Error> {
        self.all(&GROUP_LIST_OF, params![account.0]).await?.iter().map(|row| row.get(0)).collect()
    }

    /// Members of a group, below `before`.
    pub async fn group_list_members(&self, name: &str, before: Option<AccountId>, limit: u32) -> Result<Vec<AccountId>, Error> {
        let before = before.map_or(uuid::Uuid::max(), |id| id.0);
        self.all(&GROUP_LIST_MEMBERS, params![name, before, i64::from(limit)]).await?.iter().map(|row| row.get(0).map(AccountId)).collect()
    }
}

impl Changeset {
    /// Makes a group or sets its roles; every role must exist.
    pub fn group_set(self, name: &str, roles: &[String], now: Timestamp) -> Self {
        let made = self.run(&GROUP_INSERT, params![name, now], Expect::Any).run(&GROUP_CLEAR_ROLES, params![name], Expect::Any);
        roles.iter().fold(made, |set, role| set.run(&GROUP_ROLE_ADD, params![name, role], Expect::Any))
    }

    /// Deletes a group; grants to it go first.
    pub fn group_delete(self, name: &str) -> Self {
        self.run(&GROUP_CLEAR_ROLES, params![name], Expect::Any).run(&GROUP_CLEAR_MEMBERS, params![name], Expect::Any).run(
            &GROUP_DELETE,
            params![name],
            Expect::One("the group is gone already"),
        )
    }

    /// Puts an account into a group.
    pub fn group_join(self, name: &str, account: AccountId) -> Self {
        self.run(&GROUP_JOIN, params![name, account.0], Expect::One("the account is in this group already"))
    }

    /// Takes an account out of a group.
    pub fn group_leave(self, name: &str, account: AccountId) -> Self {
        self.run(&GROUP_LEAVE, params![name, account.0], Expect::One("the account is not in this group"))
    }

    /// Takes an account out of all groups.
    pub fn group_leave_all(self, account: AccountId) -> Self {
        self.run(&GROUP_LEAVE_ALL, params![account.0], Expect::Any)
    }
}
