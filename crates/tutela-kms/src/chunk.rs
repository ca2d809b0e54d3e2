//! C2SP chunked-encryption: a message of any length in chunks of 16 KiB, the last always shorter.
//!
//! The short last chunk is the end-of-message sign: a message that is cut at a chunk's edge does
//! not open. Nothing of a chunk is released before its tag is checked.

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, UnboundKey};

use crate::{Error, Suite, data_key::MessageKey};

/// Bytes of plaintext in a full chunk.
pub const CHUNK: usize = 16 << 10;
/// Bytes of an authentication tag.
pub const TAG: usize = 16;
/// Chunks of one message: 2^32, which is 64 TiB.
const MAX_CHUNKS: u64 = 1 << 32;

/// Seals or opens the chunks of one message, in order.
pub(crate) struct Chunks {
    key: LessSafeKey,
    base_nonce: [u8; 12],
    next: u64,
}

impl Chunks {
    pub(crate) fn new(suite: Suite, key: &MessageKey) -> Result<Self, Error> {
        let unbound = UnboundKey::new(suite.algorithm(), key.key.open()).map_err(|_| Error::Library)?;
        Ok(Self { key: LessSafeKey::new(unbound), base_nonce: key.nonce, next: 0 })
    }

    /// Seals the next chunk in place: everything in `buffer` from `start` on, at most 16 KiB.
    pub(crate) fn seal(&mut self, buffer: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        let nonce = self.nonce()?;
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut buffer[start..]).map_err(|_| Error::Library)?;
        buffer.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens the next chunk in place.
    pub(crate) fn open<'b>(&mut self, chunk: &'b mut [u8]) -> Result<&'b mut [u8], Error> {
        let nonce = self.nonce()?;
        self.key.open_in_place(nonce, Aad::empty(), chunk).map_err(|_| Error::DoesNotOpen("tag"))
    }

    /// Seals a whole message behind whatever `out` holds.
    pub(crate) fn seal_all(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        out.reserve(sealed_len(plaintext.len()));
        let full = plaintext.chunks_exact(CHUNK);
        let last = full.remainder();
        for chunk in full.chain([last]) {
            let start = out.len();
            out.extend_from_slice(chunk);
            self.seal(out, start)?;
        }
        Ok(())
    }

    /// Opens a whole message.
    pub(crate) fn open_all(&mut self, chunks: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(chunks.len());
        let full = chunks.chunks_exact(CHUNK + TAG);
        let last = full.remainder();
        for chunk in full.chain([last]) {
            let start = out.len();
            out.extend_from_slice(chunk);
            match self.open(&mut out[start..]).map(|clear| clear.len()) {
                Ok(len) => out.truncate(start + len),
                Err(e) => {
                    // Nothing of a message that does not open as a whole is kept.
                    zeroize::Zeroize::zeroize(&mut out);
                    return Err(e);
                }
            }
        }
        Ok(out)
    }

    fn nonce(&mut self) -> Result<Nonce, Error> {
        if self.next >= MAX_CHUNKS {
            return Err(Error::TooLong);
        }
        let nonce = nth_nonce(&self.base_nonce, self.next);
        self.next += 1;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

/// The base nonce with the big-endian number `n` XORed into its end.
pub(crate) fn nth_nonce(base: &[u8; 12], n: u64) -> [u8; 12] {
    let mut nonce = *base;
    for (byte, number) in nonce[4..].iter_mut().zip(n.to_be_bytes()) {
        *byte ^= number;
    }
    nonce
}

/// Length of the chunks of a plaintext.
pub(crate) fn sealed_len(plaintext: usize) -> usize {
    plaintext + (plaintext / CHUNK + 1) * TAG
}
