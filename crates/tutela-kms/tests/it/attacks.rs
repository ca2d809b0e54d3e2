//! Ciphertexts that a weaker format would open.

use tutela_core::{KeyId, Random};
use tutela_kms::{Binding, CallerContext, DataKey, Error, KeyEncryptionKey, Message, StreamOpener, StreamSealer, Suite, open, seal};

/// A random source that says the same again after a machine was cloned.
pub struct Repeating(pub u8);

impl Random for Repeating {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(17);
            *byte = self.0;
        }
    }
}

pub fn key(version: u32) -> DataKey {
    DataKey::from_bytes(KeyId(uuid::Uuid::from_u128(7)), version, [9; 32])
}

fn text(context: &str) -> CallerContext {
    CallerContext::text(context.into()).unwrap()
}

const COMMITTED: [Suite; 3] = [Suite::Aes256Gcm, Suite::ChaCha20Poly1305, Suite::Aes256GcmSiv];

#[test]
fn no_bit_of_a_message_can_be_flipped() {
    let context = text("invoice/7");
    for suite in Suite::ALL {
        let message = seal(&key(3), suite, &Binding::Message(&context), b"100 EUR", &mut Repeating(1)).unwrap();
        assert_eq!(open(&key(3), &Binding::Message(&context), &message).unwrap(), b"100 EUR");
        for bit in 0..message.as_bytes().len() * 8 {
            let mut bytes = message.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let opened = Message::from_bytes(bytes).and_then(|m| open(&key(3), &Binding::Message(&context), &m));
            assert!(opened.is_err(), "{suite:?} bit {bit}");
        }
    }
}

#[test]
fn a_message_opens_under_its_own_key_version_and_context_only() {
    for suite in Suite::ALL {
        let message = seal(&key(3), suite, &Binding::Message(&text("a")), b"x", &mut Repeating(1)).unwrap();
        let refused = |key: &DataKey, context: &CallerContext| open(key, &Binding::Message(context), &message).unwrap_err();
        for error in [
            refused(&key(3), &text("b")),
            refused(&key(3), &CallerContext::None),
            refused(&key(3), &CallerContext::pairs(vec![("a".into(), String::new())]).unwrap()),
            refused(&key(2), &text("a")),
            refused(&DataKey::from_bytes(key(3).id, 3, [8; 32]), &text("a")),
        ] {
            assert!(matches!(error, Error::DoesNotOpen(_)));
            assert_eq!(error.to_string(), "the message does not open: wrong key, wrong context, or changed bytes", "one sentence for all of them");
        }
    }
}

/// GHASH and GCTR by hand, for a ciphertext with one tag that two keys accept (Dodis et al., CRYPTO 2018).
mod two_keys {
    use aes_gcm::aes::{
        Aes256,
        cipher::{BlockCipherEncrypt as _, KeyInit as _},
    };

    fn aes(key: &[u8; 32], block: [u8; 16]) -> u128 {
        let mut block = block.into();
        Aes256::new(key.into()).encrypt_block(&mut block);
        u128::from_be_bytes(block.into())
    }

    /// Multiplication in GF(2^128) with GCM's bit order (SP 800-38D §6.3).
    fn mul(x: u128, mut v: u128) -> u128 {
        let mut z = 0;
        for i in (0..128).rev() {
            if x >> i & 1 == 1 {
                z ^= v;
            }
            v = if v & 1 == 1 { (v >> 1) ^ (0xe1 << 120) } else { v >> 1 };
        }
        z
    }

    fn inverse(x: u128) -> u128 {
        // x^(2^128 - 2)
        let (mut out, mut square) = (1 << 127, x);
        for _ in 0..127 {
            square = mul(square, square);
            out = mul(out, square);
        }
        out
    }

