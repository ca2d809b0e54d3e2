//! Data keys, and what is derived from them.
//!
//! A data key never seals anything itself. From it come, by HKDF-Expand (RFC 5869 §2.3): a
//! single-use key for every message, the key of a context, and the keys of salts and indexes. The
//! first uses SHA-512, as C2SP chunked-encryption does with 256-bit AEADs; the others SHA-256.

use aws_lc_rs::hmac;
use tutela_core::{KeyId, Random, Secret, random_bytes};

use crate::{CallerContext, Suite};

/// Bytes of salt of a committed message.
pub const SALT: usize = 24;
/// Bytes of commitment of a committed message.
pub const COMMITMENT: usize = 32;

/// A 256-bit key with its name and version. Wiped when dropped.
pub struct DataKey {
    /// Its id.
    pub id: KeyId,
    /// Its version.
    pub version: u32,
    bytes: Box<Secret<[u8; 32]>>,
    prk: hmac::Key,
    message_prk: hmac::Key,
    hedge: hmac::Key,
    deterministic: hmac::Key,
}

/// What one message is sealed with, and never another.
pub(crate) struct MessageKey {
    pub key: Secret<[u8; 32]>,
    pub nonce: [u8; 12],
    pub commitment: [u8; COMMITMENT],
}

impl DataKey {
    /// A new key.
    pub fn generate(id: KeyId, version: u32, rng: &mut dyn Random) -> Self {
        Self::from_bytes(id, version, random_bytes(rng))
    }

    /// From its bytes.
    pub fn from_bytes(id: KeyId, version: u32, bytes: [u8; 32]) -> Self {
        let [prk, message_prk] = [hmac::HMAC_SHA256, hmac::HMAC_SHA512].map(|hash| hmac::Key::new(hash, &bytes));
        // The keys of salts are derived once: every message needs one of them.
        let [hedge, deterministic] = [&b"tutela hedged salt v1"[..], b"tutela deterministic salt v1"].map(|label| {
            let mut key = [0; 32];
            expand(&prk, &[label], &mut key);
            hmac::Key::new(hmac::HMAC_SHA256, Secret::new(key).open())
        });
        Self { id, version, prk, message_prk, hedge, deterministic, bytes: Box::new(Secret::new(bytes)) }
    }

    /// The key itself: to be wrapped, or sealed into a backup.
    pub fn bytes(&self) -> &[u8; 32] {
        self.bytes.open()
    }

    /// The key of one context: derived, never stored, the same every time.
    pub fn context_key(&self, context: &CallerContext) -> Secret<[u8; 32]> {
        self.expand_32(&[b"tutela context key v1", &context.key_bytes()])
    }

    /// The single-use key, first nonce and commitment for `salt` and `context`: C2SP chunked-encryption.
    pub(crate) fn message_key(&self, suite: Suite, salt: &[u8; SALT], context: &[u8]) -> MessageKey {
        let mut okm = [0; 76];
        expand(&self.message_prk, &[b"c2sp.org/chunked-encryption@v1+", suite.aead_name().as_bytes(), &[0], salt, context], &mut okm);
        let (mut key, mut nonce, mut commitment) = ([0; 32], [0; 12], [0; COMMITMENT]);
        key.copy_from_slice(&okm[..32]);
        nonce.copy_from_slice(&okm[32..44]);
        commitment.copy_from_slice(&okm[44..]);
        zeroize::Zeroize::zeroize(&mut okm);
        MessageKey { key: Secret::new(key), nonce, commitment }
    }

    /// A salt that repeats only where randomness, context and plaintext all do: a cloned machine
    /// whose random source repeats still seals no two messages with one key.
    pub(crate) fn hedged_salt(&self, random: &[u8; 32], context: &[u8], plaintext: &[u8]) -> [u8; SALT] {
        salt(&self.hedge, &[random, &(context.len() as u32).to_be_bytes(), context, plaintext])
    }

    /// The salt of a deterministic message: a fingerprint of all that goes in.
    pub(crate) fn deterministic_salt(&self, context: &[u8], plaintext: &[u8]) -> [u8; SALT] {
        salt(&self.deterministic, &[&(context.len() as u32).to_be_bytes(), context, plaintext])
    }

    /// The blind index key of a field.
    pub(crate) fn index_key(&self, path: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.expand_32(&[b"tutela blind index v1", path.as_bytes()]).open())
    }

    fn expand_32(&self, info: &[&[u8]]) -> Secret<[u8; 32]> {
        let mut out = [0; 32];
        expand(&self.prk, info, &mut out);
        Secret::new(out)
    }
}

fn salt(key: &hmac::Key, parts: &[&[u8]]) -> [u8; SALT] {
    let mut salt = [0; SALT];
    salt.copy_from_slice(&mac(key, parts).as_ref()[..SALT]);
    salt
}

/// HKDF-Expand (RFC 5869 §2.3) with the hash of `prk`, at most 255 blocks. Over HMAC rather than the
/// library's `hkdf`, whose every call schedules the key anew.
pub(crate) fn expand(prk: &hmac::Key, info: &[&[u8]], okm: &mut [u8]) {
    let mut previous: Option<hmac::Tag> = None;
    for (block, number) in okm.chunks_mut(prk.algorithm().tag_len()).zip(1..=255_u8) {
        let mut context = hmac::Context::with_key(prk);
        if let Some(tag) = &previous {
            context.update(tag.as_ref());
        }
        info.iter().for_each(|part| context.update(part));
        context.update(&[number]);
        let tag = context.sign();
        block.copy_from_slice(&tag.as_ref()[..block.len()]);
        previous = Some(tag);
    }
}

pub(crate) fn mac(key: &hmac::Key, parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    parts.iter().for_each(|part| context.update(part));
    context.sign()
}

/// The tag of a data subject under the instance's own key: the same for the same parts, and says
/// nothing without the key.
pub fn subject_tag(key: &[u8; 32], parts: &[&str]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(&(part.len() as u32).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

/// SHA-256 of what comes piece by piece.
pub struct Sha256(aws_lc_rs::digest::Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256))
    }
}

impl Sha256 {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The hash of all pieces.
    pub fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    out
}
