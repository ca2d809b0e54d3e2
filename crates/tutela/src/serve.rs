//! Wiring: one process, two listeners and a socket, started and stopped in order.

use std::{convert::Infallible, fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use axum::{Router, body::Body};
use http_body_util::BodyExt as _;
use hyper::Request;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;
use tutela_app::{
    App, Ctx, DetectionParts, Guard, Parts, Storage, Urls, compliance,
    port::{GatewayControl, SearchCluster},
    setup,
};
use tutela_connect::{Cluster, ClusterSettings};
use tutela_core::{Env, Principal, SystemEnv, random_bytes};
use tutela_gateway::{Gateway, Held, OwnPages};
use tutela_http::{Front, Web};
use tutela_kms::RootKey;
use tutela_ledger::{Signer, VerifyingKey};
use tutela_store::{Open, Store};

use crate::{
    config::Config,
    detection,
    error::{Error, at},
    keys,
    listen::{bind, serve_socket, serve_tcp},
    outside,
    public::{self, Load, Public},
    stores,
};

/// This program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the key that signs checkpoints is derived under.
pub const LEDGER_LABEL: &[u8] = b"ledger signing";

/// A server that is ready.
pub struct Running {
    /// The application.
    pub app: App,
    /// A one-time link, where nobody can sign in yet.
    pub setup_link: Option<String>,
    public: Arc<Public>,
    stop: CancellationToken,
    tasks: TaskTracker,
    socket: std::path::PathBuf,
}

/// `tutela serve`: runs until interrupted.
pub async fn serve(load: Load) -> Result<(), Error> {
    // Caught from here on: whoever asks to stop while it starts is heard once it has.
    let interrupted = interrupted();
    let running = start(load()?, Some(load)).await?;
    let reloading = tokio::spawn(reload_when_asked(running.app.clone()));
    eprintln!("tutela {VERSION} is ready");
    eprintln!("  own pages  {}", running.app.urls().public);
    eprintln!("  console    {}", running.app.urls().admin);
    if let Some(link) = &running.setup_link {
        eprintln!("\nNobody can sign in yet. Open this link within 30 minutes to make the first administrator; it works once:\n  {link}\n");
    }
    interrupted.await;
    reloading.abort();
    eprintln!("stopping");
    running.stop().await;
    Ok(())
}

/// Ends with SIGINT or SIGTERM. They are caught from the call on, not from the first time somebody waits.
pub fn interrupted() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let both = signal(SignalKind::interrupt()).and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)));
    async move {
        let Ok((mut interrupt, mut terminate)) = both else { return std::future::pending().await };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// SIGHUP reads the configuration again, as for other servers.
async fn reload_when_asked(app: App) {
    let Ok(mut hangups) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) else { return };
    while hangups.recv().await.is_some() {
        let ctx = Ctx::new(app.env(), Principal::System("SIGHUP"));
        match tutela_app::gateway::reload(&app, &ctx).await {
            Ok(reloaded) => tracing::warn!(changed = ?reloaded.changed, needs_restart = ?reloaded.needs_restart, "the configuration was read again"),
            Err(e) => tracing::error!(error = %e, "the configuration could not be read again; everything goes on as it was"),
        }
    }
}

/// Starts everything in order; on an error nothing is left behind. `load` is where a reload has its configuration from.
pub async fn start(mut config: Config, load: Option<Load>) -> Result<Running, Error> {
    make_data_folder(&config.data)?;
    harden();
    let root = keys::read_root(&config).await?;
    // Ports first: a port in use must be told before anything is opened or written.
    let public = bind(config.server.listen, "server.listen").await?;
    let redirect = match config.server.redirect {
        Some(address) => Some(bind(address, "server.redirect").await?),
        None => None,
    };
    let admin = bind(config.admin.listen, "admin.listen").await?;
    config.server.public_url = with_port(&config.server.public_url, &public);
    config.admin.admin_url = with_port(&config.admin.admin_url, &admin);

    let env: Arc<dyn Env> = Arc::new(SystemEnv);
    let app = open_app(&config, root, Arc::clone(&env)).await?;
    let socket = config.socket();
    // A socket left by a process that was killed; the database's lock says that none is running.
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).map_err(|e| at(&socket, &e))?;
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).map_err(|e| at(&socket, &e))?;

    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder();
    let metrics: Arc<dyn Fn() -> String + Send + Sync> = match recorder {
        Ok(handle) => Arc::new(move || handle.render()),
        Err(_) => Arc::new(String::new),
    };
    let router = |front| tutela_http::router(Web::new(app.clone(), front, Arc::clone(&metrics), VERSION));
    let gateway = Gateway::new(tutela_gateway::Parts {
        settings: public::settings(&config),
        public_url: config.server.public_url.clone(),
        hsts: Some(config.server.hsts.duration()),
        policy: Arc::new(app.clone()),
        sink: Arc::new(app.request_sink()),
        env,
        pages: own_pages(router(Front::Own)),
        cookies: app.cookies(),
        gpc: config.privacy.gpc_json(),
        banner: config.privacy.banner,
    })
    .map_err(Error::Usage)?;

    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let public = Public::start(gateway, config, load, public, redirect, &tasks, &stop)?;
    app.attach(Arc::clone(&public) as Arc<dyn GatewayControl>);
    tasks.spawn(serve_tcp(admin, router(Front::Admin), stop.clone()));
    tasks.spawn(serve_socket(listener, router(Front::Socket), stop.clone()));
    let setup_link = first_link(&app).await?;
    Ok(Running { app, setup_link, public, stop, tasks, socket })
}

