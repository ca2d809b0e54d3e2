//! The one query language of the ledger, for API, command line and pages:
//!
//! ```text
//! type:session.* outcome:failure,denied -actor:photos:7 "wrong password" after:2026-11-01
//! ```
//!
//! Terms are joined by spaces and must all hold; `-` excludes; a comma means any of; a pair of
//! quotes keeps spaces and commas together. An error says which characters it is about.

use std::{fmt, ops::Range};

use tutela_core::{Class, Outcome, Severity, Timestamp};

/// Most terms of a query.
const MAX_TERMS: usize = 32;
/// Longest query, in bytes.
const MAX_QUERY: usize = 4_096;

/// What is looked for; every part must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Terms in the order given.
    pub terms: Vec<Term>,
    /// Events from this time on.
    pub after: Option<Timestamp>,
    /// Events before this time.
    pub before: Option<Timestamp>,
}

/// One term: any of its values, or none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// What must not be, where true.
    pub excluded: bool,
    /// Where to look.
    pub field: Field,
    /// What to find there; at least one.
    pub values: Vec<String>,
}

/// Where a term looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The verb.
    Action,
    /// Who did it: an id, or `namespace:value`.
    Actor,
    /// Class of retention.
    Class,
    /// The event's own id.
    Id,
    /// Address, or a network such as `192.0.2.0/24`.
    Ip,
    /// How it ended.
    Outcome,
    /// What it was done to: a name, or `type/id`.
    Resource,
    /// Name of a gateway route.
    Route,
    /// Session id.
    Session,
    /// 1 to 5, or `>=3`.
    Severity,
    /// Event type, or a family such as `session.*`.
    Type,
    /// Words that occur, side by side where there are several.
    Words,
}

/// Names of fields as they are written, in alphabetical order.
const FIELDS: &[(&str, Field)] = &[
    ("action", Field::Action),
    ("actor", Field::Actor),
    ("class", Field::Class),
    ("id", Field::Id),
    ("ip", Field::Ip),
    ("outcome", Field::Outcome),
    ("resource", Field::Resource),
    ("route", Field::Route),
    ("session", Field::Session),
    ("severity", Field::Severity),
    ("type", Field::Type),
];

/// What is wrong with a query, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// What is wrong and what would be right.
    pub message: String,
    /// The characters it is about, counted from zero.
    pub at: Range<usize>,
}

impl QueryError {
    /// The query with a line under it that points at the place.
    pub fn pointing_into(&self, query: &str) -> String {
        let width = self.at.len().max(1);
        format!("{}\n  {query}\n  {}{}", self.message, " ".repeat(self.at.start), "^".repeat(width))
    }
}

impl Query {
    /// Reads a query; an empty one finds everything.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        if text.len() > MAX_QUERY {
            return Err(QueryError { message: format!("a query has at most {MAX_QUERY} bytes"), at: 0..0 });
        }
        let mut query = Self::default();
        for raw in split(text)? {
            query.add(raw)?;
        }
        Ok(query)
    }

    fn add(&mut self, raw: Raw) -> Result<(), QueryError> {
        let at = raw.at.clone();
        let wrong = |message: String| QueryError { message, at: at.clone() };
        if let Some(name @ ("after" | "since" | "before" | "until")) = raw.field.as_deref() {
            if raw.excluded {
                return Err(wrong(format!("`{name}` cannot be excluded; use `after` and `before`")));
            }
            let text = raw.values.first().map_or("", String::as_str);
            let time = time(text).ok_or_else(|| wrong(format!("`{text}` is not a day or time such as 2026-11-22 or 2026-11-22T09:30:00Z")))?;
            let bound = if matches!(name, "after" | "since") { &mut self.after } else { &mut self.before };
            if bound.is_some() || raw.values.len() > 1 {
                return Err(wrong(format!("`{name}` takes one time, once")));
            }
            *bound = Some(time);
            return Ok(());
        }
        let field = match raw.field.as_deref() {
            None => Field::Words,
            Some(name) => FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| *field).ok_or_else(|| wrong(unknown(name)))?,
        };
        let mut values = Vec::new();
        for value in raw.values {
            values.extend(check(field, value).map_err(&wrong)?);
        }
        if self.terms.len() == MAX_TERMS {
            return Err(wrong(format!("a query has at most {MAX_TERMS} terms")));
        }
        self.terms.push(Term { excluded: raw.excluded, field, values });
        Ok(())
    }
}

