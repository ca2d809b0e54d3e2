use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use testkit::{World, root_key};
use tutela_app::{
    App, AuditConfig, Ctx, IdentityConfig, KmsSettings, LimitsConfig, MfaProvider, Parts, PasswordConfig, RetentionConfig, Rules, Urls, event,
    event::Wait,
    port::{KeyProvider, Mail, MailSender, ProviderError, SendError, SmsSender, TextMessage},
    search,
};
use tutela_core::{Env, Principal, Secret, seam::BoxFuture};
use tutela_kms::Identity;
use tutela_ledger::{Checkpoint, Signer};
use tutela_store::{Report, Verification};

/// The application in a world of its own.
pub struct House {
    pub world: World,
    pub app: App,
    /// Every message that was sent.
    pub post: Arc<Post>,
}

/// Takes mails and text messages.
#[derive(Default)]
pub struct Post(Mutex<Vec<(String, String)>>);

impl Post {
    /// Recipient and text of every message so far.
    pub fn all(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().clone()
    }

    /// The newest text to somebody that holds `text`, once it was sent.
    pub async fn wait(&self, to: &str, text: &str) -> String {
        for _ in 0..600 {
            if let Some((_, body)) = self.all().into_iter().rev().find(|(who, body)| who == to && body.contains(text)) {
                return body;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no message to {to} with `{text}`: {:?}", self.all());
    }

    /// The token in the newest mailed link to `path`.
    pub async fn link(&self, to: &str, path: &str) -> String {
        let body = self.wait(to, path).await;
        let url = body.split_whitespace().find(|word| word.contains(path)).unwrap();
        url.rsplit('/').next().unwrap().to_owned()
    }
}

impl MailSender for Post {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), SendError>> {
        self.0.lock().unwrap().push((mail.to.clone(), format!("{}\n{}", mail.subject, mail.body.open())));
        Box::pin(async { Ok(()) })
    }
}

impl SmsSender for Post {
    fn send<'a>(&'a self, message: &'a TextMessage) -> BoxFuture<'a, Result<(), SendError>> {
        self.0.lock().unwrap().push((message.to.clone(), message.body.open().clone()));
        Box::pin(async { Ok(()) })
    }
}

/// A provider that keeps its keys in this process.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, [u8; 32]>>);

impl KeyProvider for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }
    fn create<'a>(&'a self, label: &'a str) -> BoxFuture<'a, Result<String, ProviderError>> {
        self.0.lock().unwrap().insert(label.to_owned(), [7; 32]);
        Box::pin(async move { Ok(label.to_owned()) })
    }
    fn wrap<'a>(&'a self, _: &'a str, clear: &'a [u8; 32], _: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, ProviderError>> {
        Box::pin(async move { Ok(clear.iter().map(|b| b ^ 7).collect()) })
    }
    fn unwrap<'a>(&'a self, key: &'a str, wrapped: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<Secret<[u8; 32]>, ProviderError>> {
        let there = self.0.lock().unwrap().contains_key(key);
        let bytes: [u8; 32] = std::array::from_fn(|i| wrapped[i] ^ 7);
        Box::pin(async move { if there { Ok(Secret::new(bytes)) } else { Err(ProviderError::Gone("destroyed".into())) } })
    }
    fn destroy<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        self.0.lock().unwrap().remove(key);
        Box::pin(async { Ok(()) })
    }
    fn warnings<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// Password hashes that cost nothing.
fn cheap() -> IdentityConfig {
    let password = PasswordConfig { memory_kib: Some(64), passes: Some(1), allow_weak_for_tests: true, ..PasswordConfig::default() };
    IdentityConfig { password, ..IdentityConfig::default() }
}

impl House {
    /// Starts the application; `retention` as `[audit.retention]`.
    pub async fn start(world: World, retention: RetentionConfig) -> Self {
        Self::open(world, retention, cheap(), LimitsConfig::default()).await
    }

    /// Starts the application for people who sign in.
    pub async fn for_people(world: World, change: impl FnOnce(&mut IdentityConfig, &mut LimitsConfig)) -> Self {
        let (mut identity, mut limits) = (cheap(), LimitsConfig::default());
        identity.mfa.providers = vec![MfaProvider::Totp, MfaProvider::Sms, MfaProvider::Email];
        change(&mut identity, &mut limits);
        identity.check().unwrap();
        Self::open(world, RetentionConfig::default(), identity, limits).await
    }

