//! Ways to sign in beside the password (SP 800-63B-4 §3.1): passkeys, codes of an app, codes that are sent, recovery codes.
//!
//! Each file is a rule over its inputs. What was tried how often is counted by whoever calls; what is kept is what a
//! reader of the store could not use: hashes, public keys, and the one shared secret of the app sealed by the caller.

mod code;
mod passkey;
mod phone;
mod qr;
mod recovery;
mod totp;

pub use code::{Code, CodeHash, CodeRefused, LIFE as CODE_LIFE, MAX_TRIES as CODE_TRIES, SentCode};
pub use passkey::{LIFE as PASSKEY_LIFE, PasskeyRefused, PasskeyUsed, Passkeys, StoredPasskey};
pub use phone::Phone;
pub use qr::svg;
pub use recovery::{CODES as RECOVERY_CODES, RecoveryCode, RecoverySet};
pub use totp::{Step, TotpRefused, TotpSecret};

/// The characters of RFC 4648 §6.
const RFC_4648: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// The characters of Douglas Crockford's base 32, in lower case: no `i`, `l`, `o` and `u`.
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Base 32 without padding.
fn base32(bytes: &[u8], alphabet: &[u8; 32]) -> String {
    let mut out = String::with_capacity((bytes.len() * 8).div_ceil(5));
    for group in bytes.chunks(5) {
        let bits = group.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte)) << (8 * (5 - group.len()));
        let characters = (0..8).rev().map(|at| alphabet.get((bits >> (5 * at)) as usize & 31).copied().map_or('?', char::from));
        out.extend(characters.take((group.len() * 8).div_ceil(5)));
    }
    out
}

/// In groups of `size` characters with `between` between them, as people read aloud and type.
fn grouped(text: &str, size: usize, between: char) -> String {
    let mut out = String::with_capacity(2 * text.len());
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % size == 0 {
            out.push(between);
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_32_is_that_of_rfc_4648() {
        // RFC 4648 §10, without the padding.
        let vectors = [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB"), ("foobar", "MZXW6YTBOI")];
        for (text, expected) in vectors {
            assert_eq!(base32(text.as_bytes(), RFC_4648), expected);
        }
    }

    #[test]
    fn groups_have_nothing_before_and_nothing_after() {
        assert_eq!(grouped("12345678", 4, ' '), "1234 5678");
        assert_eq!(grouped("123456789", 4, '-'), "1234-5678-9");
        assert_eq!(grouped("", 4, ' '), "");
    }
}