/// The values a term stands for; a severity of `>=3` stands for three.
fn check(field: Field, value: String) -> Result<Vec<String>, String> {
    match field {
        Field::Outcome if Outcome::parse(&value).is_none() => Err(format!("`{value}` is not an outcome; use success, failure, denied or unknown")),
        Field::Class if Class::parse(&value).is_none() => Err(format!("`{value}` is not a class; one has 1 to 32 characters of `a-z _`")),
        Field::Type if !type_name(value.strip_suffix(".*").unwrap_or(&value)) => {
            Err(format!("`{value}` is not a type; use a name such as `session.started`, or a family such as `session.*`"))
        }
        Field::Severity => {
            let (least, text) = value.strip_prefix(">=").map_or((false, value.as_str()), |rest| (true, rest));
            let wanted = text.parse().ok().and_then(Severity::from_number).ok_or_else(|| format!("`{value}` is not a severity; use 1 to 5, or `>=3`"))?;
            Ok(Severity::ALL.into_iter().filter(|s| *s == wanted || (least && *s > wanted)).map(|s| (s as u8).to_string()).collect())
        }
        Field::Ip if network(&value).is_none() => Err(format!("`{value}` is not an address or network such as 192.0.2.7 or 192.0.2.0/24")),
        _ => Ok(vec![value]),
    }
}

fn type_name(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
}

/// An address, and how many of its bits are meant.
pub fn network(text: &str) -> Option<(std::net::IpAddr, u8)> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: std::net::IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(most), |bits| bits.parse().ok().filter(|b| *b <= most))?;
    Some((address, bits))
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).chain(["after", "before"]).collect();
    let near = names.iter().find(|known| known.starts_with(name) || (name.len() > 2 && name.starts_with(&known[..2])));
    let hint = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    format!("there is no field `{name}`; {hint}fields are {}; a word with a colon in it goes in quotes", names.join(", "))
}

fn time(text: &str) -> Option<Timestamp> {
    let day = text.len() == 10;
    let parsed = if day { format!("{text}T00:00:00Z").parse() } else { text.parse() };
    // A form's `datetime-local` has no zone; the page says that it is UTC.
    parsed.or_else(|_| format!("{text}Z").parse()).or_else(|_| format!("{text}:00Z").parse()).ok()
}

/// A term before its words mean anything.
struct Raw {
    excluded: bool,
    field: Option<String>,
    values: Vec<String>,
    at: Range<usize>,
}

/// Cuts a query at spaces, first colons and commas, outside of quotes.
fn split(text: &str) -> Result<Vec<Raw>, QueryError> {
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut out) = (0, Vec::new());
    let char_at = |at: usize| chars.get(at).copied();
    while let Some(c) = char_at(at) {
        if c.is_whitespace() {
            at += 1;
            continue;
        }
        let start = at;
        let excluded = c == '-';
        at += usize::from(excluded);
        let (mut field, mut values, mut value, mut quoted) = (None, Vec::new(), String::new(), false);
        while let Some(c) = char_at(at).filter(|c| !c.is_whitespace()) {
            at += 1;
            match c {
                '"' => {
                    quoted = true;
                    at = quote(&chars, at, &mut value)?;
                }
                ':' if field.is_none() && !quoted && value.chars().all(|c| c.is_ascii_lowercase() || c == '_') => {
                    field = Some(std::mem::take(&mut value));
                }
                ',' if field.is_some() => values.push(std::mem::take(&mut value)),
                c => value.push(c),
            }
        }
        values.push(value);
        if values.iter().any(String::is_empty) {
            let message = field.map_or_else(|| "nothing is looked for here".to_owned(), |name| format!("`{name}:` needs a value"));
            return Err(QueryError { message, at: start..at });
        }
        out.push(Raw { excluded, field, values, at: start..at });
    }
    Ok(out)
}

