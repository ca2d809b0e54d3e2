//! What a gateway is made of, and how it changes while it serves.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use http::{HeaderValue, Request, Response};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tutela_core::{
    Env,
    seam::{EventSink, RequestPolicy},
};
use tutela_identity::cookie::Cookies;

use crate::{
    Body, Limited, RouteConfig, ServerStatus, Settings,
    held::Held,
    serve::Addresses,
    snapshot::Snapshot,
    upstream::{Tell, Upstream},
};

/// How long WebSockets may take to end when the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Our own pages, as an upstream in this process.
pub type OwnPages = Arc<dyn Fn(Request<Held>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Send + Sync>;

/// What a gateway is made of.
pub struct Parts {
    /// What a reload can change.
    pub settings: Settings,
    /// The own host, for example `http://tutela.localhost:8080`.
    pub public_url: String,
    /// For how long browsers are told to come over TLS only (RFC 6797); not at all where absent.
    pub hsts: Option<Duration>,
    /// Answers about callers.
    pub policy: Arc<dyn RequestPolicy>,
    /// Takes the record of each request.
    pub sink: Arc<dyn EventSink>,
    /// The clock.
    pub env: Arc<dyn Env>,
    /// Serves the own host.
    pub pages: OwnPages,
    /// How our cookies are written.
    pub cookies: Cookies,
    /// What `/.well-known/gpc.json` answers on every host (W3C Global Privacy Control); nothing leaves the address to the applications.
    pub gpc: Option<String>,
    /// Whether guarded hosts have a banner for consent.
    pub banner: bool,
}

/// A gateway, ready to serve. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub current: ArcSwap<Snapshot>,
    pub own_host: String,
    pub own_origin: String,
    pub scheme: &'static str,
    /// `:8080`, or empty where the port is the scheme's own.
    pub port: String,
    pub hsts: Option<HeaderValue>,
    pub policy: Arc<dyn RequestPolicy>,
    pub sink: Arc<dyn EventSink>,
    pub env: Arc<dyn Env>,
    pub pages: OwnPages,
    pub cookies: Cookies,
    pub gpc: Option<String>,
    pub banner: bool,
    pub connections: Arc<Semaphore>,
    pub addresses: Addresses,
    pub tunnels: TaskTracker,
    pub stopping: CancellationToken,
    reloading: Mutex<()>,
    tell: Tell,
}

impl Gateway {
    /// Builds the gateway; refuses routes that contradict each other.
    pub fn new(parts: Parts) -> Result<Self, String> {
        let (scheme, authority) = parts.public_url.split_once("://").ok_or("`public_url` has no scheme")?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host.to_ascii_lowercase(), format!(":{port}")),
            None => (authority.to_ascii_lowercase(), String::new()),
        };
        let scheme = if scheme == "https" { "https" } else { "http" };
        let sink = Arc::clone(&parts.sink);
        let tell: Tell = Arc::new(move |turn| sink.upstream(turn));
        let connections = Arc::new(Semaphore::new(parts.settings.gateway.max_connections as usize));
        let current = checked(Snapshot::new(parts.settings, None, &parts.env, &tell)?, &host)?;
        current.upstreams.values().for_each(|upstream| upstream.watch());
        let hsts = parts.hsts.filter(|_| scheme == "https").and_then(|age| HeaderValue::from_str(&format!("max-age={}", age.as_secs())).ok());
        Ok(Self(Arc::new(Inner {
            current: ArcSwap::from_pointee(current),
            own_host: host,
            own_origin: parts.public_url.clone(),
            scheme,
            port,
            hsts,
            policy: parts.policy,
            sink: parts.sink,
            env: parts.env,
            pages: parts.pages,
            gpc: parts.gpc,
            banner: parts.banner,
            cookies: parts.cookies,
            connections,
            addresses: Addresses::default(),
            tunnels: TaskTracker::new(),
            stopping: CancellationToken::new(),
            reloading: Mutex::default(),
            tell,
        })))
    }

    /// Goes on with other settings; what is wrong with them leaves everything as it is. Reads files and builds rules, so it
    /// belongs on a thread that may block. Open requests end with the settings that they began with.
    pub fn reload(&self, settings: Settings) -> Result<(), String> {
        let _one = self.0.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.0.current.load_full();
        let after = checked(Snapshot::new(settings, Some(&before), &self.0.env, &self.0.tell)?, &self.0.own_host)?;
        let kept = |upstream: &Arc<Upstream>| before.upstreams.get(&upstream.name).is_some_and(|known| Arc::ptr_eq(known, upstream));
        after.upstreams.values().filter(|upstream| !kept(upstream)).for_each(|upstream| upstream.watch());
        self.0.current.store(Arc::new(after));
        Ok(())
    }

    /// What it guards now, and how.
    pub fn status(&self) -> Status {
        let current = self.0.current.load_full();
        let route = |config: &RouteConfig| RouteStatus { name: config.named(), mode: current.waf.mode(config.waf()).as_str(), config: config.clone() };
        let servers = |upstream: &Arc<Upstream>| UpstreamStatus { name: upstream.name.clone(), servers: upstream.status() };
        Status {
            routes: current.settings.gateway.routes.iter().map(route).collect(),
            upstreams: current.upstreams.values().map(servers).collect(),
            rules: current.waf.rules(),
            websockets: self.0.tunnels.len(),
        }
    }

    /// Who would be refused by limits now, as far as they were refused on this node.
    pub fn limited(&self) -> Vec<Limited> {
        self.0.current.load_full().limits.limited(self.0.env.now())
    }

    /// Forgets what a limit has counted for somebody; whether they were refused on this node.
    pub async fn lift(&self, limit: &str, who: &str) -> Result<bool, String> {
        self.0.current.load_full().limits.lift(limit, who).await
    }

    /// Ends what has no end of its own. To be called once no listener serves any more.
    pub async fn stop(&self) {
        self.0.stopping.cancel();
        self.0.tunnels.close();
        let _ = tokio::time::timeout(DRAIN, self.0.tunnels.wait()).await;
    }
}

/// What a gateway guards, and how.
#[derive(Debug, Clone)]
pub struct Status {
    /// Its routes, in their order.
    pub routes: Vec<RouteStatus>,
    /// Its upstreams, by name.
    pub upstreams: Vec<UpstreamStatus>,
    /// Rules of the firewall.
    pub rules: usize,
    /// WebSockets that are open.
    pub websockets: usize,
}

/// One route.
#[derive(Debug, Clone)]
pub struct RouteStatus {
    /// Its name.
    pub name: String,
    /// How the firewall guards it, as it is in force.
    pub mode: &'static str,
    /// As configured.
    pub config: RouteConfig,
}

/// One upstream.
#[derive(Debug, Clone)]
pub struct UpstreamStatus {
    /// Its name, or address.
    pub name: String,
    /// Its servers.
    pub servers: Vec<ServerStatus>,
}

/// No route may be for the own host.
fn checked(snapshot: Snapshot, own_host: &str) -> Result<Snapshot, String> {
    if snapshot.routes.has_host(own_host) {
        return Err(format!("a route may not be for `{own_host}`: it is tutela's own host"));
    }
    Ok(snapshot)
}