    /// Two blocks of ciphertext and a tag that both keys accept under `nonce`; the second block is the price.
    pub fn collide(keys: [&[u8; 32]; 2], nonce: [u8; 12], first: u128) -> (Vec<u8>, [u8; 16]) {
        let h = keys.map(|k| aes(k, [0; 16]));
        let counter = |n: u32| {
            let mut block = [0; 16];
            block[..12].copy_from_slice(&nonce);
            block[12..].copy_from_slice(&n.to_be_bytes());
            block
        };
        let pad = keys.map(|k| aes(k, counter(1)));
        let lengths = 256_u128;
        // tag = c1 h^3 + c2 h^2 + lengths h + pad, for both keys; solve for c2.
        let rest = |i: usize| mul(first, mul(h[i], mul(h[i], h[i]))) ^ mul(lengths, h[i]) ^ pad[i];
        let difference = mul(h[0], h[0]) ^ mul(h[1], h[1]);
        let second = mul(rest(0) ^ rest(1), inverse(difference));
        let tag = rest(0) ^ mul(second, mul(h[0], h[0]));
        ([first.to_be_bytes(), second.to_be_bytes()].concat(), tag.to_be_bytes())
    }
}

#[test]
fn one_ciphertext_with_two_keys_opens_in_bare_gcm_and_not_here() {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let (a, b, nonce) = ([1; 32], [2; 32], [3; 12]);
    let (ciphertext, tag) = two_keys::collide([&a, &b], nonce, 0x1234);
    let bare = |key: &[u8; 32]| {
        let mut sealed = [&ciphertext[..], &tag].concat();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
        key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).map(|p| p.to_vec())
    };
    let [one, other] = [bare(&a).expect("the first key opens it"), bare(&b).expect("and so does the second")];
    assert_ne!(one, other, "two readings of one ciphertext");

    // Here a commitment fits at most one data key, whatever stands behind it.
    let keys = [DataKey::from_bytes(key(1).id, 1, a), DataKey::from_bytes(key(1).id, 1, b)];
    for suite in COMMITTED {
        let sealed = seal(&keys[0], suite, &Binding::Message(&CallerContext::None), &[0; 32], &mut Repeating(1)).unwrap();
        let mut bytes = sealed.as_bytes()[..22 + 56].to_vec();
        bytes.extend([&ciphertext[..], &tag].concat());
        for (candidate, why) in keys.iter().zip(["tag", "commitment"]) {
            let error = open(candidate, &Binding::Message(&CallerContext::None), &Message::from_bytes(bytes.clone()).unwrap());
            assert_eq!(error, Err(Error::DoesNotOpen(why)));
        }
    }
}

#[test]
fn a_random_source_that_repeats_reuses_no_salt() {
    let salt = |context: &str, plaintext: &[u8]| {
        let context = text(context);
        let message = seal(&key(1), Suite::Aes256Gcm, &Binding::Message(&context), plaintext, &mut Repeating(1)).unwrap();
        message.parts().salt.unwrap().to_vec()
    };
    let first = salt("a", b"one");
    assert_eq!(first, salt("a", b"one"), "the same message may have the same salt: it tells nothing new");
    for other in [salt("a", b"two"), salt("b", b"one"), salt("a", b"on"), salt("ao", b"ne")] {
        assert_ne!(first, other);
    }
}

#[test]
fn equal_messages_are_equal_only_where_that_was_asked_for() {
    let sealed = |suite, seed| seal(&key(1), suite, &Binding::Message(&text("a")), b"x", &mut Repeating(seed)).unwrap();
    assert!(sealed(Suite::Aes256GcmSiv, 1).as_bytes() == sealed(Suite::Aes256GcmSiv, 2).as_bytes());
    for suite in Suite::ALL.into_iter().filter(|s| !s.is_deterministic()) {
        assert!(sealed(suite, 1).as_bytes() != sealed(suite, 2).as_bytes(), "{suite:?}");
    }
}

