//! The store: one concrete type over two engines.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::{Notify, watch};
use tutela_core::{Env, seam::CommitGuard};
use tutela_ledger::Signer;
use uuid::Uuid;

use crate::{
    Changeset, Config, Error, Housekeeping, InstanceRow, MigrationState,
    engine::{postgres::Postgres, sqlite::Sqlite},
    sql::Sql,
    table::{change, instance, search::Match},
    value::{Row, Value},
};

/// Makes the signer of a ledger from its origin.
pub type SignerOf = Box<dyn Fn(&str) -> Result<Signer, Error> + Send + Sync>;

/// What opening a store needs.
pub struct Open {
    /// `[storage]`.
    pub config: Config,
    /// The data folder; it exists.
    pub data: PathBuf,
    /// Makes the signer of the ledger for an origin. The origin is fixed when the instance is made.
    pub signer: SignerOf,
    /// Host name the origin of a new instance begins with.
    pub host: String,
    /// What tells root keys apart.
    pub key_fingerprint: [u8; 32],
    /// Acts in the commit of an event.
    pub guard: Arc<dyn CommitGuard>,
    /// Names this process in leases, and a new instance.
    pub node: Uuid,
    /// Whether it is opened to finish a restore; only then may one have begun.
    pub restoring: bool,
    /// The clock, for leases and the instance's birth.
    pub env: Arc<dyn Env>,
}

/// Our own data, on SQLite or PostgreSQL. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Engine,
    signals: Signals,
    instance: Arc<Instance>,
}

#[derive(Clone)]
enum Engine {
    Postgres(Arc<Postgres>),
    Sqlite(Arc<Sqlite>),
}

/// What other parts of the process wait for.
#[derive(Clone)]
pub(crate) struct Signals {
    /// Number of entries in the log.
    pub size: watch::Sender<u64>,
    /// Something was announced in the change feed.
    pub changed: Arc<Notify>,
}

/// Who this instance is.
pub struct Instance {
    /// Its id.
    pub id: Uuid,
    /// Name of its ledger.
    pub origin: String,
}

impl Store {
    /// Opens the store, applies pending migrations, and refuses a database that is newer, in use, or of another key.
    pub async fn open(open: Open) -> Result<Self, Error> {
        let signals = Signals { size: watch::Sender::new(0), changed: Arc::default() };
        let engine = if open.config.url == "sqlite" {
            Engine::Sqlite(Sqlite::open(&open.data, open.config.readers)?)
        } else {
            Engine::Postgres(Postgres::open(&open.config, open.node).await?)
        };
        let instance = engine.instance_ensure(&open).await?;
        let signer = (open.signer)(&instance.origin)?;
        match &engine {
            Engine::Sqlite(lite) => lite.start(signer, open.guard, signals.clone()).await?,
            Engine::Postgres(pg) => pg.start(signer, open.guard, signals.clone(), open.env).await?,
        }
        Ok(Self { engine, signals, instance: Arc::new(instance) })
    }

    /// Every row of a backup, line by line, from one snapshot of this moment. Gives the number of rows.
    pub async fn dump(&self, out: tokio::sync::mpsc::Sender<String>) -> Result<u64, Error> {
        match &self.engine {
            Engine::Postgres(pg) => crate::backup::dump_postgres(pg.client().await?, out).await,
            Engine::Sqlite(lite) => crate::backup::dump_sqlite(lite.folder(), out).await,
        }
    }

    /// A snapshot to verify the log by, beside everything else.
    pub async fn verification(&self) -> Result<crate::Verification, Error> {
        match &self.engine {
            Engine::Postgres(pg) => crate::Verification::beside_postgres(pg.client().await?).await,
            Engine::Sqlite(lite) => crate::Verification::beside_sqlite(lite.folder()),
        }
    }

    /// Who the instance is, for the head of a backup.
    pub async fn instance_row(&self) -> Result<InstanceRow, Error> {
        let row = self.opt(&instance::INSTANCE_GET, Vec::new()).await?.ok_or(Error::Decode("the database holds no instance".into()))?;
        Ok(InstanceRow { id: row.get(0)?, origin: row.get(1)?, key_fingerprint: row.get(2)?, created_at: row.get(4)? })
    }

    /// What the database has and what migrations it lacks, without changing anything.
    pub async fn migration_state(config: &Config, data: &std::path::Path) -> Result<MigrationState, Error> {
        if config.url == "sqlite" { Sqlite::migration_state(data) } else { Postgres::migration_state(config).await }
    }

