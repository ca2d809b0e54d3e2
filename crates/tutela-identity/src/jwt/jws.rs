//! A signed token in its compact form (RFC 7515 §7.1), read with care: nothing in its header is ever fetched,
//! and what it claims cannot be reached before its signature was checked.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Algorithm, JwkSet};
use crate::{
    Error,
    error::{NOT_A_TOKEN, NOT_OURS},
};

/// Longest token that is looked at, in bytes.
const LONGEST: usize = 32_768;

/// A token whose signature was not checked yet.
#[derive(Debug, Clone)]
pub struct Unverified<'a> {
    header: Header,
    text: &'a str,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

/// What its header says. Keys, and addresses of keys, that it brings along are not read (RFC 8725 §3.10).
#[derive(Debug, Clone, Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    /// Extensions that have to be understood; none is.
    #[serde(default)]
    crit: Option<Value>,
    #[serde(default)]
    zip: Option<Value>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    pub fn parse(token: &'a str) -> Result<Self, Error> {
        let bad = || Error::Token(NOT_A_TOKEN);
        if token.len() > LONGEST {
            return Err(bad());
        }
        let (text, signature) = token.rsplit_once('.').ok_or_else(bad)?;
        let (header, claims) = text.split_once('.').ok_or_else(bad)?;
        let decode = |part: &str| BASE64.decode(part).map_err(|_| bad());
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| bad())?;
        Ok(Self { header, text, claims: decode(claims)?, signature: decode(signature)? })
    }

    /// The key that it names.
    pub fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// Its type, where it says one.
    pub fn token_type(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// What it claims under a name, before anybody has checked it: to find the keys that could.
    pub fn claimed(&self, name: &str) -> Option<String> {
        let claims: Map<String, Value> = serde_json::from_slice(&self.claims).ok()?;
        claims.get(name)?.as_str().map(str::to_owned)
    }

    /// Its claims, once a key of `keys` has signed them under one of `allowed`.
    pub fn verify(&self, keys: &JwkSet, allowed: &[Algorithm]) -> Result<Map<String, Value>, Error> {
        let algorithm = Algorithm::parse(&self.header.alg).filter(|algorithm| allowed.contains(algorithm)).ok_or(Error::Token(NOT_OURS))?;
        if self.header.crit.is_some() || self.header.zip.is_some() {
            return Err(Error::Token(NOT_OURS));
        }
        if !keys.verify(self.key_id(), algorithm, self.text.as_bytes(), &self.signature) {
            return Err(Error::Token("its signature does not verify"));
        }
        serde_json::from_slice(&self.claims).map_err(|_| Error::Token("its claims are not a JSON object"))
    }
}
