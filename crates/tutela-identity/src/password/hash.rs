//! Passwords at rest: Argon2id (RFC 9106) over the normalised text.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tutela_core::{Random, Secret, random_bytes};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroize as _;

use crate::Error;

/// Most bytes; the whole of it is verified.
pub const MAX_LENGTH: usize = 1_024;

/// The one form of a password that is counted, looked up and hashed: NFC (SP 800-63B-4 §3.1.1.2, UAX #15).
///
/// Keyboards that send `é` as one character or as two open the same account. Nothing else is changed: no case, no
/// space, no character that merely looks alike. ASCII stays as it is, and what is normalised once stays as it is, also
/// under later versions of Unicode as long as it holds only characters that were assigned when it was set (see
/// [`PasswordPolicy::check`](super::PasswordPolicy::check)).
pub fn normalize(password: &str) -> Secret<String> {
    // INVARIANT: NFC takes at most three times the bytes (UAX #15 §9), so the text never moves and leaves no copy behind.
    let mut text = String::with_capacity(password.len().saturating_mul(3));
    text.extend(password.nfc());
    Secret::new(text)
}

/// What one hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cost {
    /// Memory in KiB, from 47,104 (46 MiB, OWASP ASVS 5.0 appendix C) up.
    pub memory_kib: u32,
    /// Passes over the memory, from 1 up.
    pub passes: u32,
    /// Allows less than 47,104 KiB. For tests only: the compliance report shows it.
    pub allow_weak_for_tests: bool,
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: 47_104, passes: 1, allow_weak_for_tests: false }
    }
}

impl Cost {
    /// Refuses a cost that is too low to protect anybody.
    pub fn check(&self) -> Result<(), String> {
        if self.memory_kib < 47_104 && !self.allow_weak_for_tests {
            return Err(format!("`memory_kib` is {}, the least is 47104", self.memory_kib));
        }
        self.params().map(|_| ()).map_err(|_| "`memory_kib` is from 8 to 4194304 and `passes` from 1 to 4294967295".to_owned())
    }

    pub(crate) fn params(&self) -> Result<Params, Error> {
        Params::new(self.memory_kib, self.passes, 1, Some(32)).map_err(|_| Error::Library)
    }
}

/// A stored password hash in PHC string format, for example `$argon2id$v=19$m=47104,t=1,p=1$…$…`.
#[derive(Clone)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Hashes `password`. Takes some 100 ms and `memory_kib` of memory: call it on a bounded worker only.
    pub fn create(password: &Secret<String>, cost: Cost, rng: &mut dyn Random) -> Result<Self, Error> {
        let salt: [u8; 16] = random_bytes(rng);
        let mut tag = argon2id(normalize(password.open()).open().as_bytes(), &salt, cost.params()?)?;
        let text = format!("$argon2id$v=19$m={},t={},p=1${}${}", cost.memory_kib, cost.passes, BASE64.encode(salt), BASE64.encode(tag));
        tag.zeroize();
        Ok(Self(text))
    }

    /// A hash that no password fits, for accounts that do not exist: verifying it costs the same.
    pub fn dummy(cost: Cost) -> Self {
        let zeros = BASE64.encode([0_u8; 32]);
        Self(format!("$argon2id$v=19$m={},t={},p=1${}${zeros}", cost.memory_kib, cost.passes, BASE64.encode([0_u8; 16])))
    }

    /// From storage.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// For storage.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `password` is the one. Same cost and caution as [`PasswordHash::create`].
    pub fn verify(&self, password: &Secret<String>) -> Result<bool, Error> {
        let (params, salt, expected) = self.parts().ok_or(Error::BadHash)?;
        let mut found = argon2id(normalize(password.open()).open().as_bytes(), &salt, params)?;
        let same = bool::from(found.ct_eq(&expected));
        found.zeroize();
        Ok(same)
    }

    /// Whether it was made with another cost than `cost` and should be renewed at the next sign-in.
    pub fn is_outdated(&self, cost: Cost) -> bool {
        self.parts().is_none_or(|(params, ..)| params.m_cost() != cost.memory_kib || params.t_cost() != cost.passes)
    }

    fn parts(&self) -> Option<(Params, Vec<u8>, [u8; 32])> {
        let mut parts = self.0.strip_prefix("$argon2id$v=19$")?.split('$');
        let mut numbers = parts.next()?.split(',').zip(["m=", "t=", "p="]).map(|(text, name)| text.strip_prefix(name)?.parse::<u32>().ok());
        let params = Params::new(numbers.next()??, numbers.next()??, numbers.next()??, Some(32)).ok()?;
        let salt = BASE64.decode(parts.next()?).ok()?;
        let tag = BASE64.decode(parts.next()?).ok()?.try_into().ok()?;
        parts.next().is_none().then_some((params, salt, tag))
    }
}

