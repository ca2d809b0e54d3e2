//! Small pieces that several pages share: a status, a time, an id, a count.
//!
//! Those with a template render themselves. [`HtmlSafe`] tells askama not to escape them a second time;
//! their own templates have escaped what they hold.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;

/// What a status means; shown as a mark and a colour beside its word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tone {
    /// Something needs a look soon.
    Attention,
    /// Something failed, was refused or is broken.
    Danger,
    /// Works as it should.
    Good,
    /// Worth knowing, neither good nor bad.
    Information,
}

impl Tone {
    /// The style class, and the word scripts use for this tone.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::Danger => "danger",
            Self::Good => "good",
            Self::Information => "information",
        }
    }
}

/// A word with its mark, such as "allowed" or "failing".
#[derive(Clone, Debug, Template)]
#[template(path = "part/status.html")]
pub struct Status {
    /// Decides mark and colour.
    pub tone: Tone,
    /// Says it; never left out.
    pub word: String,
}

impl Status {
    /// A status of this tone, in this word.
    pub fn new(tone: Tone, word: impl Into<String>) -> Self {
        Self { tone, word: word.into() }
    }
}

impl HtmlSafe for Status {}

/// A moment, relative in the text and exact on hover.
#[derive(Clone, Debug, Template)]
#[template(path = "part/when.html")]
pub struct When {
    /// RFC 3339 with zone, for `datetime`; scripts count from it.
    pub iso: String,
    /// The full time as people read it, with zone, for the tooltip.
    pub full: String,
    /// What is shown: "3 min ago", or the full time where scripts are off.
    pub text: String,
}

impl HtmlSafe for When {}

/// An id or a hash: shortened to read, whole to copy.
#[derive(Clone, Debug, Template)]
#[template(path = "part/identifier.html")]
pub struct Identifier {
    /// The whole value.
    pub full: String,
    /// What is shown.
    pub short: String,
}

impl Identifier {
    /// Shortens `full` to its first eight and last four characters if it is longer than sixteen.
    pub fn new(full: impl Into<String>) -> Self {
        let full = full.into();
        let count = full.chars().count();
        let short = if count > 16 {
            let head: String = full.chars().take(8).collect();
            let tail: String = full.chars().skip(count - 4).collect();
            format!("{head}…{tail}")
        } else {
            full.clone()
        };
        Self { full, short }
    }
}

impl HtmlSafe for Identifier {}

/// A number of things, written with groups of three: `12,345`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Count(pub u64);

impl Count {
    /// Whether there is nothing to count.
    pub fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// Whether there is exactly one, so that the noun beside it is singular.
    pub fn is_one(&self) -> bool {
        self.0 == 1
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        f.write_str(&grouped)
    }
}

/// A size in bytes, written with a binary unit: `3.4 MiB`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ByteSize(pub u64);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        // Tenths of the unit in whole numbers; rounds down, so a size is never shown larger than it is.
        let mut unit_size: u64 = 1024;
        let mut unit = "KiB";
        for name in UNITS {
            unit = name;
            if self.0 / unit_size < 1024 || name == "PiB" {
                break;
            }
            unit_size = unit_size.saturating_mul(1024);
        }
        let whole = self.0 / unit_size;
        let tenths = (self.0 % unit_size).saturating_mul(10) / unit_size;
        write!(f, "{whole}.{tenths} {unit}")
    }
}

/// A link with its words.
#[derive(Clone, Debug)]
pub struct Link {
    /// Where it leads.
    pub href: String,
    /// What it says.
    pub label: String,
}

/// One choice of a select field.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What the form sends.
    pub value: String,
    /// What is shown.
    pub label: String,
    /// Whether this is the current one.
    pub selected: bool,
}

/// A filter that is active, with the address of the page without it.
#[derive(Clone, Debug)]
pub struct FilterChip {
    /// The term of the query.
    pub value: String,
    /// The same page without this filter.
    pub remove_url: String,
}

/// One name and value of a definition list.
#[derive(Clone, Debug)]
pub struct Fact {
    /// What it is, such as "Resource".
    pub name: String,
    /// Its value; an empty one is shown as a dash.
    pub value: String,
    /// Whether it is an id, an address or a rule, shown in the monospaced face.
    pub code: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_three() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(Count(count).to_string(), text);
        }
    }

    #[test]
    fn sizes_take_the_largest_unit_below_them() {
        for (size, text) in [(0, "0 B"), (1_023, "1023 B"), (1_024, "1.0 KiB"), (1_536, "1.5 KiB"), (3_565_158, "3.3 MiB")] {
            assert_eq!(ByteSize(size).to_string(), text);
        }
        assert_eq!(ByteSize(u64::MAX).to_string(), "16383.9 PiB");
    }

    #[test]
    fn long_ids_keep_their_ends() {
        assert_eq!(Identifier::new("01938f3e-7a10-7cc2-9d1f-0242ac120002").short, "01938f3e…0002");
        assert_eq!(Identifier::new("short").short, "short");
    }

    #[test]
    fn a_status_escapes_its_word() {
        let html = Status::new(Tone::Danger, "<b>").to_string();
        assert!(html.contains("is-danger"));
        assert!(!html.contains("<b>"));
    }
}
