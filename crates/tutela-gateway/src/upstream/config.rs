use std::path::PathBuf;

use http::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::Span;

use crate::config::range;

/// Most servers of an upstream.
pub(crate) const MOST_SERVERS: usize = 64;

/// `[gateway.upstreams.NAME]`: the servers of one application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamConfig {
    /// Its servers, 1 to 64: `["http://10.0.0.1:3000", { url = "https://10.0.0.2:3000", weight = 2 }]`.
    pub servers: Vec<ServerEntry>,
    /// Which server a request goes to: `round_robin`, `least_requests` or `two_choices`.
    #[serde(default)]
    pub balance: Balance,
    /// Whether requests of one session go to one server as long as it is healthy: `none` or `session` (of whoever is not signed in, the address).
    #[serde(default)]
    pub sticky: Sticky,
    /// Requests by which tutela asks each server whether it is well; none where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthConfig>,
    /// After how many failures in a row a server gets no requests for `fail_time`, 1 to 1000.
    #[serde(default = "three")]
    pub max_failures: u32,
    /// How long it gets none then; one request tries it again after that.
    #[serde(default = "ten_seconds")]
    pub fail_time: Span,
    /// How many more servers a request is tried at, 0 to 5: where it was not sent at all, or where sending it twice does no harm (RFC 9110 §9.2.2) and it has no body. At most a fifth of all requests are tried again.
    #[serde(default = "one")]
    pub retries: u32,
    /// How servers prove who they are, for those with `https`.
    #[serde(default)]
    pub tls: UpstreamTls,
}

/// One server: its address, or a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ServerEntry {
    /// Its address.
    Url(String),
    /// With more to say.
    Table(ServerConfig),
}

/// One server of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Scheme, host and port: `http://10.0.0.1:3000`.
    pub url: String,
    /// How many shares of the requests it gets, 0 to 100; 0 drains it: what is open goes on, nothing new comes.
    #[serde(default = "one")]
    pub weight: u32,
}

/// Which server a request goes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// One after the other, by their weights.
    #[default]
    RoundRobin,
    /// The one with the fewest open requests for its weight.
    LeastRequests,
    /// The better of two that chance picks.
    TwoChoices,
}

/// Whose requests stay together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sticky {
    /// Nobody's.
    #[default]
    None,
    /// Those of a session.
    Session,
}

/// `health`: how a server is asked whether it is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthConfig {
    /// What is asked for with GET: `/health`.
    pub path: String,
    /// The host that is asked for; the server's own where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How often, one second to one hour.
    #[serde(default = "ten_seconds")]
    pub interval: Span,
    /// How long it may take, up to `interval`.
    #[serde(default = "two_seconds")]
    pub timeout: Span,
    /// The status that is well; any from 200 to 399 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// After how many good answers in a row a server gets requests again, 1 to 100.
    #[serde(default = "two")]
    pub healthy: u32,
    /// After how many bad ones it gets none, 1 to 100.
    #[serde(default = "three")]
    pub unhealthy: u32,
}

/// `tls`: whom a server's certificate has to come from, and what tutela shows of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamTls {
    /// The only authorities that are trusted, as PEM; those of the system where absent.
    pub ca_file: Option<PathBuf>,
    /// The certificate that tutela shows, with its chain, as PEM.
    pub cert_file: Option<PathBuf>,
    /// Its key, as PEM.
    pub key_file: Option<PathBuf>,
    /// The name that the certificate has to be for; the host of the address where absent.
    pub name: Option<String>,
}

fn one() -> u32 {
    1
}

fn two() -> u32 {
    2
}

fn three() -> u32 {
    3
}

fn two_seconds() -> Span {
    Span::seconds(2)
}

fn ten_seconds() -> Span {
    Span::seconds(10)
}

impl ServerEntry {
    /// Written out.
    pub(crate) fn table(&self) -> ServerConfig {
        match self {
            Self::Url(url) => ServerConfig { url: url.clone(), weight: 1 },
            Self::Table(table) => table.clone(),
        }
    }
}

impl UpstreamConfig {
    /// An upstream of one server, as a route names it by its address.
    pub(crate) fn of(url: &str) -> Self {
        Self {
            servers: vec![ServerEntry::Url(url.to_owned())],
            balance: Balance::default(),
            sticky: Sticky::default(),
            health: None,
            max_failures: three(),
            fail_time: ten_seconds(),
            retries: one(),
            tls: UpstreamTls::default(),
        }
    }

    /// Refuses values out of range.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.servers.is_empty() || self.servers.len() > MOST_SERVERS {
            return Err(format!("`servers` has {} entries; it takes 1 to {MOST_SERVERS}", self.servers.len()));
        }
        for entry in &self.servers {
            let ServerConfig { url, weight } = entry.table();
            let fine = url.parse::<Uri>().is_ok_and(|uri| {
                matches!(uri.scheme_str(), Some("http" | "https")) && uri.path() == "/" && !url.ends_with('/') && uri.query().is_none() && uri.host().is_some()
            });
            if !fine {
                return Err(format!("`servers` has `{url}`; expected scheme, host and port, such as `http://10.0.0.1:3000`"));
            }
            range("weight", weight, 0, 100)?;
        }
        range("max_failures", self.max_failures, 1, 1_000)?;
        range("retries", self.retries, 0, 5)?;
        if self.tls.cert_file.is_some() != self.tls.key_file.is_some() {
            return Err("`tls.cert_file` and `tls.key_file` go together; one of them is missing".into());
        }
        let Some(health) = &self.health else { return Ok(()) };
        if !health.path.starts_with('/') || health.path.parse::<http::uri::PathAndQuery>().is_err() {
            return Err(format!("`health.path` is `{}`; it begins with `/`", health.path));
        }
        let interval = health.interval.duration().as_secs();
        if !(1..=3_600).contains(&interval) || health.timeout.duration().is_zero() || health.timeout > health.interval {
            return Err("`health.interval` goes from one second to one hour, and `health.timeout` up to it".into());
        }
        range("health.healthy", health.healthy, 1, 100)?;
        range("health.unhealthy", health.unhealthy, 1, 100)
    }

    /// The files that are named here, to be read from the folder of the configuration.
    pub(crate) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [self.tls.ca_file.as_mut(), self.tls.cert_file.as_mut(), self.tls.key_file.as_mut()].into_iter().flatten()
    }
}
