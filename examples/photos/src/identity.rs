//! Who is there: the check of the signed identity header.
//!
//! The header holds a JWT (RFC 7519) signed with Ed25519 (RFC 8037), for this app alone, living at most 60
//! seconds. The order is: form, type and algorithm, key, signature, and only then the claims. A request
//! without the header comes from nobody; a request with a bad one is refused, on public pages too.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::{App, Error};

/// A person whose identity has been verified. Only [`Unverified::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Person {
    pub(crate) account: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) roles: Vec<String>,
    pub(crate) permissions: Vec<String>,
    pub(crate) session: String,
}

impl Person {
    pub(crate) fn is_admin(&self) -> bool {
        self.roles.iter().any(|role| role == "admin")
    }
}

/// Who asks: a person, or nobody on a public page.
pub(crate) struct Visitor(pub(crate) Option<Person>);

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        if values.next().is_some() {
            return Err(Error::Unauthenticated("there are two identities in this request"));
        }
        let text = value.to_str().map_err(|_| REFUSED)?;
        let token = Unverified::parse(text)?;
        let key = app.keys.find(token.kid()).await?.ok_or(REFUSED)?;
        token.verify(&key, &app.expected, now_s()).map(|person| Self(Some(person)))
    }
}

/// Somebody who is signed in; nobody is refused.
pub(crate) struct SignedIn(pub(crate) Person);

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let Visitor(person) = Visitor::from_request_parts(parts, app).await?;
        person.map(Self).ok_or(Error::Unauthenticated("sign in to see this page"))
    }
}

/// What a token must say to be meant for us.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) issuer: String,
    pub(crate) audience: String,
}

/// A token of the right form whose content nobody may look at yet.
#[derive(Debug)]
pub(crate) struct Unverified<'a> {
    signed: &'a str,
    kid: String,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    /// Take a token apart. Refuses every type and algorithm but ours, so `alg: none` ends here.
    pub(crate) fn parse(token: &'a str) -> Result<Self, Error> {
        if token.len() > LONGEST_TOKEN {
            return Err(REFUSED);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(REFUSED)?;
        let (header, claims) = signed.split_once('.').ok_or(REFUSED)?;
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| REFUSED)?;
        if header.typ != TYPE || header.alg != "EdDSA" || header.crit.is_some() || header.kid.is_empty() {
            return Err(REFUSED);
        }
        Ok(Self { signed, kid: header.kid, claims: decode(claims)?, signature: decode(signature)? })
    }

    /// The key it claims to be signed with.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Check the signature, then who made it, for whom and when (`now_s` in seconds since 1970).
    pub(crate) fn verify(&self, key: &[u8], expected: &Expected, now_s: i64) -> Result<Person, Error> {
        UnparsedPublicKey::new(&ED25519, key).verify(self.signed.as_bytes(), &self.signature).map_err(|_| REFUSED)?;
        let claims: Claims = serde_json::from_slice(&self.claims).map_err(|_| REFUSED)?;
        let life_s = claims.exp.checked_sub(claims.iat).ok_or(REFUSED)?;
        let ours = claims.iss == expected.issuer && claims.aud == expected.audience;
        let in_time = claims.iat <= now_s.saturating_add(SKEW_S) && claims.exp > now_s.saturating_sub(SKEW_S);
        if !ours || !in_time || !(1..=LONGEST_LIFE_S).contains(&life_s) {
            return Err(REFUSED);
        }
        if claims.sub.is_empty() || claims.sid.is_empty() {
            return Err(REFUSED);
        }
        Ok(Person {
            account: claims.sub,
            name: claims.name.unwrap_or_default(),
            email: claims.email.unwrap_or_default(),
            roles: claims.roles,
            permissions: claims.permissions,
            session: claims.sid,
        })
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

// A claim that stands there twice is an error of serde's, as is a list where one audience is expected.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    permissions: Vec<String>,
    iat: i64,
    exp: i64,
}

/// Unpadded base64url; the engine refuses a second spelling of the same bytes (RFC 4648 §3.5).
fn decode(part: &str) -> Result<Vec<u8>, Error> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| REFUSED)
}

#[expect(clippy::disallowed_methods, reason = "this app stands outside of tutela and has its own clock")]
fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

