//! Checkpoints as signed notes (C2SP tlog-checkpoint, signed-note): who says which tree.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::{Error, Flaw, Hash};

/// Signature type of Ed25519 in signed notes.
const ED25519_TYPE: u8 = 1;

/// The statement that a log of `origin` has `size` entries under `root`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log, unique in the world.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
}

impl Checkpoint {
    fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root))
    }

    /// Reads a signed note and checks that `key` signed it. Other signatures (witnesses) may stand beside.
    pub fn open(note: &str, key: &VerifyingKey) -> Result<Self, Error> {
        Self::parse(&key.open_note(note)?)
    }

    /// Reads the text of a checkpoint without checking who signed it.
    pub fn parse(note: &str) -> Result<Self, Error> {
        let mut lines = note.lines();
        let origin = lines.next().filter(|l| !l.is_empty()).ok_or(malformed("the origin is missing"))?;
        let size = lines.next().and_then(decimal).ok_or(malformed("the size is not a decimal number"))?;
        let root = lines.next().and_then(|l| BASE64.decode(l).ok()).and_then(|b| b.try_into().ok()).ok_or(malformed("the root is not 32 bytes in base64"))?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

/// A decimal number in its one form: no sign, no zeros in front.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|n| n.to_string() == text)
}

fn malformed(why: &'static str) -> Error {
    Error::Malformed { what: "checkpoint", why }
}

/// Signs checkpoints.
pub struct Signer {
    pair: Ed25519KeyPair,
    key: VerifyingKey,
}

impl Signer {
    /// From a 32-byte seed; `name` is the log's origin.
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| Error::Malformed { what: "signing key", why: "the seed is not 32 bytes" })?;
        let mut public = [0; 32];
        public.copy_from_slice(pair.public_key().as_ref());
        Ok(Self { pair, key: VerifyingKey { name: name.to_owned(), public } })
    }

    /// The key that checks what this signs.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The signed note for a tree.
    pub fn sign(&self, size: u64, root: Hash) -> String {
        self.sign_note(&Checkpoint { origin: self.key.name.clone(), size, root }.body())
    }

    /// Signs any text that ends in a line feed (C2SP signed-note). One whose first line is not the log's
    /// origin can never be taken for a checkpoint.
    pub fn sign_note(&self, body: &str) -> String {
        let signature = self.pair.sign(body.as_bytes());
        let line = [&self.key.id()[..], signature.as_ref()].concat();
        format!("{body}\n\u{2014} {} {}\n", self.key.name, BASE64.encode(line))
    }
}

/// A key that checks signed notes, in text `name+hash+base64` (C2SP signed-note, "Verifier keys").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    /// Name of the signer.
    pub name: String,
    public: [u8; 32],
}

impl VerifyingKey {
    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |why| Error::Malformed { what: "verifier key", why };
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(bad("expected `name+hash+key`"));
        };
        let bytes = BASE64.decode(key).map_err(|_| bad("the key is not base64"))?;
        let public = match bytes.split_first() {
            Some((&ED25519_TYPE, public)) => public.try_into().map_err(|_| bad("an Ed25519 key has 32 bytes"))?,
            _ => return Err(bad("only Ed25519 keys (type 1) are known")),
        };
        let key = Self { name: name.to_owned(), public };
        if hex(&key.id()) == id { Ok(key) } else { Err(bad("the hash does not belong to this name and key")) }
    }

    /// The text of a signed note (C2SP signed-note) that this key has signed.
    pub fn open_note(&self, note: &str) -> Result<String, Error> {
        let (body, signatures) = note.split_once("\n\n").ok_or(malformed("there is no blank line before the signatures"))?;
        let body = format!("{body}\n");
        let ours = signatures.lines().filter_map(|line| line.strip_prefix("\u{2014} ")?.split_once(' ')).filter(|(name, _)| *name == self.name);
        for (_, encoded) in ours {
            let bytes = BASE64.decode(encoded).map_err(|_| malformed("a signature is not base64"))?;
            if let Some((id, signature)) = bytes.split_at_checked(4)
                && id == self.id()
            {
                let public = UnparsedPublicKey::new(&ED25519, &self.public);
                return public.verify(body.as_bytes(), signature).map(|()| body).map_err(|_| Error::Flawed(Flaw::Signature));
            }
        }
        Err(Error::Flawed(Flaw::Signature))
    }

    /// The first four bytes of SHA-256(name || 0x0A || 0x01 || key).
    fn id(&self) -> [u8; 4] {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &[self.name.as_bytes(), b"\n", &[ED25519_TYPE], &self.public].concat());
        let mut id = [0; 4];
        id.copy_from_slice(&digest.as_ref()[..4]);
        id
    }
}

impl std::fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}+{}+{}", self.name, hex(&self.id()), BASE64.encode([&[ED25519_TYPE][..], &self.public].concat()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_signatures_made_by_others_are_read() {
        // The Go checksum database's key, and the example of Go's sumdb/note package.
        for key in ["sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", PETER] {
            assert_eq!(VerifyingKey::parse(key).unwrap().to_string(), key);
        }
        // Its signature is good, but what it signs is no checkpoint: refused for that and not for the signature.
        let peter = VerifyingKey::parse(PETER).unwrap();
        assert!(matches!(Checkpoint::open(NOTE, &peter), Err(Error::Malformed { what: "checkpoint", .. })));
        assert_eq!(Checkpoint::open(&NOTE.replace("your problem is", "my problem is"), &peter), Err(Error::Flawed(Flaw::Signature)));
    }

    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn a_signed_checkpoint_reads_back() {
        let signer = Signer::new("example.com/log", &[7; 32]).unwrap();
        let note = signer.sign(12, [3; 32]);
        let opened = Checkpoint::open(&note, &VerifyingKey::parse(&signer.key().to_string()).unwrap()).unwrap();
        assert_eq!((opened.size, opened.root), (12, [3; 32]));
    }

    #[test]
    fn a_changed_note_a_foreign_key_and_a_missing_signature_are_refused() {
        let signer = Signer::new("example.com/log", &[7; 32]).unwrap();
        let other = Signer::new("example.com/log", &[8; 32]).unwrap();
        let note = signer.sign(12, [3; 32]);
        assert_eq!(Checkpoint::open(&note, other.key()), Err(Error::Flawed(Flaw::Signature)));
        assert_eq!(Checkpoint::open(&note.replace("\n12\n", "\n13\n"), signer.key()), Err(Error::Flawed(Flaw::Signature)));
        assert!(Checkpoint::open(note.split_once("\n\n").unwrap().0, signer.key()).is_err());
        assert!(Checkpoint::parse("example.com/log\n012\nAAAA\n").is_err());
    }
}
