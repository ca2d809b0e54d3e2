use serde::{Deserialize, Serialize};

/// A session of a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// Session id (UUIDv7).
    pub id: String,
    /// Whose it is.
    pub account_id: String,
    /// Host names it is signed in to, its own first.
    pub hosts: Vec<String>,
    /// When it began (RFC 3339).
    pub created_at: String,
    /// When it was last used, to the minute (RFC 3339).
    pub last_seen_at: String,
    /// When it ends at the latest (RFC 3339).
    pub expires_at: String,
    /// Whether it is the session of this request.
    pub current: bool,
    /// How strongly its holder proved who they are: `aal1`, `aal2` or `aal3`.
    pub acr: String,
    /// By which methods (RFC 8176).
    pub amr: Vec<String>,
    /// When last (RFC 3339).
    pub auth_time: String,
    /// The device it was begun with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device_id: Option<String>,
}

/// Ask what a session token of the gateway means.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenQuestion {
    /// The value of the `tutela-identity` header.
    pub token: String,
}

/// What a token means.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenAnswer {
    /// Whether it is good and its session still lives.
    pub active: bool,
    /// Account id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sub: Option<String>,
    /// Name shown to people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Mail address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
    /// Roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Session id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sid: Option<String>,
    /// How strongly the person proved who they are: `aal1`, `aal2` or `aal3`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub acr: Option<String>,
    /// By which methods (RFC 8176).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub amr: Vec<String>,
    /// When last, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub auth_time: Option<i64>,
}

impl TokenAnswer {
    /// The answer for a token that is not good, whatever the reason (RFC 7662 §2.2).
    pub fn inactive() -> Self {
        Self { active: false, sub: None, name: None, email: None, roles: Vec::new(), sid: None, acr: None, amr: Vec::new(), auth_time: None }
    }
}
