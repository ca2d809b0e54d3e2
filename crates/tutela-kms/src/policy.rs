//! Which fields of a record are sensitive, and how each is sealed.

use serde_json::{Map, Value};

use crate::Error;

/// Most fields of one policy.
pub const MAX_FIELDS: usize = 256;
/// The member of a sealed record that names its key.
pub const KEY_ID: &str = "key_id";
/// The member of a sealed record that holds its header.
pub const HEADER_MEMBER: &str = "$tutela";

/// How a field is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// At random.
    Random = 0,
    /// Equal values, equal bytes.
    Deterministic = 1,
    /// At random, with a blind index beside it.
    Equality = 2,
}

/// One sensitive field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Names from the record down, with dots between.
    pub path: String,
    /// How it is sealed.
    pub mode: Mode,
    /// Whether a record may lack it.
    pub optional: bool,
    /// Bits of the blind index, 8 to 64.
    pub index_bits: u8,
}

/// A checked policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    rules: Vec<Rule>,
}

impl Mode {
    /// What it tells whoever reads the stored record.
    pub fn leaks(self) -> &'static str {
        match self {
            Self::Random => "The length of the value.",
            Self::Deterministic => "The length of the value, and which records hold the same value; frequent values can be guessed from how often they occur.",
            Self::Equality => "The length of the value, and which records may hold the same value; with few index bits many different values look the same.",
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::Random, Self::Deterministic, Self::Equality].into_iter().find(|m| *m as u8 == number)
    }
}

impl Policy {
    /// Checks the rules; the path in an error is that of the rule.
    pub fn new(rules: Vec<Rule>) -> Result<Self, Error> {
        let bad = |rule: &Rule, text: &str| Err(Error::Field { path: rule.path.clone(), text: text.to_owned() });
        if rules.is_empty() || rules.len() > MAX_FIELDS {
            return Err(Error::Field { path: "fields".into(), text: "a policy names 1 to 256 fields".into() });
        }
        for (i, rule) in rules.iter().enumerate() {
            if rule.path.len() > 256 || rule.path.split('.').any(str::is_empty) {
                return bad(rule, "a path is names with dots between, at most 256 bytes");
            }
            if [KEY_ID, HEADER_MEMBER].contains(&rule.path.split('.').next().unwrap_or_default()) {
                return bad(rule, "`key_id` and `$tutela` belong to the sealed record");
            }
            if !(8..=64).contains(&rule.index_bits) {
                return bad(rule, "`index_bits` is 8 to 64");
            }
            let inside = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            if rules[..i].iter().any(|other| inside(&rule.path, &other.path) || inside(&other.path, &rule.path)) {
                return bad(rule, "the field stands twice, or inside another sealed field");
            }
            if rules.iter().any(|other| other.mode == Mode::Equality && index_path(&other.path) == rule.path) {
                return bad(rule, "the blind index of another field would stand here");
            }
        }
        Ok(Self { rules })
    }

    /// Its rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule for `path`.
    pub fn rule(&self, path: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.path == path)
    }
}

/// Where the blind index of `path` stands.
pub(crate) fn index_path(path: &str) -> String {
    format!("{path}_index")
}

/// The object and last name that `path` leads to, where its parents exist.
pub(crate) fn parent<'a, 'p>(record: &'a mut Map<String, Value>, path: &'p str) -> Option<(&'a mut Map<String, Value>, &'p str)> {
    let Some((head, rest)) = path.split_once('.') else { return Some((record, path)) };
    match record.get_mut(head)? {
        Value::Object(inner) => parent(inner, rest),
        _ => None,
    }
}

/// The value at `path`.
pub(crate) fn get<'a>(record: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => record.get(path),
        Some((head, rest)) => record.get(head)?.as_object().and_then(|inner| get(inner, rest)),
    }
}
