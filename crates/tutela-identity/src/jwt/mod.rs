//! Signed tokens (RFC 7519): ours, with a type of claims for each use, and those of others.
//!
//! Checked as RFC 8725 asks: algorithm, key and explicit type first, then the signature, then who made it,
//! for whom, and when. A token of one type is none of another.

mod access;
mod algorithm;
mod identity;
mod jwk;
mod jws;
mod keys;
mod signing;

use serde::{Serialize, de::DeserializeOwned};

pub use access::AccessClaims;
pub use algorithm::Algorithm;
pub use identity::{IdentityClaims, LIFE as IDENTITY_LIFE};
pub use jwk::JwkSet;
pub use jws::Unverified;
pub use keys::{AFTERLIFE, TokenKey, TokenKeys};
pub use signing::{SigningKey, generate};

/// Longest token of ours that is looked at, in bytes.
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
