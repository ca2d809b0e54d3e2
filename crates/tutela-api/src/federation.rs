use serde::{Deserialize, Serialize};

/// An outside provider that people can sign in with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Provider {
    /// Its name in the configuration, in addresses and in the ledger.
    pub name: String,
    /// What its button says.
    pub label: String,
    /// `oauth2`, `openid` or `saml`.
    pub protocol: String,
    /// Where it sends people back to: the redirect URI, or for SAML the assertion consumer service, that it has to know.
    pub callback_url: String,
    /// Where it tells of sessions that ended there (OpenID Connect back-channel logout, SAML single logout).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub logout_url: Option<String>,
    /// Where a SAML provider reads what it has to know of this server.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metadata_url: Option<String>,
    /// Why nobody can sign in with it at the moment; absent where it answers as it should.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trouble: Option<String>,
}

/// An account somewhere else that an account here is connected with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Connection {
    /// Its id (UUIDv7).
    pub id: String,
    /// Name of the provider.
    pub provider: String,
    /// What its owner knows it by: the mail address there, else what the provider calls the person.
    pub shown: String,
    /// When it was connected (RFC 3339).
    pub created_at: String,
    /// When somebody last signed in with it (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_used_at: Option<String>,
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
