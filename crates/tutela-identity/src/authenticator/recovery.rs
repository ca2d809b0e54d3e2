//! Recovery codes: ten of 50 bits, each good once, for the day the phone is gone (OWASP ASVS 5.0 §6.5.1 to §6.5.4).
//!
//! They have too few bits for a fast hash (§6.5.2 draws the line at 112), so they are kept as passwords are, under
//! Argon2id. One salt for the set: a presented code costs one hash and is compared with all ten, in constant time.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use tutela_core::{Random, Secret, random_bytes};
use zeroize::Zeroize as _;

use super::{CROCKFORD, base32, grouped};
use crate::{
    Error,
    password::{Cost, argon2id},
};

/// How many codes a set has.
pub const CODES: usize = 10;
/// Characters of a code, five bits each.
const LENGTH: usize = 10;
const PREFIX: &str = "$tutela-recovery$argon2id$v=19$";
const USED: &str = "-";

/// A code in clear, for example `7k2mq-9xtzb`; it is shown once, when the set is made.
pub struct RecoveryCode(Secret<String>);

impl RecoveryCode {
    fn new(rng: &mut dyn Random) -> Self {
        // 56 random bits, of which the first 50 become characters.
        let mut bytes: [u8; 7] = random_bytes(rng);
        let text = base32(&bytes, CROCKFORD).chars().take(LENGTH).collect();
        bytes.zeroize();
        Self(Secret::new(text))
    }

    /// Reads what was typed: in any case, with dashes and spaces anywhere, `o` for 0, `i` and `l` for 1.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 64 {
            return None;
        }
        let mut code = String::with_capacity(LENGTH * 4);
        for character in text.chars().filter(|c| !c.is_whitespace() && !"-\u{2010}\u{2011}\u{2013}".contains(*c)) {
            let lower = match character.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                other => other,
            };
            code.push(lower);
        }
        let is_code = code.len() == LENGTH && code.bytes().all(|byte| CROCKFORD.contains(&byte));
        is_code.then(|| Self(Secret::new(code)))
    }

    /// For its owner: `xxxxx-xxxxx`.
    pub fn text(&self) -> Secret<String> {
        Secret::new(grouped(self.0.open(), 5, '-'))
    }
}

/// The codes of one account, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverySet {
    cost: Cost,
    salt: [u8; 16],
    tags: Vec<Option<[u8; 32]>>,
}

impl RecoverySet {
    /// A new set and its codes. Takes ten hashes of `cost`: call it on a bounded worker only.
    pub fn create(cost: Cost, rng: &mut dyn Random) -> Result<(Self, Vec<RecoveryCode>), Error> {
        let codes: Vec<RecoveryCode> = (0..CODES).map(|_| RecoveryCode::new(rng)).collect();
        let salt = random_bytes(rng);
        let tags = codes.iter().map(|code| hash(code, &salt, cost).map(Some)).collect::<Result<_, _>>()?;
        Ok((Self { cost, salt, tags }, codes))
    }

    /// Which code this is, to be struck out; `None` where it is none of them or was used. Takes one hash, same caution.
    pub fn verify(&self, code: &RecoveryCode) -> Result<Option<usize>, Error> {
        let mut found = hash(code, &self.salt, self.cost)?;
        let (mut index, mut any) = (0_u32, Choice::from(0));
        for (at, tag) in (0_u32..).zip(&self.tags) {
            // A used code is compared with too, so that the time does not tell how many are left.
            let fits = found.ct_eq(&tag.unwrap_or_default()) & Choice::from(u8::from(tag.is_some()));
            index.conditional_assign(&at, fits);
            any |= fits;
        }
        found.zeroize();
        Ok(bool::from(any).then_some(index as usize))
    }

    /// Without the code at `index`. The caller MUST store it with a comparison before anybody is let in.
    pub fn strike(mut self, index: usize) -> Self {
        if let Some(tag) = self.tags.get_mut(index) {
            *tag = None;
        }
        self
    }

    /// How many codes are left.
    pub fn left(&self) -> usize {
        self.tags.iter().flatten().count()
    }

    /// For storage: `$tutela-recovery$argon2id$v=19$m=47104,t=1,p=1$SALT$TAG,TAG,-,…` with `-` where a code was used.
    pub fn to_text(&self) -> String {
        let tags: Vec<String> = self.tags.iter().map(|tag| tag.map_or_else(|| USED.to_owned(), |tag| BASE64.encode(tag))).collect();
        format!("{PREFIX}m={},t={},p=1${}${}", self.cost.memory_kib, self.cost.passes, BASE64.encode(self.salt), tags.join(","))
    }

    /// From storage.
    pub fn parse(text: &str) -> Result<Self, Error> {
        read(text).ok_or(Error::BadHash)
    }
}

