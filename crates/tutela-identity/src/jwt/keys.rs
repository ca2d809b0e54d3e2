//! Our own signing keys: of each algorithm one that signs, the next one, and those that signed before.
//!
//! ```text
//!   made --(published, so that others know it)--> signs from its time on --its successor signs--> only checks
//!        --AFTERLIFE after that, when no token of it can be good any more--> gone
//! ```

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::Serialize;
use serde_json::{Value, json};
use tutela_core::Timestamp;

use super::{Algorithm, Claims, JwkSet, LONGEST, SKEW, SigningKey};
use crate::{
    Error,
    error::{NOT_A_TOKEN, NOT_OURS},
};

/// How long a key still checks tokens after its successor has begun to sign: longer than any token lives.
pub const AFTERLIFE: Duration = Duration::from_secs(2 * 3_600);

/// One key, and from when on it signs.
#[derive(Clone)]
pub struct TokenKey {
    key: Arc<SigningKey>,
    public: JwkSet,
    from: Timestamp,
}

/// All keys that tokens of ours are signed and checked with; a snapshot.
#[derive(Clone, Default)]
pub struct TokenKeys {
    keys: Vec<TokenKey>,
}

impl TokenKey {
    /// A key that signs from `from` on.
    pub fn new(key: SigningKey, from: Timestamp) -> Result<Self, Error> {
        let public = JwkSet::from_value(&json!({"keys": [key.jwk()]}))?;
        Ok(Self { key: Arc::new(key), public, from })
    }

    /// The key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// From when on it signs.
    pub fn from(&self) -> Timestamp {
        self.from
    }
}

impl TokenKeys {
    /// Of these keys.
    pub fn new(mut keys: Vec<TokenKey>) -> Self {
        keys.sort_by_key(|key| std::cmp::Reverse(key.from));
        Self { keys }
    }

    /// The key that signs at `now`; where none has begun, the one that will first.
    fn signing(&self, algorithm: Algorithm, now: Timestamp) -> Option<&TokenKey> {
        let mut of = self.keys.iter().filter(|key| key.key.algorithm() == algorithm);
        of.clone().find(|key| key.from <= now).or_else(|| of.next_back())
    }

    /// Whether tokens can be signed with this algorithm.
    pub fn can_sign(&self, algorithm: Algorithm) -> bool {
        self.keys.iter().any(|key| key.key.algorithm() == algorithm)
    }

    /// When a key stops signing: its successor's time; none while it has none.
    pub fn until(&self, id: &str) -> Option<Timestamp> {
        let key = self.keys.iter().find(|key| key.key.id() == id)?;
        self.keys.iter().filter(|other| other.key.algorithm() == key.key.algorithm() && other.from > key.from).map(|other| other.from).min()
    }

    fn is_gone(&self, key: &TokenKey, now: Timestamp) -> bool {
        self.until(key.key.id()).is_some_and(|until| now >= until + AFTERLIFE)
    }

    /// Those that are not gone at `now`, the newest first.
    pub fn known(&self, now: Timestamp) -> impl Iterator<Item = &TokenKey> {
        self.keys.iter().filter(move |key| !self.is_gone(key, now))
    }

    /// The public keys, as a JWK set (RFC 7517), the one that signs before those that did and will.
    pub fn jwks(&self, now: Timestamp) -> Value {
        let signs = |key: &TokenKey| self.signing(key.key.algorithm(), now).is_some_and(|signing| signing.key.id() == key.key.id());
        let mut keys: Vec<&TokenKey> = self.known(now).collect();
        keys.sort_by_key(|key| !signs(key));
        json!({"keys": keys.iter().map(|key| key.key.jwk()).collect::<Vec<_>>()})
    }

    /// Signs claims of a type of ours, with EdDSA.
    pub fn sign<C: Claims>(&self, claims: &C, now: Timestamp) -> Result<String, Error> {
        self.sign_as(Algorithm::EdDsa, C::TYPE, claims, now)
    }

