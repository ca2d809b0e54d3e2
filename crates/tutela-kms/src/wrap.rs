//! Key encryption keys: one for each provider epoch, and the data keys wrapped under them.

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use tutela_core::{KeyId, Random, Secret};

use crate::{
    Binding, DataKey, Error, Message, Suite,
    data_key::mac,
    seal::{open, seal},
};

/// The key of one epoch. It wraps data keys and nothing else.
pub struct KeyEncryptionKey {
    key: DataKey,
}

impl KeyEncryptionKey {
    /// A new key for the epoch `number`.
    pub fn generate(id: KeyId, number: u32, rng: &mut dyn Random) -> Self {
        Self { key: DataKey::generate(id, number, rng) }
    }

    /// From its bytes, as a provider unwrapped them. `check` tells whether they are the right ones: not
    /// every provider authenticates what it unwraps, and with some anybody can wrap.
    pub fn from_bytes(id: KeyId, number: u32, bytes: [u8; 32], check_key: &[u8; 32], check: &[u8; 32]) -> Result<Self, Error> {
        let kek = Self { key: DataKey::from_bytes(id, number, bytes) };
        verify_slices_are_equal(&kek.check(check_key), check).map_err(|_| Error::DoesNotOpen("epoch"))?;
        Ok(kek)
    }

    /// The epoch's number.
    pub fn number(&self) -> u32 {
        self.key.version
    }

    /// The key itself, for the provider to wrap.
    pub fn bytes(&self) -> &[u8; 32] {
        self.key.bytes()
    }

    /// A value that tells this key from any other and says nothing about it. Its key is the instance's:
    /// whoever can write to the database cannot make one for a key of their own.
    pub fn check(&self, check_key: &[u8; 32]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, check_key);
        let tag = mac(&key, &[b"tutela epoch check v1", self.key.id.0.as_bytes(), &self.key.version.to_be_bytes(), self.key.bytes()]);
        let mut out = [0; 32];
        out.copy_from_slice(tag.as_ref());
        out
    }

    /// Wraps a data key.
    pub fn wrap(&self, key: &DataKey, rng: &mut dyn Random) -> Result<Vec<u8>, Error> {
        let binding = Binding::Wrap { key: key.id, version: key.version };
        Ok(seal(&self.key, Suite::Aes256Gcm, &binding, key.bytes(), rng)?.as_bytes().to_vec())
    }

    /// Unwraps the data key `id` of `version`; what was wrapped as another does not open.
    pub fn unwrap(&self, id: KeyId, version: u32, wrapped: &[u8]) -> Result<DataKey, Error> {
        let message = Message::from_bytes(wrapped.to_vec())?;
        let clear = Secret::new(open(&self.key, &Binding::Wrap { key: id, version }, &message)?);
        let bytes = clear.open().as_slice().try_into().map_err(|_| Error::DoesNotOpen("length"))?;
        Ok(DataKey::from_bytes(id, version, bytes))
    }
}