fn read(text: &str) -> Option<RecoverySet> {
    let mut parts = text.strip_prefix(PREFIX)?.split('$');
    let (memory, rest) = parts.next()?.strip_prefix("m=")?.split_once(",t=")?;
    let (memory_kib, passes) = (memory.parse().ok()?, rest.strip_suffix(",p=1")?.parse().ok()?);
    // What is stored was checked when it was made; a set from the tests has to be read too.
    let cost = Cost { memory_kib, passes, allow_weak_for_tests: memory_kib < Cost::default().memory_kib };
    cost.check().ok()?;
    let salt = BASE64.decode(parts.next()?).ok()?.try_into().ok()?;
    let tag = |tag: &str| if tag == USED { Some(None) } else { BASE64.decode(tag).ok()?.try_into().ok().map(Some) };
    let tags: Vec<Option<[u8; 32]>> = parts.next()?.split(',').take(CODES + 1).map(tag).collect::<Option<_>>()?;
    (parts.next().is_none() && tags.len() <= CODES).then_some(RecoverySet { cost, salt, tags })
}

fn hash(code: &RecoveryCode, salt: &[u8; 16], cost: Cost) -> Result<[u8; 32], Error> {
    argon2id(code.0.open().as_bytes(), salt, cost.params()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutela_core::{Env, SystemEnv};

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, allow_weak_for_tests: true };

    fn set() -> (RecoverySet, Vec<RecoveryCode>) {
        let env: &dyn Env = &SystemEnv;
        RecoverySet::create(CHEAP, &mut { env }).unwrap()
    }

    fn text(code: &RecoveryCode) -> String {
        code.text().open().clone()
    }

    #[test]
    fn each_code_is_good_once() {
        let (mut set, codes) = set();
        assert_eq!((set.left(), codes.len()), (10, 10));
        for (at, code) in codes.iter().enumerate() {
            assert_eq!(set.verify(code), Ok(Some(at)));
            set = set.strike(at);
            assert_eq!(set.verify(code), Ok(None), "used");
            assert_eq!(set.left(), 9 - at);
        }
        assert_eq!(set.clone().strike(99), set);
    }

    #[test]
    fn codes_differ_and_a_code_of_one_set_is_none_of_another() {
        let ((one, codes), (other, _)) = (set(), set());
        let texts: std::collections::BTreeSet<String> = codes.iter().map(text).collect();
        assert_eq!(texts.len(), 10);
        assert!(texts.iter().all(|text| text.len() == 11 && text.as_bytes()[5] == b'-'), "{texts:?}");
        assert_eq!(one.verify(&codes[3]), Ok(Some(3)));
        assert_eq!(other.verify(&codes[3]), Ok(None));
    }

    #[test]
    fn all_fifty_bits_of_a_code_come_from_chance() {
        struct Fixed([u8; 7]);
        impl Random for Fixed {
            fn fill(&mut self, out: &mut [u8]) {
                out.copy_from_slice(&self.0);
            }
        }
        let code = |bytes: [u8; 7]| text(&RecoveryCode::new(&mut Fixed(bytes)));
        assert_eq!(code([0; 7]), "00000-00000");
        assert_eq!(code([0xff; 7]), "zzzzz-zzzzz");
        for bit in 0..50 {
            let mut bytes = [0; 7];
            bytes[bit / 8] = 0x80 >> (bit % 8);
            assert_ne!(code(bytes), "00000-00000", "{bit}");
        }
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let read = |typed: &str| RecoveryCode::parse(typed).map(|code| text(&code));
        for typed in ["01abc-defgh", " 01ABC DEFGH ", "oIabcdefgh", "OL-ab-cd-ef-gh", "0labc\u{2013}defgh"] {
            assert_eq!(read(typed).as_deref(), Some("01abc-defgh"), "{typed}");
        }
        for bad in ["", "01abc-defg", "01abc-defghj", "01abc-defgu", "01abc_defgh", "01abc-defg\u{fc}", &" ".repeat(65)] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_stored_is_read_again_and_nothing_else_is() {
        let (set, codes) = set();
        let set = set.strike(4);
        let stored = set.to_text();
        let again = RecoverySet::parse(&stored).unwrap();
        assert_eq!(again.to_text(), stored);
        assert_eq!((again.left(), again.verify(&codes[5]), again.verify(&codes[4])), (9, Ok(Some(5)), Ok(None)));
        for bad in [
            "",
            PREFIX,
            &stored[..stored.len() - 1],
            &format!("{stored},-"),
            &format!("{stored}$"),
            &stored.replace("p=1", "p=2"),
            &stored.replace("m=64", "m=1"),
            &stored.replace("argon2id", "argon2i"),
        ] {
            assert_eq!(RecoverySet::parse(bad), Err(Error::BadHash), "{bad}");
        }
    }

    #[test]
    fn a_set_with_nothing_left_accepts_nothing() {
        let (set, codes) = set();
        let emptied = (0..10).fold(set, RecoverySet::strike);
        assert_eq!(emptied.left(), 0);
        assert!(codes.iter().all(|code| emptied.verify(code) == Ok(None)));
    }
}