    /// Who this instance is.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// `sqlite` or `postgresql`.
    pub fn engine_name(&self) -> &'static str {
        match self.engine {
            Engine::Postgres(_) => "postgresql",
            Engine::Sqlite(_) => "sqlite",
        }
    }

    /// Commits a changeset. Durable, with its events, when this returns `Ok`.
    pub async fn commit(&self, changeset: Changeset) -> Result<(), Error> {
        let announces = changeset.ops.iter().any(|op| std::ptr::eq(op.sql, &raw const change::CHANGE_INSERT));
        self.engine.commit(changeset).await?;
        if announces {
            self.signals.changed.notify_waiters();
        }
        Ok(())
    }

    /// Takes deleted data out of our own files. `Ok(false)` where the engine cannot: PostgreSQL keeps old
    /// row versions and its log.
    pub async fn scrub(&self) -> Result<bool, Error> {
        match &self.engine {
            Engine::Postgres(_) => Ok(false),
            Engine::Sqlite(lite) => {
                let changeset = Changeset { scrub: true, ..Changeset::housekeeping(Housekeeping::Sweep) };
                lite.commit(changeset).await.map(|()| true)
            }
        }
    }

    /// Number of entries in the log; changes whenever it grows.
    pub fn watch_size(&self) -> watch::Receiver<u64> {
        self.signals.size.subscribe()
    }

    /// Returns when something was announced in the change feed by this process.
    pub async fn changed(&self) {
        self.signals.changed.notified().await;
    }

    /// On PostgreSQL, waits until everything committed so far stands in the log (an error after five seconds); on SQLite it always does.
    pub async fn settle(&self) -> Result<(), Error> {
        match &self.engine {
            Engine::Postgres(pg) => pg.settle().await,
            Engine::Sqlite(_) => Ok(()),
        }
    }

    /// Finishes what is being written and closes all connections.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Postgres(pg) => pg.close().await,
            Engine::Sqlite(lite) => lite.close().await,
        }
    }

    /// Prepares a statement and says how many parameters the engine found in it.
    pub async fn prepare(&self, sql: &'static Sql) -> Result<usize, Error> {
        match &self.engine {
            Engine::Postgres(pg) => pg.prepare(sql).await,
            Engine::Sqlite(lite) => lite.prepare(sql).await,
        }
    }

    pub(crate) async fn all(&self, sql: &'static Sql, params: Vec<Value>) -> Result<Vec<Row>, Error> {
        self.engine.all(sql, params).await
    }

    pub(crate) async fn opt(&self, sql: &'static Sql, params: Vec<Value>) -> Result<Option<Row>, Error> {
        Ok(self.all(sql, params).await?.into_iter().next())
    }

    /// Several reads in one go: what costs is the way to the database and back, not the statements.
    pub(crate) async fn several<const N: usize>(&self, asked: [(&'static Sql, Vec<Value>); N]) -> Result<[Vec<Row>; N], Error> {
        let rows = match &self.engine {
            Engine::Postgres(pg) => pg.several(asked.into()).await?,
            Engine::Sqlite(lite) => lite.several(asked.into()).await?,
        };
        rows.try_into().map_err(|_| Error::Internal("as many answers as questions".into()))
    }

    /// Drops a table of a partition (PostgreSQL).
    pub(crate) async fn drop_table(&self, name: &str) -> Result<(), Error> {
        match &self.engine {
            Engine::Postgres(pg) => pg.drop_table(name).await,
            Engine::Sqlite(_) => Ok(()),
        }
    }

    /// Row ids from `lo` to below `hi` in the index of `month` that fit `wanted`, newest first.
    pub(crate) async fn index_page(&self, month: i64, wanted: Match, lo: i64, hi: i64, limit: i64) -> Result<Vec<i64>, Error> {
        match &self.engine {
            Engine::Postgres(pg) => pg.index_page(month, wanted, lo, hi, limit).await,
            Engine::Sqlite(lite) => lite.index_page(month, wanted, lo, hi, limit).await,
        }
    }
}

impl Engine {
    pub(crate) async fn all(&self, sql: &'static Sql, params: Vec<Value>) -> Result<Vec<Row>, Error> {
        match self {
            Self::Postgres(pg) => pg.all(sql, params).await,
            Self::Sqlite(lite) => lite.all(sql, params).await,
        }
    }

    pub(crate) async fn commit(&self, changeset: Changeset) -> Result<(), Error> {
        match self {
            Self::Postgres(pg) => pg.commit(changeset).await,
            Self::Sqlite(lite) => lite.commit(changeset).await,
        }
    }

    /// Reads who this instance is, or makes it so on the first start.
    async fn instance_ensure(&self, open: &Open) -> Result<Instance, Error> {
        let rows = self.all(&instance::INSTANCE_GET, Vec::new()).await?;
        if let Some(row) = rows.first() {
            let (fingerprint, state): (Vec<u8>, String) = (row.get(2)?, row.get(3)?);
            if (state == "restoring") != open.restoring {
                return Err(if open.restoring { Error::Conflict("there is no restore to finish: the database is in order") } else { Error::Restoring });
            }
            return if fingerprint == open.key_fingerprint { Ok(Instance { id: row.get(0)?, origin: row.get(1)? }) } else { Err(Error::ForeignKey) };
        }
        if open.restoring {
            return Err(Error::Conflict("there is no restore to finish: no backup was loaded into this database"));
        }
        let instance = Instance { id: open.node, origin: format!("{}/{}", open.host, open.node) };
        let first_head = (open.signer)(&instance.origin)?;
        self.commit(instance::instance_insert(&instance, open, &first_head)).await?;
        Ok(instance)
    }
}
