//! What is wrong with a map before any store was asked.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    dataset::{Collection, Dataset, by_name},
    schema::Schema,
};

/// Something that a map says and cannot mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Dataset, collection, field.
    pub place: String,
    /// What is wrong.
    pub why: String,
}

/// What is wrong with some datasets together: references that lead nowhere, and collections of personal data that no
/// identity reaches.
pub fn findings(datasets: &[Dataset]) -> Vec<Finding> {
    let known = by_name(datasets);
    let keys: BTreeSet<&str> = datasets.iter().map(|dataset| dataset.key.as_str()).collect();
    let mut found = Vec::new();
    for dataset in datasets {
        for collection in &dataset.collections {
            let place = format!("{}.{}", dataset.key, collection.name);
            let mut say = |field: &str, why: String| found.push(Finding { place: format!("{place}{}{field}", if field.is_empty() { "" } else { "." }), why });
            for (name, field) in collection.flat() {
                for to in &field.references {
                    match known.get(&(to.dataset.as_str(), to.collection.as_str())) {
                        Some(other) if !other.flat().iter().any(|(known, _)| *known == to.field) => {
                            say(&name, format!("it refers to `{}.{}.{}`, and that collection has no such field", to.dataset, to.collection, to.field));
                        }
                        // What another file maps is not known here.
                        None if keys.contains(to.dataset.as_str()) => {
                            say(&name, format!("it refers to `{}.{}`, and there is no such collection", to.dataset, to.collection));
                        }
                        Some(_) | None => {}
                    }
                }
            }
            for name in collection.after.iter().chain(&collection.erase_after) {
                if !named(&known, name) {
                    say("", format!("it comes after `{name}`, and there is no such collection"));
                }
            }
            for anchor in collection.own.retention.iter().map(|of| &of.anchor).chain(collection.own.keep.iter().filter_map(|keep| keep.anchor.as_ref())) {
                if !collection.flat().iter().any(|(known, _)| known == anchor) {
                    say("", format!("its time begins with `{anchor}`, and it has no such field"));
                }
            }
        }
    }
    let reached = reached(datasets);
    for dataset in datasets {
        for collection in dataset.collections.iter().filter(|collection| !collection.skip && is_personal(collection)) {
            if !reached.contains(&(dataset.key.as_str(), collection.name.as_str())) {
                let why = "it holds personal data, and no identity leads there: give a field an `identity`, or a reference".to_owned();
                found.push(Finding { place: format!("{}.{}", dataset.key, collection.name), why });
            }
        }
    }
    found
}

fn named(known: &BTreeMap<(&str, &str), &Collection>, name: &str) -> bool {
    name.split_once('.').is_some_and(|(dataset, collection)| known.contains_key(&(dataset, collection)))
}

fn is_personal(collection: &Collection) -> bool {
    collection.flat().iter().any(|(_, field)| field.is_personal())
}

/// The collections that rows can be found in, from those that hold an identity on.
pub fn reached(datasets: &[Dataset]) -> BTreeSet<(&str, &str)> {
    use crate::dataset::Direction;
    let mut ways: BTreeMap<(&str, &str), BTreeSet<(&str, &str)>> = BTreeMap::new();
    let mut reached: BTreeSet<(&str, &str)> = BTreeSet::new();
    for dataset in datasets {
        for collection in dataset.collections.iter().filter(|collection| !collection.skip) {
            let here = (dataset.key.as_str(), collection.name.as_str());
            for (_, field) in collection.flat() {
                if field.identity.is_some() {
                    reached.insert(here);
                }
                for to in &field.references {
                    let there = (to.dataset.as_str(), to.collection.as_str());
                    if matches!(to.direction, Direction::From | Direction::Either) {
                        ways.entry(there).or_default().insert(here);
                    }
                    if matches!(to.direction, Direction::To | Direction::Either) {
                        ways.entry(here).or_default().insert(there);
                    }
                }
            }
        }
    }
    let mut waiting: Vec<(&str, &str)> = reached.iter().copied().collect();
    while let Some(here) = waiting.pop() {
        for there in ways.get(&here).into_iter().flatten() {
            if reached.insert(*there) {
                waiting.push(*there);
            }
        }
    }
    reached
}

/// Where a map and the store that it maps differ: tables and columns that are not there, columns that nobody mapped, and
/// tables that lead to a mapped one and are not mapped.
pub fn drift(dataset: &Dataset, live: &Schema) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut say = |place: String, why: String| found.push(Finding { place, why });
    for collection in &dataset.collections {
        let place = format!("{}.{}", dataset.key, collection.name);
        let Some(table) = live.tables.get(&collection.name) else {
            say(place, "it is mapped, and there is no such table".into());
            continue;
        };
        for field in collection.fields.iter().filter(|field| table.column(&field.name).is_none()) {
            say(format!("{place}.{}", field.name), "it is mapped, and there is no such column".into());
        }
        for field in &collection.fields {
            let Some((length, most)) = field.length.zip(table.column(&field.name).and_then(|column| column.length)) else { continue };
            if length > most {
                say(format!("{place}.{}", field.name), format!("the map says that it takes {length} characters, and it takes {most}"));
            }
        }
        for column in table.columns.iter().filter(|column| !collection.fields.iter().any(|field| field.name == column.name)) {
            say(format!("{place}.{}", column.name), "nobody says what stands in this column".into());
        }
    }
    for (name, table) in live.tables.iter().filter(|(name, _)| dataset.collection(name).is_none()) {
        if let Some(link) = table.links.iter().find(|link| dataset.collection(&link.to).is_some()) {
            say(format!("{}.{name}", dataset.key), format!("it is not mapped, and its `{}` leads to `{}`", link.columns.join(", "), link.to));
        }
    }
    found
}
