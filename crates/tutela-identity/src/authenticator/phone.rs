//! Telephone numbers in the form of ITU-T E.164.

use crate::Error;

/// A number with its country code, for example `+41791234512`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Phone(String);

/// Country codes of two digits; `1` and `7` have one, all others three (ITU-T E.164 annex D).
const TWO_DIGITS: &[&str] = &[
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49", "51", "52", "53", "54", "55", "56", "57", "58",
    "60", "61", "62", "63", "64", "65", "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
];

impl Phone {
    /// Reads `+`, a country code and digits; spaces, dashes, dots and parentheses are left out. Whether somebody answers
    /// there only a message can tell.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |why: &str| Err(Error::invalid("phone", format!("{why}; expected a number with its country code such as `+41 79 123 45 12`")));
        if text.len() > 64 {
            return bad("the number is too long");
        }
        let Some(rest) = text.trim().strip_prefix('+') else { return bad("the number does not begin with `+`") };
        let digits: String = rest.chars().filter(|c| !c.is_whitespace() && !"-.()/\u{2010}\u{2011}\u{2013}".contains(*c)).collect();
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return bad("the number holds something else than digits");
        }
        if !(7..=15).contains(&digits.len()) {
            return bad("a number has 7 to 15 digits");
        }
        // No country code begins with 0; what does is a national number.
        if digits.starts_with('0') {
            return bad("the country code is missing");
        }
        Ok(Self(format!("+{digits}")))
    }

    /// As stored and as given to a carrier.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For a page that tells where a code went, to somebody who may not be the owner: `+41 •• ••• •• 12`.
    pub fn masked(&self) -> String {
        let (country, national) = self.parts();
        let shown = 2.min(national.len().saturating_sub(2));
        let (hidden, shown) = national.split_at_checked(national.len() - shown).unwrap_or((national, ""));
        let mut groups = vec![format!("+{country}")];
        // Two, then threes; no dot stands alone.
        let (mut left, mut size) = (hidden.len(), 2);
        while left > 0 {
            let taken = if left <= size + 1 { left } else { size };
            groups.push("•".repeat(taken));
            (left, size) = (left - taken, 3);
        }
        groups.push(shown.to_owned());
        groups.join(" ").trim_end().to_owned()
    }

    /// Whether the number begins with one of `prefixes`, such as `+41`. An empty list allows nothing: each country that
    /// messages are paid to is a decision (OWASP ASVS 5.0 §6.6.3; toll fraud).
    pub fn is_allowed(&self, prefixes: &[String]) -> bool {
        prefixes.iter().any(|prefix| prefix.len() > 1 && prefix.starts_with('+') && self.0.starts_with(prefix.as_str()))
    }

    /// Country code and national number.
    fn parts(&self) -> (&str, &str) {
        let digits = self.0.trim_start_matches('+');
        let length = match digits.get(..1) {
            Some("1" | "7") => 1,
            _ if TWO_DIGITS.iter().any(|code| digits.starts_with(code)) => 2,
            _ => 3,
        };
        digits.split_at_checked(length).unwrap_or((digits, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(text: &str) -> Phone {
        Phone::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for text in ["+41791234512", " +41 79 123 45 12 ", "+41 (79) 123-45-12", "+41.79.123.45.12", "+41\u{a0}79/1234512"] {
            assert_eq!(phone(text).as_str(), "+41791234512", "{text}");
        }
        assert!(Phone::parse("+1234567").is_ok() && Phone::parse("+123456789012345").is_ok());
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for bad in [
            "",
            "+",
            "0791234512",
            "0041791234512",
            "+079123451",
            "+123456",
            "+1234567890123456",
            "+41 79 CALL ME",
            "++41791234512",
            "+41+791234512",
            "+４１７９１２３４５１２",
            &format!("+41{}791234512", " ".repeat(64)),
        ] {
            assert!(matches!(Phone::parse(bad), Err(Error::Invalid { field: "phone", .. })), "{bad}");
        }
    }

    #[test]
    fn a_mask_shows_the_country_and_the_last_two_digits() {
        assert_eq!(phone("+41791234512").masked(), "+41 •• ••• •• 12");
        assert_eq!(phone("+12025550123").masked(), "+1 •• ••• ••• 23");
        assert_eq!(phone("+3581234567").masked(), "+358 •• ••• 67");
        // The shortest there is keeps more hidden than shown.
        assert_eq!(phone("+3581234").masked(), "+358 •• 34");
    }

    #[test]
    fn only_listed_countries_are_allowed() {
        let list = |prefixes: &[&str]| prefixes.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        assert!(phone("+41791234512").is_allowed(&list(&["+49", "+41"])));
        assert!(!phone("+41791234512").is_allowed(&list(&["+49", "41", "+", ""])));
        assert!(!phone("+41791234512").is_allowed(&[]));
    }
}
