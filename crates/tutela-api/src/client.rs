use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Ask for a new client: a program that calls the API with a key, an application that people sign in to, or both.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewClient {
    /// Name shown in the console, in the ledger, and to people who sign in to it.
    pub name: String,
    /// Permissions on this server's API that the key carries, for example `events:write`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Until when the key works (RFC 3339); 90 days from now where absent, at most 366 days.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<String>,
    /// Its side of OAuth 2.0 and OpenID Connect.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oauth: Option<ClientOauth>,
}

/// A client.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Client {
    /// Client id (UUIDv7).
    pub id: String,
    /// Name.
    pub name: String,
    /// Permissions on this server's API that the key carries.
    pub scopes: Vec<String>,
    /// Its side of OAuth 2.0 and OpenID Connect.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oauth: Option<ClientOauth>,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// Until when its newest key works (RFC 3339); absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<String>,
    /// The key, shown once: only in the answer that made it. It is the `client_secret` of OAuth 2.0 too.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub api_key: Option<String>,
}

/// A client's side of OAuth 2.0 and OpenID Connect, in the words of RFC 7591.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClientOauth {
    /// Addresses that people are sent back to, compared character by character; at most 32.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Addresses that people may be sent to after signing out.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// Where it is told that a session ended (OpenID Connect Back-Channel Logout 1.0).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub backchannel_logout_uri: Option<String>,
    /// `authorization_code`, `refresh_token`, `client_credentials`. Where none is given: the first two where there are
    /// redirect URIs, else the last.
    #[serde(default)]
    pub grant_types: Vec<String>,
    /// How it proves itself: `client_secret_basic` (the default; `client_secret_post` is taken too), `private_key_jwt`, or
    /// `none` for applications that cannot keep a secret.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token_endpoint_auth_method: Option<String>,
    /// Its public keys (a JWK set), for `private_key_jwt`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub jwks: Option<Value>,
    /// Scopes it may ask for: `openid`, `profile`, `email`, `phone`, `groups`, `roles`, `offline_access`, and those of an
    /// API of yours, with a `:` or `.` in them. Where none is given: `openid profile email`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whom its access tokens may be for (RFC 8707 `resource`); the first where it names none.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// What its tokens are signed with: `ES256` (the default), `EdDSA` or `RS256`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id_token_signed_response_alg: Option<String>,
    /// Whether people are asked before it learns of them; `true` where absent. `false` is for applications of your own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub require_consent: Option<bool>,
}

/// Ask for another key of a client.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RollClientKey {
    /// Until when the new key works (RFC 3339); 90 days from now where absent, at most 366 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// For how many seconds the keys so far go on working, 0 to 604,800; a day where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap_seconds: Option<u32>,
}

/// An application that somebody lets learn of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsentedClient {
    /// Client id.
    pub client_id: String,
    /// Its name.
    pub name: String,
    /// What it may learn and do.
    pub scopes: Vec<String>,
    /// When they said so (RFC 3339).
    pub given_at: String,
}
