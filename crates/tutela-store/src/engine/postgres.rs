//! PostgreSQL: a pool, unnamed statements only (any transaction pooler will do), and an outbox
//! that the sequencer empties into the log.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_postgres::{
    Transaction,
    config::{Host, SslMode},
    types::Type as PgType,
};
use tokio_postgres_rustls::MakeRustlsConnect;
use tutela_core::{Env, seam::CommitGuard};
use tutela_ledger::Signer;
use uuid::Uuid;

use super::{
    lock,
    postgres_index::{build_index, change_index},
    postgres_value::{pg_type, row, typed},
    sequencer,
};
use crate::{
    Changeset, Config, Error, MigrationState, On, Record,
    append::BLOCK_BITS,
    changeset::Op,
    db::Signals,
    effect::effect_ops,
    migrate::{self, BOOTSTRAP, Dialect, MIGRATION_INSERT, MIGRATION_LIST},
    sql::Sql,
    table::{
        outbox,
        search::{self, Match},
    },
    value::{Row, Value},
};

/// How often a transaction that lost a race is run again before the caller hears of it.
const RETRIES: usize = 5;
/// Most changesets in one insert into the outbox.
const BATCH: usize = 1_024;

pub(crate) struct Postgres {
    pool: Pool,
    node: Uuid,
    running: Mutex<Option<Running>>,
    /// Wakes the sequencer of this process after a commit.
    committed: Arc<Notify>,
}

/// Events and who waits for them.
type Waiting = (Vec<Record>, oneshot::Sender<Result<(), Error>>);

struct Running {
    guard: Arc<dyn CommitGuard>,
    events: mpsc::Sender<Waiting>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    stop: Arc<Notify>,
}

impl Postgres {
    pub(crate) async fn open(config: &Config, node: Uuid) -> Result<Arc<Self>, Error> {
        let pool = pool(config)?;
        migrate(&pool).await?;
        Ok(Arc::new(Self { pool, node, running: Mutex::default(), committed: Arc::default() }))
    }

    /// Starts the sequencer and the tasks that insert events in batches.
    pub(crate) async fn start(&self, signer: Signer, guard: Arc<dyn CommitGuard>, signals: Signals, env: Arc<dyn Env>) -> Result<(), Error> {
        let stop = Arc::new(Notify::new());
        let (events, queue) = mpsc::channel(4_096);
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        let sequencer = sequencer::Sequencer::new(self.pool.clone(), self.node, signer, signals, Arc::clone(&self.committed), env);
        let mut tasks = vec![tokio::spawn(sequencer.run(Arc::clone(&stop)))];
        // Two inserters: while one waits for its fsync the other collects.
        for _ in 0..2 {
            tasks.push(tokio::spawn(insert_events(self.pool.clone(), Arc::clone(&queue), Arc::clone(&self.committed))));
        }
        *lock(&self.running) = Some(Running { guard, events, tasks, stop });
        Ok(())
    }

    pub(crate) async fn commit(&self, changeset: Changeset) -> Result<(), Error> {
        let running = lock(&self.running).as_ref().map(|r| (Arc::clone(&r.guard), r.events.clone()));
        let effects = running.as_ref().map(|(guard, _)| effect_ops(&**guard, &changeset.records)).unwrap_or_default();
        if let Some((_, events)) = running
            && changeset.ops.is_empty()
            && changeset.index.is_empty()
            && changeset.build.is_empty()
            && effects.is_empty()
        {
            let (reply, answer) = oneshot::channel();
            let closed = || Error::Unavailable("the store is closing".into());
            events.send((changeset.records, reply)).await.map_err(|_| closed())?;
            return answer.await.map_err(|_| closed())?;
        }
        let mut attempt = 0;
        loop {
            match self.commit_once(&changeset, &effects).await {
                // 40001 serialization failure, 40P01 deadlock: the same transaction may well succeed.
                Err(Error::Unavailable(text)) if attempt < RETRIES && (text.ends_with("(40001)") || text.ends_with("(40P01)")) => attempt += 1,
                Ok(()) => {
                    self.committed.notify_one();
                    return Ok(());
                }
                Err(e) => return Err(e),
            }
        }
    }

