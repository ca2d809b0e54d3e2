//! How a client proves who it is at the token endpoint (RFC 6749 §2.3, RFC 7523): in one way, never in two.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tutela_core::{Secret, Timestamp};

use super::{Code, Refused, refuse};
use crate::{Algorithm, JwkSet, federation::encoding::percent_decoded, jwt::Unverified};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Longest life of a client's own statement, in seconds.
const LONGEST: i64 = 300;
const SKEW: i64 = 30;

/// What a client presents.
pub enum Presented {
    /// Its id alone.
    Nothing(String),
    /// Its id and its secret.
    Secret(String, Secret<String>),
    /// A statement that it has signed; the id is what the statement claims, unchecked.
    Assertion(String, String),
}

impl Presented {
    /// The id that it claims.
    pub fn client_id(&self) -> &str {
        match self {
            Self::Nothing(id) | Self::Secret(id, _) | Self::Assertion(id, _) => id,
        }
    }
}

/// Reads it from the `Authorization` header and the form.
pub fn read_proof(authorization: Option<&str>, field: impl Fn(&str) -> Option<String>) -> Result<Presented, Refused> {
    let bad = |why: &str| refuse(Code::InvalidClient, why);
    let ways = [authorization.is_some(), field("client_secret").is_some(), field("client_assertion").is_some()];
    if ways.iter().filter(|there| **there).count() > 1 {
        return Err(refuse(Code::InvalidRequest, "a client proves itself in one way, not in two (RFC 6749 §2.3)"));
    }
    if let Some(header) = authorization {
        let (scheme, value) = header.split_once(' ').ok_or_else(|| bad("expected `Authorization: Basic …`"))?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(bad("expected `Authorization: Basic …`"));
        }
        let decoded = STANDARD.decode(value.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let decoded = decoded.ok_or_else(|| bad("the Basic credentials are not base64 of text"))?;
        let (id, secret) = decoded.split_once(':').ok_or_else(|| bad("the Basic credentials have no `:`"))?;
        let decode =
            |text: &str| percent_decoded(text).ok_or_else(|| bad("id and secret are form-encoded before they are Basic credentials (RFC 6749 §2.3.1)"));
        return Ok(Presented::Secret(decode(id)?, Secret::new(decode(secret)?)));
    }
    if let Some(assertion) = field("client_assertion") {
        if field("client_assertion_type").as_deref() != Some(ASSERTION) {
            return Err(bad("`client_assertion_type` is `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`"));
        }
        let claimed = Unverified::parse(&assertion).ok().and_then(|token| token.claimed("sub"));
        let id = claimed.ok_or_else(|| bad("`client_assertion` is no signed token with a `sub`"))?;
        if field("client_id").is_some_and(|named| named != id) {
            return Err(bad("`client_id` is another than the statement's"));
        }
        return Ok(Presented::Assertion(id, assertion));
    }
    let id = field("client_id").ok_or_else(|| bad("nobody says who is asking: send `client_id`, or `Authorization: Basic …`"))?;
    Ok(match field("client_secret") {
        Some(secret) => Presented::Secret(id, Secret::new(secret)),
        None => Presented::Nothing(id),
    })
}

