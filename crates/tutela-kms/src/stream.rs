//! Messages of any length, a piece at a time: at most one chunk is held.

use tutela_core::{Random, random_bytes};

use crate::{
    Binding, DataKey, Error, Header, Message, Suite,
    chunk::{CHUNK, Chunks, TAG},
    seal::committed,
};

/// Seals what is pushed; [`StreamSealer::finish`] ends the message.
pub struct StreamSealer {
    chunks: Chunks,
    buffer: Vec<u8>,
    head: Vec<u8>,
}

/// Opens what is pushed; only checked chunks come out, and only a whole message finishes.
pub struct StreamOpener {
    chunks: Chunks,
    buffer: Vec<u8>,
}

impl StreamSealer {
    /// Begins a message. The plain and the deterministic suites have no streams.
    pub fn new(key: &DataKey, suite: Suite, binding: &Binding<'_>, rng: &mut dyn Random) -> Result<Self, Error> {
        if suite.is_plain() || suite.is_deterministic() {
            return Err(Error::NoStream(suite.name()));
        }
        let salt = random_bytes(rng);
        let once = key.message_key(suite, &salt, &binding.canonical(suite, key.id, key.version));
        let mut head = Vec::new();
        Header { suite, key: key.id, version: key.version }.write(&mut head);
        head.extend_from_slice(&salt);
        head.extend_from_slice(&once.commitment);
        Ok(Self { chunks: Chunks::new(suite, &once)?, buffer: Vec::with_capacity(CHUNK), head })
    }

    /// Takes more plaintext and gives what can be sent.
    pub fn push(&mut self, mut plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = std::mem::take(&mut self.head);
        while !plaintext.is_empty() {
            let (now, later) = plaintext.split_at(plaintext.len().min(CHUNK - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            plaintext = later;
            if self.buffer.len() == CHUNK {
                self.flush(&mut out)?;
            }
        }
        Ok(out)
    }

    /// Ends the message with its short last chunk.
    pub fn finish(mut self) -> Result<Vec<u8>, Error> {
        let mut out = std::mem::take(&mut self.head);
        self.flush(&mut out)?;
        Ok(out)
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        out.append(&mut self.buffer);
        self.chunks.seal(out, start)
    }
}

impl StreamOpener {
    /// Bytes that [`StreamOpener::new`] needs: everything before the first chunk.
    pub fn head_len(header: &Header) -> usize {
        Header::prefix_len(header.suite)
    }

    /// Begins with the first bytes of a message; the commitment is compared here.
    pub fn new(key: &DataKey, binding: &Binding<'_>, head: &[u8]) -> Result<Self, Error> {
        let header = Header::parse(head)?;
        if header.suite.is_plain() {
            return Err(Error::NoStream(header.suite.name()));
        }
        if (header.key, header.version) != (key.id, key.version) || head.len() != Self::head_len(&header) {
            return Err(Error::DoesNotOpen("key"));
        }
        // An empty last chunk completes the shape, so that the parts can be named.
        let shaped = Message::from_bytes([head, &[0; TAG]].concat())?;
        let parts = shaped.parts();
        let context = binding.canonical(header.suite, key.id, key.version);
        let (_, chunks) = committed(key, header.suite, &context, parts.salt, parts.commitment)?;
        Ok(Self { chunks, buffer: Vec::with_capacity(CHUNK + TAG) })
    }

    /// Takes more of the message and gives the plaintext of every chunk that is complete.
    pub fn push(&mut self, mut sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        while !sealed.is_empty() {
            let (now, later) = sealed.split_at(sealed.len().min(CHUNK + TAG - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            sealed = later;
            if self.buffer.len() == CHUNK + TAG {
                out.extend_from_slice(self.chunks.open(&mut self.buffer)?);
                self.buffer.clear();
            }
        }
        Ok(out)
    }

    /// Opens the short last chunk. Where it is missing the message was cut off.
    pub fn finish(mut self) -> Result<Vec<u8>, Error> {
        if self.buffer.len() < TAG {
            return Err(Error::DoesNotOpen("cut off"));
        }
        Ok(self.chunks.open(&mut self.buffer)?.to_vec())
    }
}
