//! Public keys of others as they publish them (RFC 7517).
//!
//! A key is used with the algorithms of its own type alone, and with the one it names where it names one
//! (RFC 8725 §3.1); keys that are for something else, or of a type that is not known, are passed over.

use aws_lc_rs::{
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
        RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::Value;

use super::Algorithm;
use crate::Error;

/// Most keys that are read from one set.
const MOST_KEYS: usize = 64;
/// Longest RSA modulus in bytes; a longer one costs whoever checks with it more than the other side.
const LONGEST_MODULUS: usize = 1_024;

/// Public keys of somebody who signs.
#[derive(Debug, Clone, Default)]
pub struct JwkSet {
    keys: Vec<PublicKey>,
}

/// A public key with the name and the algorithm that it is published under.
#[derive(Debug, Clone)]
pub struct PublicKey {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug, Clone)]
enum Material {
    Ed25519(Vec<u8>),
    P256(Vec<u8>),
    P384(Vec<u8>),
    P521(Vec<u8>),
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl JwkSet {
    /// Reads a JWK set; keys that cannot be used to check a signature are left out.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let set: Value = serde_json::from_slice(bytes).map_err(|_| Error::Token("the key set is not JSON"))?;
        Self::from_value(&set)
    }

    /// As [`parse`](Self::parse), of JSON that was read already.
    pub fn from_value(set: &Value) -> Result<Self, Error> {
        let keys = set.get("keys").and_then(Value::as_array).ok_or(Error::Token("the key set has no `keys`"))?;
        if keys.len() > MOST_KEYS {
            return Err(Error::Token("the key set has more than 64 keys"));
        }
        Ok(Self { keys: keys.iter().filter_map(PublicKey::read).collect() })
    }

    /// Whether a key of this id is there.
    pub fn has(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id.as_deref() == Some(id))
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether one of the keys made `signature` over `text`. A token that names a key is checked with that one only.
    pub(crate) fn verify(&self, id: Option<&str>, algorithm: Algorithm, text: &[u8], signature: &[u8]) -> bool {
        let named = |key: &&PublicKey| id.is_none() || key.id.is_none() || key.id.as_deref() == id;
        self.keys.iter().filter(named).any(|key| key.verify(algorithm, text, signature))
    }
}

impl PublicKey {
    fn read(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(|value| BASE64.decode(value.trim_end_matches('=')).ok());
        let is_for_checking = |ops: &Value| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify"));
        if text("use").is_some_and(|use_of| use_of != "sig") || jwk.get("key_ops").is_some_and(|ops| !is_for_checking(ops)) {
            return None;
        }
        let algorithm = match text("alg") {
            Some(name) => Some(Algorithm::parse(name)?),
            None => None,
        };
        let point = |length: usize| {
            let (x, y) = (bytes("x").filter(|x| x.len() == length)?, bytes("y").filter(|y| y.len() == length)?);
            Some([&[4], x.as_slice(), y.as_slice()].concat())
        };
        let material = match (text("kty")?, text("crv")) {
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("EC", Some("P-521")) => Material::P521(point(66)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x").filter(|x| x.len() == 32)?),
            ("RSA", None) => {
                let strip = |value: Vec<u8>| value.iter().position(|byte| *byte != 0).map(|from| value[from..].to_vec());
                let (n, e) = (strip(bytes("n")?)?, strip(bytes("e")?)?);
                if n.len() > LONGEST_MODULUS || e.len() > 8 {
                    return None;
                }
                Material::Rsa { n, e }
            }
            _ => return None,
        };
        Some(Self { id: text("kid").map(str::to_owned), algorithm, material })
    }

    fn verify(&self, algorithm: Algorithm, text: &[u8], signature: &[u8]) -> bool {
        if self.algorithm.is_some_and(|own| own != algorithm) {
            return false;
        }
        let simple = |with: &'static dyn VerificationAlgorithm, key: &[u8]| UnparsedPublicKey::new(with, key).verify(text, signature).is_ok();
        match (&self.material, algorithm) {
            (Material::Ed25519(key), Algorithm::EdDsa) => simple(&ED25519, key),
            (Material::P256(key), Algorithm::Es256) => simple(&ECDSA_P256_SHA256_FIXED, key),
            (Material::P384(key), Algorithm::Es384) => simple(&ECDSA_P384_SHA384_FIXED, key),
            (Material::P521(key), Algorithm::Es512) => simple(&ECDSA_P521_SHA512_FIXED, key),
            (Material::Rsa { n, e }, _) => {
                let with = match algorithm {
                    Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                    Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
                    Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
                    Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => return false,
                };
                PublicKeyComponents { n, e }.verify(with, text, signature).is_ok()
            }
            (Material::Ed25519(_) | Material::P256(_) | Material::P384(_) | Material::P521(_), _) => false,
        }
    }
}
