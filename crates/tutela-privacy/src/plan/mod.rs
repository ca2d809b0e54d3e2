//! What erasing a person comes to, before anything is touched: which rows go, which are masked, which stay and why, in
//! which order, and what speaks against it.
//!
//! A plan with a problem is not carried out: nobody is left half erased.

mod order;
mod outsider;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{ToSpan as _, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Relation,
    check::Finding,
    dataset::{self, Collection, Dataset, Direction, Field, Reference},
    mask::{Pseudonyms, masked, text_of},
    own::{Erase, Keep},
    schema::{OnDelete, Schema, Table},
    walk::{Name, Row, at},
};

pub use outsider::Outsider;

/// What kind of store something is; they are erased in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// A service that is asked over HTTP, such as one for subscriptions.
    Service,
    /// Objects, such as pictures.
    Objects,
    /// Tables.
    Tables,
}

impl StoreKind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Objects => "objects",
            Self::Tables => "tables",
        }
    }
}

/// A store as it is.
#[derive(Debug, Clone)]
pub struct Live {
    /// What kind.
    pub kind: StoreKind,
    /// Its tables.
    pub schema: Schema,
}

/// Something that somebody decided to keep, for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldOn {
    /// Its id.
    pub id: String,
    /// `dataset.collection`, `dataset.collection.field`, or `*`.
    pub place: String,
    /// The law and section.
    pub article: String,
    /// In words.
    pub reason: String,
    /// The last day of it.
    pub until: Option<Date>,
}

/// What a plan is made of.
pub struct Basis<'a> {
    /// The maps.
    pub datasets: &'a [Dataset],
    /// The stores, by the dataset that maps them.
    pub live: &'a BTreeMap<String, Live>,
    /// What is kept for this person.
    pub holds: &'a [HoldOn],
    /// The day.
    pub today: Date,
    /// Makes pseudonyms.
    pub words: &'a dyn Pseudonyms,
}

/// One change to one row, object or thing of a service. Done twice it is done once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The collection.
    pub collection: String,
    /// Which row: the columns of its key.
    pub key: Map<String, Value>,
    /// What it becomes; nothing where it goes.
    pub set: Option<Map<String, Value>>,
}

/// What is done in one store, in order; in tables all of it in one transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoreSteps {
    /// The dataset that maps it, or the name of a store of objects.
    pub store: String,
    /// What kind of store.
    pub kind: StoreKind,
    /// In this order.
    pub changes: Vec<Change>,
}

/// What stays for now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// `dataset.collection`, or with the field.
    pub place: String,
    /// The law and section.
    pub article: String,
    /// In words.
    pub reason: String,
    /// The last day.
    pub until: Option<Date>,
    /// The hold that keeps it; nothing where the map says so.
    pub hold: Option<String>,
    /// How many rows.
    pub rows: usize,
    /// What is done when nothing keeps it any more.
    pub later: Vec<StoreSteps>,
}

/// What erasing a person comes to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What is done, store by store.
    pub stores: Vec<StoreSteps>,
    /// What stays.
    pub kept: Vec<Kept>,
    /// What speaks against it.
    pub problems: Vec<Finding>,
    /// What is done otherwise than the map says at first sight, and why.
    pub notes: Vec<Finding>,
}

/// What becomes of a row.
#[derive(Debug, Clone, PartialEq)]
enum Fate {
    Goes,
    Masked,
    Stays(Why),
}

/// Why something stays.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Why {
    article: String,
    reason: String,
    until: Option<Date>,
    hold: Option<String>,
}

struct Fated<'a> {
    row: &'a Row,
    fate: Fate,
}

