//! Where tree hashes stand in storage, and how subtrees are put together from them.
//!
//! Only leaves and nodes whose height is a multiple of eight are stored (C2SP tlog-tiles);
//! every other node is at most 255 hashes away from them.

use std::fmt;

use crate::{Error, Hash, node_hash};

/// The leaves `lo..hi`; a proof is a list of hashes of such ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First leaf.
    pub lo: u64,
    /// One past the last leaf.
    pub hi: u64,
}

/// A run of stored hashes that together are one perfect subtree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Tile level; 0 are the leaves.
    pub level: u8,
    /// First hash.
    pub start: u64,
    /// How many, a power of two up to 128.
    pub count: u64,
}

impl Range {
    /// The perfect subtrees this range is made of, largest first. `lo` must be aligned to the
    /// largest, as it is in every proof of RFC 6962.
    pub fn spans(&self) -> Vec<Span> {
        let (mut at, mut out) = (self.lo, Vec::new());
        while at < self.hi {
            let height = 63 - (self.hi - at).leading_zeros();
            let (level, within) = ((height / 8) as u8, height % 8);
            out.push(Span { level, start: (at >> height) << within, count: 1 << within });
            at += 1 << height;
        }
        out
    }

    /// Hash of the range from the hashes of its spans, in the order of [`Range::spans`].
    pub fn hash(loaded: &[Vec<Hash>]) -> Result<Hash, Error> {
        let subtrees: Option<Vec<Hash>> = loaded.iter().map(|hashes| subtree(hashes)).collect();
        subtrees.and_then(fold).ok_or(Error::Malformed { what: "tile", why: "hashes are missing" })
    }
}

/// Root of a perfect subtree.
pub(crate) fn subtree(hashes: &[Hash]) -> Option<Hash> {
    if !hashes.len().is_power_of_two() {
        return None;
    }
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    level.first().copied()
}

/// Joins subtrees, largest first, into the hash of their range.
pub(crate) fn fold(subtrees: Vec<Hash>) -> Option<Hash> {
    subtrees.into_iter().rev().reduce(|right, left| node_hash(&left, &right))
}

/// The address of a tile: `<level>/<index>[.p/<width>]` (C2SP tlog-tiles, "Parameters").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TilePath {
    /// Tile level, 0 to 5.
    pub level: u8,
    /// Which tile.
    pub index: u64,
    /// Hashes in it, 1 to 256.
    pub width: u16,
}

impl TilePath {
    /// Reads the part of a URL after `tile/`, for example `0/x001/067` or `1/000.p/12`.
    pub fn parse(path: &str) -> Result<Self, Error> {
        let bad = |why| Error::Malformed { what: "tile path", why };
        let (level, rest) = path.split_once('/').ok_or(bad("expected `<level>/<index>`"))?;
        let level = level.parse::<u8>().ok().filter(|l| *l <= 5).ok_or(bad("the level is a number from 0 to 5"))?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => {
                (index, width.parse::<u16>().ok().filter(|w| (1..256).contains(w)).ok_or(bad("a partial width is a number from 1 to 255"))?)
            }
            None => (rest, 256),
        };
        let groups: Vec<&str> = index.split('/').collect();
        let mut value: u64 = 0;
        for (i, group) in groups.iter().enumerate() {
            let last = i + 1 == groups.len();
            let digits = if last { Some(*group) } else { group.strip_prefix('x') };
            let number = digits.filter(|d| d.len() == 3 && d.bytes().all(|b| b.is_ascii_digit())).and_then(|d| d.parse::<u64>().ok());
            value = value
                .checked_mul(1_000)
                .and_then(|v| v.checked_add(number?))
                .ok_or(bad("an index is written in groups of three digits, all but the last after an `x`"))?;
        }
        let tile = Self { level, index: value, width };
        // One tile, one address: no signs, no zeros in front.
        if tile.to_string() == path { Ok(tile) } else { Err(bad("it is not written in the shortest form")) }
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.level)?;
        let mut groups = vec![self.index % 1_000];
        let mut rest = self.index / 1_000;
        while rest > 0 {
            groups.push(rest % 1_000);
            rest /= 1_000;
        }
        for group in groups.iter().skip(1).rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", self.index % 1_000)?;
        if self.width < 256 { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tile_paths_read_as_the_specification_writes_them() {
        for (text, tile) in
            [("0/x001/x234/067", TilePath { level: 0, index: 1_234_067, width: 256 }), ("1/000.p/12", TilePath { level: 1, index: 0, width: 12 })]
        {
            assert_eq!(TilePath::parse(text).unwrap(), tile);
            assert_eq!(tile.to_string(), text);
        }
        for bad in [
            "",
            "0",
            "6/000",
            "0/1",
            "0/001/067",
            "0/x001/67",
            "0/000.p/256",
            "0/000.p/0",
            "0/-01",
            "+1/000",
            "01/000",
            "0/x000/067",
            "0/000.p/012",
            "0/000.p/+12",
            "0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert!(TilePath::parse(bad).is_err(), "{bad}");
        }
    }
}
