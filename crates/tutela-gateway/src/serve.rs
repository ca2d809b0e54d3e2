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
    Actor, Env, RequestId, Timestamp,
    seam::{Caller, EventSink, RequestPolicy, Stage},
};
use tutela_identity::cookie::Cookies;
use tutela_waf::Verdict;

use crate::{
    Body, Config, Error, Routes,
    forward::Forward,
    headers,
    held::Held,
    identity::{self, Door, OWN_PREFIX, Seen},
    pages::{answer, wants_page},
    path,
    routes::Route,
    trail::Trail,
    waf::{self, Inspection, Waf},
};

/// How long open requests may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(20);

/// How long a client may go on sending what is refused already.
const LINGER: Duration = Duration::from_secs(5);

/// Where an application, and a client, find the id of a request.
const REQUEST_ID: http::HeaderName = http::HeaderName::from_static("tutela-request");

/// Our own pages, as an upstream in this process.
pub type OwnPages = Arc<dyn Fn(Request<Held>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Send + Sync>;

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

/// Who answers a request.
enum Place {
    /// The way back from signing in, on a guarded host.
    Door { host: String },
    /// Our own pages.
    Own,
    /// An application.
    Route { host: String, route: Arc<Route> },
}

impl Place {
    /// As whom records and rules know it.
    fn name(&self) -> Arc<str> {
        self.route().map_or_else(|| "tutela".into(), |route| Arc::clone(&route.name))
    }

    fn route(&self) -> Option<&Arc<Route>> {
        match self {
            Self::Route { route, .. } => Some(route),
            Self::Door { .. } | Self::Own => None,
        }
    }
}

struct Inner {
    waf: Waf,
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
        let now = self.0.env.now();
        let id = RequestId::new(now, &mut { &*self.0.env });
        let mut trail = Trail::new(&request, peer, id, now);
        let mut response = self.route(request.map(Held::new), peer, now, &mut trail).await;
        if let Ok(value) = http::HeaderValue::from_str(&id.to_string()) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let bytes = response.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
        let record = trail.end(response.status().as_u16(), bytes);
        metrics::counter!("tutela_gateway_requests_total", "status" => class_of(record.status)).increment(1);
        if let Some(stage) = record.refused_by {
            metrics::counter!("tutela_gateway_refused_total", "stage" => stage.as_str()).increment(1);
        }
        self.0.sink.record(record);
        response
    }

    /// Front, firewall, and on to whoever answers.
    async fn route(&self, mut request: Request<Held>, peer: SocketAddr, now: Timestamp, trail: &mut Trail) -> Response<Body> {
        let inner = &*self.0;
        let page = wants_page(request.headers());
        let place = match self.place(&request) {
            Ok(place) => place,
            Err((status, kind, title, detail)) => {
                trail.refused(Stage::Front);
                return answer(page, status, kind, title, detail);
            }
        };
        let name = place.name();
        trail.record.route = Some(Arc::clone(&name));
        if matches!(place, Place::Own) {
            // Paths of our own pages may hold one-time links.
            trail.record.path = own_page_path(&trail.record.path);
        }
        trail.passed(Stage::Front);
        let mode = inner.waf.mode(place.route().and_then(|route| route.waf));
        let mut inspection = inner.waf.begin(mode, &name, trail.record.id, peer, now);
        let verdict = inspection.as_mut().map_or(Verdict::Pass, |inspection| inspection.head(&request));
        if let Some(refused) = waf::refusal(page, &verdict, trail.record.id) {
            trail.record.inspection = inspection.map(Inspection::finish);
            trail.refused(Stage::Waf);
            return refused;
        }
        trail.passed(Stage::Waf);
        let caller = match &place {
            Place::Own | Place::Door { .. } => None,
            Place::Route { host, route } => match self.admit(&mut request, host, route, now, trail).await {
                Ok(caller) => caller,
                Err(refused) => {
                    trail.record.inspection = inspection.map(Inspection::finish);
                    return refused;
                }
            },
        };
        if let Some(begun) = inspection {
            let idle = Duration::from_secs(u64::from(inner.config.idle_timeout));
            let (judged, verdict) = match begun.body(request.body_mut(), idle).await {
                Ok(judged) => judged,
                Err(e) => {
                    trail.refused(Stage::Waf);
                    return failed(page, &e);
                }
            };
            trail.passed(Stage::Waf);
            if let Some(refused) = waf::refusal(page, &verdict, trail.record.id) {
                trail.record.inspection = Some(judged.finish());
                trail.refused(Stage::Waf);
                request.body_mut().drain(LINGER).await;
                return refused;
            }
            inspection = Some(judged);
        } else {
            inspection = None;
        }
        let mut response = match &place {
            Place::Own => {
                request.extensions_mut().insert(peer);
                request.extensions_mut().insert(trail.record.id);
                (inner.pages)(request).await
            }
            Place::Door { host } => {
                let door = Door { policy: &*inner.policy, cookies: inner.cookies };
                identity::own_path(door, &request, host, &self.origin(host), &inner.own_origin, now).await
            }
            Place::Route { host, route } => self.pass_on(request, peer, host, route, caller.as_ref(), now, trail.record.id).await,
        };
        trail.passed(Stage::Upstream);
        if let Some(mut inspection) = inspection {
            if matches!(place, Place::Route { .. }) {
                let verdict;
                (response, verdict) = inspection.answer(response).await;
                trail.passed(Stage::Waf);
                if let Some(refused) = waf::refusal(page, &verdict, trail.record.id) {
                    trail.refused(Stage::Waf);
                    response = refused;
                }
            }
            trail.record.inspection = Some(inspection.finish());
        }
        response
    }

    /// Who is to answer; an address that can be read in two ways is nobody's.
    fn place(&self, request: &Request<Held>) -> Result<Place, (StatusCode, &'static str, &'static str, &'static str)> {
        let inner = &*self.0;
        let Some(host) = host_of(request) else {
            return Err((StatusCode::BAD_REQUEST, "invalid", "The request names no host, or several", "Send exactly one Host header."));
        };
        if host == inner.own_host {
            return Ok(Place::Own);
        }
        if !inner.routes.has_host(&host) {
            return Err((StatusCode::MISDIRECTED_REQUEST, "not-found", "This server does not answer for this host name", "Check the address."));
        }
        let Some(path) = path::canonical(request.uri().path()) else {
            let detail = "Write the path without dot segments, empty segments and encoded slashes.";
            return Err((StatusCode::BAD_REQUEST, "invalid", "The address is ambiguous", detail));
        };
        if path.starts_with(OWN_PREFIX) {
            return Ok(Place::Door { host });
        }
        match inner.routes.find(&host, &path).cloned() {
            Some(route) => Ok(Place::Route { host, route }),
            None => Err((StatusCode::NOT_FOUND, "not-found", "There is no such page", "No route of this host leads there.")),
        }
    }

    fn origin(&self, host: &str) -> String {
        format!("{}://{host}{}", self.0.scheme, self.0.port)
    }

    /// Who asks, and whether they may.
    async fn admit(&self, request: &mut Request<Held>, host: &str, route: &Route, now: Timestamp, trail: &mut Trail) -> Result<Option<Caller>, Response<Body>> {
        let inner = &*self.0;
        let door = Door { policy: &*inner.policy, cookies: inner.cookies };
        let caller = identity::caller(door, request.headers_mut(), host, route, now).await.inspect_err(|_| trail.refused(Stage::Authentication))?;
        trail.record.actor = caller.as_ref().map_or(Actor::Anonymous, Caller::actor);
        trail.passed(Stage::Authentication);
        let origin = self.origin(host);
        let path_and_query = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let seen = Seen { method: request.method(), headers: request.headers(), origin: &origin, path_and_query, now };
        identity::check(door, route, caller.as_ref(), &seen).inspect_err(|_| trail.refused(Stage::Authorization))?;
        trail.passed(Stage::Authorization);
        Ok(caller)
    }

    async fn pass_on(
        &self,
        mut request: Request<Held>,
        peer: SocketAddr,
        host: &str,
        route: &Route,
        caller: Option<&Caller>,
        now: Timestamp,
        id: RequestId,
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
        if let Ok(value) = http::HeaderValue::from_str(&id.to_string()) {
            request.headers_mut().insert(REQUEST_ID, value);
        }
        if inner.waf.reads_answers() {
            request.headers_mut().remove(header::ACCEPT_ENCODING);
        }
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
        Error::Inspection => answer(page, StatusCode::SERVICE_UNAVAILABLE, "unavailable", "A part of this server does not answer", "Your request was not passed on. Try again in a moment."),
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
