//! Erasing over any graph of foreign keys, circles and tables that lead to themselves among them, in a real database:
//! either all of it goes and the database is whole, or nothing is touched and the plan says why.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tutela_app::{StoreConfig, StoreType, port::DataStore};
use tutela_connect::data_store;
use tutela_privacy::{
    dataset::{self, Dataset},
    mask::Pseudonyms,
    plan::{Basis, Live, Plan},
    walk::Walk,
};

/// A table: where its rows lead to, whether that may be empty, whether the map says that they are theirs, and what the
/// map does with them.
#[derive(Debug, Clone)]
struct Table {
    links: Vec<(usize, bool, bool)>,
    mapped: bool,
    mask: bool,
}

#[derive(Debug, Clone)]
struct World {
    tables: Vec<Table>,
    /// For each table its rows; for each link the row that it leads to.
    rows: Vec<Vec<Vec<Option<usize>>>>,
}

fn worlds() -> impl Strategy<Value = World> {
    (1..5_usize, 1..5_usize).prop_flat_map(|(count, rows)| {
        let link = (0..count, any::<bool>(), prop::bool::weighted(0.8));
        let table = (prop::collection::vec(link, 0..3), prop::bool::weighted(0.9), prop::bool::weighted(0.2));
        let tables = prop::collection::vec(table.prop_map(|(links, mapped, mask)| Table { links, mapped, mask }), count);
        tables.prop_flat_map(move |tables| {
            let of = |table: &Table| {
                let cell = |nullable: bool| (0..rows, prop::bool::weighted(if nullable { 0.3 } else { 0.0 })).prop_map(|(to, empty)| (!empty).then_some(to));
                let row: Vec<_> = table.links.iter().map(|(_, nullable, _)| cell(*nullable)).collect();
                prop::collection::vec(row, rows)
            };
            let all: Vec<_> = tables.iter().map(of).collect();
            all.prop_map(move |rows| World { tables: tables.clone(), rows })
        })
    })
}

impl World {
    /// The first table has people in it; the first row of it is the one who asks.
    fn make(&self, file: &std::path::Path) -> Connection {
        let db = Connection::open(file).unwrap();
        let mut sql = String::from("PRAGMA foreign_keys = OFF;");
        for (number, table) in self.tables.iter().enumerate() {
            let links = table
                .links
                .iter()
                .enumerate()
                .map(|(at, (to, nullable, _))| format!(", l{at} INTEGER {} REFERENCES t{to} (id)", if *nullable { "" } else { "NOT NULL" }));
            sql += &format!("CREATE TABLE t{number} (id INTEGER PRIMARY KEY, who TEXT, text TEXT NOT NULL{});", links.collect::<String>());
        }
        for (number, rows) in self.rows.iter().enumerate() {
            for (id, row) in rows.iter().enumerate() {
                let who = if number == 0 { format!("'person{id}'") } else { "NULL".into() };
                let links: String = row.iter().map(|to| format!(", {}", to.map_or("NULL".into(), |to| to.to_string()))).collect();
                sql += &format!("INSERT INTO t{number} VALUES ({id}, {who}, 'words of {number} {id}'{links});");
            }
        }
        db.execute_batch(&sql).unwrap();
        db
    }

    fn map(&self) -> Vec<Dataset> {
        let collection = |(number, table): (usize, &Table)| {
            let mut fields = vec![
                json!({"name": "id", "fides_meta": {"primary_key": true}}),
                json!({"name": "who", "fides_meta": if number == 0 { json!({"identity": "who"}) } else { json!({}) }}),
                json!({"name": "text", "data_categories": ["user.content"]}),
            ];
            for (at, (to, _, owns)) in table.links.iter().enumerate() {
                let relation = if *owns { "owns" } else { "shared" };
                let reference = json!({"dataset": "world", "field": format!("t{to}.id"), "direction": "from"});
                fields.push(json!({"name": format!("l{at}"), "fides_meta": {"references": [reference]}, "tutela_meta": {"relation": relation}}));
            }
            let own = if table.mask { json!({"erase": "mask"}) } else { json!({}) };
            json!({"name": format!("t{number}"), "tutela_meta": own, "fields": fields})
        };
        let collections: Vec<Value> = self.tables.iter().enumerate().filter(|(number, table)| *number == 0 || table.mapped).map(collection).collect();
        let map = json!({"dataset": [{"fides_key": "world", "collections": collections}]});
        dataset::read(&map.to_string()).unwrap().datasets
    }
}

