//! What an operator registers of an application that people sign in to.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::RedirectUri;
use crate::{Algorithm, Error};

/// Scopes about a person (OpenID Connect Core §5.4); `groups` and `roles` are ours.
pub const SCOPES: [&str; 7] = ["openid", "profile", "email", "phone", "groups", "roles", "offline_access"];
const MOST_ADDRESSES: usize = 32;
const MOST_AUDIENCES: usize = 32;
const MOST_SCOPES: usize = 64;

/// How a client gets tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantKind {
    /// A person signs in (RFC 6749 §4.1).
    AuthorizationCode,
    /// The client acts for itself (§4.4).
    ClientCredentials,
    /// The client goes on acting for a person (§6).
    RefreshToken,
}

impl GrantKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AuthorizationCode, Self::ClientCredentials, Self::RefreshToken];

    /// As in `grant_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == word)
    }
}

/// A client's side of OAuth 2.0 and OpenID Connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Where codes may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where people may be sent after signing out.
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where it is told that a session ended (OpenID Connect Back-Channel Logout 1.0).
    pub backchannel_logout_uri: Option<RedirectUri>,
    /// How it gets tokens.
    pub grants: BTreeSet<GrantKind>,
    /// Whether it can keep a secret; one that cannot (an app, a page) proves itself by PKCE alone.
    pub confidential: bool,
    /// Keys that its own statements are signed with (a JWK set), in place of a secret.
    pub jwks: Option<serde_json::Value>,
    /// Scopes that it may ask for.
    pub scopes: BTreeSet<String>,
    /// Resources that it may ask tokens for, by audience; the first where it names none.
    pub audiences: Vec<String>,
    /// What its tokens are signed with.
    pub algorithm: Algorithm,
    /// Whether people are asked before it learns of them; not for applications of the operator's own.
    pub asks_consent: bool,
}

impl Registration {
    /// Whether it proves itself with a secret of ours.
    pub fn has_secret(&self) -> bool {
        self.confidential && self.jwks.is_none()
    }

    /// Refuses what cannot work, or should not.
    pub fn check(&self) -> Result<(), Error> {
        let invalid = |field: &'static str, why: String| Err(Error::invalid(field, why));
        let code = self.grants.contains(&GrantKind::AuthorizationCode);
        if self.grants.is_empty() {
            return invalid("grants", "a client gets tokens by at least one grant: `authorization_code`, `refresh_token`, `client_credentials`".into());
        }
        if code == self.redirect_uris.is_empty() {
            return invalid("redirect_uris", "the grant `authorization_code` needs addresses to send people back to, and no other grant does".into());
        }
        if self.grants.contains(&GrantKind::RefreshToken) && !code {
            return invalid("grants", "`refresh_token` goes on from `authorization_code`; add that, or leave it out".into());
        }
        if self.grants.contains(&GrantKind::ClientCredentials) && !self.confidential {
            return invalid("grants", "only a client that keeps a secret acts for itself (RFC 6749 §4.4)".into());
        }
        if self.redirect_uris.len() > MOST_ADDRESSES || self.post_logout_redirect_uris.len() > MOST_ADDRESSES {
            return invalid("redirect_uris", format!("a client has at most {MOST_ADDRESSES} addresses"));
        }
        if self.scopes.len() > MOST_SCOPES {
            return invalid("scopes", format!("a client has at most {MOST_SCOPES} scopes"));
        }
        if let Some(unknown) = self.scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str()) && !is_of_an_api(scope)) {
            let known = SCOPES.join(", ");
            return invalid(
                "scopes",
                format!("`{unknown}` is not a scope; known are {known}, and those of an API of yours, with a `:` or `.` in it, such as `photos:read`"),
            );
        }
        if self.audiences.len() > MOST_AUDIENCES
            || self.audiences.iter().any(|name| name.is_empty() || name.len() > 256 || !name.bytes().all(|b| b.is_ascii_graphic()))
        {
            return invalid("audiences", format!("an audience has 1 to 256 printable characters, and a client at most {MOST_AUDIENCES} of them"));
        }
        if !Algorithm::OURS.contains(&self.algorithm) {
            return invalid("algorithm", "tokens are signed with EdDSA, ES256 or RS256".into());
        }
        if let Some(jwks) = &self.jwks {
            let known = crate::JwkSet::from_value(jwks).map_err(|e| Error::invalid("jwks", e.to_string()))?;
            if known.is_empty() || !self.confidential {
                return invalid("jwks", "a key set goes with a client that keeps its private keys, and has a key that signs".into());
            }
        }
        Ok(())
    }
}

/// A scope of an operator's own API (RFC 6749 §3.3 says what characters it may have).
fn is_of_an_api(scope: &str) -> bool {
    let fine = scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    fine && scope.len() <= 128 && scope.contains([':', '.'])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes a good registration, and gives the field that is refused then.
    fn refused(change: impl FnOnce(&mut Registration)) -> Option<String> {
        let mut registration = super::super::authorize::tests::registration();
        change(&mut registration);
        match registration.check() {
            Ok(()) => None,
            Err(Error::Invalid { field, .. }) => Some(field.to_owned()),
            Err(e) => panic!("{e}"),
        }
    }

    #[test]
    fn what_cannot_work_or_should_not_is_refused_by_name() {
        let names = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(refused(|_| {}), None);
        assert_eq!(refused(|r| r.scopes = names(&["openid", "photos:read", "https://api.example.com/read"])), None);
        let field = |field: &str| Some(field.to_owned());
        assert_eq!(refused(|r| r.scopes = names(&["emial"])), field("scopes"));
        assert_eq!(refused(|r| r.scopes = names(&["a:\"b"])), field("scopes"));
        assert_eq!(refused(|r| r.redirect_uris.clear()), field("redirect_uris"));
        assert_eq!(refused(|r| r.grants = [GrantKind::ClientCredentials].into()), field("redirect_uris"));
        assert_eq!(refused(|r| r.grants.clear()), field("grants"));
        assert_eq!(refused(|r| (r.grants, r.redirect_uris) = ([GrantKind::RefreshToken].into(), Vec::new())), field("grants"));
        assert_eq!(refused(|r| (r.confidential, r.grants) = (false, [GrantKind::AuthorizationCode, GrantKind::ClientCredentials].into())), field("grants"));
        assert_eq!(refused(|r| r.audiences = vec![String::new()]), field("audiences"));
        assert_eq!(refused(|r| r.algorithm = Algorithm::Ps256), field("algorithm"));
        assert_eq!(refused(|r| r.jwks = Some(serde_json::json!({"keys": []}))), field("jwks"));
    }
}
