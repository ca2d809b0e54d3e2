//! Which rules an event may concern: each rule is found by one member that it asks for exactly.
//!
//! Of the members that a rule asks for, that one is taken which tells most rules apart: the event type of our own
//! events, `eventName` of CloudTrail's. A rule that asks for none exactly is found by a text that an event must have
//! somewhere, or by a member that must be there; one that says nothing of the kind is asked about every event.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::{
    event::{Field, plain},
    literal::{self, Literals},
    pred::Pred,
    rule::Op,
};

/// Rules by the values of members; a rule is its number.
#[derive(Debug, Default)]
pub(crate) struct Index {
    members: Members<HashMap<String, Vec<usize>>>,
    literals: Option<Literals>,
    /// Rules by members, one of which must be there.
    present: Members<Vec<usize>>,
    /// Those of `literals` and `present`, which a sealed event cannot be asked for.
    unless_sealed: Vec<usize>,
    every: Vec<usize>,
}

impl Index {
    pub(crate) fn new<'a>(rules: impl Iterator<Item = &'a Op>) -> Self {
        let rules: Vec<&Op> = rules.collect();
        let asked: Vec<Asked> = rules.iter().map(|op| any(op.preds().into_iter())).collect();
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, wanted) in asked.iter().flatten() {
            values.entry(name).or_default().extend(wanted.iter().map(String::as_str));
        }
        let mut index = Self::default();
        let (mut texts, mut present) = (Vec::new(), BTreeMap::<&str, Vec<usize>>::new());
        let mut members: BTreeMap<&str, HashMap<String, Vec<usize>>> = BTreeMap::new();
        for (number, asked) in asked.iter().enumerate() {
            // `type` is what our own events are told apart by, and the first to be known of them.
            let best = asked.iter().max_by_key(|(name, _)| (*name == "type", values.get(name.as_str()).map_or(0, BTreeSet::len)));
            match best {
                None => {
                    let preds = || rules.get(number).map(|op| op.preds()).unwrap_or_default().into_iter();
                    match (literal::any_of(preds()), needed(preds())) {
                        (Some(literals), _) => texts.push((number, literals)),
                        (None, Some(fields)) => fields.into_iter().for_each(|field| present.entry(field.name()).or_default().push(number)),
                        (None, None) => index.every.push(number),
                    }
                }
                Some((name, wanted)) => {
                    let by_value = members.entry(name).or_default();
                    wanted.iter().for_each(|value| by_value.entry(value.clone()).or_default().push(number));
                }
            }
        }
        index.literals = Literals::new(&texts);
        let hidden: BTreeSet<usize> = texts.iter().map(|(number, _)| *number).chain(present.values().flatten().copied()).collect();
        index.present = Members::new(present.into_iter());
        if index.literals.is_none() {
            index.every.extend(texts.iter().map(|(number, _)| *number));
        }
        index.unless_sealed = hidden.into_iter().collect();
        index.members = Members::new(members.into_iter());
        index
    }

    /// Puts the numbers of the rules that an event may concern into `found`, each once, in their order.
    pub(crate) fn of(&self, body: &Value, found: &mut Vec<usize>) {
        found.clear();
        found.extend(&self.every);
        if let Some(literals) = &self.literals {
            literals.find(body, found);
        }
        self.present.of(body, |field, rules| {
            if field.each(body, &mut |_| true) {
                found.extend(rules);
            }
        });
        self.exactly(body, found);
    }

    /// As [`Index::of`], of an event whose personal members are not opened yet.
    pub(crate) fn of_sealed(&self, body: &Value, found: &mut Vec<usize>) {
        found.clear();
        found.extend(self.every.iter().chain(&self.unless_sealed));
        self.exactly(body, found);
    }

    fn exactly(&self, body: &Value, found: &mut Vec<usize>) {
        // Values are known in lower case.
        let mut lower = String::new();
        self.members.of(body, |field, by_value| {
            field.each(body, &mut |value| {
                let mut look = |text: &str| {
                    lower.clear();
                    if text.is_ascii() {
                        lower.push_str(text);
                        lower.make_ascii_lowercase();
                    } else {
                        lower.push_str(&text.to_lowercase());
                    }
                    if let Some(numbers) = by_value.get(lower.as_str()) {
                        found.extend(numbers);
                    }
                };
                match value {
                    Value::String(text) => look(text),
                    other => plain(other).iter().for_each(|text| look(text)),
                }
                false
            });
        });
        found.sort_unstable();
        found.dedup();
    }
}

/// Something for each of some members, found by what stands at the top of an event.
#[derive(Debug)]
struct Members<T> {
    all: Vec<(Field, T)>,
    /// Which of them may be in an event that has a member of this name.
    begins: HashMap<String, Vec<usize>>,
}

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self { all: Vec::new(), begins: HashMap::new() }
    }
}