/// Reads what stands in quotes, from behind the first to behind the last.
fn quote(chars: &[char], from: usize, value: &mut String) -> Result<usize, QueryError> {
    let mut at = from;
    while let Some(c) = chars.get(at) {
        at += 1;
        match c {
            '"' => return Ok(at),
            '\\' => {
                value.extend(chars.get(at));
                at += 1;
            }
            c => value.push(*c),
        }
    }
    Err(QueryError { message: "this quote is not closed".into(), at: from - 1..chars.len() })
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FIELDS.iter().find(|(_, field)| field == self).map_or("words", |(name, _)| name))
    }
}

/// Writes a query that [`Query::parse`] reads as the same.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = Vec::new();
        for term in &self.terms {
            let values: Vec<String> = term.values.iter().map(|value| quoted(value)).collect();
            let field = if term.field == Field::Words { String::new() } else { format!("{}:", term.field) };
            words.push(format!("{}{field}{}", if term.excluded { "-" } else { "" }, values.join(",")));
        }
        words.extend(self.after.map(|time| format!("after:{time}")));
        words.extend(self.before.map(|time| format!("before:{time}")));
        f.write_str(&words.join(" "))
    }
}

fn quoted(value: &str) -> String {
    let plain = !value.starts_with('-') && value.chars().all(|c| c.is_alphanumeric() || "_-./:@*".contains(c));
    let bare_colon = value.contains(':') && value.split(':').next().is_some_and(|head| head.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
    if plain && !bare_colon { value.to_owned() } else { format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_reads_as_it_is_written() {
        let query = Query::parse(r#"type:session.* outcome:failure,denied -actor:photos:7 "wrong password" ada severity:>=4 after:2026-11-01"#).unwrap();
        let terms: Vec<String> = query.terms.iter().map(|t| format!("{}{:?}={}", if t.excluded { "not " } else { "" }, t.field, t.values.join("|"))).collect();
        assert_eq!(terms, ["Type=session.*", "Outcome=failure|denied", "not Actor=photos:7", "Words=wrong password", "Words=ada", "Severity=4|5"]);
        assert_eq!(query.after.unwrap().to_string(), "2026-11-01T00:00:00.000000Z");
        assert_eq!(Query::parse("  ").unwrap(), Query::default());
        assert_eq!(Query::parse(r#""type:x" actor:"photos:4 \"2\"""#).unwrap().terms[1].values, ["photos:4 \"2\""]);
        assert_eq!(Query::parse("/photos/42:x").unwrap().terms[0].field, Field::Words);
    }

    #[test]
    fn what_is_written_out_reads_back_as_the_same() {
        for text in [r#"type:a.* -outcome:failure,denied "b c" actor:"x:1,2" before:2026-11-02"#, r#""-5" "type:x" "a\"b\\""#, "ip:192.0.2.0/24 route:photos"] {
            let query = Query::parse(text).unwrap();
            assert_eq!(Query::parse(&query.to_string()).unwrap(), query, "{query}");
        }
    }

    #[test]
    fn errors_point_into_the_query() {
        for (text, word, at) in [
            ("type:session.* outcom:failure", "did you mean `outcome`", 15..29),
            ("actor:", "needs a value", 0..6),
            ("a \"b c", "not closed", 2..6),
            ("outcome:fine", "not an outcome", 0..12),
            ("after:yesterday", "not a day or time", 0..15),
            ("-after:2026-11-01", "cannot be excluded", 0..17),
            ("after:2026-11-01 after:2026-11-02", "once", 17..33),
            ("before:2026-11-01,2026-11-02", "one time", 0..28),
            ("ip:999.1.1.1", "not an address", 0..12),
            ("severity:9", "not a severity", 0..10),
            ("type:A", "not a type", 0..6),
            ("x -", "nothing is looked for", 2..3),
        ] {
            let error = Query::parse(text).unwrap_err();
            assert!(error.message.contains(word), "{text}: {error}");
            assert_eq!(error.at, at, "{text}");
        }
        let error = Query::parse("a outcome:fine").unwrap_err();
        assert!(error.pointing_into("a outcome:fine").ends_with("\n    ^^^^^^^^^^^^"));
        assert!(Query::parse(&"a ".repeat(33)).is_err());
    }
}
