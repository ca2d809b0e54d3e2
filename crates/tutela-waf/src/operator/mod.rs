//! Operators: a value in, yes or no out.

mod address;
mod check;
mod detect;
mod phrases;

pub(crate) use self::check::number;
use self::{address::Networks, phrases::Phrases};
use crate::{regex::Regex, text::Text, transform::ByteSet};

/// An operator with its argument.
#[derive(Debug, Clone)]
pub(crate) enum Operator {
    BeginsWith(Text),
    /// A byte that is not among these.
    ByteRange(ByteSet),
    Compare(Comparison, Text),
    Contains(Text),
    ContainsWord(Text),
    DetectSqli,
    DetectXss,
    EndsWith(Text),
    Equals(Text),
    IpMatch(Networks),
    Never,
    Phrases(Phrases),
    Regex(Regex),
    Always,
    UrlEncoding,
    Utf8,
    VerifyCard(Regex),
    VerifyCpf(Regex),
    VerifySsn(Regex),
    Within(Text),
}

/// How two numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// Files that rules name.
pub trait Files {
    /// The bytes of a file; the text says why not.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;

    /// The files that a pattern of `Include` names, in order. One without `*` names itself, whether it is there or not.
    fn list(&self, pattern: &str) -> Result<Vec<String>, String>;
}

impl Operator {
    /// Builds an operator by its name; `read` gives the files that it names.
    pub(crate) fn build(name: &str, argument: &str, read: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>) -> Result<Self, String> {
        let text = || Text::read(argument);
        let regex = || Regex::new(argument, false).map_err(|e| format!("`@{name} {argument}` is no regular expression: {e}"));
        let compare = |how| Ok::<_, String>(Self::Compare(how, text()?));
        Ok(match name.to_ascii_lowercase().as_str() {
            "beginswith" => Self::BeginsWith(text()?),
            "contains" | "strmatch" => Self::Contains(text()?),
            "containsword" => Self::ContainsWord(text()?),
            "detectsqli" => Self::DetectSqli,
            "detectxss" => Self::DetectXss,
            "endswith" => Self::EndsWith(text()?),
            "eq" => compare(Comparison::Equal)?,
            "ge" => compare(Comparison::GreaterOrEqual)?,
            "gt" => compare(Comparison::Greater)?,
            "ipmatch" => Self::IpMatch(Networks::read(argument)?),
            "ipmatchf" | "ipmatchfromfile" => Self::IpMatch(Networks::read(&phrases::entries(&read(argument)?).join(","))?),
            "le" => compare(Comparison::LessOrEqual)?,
            "lt" => compare(Comparison::Less)?,
            "nomatch" => Self::Never,
            "pm" => Self::Phrases(Phrases::new(phrases::words(argument))?),
            "pmf" | "pmfromfile" => {
                let mut all = Vec::new();
                for file in argument.split_whitespace() {
                    all.extend(phrases::entries(&read(file)?).into_iter().map(String::into_bytes));
                }
                Self::Phrases(Phrases::new(all)?)
            }
            "rx" | "rxglobal" => Self::Regex(regex()?),
            "streq" => Self::Equals(text()?),
            "unconditionalmatch" => Self::Always,
            "validatebyterange" => Self::ByteRange(check::byte_range(argument)?),
            "validateurlencoding" => Self::UrlEncoding,
            "validateutf8encoding" => Self::Utf8,
            "verifycc" => Self::VerifyCard(regex()?),
            "verifycpf" => Self::VerifyCpf(regex()?),
            "verifyssn" => Self::VerifySsn(regex()?),
            "within" => Self::Within(text()?),
            "fuzzyhash" | "geolookup" | "gsblookup" | "inspectfile" | "rbl" | "rsub" | "validatedtd" | "validatehash" | "validateschema" => {
                return Err(format!("`@{name}` is not supported: rules here look at the request alone"));
            }
            _ => return Err(format!("`@{name}` is no operator")),
        })
    }

    /// Whether `value`, which holds `bytes`, is found. `expand` gives texts for this request. What is found is kept
    /// in `captures`, where that is wanted.
    pub(crate) fn test(&self, value: &[u8], bytes: &ByteSet, expand: &dyn Fn(&Text) -> Vec<u8>, captures: Option<&mut Vec<Vec<u8>>>) -> bool {
        let with = |text: &Text, check: &dyn Fn(&[u8]) -> bool| match text.plain() {
            Some(plain) => check(plain),
            None => check(&expand(text)),
        };
        let keep = |captures: Option<&mut Vec<Vec<u8>>>, found: &[u8]| {
            if let Some(captures) = captures {
                captures.push(found.to_vec());
            }
        };
        match self {
            Self::Always => true,
            Self::BeginsWith(text) => with(text, &|text| value.starts_with(text)),
            Self::ByteRange(allowed) => !bytes.is_within(allowed),
            Self::Compare(how, text) => with(text, &|text| {
                let (left, right) = (check::number(value), check::number(text));
                match how {
                    Comparison::Equal => left == right,
                    Comparison::Greater => left > right,
                    Comparison::GreaterOrEqual => left >= right,
                    Comparison::Less => left < right,
                    Comparison::LessOrEqual => left <= right,
                }
            }),
            Self::Contains(text) => with(text, &|text| memchr::memmem::find(value, text).is_some()),
            Self::ContainsWord(text) => with(text, &|text| check::contains_word(value, text)),
            Self::DetectSqli => {
                let found = detect::sqli(value);
                if let Some(fingerprint) = &found {
                    keep(captures, fingerprint);
                }
                found.is_some()
            }
            Self::DetectXss => {
                let found = detect::xss(value);
                if found {
                    keep(captures, value);
                }
                found
            }
            Self::EndsWith(text) => with(text, &|text| value.ends_with(text)),
            Self::Equals(text) => with(text, &|text| value == text),
            Self::IpMatch(networks) => networks.hold(value),
            Self::Never => false,
            Self::Phrases(phrases) => match phrases.find(value) {
                Some(found) => {
                    keep(captures, found);
                    true
                }
                None => false,
            },
            Self::Regex(regex) => {
                regex.is_match(value) && {
                    if let Some(captures) = captures {
                        captures.extend(regex.captures(value).into_iter().map(|span| span.map_or_else(Vec::new, |span| value[span].to_vec())));
                    }
                    true
                }
            }
            Self::UrlEncoding => crate::transform::has_broken_escape(value),
            Self::Utf8 => std::str::from_utf8(value).is_err(),
            Self::VerifyCard(regex) => check::verify(regex, value, captures, check::is_card),
            Self::VerifyCpf(regex) => check::verify(regex, value, captures, check::is_cpf),
            Self::VerifySsn(regex) => check::verify(regex, value, captures, check::is_ssn),
            Self::Within(text) => with(text, &|text| memchr::memmem::find(text, value).is_some()),
        }
    }

    /// Its name and argument, for whoever explains a match.
    pub(crate) fn regexes(&self) -> Option<&Regex> {
        match self {
            Self::Regex(regex) | Self::VerifyCard(regex) | Self::VerifyCpf(regex) | Self::VerifySsn(regex) => Some(regex),
            _ => None,
        }
    }

    /// Phrases of which a match holds one, where it is such an operator.
    pub(crate) fn phrases(&self) -> Option<&[Vec<u8>]> {
        match self {
            Self::Phrases(phrases) => Some(phrases.all()),
            _ => None,
        }
    }
}
