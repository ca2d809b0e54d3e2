//! Codes of one use that are sent by text message or mail (SP 800-63B-4 §3.1.3, OWASP ASVS 5.0 §6.5.5 and §6.6.2).
//!
//! ```text
//!   sent --right code--> used
//!        --fifth wrong code--> spent      used, spent, expired: nothing leads back
//!        --5 minutes--> expired
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tutela_core::{Random, Secret, Timestamp, random_bytes};

use super::grouped;
use crate::keyed_hash;

/// How long a code is good for.
pub const LIFE: Duration = Duration::from_secs(300);
/// How often one may be wrong. Five tries of 10^8 codes leave a guesser one chance in twenty million.
pub const MAX_TRIES: u8 = 5;
const DIGITS: usize = 8;
const COUNT: u32 = 100_000_000;

/// A code in clear; it exists in a message and in its reader's hands.
pub struct Code(Secret<String>);

/// HMAC-SHA-256 of a code and what it is for. A code has 27 bits: without the key anybody who reads the store would
/// find it in seconds, and so the key lives elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeHash([u8; 32]);

/// Why a code is refused. The person hears of `Expired` and `Spent`, for a new code is the way on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeRefused {
    /// It came too late.
    Expired,
    /// Too many were wrong.
    Spent,
    /// It was right, once before.
    Used,
    /// It is another one.
    Wrong,
}

impl CodeRefused {
    /// As it stands in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "code_expired",
            Self::Spent => "code_spent",
            Self::Used => "code_replayed",
            Self::Wrong => "code_wrong",
        }
    }
}

impl Code {
    /// Eight digits, each code as likely as the next.
    pub fn new(rng: &mut dyn Random) -> Self {
        // Numbers from the last, incomplete round of 10^8 are drawn again; they would make low codes likelier.
        let bound = u32::MAX - u32::MAX % COUNT;
        let number = loop {
            let number = u32::from_le_bytes(random_bytes(rng));
            if number < bound {
                break number % COUNT;
            }
        };
        Self(Secret::new(format!("{number:08}")))
    }

    /// For the message: `1234 5678`.
    pub fn text(&self) -> Secret<String> {
        Secret::new(grouped(self.0.open(), 4, ' '))
    }

    /// What is kept. `context` is what the code is for, as the ids of the sign-in and of the authenticator: a code of one
    /// is no code of another.
    pub fn hash(&self, key: &Secret<[u8; 32]>, context: &[&str]) -> CodeHash {
        CodeHash::of(self.0.open(), key, context)
    }
}

impl CodeHash {
    fn of(digits: &str, key: &Secret<[u8; 32]>, context: &[&str]) -> Self {
        let parts: Vec<&[u8]> = ["tutela sent code"].iter().chain(context).chain([&digits]).map(|part| part.as_bytes()).collect();
        Self(keyed_hash(key, &parts))
    }

    fn fits(&self, code: &str, key: &Secret<[u8; 32]>, context: &[&str]) -> bool {
        parse(code).is_some_and(|digits| Self::of(&digits, key, context).0.ct_eq(&self.0).into())
    }
}

/// A code on its way, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentCode {
    /// Of the code.
    pub hash: CodeHash,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// How many were wrong.
    pub tries: u8,
    /// Whether it was right once.
    pub used: bool,
}

impl SentCode {
    /// One that is sent now.
    pub fn new(hash: CodeHash, now: Timestamp) -> Self {
        Self { hash, expires_at: now + LIFE, tries: 0, used: false }
    }

    /// Takes a code, with spaces and dashes where people put them. The caller MUST commit the changed state with a
    /// comparison before it acts on the answer: else parallel guesses count as one.
    pub fn take(&mut self, code: &str, key: &Secret<[u8; 32]>, context: &[&str], now: Timestamp) -> Result<(), CodeRefused> {
        self.usable(now)?;
        if self.hash.fits(code, key, context) {
            self.used = true;
            return Ok(());
        }
        self.tries = self.tries.saturating_add(1);
        Err(CodeRefused::Wrong)
    }

    /// Whether another code would be looked at; where not, only a new one helps.
    pub fn usable(&self, now: Timestamp) -> Result<(), CodeRefused> {
        if self.used {
            return Err(CodeRefused::Used);
        }
        if self.tries >= MAX_TRIES {
            return Err(CodeRefused::Spent);
        }
        if now < self.expires_at { Ok(()) } else { Err(CodeRefused::Expired) }
    }
}

