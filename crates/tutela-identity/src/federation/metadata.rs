use serde::Deserialize;

use super::refused;
use crate::Error;

/// What a provider says of itself (OpenID Connect Discovery 1.0 §3, RFC 8414 §2), as far as it is used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    /// Its issuer.
    pub issuer: String,
    /// Where browsers are sent.
    pub authorization_endpoint: String,
    /// Where codes are exchanged.
    pub token_endpoint: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// Where it tells more about a person.
    #[serde(default)]
    pub userinfo_endpoint: Option<String>,
    /// Where requests are handed over beforehand (RFC 9126).
    #[serde(default)]
    pub pushed_authorization_request_endpoint: Option<String>,
    /// Where its own session is ended (OpenID Connect RP-Initiated Logout 1.0).
    #[serde(default)]
    pub end_session_endpoint: Option<String>,
    /// Whether each answer names it (RFC 9207 §3).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
    /// How codes can be bound to whoever asked (RFC 7636).
    #[serde(default)]
    pub code_challenge_methods_supported: Vec<String>,
}

impl Metadata {
    /// Reads a discovery document that was found from `issuer`; it has to name that issuer exactly (Discovery §4.3).
    pub fn read(body: &[u8], issuer: &str) -> Result<Self, Error> {
        let found: Self = serde_json::from_slice(body).map_err(|e| refused(format!("the discovery document cannot be read: {e}")))?;
        if found.issuer != issuer {
            return Err(refused("the discovery document is of another issuer"));
        }
        Ok(found)
    }

    /// Where the discovery document of an issuer is (Discovery §4).
    pub fn address(issuer: &str) -> String {
        format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
    }
}
