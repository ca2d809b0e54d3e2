use std::io;

use aws_lc_rs::digest::{Context, SHA256};
use tutela_core::{Secret, Timestamp};

use super::{
    BreachError, Place,
    format::{HEADER, Header, Shard},
};

/// Bytes that can be read anywhere: a file, or memory.
pub trait ReadAt {
    /// Fills `out` from `offset` on, or fails: there is no short read.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
}

impl ReadAt for &[u8] {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let found = usize::try_from(offset).ok().and_then(|at| self.get(at..)).and_then(|rest| rest.get(..out.len()));
        found.map(|found| out.copy_from_slice(found)).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.as_slice().read_at(offset, out)
    }
}

#[cfg(unix)]
impl ReadAt for std::fs::File {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, out, offset)
    }
}

/// A filter that can be asked. It keeps 14 kB in memory; the rest stays where it is.
pub struct BreachList<R> {
    reader: R,
    header: Header,
    /// Where each shard's cells begin, and where the last one's end.
    offsets: Vec<u64>,
}

impl<R: ReadAt> BreachList<R> {
    /// Reads and checks the header and that the file is not cut off. What is in the shards, [`BreachList::verify_all`] checks.
    pub fn open(reader: R) -> Result<Self, BreachError> {
        let short = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => BreachError::Damaged("it is cut off"),
            _ => BreachError::Io(error),
        };
        let mut bytes = [0; HEADER];
        reader.read_at(0, &mut bytes).map_err(short)?;
        let header = Header::decode(&bytes)?;
        let mut end = HEADER as u64;
        let mut offsets = vec![end];
        for shard in &header.shards {
            // At most 256 times 2^33 bytes: no sum overflows.
            end += 2 * shard.cells();
            offsets.push(end);
        }
        reader.read_at(end - 1, &mut [0]).map_err(short)?;
        Ok(Self { reader, header, offsets })
    }

    /// Whether the list has the password; once in some 65,000 times also where it has not.
    pub fn contains(&self, password: &Secret<String>) -> Result<bool, BreachError> {
        Place::of_password(password.open()).ok_or(BreachError::Damaged("it cannot be asked")).and_then(|place| self.holds(place))
    }

    pub(super) fn holds(&self, place: Place) -> Result<bool, BreachError> {
        let index = usize::from(place.shard);
        let (Some(shard), Some(offset)) = (self.header.shards.get(index), self.offsets.get(index)) else {
            return Err(BreachError::Damaged("it lacks a shard"));
        };
        if shard.cells() == 0 {
            return Ok(false);
        }
        let (cells, fingerprint) = shard.probe(place.key);
        let mut sum = fingerprint;
        for cell in cells {
            let mut bytes = [0; 2];
            self.reader.read_at(offset + 2 * cell, &mut bytes)?;
            sum ^= u16::from_le_bytes(bytes);
        }
        Ok(sum == 0)
    }

    /// Reads everything and compares every checksum.
    pub fn verify_all(&self) -> Result<(), BreachError> {
        self.header.shards.iter().zip(&self.offsets).try_for_each(|(shard, offset)| self.verify(shard, *offset))
    }

    fn verify(&self, shard: &Shard, mut offset: u64) -> Result<(), BreachError> {
        let mut left = 2 * shard.cells();
        if left == 0 {
            return Ok(());
        }
        let mut checksum = Context::new(&SHA256);
        let mut buffer = vec![0; 1 << 16];
        while left > 0 {
            let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let chunk = buffer.get_mut(..length).unwrap_or_default();
            self.reader.read_at(offset, chunk)?;
            checksum.update(chunk);
            offset += length as u64;
            left -= length as u64;
        }
        if checksum.finish().as_ref() == shard.checksum { Ok(()) } else { Err(BreachError::Damaged("the checksum of a shard does not fit")) }
    }

    /// How many passwords it knows.
    pub fn hashes(&self) -> u64 {
        self.header.hashes
    }

    /// What it was made of.
    pub fn source(&self) -> &str {
        &self.header.source
    }

    /// When.
    pub fn created_at(&self) -> Timestamp {
        self.header.created_at
    }
}