    async fn open(world: World, retention: RetentionConfig, identity: IdentityConfig, limits: LimitsConfig) -> Self {
        let post = Arc::new(Post::default());
        let signer = |origin: &str| Signer::new(origin, &root_key().derive(&[b"ledger signing"]).unwrap()).unwrap();
        let env: Arc<dyn Env> = Arc::<testkit::TestEnv>::clone(&world.env);
        let store = world.open_signed(Arc::new(tutela_app::Guard::default()), Box::new(move |origin| Ok(signer(origin)))).await.unwrap();
        let ledger_key = signer(&store.instance().origin).key().clone();
        let kms = KmsSettings {
            provider: "memory".into(),
            rotation: Duration::from_secs(36_500 * 86_400),
            destroy_wait: Duration::from_secs(7 * 86_400),
            cache_max_age: Duration::from_secs(36_500 * 86_400),
            algorithms: vec!["aes-256-gcm".into()],
            backup: None,
            rehearsal: Arc::new(Identity::generate(&mut { &*env })),
        };
        let app = App::start(Parts {
            store,
            env,
            urls: Urls { public: "http://tutela.localhost:8080".into(), admin: "http://console.tutela.localhost:8081".into() },
            identity,
            limits,
            mail: Some(Arc::<Post>::clone(&post)),
            sms: Some(Arc::<Post>::clone(&post)),
            alert_senders: Default::default(),
            outside: Vec::new(),
            data_stores: Default::default(),
            clients_http: None,
            compliance: Default::default(),
            privacy: Default::default(),
            detection: Default::default(),
            guard: tutela_app::Guard::default(),
            audit: AuditConfig::default(),
            rules: Rules::new(retention, BTreeMap::new()),
            backup: tutela_app::backup::BackupPlan { folder: world.data().join("backups"), ..Default::default() },
            cluster: None,
            root: root_key(),
            kms,
            providers: vec![Arc::new(Memory::default())],
            ledger_key,
            version: "test",
        })
        .await
        .unwrap();
        Self { world, app, post }
    }

    pub fn ctx(&self) -> Ctx {
        Ctx::new(self.app.env(), Principal::System("test"))
    }

    /// Records an application's events.
    pub async fn record(&self, events: Vec<Value>) {
        for answer in event::record_batch(&self.app, &self.ctx(), events, Wait::Sequenced).await.unwrap() {
            answer.unwrap();
        }
    }

    /// How many events fit, at most 1,000.
    pub async fn count(&self, query: &str) -> usize {
        search::search(&self.app, &self.ctx(), &search::query(query).unwrap(), None, 1_000).await.unwrap().items.len()
    }

    /// What `verify` says.
    pub async fn verify(&self, held: &[Checkpoint]) -> Report {
        let verification = Verification::open(&self.world.config, &self.world.data()).await.unwrap();
        let key = Signer::new(&verification.origin().await.unwrap(), &root_key().derive(&[b"ledger signing"]).unwrap()).unwrap().key().clone();
        verification.run(&key, held, &|_, _| {}).await.unwrap()
    }
}

impl House {
    /// How many rows of the index carry a token that begins so and belongs to a person of the test.
    pub async fn index_holds(&self, mark: &str) -> usize {
        match self.world.engine {
            testkit::Engine::Sqlite => {
                let file = rusqlite::Connection::open(self.world.data().join("tutela.db")).unwrap();
                self.vocabulary(&file, mark).len()
            }
            testkit::Engine::Postgres => {
                let rows = self.world.query("SELECT DISTINCT t FROM event_index, unnest(tokens) AS t WHERE t LIKE 'k=%'").await;
                rows.len()
            }
        }
    }

    /// Terms of all segments, deleted ones that were not merged away too.
    pub async fn terms(&self, mark: &str) -> Vec<String> {
        let file = rusqlite::Connection::open(self.world.data().join("tutela.db")).unwrap();
        self.vocabulary(&file, mark)
    }

    /// Terms that lead to a row.
    pub async fn live_terms(&self, mark: &str) -> Vec<String> {
        let file = rusqlite::Connection::open(self.world.data().join("tutela.db")).unwrap();
        let table = self.index_table(&file);
        let mut terms = self.vocabulary(&file, mark);
        terms.retain(|term| {
            let found: i64 =
                file.query_row(&format!("SELECT count(*) FROM {table} WHERE {table} MATCH ?1"), [format!("\"{term}\"")], |row| row.get(0)).unwrap();
            found > 0
        });
        terms
    }

    fn index_table(&self, file: &rusqlite::Connection) -> String {
        file.query_row("SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL TABLE index_%'", [], |row| row.get(0))
            .or_else(|_| {
                file.query_row("SELECT name FROM sqlite_schema WHERE name GLOB 'index_[0-9]*' AND name NOT GLOB 'index_[0-9]*_*'", [], |row| row.get(0))
            })
            .unwrap()
    }

    fn vocabulary(&self, file: &rusqlite::Connection, mark: &str) -> Vec<String> {
        let table = self.index_table(file);
        file.execute_batch(&format!("CREATE VIRTUAL TABLE IF NOT EXISTS temp.words USING fts5vocab('main', '{table}', 'row')")).unwrap();
        let mut statement = file.prepare("SELECT term FROM temp.words ORDER BY term").unwrap();
        let terms: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        terms.into_iter().filter(|term| term.starts_with(mark)).collect()
    }
}

/// Waits until a background job has done something.
pub async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..400 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: not within 20 seconds");
}
