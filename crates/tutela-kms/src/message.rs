//! A sealed message: its header and its three equal forms.
//!
//! ```text
//! 0x01 | suite | key id 16 | key version u32 | salt 24 | commitment 32 | chunks      (suites 1, 2, 5)
//! 0x01 | suite | key id 16 | key version u32 | nonce 12 | ciphertext | tag 16        (suites 4, 6)
//! ```

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use tutela_core::KeyId;

use crate::{
    COMMITMENT, Error, SALT, Suite,
    chunk::{CHUNK, TAG},
};

const FORMAT: u8 = 1;
/// Bytes before salt or nonce.
pub(crate) const HEADER: usize = 1 + 1 + 16 + 4;
/// Bytes of a nonce.
pub(crate) const NONCE: usize = 12;
/// What the text form begins with.
pub const TEXT_PREFIX: &str = "tut1.";

/// A message whose shape was checked; nothing in it is trusted before it opens.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub(crate) bytes: Vec<u8>,
    suite: Suite,
}

/// The first bytes of a message: which suite and key it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The suite.
    pub suite: Suite,
    /// The key.
    pub key: KeyId,
    /// And its version.
    pub version: u32,
}

/// The parts of a message by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Everything but the last tag.
    pub ciphertext: &'a [u8],
    /// The nonce of the plain suites; of the others it is derived.
    pub nonce: Option<&'a [u8]>,
    /// The last tag.
    pub tag: &'a [u8],
    /// The salt of the committed suites.
    pub salt: Option<&'a [u8]>,
    /// The commitment of the committed suites.
    pub commitment: Option<&'a [u8]>,
}

impl Header {
    /// Reads the first 22 bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let (head, _) = bytes.split_at_checked(HEADER).ok_or(Error::Malformed("it is too short"))?;
        if head[0] != FORMAT {
            return Err(Error::Malformed("it has another format than 1"));
        }
        let suite = Suite::from_number(head[1]).ok_or(Error::Malformed("its suite is not known"))?;
        let (mut key, mut version) = ([0; 16], [0; 4]);
        key.copy_from_slice(&head[2..18]);
        version.copy_from_slice(&head[18..]);
        Ok(Self { suite, key: KeyId(uuid::Uuid::from_bytes(key)), version: u32::from_be_bytes(version) })
    }

    /// Begins a message.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        out.push(self.suite as u8);
        out.extend_from_slice(self.key.0.as_bytes());
        out.extend_from_slice(&self.version.to_be_bytes());
    }

    /// Bytes before the ciphertext.
    pub(crate) fn prefix_len(suite: Suite) -> usize {
        HEADER + if suite.is_plain() { NONCE } else { SALT + COMMITMENT }
    }
}

impl Message {
    /// Checks the shape of the binary form.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        let suite = Header::parse(&bytes)?.suite;
        let body = bytes.len().checked_sub(Header::prefix_len(suite)).ok_or(Error::Malformed("it is too short"))?;
        // A committed message ends with a short chunk, which holds a tag at least.
        let whole = if suite.is_plain() { body >= TAG } else { body % (CHUNK + TAG) >= TAG };
        if whole { Ok(Self { bytes, suite }) } else { Err(Error::Malformed("it is cut off")) }
    }

    /// Reads the text form, or the binary form in base64.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let decoded = match text.strip_prefix(TEXT_PREFIX) {
            Some(rest) => URL_SAFE_NO_PAD.decode(rest),
            None => STANDARD.decode(text),
        };
        Self::from_bytes(decoded.map_err(|_| Error::Malformed("it is neither `tut1.` and base64url nor base64"))?)
    }

    /// Puts a message together from its parts. A nonce that is derived is checked when the message opens.
    pub fn from_parts(header: Header, parts: &Parts<'_>) -> Result<Self, Error> {
        let mut bytes = Vec::with_capacity(HEADER + SALT + COMMITMENT + parts.ciphertext.len() + TAG);
        header.write(&mut bytes);
        let mut part = |name: &'static str, value: Option<&[u8]>, len: usize| match value {
            Some(value) if value.len() == len => {
                bytes.extend_from_slice(value);
                Ok(())
            }
            _ => Err(Error::Malformed(name)),
        };
        if header.suite.is_plain() {
            part("`nonce` must have 12 bytes", parts.nonce, NONCE)?;
        } else {
            part("`salt` must have 24 bytes", parts.salt, SALT)?;
            part("`commitment` must have 32 bytes", parts.commitment, COMMITMENT)?;
        }
        bytes.extend_from_slice(parts.ciphertext);
        if parts.tag.len() != TAG {
            return Err(Error::Malformed("`tag` must have 16 bytes"));
        }
        bytes.extend_from_slice(parts.tag);
        Self::from_bytes(bytes)
    }

    /// The binary form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text form.
    pub fn to_text(&self) -> String {
        let mut out = String::with_capacity(TEXT_PREFIX.len() + self.bytes.len() * 4 / 3 + 3);
        out.push_str(TEXT_PREFIX);
        URL_SAFE_NO_PAD.encode_string(&self.bytes, &mut out);
        out
    }

    /// Which suite and key it needs.
    pub fn header(&self) -> Header {
        // INVARIANT: the header was parsed when the message was made; a message cannot lose it.
        Header::parse(&self.bytes).unwrap_or(Header { suite: self.suite, key: KeyId(uuid::Uuid::nil()), version: 0 })
    }

    /// Its parts by name.
    pub fn parts(&self) -> Parts<'_> {
        let (head, body) = self.bytes.split_at(Header::prefix_len(self.suite));
        let (ciphertext, tag) = body.split_at(body.len() - TAG);
        let plain = self.suite.is_plain();
        Parts {
            ciphertext,
            nonce: plain.then(|| &head[HEADER..]),
            tag,
            salt: (!plain).then(|| &head[HEADER..HEADER + SALT]),
            commitment: (!plain).then(|| &head[HEADER + SALT..]),
        }
    }

    /// What follows header, salt and commitment, or nonce.
    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[Header::prefix_len(self.suite)..]
    }
}
