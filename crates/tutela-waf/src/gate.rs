//! What a match has to hold.
//!
//! Most values hold nothing that most rules look for, and a regular expression is a dear way to find that out. So for
//! each rule it is worked out beforehand which literals a match must have one of, or at least which bytes; all literals
//! of all rules are looked for at once, in one pass over a value. Only where they are found is the rule itself asked.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::{operator::Operator, transform::ByteSet};

/// Most literals of one rule; more say little.
const MOST: usize = 256;
/// Most strings that a part may be and still be followed letter by letter.
const MOST_EXACT: usize = 64;
/// Most words of phrases that go into the common machine.
const MOST_PHRASES: usize = 20_000;

/// What a value has to hold before an operator is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// One of these bytes.
    Bytes(ByteSet),
    /// One literal of the set with this number.
    Literals(u32),
    /// Nothing in particular.
    Open,
}

/// Collects the literals of all rules.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    literals: Vec<Vec<u8>>,
    /// Of each literal, whose it is.
    sets: Vec<u32>,
    number: u32,
}

/// Finds which sets have a literal in a value.
#[derive(Debug)]
pub(crate) struct Scanner {
    machine: Option<AhoCorasick>,
    sets: Vec<u32>,
    /// Words of a bit set over all sets.
    pub words: usize,
}

impl Gates {
    /// The gate of an operator.
    pub(crate) fn add(&mut self, operator: &Operator) -> Gate {
        let literals = match (operator.phrases(), operator.regexes()) {
            (Some(phrases), _) if phrases.len() <= MOST_PHRASES => phrases.iter().map(|phrase| phrase.to_ascii_lowercase()).collect(),
            (_, Some(regex)) => match required(regex.hir()) {
                Some(literals) => literals,
                None => return Gate::Open,
            },
            _ => return Gate::Open,
        };
        if literals.iter().any(|literal| literal.len() < 2) {
            let mut bytes = ByteSet::default();
            for byte in literals.iter().filter_map(|literal| literal.iter().min_by_key(|byte| commonness(**byte))) {
                bytes.insert(byte.to_ascii_lowercase());
                bytes.insert(byte.to_ascii_uppercase());
            }
            return Gate::Bytes(bytes);
        }
        let set = self.number;
        self.number += 1;
        self.sets.extend(literals.iter().map(|_| set));
        self.literals.extend(literals);
        Gate::Literals(set)
    }

    pub(crate) fn scanner(self) -> Result<Scanner, String> {
        let build = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&self.literals);
        let machine = if self.literals.is_empty() { None } else { Some(build.map_err(|e| e.to_string())?) };
        Ok(Scanner { machine, sets: self.sets, words: (self.number as usize).div_ceil(64) })
    }
}

impl Scanner {
    /// Sets the bits of the sets that have a literal in `value`.
    pub(crate) fn scan(&self, value: &[u8], bits: &mut [u64]) {
        let Some(machine) = &self.machine else { return };
        for found in machine.find_overlapping_iter(value) {
            let set = self.sets[found.pattern().as_usize()] as usize;
            bits[set / 64] |= 1 << (set % 64);
        }
    }
}

/// How common a byte is in what people send.
fn commonness(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' | b' ' => 3,
        b'A'..=b'Z' | b'0'..=b'9' => 2,
        b'.' | b'-' | b'_' | b'/' | b',' => 1,
        _ => 0,
    }
}

/// Literals, in small letters, of which every match holds one; none where that cannot be said.
fn required(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => None,
        HirKind::Literal(literal) => Some(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Class(class) => single(class).map(|bytes| bytes.into_iter().map(|byte| vec![byte]).collect()),
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) => {
            if repetition.min > 0 {
                required(&repetition.sub)
            } else {
                None
            }
        }
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(required(branch)?);
            }
            tidy(all)
        }
        HirKind::Concat(parts) => best(parts),
    }
}

/// The best of what the parts of a sequence need: one part's literals, or those of neighbours put together.
fn best(parts: &[Hir]) -> Option<Vec<Vec<u8>>> {
    let (mut best, mut run): (Option<Vec<Vec<u8>>>, Option<Vec<Vec<u8>>>) = (None, None);
    for part in parts {
        let exact = exact(part);
        run = match (run.take(), exact) {
            (Some(run), Some(exact)) if run.len() * exact.len() <= MOST_EXACT => Some(joined(&run, &exact)),
            (before, exact) => {
                best = better(best, before.and_then(tidy));
                exact
            }
        };
        best = better(best, required(part));
    }
    better(best, run.and_then(tidy))
}

