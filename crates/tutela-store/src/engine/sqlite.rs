//! SQLite: one file, one writer thread, several readers.

use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use crossbeam_channel::Sender;
use rusqlite::{Connection, OpenFlags, types::ValueRef};
use tokio::sync::{mpsc, oneshot};
use tutela_core::seam::CommitGuard;
use tutela_ledger::Signer;

use super::{
    lock,
    sqlite_writer::{self, Job},
};
use crate::{
    Changeset, Error, MigrationState,
    db::Signals,
    migrate::{self, BOOTSTRAP, Dialect, MIGRATION_INSERT, MIGRATION_LIST},
    sql::Sql,
    table::search::Match,
    value::{Row, Value},
};

/// Changesets waiting for the writer; beyond it callers wait.
const WRITE_QUEUE: usize = 4_096;

/// Reads waiting for a reader; beyond it callers are refused.
const READ_QUEUE: usize = 4_096;

type Read = Box<dyn FnOnce(&Connection) + Send>;

pub(crate) struct Sqlite {
    path: PathBuf,
    reads: Sender<Read>,
    writes: Mutex<Option<mpsc::Sender<Job>>>,
    writer: Mutex<Option<std::thread::JoinHandle<()>>>,
    setup: Mutex<Option<Connection>>,
    /// Held as long as the process lives: a second process on the file is refused.
    _lock: File,
}

impl Sqlite {
    pub(crate) fn open(data: &Path, readers: u32) -> Result<Arc<Self>, Error> {
        let lock_path = data.join("tutela.lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|e| Error::Unavailable(format!("{}: {e}", lock_path.display())))?;
        let path = data.join("tutela.db");
        lock.try_lock().map_err(|_| Error::InUse(path.display().to_string()))?;
        let writer = connect(&path, false)?;
        migrate(&writer)?;
        let (reads, queue) = crossbeam_channel::bounded::<Read>(READ_QUEUE);
        for number in 0..readers {
            let conn = connect(&path, true)?;
            let queue = queue.clone();
            spawn(&format!("sqlite-read-{number}"), move || queue.iter().for_each(|read| read(&conn)))?;
        }
        Ok(Arc::new(Self { path, reads, writes: Mutex::default(), writer: Mutex::default(), setup: Mutex::new(Some(writer)), _lock: lock }))
    }

    /// The data folder.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Starts the writer thread.
    pub(crate) async fn start(&self, signer: Signer, guard: Arc<dyn CommitGuard>, signals: Signals) -> Result<(), Error> {
        let conn = lock(&self.setup).take().ok_or(Error::Internal("the writer runs already".into()))?;
        let (sender, receiver) = mpsc::channel(WRITE_QUEUE);
        let mut writer = sqlite_writer::Writer::new(conn, signer, guard, signals)?;
        let thread = spawn("sqlite-write", move || writer.run(receiver))?;
        *lock(&self.writes) = Some(sender);
        *lock(&self.writer) = Some(thread);
        Ok(())
    }

    pub(crate) async fn commit(&self, changeset: Changeset) -> Result<(), Error> {
        let sender = lock(&self.writes).clone();
        let Some(sender) = sender else { return self.commit_first(&changeset) };
        let (reply, answer) = oneshot::channel();
        let closed = |()| Error::Unavailable("the store is closing".into());
        sender.send(Job { changeset, reply }).await.map_err(|_| closed(()))?;
        answer.await.map_err(|_| closed(()))?
    }

    /// The one commit before the writer runs: the instance's identity.
    fn commit_first(&self, changeset: &Changeset) -> Result<(), Error> {
        let mut setup = lock(&self.setup);
        let conn = setup.as_mut().ok_or(Error::Unavailable("the store is closing".into()))?;
        let tx = conn.transaction()?;
        sqlite_writer::run_ops(&tx, &changeset.ops)?;
        Ok(tx.commit()?)
    }

    pub(crate) async fn all(&self, sql: &'static Sql, params: Vec<Value>) -> Result<Vec<Row>, Error> {
        if let Some(conn) = lock(&self.setup).as_ref() {
            return query(conn, sql, &params);
        }
        self.read(move |conn| query(conn, sql, &params)).await
    }

    pub(crate) async fn several(&self, asked: Vec<(&'static Sql, Vec<Value>)>) -> Result<Vec<Vec<Row>>, Error> {
        let each = move |conn: &Connection| asked.iter().map(|(sql, params)| query(conn, sql, params)).collect();
        if let Some(conn) = lock(&self.setup).as_ref() {
            return each(conn);
        }
        self.read(each).await
    }

    pub(crate) async fn prepare(&self, sql: &'static Sql) -> Result<usize, Error> {
        self.read(move |conn| Ok(conn.prepare(sql.sqlite())?.parameter_count())).await
    }

    pub(crate) async fn index_page(&self, month: i64, wanted: Match, lo: i64, hi: i64, limit: i64) -> Result<Vec<i64>, Error> {
        self.read(move |conn| {
            let wanted = match_text(&wanted);
            let filter = if wanted.is_empty() { String::new() } else { format!("index_{month} MATCH ?4 AND") };
            let text = format!("SELECT rowid FROM index_{month} WHERE {filter} rowid >= ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3");
            let mut statement = conn.prepare_cached(&text)?;
            let row = |row: &rusqlite::Row<'_>| row.get(0);
            let rows: Result<Vec<i64>, _> = if wanted.is_empty() {
                statement.query_map((lo, hi, limit), row)?.collect()
            } else {
                statement.query_map((lo, hi, limit, wanted), row)?.collect()
            };
            Ok(rows?)
        })
        .await
    }

    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let job: Read = Box::new(move |conn| {
            // The asker may have gone; then nobody needs the answer.
            let _ = reply.send(read(conn));
        });
        self.reads.try_send(job).map_err(|_| Error::Unavailable("too many reads are waiting".into()))?;
        answer.await.map_err(|_| Error::Unavailable("a read was dropped".into()))?
    }

    pub(crate) async fn close(&self) {
        lock(&self.writes).take();
        let writer = lock(&self.writer).take();
        if let Some(thread) = writer {
            // The writer ends once its queue is empty and every sender is gone.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        tracing::debug!(path = %self.path.display(), "closed the database");
    }

    pub(crate) fn migration_state(data: &Path) -> Result<MigrationState, Error> {
        let path = data.join("tutela.db");
        if !path.exists() {
            return Ok(migrate::state(&migrate::plan(&[])?));
        }
        let conn = connect(&path, true)?;
        let rows = query(&conn, &MIGRATION_LIST, &[]).unwrap_or_default();
        Ok(migrate::state(&migrate::plan(&rows)?))
    }
}

/// An FTS5 query; empty where every row fits.
fn match_text(wanted: &Match) -> String {
    let quoted = |tokens: &[String], by: &str| tokens.iter().map(|t| format!("\"{t}\"")).collect::<Vec<_>>().join(by);
    let groups = wanted.any.iter().map(|group| format!("({})", quoted(group, " OR ")));
    let mut parts: Vec<String> = wanted.all.iter().map(|t| format!("\"{t}\"")).chain(groups).collect();
    if wanted.none.is_empty() {
        return parts.join(" AND ");
    }
    if parts.is_empty() {
        // NOT needs something to take away from: every row has an outcome.
        parts.push(format!("({})", quoted(&["denied", "failure", "success", "unknown"].map(|o| format!("o={o}")), " OR ")));
    }
    format!("({}) NOT ({})", parts.join(" AND "), quoted(&wanted.none, " OR "))
}

/// Opens the file for `verify`, which reads beside a running server.
pub(crate) fn open_reader(data: &Path) -> Result<Connection, Error> {
    let path = data.join("tutela.db");
    if !path.exists() {
        return Err(Error::Unavailable(format!("there is no database at `{}`", path.display())));
    }
    connect(&path, true)
}

/// A database with its tables, for a restore. The lock of the file is taken as a server would.
pub(crate) fn fresh(data: &Path) -> Result<Connection, Error> {
    let conn = connect(&data.join("tutela.db"), false)?;
    migrate(&conn)?;
    Ok(conn)
}

fn connect(path: &Path, reader: bool) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(|e| Error::Unavailable(format!("{}: {e}", path.display())))?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.pragma_update(None, "journal_mode", "wal")?;
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "secure_delete", true)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
    conn.set_prepared_statement_cache_capacity(128);
    if reader {
        conn.pragma_update(None, "query_only", true)?;
    }
    Ok(conn)
}

