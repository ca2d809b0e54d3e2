//! What may be a password: four named profiles, and one check that says what is wrong and what would be right.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::Timestamp;
use unicode_normalization::char::is_public_assigned;

use super::{
    MAX_LENGTH,
    estimate::{Estimate, consists_of, words},
    normalize,
};
use crate::Error;

/// Fewest characters where the password may be the only factor (SP 800-63B-4 §3.1.1.2).
pub const MIN_LENGTH: usize = 15;
/// Fewest characters where it never is (same section).
const MIN_LENGTH_COMBINED: usize = 8;
/// Whose rules passwords follow. They contradict each other, so one is chosen and the compliance report names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// As `nist`, at least 12 characters, and a reminder after 180 days. HIPAA names no numbers (45 CFR §164.308(a)(5)(ii)(D)); these are ours.
    Hipaa,
    /// At least 8 characters and no estimate. For the time of a migration: the compliance report lists it as a deviation.
    Legacy,
    /// At least 15 characters, 8 where a second factor is always asked for; no character classes, no change by the calendar (SP 800-63B-4 §3.1.1.2).
    #[default]
    Nist,
    /// At least 12 characters with letters and digits (PCI DSS 4.0.1 §8.3.6), and a change every 90 days where the password is the only factor (§8.3.9).
    Pci,
}

impl Profile {
    /// As configured and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hipaa => "hipaa",
            Self::Legacy => "legacy",
            Self::Nist => "nist",
            Self::Pci => "pci",
        }
    }
}

/// The rules of one profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// Where they come from.
    pub profile: Profile,
    /// Fewest characters, counted as Unicode code points after [`normalize`].
    pub min_length: usize,
    /// Whether letters and digits both have to be there.
    pub letters_and_digits: bool,
    /// Lowest estimate of zxcvbn, from 0 (any) to 4.
    pub min_score: u8,
    /// A reminder that can be dismissed, after so many days.
    pub reminder_days: Option<u16>,
    /// A change that cannot, after so many days.
    pub max_age_days: Option<u16>,
}

/// Whether a list of breached passwords has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breached {
    /// It is on the list.
    Listed,
    /// It is not.
    Unlisted,
    /// There is no list, or it was not asked.
    Unknown,
}

/// What a strength meter shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strength {
    /// From 0 to 4; where there is a problem, at most 2.
    pub score: u8,
    /// Why it would be refused, and what would be right.
    pub problem: Option<String>,
}

/// Whether a password is due for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordAge {
    /// It has to be changed before anything else.
    Expired,
    /// It is not.
    Fresh,
    /// Its owner may be reminded.
    Stale,
}

/// Refuses what the default profile refuses where the password is the only factor.
pub fn check_strength(password: &str, context: &[&str]) -> Result<(), Error> {
    PasswordPolicy::of(Profile::Nist, 1).check(password, context, Breached::Unknown)
}

impl PasswordPolicy {
    /// The rules of `profile` where every sign-in takes `required_factors` factors.
    pub fn of(profile: Profile, required_factors: u8) -> Self {
        let alone = required_factors < 2;
        let nist = if alone { MIN_LENGTH } else { MIN_LENGTH_COMBINED };
        let base = Self { profile, min_length: nist, letters_and_digits: false, min_score: 3, reminder_days: None, max_age_days: None };
        match profile {
            Profile::Hipaa => Self { min_length: nist.max(12), reminder_days: Some(180), ..base },
            Profile::Legacy => Self { min_length: 8, min_score: 0, ..base },
            Profile::Nist => base,
            Profile::Pci => Self { min_length: 12, letters_and_digits: true, max_age_days: alone.then_some(90), ..base },
        }
    }

    /// Refuses a password that breaks the rules. `context` is what others know of its owner: the mail address, the name,
    /// the host name of the service. Takes some milliseconds, whatever the input.
    pub fn check(&self, password: &str, context: &[&str], breached: Breached) -> Result<(), Error> {
        self.strength(password, context, breached).problem.map_or(Ok(()), |problem| Err(Error::invalid("password", problem)))
    }

