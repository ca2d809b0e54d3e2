//! Backups of the key ring, sealed to recovery recipients and never written in clear.
//!
//! ```text
//! tutela key backup v1
//! -> X-Wing <encapsulated key, base64url> <file key sealed to it, base64url>     one line a recipient
//! ---
//! salt 24 | commitment 32 | chunks       (C2SP chunked-encryption under the file key; context = all lines above)
//! ```
//! HPKE (RFC 9180) base mode with X-Wing gives each recipient a wrapping key; a backup stays closed
//! even to somebody who records it today and has a quantum computer later.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _, aead::ExportOnlyAead, kdf::HkdfSha256, kem::XWing};
use tutela_core::{KeyId, Random, Secret, random_bytes};

use crate::{COMMITMENT, DataKey, Error, SALT, Suite, chunk::Chunks, seal::HEDGED};

const FIRST_LINE: &str = "tutela key backup v1";
const RECIPIENT: &str = "tutela-recipient1";
const IDENTITY: &str = "tutela-identity1";
const INFO: &[u8] = b"tutela key backup v1";

/// Who can open a backup: an X-Wing public key.
#[derive(Clone)]
pub struct Recipient(<XWing as hpke::Kem>::PublicKey);

/// What opens a backup. Keep it away from the instance.
pub struct Identity(Secret<[u8; 32]>);

impl Identity {
    /// A new identity.
    pub fn generate(rng: &mut dyn Random) -> Self {
        Self(Secret::new(random_bytes(rng)))
    }

    /// From 32 bytes that are as good as random.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// Reads the text form; lines that begin with `#` are comments.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = Error::Backup("an identity is one line that begins with `tutela-identity1`");
        let line = text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#')).ok_or(bad.clone())?;
        let bytes = line.strip_prefix(IDENTITY).and_then(|b| BASE64.decode(b).ok()).and_then(|b| b.try_into().ok()).ok_or(bad)?;
        Ok(Self(Secret::new(bytes)))
    }

    /// The text form. Whoever reads it can open every backup made for it.
    pub fn to_text(&self) -> Secret<String> {
        Secret::new(format!("{IDENTITY}{}", BASE64.encode(self.0.open())))
    }

    /// The public half.
    pub fn recipient(&self) -> Result<Recipient, Error> {
        Ok(Recipient(XWing::sk_to_pk(&self.private()?)))
    }

    fn private(&self) -> Result<<XWing as hpke::Kem>::PrivateKey, Error> {
        <XWing as hpke::Kem>::PrivateKey::from_bytes(self.0.open()).map_err(|_| Error::Library)
    }
}

impl Recipient {
    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = Error::Backup("a recipient begins with `tutela-recipient1`; make one with `tutela key recipient create`");
        let bytes = text.trim().strip_prefix(RECIPIENT).and_then(|b| BASE64.decode(b).ok()).ok_or(bad.clone())?;
        <XWing as hpke::Kem>::PublicKey::from_bytes(&bytes).map(Self).map_err(|_| bad)
    }

    /// The text form.
    pub fn to_text(&self) -> String {
        format!("{RECIPIENT}{}", BASE64.encode(self.0.to_bytes()))
    }
}

/// Seals `clear` to every recipient.
pub fn seal_backup(recipients: &[Recipient], clear: &[u8], rng: &mut dyn Random) -> Result<Vec<u8>, Error> {
    if recipients.is_empty() {
        return Err(Error::Backup("a backup needs a recipient"));
    }
    let file_key: Secret<[u8; 32]> = Secret::new(random_bytes(rng));
    let mut out = format!("{FIRST_LINE}\n");
    for Recipient(public) in recipients {
        let (encapsulated, sender) = hpke::setup_sender::<ExportOnlyAead, HkdfSha256, XWing>(&OpModeS::Base, public, INFO).map_err(|_| Error::Library)?;
        let mut wrapping = Secret::new([0; 32]);
        sender.export(b"file key", wrapping.open_mut()).map_err(|_| Error::Library)?;
        let mut wrapped = file_key.open().to_vec();
        // The wrapping key is used once, so the nonce may be constant.
        aead(wrapping.open())?.seal_in_place_append_tag(zero_nonce(), Aad::empty(), &mut wrapped).map_err(|_| Error::Library)?;
        out.push_str(&format!("-> X-Wing {} {}\n", BASE64.encode(encapsulated.to_bytes()), BASE64.encode(&wrapped)));
    }
    out.push_str("---\n");
    let mut out = out.into_bytes();
    let key = DataKey::from_bytes(KeyId(uuid::Uuid::nil()), 0, *file_key.open());
    // The file key is new, so the salt only has to be there.
    let salt: [u8; SALT] = random_bytes(rng);
    let once = key.message_key(Suite::Aes256Gcm, &salt, &out);
    out.extend_from_slice(&salt);
    out.extend_from_slice(&once.commitment);
    out.reserve(clear.len() + HEDGED);
    Chunks::new(Suite::Aes256Gcm, &once)?.seal_all(clear, &mut out)?;
    Ok(out)
}

