//! The identity that upstreams receive: a JWT (RFC 7519) signed with Ed25519 (RFC 8037).

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tutela_core::Timestamp;

use crate::Error;

/// Life of an identity token in seconds.
pub const LIFE: i64 = 60;
const TYPE: &str = "tutela-identity+jwt";

/// What the token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityClaims {
    /// Issuer: the public URL.
    pub iss: String,
    /// Audience: the name of the route.
    pub aud: String,
    /// Account id.
    pub sub: String,
    /// Login session id.
    pub sid: String,
    /// Name shown to people.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Roles.
    pub roles: Vec<String>,
    /// What the roles allow.
    pub permissions: Vec<String>,
    /// Issued at, in seconds since the epoch.
    pub iat: i64,
    /// Expires, in seconds since the epoch.
    pub exp: i64,
}

/// Signs and checks identity tokens.
pub struct IdentitySigner {
    pair: Ed25519KeyPair,
    key_id: String,
}

impl IdentitySigner {
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
    pub fn sign(&self, claims: &IdentityClaims) -> Result<String, Error> {
        let header = json!({"alg": "EdDSA", "kid": self.key_id, "typ": TYPE});
        let claims = serde_json::to_string(claims).map_err(|_| Error::Library)?;
        let text = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims));
        let signature = BASE64.encode(self.pair.sign(text.as_bytes()));
        Ok(format!("{text}.{signature}"))
    }

    /// Checks a token (RFC 8725): algorithm, type and key first, then the signature, then the times.
    pub fn verify(&self, token: &str, issuer: &str, now: Timestamp) -> Result<IdentityClaims, Error> {
        if token.len() > 8_192 {
            return Err(Error::Token("it is too long"));
        }
        let (text, signature) = token.rsplit_once('.').ok_or(Error::Token("it is not three parts"))?;
        let (header, claims) = text.split_once('.').ok_or(Error::Token("it is not three parts"))?;
        let decode = |part: &str| BASE64.decode(part).map_err(|_| Error::Token("a part is not base64url"));
        let header: Value = serde_json::from_slice(&decode(header)?).map_err(|_| Error::Token("its header is not JSON"))?;
        if header != json!({"alg": "EdDSA", "kid": self.key_id, "typ": TYPE}) {
            return Err(Error::Token("its algorithm, type or key is not ours"));
        }
        UnparsedPublicKey::new(&ED25519, self.pair.public_key().as_ref())
            .verify(text.as_bytes(), &decode(signature)?)
            .map_err(|_| Error::Token("its signature does not verify"))?;
        let claims: IdentityClaims = serde_json::from_slice(&decode(claims)?).map_err(|_| Error::Token("its claims are not complete"))?;
        if claims.iss != issuer {
            return Err(Error::Token("it is from another issuer"));
        }
        if now.secs() >= claims.exp || claims.iat > now.secs() + 5 || claims.exp.saturating_sub(claims.iat) > LIFE {
            return Err(Error::Token("it has expired, or is not valid yet"));
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> IdentityClaims {
        let text = |s: &str| s.to_owned();
        IdentityClaims {
            iss: text("http://a"),
            aud: text("photos"),
            sub: text("1"),
            sid: text("2"),
            name: text("Ada"),
            email: text("ada@example.com"),
            roles: vec![],
            permissions: vec![],
            iat: 1_000,
            exp: 1_060,
        }
    }

    #[test]
    fn the_key_id_is_the_thumbprint_of_rfc_8037() {
        // RFC 8037 appendix A.1 to A.3.
        let seed: [u8; 32] = BASE64.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap().try_into().unwrap();
        let signer = IdentitySigner::new(&seed).unwrap();
        assert_eq!(signer.key_id, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn tokens_that_are_changed_expired_or_from_elsewhere_are_refused() {
        let signer = IdentitySigner::new(&[1; 32]).unwrap();
        let at = Timestamp::from_secs;
        let token = signer.sign(&claims()).unwrap();
        assert_eq!(signer.verify(&token, "http://a", at(1_059)).unwrap(), claims());
        assert!(signer.verify(&token, "http://a", at(1_060)).is_err());
        assert!(signer.verify(&token, "http://a", at(990)).is_err());
        assert!(signer.verify(&token, "http://b", at(1_001)).is_err());
        assert!(IdentitySigner::new(&[2; 32]).unwrap().verify(&token, "http://a", at(1_001)).is_err());
        let none = BASE64.encode(r#"{"alg":"none","typ":"tutela-identity+jwt"}"#);
        let (_, rest) = token.split_once('.').unwrap();
        assert!(signer.verify(&format!("{none}.{rest}"), "http://a", at(1_001)).is_err());
        assert!(signer.verify(&format!("{none}.{}.", rest.split_once('.').unwrap().0), "http://a", at(1_001)).is_err());
        for cut in 0..token.len() {
            assert!(signer.verify(&token[..cut], "http://a", at(1_001)).is_err());
        }
    }
}