/// Each of these followed by each of those.
fn joined(these: &[Vec<u8>], those: &[Vec<u8>]) -> Vec<Vec<u8>> {
    these.iter().flat_map(|left| those.iter().map(move |right| [left.as_slice(), right].concat())).collect()
}

/// Every string that a part can be, where there are few.
fn exact(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Class(class) => single(class).filter(|bytes| bytes.len() <= 8).map(|bytes| bytes.into_iter().map(|byte| vec![byte]).collect()),
        HirKind::Capture(capture) => exact(&capture.sub),
        HirKind::Look(_) | HirKind::Empty => Some(vec![Vec::new()]),
        HirKind::Concat(parts) => parts.iter().try_fold(vec![Vec::new()], |run: Vec<Vec<u8>>, part| {
            let exact = exact(part)?;
            (run.len() * exact.len() <= MOST_EXACT).then(|| joined(&run, &exact))
        }),
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(exact(branch)?);
            }
            (all.len() <= MOST_EXACT).then_some(all)
        }
        HirKind::Repetition(repetition) if repetition.min == 1 && repetition.max == Some(1) => exact(&repetition.sub),
        HirKind::Repetition(_) => None,
    }
}

/// Bytes of a class, in small letters, where there are few.
fn single(class: &Class) -> Option<Vec<u8>> {
    let Class::Bytes(class) = class else { return None };
    let mut bytes: Vec<u8> = class.iter().flat_map(|range| range.start()..=range.end()).map(|byte| byte.to_ascii_lowercase()).collect();
    bytes.sort_unstable();
    bytes.dedup();
    (bytes.len() <= 16).then_some(bytes)
}

/// Without doubles, and without what holds another; none where there are too many or one says nothing.
fn tidy(mut all: Vec<Vec<u8>>) -> Option<Vec<Vec<u8>>> {
    all.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    all.dedup();
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for literal in all {
        if literal.is_empty() {
            return None;
        }
        if !kept.iter().any(|shorter| memchr::memmem::find(&literal, shorter).is_some()) {
            kept.push(literal);
        }
    }
    (kept.len() <= MOST).then_some(kept)
}

/// How much it says that a match holds one of these: the shortest counts, then how many there are.
fn worth(literals: &[Vec<u8>]) -> (usize, u8, std::cmp::Reverse<usize>) {
    let shortest = literals.iter().map(Vec::len).min().unwrap_or(0);
    let rare = literals.iter().map(|literal| 3 - literal.iter().map(|byte| commonness(*byte)).min().unwrap_or(3)).min().unwrap_or(0);
    (shortest.min(4), rare, std::cmp::Reverse(literals.len()))
}

fn better(one: Option<Vec<Vec<u8>>>, other: Option<Vec<Vec<u8>>>) -> Option<Vec<Vec<u8>>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if worth(&other) > worth(&one) { other } else { one }),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::regex::Regex;

    fn needs(pattern: &str) -> Vec<String> {
        let found = required(Regex::new(pattern, false).unwrap().hir()).unwrap_or_default();
        found.into_iter().map(|literal| String::from_utf8(literal).unwrap()).collect()
    }

    #[test]
    fn what_a_match_has_to_hold_is_known() {
        for (pattern, expected) in [
            (r"(?i)\bselect\s+from\b", &["select"][..]),
            (r"(?i)(?:union|order)\s+(?:by|all)", &["order", "union"]),
            (r"<script[^>]*>", &["<script"]),
            (r"(?:a|b)?c+", &["c"]),
            (r"\s+[01]", &["0", "1"]),
            (r".*", &[]),
            (r"(?:foo|.*)", &[]),
            (r"on(?:click|load)=", &["onload=", "onclick="]),
        ] {
            assert_eq!(needs(pattern), expected, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn a_value_that_matches_passes_the_gate(value in "[a-z<>= ]{0,12}", at in 0_usize..6) {
            let patterns = ["(?i)on(?:click|load|[a-c]x)\\s*=", "<[a-z]+>", "(?:ab|bc)+d?", "a.?b.?c", "[<>]", "x(?:y|z=)?a"];
            let regex = Regex::new(patterns[at], false).unwrap();
            let mut gates = Gates::default();
            let gate = gates.add(&Operator::Regex(regex.clone()));
            let scanner = gates.scanner().unwrap();
            let mut bits = vec![0; scanner.words];
            scanner.scan(value.as_bytes(), &mut bits);
            let open = match gate {
                Gate::Open => true,
                Gate::Bytes(bytes) => ByteSet::of(value.as_bytes()).meets(&bytes),
                Gate::Literals(set) => bits[set as usize / 64] >> (set % 64) & 1 == 1,
            };
            prop_assert!(open || !regex.is_match(value.as_bytes()), "{} {value}", patterns[at]);
        }
    }
}
