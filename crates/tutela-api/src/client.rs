use serde::{Deserialize, Serialize};

/// Ask for a new client: a program that calls the API with a key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewClient {
    /// Name shown in the console and in the ledger.
    pub name: String,
    /// Permissions the key carries, for example `events:write`.
    pub scopes: Vec<String>,
    /// Until when the key works (RFC 3339); 90 days from now where absent, at most 366 days.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<String>,
}

/// A client.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Client {
    /// Client id (UUIDv7).
    pub id: String,
    /// Name.
    pub name: String,
    /// Permissions the key carries.
    pub scopes: Vec<String>,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// Until when the key works (RFC 3339).
    pub expires_at: String,
    /// The key, shown once: only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub api_key: Option<String>,
}

/// A key that tokens are signed with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SigningKey {
    /// Thumbprint of its public half (RFC 7638): the `kid` of what it signs.
    pub id: String,
    /// `EdDSA`, `ES256` or `RS256`.
    pub algorithm: String,
    /// `next` (published, does not sign yet), `active` or `retired` (checks for two more hours).
    pub state: String,
    /// From when on it signs (RFC 3339).
    pub signs_from: String,
    /// Until when it signs, where its successor is known (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signs_until: Option<String>,
}

/// Ask for another signing key, now.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RotateSigningKey {
    /// `EdDSA`, `ES256` or `RS256`.
    pub algorithm: String,
    /// Whether everything that the present keys have signed is refused from now on: after a theft.
    #[serde(default)]
    pub revoke: bool,
}