    /// The same judgement for a meter.
    pub fn strength(&self, password: &str, context: &[&str], breached: Breached) -> Strength {
        let refused = |score: u8, problem: String| Strength { score, problem: Some(problem) };
        // First of all, so that nothing below sees a megabyte.
        if password.len() > MAX_LENGTH {
            return refused(0, format!("a password has at most {MAX_LENGTH} bytes; all of them count"));
        }
        let normal = normalize(password);
        let password = normal.open().as_str();
        if let Some(problem) = self.shape(password) {
            return refused(0, problem);
        }
        let words = words(context);
        if consists_of(password, &words) {
            return refused(0, format!("the password is made of your name, your address or the name of this service; {RIGHT}"));
        }
        let estimate = Estimate::of(password, &words);
        if estimate.common {
            return refused(0, format!("this is one of the passwords that are tried first everywhere; {RIGHT}"));
        }
        if breached == Breached::Listed {
            return refused(0, format!("this password is known from a breach of another service, so it is tried everywhere; {RIGHT}"));
        }
        if estimate.score < self.min_score {
            return refused(estimate.score.min(2), format!("the password is easy to guess: {}; {RIGHT}", estimate.why));
        }
        Strength { score: estimate.score, problem: None }
    }

    /// Whether a password set at `set_at` is due.
    pub fn age(&self, set_at: Timestamp, now: Timestamp) -> PasswordAge {
        let older = |days: Option<u16>| days.is_some_and(|days| now.since(set_at).as_secs() >= u64::from(days) * 86_400);
        match (older(self.max_age_days), older(self.reminder_days)) {
            (true, _) => PasswordAge::Expired,
            (false, true) => PasswordAge::Stale,
            (false, false) => PasswordAge::Fresh,
        }
    }

    /// Length and characters.
    fn shape(&self, password: &str) -> Option<String> {
        let least = self.min_length;
        if password.chars().count() < least {
            return Some(format!("a password has at least {least} characters and at most {MAX_LENGTH} bytes; a few words in a row are easy to remember"));
        }
        if password.chars().any(|c| c.is_control() || !is_stable(c)) {
            return Some("the password holds a character that not every keyboard sends alike, such as a line break; leave it out".to_owned());
        }
        if self.letters_and_digits && !(password.chars().any(char::is_alphabetic) && password.chars().any(char::is_numeric)) {
            return Some(format!("a password has letters and digits here, and at least {least} characters"));
        }
        let first = password.chars().next();
        password.chars().all(|c| Some(c) == first).then(|| "the password must not be one character repeated".to_owned())
    }
}

const RIGHT: &str = "four words that have nothing to do with each other are hard to guess";

