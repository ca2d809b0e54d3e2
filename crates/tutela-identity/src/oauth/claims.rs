//! What a client learns of a person, by scope (OpenID Connect Core §5.4), and that a session ended.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use tutela_core::Timestamp;

/// Somebody, as clients may learn of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Account id.
    pub subject: String,
    /// Name shown to people.
    pub name: String,
    /// Mail address, and whether mail was seen to arrive there.
    pub email: Option<(String, bool)>,
    /// Phone number, and whether a code sent there came back.
    pub phone: Option<(String, bool)>,
    /// Groups.
    pub groups: Vec<String>,
    /// Roles.
    pub roles: Vec<String>,
}

/// The claims that these scopes give.
pub fn person_claims(about: &About, scopes: &BTreeSet<String>) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| {
        claims.insert(name.to_owned(), value);
    };
    put("sub", json!(about.subject));
    if scopes.contains("profile") {
        put("name", json!(about.name));
    }
    if let Some((email, verified)) = about.email.as_ref().filter(|_| scopes.contains("email")) {
        put("email", json!(email));
        put("email_verified", json!(verified));
    }
    if let Some((phone, verified)) = about.phone.as_ref().filter(|_| scopes.contains("phone")) {
        put("phone_number", json!(phone));
        put("phone_number_verified", json!(verified));
    }
    if scopes.contains("groups") {
        put("groups", json!(about.groups));
    }
    if scopes.contains("roles") {
        put("roles", json!(about.roles));
    }
    claims
}

/// A logout token's claims (OpenID Connect Back-Channel Logout 1.0 §2.4).
pub fn logout_claims(issuer: &str, client_id: &str, subject: &str, session: &str, id: &str, now: Timestamp) -> Value {
    json!({
        "iss": issuer,
        "aud": client_id,
        "iat": now.secs(),
        "exp": now.secs() + 120,
        "jti": id,
        "sub": subject,
        "sid": session,
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_gives_its_own_claims_and_none_gives_the_subject_alone() {
        let about = About {
            subject: "1".into(),
            name: "Ada".into(),
            email: Some(("ada@example.com".into(), true)),
            phone: Some(("+41790000000".into(), false)),
            groups: vec!["g".into()],
            roles: vec!["r".into()],
        };
        let names = |scopes: &[&str]| {
            let claims = person_claims(&about, &scopes.iter().map(|s| (*s).to_owned()).collect());
            claims.keys().cloned().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(&["openid"]), "sub");
        assert_eq!(names(&["openid", "email"]), "email email_verified sub");
        assert_eq!(names(&["profile", "phone", "groups", "roles"]), "groups name phone_number phone_number_verified roles sub");
        assert_eq!(person_claims(&About { email: None, ..about.clone() }, &["email".to_owned()].into()).len(), 1);
    }
}
