//! The file of the root key: in clear for the host's own protection, or sealed by a passphrase or
//! by a key provider.
//!
//! ```text
//! 64 hexadecimal digits                                                          local, mode 0600
//! tutela root key v1 passphrase argon2id <memory KiB> <passes> <salt> <sealed>   local, with a passphrase
//! tutela root key v1 provider <provider> <provider key> <wrapped>                another provider
//! ```

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use tutela_core::{KeyId, Random, Secret, random_bytes};

use crate::{Binding, DataKey, Error, Message, RootKey, Suite, open, seal};

const MAGIC: &str = "tutela root key v1";
/// Argon2id cost of a passphrase: 256 MiB, 3 passes (RFC 9106 §4 recommends at least 64 MiB and 3).
const MEMORY_KIB: u32 = 256 << 10;
const PASSES: u32 = 3;

/// What a root key file says.
pub enum RootFile {
    /// The key itself.
    Clear(RootKey),
    /// Sealed by a passphrase.
    Passphrase {
        /// Cost of the hash.
        memory_kib: u32,
        /// Passes of the hash.
        passes: u32,
        /// Salt of the hash.
        salt: [u8; 16],
        /// The sealed key.
        sealed: Message,
    },
    /// Wrapped by a provider's key.
    Provider {
        /// Which provider.
        provider: String,
        /// The exact version of its key.
        key: String,
        /// What it wrapped.
        wrapped: Vec<u8>,
    },
}

impl RootFile {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let Some(rest) = text.trim().strip_prefix(MAGIC) else { return RootKey::parse(text).map(Self::Clear) };
        let words: Vec<&str> = rest.split_whitespace().collect();
        let parsed = match words.as_slice() {
            ["passphrase", "argon2id", memory, passes, salt, sealed] => {
                let salt = BASE64.decode(salt).ok().and_then(|s| s.try_into().ok());
                let cost = memory.parse().ok().zip(passes.parse().ok()).filter(|(m, p)| (8..=4 << 20).contains(m) && (1..=100).contains(p));
                match (cost, salt, Message::from_text(sealed)) {
                    (Some((memory_kib, passes)), Some(salt), Ok(sealed)) => Some(Self::Passphrase { memory_kib, passes, salt, sealed }),
                    _ => None,
                }
            }
            ["provider", provider, key, wrapped] => {
                BASE64.decode(wrapped).ok().map(|wrapped| Self::Provider { provider: (*provider).to_owned(), key: (*key).to_owned(), wrapped })
            }
            _ => None,
        };
        parsed.ok_or(Error::BadRootKey)
    }

    /// Seals a root key by a passphrase.
    pub fn seal(root: &RootKey, passphrase: &str, rng: &mut dyn Random) -> Result<Self, Error> {
        let salt = random_bytes(rng);
        let key = passphrase_key(passphrase, &salt, MEMORY_KIB, PASSES)?;
        let sealed = seal(&key, Suite::Aes256Gcm, &BINDING, root.to_text().open().as_bytes(), rng)?;
        Ok(Self::Passphrase { memory_kib: MEMORY_KIB, passes: PASSES, salt, sealed })
    }

    /// The file's text.
    pub fn to_text(&self) -> Secret<String> {
        match self {
            Self::Clear(root) => root.to_text(),
            Self::Passphrase { memory_kib, passes, salt, sealed } => {
                Secret::new(format!("{MAGIC} passphrase argon2id {memory_kib} {passes} {} {}\n", BASE64.encode(salt), sealed.to_text()))
            }
            Self::Provider { provider, key, wrapped } => Secret::new(format!("{MAGIC} provider {provider} {key} {}\n", BASE64.encode(wrapped))),
        }
    }

    /// Opens what a passphrase sealed.
    pub fn open(salt: &[u8; 16], memory_kib: u32, passes: u32, sealed: &Message, passphrase: &str) -> Result<RootKey, Error> {
        let key = passphrase_key(passphrase, salt, memory_kib, passes)?;
        let text = Secret::new(open(&key, &BINDING, sealed)?);
        RootKey::parse(std::str::from_utf8(text.open()).map_err(|_| Error::BadRootKey)?)
    }
}

const BINDING: Binding<'static> = Binding::Field { path: "root key" };

fn passphrase_key(passphrase: &str, salt: &[u8; 16], memory_kib: u32, passes: u32) -> Result<DataKey, Error> {
    let params = Params::new(memory_kib, passes, 1, Some(32)).map_err(|_| Error::BadRootKey)?;
    let mut bytes = [0; 32];
    let hashed = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(passphrase.as_bytes(), salt, &mut bytes);
    hashed.map_err(|_| Error::Library)?;
    Ok(DataKey::from_bytes(KeyId(uuid::Uuid::nil()), 0, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutela_core::{Env, SystemEnv};

    #[test]
    fn a_root_key_survives_every_form_of_its_file() {
        let env: &dyn Env = &SystemEnv;
        let root = RootKey::generate(&mut { env });
        let text = RootFile::seal(&root, "correct horse", &mut { env }).unwrap().to_text();
        assert!(!text.open().contains(root.to_text().open()));
        let Ok(RootFile::Passphrase { memory_kib, passes, salt, sealed }) = RootFile::parse(text.open()) else { unreachable!("a sealed file") };
        assert!(RootFile::open(&salt, memory_kib, passes, &sealed, "Correct horse").is_err());
        let opened = RootFile::open(&salt, memory_kib, passes, &sealed, "correct horse").unwrap();
        assert_eq!(opened.to_text().open(), root.to_text().open());

        let provider = RootFile::Provider { provider: "vault".into(), key: "transit/tutela:1".into(), wrapped: vec![1, 2, 3] };
        assert!(matches!(RootFile::parse(provider.to_text().open()), Ok(RootFile::Provider { wrapped, .. }) if wrapped == [1, 2, 3]));
        for bad in ["", "tutela root key v1", "tutela root key v1 passphrase argon2id 1 2 3 4", "tutela root key v1 provider vault"] {
            assert!(RootFile::parse(bad).is_err(), "{bad}");
        }
    }
}
