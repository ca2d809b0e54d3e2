//! What people and programs present: addresses, password hashes, recovery codes, tokens, filters of breached passwords.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use tutela_core::{Random, Secret, Timestamp};
use tutela_identity::{
    Algorithm, Cost, Email, Error, IdentityClaims, PasswordHash, TokenKeys,
    authenticator::{RecoveryCode, RecoverySet},
    jwt::{SigningKey, TokenKey},
    password::breach::BreachList,
};
use tutela_kms::{RootKey, open_token, seal_token};

use crate::{SEED, text};

/// A filter file that opens can be asked and verified, whatever is in its shards. Its checksum is made right first, or
/// nothing behind it would ever be read.
pub fn breach_list(data: &[u8]) {
    let _ = BreachList::open(data);
    let mut file = data.to_vec();
    file.resize(file.len().max(BREACH_HEADER), 0);
    let (body, rest) = file.split_at_mut(BREACH_HEADER - 32);
    rest[..32].copy_from_slice(digest(&SHA256, body).as_ref());
    let Ok(list) = BreachList::open(file.as_slice()) else { return };
    assert!(list.source().len() <= 256, "a source has at most 256 bytes");
    let _ = list.contains(&Secret::new("a few words in a row".to_owned()));
    let _ = list.verify_all();
}

/// An address that was taken is taken again, unchanged.
pub fn email(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Ok(found) = Email::parse(text) else { return };
    assert_eq!(Email::parse(found.as_str()).as_ref(), Ok(&found), "an address reads back");
    assert!(found.as_str().len() <= 254, "an address has at most 254 bytes");
}

/// A token that verifies is, byte for byte, the one that its claims are signed into.
pub fn identity_token(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Ok(claims) = IDENTITY.verify::<IdentityClaims>(text, ISSUER, &[], NOW) else { return };
    assert_eq!(claims.iss, ISSUER);
    assert!(claims.iat <= NOW.secs() + 5 && NOW.secs() < claims.exp, "a token outside of its time");
    assert_eq!(IDENTITY.sign(&claims, NOW).as_deref(), Ok(text), "a token has one text");
}

/// Reading a stored hash never fails loudly. Only hashes of the test cost are computed: the numbers
/// in a hash are memory and time.
pub fn password_phc(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let hash = PasswordHash::from_stored(text.to_owned());
    let _ = hash.is_outdated(Cost::default());
    if hash.is_outdated(CHEAP) {
        return;
    }
    let verdict = hash.verify(&Secret::new("a few words in a row".to_owned()));
    assert_ne!(verdict, Err(Error::BadHash), "it was readable a moment ago");
}

/// A code that was typed is one code however it is written again; a stored set has one text.
pub fn recovery(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Some(code) = RecoveryCode::parse(text) {
        let shown = code.text();
        assert_eq!(RecoveryCode::parse(shown.open()).map(|again| again.text().open().clone()), Some(shown.open().clone()), "a code reads back");
    }
    if let Ok(set) = RecoverySet::parse(text) {
        let left = set.left();
        let again = RecoverySet::parse(&set.to_text()).map(|set| (set.left(), set.to_text()));
        assert_eq!(again, Ok((left, set.to_text())), "a set reads back");
    }
}

/// What was sealed opens unchanged for its purpose, not for another, and not when a character differs.
pub fn sealed_token(data: &[u8]) {
    if let Some(text) = text(data) {
        let _ = open_token(&ROOT, PURPOSE, text);
    }
    let Ok(sealed) = seal_token(&ROOT, PURPOSE, data, &mut Count(data.len() as u64)) else { return };
    assert_eq!(open_token(&ROOT, PURPOSE, &sealed).as_deref(), Ok(data), "sealed and opened");
    assert!(open_token(&ROOT, b"another purpose", &sealed).is_err(), "opened for another purpose");
    let at = data.iter().map(|byte| usize::from(*byte)).sum::<usize>() % sealed.len();
    let other = if sealed[at..].starts_with('A') { "B" } else { "A" };
    let changed = format!("{}{other}{}", &sealed[..at], &sealed[at + 1..]);
    assert!(open_token(&ROOT, PURPOSE, &changed).is_err(), "opened although character {at} differs");
}

/// Bytes of a filter's header, its checksum of 32 at the end.
const BREACH_HEADER: usize = 296 + 256 * 56 + 32;
const ISSUER: &str = "http://tutela.localhost:8080";
const PURPOSE: &[u8] = b"fuzz";
const NOW: Timestamp = Timestamp::from_secs(1_001);
const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, allow_weak_for_tests: true };

/// The signer of the corpus.
#[expect(clippy::expect_used, reason = "the seed is a constant of 32 bytes")]
static IDENTITY: LazyLock<TokenKeys> = LazyLock::new(|| {
    let key = SigningKey::restore(Algorithm::EdDsa, &SEED).expect("a signer");
    TokenKeys::new(vec![TokenKey::new(key, Timestamp::from_secs(0)).expect("a signer")])
});

/// The root key of the corpus.
#[expect(clippy::expect_used, reason = "64 hexadecimal digits are a root key")]
static ROOT: LazyLock<RootKey> = LazyLock::new(|| RootKey::parse(&"07".repeat(32)).expect("a root key"));

/// Numbers instead of randomness, so that a finding can be repeated.
struct Count(u64);

impl Random for Count {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 += 1;
            chunk.copy_from_slice(&self.0.to_be_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_good_inputs_of_the_corpus_are_good() {
        let token = corpus(include_bytes!("../corpus/identity_token/signed"));
        assert_eq!(IDENTITY.verify::<IdentityClaims>(token, ISSUER, &[], NOW).unwrap().email, "ada@example.com");
        let sealed = corpus(include_bytes!("../corpus/sealed_token/sealed"));
        assert_eq!(open_token(&ROOT, PURPOSE, sealed).unwrap(), b"http://photos.localhost:8080/albums?page=2");
        let hash = PasswordHash::from_stored(corpus(include_bytes!("../corpus/password_phc/test_cost")).to_owned());
        assert!(!hash.is_outdated(CHEAP) && hash.verify(&Secret::new("a few words in a row".to_owned())).unwrap());
    }
}
