use serde::{Deserialize, Serialize};

/// A rule of detection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DetectionRule {
    /// Its name.
    pub name: String,
    /// What an alert of it is called.
    pub title: String,
    /// What it looks for, and what it may mistake.
    pub description: String,
    /// `informational`, `low`, `medium`, `high` or `critical`.
    pub level: String,
    /// `shadow`, `alert` or `act`.
    pub mode: String,
    /// What follows an alert where the mode is `act`.
    pub actions: Vec<String>,
    /// In which time, for example `5m`.
    pub window: String,
    /// Members of events that say who or what is counted.
    pub key: Vec<String>,
    /// How many tests stand beside it.
    pub tests: u32,
}

/// An address or network that the gateway refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Block {
    /// Its id.
    pub id: String,
    /// The network, for example `192.0.2.7/32`.
    pub network: String,
    /// The rule that made it; none where somebody made it by hand.
    pub rule: Option<String>,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub made_by: String,
    /// Since when (RFC 3339).
    pub made_at: String,
    /// When it ends by itself.
    pub until: String,
    /// When somebody lifted it.
    pub ended_at: Option<String>,
}

/// A test alert that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlertTest {
    /// Its id.
    pub id: String,
    /// To whom: mail addresses, channels, services, addresses.
    pub to: Vec<String>,
}

/// A block to be made by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewBlock {
    /// An address or a network: `192.0.2.7`, `2001:db8::/64`; IPv4 from /16, IPv6 from /32 on.
    pub network: String,
    /// For how many minutes, 1 to 43200; 60 where absent.
    pub minutes: Option<u32>,
    /// Why, for the ledger.
    pub reason: String,
}

/// A block to be lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LiftBlock {
    /// Its id, or the address or network.
    pub block: String,
    /// Why, for the ledger.
    pub reason: String,
}
