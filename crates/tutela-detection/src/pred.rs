//! Which events a rule looks at, compiled.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use regex::Regex;
use serde_json::Value;

use crate::event::{Field, plain};

/// A question about one event.
#[derive(Debug, Clone)]
pub(crate) enum Pred {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// One of the values of a member fits.
    Has(Field, Match),
    /// The member is there, or is not.
    Exists(Field, bool),
    /// The member is absent, null or an empty list.
    Null(Field),
    /// One of the values of a member is one of another member's.
    Same(Field, Field),
    /// Any text of the event fits.
    Anywhere(Match),
}

/// A question about one value.
#[derive(Debug, Clone)]
pub(crate) enum Match {
    /// One of these texts, in lower case.
    OneOf(BTreeSet<String>),
    /// This text, as it is written.
    Exact(String),
    /// Parts in this order, with anything between them; in lower case unless cased.
    Like(Like),
    Regex(Regex),
    Within(IpNet),
    Number(Comparison, f64),
}

/// How two numbers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `<`
    Less,
    /// `>`
    More,
    /// `!=`
    Other,
}

impl Comparison {
    /// Every sign, the longer first.
    pub const ALL: [Self; 6] = [Self::AtLeast, Self::AtMost, Self::Other, Self::Equal, Self::Less, Self::More];

    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
            Self::Equal => "=",
            Self::Less => "<",
            Self::More => ">",
            Self::Other => "!=",
        }
    }

    /// As Sigma calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::AtLeast => "gte",
            Self::AtMost => "lte",
            Self::Equal => "eq",
            Self::Less => "lt",
            Self::More => "gt",
            Self::Other => "neq",
        }
    }

    /// Whether `a` compares to `b` so.
    pub fn holds<T: PartialOrd>(self, a: T, b: T) -> bool {
        match self {
            Self::AtLeast => a >= b,
            Self::AtMost => a <= b,
            Self::Equal => a == b,
            Self::Less => a < b,
            Self::More => a > b,
            Self::Other => a != b,
        }
    }
}

impl Pred {
    /// Whether an event fits.
    pub(crate) fn fits(&self, body: &Value) -> bool {
        match self {
            Self::All(all) => all.iter().all(|pred| pred.fits(body)),
            Self::Any(any) => any.iter().any(|pred| pred.fits(body)),
            Self::Not(pred) => !pred.fits(body),
            Self::Has(field, matching) => field.each(body, &mut |value| matching.fits(value)),
            Self::Exists(field, wanted) => field.each(body, &mut |_| true) == *wanted,
            Self::Null(field) => !field.each(body, &mut |value| !value.is_null()),
            Self::Same(a, b) => a.each(body, &mut |left| {
                let left = plain(left);
                left.is_some() && b.each(body, &mut |right| plain(right).zip(left.as_ref()).is_some_and(|(right, left)| right.eq_ignore_ascii_case(left)))
            }),
            Self::Anywhere(matching) => anywhere(body, matching),
        }
    }

    /// Every member that it asks for; nothing where it asks for all of an event.
    pub(crate) fn fields<'a>(&'a self, found: &mut Vec<&'a Field>) -> Option<()> {
        match self {
            Self::All(preds) | Self::Any(preds) => preds.iter().try_for_each(|pred| pred.fields(found)),
            Self::Not(pred) => pred.fields(found),
            Self::Has(field, _) | Self::Exists(field, _) | Self::Null(field) => {
                found.push(field);
                Some(())
            }
            Self::Same(a, b) => {
                found.extend([a, b]);
                Some(())
            }
            Self::Anywhere(_) => None,
        }
    }
}

fn anywhere(value: &Value, matching: &Match) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| anywhere(item, matching)),
        Value::Object(map) => map.values().any(|item| anywhere(item, matching)),
        plain => matching.fits(plain),
    }
}

