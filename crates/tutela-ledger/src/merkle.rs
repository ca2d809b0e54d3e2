//! The Merkle tree of RFC 6962 §2.1: append, root, inclusion and consistency.

use aws_lc_rs::digest::{Context, SHA256};

use crate::{Error, Flaw, Range};

/// SHA-256.
pub type Hash = [u8; 32];

/// Hash of a leaf: SHA-256(0x00 || body).
pub fn leaf_hash(body: &[u8]) -> Hash {
    digest(&[&[0], body])
}

/// Hash of an inner node: SHA-256(0x01 || left || right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    digest(&[&[1], left, right])
}

/// Root of the empty tree: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    digest(&[])
}

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> Hash {
    digest(&[bytes])
}

fn digest(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// The right edge of a tree: enough to append to it and to know its root.
///
/// One hash for each set bit of the size, largest subtree first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

/// A completed node whose height is a multiple of eight: one hash of a tile (C2SP tlog-tiles).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileNode {
    /// Tile level, 1 or more (level 0 are the leaves).
    pub level: u8,
    /// Position within the level.
    pub index: u64,
    /// The hash.
    pub hash: Hash,
}

impl Frontier {
    /// Reads what [`Frontier::to_bytes`] wrote.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Result<Self, Error> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || hashes.len() as u32 != size.count_ones() {
            return Err(Error::Malformed { what: "frontier", why: "its hashes do not fit its size" });
        }
        Ok(Self { size, hashes: hashes.to_vec() })
    }

    /// The hashes, one after the other.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.hashes.concat()
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; completed tile nodes are pushed to `nodes`.
    pub fn append(&mut self, leaf: Hash, nodes: &mut Vec<TileNode>) {
        let mut hash = leaf;
        let mut height = 0_u8;
        let mut carry = self.size;
        while carry & 1 == 1 {
            if let Some(left) = self.hashes.pop() {
                hash = node_hash(&left, &hash);
            }
            carry >>= 1;
            height += 1;
            if height.is_multiple_of(8) {
                nodes.push(TileNode { level: height / 8, index: self.size >> height, hash });
            }
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// Root of the tree.
    pub fn root(&self) -> Hash {
        let mut from_right = self.hashes.iter().rev();
        let Some(last) = from_right.next() else { return empty_root() };
        from_right.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// Which subtrees the inclusion proof of leaf `index` in a tree of `size` is made of (RFC 6962 §2.1.1).
pub fn inclusion_ranges(index: u64, size: u64) -> Vec<Range> {
    let (mut lo, mut hi, mut out) = (0, size, Vec::new());
    while hi - lo > 1 {
        let split = lo + split_point(hi - lo);
        if index < split {
            out.push(Range { lo: split, hi });
            hi = split;
        } else {
            out.push(Range { lo, hi: split });
            lo = split;
        }
    }
    out.reverse();
    out
}

/// Which subtrees the consistency proof from size `old` to `new` is made of (RFC 6962 §2.1.2).
pub fn consistency_ranges(old: u64, new: u64) -> Vec<Range> {
    let (mut lo, mut hi, mut out) = (0, new, Vec::new());
    if old == 0 || old == new {
        return out;
    }
    while old != hi {
        let split = lo + split_point(hi - lo);
        if old <= split {
            out.push(Range { lo: split, hi });
            hi = split;
        } else {
            out.push(Range { lo, hi: split });
            lo = split;
        }
    }
    if lo > 0 {
        out.push(Range { lo, hi });
    }
    out.reverse();
    out
}

/// Largest power of two below `n`, for `n` of two or more.
fn split_point(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// The root that an inclusion proof leads to.
pub fn root_from_inclusion(index: u64, size: u64, leaf: Hash, proof: &[Hash]) -> Result<Hash, Error> {
    let wrong = Error::Malformed { what: "inclusion proof", why: "it does not have as many hashes as index and size ask for" };
    if index >= size {
        return Err(Error::Malformed { what: "inclusion proof", why: "the index is not below the tree's size" });
    }
    // RFC 9162 §2.1.3.2.
    let (mut node, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return Err(wrong);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok(hash) } else { Err(wrong) }
}

/// Checks that the tree of `new` leaves with `new_root` extends the one of `old` with `old_root`.
pub fn verify_consistency(old: u64, old_root: Hash, new: u64, new_root: Hash, proof: &[Hash]) -> Result<(), Error> {
    let differs = || Error::Flawed(Flaw::ProofDiffers);
    if old > new {
        return Err(Error::Malformed { what: "consistency proof", why: "the older tree is larger" });
    }
    if old == 0 || old == new {
        return if proof.is_empty() && (old == 0 || old_root == new_root) { Ok(()) } else { Err(differs()) };
    }
    // RFC 9162 §2.1.4.2.
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let mut hashes = proof.iter();
    let seed = if node == 0 { old_root } else { *hashes.next().ok_or_else(differs)? };
    let (mut from_old, mut from_new) = (seed, seed);
    for hash in hashes {
        if last == 0 {
            return Err(differs());
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(hash, &from_old);
            from_new = node_hash(hash, &from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && from_old == old_root && from_new == new_root { Ok(()) } else { Err(differs()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::fold;

    /// RFC 6962's reference inputs, as published with the certificate-transparency test suite.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn hex(hash: Hash) -> String {
        hash.iter().map(|b| format!("{b:02x}")).collect()
    }

    fn range_hash(leaves: &[Hash], range: Range) -> Hash {
        let mut edge = Frontier::default();
        for leaf in &leaves[range.lo as usize..range.hi as usize] {
            edge.append(*leaf, &mut Vec::new());
        }
        edge.root()
    }

    #[test]
    fn roots_are_those_of_the_reference_tree() {
        assert_eq!(hex(empty_root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let mut edge = Frontier::default();
        for (leaf, root) in LEAVES.iter().zip(ROOTS) {
            edge.append(leaf_hash(leaf), &mut Vec::new());
            assert_eq!(hex(edge.root()), root);
        }
        assert_eq!(Frontier::from_bytes(8, &edge.to_bytes()).unwrap(), edge);
        assert!(Frontier::from_bytes(7, &edge.to_bytes()).is_err());
    }

    #[test]
    fn every_proof_of_every_small_tree_verifies_and_no_changed_one_does() {
        let leaves: Vec<Hash> = (0..40_u8).map(|i| leaf_hash(&[i])).collect();
        let root = |n: u64| range_hash(&leaves, Range { lo: 0, hi: n });
        for size in 1..=40_u64 {
            for index in 0..size {
                let proof: Vec<Hash> = inclusion_ranges(index, size).into_iter().map(|r| range_hash(&leaves, r)).collect();
                let leaf = leaves[index as usize];
                assert_eq!(root_from_inclusion(index, size, leaf, &proof).unwrap(), root(size));
                for i in 0..proof.len() {
                    let mut bad = proof.clone();
                    bad[i][0] ^= 1;
                    assert_ne!(root_from_inclusion(index, size, leaf, &bad).ok(), Some(root(size)));
                    bad.remove(i);
                    assert_ne!(root_from_inclusion(index, size, leaf, &bad).ok(), Some(root(size)));
                }
            }
            for old in 0..=size {
                let proof: Vec<Hash> = consistency_ranges(old, size).into_iter().map(|r| range_hash(&leaves, r)).collect();
                verify_consistency(old, root(old), size, root(size), &proof).unwrap();
                for i in 0..proof.len() {
                    let mut bad = proof.clone();
                    bad[i][31] ^= 0x80;
                    assert!(verify_consistency(old, root(old), size, root(size), &bad).is_err());
                }
            }
        }
    }

    #[test]
    fn spans_of_tile_hashes_give_the_same_subtrees() {
        let leaves: Vec<Hash> = (0..70_000_u32).map(|i| leaf_hash(&i.to_be_bytes())).collect();
        let (mut edge, mut nodes) = (Frontier::default(), Vec::new());
        for leaf in &leaves {
            edge.append(*leaf, &mut nodes);
        }
        assert_eq!(nodes.iter().filter(|n| n.level == 1).count(), 273);
        assert_eq!(nodes.iter().filter(|n| n.level == 2).count(), 1);
        let load = |span: &crate::Span| -> Vec<Hash> {
            (span.start..span.start + span.count)
                .map(|i| match span.level {
                    0 => leaves[i as usize],
                    level => nodes.iter().find(|n| n.level == level && n.index == i).unwrap().hash,
                })
                .collect()
        };
        for index in [0, 255, 256, 65_535, 65_536, 69_999] {
            let proof: Vec<Hash> = inclusion_ranges(index, 70_000)
                .iter()
                .map(|range| fold(range.spans().iter().map(|span| crate::tile::subtree(&load(span)).unwrap()).collect()).unwrap())
                .collect();
            assert_eq!(root_from_inclusion(index, 70_000, leaves[index as usize], &proof).unwrap(), edge.root());
        }
    }
}
