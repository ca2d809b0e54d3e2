//! A SQLite database of somebody else's. It is opened for each question, read-only, and for writing only where a plan is
//! carried out.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rusqlite::{Connection, OpenFlags, Params, Statement, params, params_from_iter, types, types::ValueRef};
use serde_json::{Map, Value};
use tutela_app::port::{DataError, DataStore, Hit};
use tutela_core::seam::BoxFuture;
use tutela_privacy::{
    plan::{Change, StoreKind},
    schema::{Column, ColumnKind, Link, OnDelete, Schema, Table},
};

use super::{hits, kind_of, quoted};

/// How long another writer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Sqlite {
    path: PathBuf,
}

impl Sqlite {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    async fn run<T: Send + 'static>(&self, write: bool, job: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static) -> Result<T, DataError> {
        let path = self.path.clone();
        let done = tokio::task::spawn_blocking(move || job(&mut open(&path, write)?));
        done.await.map_err(|_| DataError::Unavailable("its task was stopped".into()))?.map_err(failed)
    }
}

impl DataStore for Sqlite {
    fn kind(&self) -> StoreKind {
        StoreKind::Tables
    }

    fn schema(&self) -> BoxFuture<'_, Result<Schema, DataError>> {
        Box::pin(self.run(false, |db| schema(db)))
    }

    fn find<'a>(&'a self, collection: &'a str, field: &'a str, values: &'a [Value]) -> BoxFuture<'a, Result<Vec<Map<String, Value>>, DataError>> {
        let (collection, field, values) = (collection.to_owned(), field.to_owned(), values.to_vec());
        Box::pin(self.run(false, move |db| {
            let places = vec!["?"; values.len()].join(", ");
            let statement = db.prepare(&format!("SELECT * FROM {} WHERE {} IN ({places})", quoted(&collection), quoted(&field)))?;
            read(statement, params_from_iter(values.iter().map(bound)))
        }))
    }

    fn older<'a>(
        &'a self,
        collection: &'a str,
        field: &'a str,
        before: &'a str,
        skip: u64,
        most: u32,
    ) -> BoxFuture<'a, Result<Vec<Map<String, Value>>, DataError>> {
        let (collection, field, before) = (collection.to_owned(), field.to_owned(), before.to_owned());
        Box::pin(self.run(false, move |db| {
            // Moments are texts or seconds since 1970; SQLite reads both, in any of the spellings that it knows.
            let (column, table) = (quoted(&field), quoted(&collection));
            let moment = format!("CASE typeof({column}) WHEN 'text' THEN unixepoch({column}) ELSE {column} END");
            let text = format!("SELECT * FROM {table} WHERE {moment} < unixepoch(?1) ORDER BY {moment} LIMIT ?2 OFFSET ?3");
            read(db.prepare(&text)?, params![before, most, skip as i64])
        }))
    }

    fn values<'a>(&'a self, collection: &'a str, field: &'a str, after: Option<&'a Value>, most: u32) -> BoxFuture<'a, Result<Vec<Value>, DataError>> {
        let (table, column, after) = (quoted(collection), quoted(field), after.cloned());
        Box::pin(self.run(false, move |db| {
            let from = if after.is_some() { format!("{column} > ?1") } else { format!("?1 IS NULL AND {column} IS NOT NULL") };
            let mut statement = db.prepare(&format!("SELECT {column} FROM {table} WHERE {from} ORDER BY {column} LIMIT {most}"))?;
            let rows = statement.query_map([bound(&after.unwrap_or_default())], |row| Ok(shown(row.get_ref(0)?)))?;
            rows.collect()
        }))
    }

    fn apply<'a>(&'a self, changes: &'a [Change], _token: &'a str) -> BoxFuture<'a, Result<(), DataError>> {
        let changes = changes.to_vec();
        Box::pin(self.run(true, move |db| {
            let kinds = schema(db)?;
            let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            // Rows of a table that lead to each other go one by one; whether all is whole is asked at the end.
            tx.execute_batch("PRAGMA defer_foreign_keys = ON")?;
            for change in &changes {
                let mut values = Vec::new();
                let mut pairs = |of: &Map<String, Value>, by: &str| {
                    let pair = |(name, value): (&String, &Value)| {
                        let kind = kinds.tables.get(&change.collection).and_then(|table| Some(table.column(name)?.kind));
                        values.push(bound_as(value, kind));
                        format!("{} = ?", quoted(name))
                    };
                    of.iter().map(pair).collect::<Vec<_>>().join(by)
                };
                let table = quoted(&change.collection);
                let text = match &change.set {
                    Some(set) => format!("UPDATE {table} SET {}", pairs(set, ", ")),
                    None => format!("DELETE FROM {table}"),
                };
                let text = format!("{text} WHERE {}", pairs(&change.key, " AND "));
                tx.prepare_cached(&text)?.execute(params_from_iter(values))?;
            }
            tx.commit()?;
            // What was erased leaves the write-ahead log as well, as soon as no reader needs it.
            let _ = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            Ok(())
        }))
    }

    fn scan_for(&self, is_it: fn(&str) -> bool) -> BoxFuture<'_, Result<Vec<Hit>, DataError>> {
        Box::pin(self.run(false, move |db| {
            let mut found = Vec::new();
            for (name, table) in schema(db)?.tables {
                let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
                let mut counts = vec![0_u64; columns.len()];
                let mut statement = db.prepare(&format!("SELECT {} FROM {}", columns.join(", "), quoted(&name)))?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    for (at, count) in counts.iter_mut().enumerate() {
                        let holds = match row.get_ref(at)? {
                            ValueRef::Text(text) => std::str::from_utf8(text).is_ok_and(is_it),
                            ValueRef::Blob(bytes) => std::str::from_utf8(bytes).is_ok_and(is_it),
                            ValueRef::Integer(number) => is_it(&number.to_string()),
                            ValueRef::Real(number) => is_it(&format!("{number:.0}")),
                            ValueRef::Null => false,
                        };
                        *count += u64::from(holds);
                    }
                }
                found.extend(hits(&name, &table.columns, counts));
            }
            Ok(found)
        }))
    }

    fn scan<'a>(&'a self, needles: &'a [String]) -> BoxFuture<'a, Result<Vec<Hit>, DataError>> {
        let needles: Vec<String> = needles.iter().map(|needle| needle.to_lowercase()).collect();
        Box::pin(self.run(false, move |db| {
            let mut found = Vec::new();
            for (name, table) in schema(db)?.tables {
                // SQLite puts any value into any column.
                let columns: Vec<&Column> = table.columns.iter().filter(|column| !matches!(column.kind, ColumnKind::Number | ColumnKind::Boolean)).collect();
                if columns.is_empty() || needles.is_empty() {
                    continue;
                }
                let holds = |column: &&Column| {
                    let any: Vec<String> = (1..=needles.len()).map(|n| format!("instr(lower({}), ?{n}) > 0", quoted(&column.name))).collect();
                    format!("count(CASE WHEN {} THEN 1 END)", any.join(" OR "))
                };
                let counted = columns.iter().map(holds).collect::<Vec<_>>().join(", ");
                let counts: Vec<u64> = db.query_row(&format!("SELECT {counted} FROM {}", quoted(&name)), params_from_iter(&needles), |row| {
                    (0..columns.len()).map(|at| row.get(at).map(i64::unsigned_abs)).collect()
                })?;
                found.extend(hits(&name, &columns, counts));
            }
            Ok(found)
        }))
    }
}