impl<T> Members<T> {
    fn new<'a>(named: impl Iterator<Item = (&'a str, T)>) -> Self {
        let mut members = Self::default();
        for (field, of) in named.filter_map(|(name, of)| Some((Field::new(name).ok()?, of))) {
            for begin in field.begins() {
                members.begins.entry(begin).or_default().push(members.all.len());
            }
            members.all.push((field, of));
        }
        members
    }

    /// Calls `each` with those that an event may have; with some of them twice.
    fn of(&self, body: &Value, mut each: impl FnMut(&Field, &T)) {
        match body {
            // Where there are few, asking each is less than asking what there is.
            Value::Object(map) if self.all.len() > map.len() / 2 => {
                let numbers = map.keys().filter_map(|name| self.begins.get(name.as_str())).flatten();
                numbers.filter_map(|number| self.all.get(*number)).for_each(|(field, of)| each(field, of));
            }
            _ => self.all.iter().for_each(|(field, of)| each(field, of)),
        }
    }
}

/// Members, one of which every event has that fits one of some questions.
fn needed<'a>(preds: impl Iterator<Item = &'a Pred>) -> Option<Vec<&'a Field>> {
    preds.map(needed_by).try_fold(Vec::new(), |mut all, fields| {
        all.extend(fields?);
        Some(all)
    })
}

fn needed_by(pred: &Pred) -> Option<Vec<&Field>> {
    match pred {
        Pred::Has(field, _) | Pred::Exists(field, true) | Pred::Same(field, _) => Some(vec![field]),
        Pred::All(all) => all.iter().filter_map(needed_by).min_by_key(Vec::len),
        Pred::Any(any) => needed(any.iter()),
        Pred::Anywhere(_) | Pred::Exists(_, false) | Pred::Not(_) | Pred::Null(_) => None,
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

    fn asked_of(index: &Index, event: &Value) -> Vec<usize> {
        let mut found = Vec::new();
        index.of(event, &mut found);
        found
    }

    #[test]
    fn whatever_is_left_out_does_not_fit() {
        let op = |yaml: &str| Op::Each(selection(&serde_yaml_ng::from_str(yaml).unwrap()).unwrap());
        let ops = [
            "n|contains: 'e5'",
            "n|startswith: '12'",
            "n|endswith: rue",
            "n: 'true'",
            "n: ['12.5', other]",
            "n|re: 'a.c'",
            "n|contains: 'straße'",
            "n|contains|cased: 'ABC'",
            "n: 'a*bcd*e'",
            "n|gt: 5",
            "n|exists: false",
            "n: null",
            "n|fieldref: m",
            "['İstanbul', 'abc']",
            "n|neq: abc",
            "n|cidr: 10.0.0.0/8",
        ]
        .map(op);
        let index = Index::new(ops.iter());
        let values = [
            json!("x E5 y"),
            json!(125),
            json!(12.5),
            json!(true),
            json!("TRUE"),
            json!("abc"),
            json!("xABCx"),
            json!("a-BCD-e"),
            json!("STRASSE straße"),
            json!("İSTANBUL"),
            json!("i̇stanbul"),
            json!(null),
            json!([]),
            json!("10.1.2.3"),
            json!(["other", {"deep": "abc"}]),
            json!({"n": "abc"}),
        ];
        for n in &values {
            for event in [json!({"n": n}), json!({"n": n, "m": n}), json!({"m": n})] {
                let found = asked_of(&index, &event);
                for (number, op) in ops.iter().enumerate() {
                    assert!(!op.looks_at(&event) || found.contains(&number), "{number} {event}");
                }
            }
        }
    }

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
        let of = |event: Value| asked_of(&index, &event);
        assert_eq!(of(json!({"source": "a", "name": "ONE"})), [0, 2, 5]);
        assert_eq!(of(json!({"source": "c", "name": "five"})), [4, 5]);
        assert_eq!(of(json!({"name": ["two", "three"]})), [0, 1, 5]);
        assert_eq!(of(json!({"deep": [{"down": "Here is ANY TEXT."}]})), [3]);
        assert_eq!(of(json!({})), Vec::<usize>::new());
        // What is sealed may hold any text.
        let mut sealed = Vec::new();
        index.of_sealed(&json!({"source": "c", "name": "none"}), &mut sealed);
        assert_eq!(sealed, [3, 5]);
        // Whatever the index leaves out does not fit.
        for event in [
            json!({"source": "a", "name": "four"}),
            json!({"source": "b"}),
            json!({"source": "a", "name": "axb"}),
            json!({"t": "any text"}),
            json!({"t": ["ÄNY TEXT, aNy tExT"]}),
        ] {
            let found = asked_of(&index, &event);
            for (number, op) in ops.iter().enumerate() {
                assert!(!op.looks_at(&event) || found.contains(&number), "{number} {event}");
            }
        }
    }
}
