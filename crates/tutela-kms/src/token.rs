//! Sealed tokens: something we hand out and want back unread and unchanged, without keeping it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use tutela_core::{Random, random_bytes};

use crate::{Error, RootKey};

const SALT: usize = 16;

/// Seals `clear` for `purpose`. Every token has a key of its own, so the nonce may be constant.
pub fn seal_token(root: &RootKey, purpose: &[u8], clear: &[u8], rng: &mut dyn Random) -> Result<String, Error> {
    let salt: [u8; SALT] = random_bytes(rng);
    let mut bytes = clear.to_vec();
    token_key(root, purpose, &salt)?.seal_in_place_append_tag(nonce(), Aad::empty(), &mut bytes).map_err(|_| Error::Library)?;
    Ok(BASE64.encode([&salt[..], &bytes].concat()))
}

/// Opens what [`seal_token`] made for the same purpose.
pub fn open_token(root: &RootKey, purpose: &[u8], token: &str) -> Result<Vec<u8>, Error> {
    let bytes = BASE64.decode(token).map_err(|_| Error::DoesNotOpen("token"))?;
    let (salt, sealed) = bytes.split_at_checked(SALT).ok_or(Error::DoesNotOpen("token"))?;
    let mut sealed = sealed.to_vec();
    let clear = token_key(root, purpose, salt)?.open_in_place(nonce(), Aad::empty(), &mut sealed).map_err(|_| Error::DoesNotOpen("token"))?;
    Ok(clear.to_vec())
}

fn token_key(root: &RootKey, purpose: &[u8], salt: &[u8]) -> Result<LessSafeKey, Error> {
    let key = root.derive(&[b"sealed token", purpose, salt])?;
    UnboundKey::new(&AES_256_GCM, &key).map(LessSafeKey::new).map_err(|_| Error::Library)
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutela_core::{Env, SystemEnv};

    #[test]
    fn a_token_opens_for_its_purpose_only_and_not_when_changed() {
        let env: &dyn Env = &SystemEnv;
        let root = RootKey::generate(&mut { env });
        let token = seal_token(&root, b"a", b"text", &mut { env }).unwrap();
        assert_eq!(open_token(&root, b"a", &token).unwrap(), b"text");
        assert!(open_token(&root, b"b", &token).is_err());
        for cut in 0..token.len() {
            assert!(open_token(&root, b"a", &token[..cut]).is_err());
        }
    }
}
