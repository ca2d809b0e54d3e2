use std::io::{BufRead, Read as _, Seek, SeekFrom, Write};

use aws_lc_rs::digest::{Context, SHA256};
use tutela_core::Timestamp;
use xorf::BinaryFuse16;

use super::{
    BreachError, MAX_SOURCE, Place,
    format::{HEADER, Header, SHARDS, Shard},
};

/// Most hashes with one first byte; at an even spread this is a list of eight billion.
const MAX_SHARD: usize = 1 << 25;
/// A hash, a count and an end of line take less.
const LONGEST_LINE: u64 = 128;
const PROGRESS_EVERY: u64 = 1 << 16;

/// What became of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines read.
    pub lines: u64,
    /// Hashes in the filter.
    pub hashes: u64,
    /// Lines that said again what the line before had said.
    pub duplicates: u64,
    /// Size of the filter in bytes.
    pub bytes: u64,
}

/// Builds a filter from lines `SHA1HEX[:count]`, sorted by hash, with LF or CRLF: the download of Have I Been Pwned.
///
/// One list always gives the same file but for `created_at`. `progress` hears the number of lines now and then. The
/// header is written last: what is cut short on the way has none and is refused by [`BreachList::open`](super::BreachList::open).
pub fn build(mut lines: impl BufRead, mut out: impl Write + Seek, source: &str, now: Timestamp, progress: &mut dyn FnMut(u64)) -> Result<Summary, BreachError> {
    if source.len() > MAX_SOURCE {
        return Err(BreachError::Source("has a name of more than 256 bytes"));
    }
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&[0; HEADER])?;
    let mut shards = vec![Shard::default(); SHARDS];
    let mut summary = Summary::default();
    let mut keys: Vec<u64> = Vec::new();
    let mut last: Option<(Place, [u8; 20])> = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        let number = summary.lines + 1;
        let wrong = |problem| BreachError::Line { number, problem };
        if lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let hash = parse(&line)
            .filter(|_| (line.len() as u64) < LONGEST_LINE)
            .ok_or_else(|| wrong("is not a SHA-1 in 40 hexadecimal digits, with or without `:count`"))?;
        let place = Place::of(&hash);
        summary.lines = number;
        if number.is_multiple_of(PROGRESS_EVERY) {
            progress(number);
        }
        if let Some((before, before_hash)) = last {
            if hash < before_hash {
                return Err(wrong("is not in order; download the list ordered by hash, or sort it with `LC_ALL=C sort`"));
            }
            if place == before {
                summary.duplicates += 1;
                continue;
            }
            if place.shard != before.shard {
                write(&mut out, &mut shards, before.shard, &keys)?;
                keys.clear();
            }
        }
        if keys.len() == MAX_SHARD {
            return Err(wrong("is one of too many that begin with the same two digits; this is no list of SHA-1 hashes"));
        }
        keys.push(place.key);
        summary.hashes += 1;
        last = Some((place, hash));
    }
    progress(summary.lines);
    let Some((place, _)) = last else { return Err(BreachError::Source("is empty")) };
    write(&mut out, &mut shards, place.shard, &keys)?;
    summary.bytes = out.stream_position()?;
    out.flush()?;
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&Header { source: source.to_owned(), created_at: now, hashes: summary.hashes, shards }.encode())?;
    out.flush()?;
    Ok(summary)
}

/// Appends one shard and notes it in the table.
fn write(out: &mut impl Write, shards: &mut [Shard], byte: u8, keys: &[u64]) -> Result<(), BreachError> {
    let filter = BinaryFuse16::try_from(keys).map_err(|_| BreachError::Source("has hashes that no filter can be made of"))?;
    let mut checksum = Context::new(&SHA256);
    for cells in filter.fingerprints.chunks(4_096) {
        let bytes: Vec<u8> = cells.iter().flat_map(|cell| cell.to_le_bytes()).collect();
        checksum.update(&bytes);
        out.write_all(&bytes)?;
    }
    let found = Shard {
        seed: filter.descriptor.seed,
        hashes: keys.len() as u64,
        segment: filter.descriptor.segment_length,
        segments: filter.descriptor.segment_count_length,
        checksum: checksum.finish().as_ref().try_into().map_err(|_| BreachError::Source("cannot be hashed"))?,
    };
    if found.cells() != filter.fingerprints.len() as u64 {
        return Err(BreachError::Source("became a filter of a shape that cannot be asked"));
    }
    if let Some(shard) = shards.get_mut(usize::from(byte)) {
        *shard = found;
    }
    Ok(())
}

fn parse(line: &[u8]) -> Option<[u8; 20]> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (hash, count) = line.split_at_checked(40)?;
    if !count.is_empty() && !count.strip_prefix(b":").is_some_and(|count| !count.is_empty() && count.iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let mut out = [0; 20];
    for (byte, pair) in out.iter_mut().zip(hash.chunks(2)) {
        let [high, low] = pair else { return None };
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(out)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
