use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time as people write it: `90s`, `15m`, `1h`, `30d`, or in words, `30 days`. From one second to 100 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(u64);

/// Unit, its seconds, and its word in the singular; the largest first.
const UNITS: &[(&str, u64, &str)] = &[("d", 86_400, "day"), ("h", 3_600, "hour"), ("m", 60, "minute"), ("s", 1, "second")];
const LONGEST: u64 = 36_500 * 86_400;

impl Span {
    /// So many seconds.
    pub const fn seconds(n: u64) -> Self {
        Self(n)
    }

    /// So many minutes.
    pub const fn minutes(n: u64) -> Self {
        Self(n * 60)
    }

    /// So many hours.
    pub const fn hours(n: u64) -> Self {
        Self(n * 3_600)
    }

    /// So many days.
    pub const fn days(n: u64) -> Self {
        Self(n * 86_400)
    }

    /// Its length.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// In words: `30 days`.
    pub fn words(self) -> String {
        let (number, word) = self.in_unit(|(_, _, word)| *word);
        if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
    }

    /// The largest unit that it is a whole number of.
    fn in_unit(self, name: impl Fn(&(&'static str, u64, &'static str)) -> &'static str) -> (u64, &'static str) {
        UNITS.iter().find(|(_, seconds, _)| self.0.is_multiple_of(*seconds)).map_or((self.0, "s"), |unit| (self.0 / unit.1, name(unit)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = self.in_unit(|(unit, ..)| *unit);
        write!(f, "{number}{unit}")
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a length of time such as `15m`, `1h` or `30 days`");
        let trimmed = text.trim();
        let digits = trimmed.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (number, unit) = trimmed.split_at(digits);
        // A short unit follows at once, a word after a space.
        let seconds = match unit.strip_prefix(' ') {
            None => UNITS.iter().find(|(short, ..)| *short == unit),
            Some(word) => UNITS.iter().find(|(.., one)| word.trim().strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest == "s")),
        };
        let (_, seconds, _) = seconds.ok_or_else(bad)?;
        let number: u32 = number.parse().map_err(|_| bad())?;
        u64::from(number).checked_mul(*seconds).filter(|s| (1..=LONGEST).contains(s)).map(Self).ok_or_else(bad)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_short_or_in_words_and_written_in_their_largest_unit() {
        for (text, short, words) in [
            ("15m", "15m", "15 minutes"),
            ("90 minutes", "90m", "90 minutes"),
            ("60m", "1h", "1 hour"),
            ("24h", "1d", "1 day"),
            ("30 days", "30d", "30 days"),
            ("5 seconds", "5s", "5 seconds"),
            ("1 day", "1d", "1 day"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.to_string().as_str(), span.words().as_str()), (short, words), "{text}");
        }
        for bad in ["", "30", "days", "30days", "30 dayss", "-1 days", "0 days", "0s", "30 weeks", "99999999999 days", "1.5h", "1 h"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
