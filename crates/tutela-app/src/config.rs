use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_identity::{Cost, Lifetimes};

/// `[identity]`: how people sign in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// What hashing a password costs (Argon2id). Hashes made with another cost are renewed at the next sign-in.
    pub password: Cost,
    /// How long sessions live.
    pub session: Lifetimes,
}

/// `[compliance]`: what laws and standards ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ComplianceConfig {
    /// Days by kind of data: `logs` is about every event of the ledger; other names are classes of event types, for example `user_data` and `payment_data`.
    pub data_retention: BTreeMap<String, u32>,
}

impl ComplianceConfig {
    /// Refuses values out of range.
    pub fn check(&self) -> Result<(), String> {
        for (kind, days) in &self.data_retention {
            if tutela_core::Class::parse(kind).is_none() {
                return Err(format!("compliance.data_retention: `{kind}` is not a kind of data; one has 1 to 32 characters of `a-z _`"));
            }
            crate::audit::check_days(&format!("compliance.data_retention.{kind}"), *days)?;
        }
        Ok(())
    }
}

impl IdentityConfig {
    /// Refuses values out of range.
    pub fn check(&self) -> Result<(), String> {
        self.password.check().map_err(|e| format!("identity.password: {e}"))?;
        self.session.check().map_err(|e| format!("identity.session: {e}"))
    }
}
