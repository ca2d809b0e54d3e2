//! The Rust client of tutela's API, over TCP with an API key or over the admin socket.
//!
//! One method per call, with the types of `tutela-api`. Errors keep the server's problem, so a
//! caller can act on its kind. The command line is built on it.

mod clients;
mod compliance;
mod crypto;
mod detection;
mod error;
mod federation;
mod gateway;
mod incident;
mod ledger;
mod people;
mod privacy;
mod subject_request;

use std::path::Path;

use futures_util::{Stream, StreamExt as _};
use reqwest::{Method, RequestBuilder, Response, header};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tutela_api::{Account, BatchAnswer, NewAccount, Page, PermissionAnswer, PermissionQuestion, Role, Session, SetupLink, StoredEvent};

pub use crypto::Pieces;
pub use error::Error;

/// A connection to one tutela.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
}

impl Client {
    /// Through the admin socket of a server on this host, as an operator.
    pub fn socket(path: &Path) -> Result<Self, Error> {
        if !path.exists() {
            return Err(Error::NotRunning(path.display().to_string()));
        }
        let http = reqwest::Client::builder().unix_socket(path).build().map_err(Error::from)?;
        Ok(Self { http, base: "http://admin.sock".into(), key: None })
    }

    /// Over TCP with an API key.
    pub fn remote(base: &str, key: &str) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder();
        // Names under .localhost are this host (RFC 6761 §6.3); the system's resolver does not know.
        if let Some(host) = reqwest::Url::parse(base).ok().and_then(|url| url.host_str().filter(|host| host.ends_with(".localhost")).map(str::to_owned)) {
            builder = builder.resolve_to_addrs(&host, &[std::net::SocketAddr::from(([127, 0, 0, 1], 0))]);
        }
        let http = builder.build().map_err(Error::from)?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), key: Some(key.to_owned()) })
    }

    /// Records a batch of up to 10,000 events.
    pub async fn events_record(&self, events: &[Value]) -> Result<BatchAnswer, Error> {
        self.send(self.request(Method::POST, "/v1/events").json(events)).await
    }

    /// As [`Client::events_record`]; the same batch under the same key is recorded once, for a day.
    pub async fn events_record_once(&self, key: &str, events: &[Value]) -> Result<BatchAnswer, Error> {
        self.send(self.request(Method::POST, "/v1/events").header("idempotency-key", key).json(events)).await
    }

    /// One page of events; `query` holds the fields of `GET /v1/events`.
    pub async fn events_search(&self, query: &[(&str, String)]) -> Result<Page<StoredEvent>, Error> {
        self.send(self.request(Method::GET, &with_query("/v1/events", query))).await
    }

    /// New events as they come.
    pub async fn events_stream(&self, query: &[(&str, String)]) -> Result<impl Stream<Item = Result<StoredEvent, Error>> + use<>, Error> {
        let response = checked(self.request(Method::GET, &with_query("/v1/events/stream", query)).send().await?).await?;
        // Bytes, since a piece may end within a character.
        let mut rest: Vec<u8> = Vec::new();
        let events = response.bytes_stream().map(move |chunk| {
            rest.extend_from_slice(&chunk?);
            let mut out = Vec::new();
            while let Some(end) = rest.windows(2).position(|pair| pair == b"\n\n") {
                let message: Vec<u8> = rest.drain(..end + 2).collect();
                let message = String::from_utf8_lossy(&message).into_owned();
                let data: String = message.lines().filter_map(|l| l.strip_prefix("data:")).map(str::trim_start).collect();
                if !data.is_empty() {
                    out.push(serde_json::from_str(&data).map_err(|e| Error::Unreadable(e.to_string()))?);
                }
            }
            Ok::<Vec<StoredEvent>, Error>(out)
        });
        Ok(events.flat_map(|batch| match batch {
            Ok(events) => futures_util::stream::iter(events.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(e) => futures_util::stream::iter(vec![Err(e)]),
        }))
    }

    /// Entries as they are sealed, oldest first.
    pub async fn ledger_entries(&self, from: u64) -> Result<Vec<Value>, Error> {
        let page: Value = self.send(self.request(Method::GET, &format!("/v1/ledger/entries?from={from}"))).await?;
        Ok(page["entries"].as_array().cloned().unwrap_or_default())
    }

    /// The last signed checkpoint.
    pub async fn ledger_checkpoint(&self) -> Result<String, Error> {
        self.text("/v1/ledger/checkpoint").await
    }

    /// The key that checks checkpoints.
    pub async fn ledger_key(&self) -> Result<String, Error> {
        self.text("/v1/ledger/key").await
    }

    /// Proof that an event stands in the ledger.
    pub async fn ledger_proof(&self, event: &str) -> Result<String, Error> {
        self.text(&with_query("/v1/ledger/proof", &[("event", event.to_owned())])).await
    }

    /// Accounts, newest first.
    pub async fn accounts(&self) -> Result<Page<Account>, Error> {
        self.send(self.request(Method::GET, "/v1/accounts?limit=100")).await
    }

    /// Makes an account.
    pub async fn account_create(&self, new: &NewAccount) -> Result<Account, Error> {
        self.send(self.request(Method::POST, "/v1/accounts").json(new)).await
    }

    /// Disables an account and ends its sessions.
    pub async fn account_disable(&self, id: &str) -> Result<(), Error> {
        self.done(self.request(Method::POST, &format!("/v1/accounts/{id}/disable"))).await
    }

    /// Sets the roles of an account.
    pub async fn account_set_roles(&self, id: &str, roles: &[String]) -> Result<(), Error> {
        self.done(self.request(Method::PUT, &format!("/v1/accounts/{id}/roles")).json(&serde_json::json!({"roles": roles}))).await
    }

    /// A one-time link for the first administrator.
    pub async fn setup_link(&self) -> Result<SetupLink, Error> {
        self.send(self.request(Method::POST, "/v1/setup-links")).await
    }

    /// Roles.
    pub async fn roles(&self) -> Result<Page<Role>, Error> {
        self.send(self.request(Method::GET, "/v1/roles")).await
    }

    /// Makes a role or sets what it allows.
    pub async fn role_set(&self, role: &Role) -> Result<(), Error> {
        self.done(self.request(Method::PUT, "/v1/roles").json(role)).await
    }

    /// Live sessions.
    pub async fn sessions(&self) -> Result<Page<Session>, Error> {
        self.send(self.request(Method::GET, "/v1/sessions?limit=100")).await
    }

    /// Ends a session.
    pub async fn session_end(&self, id: &str, reason: &str) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, &with_query(&format!("/v1/sessions/{id}"), &[("reason", reason.to_owned())]))).await
    }

    /// Asks whether somebody may do something.
    pub async fn permission_check(&self, question: &PermissionQuestion) -> Result<PermissionAnswer, Error> {
        self.send(self.request(Method::POST, "/v1/permissions/check").json(question)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.key {
            Some(key) => request.header(header::AUTHORIZATION, format!("Bearer {key}")),
            None => request,
        }
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        let response = checked(request.send().await?).await?;
        let bytes = response.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|e| Error::Unreadable(e.to_string()))
    }

    async fn done(&self, request: RequestBuilder) -> Result<(), Error> {
        checked(request.send().await?).await.map(|_| ())
    }

    async fn text(&self, path: &str) -> Result<String, Error> {
        Ok(checked(self.request(Method::GET, path).send().await?).await?.text().await?)
    }
}

/// The answer, or the server's problem.
async fn checked(response: Response) -> Result<Response, Error> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status().as_u16();
    let bytes = response.bytes().await?;
    match serde_json::from_slice(&bytes) {
        Ok(problem) => Err(Error::Problem(Box::new(problem))),
        Err(_) => Err(Error::Unreadable(format!("status {status} without a problem document"))),
    }
}

fn with_query(path: &str, query: &[(impl AsRef<str> + Serialize, String)]) -> String {
    let pairs: Vec<String> = query.iter().map(|(name, value)| format!("{}={}", name.as_ref(), escape(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// Percent-encodes everything but the unreserved characters (RFC 3986 §2.3).
fn escape(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
