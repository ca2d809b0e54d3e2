use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::{AuthStrength, Span, seam::Wanted};

use crate::{
    limits::{API, LimitConfig, Shared, SharedLimitsConfig},
    snapshot::{networks, silent, upstreams},
    upstream::UpstreamConfig,
    waf::{WafConfig, WafMode},
};

/// `[gateway]`: the applications behind the public listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The guarded applications. The first route whose host and path fit is taken; longer paths go first.
    pub routes: Vec<RouteConfig>,
    /// Seconds to wait for a connection to an upstream, 1 to 60.
    pub connect_timeout: u32,
    /// Seconds to wait for the head of an upstream's answer, 1 to 3600.
    pub response_timeout: u32,
    /// Seconds a client may take to send the head of a request, 1 to 120.
    pub header_timeout: u32,
    /// Seconds without a byte in either direction after which a body is given up, and an HTTP/2 connection without requests closed, 1 to 3600.
    pub idle_timeout: u32,
    /// Seconds a client may take to send a whole body, 1 to 86400.
    pub body_timeout: u32,
    /// Seconds from a request to the end of its answer, 1 to 604800. Streams end then too; WebSockets do not.
    pub total_timeout: u32,
    /// Seconds without a byte in either direction after which a WebSocket is closed, 1 to 86400.
    pub websocket_idle_timeout: u32,
    /// Most bytes of all request headers together, 4096 to 1048576.
    pub max_header_bytes: u32,
    /// The servers of applications that have several, or TLS, by name.
    pub upstreams: BTreeMap<String, UpstreamConfig>,
    /// Proxies and load balancers in front of tutela, as addresses or networks: what they say in `X-Forwarded-For` and `X-Forwarded-Proto` is believed, from nobody else. Their connections are not counted by address.
    pub trusted_proxies: Vec<String>,
    /// Limits by name, which routes name; `api` is `limits.api`.
    pub limits: BTreeMap<String, LimitConfig>,
    /// A Redis or Valkey in which all nodes count limits together; each node for itself where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_limits: Option<SharedLimitsConfig>,
    /// What is refused because of what it says.
    pub waf: WafConfig,
    /// Connections served at the same time, 16 to 1000000; more wait to be accepted.
    pub max_connections: u32,
    /// Connections of one address (of IPv6 one /64), 1 to 1000000; more are closed at once.
    pub max_connections_per_address: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            connect_timeout: 5,
            response_timeout: 60,
            header_timeout: 15,
            idle_timeout: 60,
            body_timeout: 3_600,
            total_timeout: 14_400,
            websocket_idle_timeout: 600,
            max_header_bytes: 65_536,
            upstreams: BTreeMap::new(),
            trusted_proxies: Vec::new(),
            limits: BTreeMap::new(),
            shared_limits: None,
            waf: WafConfig::default(),
            max_connections: 10_000,
            max_connections_per_address: 500,
        }
    }
}

/// `[[gateway.routes]]`: one guarded application, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// Name in the ledger and audience of the identity token: `a-z 0-9 _ -`, at most 64 characters. The host where absent.
    #[serde(default)]
    pub name: Option<String>,
    /// Host name that clients use, without port, for example `photos.localhost`.
    pub host: String,
    /// Path prefix, by whole segments; `/` where absent.
    #[serde(default = "root")]
    pub path: String,
    /// Where requests go: an address such as `http://127.0.0.1:3000` (a path in it is put before the request's), or the name of a section of `gateway.upstreams`.
    pub upstream: String,
    /// Who may pass: `"public"`, `"signed-in"`, or `{ permission = "photos:read" }`.
    #[serde(default)]
    pub require: Require,
    /// How strong the sign-in has to be: `aal1` (one factor), `aal2` (two). Whoever is weaker proves more and comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<Acr>,
    /// How long ago the person may have proven who they are, for example `5m`; as long as the session lives where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// Groups of which a person has to be in one; any where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Clients, by id or name, through one of which a request has to come: with an access token that a person let it have, or with its own. A browser's session does not pass then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<String>,
    /// Scopes that an access token of a client or of an outside issuer has to carry, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Outside issuers whose access tokens pass too: names of `identity.openid` sections with an `api_audience`. Their holders have no account here, so routes that ask for a permission, a group or a stronger sign-in refuse them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<String>,
    /// Purposes that whoever passes must have agreed to, or that stand on another ground: `["personalize"]`. Whoever has not is answered with 403 and told where they can.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purposes: Vec<String>,
    /// What this route has to hold to: `pci-dss` (two factors, a firewall that blocks, card numbers masked, sessions that end after 15 minutes without use), `hipaa` (somebody who is signed in, an hour).
    #[serde(default)]
    pub frameworks: Vec<String>,
    /// How card numbers stand in answers of this route: `"masked"` (the first six and the last four digits), `"clear"`, or `{ permission = "cards:read" }`, masked for whoever does not hold it. Where absent they are masked under `pci-dss`, else clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_numbers: Option<CardNumbers>,
    /// Limits of this route, by name: `["api"]`. Each request counts for all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// Origins beside the route's own from whose pages a WebSocket may be opened: `["https://app.example.com"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub websocket_origins: Vec<String>,
    /// How the firewall guards this route: `block`, `detect` or `off`; as `gateway.waf.mode` says where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waf: Option<WafMode>,
    /// Most bytes of a request body; 1 GiB where absent.
    #[serde(default = "gibibyte")]
    pub max_body_bytes: u64,
}

/// How strong a sign-in has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Acr {
    /// One factor.
    Aal1,
    /// Two factors.
    Aal2,
}

