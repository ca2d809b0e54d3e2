//! Selections: maps of `field|modifiers: value`, lists of maps, lists of words (Sigma 2.1, Rules, "Detection").

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use regex::RegexBuilder;
use serde_yaml_ng::{Mapping, Value};

use crate::{
    event::Field,
    pred::{Comparison, Like, Match, Part, Pred},
};

/// Longest pattern that is compiled, and most memory that one may take.
const LONGEST: usize = 4_096;
const REGEX_BYTES: usize = 1 << 20;
/// Most values of one member.
const MOST: usize = 10_000;

/// A selection as a question.
pub(crate) fn selection(value: &Value) -> Result<Pred, String> {
    match value {
        Value::Mapping(map) => map_of(map),
        Value::Sequence(items) if items.iter().all(Value::is_mapping) => any(items.iter().map(selection)),
        Value::Sequence(items) => any(items.iter().map(word)),
        other => word(other),
    }
}

fn map_of(map: &Mapping) -> Result<Pred, String> {
    if map.is_empty() {
        return Err("a selection is empty".into());
    }
    let mut all = map.iter().map(|(name, value)| item(name.as_str().ok_or("the name of a field is a text")?, value)).collect::<Result<Vec<_>, String>>()?;
    Ok(if all.len() == 1 { all.remove(0) } else { Pred::All(all) })
}

fn any(all: impl Iterator<Item = Result<Pred, String>>) -> Result<Pred, String> {
    let mut all = all.collect::<Result<Vec<_>, _>>()?;
    if all.is_empty() {
        return Err("a list is empty".into());
    }
    Ok(if all.len() == 1 { all.remove(0) } else { Pred::Any(all) })
}

/// A word on its own: any text of the event has it.
fn word(value: &Value) -> Result<Pred, String> {
    let text = scalar(value).ok_or("a word is a text or a number")?;
    Ok(Pred::Anywhere(like(around(parts(&text), true, true), false)))
}

/// What a value is turned into before it is compared.
#[derive(Default)]
struct How {
    all: bool,
    cased: bool,
    starts: bool,
    ends: bool,
    negated: bool,
    encodings: Vec<String>,
    kind: Kind,
}

#[derive(Default, PartialEq)]
enum Kind {
    #[default]
    Text,
    Cidr,
    Compare(Comparison),
    Exists,
    Field,
    Regex {
        multi_line: bool,
        dot_all: bool,
        any_case: bool,
    },
}

fn item(name: &str, value: &Value) -> Result<Pred, String> {
    let mut words = name.split('|');
    let name = words.next().unwrap_or_default();
    let how = modifiers(words).map_err(|e| format!("`{name}`: {e}"))?;
    let values: Vec<&Value> = match value {
        Value::Sequence(items) => items.iter().collect(),
        one => vec![one],
    };
    if values.len() > MOST {
        return Err(format!("`{name}` has {} values; at most {MOST} are taken", values.len()));
    }
    let of = |value: &Value| one(name, &how, value).map_err(|e| format!("`{name}`: {e}"));
    let mut preds = if !how.all && values.len() > 1 {
        // Plain texts of a list are looked up at once.
        let (plain, others): (Vec<_>, Vec<_>) = values.iter().partition(|value| is_plain(&how, value));
        let mut preds = others.into_iter().map(&of).collect::<Result<Vec<_>, _>>()?;
        if !plain.is_empty() {
            let texts: BTreeSet<String> = plain.iter().filter_map(|value| scalar(value)).map(|text| unescaped(&text).to_lowercase()).collect();
            preds.push(Pred::Has(Field::new(name)?, Match::OneOf(texts)));
        }
        preds
    } else {
        values.iter().map(|value| of(value)).collect::<Result<Vec<_>, _>>()?
    };
    let found = match preds.len() {
        0 => return Err(format!("`{name}` has no value")),
        1 => preds.remove(0),
        _ if how.all => Pred::All(preds),
        _ => Pred::Any(preds),
    };
    Ok(if how.negated { Pred::Not(Box::new(found)) } else { found })
}

fn is_plain(how: &How, value: &Value) -> bool {
    let text = how.kind == Kind::Text && !how.cased && !how.starts && !how.ends && how.encodings.is_empty();
    text && value.as_str().is_some_and(|text| parts(text).iter().all(|part| matches!(part, Part::Text(_))))
}