/// Checks a client's statement (RFC 7523 §3); gives its own id, which is taken once, and when it ends.
pub fn check_assertion(assertion: &str, client_id: &str, keys: &JwkSet, audiences: &[&str], now: Timestamp) -> Result<(String, Timestamp), Refused> {
    let bad = |why: &str| refuse(Code::InvalidClient, why);
    let token = Unverified::parse(assertion).map_err(|e| bad(&e.to_string()))?;
    if token.token_type().is_some_and(|kind| !kind.eq_ignore_ascii_case("jwt") && !kind.eq_ignore_ascii_case("client-authentication+jwt")) {
        return Err(bad("the statement is a token of another type"));
    }
    let claims = token.verify(keys, &Algorithm::ALL).map_err(|e| bad(&e.to_string()))?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(client_id) || text("sub") != Some(client_id) {
        return Err(bad("`iss` and `sub` of the statement are the client's id"));
    }
    let for_us = match claims.get("aud") {
        Some(Value::String(one)) => audiences.contains(&one.as_str()),
        Some(Value::Array(all)) => all.len() == 1 && all.iter().filter_map(Value::as_str).any(|one| audiences.contains(&one)),
        _ => false,
    };
    if !for_us {
        return Err(bad("`aud` of the statement is this server's issuer, and nobody else"));
    }
    let number = |name: &str| claims.get(name).and_then(Value::as_i64);
    let expires = number("exp").ok_or_else(|| bad("the statement has no `exp`"))?;
    if now.secs() >= expires || expires > now.secs() + LONGEST + SKEW || number("nbf").is_some_and(|from| from > now.secs() + SKEW) {
        return Err(bad("the statement has expired, is not valid yet, or is good for more than five minutes"));
    }
    let id = text("jti").filter(|id| id.len() <= 256).ok_or_else(|| bad("the statement has no `jti`"))?;
    Ok((id.to_owned(), Timestamp::from_secs(expires)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tutela_core::{Env, SystemEnv};

    use crate::jwt::{SigningKey, TokenKey, TokenKeys, generate};

    fn read(authorization: Option<&str>, fields: &[(&str, &str)]) -> Result<Presented, Refused> {
        read_proof(authorization, |name| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_client_proves_itself_in_one_way() {
        let basic = format!("Basic {}", STANDARD.encode("id%2B:s+%26%3A"));
        match read(Some(&basic), &[]).unwrap() {
            Presented::Secret(id, secret) => assert_eq!((id.as_str(), secret.open().as_str()), ("id+", "s &:")),
            _ => panic!(),
        }
        assert!(matches!(read(None, &[("client_id", "x"), ("client_secret", "y")]), Ok(Presented::Secret(..))));
        assert!(matches!(read(None, &[("client_id", "x")]), Ok(Presented::Nothing(id)) if id == "x"));
        for (authorization, fields) in [
            (Some(basic.as_str()), vec![("client_secret", "y")]),
            (Some(basic.as_str()), vec![("client_assertion", "y")]),
            (None, vec![("client_secret", "y"), ("client_assertion", "z")]),
            (Some("Bearer x"), vec![]),
            (Some("Basic !!"), vec![]),
            (Some("Basic eA=="), vec![]),
            (Some("Basic"), vec![]),
            (None, vec![]),
            (None, vec![("client_assertion", "x.y.z"), ("client_assertion_type", ASSERTION)]),
            (None, vec![("client_assertion", "e30.e30.")]),
        ] {
            assert!(read(authorization, &fields).is_err(), "{authorization:?} {fields:?}");
        }
    }

    #[test]
    fn a_statement_is_the_clients_own_for_us_and_of_this_moment() {
        let env: &dyn Env = &SystemEnv;
        let now = Timestamp::from_secs(1_800_000_000);
        let kept = generate(Algorithm::Es256, &mut { env }).unwrap();
        let keys = TokenKeys::new(vec![TokenKey::new(SigningKey::restore(Algorithm::Es256, kept.open()).unwrap(), Timestamp::from_secs(0)).unwrap()]);
        let set = JwkSet::from_value(&keys.jwks(now)).unwrap();
        let good = json!({"iss": "c", "sub": "c", "aud": "https://t", "exp": now.secs() + 60, "iat": now.secs(), "jti": "1"});
        let check = |kind: &str, change: Value| {
            let mut claims = good.clone();
            for (name, value) in change.as_object().unwrap() {
                claims[name] = value.clone();
            }
            let token = keys.sign_as(Algorithm::Es256, kind, &claims, now).unwrap();
            check_assertion(&token, "c", &set, &["https://t", "https://t/oauth/token"], now)
        };
        assert_eq!(check("JWT", json!({})).unwrap().0, "1");
        assert!(check("client-authentication+jwt", json!({"aud": ["https://t"]})).is_ok());
        for change in [
            json!({"iss": "d"}),
            json!({"sub": "d"}),
            json!({"aud": "https://other"}),
            json!({"aud": ["https://t", "https://other"]}),
            json!({"exp": now.secs()}),
            json!({"exp": now.secs() + 331}),
            json!({"exp": null}),
            json!({"nbf": now.secs() + 31}),
            json!({"jti": null}),
        ] {
            assert!(check("JWT", change.clone()).is_err(), "{change}");
        }
        assert!(check("at+jwt", json!({})).is_err(), "an access token is no statement of a client");
        assert!(check_assertion("x", "c", &set, &["https://t"], now).is_err());
    }
}
