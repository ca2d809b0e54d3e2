//! A PostgreSQL database of somebody else's. Questions are asked in read-only transactions; a plan is one transaction.
//!
//! Values travel as text and are cast to the type of the column, not the column to text: its indexes serve.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use futures_util::TryStreamExt as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Map, Value};
use tokio::{sync::RwLock, task::JoinHandle};
use tokio_postgres::{
    Client, Config, NoTls, Transaction,
    config::{Host, SslMode},
    types::{ToSql, Type},
};
use tokio_postgres_rustls::MakeRustlsConnect;
use tutela_app::port::{DataError, DataStore, Hit};
use tutela_core::{Secret, seam::BoxFuture};
use tutela_privacy::{
    plan::{Change, StoreKind},
    schema::{Column, ColumnKind, Link, OnDelete, Schema, Table},
};

use super::{hits, kind_of, quoted};

/// How long one statement may take, and how long it may wait for a lock.
/// How long it may take until a connection is there.
const PATIENCE: Duration = Duration::from_secs(5);
const LIMITS: &str = "SET LOCAL statement_timeout = '120s'; SET LOCAL lock_timeout = '5s'";
/// Rows that one statement deletes: those of a table that lead to each other have to go together.
const AT_ONCE: usize = 20_000;

pub(super) struct Postgres {
    config: Config,
    schema: String,
    /// The type of each column, as SQL writes it and as it was when the schema was asked for last.
    types: RwLock<Option<Arc<Types>>>,
}

type Types = BTreeMap<(String, String), String>;

/// A connection, and the task that drives it.
struct Connected {
    client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Postgres {
    pub(super) fn new(url: &str, password: Option<Secret<String>>, schema: &str) -> Result<Self, String> {
        let mut config: Config = url.parse().map_err(|e| format!("url: {e}"))?;
        if let Some(password) = password {
            config.password(password.open());
        }
        let here = |host: &Host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
        };
        let tls = if config.get_hosts().iter().all(here) { SslMode::Disable } else { SslMode::Require };
        config.application_name("tutela privacy").connect_timeout(PATIENCE).tcp_user_timeout(Duration::from_secs(60)).ssl_mode(tls);
        Ok(Self { config, schema: schema.to_owned(), types: RwLock::default() })
    }

    /// A server that takes the connection and says nothing has five seconds, too.
    async fn connect(&self) -> Result<Connected, DataError> {
        let late = |_| Err(DataError::Unavailable("it does not answer".into()));
        tokio::time::timeout(PATIENCE, self.connected()).await.unwrap_or_else(late)
    }

