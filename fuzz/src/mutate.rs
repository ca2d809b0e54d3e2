//! Mutations without knowledge of any format, but with a dictionary: without one, nothing finds
//! its way through a header line or a base64 length.

/// Inputs do not grow beyond this.
const LONGEST: usize = 8 * 1024;

/// Words of our formats, and values that arithmetic trips over.
const DICTIONARY: &[&str] = &[
    "\n",
    "\r\n",
    "\n\n",
    "\0",
    " ",
    "+",
    "-",
    "/",
    ".",
    "..",
    "=",
    "==",
    "$",
    ",",
    "@",
    "\"",
    "\\u0000",
    "\u{feff}",
    "\u{2014} ",
    "0",
    "00",
    "1e16",
    "1e400",
    "-0.0",
    "5e-324",
    "255",
    "256",
    "1023",
    "1024",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "null",
    "true",
    "{}",
    "[[[[",
    "{\"a\":",
    ".p/",
    "x000/",
    "x001/",
    "index ",
    "extra ",
    "c2sp.org/tlog-proof@v1\n",
    "example.com/log\n",
    "\u{2014} example.com/log ",
    "$argon2id$v=19$",
    "m=64,t=1,p=1",
    "m=4294967295",
    "eyJhbGciOiJub25lIn0.",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
];

/// A seeded source of mutations (splitmix64; not for keys).
pub struct Mutator {
    state: u64,
}

impl Mutator {
    /// The same seed gives the same inputs for the same corpus.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// One input of the corpus with one to eight changes.
    pub fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.pick(corpus).cloned().unwrap_or_default();
        for _ in 0..=self.below(8) {
            self.change(&mut input, corpus);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        match self.below(8) {
            0 => {
                let bit = 1 << self.below(8);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= bit;
                }
            }
            1 => {
                let value = self.below(256) as u8;
                if let Some(byte) = input.get_mut(at) {
                    *byte = value;
                }
            }
            2 => input.truncate(at),
            3 => {
                let end = (at + 1 + self.below(16)).min(input.len());
                input.drain(at..end.max(at));
            }
            4 => self.repeat(input, at),
            // Half a good input behind half of another.
            5 => {
                let other = self.pick(corpus).cloned().unwrap_or_default();
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let word = self.pick(DICTIONARY).copied().unwrap_or_default();
                input.splice(at..at, word.bytes());
            }
        }
    }

    fn repeat(&mut self, input: &mut Vec<u8>, at: usize) {
        let end = (at + 1 + self.below(64)).min(input.len());
        let part = input.get(at..end).unwrap_or_default().to_vec();
        for _ in 0..=self.below(4) {
            input.splice(at..at, part.iter().copied());
        }
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len().max(1)))
    }

    /// A number below `limit`, which is not zero.
    fn below(&mut self, limit: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_inputs_stay_bounded() {
        let corpus = vec![b"example.com/log\n5\n".to_vec(), vec![0; LONGEST]];
        let inputs = |seed| {
            let mut mutator = Mutator::new(seed);
            (0..500).map(|_| mutator.mutate(&corpus)).collect::<Vec<_>>()
        };
        assert_eq!(inputs(3), inputs(3));
        assert_ne!(inputs(3), inputs(4));
        assert!(inputs(3).iter().all(|input| input.len() <= LONGEST));
    }

    #[test]
    fn an_empty_corpus_still_gives_inputs() {
        let mut mutator = Mutator::new(1);
        assert!((0..100).any(|_| !mutator.mutate(&[]).is_empty()));
    }
}