impl Plan {
    /// Makes one from the rows that are the person's.
    pub fn make<'a>(basis: &Basis<'_>, rows: impl Iterator<Item = &'a Row>) -> Self {
        let mut plan = Self::default();
        let mut fated: BTreeMap<Name, Vec<Fated<'a>>> = BTreeMap::new();
        let (owned, referred): (Vec<&Row>, Vec<&Row>) = rows.partition(|row| row.relation == Relation::Owns);
        for row in owned {
            let Some(collection) = basis.collection(&row.collection) else { continue };
            fated.entry(row.collection.clone()).or_default().push(Fated { row, fate: basis.fate(&row.collection, collection, row) });
        }
        plan.demote(basis, &mut fated);
        plan.tell_of_referred(basis, &fated, &referred);
        let mut now: BTreeMap<(StoreKind, String), Vec<Change>> = BTreeMap::new();
        let mut later: BTreeMap<(Why, String), (usize, BTreeMap<(StoreKind, String), Vec<Change>>)> = BTreeMap::new();
        for (name, rows) in &fated {
            let Some(collection) = basis.collection(name) else { continue };
            let place = format!("{}.{}", name.0, name.1);
            if let Some(why) = basis.unfit(name, collection, rows) {
                plan.say(&place, why);
                continue;
            }
            for of in rows {
                let whole = |plan: &mut Self, masked: bool| basis.changes(plan, name, collection, of.row, masked);
                match &of.fate {
                    Fate::Goes | Fate::Masked => add(&mut now, whole(&mut plan, of.fate == Fate::Masked)),
                    Fate::Stays(why) => {
                        let changes = whole(&mut plan, collection.own.erase == Some(Erase::Mask));
                        let entry = later.entry((why.clone(), place.clone())).or_default();
                        entry.0 += 1;
                        add(&mut entry.1, changes);
                    }
                }
                if of.fate == Fate::Masked {
                    for (field, why) in basis.kept_fields(name, collection, of.row) {
                        let entry = later.entry((why, format!("{place}.{}", field.name))).or_default();
                        entry.0 += 1;
                        if let Some(set) = basis.mask(&mut plan, name, field, of.row) {
                            let change =
                                Change { collection: name.1.clone(), key: basis.key(name, of.row), set: Some(Map::from_iter([(field.name.clone(), set)])) };
                            add(&mut entry.1, vec![((basis.kind(&name.0), name.0.clone()), change)]);
                        }
                    }
                }
            }
        }
        plan.stores = basis.ordered(now, &mut plan.problems);
        plan.kept = later
            .into_iter()
            .map(|((why, place), (rows, changes))| Kept {
                later: basis.ordered(changes, &mut Vec::new()),
                place,
                article: why.article,
                reason: why.reason,
                until: why.until,
                hold: why.hold,
                rows,
            })
            .collect();
        plan
    }

    /// How many rows go and how many are masked, by place.
    pub fn counts(steps: &StoreSteps) -> BTreeMap<String, (u64, u64)> {
        let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for change in &steps.changes {
            let count = counts.entry(change.collection.clone()).or_default();
            if change.set.is_none() { count.0 += 1 } else { count.1 += 1 }
        }
        counts
    }

    fn say(&mut self, place: &str, why: String) {
        let finding = Finding { place: place.to_owned(), why };
        if !self.problems.contains(&finding) {
            self.problems.push(finding);
        }
    }

    /// Personal data that theirs only point to stays, which the operator should know who has not said so.
    fn tell_of_referred(&mut self, basis: &Basis<'_>, fated: &BTreeMap<Name, Vec<Fated<'_>>>, referred: &[&Row]) {
        let mut counts: BTreeMap<&Name, usize> = BTreeMap::new();
        referred.iter().for_each(|row| *counts.entry(&row.collection).or_default() += 1);
        for (name, rows) in counts {
            let personal = basis.collection(name).is_some_and(|of| of.fields.iter().any(Field::is_personal));
            let leads = |of: &&Field| {
                let to = |to: &&Reference| (&to.dataset, &to.collection) == (&name.0, &name.1) && to.direction != Direction::From;
                of.own.relation.is_none() && of.references.iter().any(|of| to(&of))
            };
            let by = fated.keys().find_map(|from| Some(format!("{}.{}.{}", from.0, from.1, basis.collection(from)?.fields.iter().find(leads)?.name)));
            if let Some(by) = by.filter(|_| personal) {
                let why = format!(
                    "{rows} rows with personal data stay: `{by}` only refers to them. Say `relation: owns` there if they are the person's alone, `refers` if not"
                );
                self.notes.push(Finding { place: format!("{}.{}", name.0, name.1), why });
            }
        }
    }

    /// What a row leads to that stays cannot go: it is masked.
    fn demote(&mut self, basis: &Basis<'_>, fated: &mut BTreeMap<Name, Vec<Fated<'_>>>) {
        loop {
            let mut needed: BTreeMap<(Name, String), (BTreeSet<String>, String)> = BTreeMap::new();
            for (name, rows) in fated.iter() {
                let Some(table) = basis.table(name) else { continue };
                for link in table.links.iter().filter(|link| link.on_delete != OnDelete::SetNull && link.columns.len() == 1) {
                    let staying = rows.iter().filter(|of| of.fate != Fate::Goes).filter_map(|of| of.row.values.get(&link.columns[0]));
                    let values: BTreeSet<String> = staying.filter(|value| !value.is_null()).map(text_of).collect();
                    if !values.is_empty() {
                        let entry = needed.entry(((name.0.clone(), link.to.clone()), link.to_columns[0].clone())).or_default();
                        entry.0.extend(values);
                        entry.1.clone_from(&name.1);
                    }
                }
            }
            let mut changed = false;
            for ((name, column), (values, by)) in needed {
                for of in fated.get_mut(&name).into_iter().flatten() {
                    if of.fate == Fate::Goes && of.row.values.get(&column).is_some_and(|value| values.contains(&text_of(value))) {
                        of.fate = Fate::Masked;
                        changed = true;
                        let note = Finding {
                            place: format!("{}.{}", name.0, name.1),
                            why: format!("it is masked and stays, since rows of `{by}` that stay lead to it"),
                        };
                        if !self.notes.contains(&note) {
                            self.notes.push(note);
                        }
                    }
                }
            }
            if !changed {
                return;
            }
        }
    }
}