/// Opens a backup with the identity of one of its recipients.
pub fn open_backup(identity: &Identity, file: &[u8]) -> Result<Secret<Vec<u8>>, Error> {
    let bad = Error::Backup("the file is not a key backup of this version, or was changed");
    let end = file.windows(5).position(|w| w == b"\n---\n").ok_or(bad.clone())? + 5;
    let (head, body) = file.split_at(end);
    let text = std::str::from_utf8(head).map_err(|_| bad.clone())?;
    if text.lines().next() != Some(FIRST_LINE) {
        return Err(bad);
    }
    let private = identity.private()?;
    let (salt, rest) = body.split_at_checked(SALT).ok_or(bad.clone())?;
    let (commitment, chunks) = rest.split_at_checked(COMMITMENT).ok_or(bad.clone())?;
    for line in text.lines().filter_map(|l| l.strip_prefix("-> X-Wing ")) {
        let Some(file_key) = line.split_once(' ').and_then(|(encapsulated, wrapped)| unwrap_file_key(&private, encapsulated, wrapped)) else { continue };
        let key = DataKey::from_bytes(KeyId(uuid::Uuid::nil()), 0, *file_key.open());
        let (_, mut opened) = crate::seal::committed(&key, Suite::Aes256Gcm, head, Some(salt), Some(commitment)).map_err(|_| bad.clone())?;
        return opened.open_all(chunks).map(Secret::new).map_err(|_| bad);
    }
    Err(Error::Backup("the backup was not made for this identity"))
}

fn unwrap_file_key(private: &<XWing as hpke::Kem>::PrivateKey, encapsulated: &str, wrapped: &str) -> Option<Secret<[u8; 32]>> {
    let encapsulated = <XWing as hpke::Kem>::EncappedKey::from_bytes(&BASE64.decode(encapsulated).ok()?).ok()?;
    let receiver = hpke::setup_receiver::<ExportOnlyAead, HkdfSha256, XWing>(&OpModeR::Base, private, &encapsulated, INFO).ok()?;
    let mut wrapping = Secret::new([0; 32]);
    receiver.export(b"file key", wrapping.open_mut()).ok()?;
    let mut bytes = BASE64.decode(wrapped).ok()?;
    let clear = aead(wrapping.open()).ok()?.open_in_place(zero_nonce(), Aad::empty(), &mut bytes).ok()?;
    let key = clear.try_into().ok().map(|key: [u8; 32]| Secret::new(key));
    zeroize::Zeroize::zeroize(&mut bytes);
    key
}

fn aead(key: &[u8; 32]) -> Result<LessSafeKey, Error> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| Error::Library)
}

fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutela_core::{Env, SystemEnv};

    #[test]
    fn every_recipient_opens_a_backup_and_nobody_else_does() {
        let env: &dyn Env = &SystemEnv;
        let [a, b, stranger] = [0; 3].map(|_| Identity::generate(&mut { env }));
        let recipients = [a.recipient().unwrap(), Recipient::parse(&b.recipient().unwrap().to_text()).unwrap()];
        let clear = vec![7; 40_000];
        let file = seal_backup(&recipients, &clear, &mut { env }).unwrap();
        assert!(!file.windows(16).any(|w| w == &clear[..16]));
        for identity in [a, Identity::parse(&format!("# safe\n{}\n", b.to_text().open())).unwrap()] {
            assert_eq!(*open_backup(&identity, &file).unwrap().open(), clear);
            for at in [3, 30, file.len() / 2, file.len() - 1] {
                let mut changed = file.clone();
                changed[at] ^= 1;
                assert!(open_backup(&identity, &changed).is_err(), "byte {at}");
            }
            assert!(open_backup(&identity, &file[..file.len() - 1]).is_err());
        }
        assert_eq!(open_backup(&stranger, &file).err(), Some(Error::Backup("the backup was not made for this identity")));
    }
}
