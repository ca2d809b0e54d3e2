//! Which rows are one person's: from what identifies them along the map, a question at a time.
//!
//! It asks nobody itself. [`Walk::ask_next`] says what to look for, [`Walk::answer`] takes what was found; when there is
//! nothing more to ask, [`Walk::rows`] has every row with what it is to the person. Cycles and references of a table to
//! itself end by themselves, since no value is asked for twice. A row that holds another person's identity stops it: who
//! follows foreign keys blindly ends at everybody.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value};

use crate::{
    Relation,
    dataset::{Collection, Dataset, Direction},
    mask::text_of,
};

/// Most values of one question.
const MOST_VALUES: usize = 500;

/// A collection, by its dataset and its name.
pub type Name = (String, String);

/// What to look for: rows of a collection in which a field has one of some values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Where.
    pub collection: Name,
    /// The field.
    pub field: String,
    /// The values, none of which was asked for before.
    pub values: Vec<Value>,
    /// What rows that are found so are to the person.
    relation: Relation,
    /// Whether the field holds an identity, so that a row found by it is the person's own.
    by_identity: bool,
}

/// A row that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Where.
    pub collection: Name,
    /// What is in it.
    pub values: Map<String, Value>,
    /// What it is to the person.
    pub relation: Relation,
}

/// Why a walk stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} holds another `{identity}` than the person's: {hint}")]
pub struct SecondPerson {
    /// Dataset, collection and field.
    pub place: String,
    /// The name of the identity.
    pub identity: String,
    /// What to say in the map, and where.
    pub hint: String,
}

/// A way from the rows of one collection to those of another.
#[derive(Debug, Clone)]
struct Edge {
    from_field: String,
    to: Name,
    to_field: String,
    relation: Relation,
}

/// One person's way through a map.
pub struct Walk<'a> {
    collections: BTreeMap<Name, &'a Collection>,
    edges: BTreeMap<Name, Vec<Edge>>,
    /// What identifies them, by the name of the identity.
    identities: BTreeMap<String, BTreeSet<String>>,
    /// Values that identify nobody: what stands in place of masked ones.
    blank: BTreeSet<String>,
    waiting: VecDeque<Question>,
    /// Collection, field, relation and value that were asked for.
    asked: BTreeSet<(Name, String, bool, String)>,
    found: BTreeMap<(Name, String), Row>,
}