/// Seconds, as they are configured.
pub(crate) fn seconds(number: u32) -> Duration {
    Duration::from_secs(u64::from(number))
}

/// Refuses a value that is out of its range.
pub(crate) fn range(name: &str, value: u32, least: u32, most: u32) -> Result<(), String> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(format!("`{name}` is {value}; it goes from {least} to {most}")) }
}

/// Whether a section may be called so.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
}

impl RouteConfig {
    /// What records and rules call it.
    pub(crate) fn named(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.host.to_ascii_lowercase())
    }

    /// A route for all of a host, for whoever is signed in.
    pub fn new(host: &str, upstream: &str) -> Self {
        Self {
            name: None,
            host: host.to_owned(),
            path: root(),
            upstream: upstream.to_owned(),
            require: Require::default(),
            acr: None,
            max_age: None,
            groups: Vec::new(),
            clients: Vec::new(),
            scopes: Vec::new(),
            issuers: Vec::new(),
            purposes: Vec::new(),
            frameworks: Vec::new(),
            card_numbers: None,
            limits: Vec::new(),
            websocket_origins: Vec::new(),
            waf: None,
            max_body_bytes: gibibyte(),
        }
    }

    /// The address that it names, without a path; none where it names an upstream.
    pub(crate) fn address(&self) -> Option<&str> {
        let (scheme, rest) = self.upstream.split_once("://")?;
        Some(&self.upstream[..scheme.len() + 3 + rest.find('/').unwrap_or(rest.len())])
    }

    /// Whether it has to hold to a framework.
    pub fn is_under(&self, framework: &str) -> bool {
        self.frameworks.iter().any(|of| of == framework)
    }

    /// How card numbers stand in its answers; a framework that asks for masked ones has them, unless it says otherwise.
    pub fn card_numbers(&self) -> &CardNumbers {
        match &self.card_numbers {
            Some(said) => said,
            None if self.is_under("pci-dss") => &CardNumbers::Masked,
            None => &CardNumbers::Clear,
        }
    }

    /// How the firewall guards it, where it says so; a framework that asks for one that blocks has it.
    pub(crate) fn waf(&self) -> Option<WafMode> {
        if self.is_under("pci-dss") { Some(WafMode::Block) } else { self.waf }
    }

    /// What the route asks of a sign-in.
    pub(crate) fn wanted(&self) -> Wanted {
        let strength = if self.acr == Some(Acr::Aal2) || self.is_under("pci-dss") { AuthStrength::Aal2 } else { AuthStrength::Aal1 };
        Wanted { strength, max_age: self.max_age.map(Span::duration), ..Wanted::default() }
    }
}

/// Who may pass a route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Require {
    /// Whoever is signed in and holds this permission, or the role of this name.
    Permission(String),
    /// Everybody; who is signed in is named to the upstream all the same.
    Public,
    /// Whoever is signed in.
    #[default]
    SignedIn,
}

/// How card numbers stand in answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CardNumbers {
    /// As the application writes them.
    Clear,
    /// The first six and the last four digits.
    Masked,
    /// Masked for whoever does not hold this permission, or the role of this name.
    Permission(String),
}

fn root() -> String {
    "/".into()
}

fn gibibyte() -> u64 {
    1 << 30
}

impl Config {
    /// Refuses values out of range.
    pub fn check(&self) -> Result<(), String> {
        let ranges = [
            ("connect_timeout", self.connect_timeout, 1, 60),
            ("response_timeout", self.response_timeout, 1, 3_600),
            ("header_timeout", self.header_timeout, 1, 120),
            ("idle_timeout", self.idle_timeout, 1, 3_600),
            ("body_timeout", self.body_timeout, 1, 86_400),
            ("total_timeout", self.total_timeout, 1, 604_800),
            ("websocket_idle_timeout", self.websocket_idle_timeout, 1, 86_400),
            ("max_header_bytes", self.max_header_bytes, 4_096, 1_048_576),
            ("max_connections", self.max_connections, 16, 1_000_000),
            ("max_connections_per_address", self.max_connections_per_address, 1, 1_000_000),
        ];
        ranges.into_iter().try_for_each(|(name, value, least, most)| range(name, value, least, most))?;
        self.waf.check()?;
        for (name, limit) in &self.limits {
            if name == API || !is_name(name) {
                return Err(format!("limits.{name}: a name has `a-z 0-9 _ -`, and `api` is taken by `limits.api`"));
            }
            limit.check().map_err(|e| format!("limits.{name}: {e}"))?;
        }
        for (number, route) in self.routes.iter().enumerate() {
            if let Some(name) = route.limits.iter().find(|name| *name != API && !self.limits.contains_key(*name)) {
                return Err(format!("gateway.routes[{number}].limits: there is no `[gateway.limits.{name}]`"));
            }
        }
        for name in self.upstreams.keys() {
            if !is_name(name) {
                return Err(format!("upstreams.{name}: a name has `a-z 0-9 _ -`"));
            }
        }
        if let Some(shared) = &self.shared_limits {
            Shared::new(shared).map_err(|e| format!("shared_limits: {e}"))?;
        }
        networks("trusted_proxies", &self.trusted_proxies)?;
        let upstreams = upstreams(self, None, &silent())?;
        crate::routes::Routes::new(&self.routes, &upstreams).map(|_| ())
    }

    /// The files that are named here, to be read from the folder of the configuration.
    pub fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.upstreams.values_mut().flat_map(UpstreamConfig::paths).chain(self.shared_limits.iter_mut().flat_map(SharedLimitsConfig::paths))
    }
}
