//! The public listener: accept, read the head, decide, pass on, record.

use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use http::{Request, Response, StatusCode, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tutela_core::{
    Actor, Env,
    seam::{Caller, EventSink, RequestPolicy, RequestRecord},
};
use tutela_identity::cookie::Cookies;

use crate::{
    Body, Config, Error, Routes,
    forward::Forward,
    headers,
    identity::{self, Door, OWN_PREFIX, Seen},
    pages::{answer, wants_page},
    path,
    routes::Route,
};

/// How long open requests may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(20);

/// Our own pages, as an upstream in this process.
pub type OwnPages = Arc<dyn Fn(Request<Incoming>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Send + Sync>;

/// What a gateway is made of.
pub struct Parts {
    /// `[gateway]`.
    pub config: Config,
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
pub struct Gateway(Arc<Inner>);

struct Inner {
    routes: Routes,
    forward: Forward,
    config: Config,
    own_host: String,
    own_origin: String,
    scheme: &'static str,
    /// `:8080`, or empty where the port is the scheme's own.
    port: String,
    policy: Arc<dyn RequestPolicy>,
    sink: Arc<dyn EventSink>,
    env: Arc<dyn Env>,
    pages: OwnPages,
    cookies: Cookies,
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
                gateway.connection(TokioIo::new(stream), peer, stop).await;
                drop(place);
            });
        }
        drop(listener);
        tracker.close();
        if tokio::time::timeout(DRAIN, tracker.wait()).await.is_err() {
            tracing::warn!(seconds = DRAIN.as_secs(), "some requests did not finish in time and were cut");
        }
    }

    async fn connection(self, io: TokioIo<tokio::net::TcpStream>, peer: SocketAddr, stop: CancellationToken) {
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

    async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let (started, now) = (std::time::Instant::now(), self.0.env.now());
        let mut record = RequestRecord {
            time: now,
            route: None,
            method: request.method().as_str().to_owned(),
            path: request.uri().path().chars().take(512).collect(),
            status: 0,
            actor: Actor::Anonymous,
            ip: peer.ip(),
            user_agent: request.headers().get(header::USER_AGENT).and_then(|v| v.to_str().ok()).map(|ua| ua.chars().take(256).collect()),
            duration_us: 0,
            bytes: None,
        };
        let response = self.route(request, peer, now, &mut record).await;
        record.status = response.status().as_u16();
        record.duration_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        record.bytes = response.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
        metrics::counter!("tutela_gateway_requests_total", "status" => class_of(record.status)).increment(1);
        self.0.sink.record(record);
        response
    }

    async fn route(&self, mut request: Request<Incoming>, peer: SocketAddr, now: tutela_core::Timestamp, record: &mut RequestRecord) -> Response<Body> {
        let inner = &*self.0;
        let page = wants_page(request.headers());
        let Some(host) = host_of(&request) else {
            return answer(page, StatusCode::BAD_REQUEST, "invalid", "The request names no host, or several", "Send exactly one Host header.");
        };
        if host == inner.own_host {
            record.route = Some("tutela".into());
            // Paths of our own pages may hold one-time links.
            record.path = own_page_path(&record.path);
            request.extensions_mut().insert(peer);
            return (inner.pages)(request).await;
        }
        if !inner.routes.has_host(&host) {
            return answer(page, StatusCode::MISDIRECTED_REQUEST, "not-found", "This server does not answer for this host name", "Check the address.");
        }
        let origin = format!("{}://{host}{}", inner.scheme, inner.port);
        let door = Door { policy: &*inner.policy, cookies: inner.cookies };
        let Some(path) = path::canonical(request.uri().path()) else {
            return answer(
                page,
                StatusCode::BAD_REQUEST,
                "invalid",
                "The address is ambiguous",
                "Write the path without dot segments, empty segments and encoded slashes.",
            );
        };
        if path.starts_with(OWN_PREFIX) {
            record.route = Some("tutela".into());
            return identity::own_path(door, &request, &host, &origin, &inner.own_origin, now).await;
        }
        let Some(route) = inner.routes.find(&host, &path).cloned() else {
            return answer(page, StatusCode::NOT_FOUND, "not-found", "There is no such page", "No route of this host leads there.");
        };
        record.route = Some(Arc::clone(&route.name));
        let caller = match identity::caller(door, request.headers_mut(), &host, &route, now).await {
            Ok(caller) => caller,
            Err(refused) => return refused,
        };
        record.actor = caller.as_ref().map_or(Actor::Anonymous, Caller::actor);
        let path_and_query = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let seen = Seen { method: request.method(), headers: request.headers(), origin: &origin, path_and_query, now };
        if let Err(refused) = identity::check(door, &route, caller.as_ref(), &seen) {
            return refused;
        }
        self.pass_on(request, peer, &host, &route, caller.as_ref(), now).await
    }

    async fn pass_on(
        &self,
        mut request: Request<Incoming>,
        peer: SocketAddr,
        host: &str,
        route: &Route,
        caller: Option<&Caller>,
        now: tutela_core::Timestamp,
    ) -> Response<Body> {
        let inner = &*self.0;
        let page = wants_page(request.headers());
        let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > route.max_body_bytes) {
            return failed(page, &Error::BodyTooLarge);
        }
        let Some(target) = route.target(request.uri()) else {
            return answer(page, StatusCode::BAD_REQUEST, "invalid", "The address is not valid", "Check the address.");
        };
        *request.uri_mut() = target;
        *request.version_mut() = http::Version::HTTP_11;
        let client_host = format!("{host}{}", inner.port);
        headers::to_upstream(request.headers_mut(), peer.ip(), &client_host, inner.scheme);
        // The application sees the name its users use, so that links and origin checks work.
        let host_value = http::HeaderValue::from_str(&client_host).unwrap_or_else(|_| route.upstream_host.clone());
        request.headers_mut().insert(header::HOST, host_value);
        if let Some(caller) = caller
            && identity::name_to_upstream(&*inner.policy, request.headers_mut(), caller, route, now).is_err()
        {
            return identity::unavailable(request.headers());
        }
        match inner.forward.send(request, route.max_body_bytes).await {
            Ok(mut response) => {
                headers::to_client(response.headers_mut());
                response
            }
            Err(e) => {
                tracing::warn!(route = &*route.name, error = %e, "a request was not answered by its upstream");
                failed(page, &e)
            }
        }
    }
}

