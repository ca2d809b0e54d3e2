//! Answers of the OAuth 2.0 and OpenID Connect endpoints; their names are those of the standards.

use serde::{Deserialize, Serialize};

/// Tokens (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OauthTokens {
    /// The access token (RFC 9068).
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Its life in seconds.
    pub expires_in: u64,
    /// The next refresh token.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refresh_token: Option<String>,
    /// The ID token.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id_token: Option<String>,
    /// What was granted, as words between spaces.
    pub scope: String,
}

/// An error (RFC 6749 §5.2).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OauthError {
    /// A registered code.
    pub error: String,
    /// A sentence for whoever builds the client.
    pub error_description: String,
}

/// What is known of a token (RFC 7662 §2.2).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Introspection {
    /// Whether it is good at this moment.
    pub active: bool,
    /// What it is for, as words between spaces.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scope: Option<String>,
    /// Who holds it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_id: Option<String>,
    /// `Bearer`, or `refresh_token`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token_type: Option<String>,
    /// Expires, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exp: Option<i64>,
    /// Issued at.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub iat: Option<i64>,
    /// Whom it is about: an account id, or the client's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sub: Option<String>,
    /// Whom it is for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub aud: Option<String>,
    /// This server.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub iss: Option<String>,
    /// Its own id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub jti: Option<String>,
    /// Its session.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sid: Option<String>,
    /// How strongly the person signed in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub acr: Option<String>,
    /// When they last did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub auth_time: Option<i64>,
}
