//! `@pm` and `@pmFromFile`: one of many phrases, in any case.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};

/// Phrases, and the machine that finds them.
#[derive(Debug, Clone)]
pub(crate) struct Phrases {
    all: Arc<[Vec<u8>]>,
    machine: AhoCorasick,
}

impl Phrases {
    pub(super) fn new(all: Vec<Vec<u8>>) -> Result<Self, String> {
        let all: Vec<Vec<u8>> = all.into_iter().filter(|phrase| !phrase.is_empty()).collect();
        if all.is_empty() {
            return Err("there is no phrase to look for".into());
        }
        let built = AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest).build(&all);
        Ok(Self { machine: built.map_err(|e| e.to_string())?, all: all.into() })
    }

    pub(super) fn all(&self) -> &[Vec<u8>] {
        &self.all
    }

    pub(super) fn find<'a>(&self, value: &'a [u8]) -> Option<&'a [u8]> {
        self.machine.find(value).map(|found| &value[found.range()])
    }
}

/// The words of an argument; between bars stand hexadecimal bytes: `|41 42|c`.
pub(super) fn words(text: &str) -> Vec<Vec<u8>> {
    let (mut words, mut word, mut hex) = (Vec::new(), Vec::new(), None::<String>);
    for c in text.chars() {
        match (&mut hex, c) {
            (Some(digits), '|') => {
                let digits: Vec<u8> = digits.bytes().filter_map(crate::transform::hex).collect();
                word.extend(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]));
                hex = None;
            }
            (Some(digits), c) => digits.push(c),
            (None, '|') => hex = Some(String::new()),
            (None, c) if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            (None, c) => word.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// The lines of a file that are no comments.
pub(super) fn entries(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_in_any_case_and_the_longest_is_told() {
        let phrases = Phrases::new(words("union select |41 42|c unions")).unwrap();
        assert_eq!(phrases.find(b"x UNIONS y"), Some(b"UNIONS".as_slice()));
        assert_eq!(phrases.find(b"abC"), Some(b"abC".as_slice()));
        assert_eq!(phrases.find(b"nothing"), None);
        assert!(Phrases::new(words(" ")).is_err());
        assert_eq!(entries(b"# a\n\n b c \r\nd"), ["b c", "d"]);
    }
}
