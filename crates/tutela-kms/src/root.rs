use aws_lc_rs::{
    hkdf::{HKDF_SHA256, KeyType, Prk, Salt},
    hmac,
};
use tutela_core::{Random, Secret, random_bytes};

use crate::Error;

/// The key that all others of an instance are derived from: 32 random bytes.
pub struct RootKey {
    bytes: Secret<[u8; 32]>,
    prk: Prk,
}

/// Derives tokens for the search index of one month.
pub struct IndexKey(hmac::Key);

struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

impl RootKey {
    /// A new key.
    pub fn generate(rng: &mut dyn Random) -> Self {
        Self::from_bytes(random_bytes(rng))
    }

    /// From its 32 bytes.
    pub fn from_secret(bytes: &Secret<[u8; 32]>) -> Self {
        Self::from_bytes(*bytes.open())
    }

    /// Its 32 bytes, to be wrapped by a provider.
    pub fn bytes(&self) -> [u8; 32] {
        *self.bytes.open()
    }

    fn from_bytes(bytes: [u8; 32]) -> Self {
        let prk = Salt::new(HKDF_SHA256, b"tutela root key v1").extract(&bytes);
        Self { bytes: Secret::new(bytes), prk }
    }

    /// Reads the text that [`RootKey::to_text`] wrote; white space around it is allowed.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Error::BadRootKey);
        }
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| Error::BadRootKey)?;
        }
        Ok(Self::from_bytes(bytes))
    }

    /// The key as text, for its file. Whoever reads it can open everything.
    pub fn to_text(&self) -> Secret<String> {
        Secret::new(self.bytes.open().iter().map(|b| format!("{b:02x}")).collect())
    }

    /// A key for the purpose `label`. Labels are constants; two purposes never share one.
    pub fn derive(&self, label: &[&[u8]]) -> Result<[u8; 32], Error> {
        let mut out = [0; 32];
        self.prk.expand(label, Bytes32).and_then(|okm| okm.fill(&mut out)).map_err(|_| Error::Library)?;
        Ok(out)
    }

    /// What tells two root keys apart without saying anything about them.
    pub fn fingerprint(&self) -> Result<[u8; 32], Error> {
        self.derive(&[b"fingerprint"])
    }

    /// The key of the search index of `month` (`yyyymm`).
    pub fn index_key(&self, month: i64) -> Result<IndexKey, Error> {
        let key = self.derive(&[b"search index", &month.to_be_bytes()])?;
        Ok(IndexKey(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }
}

impl IndexKey {
    /// The token of `word` in the field `prefix`: 16 hexadecimal digits. Equal words give equal
    /// tokens within the month; without the key a token says nothing.
    pub fn token(&self, prefix: &str, word: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(prefix.as_bytes());
        context.update(&[0]);
        context.update(word.as_bytes());
        let tag = context.sign();
        let mut out = String::with_capacity(16);
        for byte in &tag.as_ref()[..8] {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_key_survives_its_text_and_labels_keep_purposes_apart() {
        let text = "00".repeat(31) + "ff";
        let key = RootKey::parse(&format!(" {text}\n")).unwrap();
        assert_eq!(*key.to_text().open(), text);
        assert_ne!(key.derive(&[b"a"]).unwrap(), key.derive(&[b"b"]).unwrap());
        assert_ne!(key.index_key(202_611).unwrap().token("a", "x"), key.index_key(202_612).unwrap().token("a", "x"));
        assert_ne!(key.index_key(202_611).unwrap().token("a", "bc"), key.index_key(202_611).unwrap().token("ab", "c"));
        for bad in ["", "zz", &"0".repeat(63), &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(RootKey::parse(bad).err(), Some(Error::BadRootKey));
        }
    }
}