    async fn connected(&self) -> Result<Connected, DataError> {
        let unavailable = |e: tokio_postgres::Error| DataError::Unavailable(words(&e));
        let driven = |e: Result<(), tokio_postgres::Error>| {
            if let Err(e) = e {
                tracing::debug!(error = %e, "a connection to a store of people's data ended");
            }
        };
        let (client, driver) = if self.config.get_ssl_mode() == SslMode::Disable {
            let (client, connection) = self.config.connect(NoTls).await.map_err(unavailable)?;
            (client, tokio::spawn(async move { driven(connection.await) }))
        } else {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|e| DataError::Refused(e.to_string()))?;
            let tls = MakeRustlsConnect::new(builder.with_root_certificates(roots).with_no_client_auth());
            let (client, connection) = self.config.connect(tls).await.map_err(unavailable)?;
            (client, tokio::spawn(async move { driven(connection.await) }))
        };
        Ok(Connected { client, driver })
    }

    async fn types(&self) -> Result<Arc<Types>, DataError> {
        let known = self.types.read().await.clone();
        match known {
            Some(types) => Ok(types),
            None => {
                self.read_schema().await?;
                self.types.read().await.clone().ok_or_else(|| DataError::Unavailable("its schema was not read".into()))
            }
        }
    }

    fn table(&self, name: &str) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(name))
    }

    async fn read_schema(&self) -> Result<Schema, DataError> {
        let mut connected = self.connect().await?;
        let tx = reading(&mut connected.client).await?;
        let schema: &(dyn ToSql + Sync) = &self.schema;
        let ask = async |text: &str| tx.query_typed(text, &[(schema, Type::TEXT)]).await.map_err(failed);
        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        let mut types = Types::new();
        for row in ask(COLUMNS).await? {
            let (table, name, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            types.insert((table.clone(), name.clone()), kind.clone());
            let length = row.get::<_, Option<i32>>(5).and_then(|length| u32::try_from(length).ok());
            let column = Column { kind: kind_of(&kind), length, nullable: !row.get::<_, bool>(3), unique: false, generated: row.get(4), name };
            tables.entry(table).or_default().columns.push(column);
        }
        for row in ask(UNIQUE).await? {
            let (table, name): (String, String) = (row.get(0), row.get(1));
            if let Some(column) = tables.get_mut(&table).and_then(|table| table.columns.iter_mut().find(|column| column.name == name)) {
                column.unique = true;
            }
        }
        for row in ask(KEYS).await? {
            let (table, kind, columns): (String, String, Vec<String>) = (row.get(0), row.get(1), row.get(2));
            let Some(table) = tables.get_mut(&table) else { continue };
            if kind == "p" {
                table.key = columns;
                continue;
            }
            let on_delete = match row.get::<_, String>(5).as_str() {
                "c" => OnDelete::Cascade,
                "n" | "d" => OnDelete::SetNull,
                _ => OnDelete::Refuse,
            };
            table.links.push(Link { columns, to: row.get::<_, Option<String>>(3).unwrap_or_default(), to_columns: row.get(4), on_delete });
        }
        *self.types.write().await = Some(Arc::new(types));
        Ok(Schema { tables })
    }

    async fn rows(&self, collection: &str, field: &str, values: &[Value]) -> Result<Vec<Map<String, Value>>, DataError> {
        let kind = self.kind_of_column(collection, field).await?;
        let values: Vec<String> = values.iter().map(text_of).filter(|value| takes(&kind, value)).collect();
        if values.is_empty() {
            return Ok(Vec::new());
        }
        self.read(collection, &format!("{} = ANY($1::text[]::{kind}[])", quoted(field)), &[(&values, Type::TEXT_ARRAY)]).await
    }

    async fn kind_of_column(&self, collection: &str, field: &str) -> Result<String, DataError> {
        let types = self.types().await?;
        types.get(&(collection.to_owned(), field.to_owned())).cloned().ok_or_else(|| DataError::Refused(format!("there is no column `{collection}.{field}`")))
    }

    /// Rows of a table, by what follows `WHERE`.
    async fn read(&self, collection: &str, rest: &str, params: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Map<String, Value>>, DataError> {
        let types = self.types().await?;
        let mut connected = self.connect().await?;
        let tx = reading(&mut connected.client).await?;
        let columns: Vec<(&String, &String)> = types.iter().filter(|((table, _), _)| table == collection).map(|((_, name), kind)| (name, kind)).collect();
        let listed = columns.iter().map(|(name, _)| format!("{}::text", quoted(name))).collect::<Vec<_>>().join(", ");
        let text = format!("SELECT {listed} FROM {} WHERE {rest}", self.table(collection));
        let found = tx.query_typed(&text, params).await.map_err(failed)?;
        let row = |row: &tokio_postgres::Row| columns.iter().enumerate().map(|(at, (name, kind))| ((*name).clone(), shown(kind, row.get(at)))).collect();
        Ok(found.iter().map(row).collect())
    }

    async fn change(&self, changes: &[Change]) -> Result<(), DataError> {
        let mut connected = self.connect().await?;
        let tx = connected.client.transaction().await.map_err(failed)?;
        tx.batch_execute(LIMITS).await.map_err(failed)?;
        let types = self.types().await?;
        let kind = |table: &str, name: &str| {
            types.get(&(table.to_owned(), name.to_owned())).cloned().ok_or_else(|| DataError::Refused(format!("there is no column `{table}.{name}`")))
        };
        let mut rest = changes;
        while let Some(first) = rest.first() {
            let alike = |change: &&Change| change.set.is_none() && change.collection == first.collection && change.key.len() == 1;
            let same = rest.iter().take(AT_ONCE).take_while(alike).count();
            if same > 0 {
                let name = first.key.keys().next().map(String::as_str).unwrap_or_default();
                let values: Vec<String> = rest[..same].iter().flat_map(|change| change.key.values().map(text_of)).collect();
                let text =
                    format!("DELETE FROM {} WHERE {} = ANY($1::text[]::{}[])", self.table(&first.collection), quoted(name), kind(&first.collection, name)?);
                tx.execute_typed(&text, &[(&values, Type::TEXT_ARRAY)]).await.map_err(failed)?;
                rest = &rest[same..];
                continue;
            }
            let mut values: Vec<Option<String>> = Vec::new();
            let mut pairs = |of: &Map<String, Value>, by: &str| {
                let pair = |(name, value): (&String, &Value)| {
                    values.push((!value.is_null()).then(|| text_of(value)));
                    Ok(format!("{} = ${}::text::{}", quoted(name), values.len(), kind(&first.collection, name)?))
                };
                Ok::<_, DataError>(of.iter().map(pair).collect::<Result<Vec<_>, DataError>>()?.join(by))
            };
            let head = match &first.set {
                Some(set) => format!("UPDATE {} SET {}", self.table(&first.collection), pairs(set, ", ")?),
                None => format!("DELETE FROM {}", self.table(&first.collection)),
            };
            let text = format!("{head} WHERE {}", pairs(&first.key, " AND ")?);
            let params: Vec<(&(dyn ToSql + Sync), Type)> = values.iter().map(|value| (value as &(dyn ToSql + Sync), Type::TEXT)).collect();
            tx.execute_typed(&text, &params).await.map_err(failed)?;
            rest = &rest[1..];
        }
        tx.commit().await.map_err(failed)
    }

    /// Looks through every row that holds as many digits in a row as a test could ask for; the test itself runs here.
    async fn look_through(&self, is_it: fn(&str) -> bool) -> Result<Vec<Hit>, DataError> {
        const MANY_DIGITS: &str = "[0-9]([ -]?[0-9]){8,}";
        let schema = self.read_schema().await?;
        let mut connected = self.connect().await?;
        let tx = reading(&mut connected.client).await?;
        let mut found = Vec::new();
        for (name, table) in &schema.tables {
            let columns: Vec<&Column> = table.columns.iter().filter(|column| !matches!(column.kind, ColumnKind::Boolean)).collect();
            if columns.is_empty() {
                continue;
            }
            let texts: Vec<String> = columns.iter().map(|column| format!("{}::text", quoted(&column.name))).collect();
            let wanted = texts.iter().map(|text| format!("{text} ~ $1")).collect::<Vec<_>>().join(" OR ");
            let sql = format!("SELECT {} FROM {} WHERE {wanted}", texts.join(", "), self.table(name));
            let mut counts = vec![0_u64; columns.len()];
            let rows = tx.query_typed_raw(&sql, [(MANY_DIGITS, Type::TEXT)]).await.map_err(failed)?;
            let mut rows = std::pin::pin!(rows);
            while let Some(row) = rows.try_next().await.map_err(failed)? {
                for (at, count) in counts.iter_mut().enumerate() {
                    let text: Option<&str> = row.try_get(at).map_err(failed)?;
                    *count += u64::from(text.is_some_and(is_it));
                }
            }
            found.extend(hits(name, &columns, counts));
        }
        Ok(found)
    }

    async fn search(&self, needles: &[String]) -> Result<Vec<Hit>, DataError> {
        let needles: Vec<String> = needles.iter().map(|needle| needle.to_lowercase()).collect();
        let schema = self.read_schema().await?;
        let mut connected = self.connect().await?;
        let tx = reading(&mut connected.client).await?;
        let mut found = Vec::new();
        for (name, table) in &schema.tables {
            let columns: Vec<&Column> =
                table.columns.iter().filter(|column| matches!(column.kind, ColumnKind::Text | ColumnKind::Json | ColumnKind::Other)).collect();
            if columns.is_empty() || needles.is_empty() {
                continue;
            }
            let holds = |column: &&Column| {
                format!("count(*) FILTER (WHERE EXISTS (SELECT 1 FROM unnest($1::text[]) n WHERE strpos(lower({}::text), n) > 0))", quoted(&column.name))
            };
            let text = format!("SELECT {} FROM {}", columns.iter().map(holds).collect::<Vec<_>>().join(", "), self.table(name));
            let row = tx.query_typed(&text, &[(&needles, Type::TEXT_ARRAY)]).await.map_err(failed)?;
            let Some(row) = row.first() else { continue };
            let counts = (0..columns.len()).map(|at| row.get::<_, i64>(at).unsigned_abs()).collect();
            found.extend(hits(name, &columns, counts));
        }
        Ok(found)
    }
}

impl DataStore for Postgres {
    fn kind(&self) -> StoreKind {
        StoreKind::Tables
    }

    fn schema(&self) -> BoxFuture<'_, Result<Schema, DataError>> {
        Box::pin(self.read_schema())
    }

    fn find<'a>(&'a self, collection: &'a str, field: &'a str, values: &'a [Value]) -> BoxFuture<'a, Result<Vec<Map<String, Value>>, DataError>> {
        Box::pin(self.rows(collection, field, values))
    }

    fn older<'a>(
        &'a self,
        collection: &'a str,
        field: &'a str,
        before: &'a str,
        skip: u64,
        most: u32,
    ) -> BoxFuture<'a, Result<Vec<Map<String, Value>>, DataError>> {
        Box::pin(async move {
            let (kind, column) = (self.kind_of_column(collection, field).await?, quoted(field));
            let rest = format!("{column} < $1::text::timestamptz::{kind} ORDER BY {column} LIMIT {most} OFFSET {skip}");
            self.read(collection, &rest, &[(&before, Type::TEXT)]).await
        })
    }

    fn values<'a>(&'a self, collection: &'a str, field: &'a str, after: Option<&'a Value>, most: u32) -> BoxFuture<'a, Result<Vec<Value>, DataError>> {
        Box::pin(async move {
            let (kind, column) = (self.kind_of_column(collection, field).await?, quoted(field));
            let after = after.map(text_of);
            let from = if after.is_some() { format!("{column} > $1::text::{kind}") } else { format!("$1::text IS NULL AND {column} IS NOT NULL") };
            let text = format!("SELECT {column}::text FROM {} WHERE {from} ORDER BY {column} LIMIT {most}", self.table(collection));
            let mut connected = self.connect().await?;
            let tx = reading(&mut connected.client).await?;
            let found = tx.query_typed(&text, &[(&after, Type::TEXT)]).await.map_err(failed)?;
            Ok(found.iter().map(|row| shown(&kind, row.get(0))).collect())
        })
    }

    fn apply<'a>(&'a self, changes: &'a [Change], _token: &'a str) -> BoxFuture<'a, Result<(), DataError>> {
        Box::pin(self.change(changes))
    }

    fn scan_for(&self, is_it: fn(&str) -> bool) -> BoxFuture<'_, Result<Vec<Hit>, DataError>> {
        Box::pin(self.look_through(is_it))
    }

    fn scan<'a>(&'a self, needles: &'a [String]) -> BoxFuture<'a, Result<Vec<Hit>, DataError>> {
        Box::pin(self.search(needles))
    }
}

