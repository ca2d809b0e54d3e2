//! Upstreams: the servers of an application, and how a request gets to one of them.
//!
//! ```text
//!   route --> Upstream --balance--> Server --kept or new connection--> answer
//!                 ^                   |
//!                 |                   +-- failed: its health is told, and where the request was not sent, or may
//!                 +-- next server <------ be sent twice, and the budget allows it, another server gets it
//! ```
//! A server's health is what requests found (it rests for a while) and, where it is asked, what it says itself.

mod balance;
mod config;
mod connect;
mod health;
mod retry;
mod server;
mod watch;

pub(crate) use balance::mix;
pub use config::{Balance, HealthConfig, ServerConfig, ServerEntry, Sticky, UpstreamConfig, UpstreamTls};
pub(crate) use connect::{certificates, private_key};
pub(crate) use server::{Answer, Sent};

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, Method, Request, Response, Uri, header};
use http_body::Body as _;
use hyper::{body::Incoming, client::conn::http1::SendRequest};
use rustls::pki_types::ServerName;
use tutela_core::seam::UpstreamTurn;

use self::{
    balance::Balancer,
    connect::{Target, Tls},
    health::{Fitness, Turn},
    retry::Budget,
    server::{Open, Server},
};
use crate::{Error, body::Watched, held::Held};

/// Whom it is told when a server fails, or is well again.
pub(crate) type Tell = Arc<dyn Fn(UpstreamTurn) + Send + Sync>;

/// How long is waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    pub connect: Duration,
    pub response: Duration,
    pub idle: Duration,
}

/// The servers of one application.
pub(crate) struct Upstream {
    pub name: String,
    pub config: UpstreamConfig,
    pub patience: Patience,
    servers: Vec<Arc<Server>>,
    balancer: Balancer,
    budget: Budget,
    tell: Tell,
}

/// What a request needs to be sent once more; only those without a body have it.
struct Again(Method, Uri, HeaderMap);

/// Why an attempt failed, and the request where it was not sent.
struct Failed {
    error: Error,
    unsent: Option<Request<Sent>>,
    /// Whether the connection ended before there was an answer.
    closed: bool,
}

impl Upstream {
    /// Reads the files that `config` names; connects nowhere yet.
    pub(crate) fn new(name: &str, config: UpstreamConfig, patience: Patience, tell: Tell) -> Result<Self, String> {
        config.check()?;
        let entries: Vec<_> = config.servers.iter().map(ServerEntry::table).collect();
        let connector = if entries.iter().any(|entry| entry.url.starts_with("https:")) { Some(connect::connector(&config.tls)?) } else { None };
        let mut servers = Vec::with_capacity(entries.len());
        for entry in &entries {
            let uri: Uri = entry.url.parse().map_err(|_| format!("`servers` has `{}`, which is no address", entry.url))?;
            let host = uri.host().unwrap_or_default().to_owned();
            let tls = match (&connector, uri.scheme_str()) {
                (Some(connector), Some("https")) => {
                    let name = config.tls.name.clone().unwrap_or_else(|| host.trim_matches(['[', ']']).to_owned());
                    let name = ServerName::try_from(name.clone()).map_err(|_| format!("`{name}` is no name that a certificate could be for"))?;
                    Some(Tls { connector: connector.clone(), name })
                }
                _ => None,
            };
            let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
            servers.push(Arc::new(Server::new(entry.url.clone(), Target { host, port, tls })));
        }
        let balancer = Balancer::new(config.balance, entries.iter().map(|entry| entry.weight).collect());
        Ok(Self { name: name.to_owned(), config, patience, servers, balancer, budget: Budget::new(), tell })
    }

    /// Whether any of its servers is reached over TLS.
    pub(crate) fn speaks_tls(&self) -> bool {
        self.servers.iter().any(|server| server.target.tls.is_some())
    }

    /// How its servers are, for whoever looks after them.
    pub(crate) fn status(&self) -> Vec<ServerStatus> {
        let now = Instant::now();
        let state = |server: &Server| match server.health.fitness(now) {
            Fitness::Well => "well",
            Fitness::Resting => "resting",
            Fitness::Down => "down",
        };
        let rows = self.servers.iter().zip(&self.config.servers);
        rows.map(|(server, entry)| ServerStatus { url: server.url.clone(), weight: entry.table().weight, open: server.busy(), state: state(server) }).collect()
    }

    /// Sends a request to one of the servers; `key` is whose requests stay together, where they do.
    pub(crate) async fn send(&self, mut request: Request<Sent>, key: Option<u64>) -> Result<Response<Answer>, Error> {
        self.budget.earn();
        let again = Again::of(&request);
        let (mut tried, mut left) = (0_u64, self.config.retries);
        let mut last = None;
        loop {
            let Some(number) = self.choose(tried, key) else { return Err(last.unwrap_or(Error::NoServer)) };
            tried |= 1 << number;
            let server = &self.servers[number];
            // Counted before anything is awaited, so that the next one sees it.
            let open = server.begin();
            server.health.tried(self.config.fail_time.duration(), Instant::now());
            let failed = match self.attempt(server, open, request, again.as_ref()).await {
                Ok(answer) => {
                    self.turned(server, server.health.answered(), "it answers again");
                    return Ok(answer);
                }
                Err(failed) => failed,
            };
            if matches!(failed.error, Error::BodyTooLarge | Error::ClientBody | Error::Ended | Error::TooSlow) {
                return Err(failed.error);
            }
            let turn = server.health.failed(self.config.max_failures, self.config.fail_time.duration(), Instant::now());
            self.turned(server, turn, &failed.error.to_string());
            metrics::counter!("tutela_gateway_upstream_failures_total", "upstream" => self.name.clone()).increment(1);
            request = match failed.unsent.or_else(|| again.as_ref().map(Again::request)) {
                Some(request) if left > 0 && self.budget.spend() => request,
                _ => return Err(failed.error),
            };
            left -= 1;
            last = Some(failed.error);
        }
    }

