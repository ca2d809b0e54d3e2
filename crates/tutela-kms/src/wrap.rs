//! Key encryption keys: one for each provider epoch, and the data keys wrapped under them.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use tutela_core::{KeyId, Random, Secret};

use crate::{
    Binding, DataKey, Error, Message, Suite,
    data_key::expand,
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

    /// From its bytes, as a provider unwrapped them. `check` tells whether they are the right ones:
    /// not every provider authenticates what it unwraps.
    pub fn from_bytes(id: KeyId, number: u32, bytes: [u8; 32], check: &[u8; 32]) -> Result<Self, Error> {
        let kek = Self { key: DataKey::from_bytes(id, number, bytes) };
        verify_slices_are_equal(&kek.check(), check).map_err(|_| Error::DoesNotOpen("epoch"))?;
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

    /// A value that tells this key from any other and says nothing about it.
    pub fn check(&self) -> [u8; 32] {
        let mut out = [0; 32];
        let prk = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, self.key.bytes());
        expand(&prk, &[b"tutela epoch check v1", self.key.id.0.as_bytes(), &self.key.version.to_be_bytes()], &mut out);
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
