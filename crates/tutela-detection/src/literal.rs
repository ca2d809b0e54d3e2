//! Texts that an event must have somewhere before a rule can fit: all of them are looked for in one pass.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use serde_json::Value;

use crate::pred::{Match, Part, Pred};

/// Shortest text that is worth looking for.
const SHORTEST: usize = 3;
/// Most texts of one rule.
const MOST: usize = 4_000;

/// The texts of all rules, each with the rules that need it.
#[derive(Debug)]
pub(crate) struct Literals {
    finder: AhoCorasick,
    rules: Vec<Vec<usize>>,
}

impl Literals {
    /// Of each rule the texts, one of which must be there. Nothing where there are none, or too many for one pass.
    pub(crate) fn new(wanted: &[(usize, BTreeSet<String>)]) -> Option<Self> {
        let texts: BTreeSet<&String> = wanted.iter().flat_map(|(_, texts)| texts).collect();
        let finder = AhoCorasick::builder().ascii_case_insensitive(true).build(&texts).ok().filter(|_| !texts.is_empty())?;
        let of = |text: &&String| wanted.iter().filter(|(_, texts)| texts.contains(*text)).map(|(rule, _)| *rule).collect();
        Some(Self { finder, rules: texts.iter().map(of).collect() })
    }

    /// Adds the rules, one of whose texts an event has.
    pub(crate) fn find(&self, body: &Value, found: &mut Vec<usize>) {
        match body {
            Value::String(text) if text.len() >= SHORTEST => {
                let text = text.as_str();
                if text.is_ascii() { self.look(text, found) } else { self.look(&text.to_lowercase(), found) }
            }
            Value::Array(items) => items.iter().for_each(|item| self.find(item, found)),
            Value::Object(map) => map.values().for_each(|item| self.find(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn look(&self, text: &str, found: &mut Vec<usize>) {
        for hit in self.finder.find_overlapping_iter(text) {
            found.extend(self.rules.get(hit.pattern().as_usize()).into_iter().flatten());
        }
    }
}

/// Texts, one of which is in some text of every event that fits; nothing where that cannot be said.
pub(crate) fn needed(pred: &Pred) -> Option<BTreeSet<String>> {
    match pred {
        Pred::Has(_, matching) | Pred::Anywhere(matching) => of(matching),
        Pred::All(all) => all.iter().filter_map(needed).max_by_key(|texts| texts.iter().map(String::len).min()),
        Pred::Any(any) => any_of(any.iter()),
        Pred::Exists(..) | Pred::Not(_) | Pred::Null(_) | Pred::Same(..) => None,
    }
}

/// Texts, one of which every event has that fits one of some questions.
pub(crate) fn any_of<'a>(mut preds: impl Iterator<Item = &'a Pred>) -> Option<BTreeSet<String>> {
    preds.try_fold(BTreeSet::new(), |mut all, pred| {
        all.extend(needed(pred)?);
        (all.len() <= MOST).then_some(all)
    })
}

fn of(matching: &Match) -> Option<BTreeSet<String>> {
    let texts: BTreeSet<String> = match matching {
        Match::OneOf(texts) => texts.clone(),
        Match::Exact(text) => BTreeSet::from([text.clone()]),
        Match::Like(like) => {
            let longest = like.parts().iter().filter_map(|part| if let Part::Text(text) = part { Some(text) } else { None }).max_by_key(|text| text.len())?;
            BTreeSet::from([longest.clone()])
        }
        Match::Number(..) | Match::Regex(_) | Match::Within(_) => return None,
    };
    // Letters outside ASCII have more than one lower case, depending on what stands beside them.
    texts.iter().all(|text| text.len() >= SHORTEST && text.is_ascii() && !is_plain_value(text)).then_some(texts)
}

/// Whether a text may come from a number or a truth, which are not among the texts of an event.
fn is_plain_value(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) || ["true", "false"].iter().any(|word| word.contains(&text.to_ascii_lowercase()))
}
