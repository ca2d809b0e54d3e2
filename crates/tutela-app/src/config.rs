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

/// `[audit]`: what the ledger takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// Which event types applications may record.
    pub types: TypesAllowed,
}

/// Which event types applications may record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TypesAllowed {
    /// Any well-formed name that is not one of tutela's own.
    #[default]
    Any,
    /// Only declared names.
    Declared,
}

impl IdentityConfig {
    /// Refuses values out of range.
    pub fn check(&self) -> Result<(), String> {
        self.password.check().map_err(|e| format!("identity.password: {e}"))?;
        self.session.check().map_err(|e| format!("identity.session: {e}"))
    }
}