    /// A server that was not tried: one that is well, else one that rests. None where each says itself that it is not well.
    fn choose(&self, tried: u64, key: Option<u64>) -> Option<usize> {
        let now = Instant::now();
        let (mut well, mut resting) = (0_u64, 0_u64);
        for (number, server) in self.servers.iter().enumerate().filter(|(number, _)| tried & (1 << number) == 0) {
            match server.health.fitness(now) {
                Fitness::Well => well |= 1 << number,
                Fitness::Resting => resting |= 1 << number,
                Fitness::Down => {}
            }
        }
        let of = |among: u64| match key {
            Some(key) => self.balancer.belongs(among, |number| self.servers[number].name, key),
            None => self.balancer.choose(among, |number| self.servers[number].busy()),
        };
        of(well).or_else(|| of(resting))
    }

    /// Over a connection that is there, or a new one.
    async fn attempt(&self, server: &Server, open: Open, mut request: Request<Sent>, again: Option<&Again>) -> Result<Response<Answer>, Failed> {
        while let Some(mut sender) = server.kept().await {
            match self.over(&mut sender, request).await {
                Ok(answer) => return Ok(answer.map(|body| Answer::new(body, open, sender))),
                Err(Failed { unsent: Some(back), .. }) => request = back,
                // The server has closed it at this very moment: that says nothing about the server, and a new connection will tell.
                Err(failed) => match again.filter(|_| failed.closed) {
                    Some(again) => {
                        request = again.request();
                        break;
                    }
                    None => return Err(failed),
                },
            }
        }
        match server.connect(self.patience).await {
            Ok(mut sender) => self.over(&mut sender, request).await.map(|answer| answer.map(|body| Answer::new(body, open, sender))),
            Err(e) => Err(Failed { error: Error::Connect(e.to_string()), unsent: Some(request), closed: false }),
        }
    }

    async fn over(&self, sender: &mut SendRequest<Sent>, mut request: Request<Sent>) -> Result<Response<Incoming>, Failed> {
        let sent = request.body_mut().sent();
        let too_late = async {
            // The time counts from the end of the upload: one that is slow but moves is not cut.
            sent.await;
            tokio::time::sleep(self.patience.response).await;
        };
        let answer = tokio::select! {
            answer = sender.try_send_request(request) => answer,
            () = too_late => return Err(Failed { error: Error::Timeout, unsent: None, closed: false }),
        };
        match answer {
            Ok(answer) if answer.headers().contains_key(header::TRANSFER_ENCODING) && answer.headers().contains_key(header::CONTENT_LENGTH) => {
                Err(Failed { error: Error::Upstream("the answer has two lengths".into()), unsent: None, closed: false })
            }
            Ok(answer) => Ok(answer),
            Err(mut failed) => {
                let unsent = failed.take_message();
                let e = failed.error();
                Err(Failed { unsent, error: cause(e), closed: e.is_incomplete_message() || e.is_closed() || e.is_canceled() })
            }
        }
    }

    fn turned(&self, server: &Server, turn: Option<Turn>, why: &str) {
        let Some(Turn { well }) = turn else { return };
        if well {
            tracing::info!(upstream = self.name, server = server.url, "a server is well again");
        } else {
            tracing::warn!(upstream = self.name, server = server.url, why, "a server is not well and gets no requests");
        }
        (self.tell)(UpstreamTurn { upstream: self.name.clone(), server: server.url.clone(), well, why: why.to_owned() });
    }
}

/// How one server is.
#[derive(Debug, Clone)]
pub struct ServerStatus {
    /// Its address.
    pub url: String,
    /// Its share of the requests; 0 where it is drained.
    pub weight: u32,
    /// Requests that are open.
    pub open: u32,
    /// `well`, `resting` (requests have failed) or `down` (it says so itself).
    pub state: &'static str,
}

impl Again {
    /// For requests that do no harm when they are sent twice (RFC 9110 §9.2.2).
    fn of(request: &Request<Sent>) -> Option<Self> {
        let upgrade = request.headers().contains_key(header::UPGRADE);
        let idempotent = request.method().is_idempotent() && request.body().is_end_stream() && !upgrade;
        idempotent.then(|| Self(request.method().clone(), request.uri().clone(), request.headers().clone()))
    }

    fn request(&self) -> Request<Sent> {
        let mut request = Request::new(Watched::of(Held::empty()));
        *request.method_mut() = self.0.clone();
        *request.uri_mut() = self.1.clone();
        *request.headers_mut() = self.2.clone();
        request
    }
}

/// Which of our causes stands behind the client library's error.
fn cause(e: &hyper::Error) -> Error {
    let mut text = e.to_string();
    let mut source = std::error::Error::source(e);
    while let Some(inner) = source {
        match inner.downcast_ref::<Error>() {
            Some(Error::BodyTooLarge) => return Error::BodyTooLarge,
            Some(Error::ClientBody) => return Error::ClientBody,
            Some(Error::Ended) => return Error::Ended,
            Some(Error::TooSlow) => return Error::TooSlow,
            _ => {}
        }
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    Error::Upstream(text)
}
