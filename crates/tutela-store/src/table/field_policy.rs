//! Field policies.

use serde_json::Value as Json;
use tutela_core::Timestamp;

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    FIELD_POLICY_DELETE (Text) = "DELETE FROM field_policy WHERE name = $1";
    FIELD_POLICY_GET (Text) = "SELECT name, policy, changed_at FROM field_policy WHERE name = $1";
    FIELD_POLICY_LIST (Text, Int) = "SELECT name, policy, changed_at FROM field_policy WHERE name > $1 ORDER BY name LIMIT $2";
    FIELD_POLICY_SET (Text, Json, Time) = "INSERT INTO field_policy (name, policy, changed_at) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET policy = excluded.policy, changed_at = excluded.changed_at";
}

/// A stored field policy.
#[derive(Debug, Clone)]
pub struct FieldPolicyRow {
    /// Its name.
    pub name: String,
    /// What it says.
    pub policy: Json,
    /// When it was last set.
    pub changed_at: Timestamp,
}

impl Store {
    /// A policy by name.
    pub async fn field_policy_get(&self, name: &str) -> Result<Option<FieldPolicyRow>, Error> {
        self.opt(&FIELD_POLICY_GET, params![name]).await?.as_ref().map(policy).transpose()
    }

    /// Policies by name, after the one given.
    pub async fn field_policy_list(&self, after: &str, limit: u32) -> Result<Vec<FieldPolicyRow>, Error> {
        self.all(&FIELD_POLICY_LIST, params![after, i64::from(limit)]).await?.iter().map(policy).collect()
    }
}

impl Changeset {
    /// Makes or replaces a policy.
    pub fn field_policy_set(self, row: &FieldPolicyRow) -> Self {
        self.run(&FIELD_POLICY_SET, params![&row.name, row.policy.clone(), row.changed_at], Expect::Any)
    }

    /// Drops a policy.
    pub fn field_policy_delete(self, name: &str) -> Self {
        self.run(&FIELD_POLICY_DELETE, params![name], Expect::One("there is no policy of this name"))
    }
}

fn policy(row: &Row) -> Result<FieldPolicyRow, Error> {
    Ok(FieldPolicyRow { name: row.get(0)?, policy: row.get(1)?, changed_at: row.get(2)? })
}
