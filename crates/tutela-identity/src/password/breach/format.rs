//! The filter file, version 1. All numbers are little-endian.
//!
//! ```text
//!      0  magic              16 bytes  "tutela-breached\n"
//!     16  version             4        1
//!     20  length of source    4        at most 256
//!     24  hashes              8
//!     32  created_at          8        microseconds since 1970
//!     40  source            256        UTF-8, then zeros
//!    296  256 shards         56 each   seed 8 | hashes 8 | segment length 4 | segments' length 4 | SHA-256 of the cells 32
//! 14,632  SHA-256 of all above, 32 bytes
//! 14,664  the cells of the shards, 2 bytes each, one shard after another
//! ```
//! A shard without hashes has no cells. Where a shard begins follows from the lengths before it, so shards can neither
//! overlap nor leave gaps.

use aws_lc_rs::digest::{SHA256, digest};
use tutela_core::Timestamp;

use super::{BreachError, MAX_SOURCE};

pub(super) const SHARDS: usize = 256;
pub(super) const HEADER: usize = SHARD_TABLE + SHARDS * SHARD + 32;
const MAGIC: &[u8; 16] = b"tutela-breached\n";
const VERSION: u32 = 1;
const SHARD_TABLE: usize = 296;
const SHARD: usize = 56;
/// As large as the library makes segments.
const MAX_SEGMENT: u32 = 1 << 18;

/// What a filter file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub source: String,
    pub created_at: Timestamp,
    pub hashes: u64,
    pub shards: Vec<Shard>,
}

/// One binary fuse filter, without its cells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shard {
    pub seed: u64,
    pub hashes: u64,
    pub segment: u32,
    pub segments: u32,
    pub checksum: [u8; 32],
}

impl Shard {
    /// How many cells it has.
    pub(super) fn cells(&self) -> u64 {
        if self.hashes == 0 { 0 } else { u64::from(self.segments) + 2 * u64::from(self.segment) }
    }

    /// The cells a key is kept in, and what they add up to where it is there. All three lie within [`Shard::cells`]
    /// because a segment's length is a power of two.
    pub(super) fn probe(&self, key: u64) -> ([u64; 3], u16) {
        let hash = mix(key.wrapping_add(self.seed));
        let mask = u64::from(self.segment.saturating_sub(1));
        let first = ((u128::from(hash) * u128::from(self.segments)) >> 64) as u64;
        let second = (first + u64::from(self.segment)) ^ ((hash >> 18) & mask);
        let third = (first + 2 * u64::from(self.segment)) ^ (hash & mask);
        ([first, second, third], (hash ^ (hash >> 32)) as u16)
    }

    fn is_sound(&self) -> bool {
        self.hashes == 0 || (self.segment.is_power_of_two() && self.segment <= MAX_SEGMENT && self.segments > 0 && self.segments.is_multiple_of(self.segment))
    }
}

/// The finalizer of MurmurHash3 (public domain), which the library hashes with.
fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.source.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&self.hashes.to_le_bytes());
        out.extend_from_slice(&self.created_at.micros().to_le_bytes());
        out.extend_from_slice(self.source.as_bytes());
        out.resize(SHARD_TABLE, 0);
        for shard in &self.shards {
            out.extend_from_slice(&shard.seed.to_le_bytes());
            out.extend_from_slice(&shard.hashes.to_le_bytes());
            out.extend_from_slice(&shard.segment.to_le_bytes());
            out.extend_from_slice(&shard.segments.to_le_bytes());
            out.extend_from_slice(&shard.checksum);
        }
        out.extend_from_slice(digest(&SHA256, &out).as_ref());
        out
    }

    pub(super) fn decode(bytes: &[u8; HEADER]) -> Result<Self, BreachError> {
        let damaged = || BreachError::Damaged("its header does not hold together");
        let (body, checksum) = bytes.split_last_chunk::<32>().ok_or_else(damaged)?;
        let mut rest = body.strip_prefix(MAGIC).ok_or(BreachError::Damaged("it is no filter file"))?;
        if number(&mut rest).map(u32::from_le_bytes) != Some(VERSION) {
            return Err(BreachError::Damaged("it is of another version"));
        }
        if digest(&SHA256, body).as_ref() != checksum {
            return Err(BreachError::Damaged("the checksum of its header does not fit"));
        }
        let length = number(&mut rest).map(u32::from_le_bytes).and_then(|n| usize::try_from(n).ok()).ok_or_else(damaged)?;
        let hashes = number(&mut rest).map(u64::from_le_bytes).ok_or_else(damaged)?;
        let created_at = number(&mut rest).map(i64::from_le_bytes).map(Timestamp::from_micros).ok_or_else(damaged)?;
        let source: [u8; MAX_SOURCE] = number(&mut rest).ok_or_else(damaged)?;
        let source = source.get(..length).and_then(|name| std::str::from_utf8(name).ok()).ok_or_else(damaged)?.to_owned();
        let shards: Option<Vec<Shard>> = std::iter::from_fn(|| (!rest.is_empty()).then(|| shard(&mut rest))).collect();
        let shards = shards.filter(|shards| shards.len() == SHARDS && shards.iter().all(Shard::is_sound)).ok_or_else(damaged)?;
        if shards.iter().map(|shard| u128::from(shard.hashes)).sum::<u128>() != u128::from(hashes) {
            return Err(damaged());
        }
        Ok(Self { source, created_at, hashes, shards })
    }
}

fn shard(rest: &mut &[u8]) -> Option<Shard> {
    let (seed, hashes) = (u64::from_le_bytes(number(rest)?), u64::from_le_bytes(number(rest)?));
    let (segment, segments) = (u32::from_le_bytes(number(rest)?), u32::from_le_bytes(number(rest)?));
    Some(Shard { seed, hashes, segment, segments, checksum: number(rest)? })
}

/// The next `N` bytes.
fn number<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}
