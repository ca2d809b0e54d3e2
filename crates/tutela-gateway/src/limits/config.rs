use std::path::PathBuf;

use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::Span;
use tutela_limits::{Algorithm, Rate};

use crate::config::range;

/// `[gateway.limits.NAME]`: how many requests, counted by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitConfig {
    /// How many requests in `window`, 1 to 65535.
    pub requests: u32,
    /// The time in which they are counted: `1m`.
    pub window: Span,
    /// How many may come at once, 1 to 65535; `requests` where absent. A sliding window has no use for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// How it is counted: `gcra`, evenly with a burst, or `sliding_window`, so many in the last window.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// What is counted by itself, all of it together: `address` (of IPv6 the /64), `account` (or the address of somebody who is not signed in), `session`, `client`, `route`, `header:NAME`. A request that has none of it counts for its address.
    #[serde(default = "by_account")]
    pub by: Vec<By>,
    /// `enforce`, or `shadow`: counted and recorded, and nobody is refused.
    #[serde(default)]
    pub mode: LimitMode,
    /// What happens while the store of `gateway.shared_limits` does not answer: `local`, `open` or `closed`; as it says there where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_backend_down: Option<OnBackendDown>,
}

pub(super) fn by_account() -> Vec<By> {
    vec![By::Account]
}

/// Whether a limit refuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LimitMode {
    /// It does.
    #[default]
    Enforce,
    /// It says what it would refuse.
    Shadow,
}

/// What is counted by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum By {
    /// The account; the address where nobody is signed in.
    Account,
    /// The address.
    Address,
    /// The client whose token it is.
    Client,
    /// The value of a header.
    Header(String),
    /// The route.
    Route,
    /// The session; the address where there is none.
    Session,
}

impl TryFrom<String> for By {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Ok(match text.as_str() {
            "account" => Self::Account,
            "address" => Self::Address,
            "client" => Self::Client,
            "route" => Self::Route,
            "session" => Self::Session,
            other => match other.strip_prefix("header:").filter(|name| name.parse::<HeaderName>().is_ok()) {
                Some(name) => Self::Header(name.to_ascii_lowercase()),
                None => return Err(format!("`{other}` is none of `account`, `address`, `client`, `header:NAME`, `route`, `session`")),
            },
        })
    }
}

impl From<By> for String {
    fn from(by: By) -> Self {
        match by {
            By::Account => "account".into(),
            By::Address => "address".into(),
            By::Client => "client".into(),
            By::Header(name) => format!("header:{name}"),
            By::Route => "route".into(),
            By::Session => "session".into(),
        }
    }
}

impl LimitConfig {
    /// Refuses values out of range.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.by.is_empty() {
            return Err("`by` is empty; say what is counted, such as `[\"address\"]`".into());
        }
        self.rate().check()
    }

    pub(super) fn rate(&self) -> Rate {
        Rate { requests: self.requests, window: self.window, burst: self.burst, algorithm: self.algorithm }
    }

    pub(super) fn needs_caller(&self) -> bool {
        self.by.iter().any(|by| matches!(by, By::Account | By::Client | By::Session))
    }
}

/// `[gateway.shared_limits]`: a Redis or Valkey in which all nodes count together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SharedLimitsConfig {
    /// Its address: `redis://127.0.0.1:6379`, `rediss://valkey.internal:6379/0` over TLS, `unix:///run/valkey.sock`. Without TLS only on this host.
    pub url: String,
    /// Its user; `default` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// A file with its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The only authorities that are trusted, as PEM; those of the system where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Most milliseconds that a request waits for it, 1 to 5000.
    #[serde(default = "tenth")]
    pub timeout_ms: u32,
    /// What happens while it does not answer: `local` counts on each node, `open` lets everybody pass, `closed` refuses with 503.
    #[serde(default)]
    pub on_backend_down: OnBackendDown,
}

/// What happens while the shared store does not answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnBackendDown {
    /// Each node counts for itself.
    #[default]
    Local,
    /// Everybody passes.
    Open,
    /// Nobody does.
    Closed,
}

fn tenth() -> u32 {
    100
}

impl SharedLimitsConfig {
    /// Refuses what cannot be meant.
    pub(crate) fn check(&self) -> Result<(), String> {
        range("timeout_ms", self.timeout_ms, 1, 5_000)?;
        let plain = self.url.strip_prefix("redis://");
        let host = plain.map(|rest| rest.split('/').next().unwrap_or_default()).map(|authority| authority.rsplit_once(':').map_or(authority, |(host, _)| host));
        let here = host.is_some_and(|host| matches!(host, "127.0.0.1" | "[::1]" | "localhost"));
        if !(here || self.url.starts_with("rediss://") || self.url.starts_with("unix://")) {
            return Err(format!("`url` is `{}`; write `rediss://` for TLS, or `redis://` on this host", self.url));
        }
        if self.url.contains('@') {
            return Err("`url` holds a user or password; write `username` and `password_file`".into());
        }
        Ok(())
    }

    /// The files that are named here.
    pub(crate) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [self.password_file.as_mut(), self.ca_file.as_mut()].into_iter().flatten()
    }
}
