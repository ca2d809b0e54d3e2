//! Passwords known from breaches, as a filter that is asked without a network (OWASP ASVS 5.0 §6.2.12).
//!
//! ```text
//!   download of Have I Been Pwned        filter file                       question
//!   SHA-1[:count], sorted    --build-->  header | 256 shards  --contains--> three reads of two bytes
//! ```
//! A shard holds the hashes with one first byte as a binary fuse filter (Graf and Lemire 2022): 18 bits a password, no
//! password of the list is ever missed, and one of some 65,000 others is refused by mistake. Shards are built one after
//! another, so that a billion hashes take the memory of the largest of them, about 120 MB. Nothing here opens a file.

mod build;
mod format;
mod list;

use std::io;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tutela_core::ErrorKind;

use super::normalize;

pub use build::{Summary, build};
pub use list::{BreachList, ReadAt};

/// Longest name of a source, in bytes.
pub const MAX_SOURCE: usize = 256;

/// Why a list cannot be built or asked.
#[derive(Debug, thiserror::Error)]
pub enum BreachError {
    /// The filter file is cut off, changed, or none.
    #[error("the filter of breached passwords is damaged: {0}; build it again")]
    Damaged(&'static str),
    /// Reading or writing failed.
    #[error("the filter of breached passwords: {0}")]
    Io(#[from] io::Error),
    /// A line of the source is not what it should be.
    #[error("line {number} of the list {problem}")]
    Line {
        /// Counted from 1.
        number: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The list as a whole cannot become a filter.
    #[error("the list {0}")]
    Source(&'static str),
}

impl BreachError {
    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Damaged(_) => ErrorKind::Corrupt,
            Self::Io(_) => ErrorKind::Unavailable,
            Self::Line { .. } | Self::Source(_) => ErrorKind::Invalid,
        }
    }
}

/// Where a hash belongs: its first byte is the shard, the next eight are the key in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    shard: u8,
    key: u64,
}

impl Place {
    fn of(hash: &[u8; 20]) -> Self {
        let [shard, a, b, c, d, e, f, g, h, ..] = *hash;
        Self { shard, key: u64::from_be_bytes([a, b, c, d, e, f, g, h]) }
    }

    /// SHA-1 is the form that breached passwords are published in. It protects nothing here: the list is no secret, and
    /// the hash of what was typed is never kept.
    fn of_password(password: &str) -> Option<Self> {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, normalize(password).open().as_bytes());
        hash.as_ref().try_into().ok().map(Self::of)
    }
}

#[cfg(test)]
mod tests;