fn migrate(conn: &Connection) -> Result<(), Error> {
    conn.execute_batch("BEGIN EXCLUSIVE")?;
    let done = (|| {
        conn.execute_batch(&migrate::write_out(BOOTSTRAP, Dialect::Sqlite))?;
        for migration in migrate::plan(&query(conn, &MIGRATION_LIST, &[])?)? {
            for statement in migration.statements(Dialect::Sqlite) {
                conn.execute_batch(&statement)?;
            }
            execute(conn, &MIGRATION_INSERT, &[Value::Int(migration.version), Value::from(migration.checksum())])?;
        }
        Ok(())
    })();
    conn.execute_batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    done
}

pub(crate) fn execute(conn: &Connection, sql: &Sql, params: &[Value]) -> Result<usize, Error> {
    Ok(conn.prepare_cached(sql.sqlite())?.execute(rusqlite::params_from_iter(params))?)
}

pub(crate) fn query(conn: &Connection, sql: &Sql, params: &[Value]) -> Result<Vec<Row>, Error> {
    let mut statement = conn.prepare_cached(sql.sqlite())?;
    let columns = statement.column_count();
    let mut rows = statement.query(rusqlite::params_from_iter(params))?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let values: Result<Vec<Value>, rusqlite::Error> = (0..columns).map(|i| row.get_ref(i).map(owned)).collect();
        out.push(Row(values?));
    }
    Ok(out)
}

pub(crate) fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => Value::Int(n),
        ValueRef::Real(_) => Value::Null,
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, Value as Owned};
        let borrowed = |value| Ok(ToSqlOutput::Borrowed(value));
        match self {
            Self::Null => borrowed(ValueRef::Null),
            Self::Bytes(bytes) => borrowed(ValueRef::Blob(bytes)),
            Self::Id(id) => borrowed(ValueRef::Blob(id.as_bytes())),
            Self::Int(n) => borrowed(ValueRef::Integer(*n)),
            Self::Text(text) => borrowed(ValueRef::Text(text.as_bytes())),
            Self::Time(time) => borrowed(ValueRef::Integer(time.micros())),
            Self::Json(json) => Ok(ToSqlOutput::Owned(Owned::Text(json.to_string()))),
            Self::Ints(list) => Ok(ToSqlOutput::Owned(Owned::Text(serde_json::Value::from(list.as_slice()).to_string()))),
            Self::Blobs(_) | Self::Ids(_) | Self::Texts(_) | Self::Times(_) => {
                Err(rusqlite::Error::InvalidParameterName("a bulk column is for PostgreSQL only".into()))
            }
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<std::thread::JoinHandle<()>, Error> {
    std::thread::Builder::new().name(name.into()).spawn(body).map_err(|e| Error::Unavailable(e.to_string()))
}