impl Running {
    /// Stops accepting, lets open requests finish, flushes, closes.
    pub async fn stop(self) {
        self.app.stopping().cancel();
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.public.stop().await;
        let _ = fs::remove_file(&self.socket);
        self.app.stop().await;
    }
}

/// Opens the store, which applies pending migrations, and closes it again.
pub async fn migrate(config: &Config) -> Result<(), Error> {
    let (store, _) = open_store(config, &keys::read_root(config).await?, &Guard::default(), &(Arc::new(SystemEnv) as Arc<dyn Env>), false).await?;
    store.close().await;
    Ok(())
}

async fn open_app(config: &Config, root: RootKey, env: Arc<dyn Env>) -> Result<App, Error> {
    Ok(App::start(parts(config, root, env).await?).await?)
}

/// What an application is made of, from the configuration.
pub async fn parts(config: &Config, root: RootKey, env: Arc<dyn Env>) -> Result<Parts, Error> {
    parts_of(config, root, env, false).await
}

/// As [`parts`], of a database whose restore is to be finished.
pub async fn parts_of(config: &Config, root: RootKey, env: Arc<dyn Env>, restoring: bool) -> Result<Parts, Error> {
    let guard = Guard::default();
    let (store, ledger_key) = open_store(config, &root, &guard, &env, restoring).await?;
    let rules = tutela_app::Rules::new(config.audit.retention.clone(), config.compliance.data_retention.clone());
    let urls = Urls { public: config.server.public_url.clone(), admin: config.admin.admin_url.clone() };
    let kms = config.kms.settings(&config.data, keys::rehearsal(&root)?).map_err(Error::Usage)?;
    let providers = keys::providers(config, &root, &env)?;
    let senders = config.channels.senders().map_err(Error::Usage)?;
    let backup = config.backup.plan(&config.data).map_err(Error::Usage)?;
    warn_of_weakened(config);
    warn_of_conflicts(config, &rules, backup.every.is_some());
    Ok(Parts {
        store,
        env,
        urls,
        identity: config.identity.clone(),
        limits: config.limits.clone(),
        mail: senders.mail,
        sms: senders.sms,
        alert_senders: senders.alerts,
        outside: outside::providers(&config.identity).map_err(Error::Usage)?,
        clients_http: Some(outside::back_channel(&config.identity).map_err(Error::Usage)?),
        compliance: config.compliance.clone(),
        privacy: config.privacy.clone(),
        data_stores: stores::all(&config.privacy).map_err(Error::Usage)?,
        detection: watched(config)?,
        guard,
        audit: config.audit.clone(),
        rules,
        cluster: cluster(config)?,
        backup,
        root,
        kms,
        providers,
        ledger_key,
        version: VERSION,
    })
}

/// What the ledger is watched for. The proxies in front of us are never blocked: everybody comes from them.
fn watched(config: &Config) -> Result<DetectionParts, Error> {
    let mut detection = config.detection.clone();
    detection.never_block.extend(config.gateway.trusted_proxies.iter().cloned());
    Ok(DetectionParts {
        rules: detection::rules(&detection)?,
        playbooks: detection::playbooks(&detection)?,
        config: detection,
        alerts: config.alerts.clone(),
        places: config.geo.finder().map_err(Error::Usage)?,
    })
}