impl Match {
    pub(crate) fn fits(&self, value: &Value) -> bool {
        let number = || value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        match self {
            Self::Number(how, wanted) => number().is_some_and(|number| how.holds(number, *wanted)),
            _ => match value {
                Value::String(text) => self.fits_text(text),
                other => plain(other).is_some_and(|text| self.fits_text(&text)),
            },
        }
    }

    /// The texts, one of which it has to be, in lower case.
    pub(crate) fn texts(&self) -> Option<&BTreeSet<String>> {
        if let Self::OneOf(texts) = self { Some(texts) } else { None }
    }

    fn fits_text(&self, text: &str) -> bool {
        match self {
            Self::OneOf(texts) => {
                // Nearly everything that is compared is in lower case already.
                if text.bytes().any(|b| b.is_ascii_uppercase() || !b.is_ascii()) { texts.contains(&text.to_lowercase()) } else { texts.contains(text) }
            }
            Self::Exact(wanted) => text == wanted,
            Self::Like(like) => like.fits(text),
            Self::Regex(regex) => regex.is_match(text),
            Self::Within(network) => text.parse::<IpAddr>().is_ok_and(|ip| network.contains(&ip.to_canonical())),
            Self::Number(..) => false,
        }
    }
}

/// A text with `*` for anything and `?` for one character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Like {
    parts: Vec<Part>,
    cased: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    /// One character.
    One,
    /// Anything, or nothing.
    Many,
}

impl Like {
    pub(crate) fn new(parts: Vec<Part>, cased: bool) -> Self {
        let lower = |part| match part {
            Part::Text(text) if !cased => Part::Text(text.to_lowercase()),
            other => other,
        };
        Self { parts: parts.into_iter().map(lower).collect(), cased }
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn fits(&self, text: &str) -> bool {
        if self.cased { matches(&self.parts, text) } else { matches(&self.parts, &text.to_lowercase()) }
    }
}

/// Whether parts make up a text. Every `*` takes as little as it can, which is enough: only the last one has to be
/// tried again, so the time is the product of both lengths at the worst.
fn matches(parts: &[Part], text: &str) -> bool {
    let (mut at, mut rest) = (0, text);
    let mut back: Option<(usize, &str)> = None;
    loop {
        let step = match parts.get(at) {
            Some(Part::Many) => {
                back = Some((at + 1, rest));
                at += 1;
                continue;
            }
            Some(Part::One) => rest.chars().next().map(|c| &rest[c.len_utf8()..]),
            Some(Part::Text(part)) => rest.strip_prefix(part.as_str()),
            None if rest.is_empty() => return true,
            None => None,
        };
        if let Some(next) = step {
            (at, rest) = (at + 1, next);
            continue;
        }
        let Some((after, from)) = back else { return false };
        let Some(first) = from.chars().next() else { return false };
        let from = &from[first.len_utf8()..];
        back = Some((after, from));
        (at, rest) = (after, from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_take_what_they_say_and_never_long() {
        let text = |text: &str| Part::Text(text.into());
        for (parts, subject, fits) in [
            (vec![text("a"), Part::Many], "abc", true),
            (vec![Part::Many, text("C")], "abc", true),
            (vec![Part::Many, text("b"), Part::Many], "abc", true),
            (vec![text("a"), Part::One, text("c")], "aéc", true),
            (vec![text("a"), Part::One, text("c")], "ac", false),
            (vec![Part::Many, text("ab"), Part::Many, text("ab")], "abxab", true),
            (vec![Part::Many, text("ab"), Part::Many, text("ab")], "xab", false),
            (vec![], "", true),
            (vec![Part::Many], "", true),
        ] {
            assert_eq!(Like::new(parts.clone(), false).fits(subject), fits, "{parts:?} {subject}");
        }
        let mut parts = Vec::new();
        for _ in 0..200 {
            parts.extend([Part::Many, text("a")]);
        }
        parts.push(text("b"));
        assert!(!Like::new(parts, false).fits(&"a".repeat(50_000)));
    }
}
