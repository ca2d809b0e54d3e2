//! Rows that nobody mapped and that lead to rows that go.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Basis, Plan, StoreKind, id_of};
use crate::schema::OnDelete;

/// Rows that would be left leading nowhere, to be looked for before a plan is carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Outsider {
    /// The dataset that maps the store.
    pub store: String,
    /// The table that leads to rows that go.
    pub table: String,
    /// By which column.
    pub column: String,
    /// To which values of it.
    pub values: Vec<Value>,
    /// Rows of it that are known: they go too, or do not mind.
    known: BTreeSet<String>,
    key: Vec<String>,
}

impl Plan {
    /// Rows that nobody knows of here and that lead to rows that go: nobody can tell whether they are the person's.
    pub fn outsiders(&self, basis: &Basis<'_>) -> Vec<Outsider> {
        let mut found: Vec<Outsider> = Vec::new();
        for steps in self.stores.iter().filter(|steps| steps.kind == StoreKind::Tables) {
            let Some(live) = basis.live.get(&steps.store) else { continue };
            for (table, of) in &live.schema.tables {
                for link in of.links.iter().filter(|link| link.on_delete != OnDelete::SetNull && link.columns.len() == 1) {
                    let gone = steps.changes.iter().filter(|change| change.collection == link.to && change.set.is_none());
                    let values: Vec<Value> = gone.filter_map(|change| change.key.get(&link.to_columns[0]).cloned()).collect();
                    if values.is_empty() {
                        continue;
                    }
                    let known =
                        steps.changes.iter().filter(|change| change.collection == *table && change.set.is_none()).map(|change| id_of(&change.key)).collect();
                    found.push(Outsider {
                        store: steps.store.clone(),
                        table: table.clone(),
                        column: link.columns[0].clone(),
                        values,
                        known,
                        key: of.key.clone(),
                    });
                }
            }
        }
        found
    }

    /// Takes in which rows lead there.
    pub fn answer(&mut self, outsider: &Outsider, rows: &[Map<String, Value>]) {
        let key = |row: &Map<String, Value>| outsider.key.iter().filter_map(|name| Some((name.clone(), row.get(name)?.clone()))).collect::<Map<_, _>>();
        let strangers = rows.iter().filter(|row| outsider.key.is_empty() || !outsider.known.contains(&id_of(&key(row)))).count();
        if strangers > 0 {
            let place = format!("{}.{}.{}", outsider.store, outsider.table, outsider.column);
            self.say(
                &place,
                format!(
                    "{strangers} rows lead to rows that go, and the map does not say that they go too: map the table, or say what the field is to the person"
                ),
            );
        }
    }
}