struct Words;

impl Pseudonyms for Words {
    fn word(&self, value: &str) -> String {
        value.bytes().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Every row as it stands.
fn all(db: &Connection, tables: usize) -> BTreeMap<(usize, i64), String> {
    let mut found = BTreeMap::new();
    for number in 0..tables {
        let mut statement = db.prepare(&format!("SELECT * FROM t{number}")).unwrap();
        let count = statement.column_count();
        let read = |row: &rusqlite::Row<'_>| {
            let cells: Vec<String> = (0..count).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
            Ok((row.get::<_, i64>(0)?, cells.join("|")))
        };
        found.extend(statement.query_map([], read).unwrap().map(|row| row.map(|(id, cells)| ((number, id), cells)).unwrap()));
    }
    found
}

async fn erase(store: &dyn DataStore, datasets: &[Dataset]) -> Result<(BTreeSet<(usize, i64)>, BTreeSet<(usize, i64)>), String> {
    let identities = BTreeMap::from([("who".to_owned(), BTreeSet::from(["person0".to_owned()]))]);
    let mut walk = Walk::new(datasets, &identities);
    while let Some(question) = walk.ask_next() {
        let rows = store.find(&question.collection.1, &question.field, &question.values).await.unwrap();
        walk.answer(&question, rows).map_err(|e| e.to_string())?;
    }
    let live = BTreeMap::from([("world".to_owned(), Live { kind: store.kind(), schema: store.schema().await.unwrap() })]);
    let basis = Basis { datasets, live: &live, holds: &[], today: "2026-11-23".parse().unwrap(), words: &Words };
    let mut plan = Plan::make(&basis, walk.rows());
    for outsider in plan.outsiders(&basis) {
        let rows = store.find(&outsider.table, &outsider.column, &outsider.values).await.unwrap();
        plan.answer(&outsider, &rows);
    }
    if let Some(problem) = plan.problems.first() {
        return Err(problem.why.clone());
    }
    let id = |change: &tutela_privacy::plan::Change| (change.collection[1..].parse().unwrap(), change.key["id"].as_i64().unwrap());
    let (mut gone, mut masked) = (BTreeSet::new(), BTreeSet::new());
    for steps in &plan.stores {
        store.apply(&steps.changes, "token").await.map_err(|e| format!("a plan without a problem failed: {e}"))?;
        for change in &steps.changes {
            if change.set.is_some() {
                masked.insert(id(change))
            } else {
                gone.insert(id(change))
            };
        }
        // Done twice it is done once.
        store.apply(&steps.changes, "token").await.map_err(|e| format!("a plan without a problem failed when repeated: {e}"))?;
    }
    masked.retain(|row| !gone.contains(row));
    Ok((gone, masked))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn all_of_it_goes_or_nothing_is_touched(world in worlds()) {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("world.db");
        let db = world.make(&file);
        let before = all(&db, world.tables.len());
        let config = StoreConfig { path: Some(file), ..StoreConfig::of(StoreType::Sqlite) };
        let store = data_store(&config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(erase(&*store, &world.map()));
        let after = all(&db, world.tables.len());
        match outcome {
            Err(why) => {
                prop_assert!(!why.contains("without a problem"), "{}", why);
                prop_assert_eq!(before, after, "{}", why);
            }
            Ok((gone, masked)) => {
                let broken: i64 = db.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
                prop_assert_eq!(broken, 0, "the database is whole");
                prop_assert!(gone.contains(&(0, 0)) || masked.contains(&(0, 0)), "who asked is found");
                for (row, cells) in &before {
                    match after.get(row) {
                        None => prop_assert!(gone.contains(row), "{:?} was not to go", row),
                        Some(now) if masked.contains(row) => prop_assert!(!now.contains("words of") && !now.contains("person"), "{}", now),
                        Some(now) => prop_assert_eq!(cells, now, "{:?} was not to change", row),
                    }
                }
                prop_assert!(gone.iter().all(|row| !after.contains_key(row)));
            }
        }
    }
}
