//! Which rows are whose.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tutela_privacy::{
    Relation,
    dataset::{self, Dataset},
    walk::{Question, SecondPerson, Walk},
};

/// Walks with somebody who answers; the collections and keys of the rows by what they are.
fn walked(
    datasets: &[Dataset],
    identities: &[(&str, &str)],
    mut rows: impl FnMut(&Question) -> Vec<Map<String, Value>>,
) -> Result<Vec<(String, Value, Relation)>, SecondPerson> {
    let identities = identities.iter().map(|(name, value)| ((*name).to_owned(), BTreeSet::from([(*value).to_owned()]))).collect();
    let mut walk = Walk::new(datasets, &identities);
    while let Some(question) = walk.ask_next() {
        let found = rows(&question);
        walk.answer(&question, found)?;
    }
    Ok(walk.rows().map(|row| (row.collection.1.clone(), Value::Object(row.values.clone()), row.relation)).collect())
}

fn chinook() -> Option<(rusqlite::Connection, Vec<Dataset>)> {
    let folder = testkit::shared("chinook")?;
    let sql = std::fs::read(folder.join("ChinookDatabase/DataSources/Chinook_Sqlite.sql")).unwrap();
    let database = rusqlite::Connection::open_in_memory().unwrap();
    database.execute_batch(String::from_utf8_lossy(&sql).trim_start_matches('\u{feff}')).unwrap();
    Some((database, dataset::read(include_str!("../data/chinook.yml")).unwrap().datasets))
}

fn ask(database: &rusqlite::Connection, question: &Question) -> Vec<Map<String, Value>> {
    let mut found = Vec::new();
    for value in &question.values {
        let mut statement = database.prepare(&format!("SELECT * FROM \"{}\" WHERE \"{}\" = ?1", question.collection.1, question.field)).unwrap();
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let row = |row: &rusqlite::Row<'_>| {
            let value = |at: usize| match row.get_ref(at).unwrap() {
                rusqlite::types::ValueRef::Integer(number) => json!(number),
                rusqlite::types::ValueRef::Real(number) => json!(number),
                rusqlite::types::ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
                _ => Value::Null,
            };
            Ok(names.iter().enumerate().map(|(at, name)| (name.clone(), value(at))).collect::<Map<_, _>>())
        };
        found.extend(statement.query_map([text], row).unwrap().map(Result::unwrap));
    }
    found
}

#[test]
fn a_customer_is_46_rows_and_not_all_customers() {
    let Some((database, datasets)) = chinook() else { return };
    for identity in [("customer_id", "1"), ("email", "luisg@embraer.com.br")] {
        let rows = walked(&datasets, &[identity], |question| ask(&database, question)).unwrap();
        let count = |name: &str| rows.iter().filter(|(collection, ..)| collection == name).count();
        assert_eq!((count("Customer"), count("Invoice"), count("InvoiceLine"), rows.len()), (1, 7, 38, 46), "{identity:?}");
        assert!(rows.iter().all(|(.., relation)| *relation == Relation::Owns));
    }
    assert!(walked(&datasets, &[("customer_id", "9999")], |question| ask(&database, question)).unwrap().is_empty());
}

#[test]
fn who_follows_keys_to_other_people_is_stopped() {
    let Some((database, mut datasets)) = chinook() else { return };
    let stopped = walked(&datasets, &[("employee_id", "2")], |question| ask(&database, question)).unwrap_err();
    assert!(stopped.place.starts_with("chinook.Employee.") && stopped.hint.contains("`chinook.Employee.ReportsTo`"), "{stopped}");
    // Said as it is meant, the employee is one row.
    let field = datasets[0].collections.iter_mut().find(|of| of.name == "Employee").unwrap().fields.iter_mut().find(|field| field.name == "ReportsTo").unwrap();
    field.own.relation = Some(Relation::Shared);
    assert_eq!(walked(&datasets, &[("employee_id", "2")], |question| ask(&database, question)).unwrap().len(), 1);
}

