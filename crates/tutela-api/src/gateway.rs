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
    /// Frameworks that it has to hold to: `pci-dss`, `hipaa`.
    #[serde(default)]
    pub frameworks: Vec<String>,
    /// How card numbers stand in its answers: `masked`, `clear`, or `permission NAME` for masked but to whoever holds it.
    #[serde(default)]
    pub card_numbers: String,
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

/// A rule of the firewall that does not look at a place, or at nothing, on a route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Exclusion {
    /// Its id (UUIDv7).
    pub id: String,
    /// The route's name; `tutela` for our own pages.
    pub route: String,
    /// The rule's id.
    pub rule: u64,
    /// The place, as reports have it: `ARGS:comment`. The rule looks at nothing on this route where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<String>,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub made_by: String,
    /// Since when, RFC 3339.
    pub made_at: String,
    /// When it ends by itself, RFC 3339.
    pub until: String,
    /// The blocked request that it was made from: the id of its event.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub event: Option<String>,
    /// When somebody ended it, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_at: Option<String>,
}

/// An exclusion to be made: from the event of a blocked request, or from what is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewExclusion {
    /// Id of the event `gateway.request` of a request in which rules matched; route, rules and places are taken from it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub event: Option<String>,
    /// The route's name, without `event`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub route: Option<String>,
    /// The rule; with `event` only this one of its rules.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule: Option<u64>,
    /// The place, without `event`; the whole rule where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<String>,
    /// How many days it holds, 1 to 365; 30 where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub days: Option<u32>,
    /// Why, for the ledger; 1 to 500 characters.
    pub reason: String,
}

/// Somebody whom a limit of requests refuses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Limited {
    /// The limit's name.
    pub limit: String,
    /// Who: `address 192.0.2.7`, `account 0189…`.
    pub who: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// When the next request passes, RFC 3339.
    pub until: String,
    /// Requests that were refused.
    pub refused: u64,
}

/// Whom to let in again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LiftLimit {
    /// The limit's name.
    pub limit: String,
    /// Who, as the list has it.
    pub who: String,
    /// Why, for the ledger; 1 to 500 characters.
    pub reason: String,
}
