//! The keys of an instance and what they seal.
//!
//! For now there is one root key in a file; every other key is derived from it by HKDF
//! (RFC 5869) under a label, so no key serves two purposes. Rotation, providers and keys per
//! person replace the derivation later; the callers keep their verbs `seal` and `open`.
//! Nothing here reads a file or a clock.

mod envelope;
mod error;
mod root;
mod token;

pub use envelope::{open_fields, seal_value};
pub use error::Error;
pub use root::{IndexKey, RootKey};
pub use token::{open_token, seal_token};