/// What the configuration allows that it should not, said at every start.
fn warn_of_weakened(config: &Config) {
    for fact in config.identity.weakened() {
        tracing::warn!(profile = config.identity.profile.as_str(), "weakened: {fact}");
    }
    for protocol in config.identity.idle_protocols() {
        let name = protocol.as_str();
        tracing::warn!(protocol = name, "identity.providers has `{name}`, and no provider is configured for it: add a section `[identity.{name}.NAME]`");
    }
    if let Some(file) = &config.channels.log {
        tracing::warn!(file = %file.display(), "weakened: channels.log: messages without a sender are written to a file, codes and links included");
    }
}

/// What in the configuration contradicts a framework that is switched on, said at every start with what to change.
fn warn_of_conflicts(config: &Config, rules: &tutela_app::Rules, backups: bool) {
    let said = compliance::Said {
        compliance: &config.compliance,
        identity: &config.identity,
        limits: &config.limits,
        privacy: &config.privacy,
        rules,
        public_url: &config.server.public_url,
        backups,
        detection: &config.detection,
        alerts: &config.alerts,
    };
    for of in compliance::conflicts_of(&said) {
        tracing::warn!(framework = of.framework, number = of.number, setting = of.setting, "conflict: {}; {}", of.why, of.change);
    }
}

/// The search cluster that `audit.storage` names.
fn cluster(config: &Config) -> Result<Option<Arc<dyn SearchCluster>>, Error> {
    let (storage, Some(cluster)) = (config.audit.storage, &config.audit.cluster) else { return Ok(None) };
    if storage == Storage::Ledger {
        return Ok(None);
    }
    let settings = ClusterSettings {
        name: storage.as_str(),
        url: cluster.url.clone(),
        index: cluster.index.clone(),
        ca_file: cluster.ca_file.clone(),
        username: cluster.username.clone(),
        password_file: cluster.password_file.clone(),
        api_key_file: cluster.api_key_file.clone(),
    };
    let cluster = Cluster::new(settings).map_err(|e| Error::Usage(format!("audit.cluster: {e}")))?;
    Ok(Some(Arc::new(cluster)))
}

/// Keys are in this process's memory: no core dump may hold them, and swap is told of.
fn harden() {
    if let Err(e) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::warn!(error = %e, "core dumps could not be switched off; they would hold keys");
    }
    let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
    for device in swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next()).filter(|d| !d.contains("/dm-") && !d.contains("zram")) {
        tracing::warn!(device, "memory may be swapped to a device that does not look encrypted; keys may reach it");
    }
}

async fn open_store(config: &Config, root: &RootKey, guard: &Guard, env: &Arc<dyn Env>, restoring: bool) -> Result<(Store, VerifyingKey), Error> {
    let seed = root.derive(&[LEDGER_LABEL]).map_err(tutela_app::Error::from)?;
    let key_fingerprint = root.fingerprint().map_err(tutela_app::Error::from)?;
    let signer = move |origin: &str| Signer::new(origin, &seed).map_err(tutela_store::Error::from);
    let node = uuid::Builder::from_random_bytes(random_bytes(&mut { &**env })).into_uuid();
    let store = Store::open(Open {
        config: config.storage.clone(),
        data: config.data.clone(),
        signer: Box::new(signer),
        host: tutela_app::handover::host_of(&config.server.public_url).to_owned(),
        key_fingerprint,
        guard: Arc::new(guard.clone()),
        node,
        restoring,
        env: Arc::clone(env),
    })
    .await?;
    let ledger_key = signer(&store.instance().origin)?.key().clone();
    Ok((store, ledger_key))
}

async fn first_link(app: &App) -> Result<Option<String>, Error> {
    if !setup::is_needed(app).await? {
        return Ok(None);
    }
    let ctx = Ctx::new(app.env(), Principal::System("first start"));
    Ok(Some(setup::create_first(app, &ctx).await?.url))
}

/// Makes the data folder, for this user only.
pub fn make_data_folder(data: &Path) -> Result<(), Error> {
    fs::create_dir_all(data).map_err(|e| at(data, &e))?;
    fs::set_permissions(data, fs::Permissions::from_mode(0o700)).map_err(|e| at(data, &e))
}

/// Port 0 in an origin means the port that was bound.
fn with_port(url: &str, listener: &TcpListener) -> String {
    match (url.strip_suffix(":0"), listener.local_addr()) {
        (Some(rest), Ok(address)) => format!("{rest}:{}", address.port()),
        _ => url.to_owned(),
    }
}

/// Our own pages as an upstream of the gateway, in this process.
fn own_pages(router: Router) -> OwnPages {
    Arc::new(move |request: Request<Held>| {
        let router = router.clone();
        Box::pin(async move {
            let response = router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never: Infallible| match never {});
            response.map(|body| body.map_err(Into::into).boxed_unsync())
        })
    })
}