fn parse(code: &str) -> Option<String> {
    if code.len() > 64 {
        return None;
    }
    let digits: String = code.chars().filter(|c| !c.is_whitespace() && !"-\u{2010}\u{2011}\u{2013}".contains(*c)).collect();
    (digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutela_core::{Env, SystemEnv};

    const CONTEXT: &[&str] = &["sign-in 1", "phone 1"];
    const START: Timestamp = Timestamp::from_secs(1_790_000_000);

    /// Deals out fixed numbers.
    struct Dealt(Vec<u32>);

    impl Random for Dealt {
        fn fill(&mut self, out: &mut [u8]) {
            out.copy_from_slice(&self.0.remove(0).to_le_bytes());
        }
    }

    fn key() -> Secret<[u8; 32]> {
        Secret::new([7; 32])
    }

    fn sent(number: u32) -> (Code, SentCode) {
        let code = Code::new(&mut Dealt(vec![number]));
        let sent = SentCode::new(code.hash(&key(), CONTEXT), START);
        (code, sent)
    }

    #[test]
    fn codes_are_uniform() {
        // 42 full rounds fit into 32 bits; what is left over is drawn again.
        let code = |numbers: &[u32]| Code::new(&mut Dealt(numbers.to_vec())).text().open().clone();
        assert_eq!(code(&[0]), "0000 0000");
        assert_eq!(code(&[4_199_999_999]), "9999 9999");
        assert_eq!(code(&[4_200_000_000, u32::MAX, 312_345_678]), "1234 5678");
        // Each digit of each place comes about equally often: 10,000 codes, 1,000 +- 5 standard deviations.
        let env: &dyn Env = &SystemEnv;
        let mut counts = [[0_u32; 10]; DIGITS];
        for _ in 0..10_000 {
            for (place, digit) in Code::new(&mut { env }).0.open().bytes().enumerate() {
                counts[place][usize::from(digit - b'0')] += 1;
            }
        }
        assert!(counts.iter().flatten().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_code_is_good_once_and_typed_as_people_type() {
        for typed in ["12345678", "1234 5678", " 1234-5678\n", "12 34 56 78", "1234\u{2013}5678"] {
            let (_, mut state) = sent(12_345_678);
            assert_eq!(state.take(typed, &key(), CONTEXT, START), Ok(()), "{typed}");
            assert_eq!(state.take(typed, &key(), CONTEXT, START), Err(CodeRefused::Used));
        }
    }

    #[test]
    fn a_code_of_one_transaction_is_no_code_of_another() {
        for (byte, context) in [
            (7, &["sign-in 2", "phone 1"][..]),
            (7, &["sign-in 1", "phone 2"]),
            (7, &["sign-in 1phone 1"]),
            (7, &["sign-in 1", "phone 1", ""]),
            (7, &["phone 1", "sign-in 1"]),
            (8, CONTEXT),
        ] {
            let (_, mut state) = sent(12_345_678);
            assert_eq!(state.take("12345678", &Secret::new([byte; 32]), context, START), Err(CodeRefused::Wrong), "{context:?}");
        }
    }

    #[test]
    fn after_five_wrong_ones_the_right_one_is_refused_too() {
        let (_, mut state) = sent(12_345_678);
        for wrong in ["12345679", "1234567", "", "abcdefgh", &"1".repeat(100)] {
            assert_eq!(state.take(wrong, &key(), CONTEXT, START), Err(CodeRefused::Wrong));
        }
        assert_eq!(state.tries, MAX_TRIES);
        assert_eq!(state.take("12345678", &key(), CONTEXT, START), Err(CodeRefused::Spent));
        let (_, mut state) = sent(12_345_678);
        state.tries = MAX_TRIES - 1;
        assert_eq!(state.take("12345678", &key(), CONTEXT, START), Ok(()), "the fifth may be right");
    }

    #[test]
    fn a_code_ends_after_five_minutes() {
        let (_, mut state) = sent(12_345_678);
        assert_eq!(state.take("12345678", &key(), CONTEXT, START + LIFE), Err(CodeRefused::Expired));
        assert_eq!(state.take("12345678", &key(), CONTEXT, START + (LIFE - Duration::from_micros(1))), Ok(()));
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let (_, state) = sent(12_345_678);
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<SentCode>(&text).unwrap(), state);
        assert!(!text.contains("12345678"));
    }
}
