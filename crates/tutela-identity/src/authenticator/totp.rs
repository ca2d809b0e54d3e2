//! Codes of an authenticator app: TOTP (RFC 6238) over HOTP (RFC 4226) with SHA-1, six digits and 30 seconds, which is
//! what every app understands.

use aws_lc_rs::hmac;
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use tutela_core::{Random, Secret, Timestamp, random_bytes};

use super::{RFC_4648, base32, grouped};

const PERIOD: i64 = 30;
const DIGITS: usize = 6;
/// Steps accepted on either side of now (RFC 6238 §5.2): the app's clock may be off, and typing takes time.
const WINDOW: i64 = 1;

/// The secret shared with an app. The caller seals it before it is stored; a hash would be of no use.
pub struct TotpSecret(Secret<[u8; 20]>);

/// The number of a period of 30 seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(pub i64);

/// Why a code is refused. The person is told the same in both cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TotpRefused {
    /// It was right, and it or a later one was used before: somebody may have looked on.
    Replayed,
    /// It is not the code of now.
    Wrong,
}

impl TotpRefused {
    /// As it stands in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replayed => "code_replayed",
            Self::Wrong => "code_wrong",
        }
    }
}

impl TotpSecret {
    /// A new one of 160 bits (RFC 4226 §4 R6).
    pub fn new(rng: &mut dyn Random) -> Self {
        Self(Secret::new(random_bytes(rng)))
    }

    /// From storage, unsealed.
    pub fn from_stored(bytes: [u8; 20]) -> Self {
        Self(Secret::new(bytes))
    }

    /// For sealing.
    pub fn open(&self) -> &[u8; 20] {
        self.0.open()
    }

    /// For typing where no camera is at hand: base 32 in groups of four.
    pub fn text(&self) -> Secret<String> {
        Secret::new(grouped(&base32(self.open(), RFC_4648), 4, ' '))
    }

    /// What the QR code says: the `otpauth` address that apps agree on. `issuer` and `account` may hold anything.
    pub fn uri(&self, issuer: &str, account: &str) -> Secret<String> {
        let (issuer, account, secret) = (escaped(issuer), escaped(account), base32(self.open(), RFC_4648));
        Secret::new(format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={PERIOD}"))
    }

    /// Checks a code against now and one step on either side. `last` is the step accepted last time; the one returned
    /// replaces it, and the caller MUST store it with a comparison before anybody is let in: two requests may race.
    pub fn verify(&self, code: &str, now: Timestamp, last: Option<Step>) -> Result<Step, TotpRefused> {
        let given = parse(code).ok_or(TotpRefused::Wrong)?;
        let current = now.secs().div_euclid(PERIOD);
        let last = last.map_or(i64::MIN, |Step(last)| last);
        // Every step is computed and compared, whichever fits: the time taken says nothing.
        let (mut accepted, mut found, mut replayed) = (0_i64, Choice::from(0), Choice::from(0));
        for step in current - WINDOW..=current + WINDOW {
            // Before 1970 there are no codes.
            let Ok(counter) = u64::try_from(step) else { continue };
            let fits = (truncated(self.open(), counter) % 1_000_000).ct_eq(&given);
            let fresh = Choice::from(u8::from(step > last));
            accepted.conditional_assign(&step, fits & fresh);
            found |= fits & fresh;
            replayed |= fits & !fresh;
        }
        match (bool::from(found), bool::from(replayed)) {
            (true, _) => Ok(Step(accepted)),
            (false, true) => Err(TotpRefused::Replayed),
            (false, false) => Err(TotpRefused::Wrong),
        }
    }
}

/// HOTP before the digits are cut off: 31 bits of HMAC-SHA-1 (RFC 4226 §5.3).
fn truncated(key: &[u8], counter: u64) -> u32 {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key), &counter.to_be_bytes());
    let tag = tag.as_ref();
    let offset = tag.last().map_or(0, |byte| usize::from(byte & 15));
    let bits = tag.iter().skip(offset).take(4).fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
    bits & 0x7fff_ffff
}

