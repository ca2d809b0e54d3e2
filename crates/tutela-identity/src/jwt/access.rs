//! Access tokens for applications that sign people in over the API (RFC 9068).

use serde::{Deserialize, Serialize};

use super::Claims;

/// What an access token says: everything that RFC 9068 §2.2 requires, and how the person signed in (§2.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Issuer: the public URL.
    pub iss: String,
    /// Audience: the name of a route, or the public URL for the API.
    pub aud: String,
    /// Account id.
    pub sub: String,
    /// Who holds it: a client, or the device of a sign-in over the API.
    pub client_id: String,
    /// Session id; a client that acts for itself has none, and nothing of what a person proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The token's own id.
    pub jti: String,
    /// Authentication context class: `aal1`, `aal2` or `aal3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// Authentication method references (RFC 8176).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// When the person last proved who they are, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// What it is for, as words between spaces (RFC 8693 §4.2).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// Issued at, in seconds since the epoch.
    pub iat: i64,
    /// Expires, in seconds since the epoch.
    pub exp: i64,
}

impl Claims for AccessClaims {
    const TYPE: &'static str = "at+jwt";
    const LONGEST_LIFE: i64 = 3_600;

    fn parties(&self) -> (&str, &str) {
        (&self.iss, &self.aud)
    }

    fn times(&self) -> (i64, i64) {
        (self.iat, self.exp)
    }
}