/// Tables that refer to each other in any way, circles and themselves among them.
#[derive(Debug, Clone)]
struct World {
    /// For each table its references: to which table, and whether the rows are theirs.
    references: Vec<Vec<(usize, bool)>>,
    /// For each table its rows: for each reference the row that it names.
    rows: Vec<Vec<Vec<usize>>>,
    begin: usize,
}

fn worlds() -> impl Strategy<Value = World> {
    (2..6_usize, 1..6_usize).prop_flat_map(|(tables, rows)| {
        let references = prop::collection::vec(prop::collection::vec((0..tables, any::<bool>()), 0..3), tables);
        (references, 0..rows).prop_flat_map(move |(references, begin)| {
            let row = |count: usize| prop::collection::vec(0..rows, count);
            let table = move |count: usize| prop::collection::vec(row(count), rows);
            let all: Vec<_> = references.iter().map(|of| table(of.len())).collect();
            all.prop_map(move |rows| World { references: references.clone(), rows, begin })
        })
    })
}

impl World {
    fn map(&self) -> Vec<Dataset> {
        let collection = |(table, references): (usize, &Vec<(usize, bool)>)| {
            let mut fields = vec![json!({"name": "id", "fides_meta": {"primary_key": true}})];
            if table == 0 {
                fields.push(json!({"name": "who", "fides_meta": {"identity": "who"}}));
            }
            for (at, (to, owns)) in references.iter().enumerate() {
                let direction = if *owns { "from" } else { "to" };
                fields.push(
                    json!({"name": format!("r{at}"), "fides_meta": {"references": [{"dataset": "d", "field": format!("t{to}.id"), "direction": direction}]}}),
                );
            }
            json!({"name": format!("t{table}"), "fields": fields})
        };
        let collections: Vec<Value> = self.references.iter().enumerate().map(collection).collect();
        dataset::read(&json!({"dataset": [{"fides_key": "d", "collections": collections}]}).to_string()).unwrap().datasets
    }

    fn row(&self, table: usize, id: usize) -> Map<String, Value> {
        let mut row = Map::from_iter([("id".to_owned(), json!(id))]);
        if table == 0 {
            row.insert("who".into(), if id == self.begin { json!("ada") } else { Value::Null });
        }
        row.extend(self.rows[table][id].iter().enumerate().map(|(at, to)| (format!("r{at}"), json!(to))));
        row
    }

    /// What is hers, and what hers points to, by looking at everything again and again.
    fn oracle(&self) -> (BTreeSet<(usize, usize)>, BTreeSet<(usize, usize)>) {
        let mut owned = BTreeSet::from([(0, self.begin)]);
        let mut referred: BTreeSet<(usize, usize)> = BTreeSet::new();
        loop {
            let before = (owned.len(), referred.len());
            for (table, references) in self.references.iter().enumerate() {
                for id in 0..self.rows[table].len() {
                    for (at, (to, owns)) in references.iter().enumerate() {
                        let other = (*to, self.rows[table][id][at]);
                        if *owns && owned.contains(&other) {
                            owned.insert((table, id));
                        }
                        if !*owns && (owned.contains(&(table, id)) || referred.contains(&(table, id))) {
                            referred.insert(other);
                        }
                    }
                }
            }
            if before == (owned.len(), referred.len()) {
                return (owned.clone(), referred.difference(&owned).copied().collect());
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_refers_to_whatever_the_rows_are_those_of_somebody_who_looks_at_all(world in worlds()) {
        let rows = walked(&world.map(), &[("who", "ada")], |question| {
            let table: usize = question.collection.1[1..].parse().unwrap();
            let all = (0..world.rows[table].len()).map(|id| world.row(table, id));
            all.filter(|row| question.values.contains(&row[&question.field])).collect()
        }).unwrap();
        let of = |wanted: Relation| -> BTreeSet<(usize, usize)> {
            rows.iter().filter(|(.., relation)| *relation == wanted).map(|(name, row, _)| (name[1..].parse().unwrap(), row["id"].as_u64().unwrap() as usize)).collect()
        };
        prop_assert_eq!((of(Relation::Owns), of(Relation::Refers)), world.oracle());
    }
}