#[test]
fn chunks_cannot_be_cut_swapped_or_repeated() {
    const CHUNK: usize = 16 * 1024 + 16;
    let context = CallerContext::None;
    let binding = Binding::Message(&context);
    for len in [0, 1, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 50_000] {
        let plaintext: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let whole = seal(&key(1), Suite::Aes256Gcm, &binding, &plaintext, &mut Repeating(1)).unwrap();
        assert_eq!(open(&key(1), &binding, &whole).unwrap(), plaintext, "{len}");
        let (head, chunks) = whole.as_bytes().split_at(22 + 56);
        let mut pieces: Vec<Vec<u8>> = chunks.chunks(CHUNK).map(<[u8]>::to_vec).collect();
        let last = pieces.pop().unwrap();
        let mut wrong = vec![pieces.concat(), [pieces.concat(), last.clone(), last.clone()].concat(), [last.clone(), pieces.concat()].concat()];
        for cut in [1, 15, 16] {
            let all = [pieces.concat(), last.clone()].concat();
            wrong.push(all[..all.len().saturating_sub(cut)].to_vec());
        }
        if pieces.len() >= 2 {
            pieces.swap(0, 1);
            wrong.push([pieces.concat(), last.clone()].concat());
            pieces[0] = pieces[1].clone();
            wrong.push([pieces.concat(), last.clone()].concat());
        }
        for (i, wrong) in wrong.into_iter().enumerate() {
            if wrong == chunks {
                continue;
            }
            let bytes = [head, &wrong].concat();
            assert!(Message::from_bytes(bytes.clone()).and_then(|m| open(&key(1), &binding, &m)).is_err(), "{len} {i}");
            let streamed = StreamOpener::new(&key(1), &binding, &bytes[..78]).and_then(|mut opener| {
                let mut out = opener.push(&bytes[78..])?;
                out.extend(opener.finish()?);
                Ok(out)
            });
            assert!(streamed.is_err(), "streamed {len} {i}");
        }
    }
}

#[test]
fn a_stream_is_the_same_message_whatever_the_pieces() {
    let context = text("backup");
    let binding = Binding::Message(&context);
    let plaintext: Vec<u8> = (0..40_000_u32).map(|i| (i % 253) as u8).collect();
    for piece in [1_000, 16 * 1024, 39_999, 100_000] {
        let mut sealer = StreamSealer::new(&key(1), Suite::ChaCha20Poly1305, &binding, &mut Repeating(1)).unwrap();
        let mut sealed = Vec::new();
        plaintext.chunks(piece).for_each(|p| sealed.extend(sealer.push(p).unwrap()));
        sealed.extend(sealer.finish().unwrap());
        assert_eq!(open(&key(1), &binding, &Message::from_bytes(sealed.clone()).unwrap()).unwrap(), plaintext);

        let mut opener = StreamOpener::new(&key(1), &binding, &sealed[..78]).unwrap();
        let mut opened = Vec::new();
        sealed[78..].chunks(piece).for_each(|p| opened.extend(opener.push(p).unwrap()));
        opened.extend(opener.finish().unwrap());
        assert_eq!(opened, plaintext);
    }
}

#[test]
fn a_wrapped_key_is_no_other_key_and_no_other_version() {
    let epoch = KeyId(uuid::Uuid::from_u128(99));
    let kek = KeyEncryptionKey::generate(epoch, 4, &mut Repeating(1));
    let wrapped = kek.wrap(&key(2), &mut Repeating(2)).unwrap();
    assert_eq!(kek.unwrap(key(2).id, 2, &wrapped).unwrap().bytes(), key(2).bytes());
    assert!(kek.unwrap(key(2).id, 1, &wrapped).is_err());
    assert!(kek.unwrap(epoch, 2, &wrapped).is_err());
    assert!(KeyEncryptionKey::from_bytes(epoch, 4, [0; 32], &[5; 32], &kek.check(&[5; 32])).is_err(), "a provider that unwraps to something else is found out");
    assert!(KeyEncryptionKey::from_bytes(epoch, 4, *kek.bytes(), &[5; 32], &kek.check(&[5; 32])).is_ok());
    assert!(KeyEncryptionKey::from_bytes(epoch, 4, *kek.bytes(), &[5; 32], &kek.check(&[6; 32])).is_err(), "a check made without the instance's key");
}