fn open(path: &Path, write: bool) -> rusqlite::Result<Connection> {
    let way = if write { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    let db = Connection::open_with_flags(path, way | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(PATIENCE)?;
    if write {
        db.execute_batch("PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON")?;
    }
    Ok(db)
}

fn read(mut statement: Statement<'_>, params: impl Params) -> rusqlite::Result<Vec<Map<String, Value>>> {
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let row = |row: &rusqlite::Row<'_>| names.iter().enumerate().map(|(at, name)| Ok((name.clone(), shown(row.get_ref(at)?)))).collect();
    statement.query_map(params, row)?.collect()
}

fn schema(db: &Connection) -> rusqlite::Result<Schema> {
    let mut listed = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")?;
    let names: Vec<String> = listed.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut tables = BTreeMap::new();
    for name in names {
        let mut unique = BTreeSet::new();
        let mut indexes = db.prepare("SELECT i.name FROM pragma_index_list(?1) AS i WHERE i.\"unique\" = 1")?;
        for index in indexes.query_map([&name], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()? {
            let mut of = db.prepare("SELECT name FROM pragma_index_info(?1)")?;
            let columns: Vec<Option<String>> = of.query_map([&index], |row| row.get(0))?.collect::<Result<_, _>>()?;
            if let [Some(only)] = columns.as_slice() {
                unique.insert(only.clone());
            }
        }
        let mut statement = db.prepare("SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo(?1)")?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?, row.get::<_, i64>(3)?, row.get::<_, i64>(4)?))
        };
        let columns: Vec<_> = statement.query_map([&name], read)?.collect::<Result<_, _>>()?;
        let mut key: Vec<(i64, String)> = columns.iter().filter(|of| of.3 > 0).map(|of| (of.3, of.0.clone())).collect();
        key.sort();
        let column = |(column, kind, not_null, pk, hidden): (String, String, bool, i64, i64)| Column {
            kind: kind_of(&kind),
            length: None,
            nullable: !not_null && pk == 0,
            unique: unique.contains(&column),
            generated: hidden > 1,
            name: column,
        };
        let columns = columns.into_iter().map(column).collect();
        let key = key.into_iter().map(|(_, name)| name).collect();
        tables.insert(name.clone(), Table { columns, key, links: links(db, &name)? });
    }
    // A foreign key that names no columns means the primary key.
    let keys: BTreeMap<String, Vec<String>> = tables.iter().map(|(name, table): (&String, &Table)| (name.to_lowercase(), table.key.clone())).collect();
    let spelt: BTreeMap<String, String> = tables.keys().map(|name| (name.to_lowercase(), name.clone())).collect();
    for link in tables.values_mut().flat_map(|table| &mut table.links) {
        if link.to_columns.is_empty() {
            link.to_columns = keys.get(&link.to.to_lowercase()).cloned().unwrap_or_default();
        }
        if let Some(name) = spelt.get(&link.to.to_lowercase()) {
            link.to.clone_from(name);
        }
    }
    tables.values_mut().for_each(|table| table.links.retain(|link| link.to_columns.len() == link.columns.len()));
    Ok(Schema { tables })
}