impl Basis<'_> {
    fn collection(&self, name: &Name) -> Option<&Collection> {
        dataset::collection(self.datasets, name)
    }

    fn table(&self, name: &Name) -> Option<&Table> {
        self.live.get(&name.0)?.schema.tables.get(&name.1)
    }

    fn kind(&self, store: &str) -> StoreKind {
        self.live.get(store).map_or(StoreKind::Objects, |live| live.kind)
    }

    fn fate(&self, name: &Name, collection: &Collection, row: &Row) -> Fate {
        let place = format!("{}.{}", name.0, name.1);
        let held = self.holds.iter().find(|hold| (hold.place == "*" || hold.place == place) && hold.until.is_none_or(|until| until >= self.today));
        if let Some(why) = held.map(Why::of_hold).or_else(|| self.keeps(collection.own.keep.as_ref()?, row)) {
            return Fate::Stays(why);
        }
        let deletes = collection.masking.as_ref().is_none_or(|masking| masking.strategy == "delete");
        if collection.own.erase == Some(Erase::Mask) || !deletes || !self.kept_fields(name, collection, row).is_empty() { Fate::Masked } else { Fate::Goes }
    }

    /// Whether what the map says keeps a row still does.
    fn keeps(&self, keep: &Keep, row: &Row) -> Option<Why> {
        let began = keep.anchor.as_ref().and_then(|anchor| row.values.get(anchor)?.as_str()?.get(..10)?.parse::<Date>().ok());
        let until = match (keep.days, began) {
            (Some(days), Some(began)) => Some(began.saturating_add(i64::from(days).days())),
            // From when is not known: from today.
            (Some(days), None) => Some(self.today.saturating_add(i64::from(days).days())),
            (None, _) => None,
        };
        until.is_none_or(|until| until >= self.today).then(|| Why { article: keep.article.clone(), reason: keep.reason.clone(), until, hold: None })
    }

    /// Fields that stay though their row is masked.
    fn kept_fields<'c>(&self, name: &Name, collection: &'c Collection, row: &Row) -> Vec<(&'c Field, Why)> {
        let held = |field: &Field| {
            let place = format!("{}.{}.{}", name.0, name.1, field.name);
            self.holds.iter().find(|hold| hold.place == place && hold.until.is_none_or(|until| until >= self.today)).map(Why::of_hold)
        };
        let why = |field: &Field| held(field).or_else(|| self.keeps(field.own.keep.as_ref()?, row));
        collection.fields.iter().filter_map(|field| Some((field, why(field)?))).collect()
    }

    /// Why nothing can be done with rows of a collection.
    fn unfit(&self, name: &Name, collection: &Collection, rows: &[Fated<'_>]) -> Option<String> {
        if self.kind(&name.0) != StoreKind::Tables {
            return None;
        }
        let Some(table) = self.table(name) else { return Some("there is no such table".into()) };
        if table.key.is_empty() && collection.key().is_empty() {
            return Some("it has no primary key: say which fields tell its rows apart (`primary_key: true`)".into());
        }
        if collection.own.erase != Some(Erase::Mask) && rows.iter().all(|of| of.fate != Fate::Masked) {
            return None;
        }
        let mapped = |column: &str| collection.fields.iter().any(|field| field.name == column);
        let unmapped: Vec<&str> = table
            .columns
            .iter()
            .filter(|column| !column.generated && !table.key.contains(&column.name) && !table.links_by(&column.name) && !mapped(&column.name))
            .map(|column| column.name.as_str())
            .collect();
        (!unmapped.is_empty()).then(|| format!("its rows are masked, and nobody says what stands in {}: map it", unmapped.join(", ")))
    }

    fn key(&self, name: &Name, row: &Row) -> Map<String, Value> {
        let own: Vec<String> = self.collection(name).map(|collection| collection.key().into_iter().map(str::to_owned).collect()).unwrap_or_default();
        let key = self.table(name).map(|table| table.key.clone()).filter(|key| !key.is_empty()).unwrap_or(own);
        key.into_iter().filter_map(|column| Some((column.clone(), row.values.get(&column)?.clone()))).collect()
    }

    /// What a row of a person comes to: itself, and the objects that belong to it.
    fn changes(&self, plan: &mut Plan, name: &Name, collection: &Collection, row: &Row, mask: bool) -> Vec<((StoreKind, String), Change)> {
        let mut changes = Vec::new();
        if let Some(objects) = &collection.own.objects {
            match fill(&objects.key, row) {
                Ok(key) => {
                    let key = Map::from_iter([("key".to_owned(), Value::from(key))]);
                    changes.push(((StoreKind::Objects, objects.store.clone()), Change { collection: "objects".into(), key, set: None }));
                }
                Err(field) => plan.say(
                    &format!("{}.{}", name.0, name.1),
                    format!("the key of its objects names `{field}`, and a row has no such field, or one that leads elsewhere"),
                ),
            }
        }
        let set = mask.then(|| {
            let kept: BTreeSet<&str> = self.kept_fields(name, collection, row).into_iter().map(|(field, _)| field.name.as_str()).collect();
            let fields = collection.fields.iter().filter(|field| !kept.contains(field.name.as_str()));
            fields.filter_map(|field| Some((field.name.clone(), self.mask(plan, name, field, row)?))).collect::<Map<_, _>>()
        });
        if set.as_ref().is_none_or(|set| !set.is_empty()) {
            changes.push(((self.kind(&name.0), name.0.clone()), Change { collection: name.1.clone(), key: self.key(name, row), set }));
        }
        changes
    }

    /// What a field becomes; nothing where it says nothing of the person, or only holds rows together.
    fn mask(&self, plan: &mut Plan, name: &Name, field: &Field, row: &Row) -> Option<Value> {
        let table = self.table(name);
        let structural = table.is_some_and(|table| table.key.contains(&field.name) || table.links_by(&field.name)) || field.primary_key;
        let personal = field.masking.is_some() || field.identity.is_some() || says_something(field);
        if structural || !personal {
            return None;
        }
        let column = table.and_then(|table| table.column(&field.name));
        if column.is_some_and(|column| column.generated) {
            return None;
        }
        let place = format!("{}.{}.{}", name.0, name.1, field.name);
        if field.read_only {
            plan.say(&place, "it is personal and `read_only`: nothing can be put in its place".into());
            return None;
        }
        let old = at(&row.values, &field.name).cloned().unwrap_or(Value::Null);
        let key = id_of(&self.key(name, row));
        match masked(field, column, &old, &format!("{place}\u{1f}{key}"), self.words) {
            Ok(value) => Some(value),
            Err(why) => {
                plan.say(&place, why);
                None
            }
        }
    }
}