/// Whether later versions of Unicode cannot normalise it differently (UAX #15 §12.1): it is assigned, or private for good.
fn is_stable(c: char) -> bool {
    is_public_assigned(c) || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{ffffd}' | '\u{100000}'..='\u{10fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: [&str; 3] = ["ada@example.com", "Ada Lovelace", "login.photos.example"];

    fn problem(policy: &PasswordPolicy, password: &str) -> String {
        policy.strength(password, &ADA, Breached::Unknown).problem.unwrap_or_default()
    }

    #[test]
    fn each_profile_has_the_numbers_of_its_standard() {
        let numbers = |profile, factors| {
            let policy = PasswordPolicy::of(profile, factors);
            (policy.min_length, policy.letters_and_digits, policy.min_score, policy.reminder_days, policy.max_age_days)
        };
        assert_eq!(numbers(Profile::Nist, 1), (15, false, 3, None, None));
        assert_eq!(numbers(Profile::Nist, 2), (8, false, 3, None, None));
        assert_eq!(numbers(Profile::Pci, 1), (12, true, 3, None, Some(90)));
        assert_eq!(numbers(Profile::Pci, 2), (12, true, 3, None, None));
        assert_eq!(numbers(Profile::Hipaa, 1), (15, false, 3, Some(180), None));
        assert_eq!(numbers(Profile::Hipaa, 2), (12, false, 3, Some(180), None));
        assert_eq!(numbers(Profile::Legacy, 1), (8, false, 0, None, None));
        for profile in [Profile::Hipaa, Profile::Legacy, Profile::Nist, Profile::Pci] {
            assert_eq!(serde_json::to_value(profile).unwrap(), profile.as_str());
        }
    }

    #[test]
    fn characters_are_counted_not_bytes_and_the_whole_length_is_free() {
        let policy = PasswordPolicy::of(Profile::Nist, 1);
        // 14 characters of two bytes, then 15; an accent of its own is none.
        assert!(problem(&policy, "жёлтый верблюд").contains("at least 15"));
        assert_eq!(problem(&policy, "жёлтый верблюды"), "");
        assert!(problem(&policy, "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}").contains("at least 15"));
        assert_eq!(problem(&policy, &"correct horse battery ".repeat(46)), "", "1,012 bytes");
        assert!(problem(&policy, &"correct horse battery ".repeat(47)).contains("at most 1024"));
        assert!(problem(&policy, &"x ".repeat(500_000)).contains("at most 1024"), "a megabyte");
        assert!(problem(&PasswordPolicy::of(Profile::Nist, 2), "Xk3!vQz9p").is_empty(), "9 of 8 with a second factor");
    }

    #[test]
    fn no_profile_but_pci_asks_for_kinds_of_characters() {
        assert!(problem(&PasswordPolicy::of(Profile::Pci, 2), "correct horse battery").contains("letters and digits"));
        assert_eq!(problem(&PasswordPolicy::of(Profile::Pci, 2), "correct horse battery 7"), "");
        assert_eq!(problem(&PasswordPolicy::of(Profile::Nist, 1), "correct horse battery"), "");
    }

    #[test]
    fn a_common_password_is_refused_in_any_case_and_in_every_profile() {
        for password in ["password1", "PASSWORD1", "iloveyou", "1qaz2wsx3edc4rfv"] {
            let found = problem(&PasswordPolicy { min_length: 8, ..PasswordPolicy::of(Profile::Legacy, 2) }, password);
            assert!(found.contains("tried first"), "{password}: {found}");
        }
    }

    #[test]
    fn what_others_know_of_you_is_no_password() {
        for password in ["ada@example.com", "ADA@EXAMPLE.COM!", "AdaLovelace2026!", "ada.lovelace.photos", "lovelacelovelace1", "login.photos.example"] {
            for profile in [Profile::Nist, Profile::Legacy] {
                let found = problem(&PasswordPolicy::of(profile, 1), password);
                assert!(found.contains("made of your name"), "{password}: {found}");
            }
        }
        assert_eq!(problem(&PasswordPolicy::of(Profile::Nist, 1), "lovelace rides a green camel"), "", "your name and something else");
    }

    #[test]
    fn the_reason_names_the_pattern() {
        let policy = PasswordPolicy::of(Profile::Nist, 1);
        for (password, reason) in [
            ("abcabcabcabcabcabc", "repeats itself"),
            ("abcdefghijklmnopq", "sequence"),
            ("ertyuiop[]asdfghjkl;", "keys of the keyboard"),
            ("qwertyuiopasdfgh", "close to a password"),
            ("p4ssw0rdp4ssw0rd", "repeats itself"),
            ("aaaaaaaaaaaaaaaaaa", "one character repeated"),
            ("correct horse\nbattery", "line break"),
            ("correct horse \u{378} battery", "line break"),
        ] {
            let found = problem(&policy, password);
            assert!(found.contains(reason), "{password}: {found}");
        }
        let legacy = PasswordPolicy::of(Profile::Legacy, 1);
        assert_eq!(problem(&legacy, "abcabcabcabcabcabc"), "", "legacy asks for no estimate");
    }

    #[test]
    fn a_breached_password_is_refused_where_there_is_a_list() {
        let policy = PasswordPolicy::of(Profile::Nist, 1);
        let check = |breached| policy.check("correct horse battery", &[], breached);
        assert!(check(Breached::Unknown).is_ok() && check(Breached::Unlisted).is_ok());
        assert!(matches!(check(Breached::Listed), Err(Error::Invalid { field: "password", message }) if message.contains("breach")));
    }

    #[test]
    fn a_meter_grades_what_the_check_decides() {
        let policy = PasswordPolicy::of(Profile::Nist, 1);
        let grade = |password: &str| policy.strength(password, &ADA, Breached::Unknown);
        assert_eq!(grade("short").score, 0);
        assert!(grade("abcabcabcabcabcabc").score <= 2);
        assert_eq!(grade("correct horse battery staple"), Strength { score: 4, problem: None });
    }

    #[test]
    fn age_is_a_reminder_or_a_demand() {
        let at = |days: i64| Timestamp::from_secs(days * 86_400);
        let (hipaa, pci) = (PasswordPolicy::of(Profile::Hipaa, 2), PasswordPolicy::of(Profile::Pci, 1));
        assert_eq!([179, 180].map(|day| hipaa.age(at(0), at(day))), [PasswordAge::Fresh, PasswordAge::Stale]);
        assert_eq!([89, 90].map(|day| pci.age(at(0), at(day))), [PasswordAge::Fresh, PasswordAge::Expired]);
        assert_eq!(PasswordPolicy::of(Profile::Nist, 1).age(at(0), at(9_999)), PasswordAge::Fresh);
    }

    #[test]
    fn what_people_chose_before_the_estimate_still_passes() {
        for good in ["correct horse battery", "a few words in a row", "a few plain words in a row", "some other plain words"] {
            assert!(check_strength(good, &["ada@example.com"]).is_ok(), "{good}");
        }
        for bad in ["short", "ada@example.com", "aaaaaaaaaaaaaaaaaaaa", &"x1".repeat(600)] {
            assert!(check_strength(bad, &["ada@example.com"]).is_err(), "{bad}");
        }
    }
}