/// The hash itself; the memory is wiped.
pub(crate) fn argon2id(password: &[u8], salt: &[u8], params: Params) -> Result<[u8; 32], Error> {
    let mut blocks = vec![Block::default(); params.block_count()];
    let mut out = [0; 32];
    let result = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(password, salt, &mut out, &mut blocks);
    blocks.iter_mut().for_each(|b| b.zeroize());
    result.map(|()| out).map_err(|_| Error::Library)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutela_core::{Env, SystemEnv};

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, allow_weak_for_tests: true };

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_hash_made_by_the_reference_implementation_verifies() {
        // From the test table of the reference C implementation (phc-winner-argon2, test.c): password "password", salt "somesalt".
        let hash = PasswordHash::from_stored("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4".to_owned());
        assert_eq!(hash.verify(&secret("password")), Ok(true));
        assert_eq!(hash.verify(&secret("Password")), Ok(false));
    }

    #[test]
    fn the_right_password_opens_and_a_dummy_opens_to_nothing() {
        let env: &dyn Env = &SystemEnv;
        let hash = PasswordHash::create(&secret("a few words in a row"), CHEAP, &mut { env }).unwrap();
        assert_eq!(hash.verify(&secret("a few words in a row")), Ok(true));
        assert_eq!(hash.verify(&secret("a few words in a ro")), Ok(false));
        assert_eq!(PasswordHash::dummy(CHEAP).verify(&secret("")), Ok(false));
        assert!(!hash.is_outdated(CHEAP) && hash.is_outdated(Cost::default()));
        assert_eq!(PasswordHash::from_stored("$2b$12$abc".into()).verify(&secret("x")), Err(Error::BadHash));
    }

    #[test]
    fn one_password_typed_on_two_keyboards_is_one_password() {
        let env: &dyn Env = &SystemEnv;
        let hash = PasswordHash::create(&secret("caf\u{e9} au lait"), CHEAP, &mut { env }).unwrap();
        assert_eq!(hash.verify(&secret("cafe\u{301} au lait")), Ok(true));
        assert_eq!(hash.verify(&secret("cafe au lait")), Ok(false), "an accent counts");
        assert_eq!(hash.verify(&secret("Caf\u{e9} au lait")), Ok(false), "and so does case");
        // Compatibility forms stay apart: NFC, not NFKC.
        assert_eq!(normalize("x\u{b2} \u{fb01}").open(), "x\u{b2} \u{fb01}");
        for text in ["plain", "e\u{301}\u{327}", "\u{1d160}", "\u{ac00}\u{11a8}"] {
            let once = normalize(text);
            assert_eq!(normalize(once.open()).open(), once.open());
            assert!(once.open().len() <= 3 * text.len());
        }
    }

    #[test]
    fn a_weak_cost_needs_the_setting_that_names_it() {
        assert!(Cost { allow_weak_for_tests: false, ..CHEAP }.check().is_err());
        assert!(CHEAP.check().is_ok() && Cost::default().check().is_ok());
    }
}