async fn reading(client: &mut Client) -> Result<Transaction<'_>, DataError> {
    let tx = client.build_transaction().read_only(true).start().await.map_err(failed)?;
    tx.batch_execute(LIMITS).await.map_err(failed)?;
    Ok(tx)
}

/// Whether a type can hold a value: one that it cannot is in no row.
fn takes(kind: &str, value: &str) -> bool {
    match kind {
        "smallint" => value.parse::<i16>().is_ok(),
        "integer" => value.parse::<i32>().is_ok(),
        "bigint" => value.parse::<i64>().is_ok(),
        "numeric" | "real" | "double precision" => value.parse::<f64>().is_ok(),
        "uuid" => value.parse::<uuid::Uuid>().is_ok(),
        "boolean" => matches!(value, "true" | "false"),
        _ => !value.contains('\0'),
    }
}

fn shown(kind: &str, text: Option<String>) -> Value {
    let Some(text) = text else { return Value::Null };
    match kind {
        "smallint" | "integer" | "bigint" => text.parse::<i64>().map_or(Value::from(text), Value::from),
        // As a number where that loses nothing.
        "numeric" | "real" | "double precision" => match text.parse::<f64>() {
            Ok(number) if number.to_string() == text || format!("{number:.2}") == text => Value::from(number),
            _ => Value::from(text),
        },
        "boolean" => Value::from(text == "true"),
        "json" | "jsonb" => serde_json::from_str(&text).unwrap_or(Value::from(text)),
        _ => Value::from(text),
    }
}

