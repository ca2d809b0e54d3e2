//! Sealing and opening one message.

use aws_lc_rs::{
    aead::{Aad, LessSafeKey, Nonce, UnboundKey},
    constant_time::verify_slices_are_equal,
};
use tutela_core::{Random, random_bytes};

use crate::{
    Binding, COMMITMENT, DataKey, Error, Message, SALT, Suite,
    chunk::{Chunks, sealed_len},
    message::{HEADER, Header, NONCE},
};

/// Plaintexts up to this length get a hedged salt; beyond it hashing them would cost more than sealing.
pub(crate) const HEDGED: usize = 4 << 10;

/// Seals `plaintext` under a single-use key of `key`, bound to `binding`.
///
/// In the plain suites the nonce is random: the caller counts messages against the key's budget.
pub fn seal(key: &DataKey, suite: Suite, binding: &Binding<'_>, plaintext: &[u8], rng: &mut dyn Random) -> Result<Message, Error> {
    if suite.is_plain() {
        return seal_plain(key, suite, binding, plaintext, rng);
    }
    let context = binding.canonical(suite, key.id, key.version);
    let salt = if suite.is_deterministic() {
        key.deterministic_salt(&context, plaintext)
    } else if plaintext.len() <= HEDGED {
        key.hedged_salt(&random_bytes(rng), &context, plaintext)
    } else {
        random_bytes(rng)
    };
    seal_with_salt(key, suite, &context, &salt, plaintext)
}

/// The danger of this file: `salt` must never repeat for a key and context with another plaintext.
pub(crate) fn seal_with_salt(key: &DataKey, suite: Suite, context: &[u8], salt: &[u8; SALT], plaintext: &[u8]) -> Result<Message, Error> {
    let once = key.message_key(suite, salt, context);
    let mut bytes = Vec::with_capacity(HEADER + SALT + COMMITMENT + sealed_len(plaintext.len()));
    Header { suite, key: key.id, version: key.version }.write(&mut bytes);
    bytes.extend_from_slice(salt);
    bytes.extend_from_slice(&once.commitment);
    Chunks::new(suite, &once)?.seal_all(plaintext, &mut bytes)?;
    Message::from_bytes(bytes)
}

/// Opens a message. The commitment is compared first, and no other key is ever tried.
pub fn open(key: &DataKey, binding: &Binding<'_>, message: &Message) -> Result<Vec<u8>, Error> {
    let Header { suite, key: id, version } = message.header();
    if (id, version) != (key.id, key.version) {
        return Err(Error::DoesNotOpen("key"));
    }
    if suite.is_plain() {
        return open_plain(key, suite, binding, message);
    }
    let parts = message.parts();
    let mut chunks = committed(key, suite, &binding.canonical(suite, id, version), parts.salt, parts.commitment)?.1;
    chunks.open_all(message.body())
}

/// Derives the single-use key and compares the commitment.
pub(crate) fn committed(
    key: &DataKey,
    suite: Suite,
    context: &[u8],
    salt: Option<&[u8]>,
    commitment: Option<&[u8]>,
) -> Result<(crate::data_key::MessageKey, Chunks), Error> {
    let salt: &[u8; SALT] = salt.and_then(|s| s.try_into().ok()).ok_or(Error::DoesNotOpen("salt"))?;
    let once = key.message_key(suite, salt, context);
    verify_slices_are_equal(&once.commitment, commitment.unwrap_or_default()).map_err(|_| Error::DoesNotOpen("commitment"))?;
    let chunks = Chunks::new(suite, &once)?;
    Ok((once, chunks))
}

/// The nonce of a message's first chunk, so that any AES-256-GCM can check the JSON form.
pub fn first_nonce(key: &DataKey, binding: &Binding<'_>, message: &Message) -> Result<[u8; NONCE], Error> {
    let Header { suite, key: id, version } = message.header();
    let parts = message.parts();
    match parts.nonce {
        Some(nonce) => nonce.try_into().map_err(|_| Error::Library),
        None => Ok(committed(key, suite, &binding.canonical(suite, id, version), parts.salt, parts.commitment)?.0.nonce),
    }
}

// === The plain suites ===

fn seal_plain(key: &DataKey, suite: Suite, binding: &Binding<'_>, plaintext: &[u8], rng: &mut dyn Random) -> Result<Message, Error> {
    let (aead, aad) = plain_key(key, suite, binding)?;
    let nonce: [u8; NONCE] = random_bytes(rng);
    let mut bytes = Vec::with_capacity(HEADER + NONCE + plaintext.len() + 16);
    Header { suite, key: key.id, version: key.version }.write(&mut bytes);
    bytes.extend_from_slice(&nonce);
    let start = bytes.len();
    bytes.extend_from_slice(plaintext);
    let tag = aead.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut bytes[start..]).map_err(|_| Error::Library)?;
    bytes.extend_from_slice(tag.as_ref());
    Message::from_bytes(bytes)
}

fn open_plain(key: &DataKey, suite: Suite, binding: &Binding<'_>, message: &Message) -> Result<Vec<u8>, Error> {
    let (aead, aad) = plain_key(key, suite, binding)?;
    let nonce: [u8; NONCE] = message.parts().nonce.and_then(|n| n.try_into().ok()).ok_or(Error::DoesNotOpen("nonce"))?;
    let mut body = message.body().to_vec();
    let clear = aead.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut body).map_err(|_| Error::DoesNotOpen("tag"))?;
    let len = clear.len();
    body.truncate(len);
    Ok(body)
}

/// The context's own key, and the context as additional data, as a caller with that key would do it.
fn plain_key(key: &DataKey, suite: Suite, binding: &Binding<'_>) -> Result<(LessSafeKey, Vec<u8>), Error> {
    let context = binding.caller().ok_or(Error::Library)?;
    let unbound = UnboundKey::new(suite.algorithm(), key.context_key(context).open()).map_err(|_| Error::Library)?;
    Ok((LessSafeKey::new(unbound), context.aad()))
}