    async fn commit_once(&self, changeset: &Changeset, effects: &[Op]) -> Result<(), Error> {
        let mut client = self.pool.get().await?;
        let tx = client.transaction().await?;
        for op in changeset.ops.iter().chain(effects).filter(|op| op.sql.on != On::Sqlite) {
            op.expect.check(execute_tx(&tx, op.sql, &op.params).await?)?;
        }
        build_index(&tx, &changeset.build).await?;
        change_index(&tx, &changeset.index).await?;
        if let Some(month) = changeset.drop_index {
            tx.batch_execute(&format!("DROP TABLE IF EXISTS event_index_{month}")).await?;
        }
        if !changeset.records.is_empty() {
            execute_tx(&tx, &outbox::OUTBOX_INSERT, &outbox::columns(&changeset.records)).await?;
        }
        Ok(tx.commit().await?)
    }

    pub(crate) async fn all(&self, sql: &'static Sql, params: Vec<Value>) -> Result<Vec<Row>, Error> {
        let client = self.pool.get().await?;
        let typed = typed(sql, &params);
        client.query_typed(sql.text, &typed).await?.iter().map(row).collect()
    }

    /// One after another on one connection, each sent before the one before it is answered.
    pub(crate) async fn several(&self, asked: Vec<(&'static Sql, Vec<Value>)>) -> Result<Vec<Vec<Row>>, Error> {
        let client = self.pool.get().await?;
        let client = &client;
        let one = async |sql: &'static Sql, params: &[Value]| client.query_typed(sql.text, &typed(sql, params)).await?.iter().map(row).collect();
        futures_util::future::try_join_all(asked.iter().map(|(sql, params)| one(sql, params))).await
    }

    /// A connection of the pool.
    pub(crate) async fn client(&self) -> Result<deadpool_postgres::Object, Error> {
        Ok(self.pool.get().await?)
    }

    pub(crate) async fn prepare(&self, sql: &'static Sql) -> Result<usize, Error> {
        let types: Vec<PgType> = sql.params.iter().map(|t| pg_type(*t)).collect();
        Ok(self.pool.get().await?.prepare_typed(sql.text, &types).await?.params().len())
    }

    pub(crate) async fn index_page(&self, month: i64, wanted: Match, lo: i64, hi: i64, limit: i64) -> Result<Vec<i64>, Error> {
        // A GIN index gives all matches, unordered. So the months is searched in slices of row
        // ids from the newest down, each twice as wide as the one before, until the page is full.
        let (mut out, mut top, mut width) = (Vec::new(), hi, 1_i64 << 22);
        while top > lo && (out.len() as i64) < limit {
            let bottom = top.saturating_sub(width).max(lo);
            let mut params = vec![Value::Int(month), Value::Int(bottom), Value::Int(top), Value::Int(limit - out.len() as i64)];
            let group = |n: usize| wanted.any.get(n).cloned().unwrap_or_default();
            params.extend([wanted.all.clone(), wanted.none.clone(), group(0), group(1)].map(Value::Texts));
            for row in self.all(&search::INDEX_PAGE, params).await? {
                out.push(row.get(0)?);
            }
            top = bottom;
            width = width.saturating_mul(2);
        }
        Ok(out)
    }

    /// Drops a table by a name that came from the catalogue or from our own numbers.
    pub(crate) async fn drop_table(&self, name: &str) -> Result<(), Error> {
        Ok(self.pool.get().await?.batch_execute(&format!("DROP TABLE IF EXISTS {name}")).await?)
    }

    pub(crate) async fn settle(&self) -> Result<(), Error> {
        for _ in 0..500 {
            self.committed.notify_one();
            let waiting: i64 = self.all(&outbox::OUTBOX_WAITING, Vec::new()).await?.first().map_or(Ok(0), |row| row.get(0))?;
            if waiting == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(Error::Unavailable("the ledger's sequencer has not caught up within five seconds".into()))
    }

    pub(crate) async fn close(&self) {
        let Some(Running { events, tasks, stop, .. }) = lock(&self.running).take() else { return };
        drop(events);
        stop.notify_one();
        for task in tasks {
            let _ = task.await;
        }
        self.pool.close();
    }

    pub(crate) async fn migration_state(config: &Config) -> Result<MigrationState, Error> {
        let client = pool(config)?.get().await?;
        let rows = match client.query_typed(MIGRATION_LIST.text, &[]).await {
            Ok(rows) => rows.iter().map(row).collect::<Result<Vec<Row>, Error>>()?,
            Err(_) => Vec::new(),
        };
        Ok(migrate::state(&migrate::plan(&rows)?))
    }
}

/// Inserts what is waiting, many changesets at a time.
async fn insert_events(pool: Pool, queue: Arc<tokio::sync::Mutex<mpsc::Receiver<Waiting>>>, committed: Arc<Notify>) {
    let mut waiting = Vec::with_capacity(BATCH);
    loop {
        if queue.lock().await.recv_many(&mut waiting, BATCH).await == 0 {
            return;
        }
        let (records, replies): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
        let records: Vec<Record> = records.into_iter().flatten().collect();
        let result = insert(&pool, &records).await;
        committed.notify_one();
        for reply in replies {
            let _ = reply.send(result.clone());
        }
    }
}

async fn insert(pool: &Pool, records: &[Record]) -> Result<(), Error> {
    let client = pool.get().await?;
    let params = outbox::columns(records);
    client.execute_typed(outbox::OUTBOX_INSERT.text, &typed(&outbox::OUTBOX_INSERT, &params)).await?;
    Ok(())
}

/// A pool from `[storage]`.
pub(crate) fn pool(config: &Config) -> Result<Pool, Error> {
    let mut pg: tokio_postgres::Config = config.url.parse().map_err(|e| Error::Unavailable(format!("`storage.url` is not a PostgreSQL URL: {e}")))?;
    if let Some(file) = &config.password_file {
        let password = std::fs::read_to_string(file).map_err(|e| Error::Unavailable(format!("`storage.password_file` {}: {e}", file.display())))?;
        pg.password(password.trim_end_matches(['\r', '\n']));
    }
    let tls = ssl_mode(&pg);
    pg.application_name("tutela").connect_timeout(Duration::from_secs(5)).ssl_mode(tls);
    let recycle = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(pg, tls_connector()?, recycle);
    Pool::builder(manager)
        .max_size(config.connections as usize)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(Duration::from_secs(10)))
        .create_timeout(Some(Duration::from_secs(10)))
        .build()
        .map_err(|e| Error::Internal(e.to_string()))
}

/// TLS, verified against the system's roots.
fn tls_connector() -> Result<MakeRustlsConnect, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|e| Error::Internal(e.to_string()))?;
    Ok(MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// Verified TLS to every host but this one.
fn ssl_mode(pg: &tokio_postgres::Config) -> SslMode {
    let here = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
    };
    if pg.get_hosts().iter().all(here) { SslMode::Disable } else { SslMode::Require }
}