fn modifiers<'a>(words: impl Iterator<Item = &'a str>) -> Result<How, String> {
    let mut how = How::default();
    for word in words {
        match word {
            "all" => how.all = true,
            "cased" => how.cased = true,
            "neq" => how.negated = true,
            "contains" => (how.starts, how.ends) = (true, true),
            // What comes after is free.
            "startswith" => how.ends = true,
            "endswith" => how.starts = true,
            "base64" | "base64offset" | "wide" | "utf16" | "utf16le" | "utf16be" | "windash" => how.encodings.push(word.to_owned()),
            "cidr" => how.kind = Kind::Cidr,
            "exists" => how.kind = Kind::Exists,
            "fieldref" => how.kind = Kind::Field,
            "re" => how.kind = Kind::Regex { multi_line: false, dot_all: false, any_case: false },
            "i" | "m" | "s" => match &mut how.kind {
                Kind::Regex { any_case, .. } if word == "i" => *any_case = true,
                Kind::Regex { multi_line, .. } if word == "m" => *multi_line = true,
                Kind::Regex { dot_all, .. } => *dot_all = true,
                _ => return Err(format!("the modifier `{word}` stands behind `re` only")),
            },
            other => match Comparison::ALL.into_iter().find(|how| how.word() == other && *how != Comparison::Equal && *how != Comparison::Other) {
                Some(comparison) => how.kind = Kind::Compare(comparison),
                None => return Err(format!("the modifier `{other}` is not known")),
            },
        }
    }
    Ok(how)
}

/// A member against one value.
fn one(name: &str, how: &How, value: &Value) -> Result<Pred, String> {
    let field = || Field::new(name);
    let text = || scalar(value).ok_or_else(|| "a value is a text, a number, true, false or null".to_owned());
    if name.is_empty() {
        return word(value);
    }
    Ok(match &how.kind {
        Kind::Exists => Pred::Exists(field()?, value.as_bool().ok_or("`exists` is true or false")?),
        Kind::Field => Pred::Same(field()?, Field::new(&text()?)?),
        Kind::Cidr => Pred::Has(field()?, Match::Within(text()?.parse().map_err(|_| format!("`{}` is no network", text().unwrap_or_default()))?)),
        Kind::Compare(comparison) => Pred::Has(field()?, Match::Number(*comparison, value.as_f64().ok_or("a number is compared")?)),
        Kind::Regex { multi_line, dot_all, any_case } => {
            let pattern = text()?;
            if pattern.len() > LONGEST {
                return Err(format!("a pattern has at most {LONGEST} characters"));
            }
            let mut builder = RegexBuilder::new(&pattern);
            let builder = builder.multi_line(*multi_line).dot_matches_new_line(*dot_all).case_insensitive(*any_case).size_limit(REGEX_BYTES);
            let regex = builder.build().map_err(|e| format!("`{pattern}` is no regular expression that is taken: {}", last_line(&e.to_string())))?;
            Pred::Has(field()?, Match::Regex(regex))
        }
        Kind::Text if value.is_null() => Pred::Null(field()?),
        Kind::Text => {
            let field = field()?;
            let has = |text: String| {
                let found = around(parts(&text), how.starts, how.ends);
                Pred::Has(field.clone(), like(found, how.cased))
            };
            let mut ways: Vec<Pred> = encoded(&text()?, &how.encodings)?.into_iter().map(has).collect();
            if ways.len() == 1 { ways.remove(0) } else { Pred::Any(ways) }
        }
    })
}

/// The texts that a value stands for once it is encoded.
fn encoded(text: &str, encodings: &[String]) -> Result<Vec<String>, String> {
    if encodings.is_empty() {
        return Ok(vec![text.to_owned()]);
    }
    if encodings == ["windash"] {
        return Ok(["-", "/", "–", "—", "―"].map(|dash| dashed(text, dash)).to_vec());
    }
    let mut bytes = unescaped(text).into_bytes();
    for encoding in encodings {
        let units = || String::from_utf8_lossy(&bytes).encode_utf16().collect::<Vec<u16>>();
        match encoding.as_str() {
            "wide" | "utf16le" => bytes = units().iter().flat_map(|unit| unit.to_le_bytes()).collect(),
            "utf16be" => bytes = units().iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            "utf16" => bytes = [0xfeff].into_iter().chain(units()).flat_map(u16::to_le_bytes).collect(),
            "base64" => return Ok(vec![escaped(&STANDARD.encode(&bytes))]),
            "base64offset" => {
                // Of each of the three ways to stand in a longer text, what does not depend on the neighbours.
                let cut = |offset: usize| {
                    let padded: Vec<u8> = std::iter::repeat_n(b' ', offset).chain(bytes.iter().copied()).collect();
                    let text = STANDARD.encode(&padded);
                    let from = [0, 2, 3][offset];
                    let end = text.trim_end_matches('=').len() - [0, 1, 1][padded.len() % 3];
                    text.get(from..end).map(escaped).unwrap_or_default()
                };
                return Ok((0..3).map(cut).filter(|text| !text.is_empty()).collect());
            }
            other => return Err(format!("`{other}` does not stand beside other encodings")),
        }
    }
    Err("`wide`, `utf16` and the like stand before `base64` or `base64offset`".into())
}

