//! Fuzz entry points: everything of ours that reads bytes from outside, as plain functions.
//!
//! A target takes any bytes and must not panic; where it could read them, it checks what must
//! then hold: what was read can be written and read again, and one thing has one text. A broken
//! invariant panics. `corpus/<target>/` holds inputs that have to stay good: real ones, and nasty
//! ones named after what is wrong with them. A finding of the runner lands in `artifacts/`; once
//! it is fixed, its input moves into the corpus.

mod federation;
mod keys;
mod ledger;
mod people;
mod waf;

pub use federation::{jwks, saml_metadata, saml_response};
pub use keys::{key_backup, message, root_key_file, sealed_record};
pub use ledger::{canonical_json, checkpoint, position, query, tile_path, tlog_proof};
pub use people::{breach_list, email, identity_token, password_phc, recovery, sealed_token};
pub use waf::{seclang, waf_request};

/// A target: any bytes in, a panic where something is wrong.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus folder.
pub const TARGETS: &[(&str, Target)] = &[
    ("breach_list", breach_list),
    ("canonical_json", canonical_json),
    ("checkpoint", checkpoint),
    ("email", email),
    ("identity_token", identity_token),
    ("jwks", jwks),
    ("key_backup", key_backup),
    ("message", message),
    ("password_phc", password_phc),
    ("position", position),
    ("query", query),
    ("recovery", recovery),
    ("root_key_file", root_key_file),
    ("saml_metadata", saml_metadata),
    ("saml_response", saml_response),
    ("sealed_record", sealed_record),
    ("sealed_token", sealed_token),
    ("seclang", seclang),
    ("tile_path", tile_path),
    ("tlog_proof", tlog_proof),
    ("waf_request", waf_request),
];

/// Seed of every key the corpus was signed with.
const SEED: [u8; 32] = [7; 32];

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