    /// Signs `claims` as a token of `kind`.
    pub fn sign_as(&self, algorithm: Algorithm, kind: &str, claims: &impl Serialize, now: Timestamp) -> Result<String, Error> {
        let key = &self.signing(algorithm, now).ok_or(Error::Library)?.key;
        let header = json!({"alg": algorithm.as_str(), "kid": key.id(), "typ": kind});
        let claims = serde_json::to_string(claims).map_err(|_| Error::Library)?;
        let text = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims));
        let signature = BASE64.encode(key.sign(text.as_bytes())?);
        Ok(format!("{text}.{signature}"))
    }

    /// Checks a token from `issuer`, for one of `audiences`; for anybody where there are none.
    pub fn verify<C: Claims>(&self, token: &str, issuer: &str, audiences: &[&str], now: Timestamp) -> Result<C, Error> {
        let claims: C = self.open(token, C::TYPE, now)?;
        let (from, to) = claims.parties();
        if from != issuer {
            return Err(Error::Token("it is from another issuer"));
        }
        if !audiences.is_empty() && !audiences.contains(&to) {
            return Err(Error::Token("it is for somebody else"));
        }
        let (issued, expires) = claims.times();
        if now.secs() >= expires || issued > now.secs() + SKEW || expires.saturating_sub(issued) > C::LONGEST_LIFE {
            return Err(Error::Token("it has expired, or is not valid yet"));
        }
        Ok(claims)
    }

    /// The claims of a token that one of our keys has signed as `kind`, whoever it is for and however old it is.
    pub fn open<T: serde::de::DeserializeOwned>(&self, token: &str, kind: &str, now: Timestamp) -> Result<T, Error> {
        if token.len() > LONGEST {
            return Err(Error::Token(NOT_A_TOKEN));
        }
        let (text, signature) = token.rsplit_once('.').ok_or(Error::Token(NOT_A_TOKEN))?;
        let (header, claims) = text.split_once('.').ok_or(Error::Token(NOT_A_TOKEN))?;
        let decode = |part: &str| BASE64.decode(part).map_err(|_| Error::Token(NOT_A_TOKEN));
        let header: Value = serde_json::from_slice(&decode(header)?).map_err(|_| Error::Token(NOT_A_TOKEN))?;
        let named = header.get("kid").and_then(Value::as_str).ok_or(Error::Token(NOT_OURS))?;
        let key = self.keys.iter().find(|key| key.key.id() == named).filter(|key| !self.is_gone(key, now)).ok_or(Error::Token(NOT_OURS))?;
        let algorithm = key.key.algorithm();
        // Nothing else may stand there: no other key, no address of one, no `crit`.
        if header != json!({"alg": algorithm.as_str(), "kid": named, "typ": kind}) {
            return Err(Error::Token(NOT_OURS));
        }
        if !key.public.verify(Some(named), algorithm, text.as_bytes(), &decode(signature)?) {
            return Err(Error::Token("its signature does not verify"));
        }
        serde_json::from_slice(&decode(claims)?).map_err(|_| Error::Token("its claims are not complete"))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use tutela_core::{Env, SystemEnv};

    use super::*;
    use crate::{AccessClaims, jwt::generate};

    const ALGORITHMS: [Algorithm; 3] = Algorithm::OURS;

    fn key(algorithm: Algorithm, kept: &[u8], from: i64) -> TokenKey {
        TokenKey::new(SigningKey::restore(algorithm, kept).unwrap(), at(from)).unwrap()
    }

    fn signer(seed: [u8; 32]) -> TokenKeys {
        TokenKeys::new(vec![key(Algorithm::EdDsa, &seed, 0)])
    }

    fn access() -> AccessClaims {
        let text = |s: &str| s.to_owned();
        AccessClaims {
            iss: text("http://a"),
            aud: text("photos"),
            sub: text("1"),
            client_id: text("3"),
            sid: Some(text("2")),
            jti: text("4"),
            acr: Some(text("aal1")),
            amr: vec![text("pwd")],
            auth_time: Some(1_000),
            scope: String::new(),
            iat: 1_000,
            exp: 1_900,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn the_key_id_is_the_thumbprint_of_rfc_8037() {
        // RFC 8037 appendix A.1 to A.3.
        let seed: [u8; 32] = BASE64.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap().try_into().unwrap();
        assert_eq!(SigningKey::restore(Algorithm::EdDsa, &seed).unwrap().id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn tokens_that_are_changed_expired_or_from_elsewhere_are_refused() {
        let signer = signer([1; 32]);
        let check = |token: &str, issuer: &str, audience: &str, now| signer.verify::<AccessClaims>(token, issuer, &[audience], at(now));
        let token = signer.sign(&access(), at(1_000)).unwrap();
        assert_eq!(check(&token, "http://a", "photos", 1_899).unwrap(), access());
        for (issuer, audience, now) in
            [("http://a", "photos", 1_900), ("http://a", "photos", 990), ("http://b", "photos", 1_001), ("http://a", "videos", 1_001)]
        {
            assert!(check(&token, issuer, audience, now).is_err(), "{issuer} {audience} {now}");
        }
        assert!(self::signer([2; 32]).verify::<AccessClaims>(&token, "http://a", &[], at(1_001)).is_err());
        for cut in 0..token.len() {
            assert!(check(&token[..cut], "http://a", "photos", 1_001).is_err());
        }
    }

    /// Headers and claims signed with our own key, as a signer that was talked into it would.
    fn signed(signer: &TokenKeys, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = BASE64.encode(signer.keys[0].key.sign(text.as_bytes()).unwrap());
        format!("{text}.{signature}")
    }

    #[test]
    fn the_confusions_of_rfc_8725_are_refused_even_where_the_signature_is_right() {
        let signer = signer([1; 32]);
        let kid = signer.keys[0].key.id();
        let claims = serde_json::to_value(access()).unwrap();
        let good = json!({"alg": "EdDSA", "kid": kid, "typ": "at+jwt"});
        let passes = |token: &str| signer.verify::<AccessClaims>(token, "http://a", &["photos"], at(1_001)).is_ok();
        assert!(passes(&signed(&signer, &good, &claims)));
        for (name, header) in [
            ("alg_none", json!({"alg": "none", "kid": kid, "typ": "at+jwt"})),
            ("alg_hs256", json!({"alg": "HS256", "kid": kid, "typ": "at+jwt"})),
            ("alg_array", json!({"alg": ["EdDSA"], "kid": kid, "typ": "at+jwt"})),
            ("no_type", json!({"alg": "EdDSA", "kid": kid})),
            ("identity_token", json!({"alg": "EdDSA", "kid": kid, "typ": "tutela-identity+jwt"})),
            ("id_token", json!({"alg": "EdDSA", "kid": kid, "typ": "JWT"})),
            ("kid_as_path", json!({"alg": "EdDSA", "kid": "../../dev/null", "typ": "at+jwt"})),
            ("kid_as_sql", json!({"alg": "EdDSA", "kid": "' OR 1=1", "typ": "at+jwt"})),
            ("jku", json!({"alg": "EdDSA", "kid": kid, "typ": "at+jwt", "jku": "https://evil.example/jwks"})),
            ("jwk", json!({"alg": "EdDSA", "kid": kid, "typ": "at+jwt", "jwk": {"kty": "OKP"}})),
            ("x5u", json!({"alg": "EdDSA", "kid": kid, "typ": "at+jwt", "x5u": "https://evil.example"})),
            ("crit", json!({"alg": "EdDSA", "kid": kid, "typ": "at+jwt", "crit": ["b64"], "b64": false})),
            ("compressed", json!({"alg": "EdDSA", "kid": kid, "typ": "at+jwt", "zip": "DEF"})),
        ] {
            assert!(!passes(&signed(&signer, &header, &claims)), "{name}");
        }
        for (name, change) in [
            ("exp_as_text", json!({"exp": "1900"})),
            ("exp_null", json!({"exp": null})),
            ("exp_too_far", json!({"exp": 999_999_999})),
            ("aud_list", json!({"aud": ["photos", "videos"]})),
            ("no_subject", json!({"sub": null})),
        ] {
            let mut changed = claims.clone();
            for (key, value) in change.as_object().unwrap() {
                changed[key] = value.clone();
            }
            assert!(!passes(&signed(&signer, &good, &changed)), "{name}");
        }
        for missing in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
            let mut changed = claims.clone();
            changed.as_object_mut().unwrap().remove(missing);
            assert!(!passes(&signed(&signer, &good, &changed)), "without {missing} (RFC 9068 §2.2)");
        }
        // The public key as the secret of an HMAC.
        let text = format!("{}.{}", BASE64.encode(json!({"alg": "HS256", "kid": kid, "typ": "at+jwt"}).to_string()), BASE64.encode(claims.to_string()));
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &BASE64.decode(signer.keys[0].key.jwk()["x"].as_str().unwrap()).unwrap()), text.as_bytes());
        assert!(!passes(&format!("{text}.{}", BASE64.encode(mac))));
        // A second spelling of the same signature.
        let token = signed(&signer, &good, &claims);
        assert!(!passes(&format!("{token}=")) && !passes(&format!("{token}.")) && !passes(&token.replace('.', "..")));
    }

    #[test]
    fn each_algorithm_signs_what_it_alone_checks() {
        let env: &dyn Env = &SystemEnv;
        let all: Vec<TokenKey> = ALGORITHMS.iter().map(|a| key(*a, generate(*a, &mut { env }).unwrap().open(), 0)).collect();
        let keys = TokenKeys::new(all.clone());
        for algorithm in ALGORITHMS {
            let token = keys.sign_as(algorithm, "at+jwt", &access(), at(1_000)).unwrap();
            assert!(keys.verify::<AccessClaims>(&token, "http://a", &[], at(1_001)).is_ok(), "{algorithm}");
            let outside = JwkSet::from_value(&keys.jwks(at(1_000))).unwrap();
            let read = crate::jwt::Unverified::parse(&token).unwrap();
            assert!(read.verify(&outside, &[algorithm]).is_ok());
            for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
                assert!(read.verify(&outside, &[other]).is_err(), "{algorithm} read as {other}");
                let claimed = token.replacen(token.split('.').next().unwrap(), &BASE64.encode(json!({"alg": other.as_str()}).to_string()), 1);
                assert!(crate::jwt::Unverified::parse(&claimed).unwrap().verify(&outside, &Algorithm::ALL).is_err(), "{algorithm} under the name {other}");
            }
        }
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_checks_until_no_token_of_it_can_be_good() {
        let keys = TokenKeys::new(vec![key(Algorithm::EdDsa, &[1; 32], 0), key(Algorithm::EdDsa, &[2; 32], 10_000)]);
        let (first, second) = (signer([1; 32]), signer([2; 32]));
        let signed_by = |now: i64, by: &TokenKeys| {
            let token = keys.sign(&AccessClaims { iat: now, exp: now + 900, ..access() }, at(now)).unwrap();
            by.verify::<AccessClaims>(&token, "http://a", &[], at(now + 1)).is_ok()
        };
        assert!(signed_by(9_999, &first) && signed_by(10_000, &second));
        let published = |now: i64| keys.jwks(at(now))["keys"].as_array().unwrap().len();
        assert_eq!((published(1), published(17_199), published(17_200)), (2, 2, 1));
        let late = first.sign(&AccessClaims { iat: 17_000, exp: 18_000, ..access() }, at(17_000)).unwrap();
        let check = |now: i64| keys.verify::<AccessClaims>(&late, "http://a", &[], at(now)).is_ok();
        assert!(check(17_199) && !check(17_200), "a key that is gone checks nothing more");
    }
}
