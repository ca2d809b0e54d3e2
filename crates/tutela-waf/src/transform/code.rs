//! Codes: Base64, hexadecimal digits, SHA-1, UTF-8.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::hex;

/// What can be decoded is; `lenient` goes on after bytes that are no Base64.
pub(super) fn base64_decode(value: &[u8], lenient: bool, out: &mut Vec<u8>) {
    let (mut bits, mut count) = (0_u32, 0_u32);
    for &byte in value {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ if lenient && byte != b'=' => continue,
            _ => break,
        };
        (bits, count) = (bits << 6 | u32::from(digit), count + 6);
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
}

pub(super) fn base64_encode(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(STANDARD.encode(value).as_bytes());
}

pub(super) fn hex_decode(value: &[u8], out: &mut Vec<u8>) {
    out.extend(value.chunks_exact(2).map_while(|pair| Some(hex(pair[0])? << 4 | hex(pair[1])?)));
}

pub(super) fn hex_encode(value: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend(value.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
}

pub(super) fn sha1(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, value).as_ref());
}

/// `0x4142` anywhere in the value is `AB`.
pub(super) fn sql_hex(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        let digits = match value.get(at + 1) {
            Some(b'x' | b'X') if byte == b'0' => value[at + 2..].iter().take_while(|b| b.is_ascii_hexdigit()).count() & !1,
            _ => 0,
        };
        if digits > 0 {
            hex_decode(&value[at + 2..at + 2 + digits], out);
            at += 2 + digits;
        } else {
            out.push(byte);
            at += 1;
        }
    }
}

/// Whole characters beyond ASCII become `%uhhhh`; bytes that are no UTF-8 stay.
pub(super) fn utf8_to_unicode(value: &[u8], out: &mut Vec<u8>) {
    for chunk in value.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_ascii() {
                out.push(c as u8);
            } else {
                out.extend_from_slice(format!("%u{:04x}", u32::from(c)).as_bytes());
            }
        }
        out.extend_from_slice(chunk.invalid());
    }
}