const HEADER: &str = "tutela-identity";
const TYPE: &str = "tutela-identity+jwt";
const LONGEST_TOKEN: usize = 16 * 1024;
const LONGEST_LIFE_S: i64 = 60;
const SKEW_S: i64 = 5;
const REFUSED: Error = Error::Unauthenticated("the identity of this request is not accepted");

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use serde_json::{Value, json};

    use super::*;

    const NOW_S: i64 = 1_800_000_000;

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed has 32 bytes")
    }

    fn header() -> Value {
        json!({"alg": "EdDSA", "typ": "tutela-identity+jwt", "kid": "k1"})
    }

    fn claims() -> Value {
        json!({
            "iss": "http://tutela.localhost:8080", "aud": "photos", "sub": "account", "sid": "session",
            "name": "Ada", "email": "ada@example.org", "roles": ["admin"], "permissions": ["photos:*"],
            "iat": NOW_S, "exp": NOW_S + 60
        })
    }

    fn sign(header: &Value, claims: &Value, seed: u8) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = URL_SAFE_NO_PAD.encode(pair(seed).sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn check_at(token: &str, now_s: i64) -> Result<Person, Error> {
        let expected = Expected { issuer: "http://tutela.localhost:8080".to_owned(), audience: "photos".to_owned() };
        Unverified::parse(token)?.verify(pair(1).public_key().as_ref(), &expected, now_s)
    }

    fn check(token: &str) -> Result<Person, Error> {
        check_at(token, NOW_S)
    }

    fn with(mut object: Value, field: &str, value: Value) -> Value {
        object[field] = value;
        object
    }

    fn without(mut object: Value, field: &str) -> Value {
        object.as_object_mut().expect("an object").remove(field);
        object
    }

    #[test]
    fn a_good_token_names_a_person() {
        let person = check(&sign(&header(), &claims(), 1)).expect("accepted");
        assert_eq!((person.account.as_str(), person.name.as_str()), ("account", "Ada"));
        assert!(person.is_admin());
        let plain = without(without(without(claims(), "name"), "roles"), "permissions");
        assert!(!check(&sign(&header(), &plain, 1)).expect("accepted").is_admin());
    }

    #[test]
    fn a_token_lives_from_iat_to_exp_with_five_seconds_of_skew() {
        let token = sign(&header(), &claims(), 1);
        for (now_s, accepted) in [(-6, false), (-5, true), (64, true), (65, false)] {
            assert_eq!(check_at(&token, NOW_S + now_s).is_ok(), accepted, "{now_s}");
        }
    }

    #[test]
    fn every_other_header_is_refused() {
        for (field, value) in [
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("alg", json!(null)),
            ("typ", json!("JWT")),
            ("typ", json!("at+jwt")),
            ("kid", json!("")),
            ("crit", json!(["exp"])),
        ] {
            assert!(check(&sign(&with(header(), field, value), &claims(), 1)).is_err(), "{field}");
        }
        for field in ["alg", "typ", "kid"] {
            assert!(check(&sign(&without(header(), field), &claims(), 1)).is_err(), "{field}");
        }
    }

    #[test]
    fn every_other_claim_is_refused() {
        for (field, value) in [
            ("iss", json!("http://tutela.example.org")),
            ("aud", json!("wiki")),
            ("aud", json!(["photos"])),
            ("sub", json!("")),
            ("sid", json!("")),
            ("name", json!(7)),
            ("roles", json!("admin")),
            ("iat", json!(NOW_S + 6)),
            ("iat", json!(NOW_S - 1)),
            ("iat", json!(i64::MIN)),
            ("exp", json!(NOW_S + 61)),
            ("exp", json!(NOW_S)),
            ("exp", json!(i64::MAX)),
            ("exp", json!("soon")),
        ] {
            assert!(check(&sign(&header(), &with(claims(), field, value), 1)).is_err(), "{field}");
        }
        for field in ["iss", "aud", "sub", "sid", "iat", "exp"] {
            assert!(check(&sign(&header(), &without(claims(), field), 1)).is_err(), "{field}");
        }
    }

    #[test]
    fn a_token_of_another_key_or_with_one_character_changed_is_refused() {
        assert!(check(&sign(&header(), &claims(), 2)).is_err());
        let token = sign(&header(), &claims(), 1);
        for at in 0..token.len() {
            let new = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
            let changed = format!("{}{new}{}", &token[..at], &token[at + 1..]);
            assert!(check(&changed).is_err(), "character {at}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let token = sign(&header(), &claims(), 1);
        let (signed, _) = token.rsplit_once('.').expect("a dot");
        let long = "a".repeat(20_000);
        for text in ["", ".", "..", "a.b.c", signed, &format!("{signed}."), &format!("{token}=="), &long] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