fn failed(page: bool, error: &Error) -> Response<Body> {
    match error {
        Error::BodyTooLarge => answer(page, StatusCode::PAYLOAD_TOO_LARGE, "invalid", "The upload is too large", "This application takes smaller files only."),
        Error::ClientBody => answer(page, StatusCode::REQUEST_TIMEOUT, "invalid", "The upload broke off", "Nothing came for too long. Try again."),
        Error::Timeout => answer(page, StatusCode::GATEWAY_TIMEOUT, "unavailable", "The application did not answer in time", "Try again in a moment."),
        Error::Connect(_) | Error::Upstream(_) => {
            answer(page, StatusCode::BAD_GATEWAY, "unavailable", "The application does not answer", "Try again in a moment.")
        }
    }
}

/// The one host name of a request, in lower case and without port. HTTP/1.1 has it in `Host`, HTTP/2 in the target; both may be there only if they agree.
fn host_of<B>(request: &Request<B>) -> Option<String> {
    let mut values = request.headers().get_all(header::HOST).iter();
    let named = match (values.next(), values.next()) {
        (Some(one), None) => Some(one.to_str().ok()?),
        (None, _) => None,
        (Some(_), Some(_)) => return None,
    };
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    let authority = match (named, target) {
        (Some(a), Some(b)) if !a.eq_ignore_ascii_case(b) => return None,
        (Some(authority), _) | (None, Some(authority)) => authority,
        (None, None) => return None,
    };
    let host = authority.parse::<http::uri::Authority>().ok()?.host().trim_end_matches('.').to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}

/// The path of an own page without what must not be kept.
fn own_page_path(path: &str) -> String {
    const LINKS: [&str; 6] = ["/change-email/", "/not-me/", "/reset/", "/set-up/", "/unlock/", "/verify-email/"];
    LINKS.iter().find(|link| path.starts_with(**link)).map_or_else(|| path.to_owned(), |link| format!("{link}…"))
}

fn class_of(status: u16) -> &'static str {
    match status / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    }
}
