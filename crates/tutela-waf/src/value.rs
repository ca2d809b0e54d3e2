//! Every byte string of a request, once.
//!
//! Equal values share a number, whatever variable they stand in, so that what is known of one (its bytes, its
//! transformations, the literals in it) is known of all and worked out once.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::{
    gate::{Gate, Scanner},
    pipeline::{Node, Pipelines},
    transform::{ByteSet, UnicodeMap},
};

/// The number of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ValueId(u32);

impl ValueId {
    /// The empty value.
    pub(crate) const EMPTY: Self = Self(0);
}

const NONE: u32 = u32::MAX;

/// What is known of one value.
#[derive(Debug, Clone, Copy)]
struct Known {
    begin: u32,
    length: u32,
    bytes: ByteSet,
    /// Where the results of its transformations are, and its bits.
    results: u32,
    bits: u32,
}

/// All values of a request.
#[derive(Debug)]
pub(crate) struct Values {
    arena: Vec<u8>,
    known: Vec<Known>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    results: Vec<u32>,
    bits: Vec<u64>,
    spare: Vec<u8>,
    rows: usize,
    words: usize,
}

impl Values {
    pub(crate) fn new(rows: usize, words: usize) -> Self {
        let mut values = Self {
            arena: Vec::with_capacity(4_096),
            known: Vec::with_capacity(256),
            index: HashTable::with_capacity(256),
            hasher: DefaultHashBuilder::default(),
            results: Vec::new(),
            bits: Vec::new(),
            spare: Vec::new(),
            rows,
            words,
        };
        values.add(b"");
        values
    }

    /// The number of these bytes.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> ValueId {
        let Self { arena, known, index, hasher, .. } = self;
        let of = |at: u32| known.get(at as usize).map_or(&[][..], |known| &arena[known.begin as usize..(known.begin + known.length) as usize]);
        let hash = hasher.hash_one(bytes);
        if let Some(&at) = index.find(hash, |at| of(*at) == bytes) {
            return ValueId(at);
        }
        let at = known.len() as u32;
        index.insert_unique(hash, at, |at| hasher.hash_one(of(*at)));
        let mut set = ByteSet::default();
        bytes.iter().for_each(|byte| set.insert(*byte));
        known.push(Known { begin: arena.len() as u32, length: bytes.len() as u32, bytes: set, results: NONE, bits: NONE });
        arena.extend_from_slice(bytes);
        ValueId(at)
    }

    /// The number of these bytes, where they have one.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<ValueId> {
        self.index.find(self.hasher.hash_one(bytes), |at| self.get(ValueId(*at)) == bytes).map(|at| ValueId(*at))
    }

    /// How many bytes are held; beyond 4 GiB nothing may be added.
    pub(crate) fn size(&self) -> usize {
        self.arena.len()
    }

    pub(crate) fn get(&self, id: ValueId) -> &[u8] {
        let known = &self.known[id.0 as usize];
        &self.arena[known.begin as usize..(known.begin + known.length) as usize]
    }

    /// The bytes that it holds.
    pub(crate) fn bytes(&self, id: ValueId) -> &ByteSet {
        &self.known[id.0 as usize].bytes
    }

    /// What a row of transformations makes of it.
    pub(crate) fn transformed(&mut self, id: ValueId, row: Node, pipelines: &Pipelines, map: Option<&UnicodeMap>) -> ValueId {
        let Some((before, transformation)) = pipelines.last(row) else { return id };
        let place = match self.known[id.0 as usize].results {
            NONE => {
                let place = self.results.len();
                self.results.resize(place + self.rows, NONE);
                self.known[id.0 as usize].results = place as u32;
                place
            }
            place => place as usize,
        } + usize::from(row.0);
        if self.results[place] != NONE {
            return ValueId(self.results[place]);
        }
        let before = self.transformed(id, before, pipelines, map);
        let found = if self.bytes(before).meets(&transformation.touches()) || before == ValueId::EMPTY {
            let mut out = std::mem::take(&mut self.spare);
            out.clear();
            transformation.apply(self.get(before), map, &mut out);
            let found = self.add(&out);
            self.spare = out;
            found
        } else {
            before
        };
        self.results[place] = found.0;
        found
    }

    /// Whether a rule behind this gate has to be asked about it.
    pub(crate) fn passes(&mut self, id: ValueId, gate: Gate, scanner: &Scanner) -> bool {
        match gate {
            Gate::Open => true,
            Gate::Bytes(bytes) => self.bytes(id).meets(&bytes),
            Gate::Literals(set) => {
                let place = match self.known[id.0 as usize].bits {
                    NONE => {
                        let place = self.bits.len();
                        self.bits.resize(place + self.words, 0);
                        self.known[id.0 as usize].bits = place as u32;
                        let known = &self.known[id.0 as usize];
                        scanner.scan(&self.arena[known.begin as usize..(known.begin + known.length) as usize], &mut self.bits[place..]);
                        place
                    }
                    place => place as usize,
                };
                self.bits[place + set as usize / 64] >> (set % 64) & 1 == 1
            }
        }
    }
}
