//! Percent escapes.

use std::collections::HashMap;

use super::{hex, narrow};

/// Which byte a code point is taken for by servers of one code page.
#[derive(Debug, Default)]
pub(crate) struct UnicodeMap(HashMap<u32, u8>);

impl UnicodeMap {
    /// Reads the map of a code page out of a file that holds several, each a line of `hhhh:hh` pairs after its number.
    pub(crate) fn read(text: &str, page: u32) -> Option<Self> {
        let mut words = text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(str::split_whitespace);
        words.by_ref().find(|word| word.parse() == Ok(page))?;
        let pairs = words.by_ref().skip_while(|word| !word.contains(':')).map_while(|word| {
            let (code, byte) = word.split_once(':')?;
            Some((u32::from_str_radix(code, 16).ok()?, u8::from_str_radix(byte, 16).ok()?))
        });
        Some(Self(pairs.collect()))
    }
}

fn escaped(value: &[u8], at: usize) -> Option<u8> {
    Some(hex(*value.get(at + 1)?)? << 4 | hex(*value.get(at + 2)?)?)
}

pub(crate) fn decode(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        let found = (byte == b'%').then(|| escaped(value, at)).flatten();
        at += if found.is_some() { 3 } else { 1 };
        out.push(found.unwrap_or(if byte == b'+' { b' ' } else { byte }));
    }
}

pub(super) fn decode_uni(value: &[u8], map: Option<&UnicodeMap>, out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        let wide = || -> Option<u8> {
            let digits = value.get(at + 2..at + 6).filter(|_| matches!(value.get(at + 1), Some(b'u' | b'U')))?;
            let code = digits.iter().try_fold(0_u32, |code, digit| Some(code << 4 | u32::from(hex(*digit)?)))?;
            Some(map.and_then(|map| map.0.get(&code).copied()).unwrap_or_else(|| narrow(code)))
        };
        let (found, length) = match byte {
            b'%' => match (wide(), escaped(value, at)) {
                (Some(byte), _) => (byte, 6),
                (None, Some(byte)) => (byte, 3),
                (None, None) => (byte, 1),
            },
            b'+' => (b' ', 1),
            _ => (byte, 1),
        };
        out.push(found);
        at += length;
    }
}

pub(super) fn encode(value: &[u8], out: &mut Vec<u8>) {
    for &byte in value {
        match byte {
            b' ' => out.push(b'+'),
            b'*' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => out.push(byte),
            _ => out.extend_from_slice(format!("%{byte:02x}").as_bytes()),
        }
    }
}

/// Whether an escape in it is broken.
pub(crate) fn has_broken_escape(value: &[u8]) -> bool {
    memchr::memchr_iter(b'%', value).any(|at| escaped(value, at).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_page_is_read_out_of_its_file() {
        let text = "# pages\n\n1250 (ANSI)\n00a1:21 00a2:63\n\n20127 (US-ASCII)\n00a0:20 2215:2f\n\n28591 (x)\n2215:00\n";
        let (map, mut out) = (UnicodeMap::read(text, 20_127).unwrap(), Vec::new());
        decode_uni(b"%u2215%u00a0%u00a1", Some(&map), &mut out);
        assert_eq!(out, b"/ \xa1");
        assert!(UnicodeMap::read(text, 1).is_none());
    }
}