impl Why {
    fn of_hold(hold: &HoldOn) -> Self {
        Self { article: hold.article.clone(), reason: hold.reason.clone(), until: hold.until, hold: Some(hold.id.clone()) }
    }
}

fn says_something(field: &Field) -> bool {
    field.is_personal() || field.fields.iter().any(says_something)
}

fn add(to: &mut BTreeMap<(StoreKind, String), Vec<Change>>, changes: Vec<((StoreKind, String), Change)>) {
    for (place, change) in changes {
        let list = to.entry(place).or_default();
        if !list.contains(&change) {
            list.push(change);
        }
    }
}

/// A key with what stands in the row in place of `{field}`. The error is the field that is not there, or whose value would
/// lead to more than one object: only the map may say that a key means all below it.
pub fn fill(key: &str, row: &Row) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = key;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((field, after)) = after.split_once('}') else { return Err(after.to_owned()) };
        let value = at(&row.values, field).filter(|value| !value.is_null() && value.as_str() != Some("")).ok_or_else(|| field.to_owned())?;
        let text = text_of(value);
        let leads_elsewhere = text.split('/').any(|part| part == "." || part == "..") || (after.is_empty() && text.ends_with('/'));
        if leads_elsewhere {
            return Err(field.to_owned());
        }
        filled.push_str(before);
        filled.push_str(&text);
        rest = after;
    }
    Ok(filled + rest)
}

/// A key as it is compared.
fn id_of(key: &Map<String, Value>) -> String {
    key.values().map(text_of).collect::<Vec<_>>().join("\u{1f}")
}