fn text_of(value: &Value) -> String {
    tutela_privacy::mask::text_of(value)
}

fn words(e: &tokio_postgres::Error) -> String {
    e.as_db_error().map_or_else(|| e.to_string(), |of| of.message().to_owned())
}

/// What a database says of a row is about a person: its message is told, its detail is not.
fn failed(e: tokio_postgres::Error) -> DataError {
    match e.code().map(|code| code.code()) {
        // Connection, resources, operator's intervention, a lock that was not given, a conflict with another transaction.
        None => DataError::Unavailable(words(&e)),
        Some(code) if ["08", "53", "57", "58", "55", "40"].contains(&code.get(..2).unwrap_or_default()) => DataError::Unavailable(words(&e)),
        Some(_) => DataError::Refused(words(&e)),
    }
}

const COLUMNS: &str = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL), a.attnotnull, a.attgenerated <> '' OR a.attidentity = 'a',
        CASE WHEN a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND a.atttypmod > 4 THEN a.atttypmod - 4 END
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum";

const UNIQUE: &str = "SELECT c.relname::text, a.attname::text
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
    WHERE n.nspname = $1 AND i.indisunique AND i.indnkeyatts = 1";

const KEYS: &str = "SELECT c.relname::text, k.contype::text,
        ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS of(number, place) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = of.number ORDER BY of.place),
        f.relname::text,
        ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS of(number, place) JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = of.number ORDER BY of.place),
        k.confdeltype::text
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_class f ON f.oid = k.confrelid
    WHERE n.nspname = $1 AND k.contype IN ('p', 'f') AND NOT c.relispartition ORDER BY k.conname";
