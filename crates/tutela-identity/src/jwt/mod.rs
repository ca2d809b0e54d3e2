//! Signed tokens (RFC 7519) under Ed25519 (RFC 8037): one signer, and a type of claims for each use.
//!
//! Checked as RFC 8725 asks: algorithm, key and explicit type first, then the signature, then who made it,
//! for whom, and when. A token of one type is none of another.

mod access;
mod identity;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tutela_core::Timestamp;

use crate::{
    Error,
    error::{NOT_A_TOKEN, NOT_OURS},
};

pub use access::AccessClaims;
pub use identity::{IdentityClaims, LIFE as IDENTITY_LIFE};

/// Longest token that is looked at, in bytes.
const LONGEST: usize = 8_192;
/// Seconds that another clock may be ahead.
const SKEW: i64 = 5;

/// What a type of token says, and the rules that hold for it alone.
pub trait Claims: Serialize + DeserializeOwned {
    /// `typ` of its header (RFC 8725 §3.11).
    const TYPE: &'static str;
    /// Longest life in seconds.
    const LONGEST_LIFE: i64;
    /// Who made it, and for whom.
    fn parties(&self) -> (&str, &str);
    /// Issued at and expires, in seconds since the epoch.
    fn times(&self) -> (i64, i64);
}

/// Signs and checks tokens.
pub struct TokenSigner {
    pair: Ed25519KeyPair,
    key_id: String,
}

impl TokenSigner {
    /// From a 32-byte seed.
    pub fn new(seed: &[u8; 32]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| Error::Library)?;
        // RFC 7638 thumbprint: SHA-256 over the required members in alphabetical order.
        let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, BASE64.encode(pair.public_key().as_ref()));
        let key_id = BASE64.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, jwk.as_bytes()));
        Ok(Self { pair, key_id })
    }

    /// The public keys, as a JWK set (RFC 7517).
    pub fn jwks(&self) -> Value {
        let x = BASE64.encode(self.pair.public_key().as_ref());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.key_id, "x": x}]})
    }

    /// Signs `claims`.
    pub fn sign<C: Claims>(&self, claims: &C) -> Result<String, Error> {
        let header = json!({"alg": "EdDSA", "kid": self.key_id, "typ": C::TYPE});
        let claims = serde_json::to_string(claims).map_err(|_| Error::Library)?;
        let text = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims));
        let signature = BASE64.encode(self.pair.sign(text.as_bytes()));
        Ok(format!("{text}.{signature}"))
    }

    /// Checks a token from `issuer`, for one of `audiences`; for anybody where there are none.
    pub fn verify<C: Claims>(&self, token: &str, issuer: &str, audiences: &[&str], now: Timestamp) -> Result<C, Error> {
        if token.len() > LONGEST {
            return Err(Error::Token(NOT_A_TOKEN));
        }
        let (text, signature) = token.rsplit_once('.').ok_or(Error::Token(NOT_A_TOKEN))?;
        let (header, claims) = text.split_once('.').ok_or(Error::Token(NOT_A_TOKEN))?;
        let decode = |part: &str| BASE64.decode(part).map_err(|_| Error::Token(NOT_A_TOKEN));
        let header: Value = serde_json::from_slice(&decode(header)?).map_err(|_| Error::Token(NOT_A_TOKEN))?;
        // Nothing else may stand there: no other key, no address of one, no `crit`.
        if header != json!({"alg": "EdDSA", "kid": self.key_id, "typ": C::TYPE}) {
            return Err(Error::Token(NOT_OURS));
        }
        UnparsedPublicKey::new(&ED25519, self.pair.public_key().as_ref())
            .verify(text.as_bytes(), &decode(signature)?)
            .map_err(|_| Error::Token("its signature does not verify"))?;
        let claims: C = serde_json::from_slice(&decode(claims)?).map_err(|_| Error::Token("its claims are not complete"))?;
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
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;

    use super::*;

    fn access() -> AccessClaims {
        let text = |s: &str| s.to_owned();
        AccessClaims {
            iss: text("http://a"),
            aud: text("photos"),
            sub: text("1"),
            client_id: text("3"),
            sid: text("2"),
            jti: text("4"),
            acr: text("aal1"),
            amr: vec![text("pwd")],
            auth_time: 1_000,
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
        assert_eq!(TokenSigner::new(&seed).unwrap().key_id, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn tokens_that_are_changed_expired_or_from_elsewhere_are_refused() {
        let signer = TokenSigner::new(&[1; 32]).unwrap();
        let check = |token: &str, issuer: &str, audience: &str, now| signer.verify::<AccessClaims>(token, issuer, &[audience], at(now));
        let token = signer.sign(&access()).unwrap();
        assert_eq!(check(&token, "http://a", "photos", 1_899).unwrap(), access());
        for (issuer, audience, now) in
            [("http://a", "photos", 1_900), ("http://a", "photos", 990), ("http://b", "photos", 1_001), ("http://a", "videos", 1_001)]
        {
            assert!(check(&token, issuer, audience, now).is_err(), "{issuer} {audience} {now}");
        }
        assert!(TokenSigner::new(&[2; 32]).unwrap().verify::<AccessClaims>(&token, "http://a", &[], at(1_001)).is_err());
        for cut in 0..token.len() {
            assert!(check(&token[..cut], "http://a", "photos", 1_001).is_err());
        }
    }

    /// Headers and claims signed with our own key, as a signer that was talked into it would.
    fn signed(signer: &TokenSigner, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = BASE64.encode(signer.pair.sign(text.as_bytes()));
        format!("{text}.{signature}")
    }

    #[test]
    fn the_confusions_of_rfc_8725_are_refused_even_where_the_signature_is_right() {
        let signer = TokenSigner::new(&[1; 32]).unwrap();
        let kid = &signer.key_id;
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
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, signer.pair.public_key().as_ref()), text.as_bytes());
        assert!(!passes(&format!("{text}.{}", BASE64.encode(mac))));
        // A second spelling of the same signature.
        let token = signed(&signer, &good, &claims);
        assert!(!passes(&format!("{token}=")) && !passes(&format!("{token}.")) && !passes(&token.replace('.', "..")));
    }
}
