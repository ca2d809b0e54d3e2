//! Private keys that we sign with.

use aws_lc_rs::{
    agreement::{ECDH_P256, PrivateKey},
    encoding::AsDer,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};
use tutela_core::{Random, Secret, random_bytes};

use super::Algorithm;
use crate::Error;

/// A private key, with its public half as others get it.
pub struct SigningKey {
    algorithm: Algorithm,
    pair: Pair,
    /// RFC 7638 thumbprint of the public key.
    id: String,
    jwk: Value,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// A new private key in the form it is kept in: a seed, a scalar, or PKCS#8.
///
/// Making an RSA key takes a good part of a second, and its chance comes from the library itself.
pub fn generate(algorithm: Algorithm, rng: &mut dyn Random) -> Result<Secret<Vec<u8>>, Error> {
    match algorithm {
        Algorithm::EdDsa => Ok(Secret::new(random_bytes::<32>(rng).to_vec())),
        Algorithm::Es256 => {
            // All but a vanishing part of 32-byte strings are scalars of the curve (SEC 1 §3.2.1).
            for _ in 0..4 {
                let scalar = random_bytes::<32>(rng);
                if PrivateKey::from_private_key(&ECDH_P256, &scalar).is_ok() {
                    return Ok(Secret::new(scalar.to_vec()));
                }
            }
            Err(Error::Library)
        }
        Algorithm::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| Error::Library)?;
            let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().map_err(|_| Error::Library)?;
            Ok(Secret::new(pkcs8.as_ref().to_vec()))
        }
        _ => Err(Error::invalid("algorithm", "we sign with EdDSA, ES256 or RS256")),
    }
}

impl SigningKey {
    /// From the form it is kept in.
    pub fn restore(algorithm: Algorithm, kept: &[u8]) -> Result<Self, Error> {
        let broken = |_| Error::Library;
        let (pair, members) = match algorithm {
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_seed_unchecked(kept).map_err(broken)?;
                let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, BASE64.encode(pair.public_key().as_ref()));
                (Pair::Ed25519(pair), members)
            }
            Algorithm::Es256 => {
                let public = PrivateKey::from_private_key(&ECDH_P256, kept).map_err(broken)?.compute_public_key().map_err(|_| Error::Library)?;
                let pair = EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, kept, public.as_ref()).map_err(broken)?;
                let (x, y) = (public.as_ref().get(1..33).ok_or(Error::Library)?, public.as_ref().get(33..65).ok_or(Error::Library)?);
                (Pair::P256(pair), format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, BASE64.encode(x), BASE64.encode(y)))
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(kept).map_err(broken)?;
                let encode = |bytes: &[u8]| BASE64.encode(bytes);
                let (n, e) = (pair.public_key().modulus().big_endian_without_leading_zero(), pair.public_key().exponent().big_endian_without_leading_zero());
                let members = format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e), encode(n));
                (Pair::Rsa(Box::new(pair)), members)
            }
            _ => return Err(Error::Library),
        };
        // RFC 7638 §3: SHA-256 over the required members in alphabetical order.
        let id = BASE64.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, members.as_bytes()));
        let mut jwk: Value = serde_json::from_str(&members).map_err(|_| Error::Library)?;
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(algorithm.as_str());
        jwk["kid"] = json!(id);
        Ok(Self { algorithm, pair, id, jwk })
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its name: the thumbprint of its public half.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its public half (RFC 7517).
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// Signs a text.
    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Error> {
        let chance = SystemRandom::new();
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(text).as_ref().to_vec()),
            Pair::P256(pair) => Ok(pair.sign(&chance, text).map_err(|_| Error::Library)?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &chance, text, &mut signature).map_err(|_| Error::Library)?;
                Ok(signature)
            }
        }
    }
}
