//! The public listener: accept, read the head, decide, pass on, record.

use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tutela_core::{
    Env,
    seam::{EventSink, RequestPolicy},
};
use tutela_identity::cookie::Cookies;
use tutela_limits::Rate;

use crate::{Body, Config, Routes, forward::Forward, front::Strict, held::Held, limits::Limits, waf::Waf};

/// How long open requests may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(20);

/// Our own pages, as an upstream in this process.
pub type OwnPages = Arc<dyn Fn(Request<Held>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Send + Sync>;

/// What a gateway is made of.
pub struct Parts {
    /// `[gateway]`.
    pub config: Config,
    /// `[limits.api]`.
    pub api: Rate,
    /// The own host, for example `http://tutela.localhost:8080`.
    pub public_url: String,
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
}

/// A gateway, ready to serve. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub limits: Limits,
    pub waf: Waf,
    pub routes: Routes,
    pub forward: Forward,
    pub config: Config,
    pub own_host: String,
    pub own_origin: String,
    pub scheme: &'static str,
    /// `:8080`, or empty where the port is the scheme's own.
    pub port: String,
    pub policy: Arc<dyn RequestPolicy>,
    pub sink: Arc<dyn EventSink>,
    pub env: Arc<dyn Env>,
    pub pages: OwnPages,
    pub cookies: Cookies,
}

impl Gateway {
    /// Builds the gateway; refuses routes that contradict each other.
    pub fn new(parts: Parts) -> Result<Self, String> {
        let (scheme, authority) = parts.public_url.split_once("://").ok_or("`public_url` has no scheme")?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, format!(":{port}")),
            None => (authority, String::new()),
        };
        let routes = Routes::new(&parts.config.routes)?;
        if routes.has_host(host) {
            return Err(format!("a route may not be for `{host}`: it is tutela's own host"));
        }
        Ok(Self(Arc::new(Inner {
            limits: Limits::new(parts.api, &parts.config.limits),
            waf: Waf::new(&parts.config.waf, Arc::clone(&parts.env))?,
            forward: Forward::new(&parts.config),
            routes,
            own_host: host.to_ascii_lowercase(),
            own_origin: parts.public_url.clone(),
            scheme: if scheme == "https" { "https" } else { "http" },
            port,
            config: parts.config,
            policy: parts.policy,
            sink: parts.sink,
            env: parts.env,
            pages: parts.pages,
            cookies: parts.cookies,
        })))
    }

    /// Serves until `stop` is cancelled, then lets open requests finish.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let connections = Arc::new(Semaphore::new(self.0.config.max_connections as usize));
        let tracker = TaskTracker::new();
        loop {
            let place = tokio::select! {
                place = Arc::clone(&connections).acquire_owned() => place,
                () = stop.cancelled() => break,
            };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            let (Ok(place), Ok((stream, peer))) = (place, accepted) else {
                // Out of file handles or the like: give others time to finish.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let (gateway, stop) = (self.clone(), stop.clone());
            tracker.spawn(async move {
                let _ = stream.set_nodelay(true);
                gateway.connection(TokioIo::new(Strict::new(stream)), peer, stop).await;
                drop(place);
            });
        }
        drop(listener);
        tracker.close();
        if tokio::time::timeout(DRAIN, tracker.wait()).await.is_err() {
            tracing::warn!(seconds = DRAIN.as_secs(), "some requests did not finish in time and were cut");
        }
    }

    async fn connection(self, io: TokioIo<Strict<tokio::net::TcpStream>>, peer: SocketAddr, stop: CancellationToken) {
        let seconds = |n: u32| Duration::from_secs(u64::from(n));
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(seconds(self.0.config.header_timeout))
            .max_buf_size(self.0.config.max_header_bytes.max(8_192) as usize);
        builder.http2().timer(TokioTimer::new()).max_header_list_size(self.0.config.max_header_bytes).keep_alive_interval(Some(Duration::from_secs(30)));
        let gateway = self.clone();
        let service = service_fn(move |request| {
            let gateway = gateway.clone();
            async move { Ok::<_, std::convert::Infallible>(gateway.handle(request, peer).await) }
        });
        let connection = builder.serve_connection(io, service);
        tokio::pin!(connection);
        tokio::select! {
            // A connection that breaks is the peer's affair; what it asked for is on record.
            _ = connection.as_mut() => {}
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }
}
