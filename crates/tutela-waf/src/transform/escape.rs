//! Escapes that begin with a backslash.

use super::{hex, narrow};

/// JavaScript: `\x41`, `\u0041`, `\101`, `\n`; before anything else the backslash is dropped.
pub(super) fn javascript(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        let rest = value.get(at + 1..).unwrap_or_default();
        let (found, length) = match (byte, rest.first()) {
            (b'\\', Some(b'u')) => match digits(&rest[1..], 4) {
                Some(code) => (narrow(code), 6),
                None => (b'u', 2),
            },
            (b'\\', Some(b'x')) => match digits(&rest[1..], 2) {
                Some(code) => (code as u8, 4),
                None => (b'x', 2),
            },
            (b'\\', Some(b'0'..=b'7')) => {
                let (code, length) = octal(rest);
                (code, 1 + length)
            }
            (b'\\', Some(&letter)) => (control(letter).unwrap_or(letter), 2),
            _ => (byte, 1),
        };
        out.push(found);
        at += length;
    }
}

/// C: what is no escape stays, with its backslash.
pub(super) fn ansi_c(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        let rest = value.get(at + 1..).unwrap_or_default();
        let found = match (byte, rest.first()) {
            (b'\\', Some(b'x')) => digits(&rest[1..], 2).map(|code| (code as u8, 4)),
            (b'\\', Some(b'0'..=b'7')) => Some(octal(rest)).map(|(code, length)| (code, 1 + length)),
            (b'\\', Some(&letter)) => control(letter).or(Some(letter).filter(|c| b"\\?'\"".contains(c))).map(|found| (found, 2)),
            _ => None,
        };
        let (found, length) = found.unwrap_or((byte, 1));
        out.push(found);
        at += length;
    }
}

/// CSS: one to six hexadecimal digits and a space that ends them; a backslash before a line end goes with it.
pub(super) fn css(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        if byte != b'\\' {
            out.push(byte);
            at += 1;
            continue;
        }
        let rest = value.get(at + 1..).unwrap_or_default();
        let count = rest.iter().take(6).take_while(|b| b.is_ascii_hexdigit()).count();
        at += match rest.first() {
            _ if count > 0 => {
                // The last two digits count, but for the full-width forms of ASCII.
                let code = digits(rest, count).unwrap_or(0);
                out.push(narrow(code));
                1 + count + usize::from(rest.get(count).is_some_and(u8::is_ascii_whitespace))
            }
            Some(b'\n') => 2,
            Some(&other) => {
                out.push(other);
                2
            }
            None => 1,
        };
    }
}

fn digits(bytes: &[u8], count: usize) -> Option<u32> {
    bytes.get(..count)?.iter().try_fold(0_u32, |code, digit| Some(code << 4 | u32::from(hex(*digit)?)))
}

/// Up to three digits, and not beyond 255.
fn octal(bytes: &[u8]) -> (u8, usize) {
    let most = if bytes.first().is_some_and(|digit| *digit > b'3') { 2 } else { 3 };
    let count = bytes.iter().take(most).take_while(|b| (b'0'..=b'7').contains(b)).count();
    (bytes[..count].iter().fold(0, |code: u8, digit| code << 3 | (digit - b'0')), count)
}

fn control(letter: u8) -> Option<u8> {
    Some(match letter {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => 10,
        b'r' => 13,
        b't' => 9,
        b'v' => 11,
        _ => return None,
    })
}
