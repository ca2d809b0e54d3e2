//! Which rules an event may concern: each rule is found by one member that it asks for exactly.
//!
//! Of the members that a rule asks for, that one is taken which tells most rules apart: the event type of our own
//! events, `eventName` of CloudTrail's. A rule that asks for none exactly is asked about every event.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::{
    event::{Field, plain},
    pred::Pred,
    rule::Op,
};

/// Rules by the values of members; a rule is its number.
#[derive(Debug, Default)]
pub(crate) struct Index {
    members: Vec<(Field, HashMap<String, Vec<usize>>)>,
    every: Vec<usize>,
}

impl Index {
    pub(crate) fn new<'a>(rules: impl Iterator<Item = &'a Op>) -> Self {
        let asked: Vec<Asked> = rules.map(|op| any(op.preds().into_iter())).collect();
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, wanted) in asked.iter().flatten() {
            values.entry(name).or_default().extend(wanted.iter().map(String::as_str));
        }
        let mut index = Self::default();
        let mut members: BTreeMap<&str, HashMap<String, Vec<usize>>> = BTreeMap::new();
        for (number, asked) in asked.iter().enumerate() {
            // `type` is what our own events are told apart by, and the first to be known of them.
            let best = asked.iter().max_by_key(|(name, _)| (*name == "type", values.get(name.as_str()).map_or(0, BTreeSet::len)));
            match best {
                None => index.every.push(number),
                Some((name, wanted)) => {
                    let by_value = members.entry(name).or_default();
                    wanted.iter().for_each(|value| by_value.entry(value.clone()).or_default().push(number));
                }
            }
        }
        index.members = members.into_iter().filter_map(|(name, by_value)| Some((Field::new(name).ok()?, by_value))).collect();
        index
    }

    /// The numbers of the rules that an event may concern, each once, in their order.
    pub(crate) fn of(&self, body: &Value) -> Vec<usize> {
        let mut found = self.every.clone();
        for (field, by_value) in &self.members {
            field.each(body, &mut |value| {
                if let Some(text) = plain(value)
                    && let Some(numbers) = by_value.get(&text).or_else(|| by_value.get(&text.to_lowercase()))
                {
                    found.extend(numbers);
                }
                false
            });
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Members that must have one of some values.
pub(crate) type Asked = BTreeMap<String, BTreeSet<String>>;

/// The members that a question asks for exactly, and the values, one of which they must have.
pub(crate) fn asked(pred: &Pred) -> Asked {
    match pred {
        Pred::Has(field, matching) => matching.texts().map(|texts| (field.name().to_owned(), texts.clone())).into_iter().collect(),
        Pred::All(all) => {
            let mut found = Asked::new();
            for (name, values) in all.iter().flat_map(asked) {
                let known = found.entry(name).or_insert_with(|| values.clone());
                if values.len() < known.len() {
                    *known = values;
                }
            }
            found
        }
        Pred::Any(any_of) => any(any_of.iter()),
        Pred::Anywhere(_) | Pred::Exists(..) | Pred::Not(_) | Pred::Null(_) | Pred::Same(..) => Asked::new(),
    }
}

/// What all of some questions ask for, with the values of each of them.
fn any<'a>(preds: impl Iterator<Item = &'a Pred>) -> Asked {
    let mut all = preds.map(asked);
    let mut found = all.next().unwrap_or_default();
    for other in all {
        found = found.into_iter().filter_map(|(name, values)| Some((name.clone(), values.union(other.get(&name)?).cloned().collect()))).collect();
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sigma::selection;

    #[test]
    fn rules_are_found_by_what_they_ask_for_exactly() {
        let op = |yaml: &str| Op::Each(selection(&serde_yaml_ng::from_str(yaml).unwrap()).unwrap());
        let ops = [
            op("{source: a, name: [One, two]}"),
            op("{source: a, name: three}"),
            op("{source: a, name|contains: x}"),
            op("['any text']"),
            op("[{name: four}, {name: five}]"),
            op("[{name: four}, {source: b}]"),
        ];
        let index = Index::new(ops.iter());
        let of = |event: Value| index.of(&event);
        assert_eq!(of(json!({"source": "a", "name": "ONE"})), [0, 2, 3, 5]);
        assert_eq!(of(json!({"source": "c", "name": "five"})), [3, 4, 5]);
        assert_eq!(of(json!({"name": ["two", "three"]})), [0, 1, 3, 5]);
        assert_eq!(of(json!({})), [3, 5]);
        // Whatever the index leaves out does not fit.
        for event in [json!({"source": "a", "name": "four"}), json!({"source": "b"}), json!({"source": "a", "name": "axb"}), json!({"t": "any text"})] {
            let found = index.of(&event);
            for (number, op) in ops.iter().enumerate() {
                assert!(!op.looks_at(&event) || found.contains(&number), "{number} {event}");
            }
        }
    }
}
