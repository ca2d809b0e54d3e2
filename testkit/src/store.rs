use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tempfile::TempDir;
use tutela_core::{
    Env, EventId, Timestamp, random_bytes,
    seam::{CommitGuard, Effect, Facts},
};
use tutela_kms::RootKey;
use tutela_ledger::{Entry, Signer};
use tutela_store::{Config, Error, IndexRow, Open, Record, Store};

use crate::{TestEnv, shared_postgres, skip};

/// A guard that does nothing.
pub struct NoGuard;

impl CommitGuard for NoGuard {
    fn effects(&self, _: &Facts) -> Vec<Effect> {
        Vec::new()
    }
}

/// An engine to run a test on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

/// Where one test lives: a data folder, a database, a clock.
pub struct World {
    /// Which engine.
    pub engine: Engine,
    /// `[storage]` of the database.
    pub config: Config,
    /// The clock and randomness.
    pub env: Arc<TestEnv>,
    dir: TempDir,
}

/// A fresh world for each engine that can be had here.
pub async fn engines() -> Vec<World> {
    let mut worlds = vec![World { engine: Engine::Sqlite, config: Config::default(), env: Arc::default(), dir: TempDir::new().unwrap() }];
    match shared_postgres() {
        Some(server) => {
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let url = server.fresh(&format!("t{}", NUMBER.fetch_add(1, Ordering::SeqCst))).await;
            let config = Config { url, connections: 6, ..Config::default() };
            worlds.push(World { engine: Engine::Postgres, config, env: Arc::default(), dir: TempDir::new().unwrap() });
        }
        None => skip("PostgreSQL is not installed"),
    }
    worlds
}

/// The root key of every test.
pub fn root_key() -> RootKey {
    RootKey::parse(&"07".repeat(32)).unwrap()
}

impl World {
    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// Opens the store; a second time it finds what was written.
    pub async fn open(&self) -> Result<Store, Error> {
        self.open_with(Arc::new(NoGuard)).await
    }

    /// As [`World::open`], with a guard.
    pub async fn open_with(&self, guard: Arc<dyn CommitGuard>) -> Result<Store, Error> {
        self.open_signed(guard, Box::new(|origin| Ok(signer(origin)))).await
    }

    /// As [`World::open_with`], with a signer of one's own.
    pub async fn open_signed(&self, guard: Arc<dyn CommitGuard>, signer: tutela_store::SignerOf) -> Result<Store, Error> {
        let env: &dyn Env = &*self.env;
        let node = uuid::Builder::from_random_bytes(random_bytes(&mut { env })).into_uuid();
        Store::open(Open {
            config: self.config.clone(),
            data: self.data(),
            signer,
            host: "tutela.localhost".into(),
            key_fingerprint: root_key().fingerprint().unwrap(),
            guard,
            node,
            restoring: false,
            env: Arc::<TestEnv>::clone(&self.env),
        })
        .await
    }

    /// Rows of one column of text that a query gives (PostgreSQL).
    pub async fn query(&self, sql: &str) -> Vec<String> {
        let (client, connection) = tokio_postgres::connect(&self.config.url, tokio_postgres::NoTls).await.unwrap();
        let task = tokio::spawn(connection);
        let rows = client.query(sql, &[]).await.unwrap();
        task.abort();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The signer the store was opened with.
    pub fn signer(&self, origin: &str) -> Signer {
        signer(origin)
    }

    /// An event with a body of its own.
    pub fn record(&self, text: &str, tokens: &[&str]) -> Record {
        record(&*self.env, text, tokens, self.env.now())
    }
}

fn signer(origin: &str) -> Signer {
    Signer::new(origin, &root_key().derive(&[b"ledger"]).unwrap()).unwrap()
}

/// An event that says `text`.
pub fn record(env: &dyn Env, text: &str, tokens: &[&str], time: Timestamp) -> Record {
    let id = EventId::batch(env.now(), &mut { env });
    let body = tutela_ledger::canonical(&serde_json::json!({"id": id.to_string(), "text": text})).unwrap();
    let entry = Entry::new(id, time, env.now(), body).unwrap();
    Record { entry, index: vec![IndexRow { item: 0, tokens: tokens.iter().map(|t| (*t).to_owned()).collect() }], facts: Facts::default() }
}