async fn migrate(pool: &Pool) -> Result<(), Error> {
    let mut client = pool.get().await?;
    client.batch_execute(&migrate::write_out(BOOTSTRAP, Dialect::Postgres)).await?;
    let tx = client.transaction().await?;
    // A second node waits here, and then finds nothing left to do.
    tx.batch_execute("LOCK TABLE schema_migration IN ACCESS EXCLUSIVE MODE").await?;
    let rows: Result<Vec<Row>, Error> = tx.query_typed(MIGRATION_LIST.text, &[]).await?.iter().map(row).collect();
    for migration in migrate::plan(&rows?)? {
        for statement in migration.statements(Dialect::Postgres) {
            tx.batch_execute(&statement).await?;
        }
        execute_tx(&tx, &MIGRATION_INSERT, &[Value::Int(migration.version), Value::from(migration.checksum())]).await?;
    }
    Ok(tx.commit().await?)
}

pub(crate) async fn execute_tx(tx: &Transaction<'_>, sql: &Sql, params: &[Value]) -> Result<u64, Error> {
    Ok(tx.execute_typed(sql.text, &typed(sql, params)).await?)
}

pub(crate) async fn query_tx(tx: &Transaction<'_>, sql: &Sql, params: &[Value]) -> Result<Vec<Row>, Error> {
    tx.query_typed(sql.text, &typed(sql, params)).await?.iter().map(row).collect()
}

pub(crate) async fn query_client(client: &deadpool_postgres::Object, sql: &Sql, params: &[Value]) -> Result<Vec<Row>, Error> {
    client.query_typed(sql.text, &typed(sql, params)).await?.iter().map(row).collect()
}

/// A connection to a database with its tables, for a restore.
pub(crate) async fn fresh(config: &Config) -> Result<deadpool_postgres::Object, Error> {
    let pool = pool(config)?;
    migrate(&pool).await?;
    Ok(pool.get().await?)
}

/// Makes the partitions of the log of one block of positions.
pub(crate) fn log_partition(block: i64) -> String {
    let (from, to) = (block << BLOCK_BITS, (block + 1) << BLOCK_BITS);
    let (from_row, to_row) = (from << 10, to << 10);
    format!(
        "CREATE TABLE IF NOT EXISTS log_{block} PARTITION OF log FOR VALUES FROM ({from}) TO ({to});
         CREATE TABLE IF NOT EXISTS log_item_{block} PARTITION OF log_item FOR VALUES FROM ({from_row}) TO ({to_row})"
    )
}
