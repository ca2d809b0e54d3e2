//! Counting where there are more keys than can be remembered one by one: too many rather than too few.

/// Rows and columns of a table of counts.
const ROWS: usize = 4;
const COLUMNS: usize = 1 << 14;

/// Counts of this window and the last in a table of fixed size, where keys may share a place (a count-min sketch).
pub(crate) struct Overflow {
    since: i64,
    forgotten: u64,
    began: i64,
    current: Vec<u16>,
    previous: Vec<u16>,
}

impl Overflow {
    pub(crate) fn new(now: i64) -> Self {
        Self { since: now, forgotten: 0, began: now, current: vec![0; ROWS * COLUMNS], previous: vec![0; ROWS * COLUMNS] }
    }

    /// Since when it counts.
    pub(crate) fn since(&self) -> i64 {
        self.since
    }

    /// A key was forgotten that had been counted to `number` before this began to count.
    pub(crate) fn lost(&mut self, key: &[u8; 16], number: usize) {
        self.forgotten += 1;
        for at in places(key) {
            if let Some(count) = self.current.get_mut(at) {
                *count = count.saturating_add(u16::try_from(number).unwrap_or(u16::MAX));
            }
        }
    }

    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Counts one more of a key. Says how many there were in this window and the last, or more.
    pub(crate) fn count(&mut self, key: &[u8; 16], now: i64, window: i64) -> u32 {
        if now.saturating_sub(self.began) > window {
            let old = now.saturating_sub(self.began) > window.saturating_mul(2);
            std::mem::swap(&mut self.current, &mut self.previous);
            self.current.fill(0);
            if old {
                self.previous.fill(0);
            }
            self.began = now;
        }
        let mut least = u32::MAX;
        for at in places(key) {
            let (Some(current), Some(previous)) = (self.current.get_mut(at), self.previous.get(at)) else { continue };
            *current = current.saturating_add(1);
            least = least.min(u32::from(*current) + u32::from(*previous));
        }
        least
    }
}

/// Where a key is counted, a place in each row.
fn places(key: &[u8; 16]) -> impl Iterator<Item = usize> {
    let column = |part: &[u8]| part.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte)) % COLUMNS;
    key.chunks_exact(4).take(ROWS).enumerate().map(move |(row, part)| row * COLUMNS + column(part))
}
