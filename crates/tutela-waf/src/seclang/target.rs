//! What a rule looks at: `ARGS|!ARGS:password|&REQUEST_HEADERS:/^x-/`.

use crate::{regex::Regex, variable::Variable};

/// One variable of a rule.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub variable: Variable,
    pub pick: Pick,
    pub kind: Kind,
}

/// Which of a collection.
#[derive(Debug, Clone)]
pub(crate) enum Pick {
    All,
    /// Of this name, in any case.
    Named(Vec<u8>),
    /// Of names that fit.
    Fits(Regex),
}

/// What of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// How many there are.
    Count,
    /// Not this one.
    Except,
    /// Each value.
    Value,
}

impl Pick {
    pub(crate) fn takes(&self, name: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Named(named) => named.eq_ignore_ascii_case(name),
            Self::Fits(regex) => regex.is_match(name),
        }
    }
}

/// Reads the variables of a rule.
pub(crate) fn read_targets(text: &str) -> Result<Vec<Target>, String> {
    let (mut targets, mut rest) = (Vec::new(), text);
    loop {
        let (one, after) = split(rest);
        targets.push(target(one.trim())?);
        match after {
            Some(after) => rest = after,
            None => return Ok(targets),
        }
    }
}

/// The first variable, and what follows its `|`; one within a regular expression parts nothing.
fn split(text: &str) -> (&str, Option<&str>) {
    let bytes = text.as_bytes();
    let slash = |at: usize| bytes.get(at) == Some(&b'/');
    let xml = text.trim_start_matches(['!', '&']).to_ascii_uppercase().starts_with("XML:");
    let opening = text.find(':').filter(|colon| !xml && !text[..*colon].contains('|'));
    let mut at = match opening {
        Some(colon) if slash(colon + 1) || (bytes.get(colon + 1) == Some(&b'\'') && slash(colon + 2)) => {
            let mut at = colon + if slash(colon + 1) { 2 } else { 3 };
            while at < bytes.len() && bytes[at] != b'/' {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            at.min(bytes.len())
        }
        _ => 0,
    };
    while at < bytes.len() && bytes[at] != b'|' {
        at += 1;
    }
    if at < bytes.len() { (&text[..at], Some(&text[at + 1..])) } else { (text, None) }
}

fn target(text: &str) -> Result<Target, String> {
    let (kind, rest) = match text.as_bytes().first() {
        Some(b'!') => (Kind::Except, &text[1..]),
        Some(b'&') => (Kind::Count, &text[1..]),
        _ => (Kind::Value, text),
    };
    let (name, selector) = match rest.split_once([':', '.']).filter(|_| !rest.contains(':')).or_else(|| rest.split_once(':')) {
        Some((name, selector)) => (name, Some(selector.trim_matches('\''))),
        None => (rest, None),
    };
    let variable = Variable::named(name).ok_or_else(|| format!("`{name}` is no variable"))?;
    let pick = match selector {
        None | Some("") => Pick::All,
        Some(_) if !variable.is_collection() => return Err(format!("`{name}` is a single value; nothing goes after a `:`")),
        Some(path) if variable == Variable::Xml => match path {
            "/*" | "//@*" => Pick::Named(path.as_bytes().to_vec()),
            _ => return Err(format!("`XML:{path}` is not understood; `XML:/*` is all text and `XML://@*` every attribute")),
        },
        Some(text) => match text.strip_prefix('/').and_then(|text| text.strip_suffix('/')) {
            // Names are told apart in no case, as everywhere in this language.
            Some(pattern) => Pick::Fits(Regex::new(pattern, true).map_err(|e| format!("`{text}` is no regular expression: {e}"))?),
            None => Pick::Named(text.as_bytes().to_vec()),
        },
    };
    Ok(Target { variable, pick, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_within_an_expression_parts_nothing() {
        let found = read_targets("ARGS|!REQUEST_COOKIES:/__utm|a\\/b/|&TX:'/^x y/'|XML:/*|xml://@*|REQUEST_HEADERS:X.Filename").unwrap();
        let seen: Vec<String> = found.iter().map(|one| format!("{:?} {}", one.kind, one.variable.as_str())).collect();
        assert_eq!(seen, ["Value ARGS", "Except REQUEST_COOKIES", "Count TX", "Value XML", "Value XML", "Value REQUEST_HEADERS"]);
        for (at, takes, not) in [
            (0, "any", None),
            (1, "xa/b", Some("ab")),
            (2, "x yz", Some("ax y")),
            (3, "/*", Some("//@*")),
            (4, "//@*", Some("/*")),
            (5, "x.filename", Some("xxfilename")),
        ] {
            assert!(found[at].pick.takes(takes.as_bytes()) && !not.is_some_and(|not| found[at].pick.takes(not.as_bytes())), "{at}");
        }
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for (text, said) in [("ARG", "`ARG` is no variable"), ("REQUEST_URI:x", "single value"), ("XML:/a", "not understood"), ("ARGS:/(/", "no regular")] {
            assert!(read_targets(text).unwrap_err().contains(said), "{text}");
        }
    }
}