fn links(db: &Connection, table: &str) -> rusqlite::Result<Vec<Link>> {
    let mut statement = db.prepare("SELECT id, \"table\", \"from\", \"to\", on_delete FROM pragma_foreign_key_list(?1) ORDER BY id, seq")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get::<_, Option<String>>(3)?, row.get::<_, String>(4)?))
    };
    let mut found: BTreeMap<i64, Link> = BTreeMap::new();
    for row in statement.query_map([table], read)? {
        let (id, to, column, to_column, on_delete) = row?;
        let on_delete = match on_delete.as_str() {
            "CASCADE" => OnDelete::Cascade,
            "SET NULL" | "SET DEFAULT" => OnDelete::SetNull,
            _ => OnDelete::Refuse,
        };
        let link = found.entry(id).or_insert_with(|| Link { columns: Vec::new(), to, to_columns: Vec::new(), on_delete });
        link.columns.push(column);
        link.to_columns.extend(to_column);
    }
    Ok(found.into_values().collect())
}

fn bound(value: &Value) -> types::Value {
    match value {
        Value::Null => types::Value::Null,
        Value::Bool(truth) => types::Value::Integer(i64::from(*truth)),
        Value::Number(number) => number.as_i64().map_or_else(|| types::Value::Real(number.as_f64().unwrap_or_default()), types::Value::Integer),
        Value::String(text) => types::Value::Text(text.clone()),
        other => types::Value::Text(other.to_string()),
    }
}

/// Bytes are shown in base64, and are bytes again where a column takes them.
fn bound_as(value: &Value, kind: Option<ColumnKind>) -> types::Value {
    match (value.as_str(), kind) {
        (Some(text), Some(ColumnKind::Bytes)) => STANDARD.decode(text).map_or_else(|_| types::Value::Text(text.into()), types::Value::Blob),
        _ => bound(value),
    }
}

fn shown(value: types::ValueRef<'_>) -> Value {
    match value {
        types::ValueRef::Null => Value::Null,
        types::ValueRef::Integer(number) => Value::from(number),
        types::ValueRef::Real(number) => Value::from(number),
        types::ValueRef::Text(text) => Value::from(String::from_utf8_lossy(text)),
        types::ValueRef::Blob(bytes) => Value::from(STANDARD.encode(bytes)),
    }
}

fn failed(e: rusqlite::Error) -> DataError {
    use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, SystemIoFailure};
    match e.sqlite_error_code() {
        Some(CannotOpen | DatabaseBusy | DatabaseLocked | DiskFull | SystemIoFailure) => DataError::Unavailable(e.to_string()),
        _ => DataError::Refused(e.to_string()),
    }
}