impl<'a> Walk<'a> {
    /// Begins with what identifies a person: `email`, `user_id` …
    pub fn new(datasets: &'a [Dataset], identities: &BTreeMap<String, BTreeSet<String>>) -> Self {
        let mut walk = Self {
            collections: BTreeMap::new(),
            edges: BTreeMap::new(),
            identities: BTreeMap::new(),
            blank: BTreeSet::from([String::new()]),
            waiting: VecDeque::new(),
            asked: BTreeSet::new(),
            found: BTreeMap::new(),
        };
        for dataset in datasets {
            for collection in dataset.collections.iter().filter(|collection| !collection.skip) {
                walk.collections.insert((dataset.key.clone(), collection.name.clone()), collection);
            }
        }
        for (name, collection) in walk.collections.clone() {
            for (field, of) in collection.flat() {
                for to in &of.references {
                    let other = (to.dataset.clone(), to.collection.clone());
                    let relation = |usual| of.own.relation.unwrap_or(usual);
                    if matches!(to.direction, Direction::From | Direction::Either) {
                        let edge = Edge { from_field: to.field.clone(), to: name.clone(), to_field: field.clone(), relation: relation(Relation::Owns) };
                        walk.edges.entry(other.clone()).or_default().push(edge);
                    }
                    if matches!(to.direction, Direction::To | Direction::Either) {
                        let edge = Edge { from_field: field.clone(), to: other, to_field: to.field.clone(), relation: relation(Relation::Refers) };
                        walk.edges.entry(name.clone()).or_default().push(edge);
                    }
                }
            }
        }
        // All of them are known before the first answer: none is another person's.
        walk.identities.extend(identities.keys().map(|name| (name.clone(), BTreeSet::new())));
        for (name, value) in identities.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value))) {
            walk.learn(name, &Value::from(value.as_str()));
        }
        walk
    }

    /// Begins with one row, whoever's it is: what hangs on it is found.
    pub fn from_row(datasets: &'a [Dataset], dataset: &str, collection: &str, field: &str, value: &Value) -> Self {
        let mut walk = Self::new(datasets, &BTreeMap::new());
        walk.ask(&(dataset.to_owned(), collection.to_owned()), field, value, Relation::Owns, false);
        walk
    }

    /// Takes values as nobody's, beside the empty one: what was put in place of masked ones.
    pub fn ignoring(mut self, values: impl IntoIterator<Item = String>) -> Self {
        self.blank.extend(values);
        self
    }

    /// What to look for next; nothing where everything was.
    pub fn ask_next(&mut self) -> Option<Question> {
        self.waiting.pop_front()
    }

    /// Takes in what was found.
    pub fn answer(&mut self, question: &Question, rows: Vec<Map<String, Value>>) -> Result<(), SecondPerson> {
        let Some(collection) = self.collections.get(&question.collection).copied() else { return Ok(()) };
        for values in rows {
            let key = (question.collection.clone(), row_key(collection, &values));
            let owned = question.relation == Relation::Owns;
            match self.found.get_mut(&key) {
                // What is theirs stays theirs, whichever way it is met again.
                Some(known) if known.relation == Relation::Owns || !owned => continue,
                Some(known) => known.relation = Relation::Owns,
                None => {
                    let row = Row { collection: question.collection.clone(), values: values.clone(), relation: question.relation };
                    self.found.insert(key, row);
                }
            }
            if owned {
                self.check(question, collection, &values)?;
            }
            self.follow(&question.collection, &values, owned);
        }
        Ok(())
    }

    /// What is known to identify the person by now, by the name of the identity.
    pub fn identities(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.identities
    }

    /// Every row that was found.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.found.values()
    }

    /// Whether a row that is said to be theirs holds an identity of somebody else; one that was found by an identity tells
    /// what else identifies the person.
    fn check(&mut self, question: &Question, collection: &Collection, values: &Map<String, Value>) -> Result<(), SecondPerson> {
        let mut learnt = Vec::new();
        for (field, of) in collection.flat() {
            let (Some(identity), Some(value)) = (&of.identity, at(values, &field).filter(|value| !value.is_null() && !self.blank.contains(&text_of(value))))
            else {
                continue;
            };
            match self.identities.get(identity) {
                Some(known) if known.contains(&text_of(value)) => {}
                // The map says what it is to whoever the row belongs to.
                _ if of.own.relation == Some(Relation::Owns) => learnt.push((identity.clone(), value.clone())),
                _ if of.own.relation.is_some() => {}
                None if question.by_identity => learnt.push((identity.clone(), value.clone())),
                None => {}
                Some(_) => {
                    let place = format!("{}.{}.{field}", question.collection.0, question.collection.1);
                    let by = format!("{}.{}.{}", question.collection.0, question.collection.1, question.field);
                    let hint = if question.by_identity {
                        format!(
                            "say under `tutela_meta` at `{place}` what it is, `relation: owns` for another of theirs, `refers` or `shared` for somebody else's"
                        )
                    } else {
                        format!("the way there leads away from the person; say `relation: refers` or `shared` at `{by}`")
                    };
                    return Err(SecondPerson { place, identity: identity.clone(), hint });
                }
            }
        }
        learnt.iter().for_each(|(name, value)| self.learn(name, value));
        Ok(())
    }

    /// Something that identifies the person: whatever holds it is looked for.
    fn learn(&mut self, identity: &str, value: &Value) {
        if !self.identities.entry(identity.to_owned()).or_default().insert(text_of(value)) {
            return;
        }
        for (name, collection) in self.collections.clone() {
            for (field, of) in collection.flat() {
                let relation = of.own.relation.unwrap_or(Relation::Owns);
                if of.identity.as_deref() == Some(identity) && relation != Relation::Shared {
                    self.ask(&name, &field, value, relation, true);
                }
            }
        }
    }

    /// Asks for what a row leads to. From what is only referred to nothing leads back to those who refer to it.
    fn follow(&mut self, name: &Name, values: &Map<String, Value>, owned: bool) {
        for edge in self.edges.get(name).cloned().unwrap_or_default() {
            let relation = match (owned, edge.relation) {
                (_, Relation::Shared) | (false, Relation::Owns) => continue,
                (_, relation) => relation,
            };
            if let Some(value) = at(values, &edge.from_field).filter(|value| !value.is_null()) {
                self.ask(&edge.to, &edge.to_field, &value.clone(), relation, false);
            }
        }
    }

    fn ask(&mut self, collection: &Name, field: &str, value: &Value, relation: Relation, by_identity: bool) {
        let owned = relation == Relation::Owns;
        let before = |owned: bool| self.asked.contains(&(collection.clone(), field.to_owned(), owned, text_of(value)));
        if !self.collections.contains_key(collection) || before(true) || (!owned && before(false)) {
            return;
        }
        self.asked.insert((collection.clone(), field.to_owned(), owned, text_of(value)));
        let like = |question: &&mut Question| {
            (&question.collection, question.field.as_str(), question.relation, question.by_identity) == (collection, field, relation, by_identity)
                && question.values.len() < MOST_VALUES
        };
        match self.waiting.iter_mut().find(like) {
            Some(question) => question.values.push(value.clone()),
            None => {
                self.waiting.push_back(Question { collection: collection.clone(), field: field.to_owned(), values: vec![value.clone()], relation, by_identity })
            }
        }
    }
}

/// The value of a field, which may be inside others.
pub(crate) fn at<'v>(values: &'v Map<String, Value>, field: &str) -> Option<&'v Value> {
    match field.split_once('.') {
        None => values.get(field),
        Some((outer, inner)) => values.get(field).or_else(|| at(values.get(outer)?.as_object()?, inner)),
    }
}

/// By what a row is known: its key, else all of it.
fn row_key(collection: &Collection, values: &Map<String, Value>) -> String {
    let key: Vec<String> = collection.key().iter().filter_map(|name| values.get(*name)).map(text_of).collect();
    if key.is_empty() { Value::Object(values.clone()).to_string() } else { key.join("\u{1f}") }
}
