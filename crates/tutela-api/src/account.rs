use serde::{Deserialize, Serialize};

/// Ask for a new account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewAccount {
    /// Mail address, the name used to sign in.
    pub email: String,
    /// Name shown to people.
    pub name: String,
    /// First password, 15 to 1,024 characters; without it the answer holds a set-up link.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub password: Option<String>,
    /// Roles from the start.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// An account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Account {
    /// Account id (UUIDv7).
    pub id: String,
    /// Mail address.
    pub email: String,
    /// Name shown to people.
    pub name: String,
    /// `active` or `disabled`.
    pub state: String,
    /// Roles the account holds.
    pub roles: Vec<String>,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// Where the person sets a password; only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub setup_link: Option<String>,
}

/// The roles an account shall hold from now on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountRoles {
    /// Names of existing roles.
    pub roles: Vec<String>,
}

/// A one-time link.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetupLink {
    /// Open it in a browser; it works once.
    pub url: String,
    /// Until when (RFC 3339).
    pub expires_at: String,
}
