use serde::{Deserialize, Serialize};

/// What the gateway guards, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Gateway {
    /// Its routes, in the order in which they are written.
    pub routes: Vec<GatewayRoute>,
    /// Applications and their servers.
    pub upstreams: Vec<GatewayUpstream>,
    /// Rules that the firewall has loaded.
    pub waf_rules: u64,
    /// WebSockets that are open.
    pub websockets: u64,
    /// When its settings were last read, RFC 3339.
    pub loaded_at: String,
}

/// A route of the gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GatewayRoute {
    /// Its name, as in records.
    pub name: String,
    /// The host that clients use.
    pub host: String,
    /// Path prefix.
    pub path: String,
    /// Where requests go.
    pub upstream: String,
    /// `public`, `signed-in`, or `permission NAME`.
    pub require: String,
    /// How the firewall guards it, as it is in force: `block`, `detect` or `off`.
    pub waf_mode: String,
    /// Limits of requests, by name.
    pub limits: Vec<String>,
}

/// An application behind the gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GatewayUpstream {
    /// Its name, or the address that routes name.
    pub name: String,
    /// Its servers.
    pub servers: Vec<GatewayServer>,
}

/// A server of an application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GatewayServer {
    /// Its address.
    pub url: String,
    /// Its share of the requests; 0 where it is drained.
    pub weight: u32,
    /// Requests that are open.
    pub open: u32,
    /// `well`, `resting` (requests have failed) or `down` (it says so itself).
    pub state: String,
}

/// What reading the configuration again changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reloaded {
    /// Settings that are in force now: `gateway`, `limits.api`, `server.certificates`, ...
    pub changed: Vec<String>,
    /// Settings that differ and need a restart.
    pub needs_restart: Vec<String>,
}