/// Six digits, with spaces where people put them.
fn parse(code: &str) -> Option<u32> {
    if code.len() > 32 {
        return None;
    }
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    (digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

/// Everything but RFC 3986's unreserved characters in percent encoding, the colon too: it parts issuer and account.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |out, byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out + char::from(byte).encode_utf8(&mut [0; 4]),
        _ => out + &format!("%{byte:02X}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of both RFCs.
    fn secret() -> TotpSecret {
        TotpSecret::from_stored(*b"12345678901234567890")
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn code(step: i64) -> String {
        format!("{:06}", truncated(secret().open(), u64::try_from(step).unwrap()) % 1_000_000)
    }

    #[test]
    fn the_codes_are_those_of_rfc_4226_appendix_d() {
        let truncations =
            [0x4c93_cf18_u32, 0x4139_7eea, 0x082f_ef30, 0x66ef_7655, 0x61c5_938a, 0x33c0_83d4, 0x7256_c032, 0x04e5_b397, 0x2823_443f, 0x2679_dc69];
        let codes = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (counter, (truncation, expected)) in (0..).zip(truncations.into_iter().zip(codes)) {
            assert_eq!(truncated(secret().open(), counter), truncation);
            assert_eq!(code(i64::try_from(counter).unwrap()), expected);
        }
    }

    #[test]
    fn the_codes_are_those_of_rfc_6238_appendix_b() {
        let vectors = [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ];
        for (time, expected) in vectors {
            assert_eq!(truncated(secret().open(), time / 30) % 100_000_000, expected, "{time}");
            let six = format!("{:06}", expected % 1_000_000);
            let time = i64::try_from(time).unwrap();
            assert_eq!(secret().verify(&six, at(time), None), Ok(Step(time / 30)));
        }
    }

    #[test]
    fn a_clock_may_be_off_by_one_step_and_no_more() {
        for (now, accepted) in [(3_000, true), (3_029, true), (2_970, true), (3_059, true), (2_969, false), (3_060, false)] {
            assert_eq!(secret().verify(&code(100), at(now), None).is_ok(), accepted, "{now}");
        }
    }

    #[test]
    fn a_code_is_good_once_and_an_older_one_never_again() {
        let used = secret().verify(&code(100), at(3_010), None).unwrap();
        assert_eq!(used, Step(100));
        assert_eq!(secret().verify(&code(100), at(3_015), Some(used)), Err(TotpRefused::Replayed));
        assert_eq!(secret().verify(&code(99), at(3_015), Some(used)), Err(TotpRefused::Replayed), "an older step that was never used");
        assert_eq!(secret().verify(&code(101), at(3_015), Some(used)), Ok(Step(101)), "the next one, a little early");
        assert_eq!(secret().verify("000000", at(3_015), Some(used)), Err(TotpRefused::Wrong));
        // The clock was set back: nothing is accepted until it has caught up.
        assert_eq!(secret().verify(&code(90), at(2_700), Some(used)), Err(TotpRefused::Replayed));
    }

    #[test]
    fn spaces_are_tolerated_and_nothing_else() {
        let code = code(100);
        let spaced = format!(" {} {}\u{a0}", &code[..3], &code[3..]);
        assert!(secret().verify(&spaced, at(3_000), None).is_ok());
        for bad in ["", "12345", "1234567", "12345a", "-12345", "+12345", "１２３４５６", &format!("{code} {}", " ".repeat(100))] {
            assert_eq!(secret().verify(bad, at(3_000), None), Err(TotpRefused::Wrong), "{bad}");
        }
    }

    #[test]
    fn before_1970_there_are_no_codes_and_no_crash() {
        assert_eq!(secret().verify(&code(0), at(-1), None), Ok(Step(0)), "one step of drift");
        assert_eq!(secret().verify(&code(0), at(-31), None), Err(TotpRefused::Wrong));
        assert!(secret().verify(&code(0), Timestamp::from_micros(i64::MIN), None).is_err());
    }

    #[test]
    fn the_address_keeps_any_name_apart_from_its_own_signs() {
        let uri = secret().uri("Tütela: A&B?", "ada+1@example.com").open().clone();
        assert_eq!(
            uri,
            "otpauth://totp/T%C3%BCtela%3A%20A%26B%3F:ada%2B1%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=T%C3%BCtela%3A%20A%26B%3F&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(secret().text().open(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
    }
}
