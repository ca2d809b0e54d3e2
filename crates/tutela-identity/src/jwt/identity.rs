//! The identity that upstreams receive.

use serde::{Deserialize, Serialize};

use super::Claims;

/// Life of an identity token in seconds.
pub const LIFE: i64 = 60;

/// What an identity token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityClaims {
    /// Issuer: the public URL.
    pub iss: String,
    /// Audience: the name of the route.
    pub aud: String,
    /// Account id; of a client that acts for itself the client's, of somebody from an outside issuer what that calls them.
    pub sub: String,
    /// Login session id, where there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sid: String,
    /// The client whose access token it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Name of the outside issuer that vouches for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idp: Option<String>,
    /// What the access token was for, as words between spaces.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// Name shown to people.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Roles.
    pub roles: Vec<String>,
    /// What the roles allow.
    pub permissions: Vec<String>,
    /// Authentication context class: `aal1`, `aal2` or `aal3`.
    pub acr: String,
    /// Authentication method references (RFC 8176).
    pub amr: Vec<String>,
    /// When the person last proved who they are, in seconds since the epoch.
    pub auth_time: i64,
    /// Issued at, in seconds since the epoch.
    pub iat: i64,
    /// Expires, in seconds since the epoch.
    pub exp: i64,
}

impl Claims for IdentityClaims {
    const TYPE: &'static str = "tutela-identity+jwt";
    const LONGEST_LIFE: i64 = LIFE;

    fn parties(&self) -> (&str, &str) {
        (&self.iss, &self.aud)
    }

    fn times(&self) -> (i64, i64) {
        (self.iat, self.exp)
    }
}