/// Every dash before a word as `dash`.
fn dashed(text: &str, dash: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    for c in text.chars() {
        if c == '-' && before == ' ' {
            out.push_str(dash)
        } else {
            out.push(c)
        }
        before = c;
    }
    out
}

/// A text without meaning for wildcards.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('*', "\\*").replace('?', "\\?")
}

fn unescaped(text: &str) -> String {
    parts(text)
        .into_iter()
        .map(|part| match part {
            Part::Text(text) => text,
            Part::One => "?".into(),
            Part::Many => "*".into(),
        })
        .collect()
}

/// The parts of a value with wildcards. A backslash stands for itself, but before `*`, `?` and another backslash.
fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let wild = match c {
            '*' => Part::Many,
            '?' => Part::One,
            '\\' => {
                match chars.peek() {
                    Some(next @ ('*' | '?' | '\\')) => {
                        plain.push(*next);
                        chars.next();
                    }
                    _ => plain.push('\\'),
                }
                continue;
            }
            other => {
                plain.push(other);
                continue;
            }
        };
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(wild);
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    parts
}

fn around(mut parts: Vec<Part>, before: bool, after: bool) -> Vec<Part> {
    if before && parts.first() != Some(&Part::Many) {
        parts.insert(0, Part::Many);
    }
    if after && parts.last() != Some(&Part::Many) {
        parts.push(Part::Many);
    }
    parts
}

fn like(mut parts: Vec<Part>, cased: bool) -> Match {
    match parts.as_mut_slice() {
        [] => Match::OneOf(BTreeSet::from([String::new()])),
        [Part::Text(text)] if cased => Match::Exact(std::mem::take(text)),
        [Part::Text(text)] => Match::OneOf(BTreeSet::from([text.to_lowercase()])),
        _ => Match::Like(Like::new(parts, cased)),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_mean_what_the_specification_says() {
        let event = serde_json::json!({
            "CommandLine": "C:\\Tools\\run.exe /Enc QQBCAA==", "EventID": 4625, "ok": true, "ip": "10.1.2.3", "user": "Ada",
            "owner": "ada", "empty": null, "list": ["a", "b"], "text": "x QVRUQUNL y", "star": "a*b",
        });
        for (yaml, fits) in [
            ("CommandLine|contains: 'RUN.EXE'", true),
            ("CommandLine|contains|cased: 'RUN.EXE'", false),
            ("CommandLine|startswith: 'c:\\tools'", true),
            ("CommandLine|endswith: '=='", true),
            ("CommandLine: 'C:\\\\*'", true),
            ("CommandLine: 'C:\\*'", false),
            ("CommandLine|contains|all: ['tools', '/enc']", true),
            ("CommandLine|contains|all: ['tools', 'nope']", false),
            ("CommandLine|windash|contains: ' -enc '", true),
            ("EventID: 4625", true),
            ("EventID: '4625'", true),
            ("EventID: [1, 4625]", true),
            ("EventID|gt: 4000", true),
            ("EventID|lte: 4000", false),
            ("ok: true", true),
            ("ok: 'true'", true),
            ("ip|cidr: 10.0.0.0/8", true),
            ("ip|cidr: 192.168.0.0/16", false),
            ("user|re: '^A[a-z]+$'", true),
            ("user|re: '^a'", false),
            ("user|re|i: '^a'", true),
            ("user|fieldref: owner", true),
            ("empty: null", true),
            ("absent: null", true),
            ("user: null", false),
            ("absent|exists: false", true),
            ("user|exists: true", true),
            ("list: b", true),
            ("user|neq: eve", true),
            ("text|base64offset|contains: ATTACK", true),
            ("star: 'a\\*b'", true),
            ("star: 'a\\*c'", false),
            ("user: 'A?a'", true),
            ("user: ['eve', 'ADA']", true),
            ("[{user: eve}, {EventID: 4625}]", true),
            ("['run.exe', 'nothing']", true),
            ("['nothing']", false),
        ] {
            let value: Value = serde_yaml_ng::from_str(yaml).unwrap();
            let pred = selection(&value).unwrap_or_else(|e| panic!("{yaml}: {e}"));
            assert_eq!(pred.fits(&event), fits, "{yaml}");
        }
        for yaml in ["user|contians: x", "{}", "user|re: '(?=a)'", "user|re: '('", "[]", "ip|cidr: nowhere", "user|exists: maybe", "user|wide: a"] {
            assert!(selection(&serde_yaml_ng::from_str(yaml).unwrap()).is_err(), "{yaml}");
        }
    }
}
