//! What appending to the ledger means, the same for both engines: positions, leaves, tile
//! nodes, checkpoints and index rows, computed before a single row is written.

use std::collections::BTreeMap;

use tutela_core::Timestamp;
use tutela_ledger::{CHECKPOINT_EVERY, Frontier, Signer, TileNode};

use crate::{Error, Record, table::ledger::Head};

/// Rows of one append, and the head after it.
pub struct Append<'a> {
    pub rows: Vec<Placed<'a>>,
    pub nodes: Vec<TileNode>,
    /// Checkpoints at multiples of [`CHECKPOINT_EVERY`], kept for good.
    pub kept: Vec<(u64, String)>,
    pub marks: Vec<Mark>,
    pub head: Head,
}

/// Positions of one partition on PostgreSQL: 2 to the power of this.
pub const BLOCK_BITS: u32 = 20;

impl Mark {
    /// Positions of one block.
    pub const WIDTH: u64 = 256;
}

/// A record and its position.
pub struct Placed<'a> {
    pub position: u64,
    pub record: &'a Record,
}

/// Zone map of a block of [`Mark::WIDTH`] positions: which event times stand there.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    pub first: u64,
    pub earliest: Timestamp,
    pub latest: Timestamp,
}

impl<'a> Append<'a> {
    /// Places `records` after `head`; `None` where there are none.
    pub fn after(head: &Head, records: impl IntoIterator<Item = &'a Record>, signer: &Signer) -> Option<Self> {
        let mut edge = head.edge.clone();
        let (mut rows, mut nodes, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        let mut marks: Vec<Mark> = Vec::new();
        for record in records {
            let position = edge.size();
            edge.append(record.entry.leaf, &mut nodes);
            if edge.size().is_multiple_of(CHECKPOINT_EVERY) {
                kept.push((edge.size(), signer.sign(edge.size(), edge.root())));
            }
            let time = record.entry.time;
            let first = position - position % Mark::WIDTH;
            match marks.last_mut().filter(|mark| mark.first == first) {
                Some(mark) => {
                    mark.earliest = mark.earliest.min(time);
                    mark.latest = mark.latest.max(time);
                }
                None => marks.push(Mark { first, earliest: time, latest: time }),
            }
            rows.push(Placed { position, record });
        }
        if rows.is_empty() {
            return None;
        }
        let checkpoint = signer.sign(edge.size(), edge.root());
        Some(Self { rows, nodes, kept, marks, head: Head { edge, checkpoint } })
    }

    /// The partitions (PostgreSQL) these records stand in.
    pub fn blocks(&self) -> impl Iterator<Item = i64> {
        let blocks: std::collections::BTreeSet<i64> = self.rows.iter().map(|row| (row.position >> BLOCK_BITS) as i64).collect();
        blocks.into_iter()
    }

    /// The months these records are indexed in, each with its lowest and highest row id.
    pub fn months(&self) -> Vec<(i64, i64, i64)> {
        let mut months: Vec<(i64, i64, i64)> = Vec::new();
        for (month, row, _) in self.index_rows() {
            match months.iter_mut().find(|(m, ..)| *m == month) {
                Some((_, lowest, highest)) => {
                    *lowest = (*lowest).min(row);
                    *highest = (*highest).max(row);
                }
                None => months.push((month, row, row)),
            }
        }
        months
    }

    /// How many events and batch records of each type and outcome were recorded in each hour.
    pub fn hours(&self) -> BTreeMap<(i64, &'a str, &'a str), i64> {
        let mut hours = BTreeMap::new();
        for placed in &self.rows {
            let hour = placed.record.entry.recorded_at.secs().div_euclid(3_600);
            for row in &placed.record.index {
                *hours.entry((hour, row.marked("t="), row.marked("o="))).or_default() += 1;
            }
        }
        hours
    }

    /// Every index row: month, row id, tokens.
    pub fn index_rows(&self) -> impl Iterator<Item = (i64, i64, &'a [String])> {
        self.rows.iter().flat_map(|placed| {
            let month = placed.record.entry.recorded_at.month();
            placed.record.index.iter().map(move |row| (month, row_id(placed.position, row.item), row.tokens.as_slice()))
        })
    }
}

/// Row id in index and item tables: position << 10 | item, so that each record of a batch is found alone.
pub fn row_id(position: u64, item: u16) -> i64 {
    i64::try_from(position << 10 | u64::from(item & 1023)).unwrap_or(i64::MAX)
}

impl Head {
    /// The head of a log without entries.
    pub fn empty(signer: &Signer) -> Self {
        let edge = Frontier::default();
        let checkpoint = signer.sign(0, edge.root());
        Self { edge, checkpoint }
    }

    /// From its stored columns.
    pub fn from_stored(size: u64, frontier: &[u8], checkpoint: String) -> Result<Self, Error> {
        Ok(Self { edge: Frontier::from_bytes(size, frontier)?, checkpoint })
    }
}
