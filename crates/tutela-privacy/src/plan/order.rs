//! In which order changes are made: services before objects before tables, and of rows those first that lead to others.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Basis, Change, StoreKind, StoreSteps};
use crate::check::Finding;

impl Basis<'_> {
    /// Changes in the order that they are made in: services before objects before tables, and of rows those first that
    /// lead to others.
    pub(super) fn ordered(&self, changes: BTreeMap<(StoreKind, String), Vec<Change>>, problems: &mut Vec<Finding>) -> Vec<StoreSteps> {
        changes
            .into_iter()
            .map(|((kind, store), changes)| {
                let changes = if kind == StoreKind::Tables { self.in_order(&store, changes, problems) } else { changes };
                StoreSteps { store, kind, changes }
            })
            .collect()
    }

    fn in_order(&self, store: &str, changes: Vec<Change>, problems: &mut Vec<Finding>) -> Vec<Change> {
        let (set, gone): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(|change| change.set.is_some());
        let mut tables: BTreeMap<String, Vec<Change>> = BTreeMap::new();
        gone.into_iter().for_each(|change| tables.entry(change.collection.clone()).or_default().push(change));
        let mut ordered = set;
        let before = |table: &str, other: &str| {
            // `other` leads to `table`, or the map has it go first.
            let name = (store.to_owned(), other.to_owned());
            let linked = table != other && self.table(&name).is_some_and(|of| of.links.iter().any(|link| link.to == table));
            let asked = self.collection(&(store.to_owned(), table.to_owned())).is_some_and(|of| of.erase_after.contains(&format!("{store}.{other}")));
            linked || asked
        };
        while !tables.is_empty() {
            let free = tables.keys().find(|table| !tables.keys().any(|other| other != *table && before(table, other))).cloned();
            let next = match free {
                Some(next) => next,
                // A circle: somewhere a foreign key may be empty, and is emptied first.
                None => {
                    let Some(next) = tables
                        .keys()
                        .find(|table| tables.keys().all(|other| other == *table || !before(table, other) || self.may_unlink(store, other, table)))
                        .cloned()
                    else {
                        let names: Vec<&str> = tables.keys().map(String::as_str).collect();
                        problems.push(Finding {
                            place: store.to_owned(),
                            why: format!("{} lead to each other, and none of their keys may be empty", names.join(", ")),
                        });
                        return ordered;
                    };
                    for other in tables.keys().filter(|other| **other != next && before(&next, other)) {
                        ordered.extend(self.unlinked(store, other, &next, &tables[other]));
                    }
                    next
                }
            };
            let rows = tables.remove(&next).unwrap_or_default();
            // Rows of a table that lead to each other.
            if self.may_unlink(store, &next, &next) {
                ordered.extend(self.unlinked(store, &next, &next, &rows));
            }
            ordered.extend(rows);
        }
        ordered
    }

    /// Whether the keys by which one table leads to another may be empty, and there is one.
    fn may_unlink(&self, store: &str, from: &str, to: &str) -> bool {
        let Some(table) = self.table(&(store.to_owned(), from.to_owned())) else { return false };
        let mut links = table.links.iter().filter(|link| link.to == to).peekable();
        links.peek().is_some()
            && links.all(|link| link.columns.iter().all(|name| table.column(name).is_some_and(|column| column.nullable) && !table.key.contains(name)))
    }

    fn unlinked(&self, store: &str, from: &str, to: &str, rows: &[Change]) -> Vec<Change> {
        let Some(table) = self.table(&(store.to_owned(), from.to_owned())) else { return Vec::new() };
        let columns = table.links.iter().filter(|link| link.to == to).flat_map(|link| &link.columns);
        let set: Map<String, Value> = columns.map(|column| (column.clone(), Value::Null)).collect();
        rows.iter().map(|row| Change { set: Some(set.clone()), ..row.clone() }).collect()
    }
}
