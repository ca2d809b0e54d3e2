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
    /// `shadow`, `alert`, `act` or `off`.
    pub mode: String,
    /// What follows an alert where the mode is `act`.
    pub actions: Vec<String>,
    /// In which time, for example `5m`.
    pub window: String,
    /// What has to happen, in the short form; none of a rule in Sigma's.
    pub condition: Option<String>,
    /// Members of events that say who or what is counted.
    pub key: Vec<String>,
    /// How many tests stand beside it.
    pub tests: u32,
    /// All of it, as YAML.
    pub text: String,
    /// Who has written it, or set how far it goes, while the server runs; none where it is as the configuration has it.
    pub changed: Option<RuleChange>,
}

/// Who changed a rule, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuleChange {
    /// Who.
    pub by: String,
    /// When (RFC 3339).
    pub at: String,
    /// Why.
    pub reason: String,
    /// Whether the rule itself was written; only its mode otherwise.
    pub text: bool,
}

/// A rule that is written, or set to go further or less far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeRule {
    /// One rule in either spelling, as YAML, up to 64 KiB; its tests must pass. As before where absent.
    pub text: Option<String>,
    /// `shadow`, `alert`, `act` or `off`; as before where absent.
    pub mode: Option<String>,
    /// Why, for the ledger.
    pub reason: String,
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

/// Something that an application has found itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewAlert {
    /// `informational`, `low`, `medium`, `high` or `critical`.
    pub level: String,
    /// What it is, in one line of up to 200 characters.
    pub title: String,
    /// What happened, up to 4,000 characters.
    pub details: String,
    /// Whom or what it is about: `{"ip": "192.0.2.7", "account": "…"}`; `account`, `actor`, `client`, `device`, `email`, `ip` and `session` tie alerts to one incident.
    #[serde(default)]
    pub about: std::collections::BTreeMap<String, String>,
}

/// An alert that was raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RaisedAlert {
    /// Its id.
    pub id: String,
    /// The incident that it opened or joined; none where it is not grave enough for one.
    pub incident: Option<String>,
}

/// Who is told of alerts, as the configuration's `[alerts]` says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlertSettings {
    /// Mail addresses.
    pub email: Vec<String>,
    /// Channels of Slack.
    pub slack: Vec<String>,
    /// Services of PagerDuty.
    pub pagerduty: Vec<String>,
    /// Addresses, by name.
    pub webhook: Vec<String>,
    /// The least level that is told.
    pub least: String,
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

/// Rules that are to be tried on what the ledger has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewBacktest {
    /// Rules in either spelling, as YAML; those that run where neither this nor `rule` is there.
    pub rules: Option<String>,
    /// The name of a rule.
    pub rule: Option<String>,
    /// How many days back, 1 to 365.
    pub days: u32,
}

/// What rules would have found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Backtest {
    /// Since when (RFC 3339).
    pub since: String,
    /// Events that were read.
    pub events: u64,
    /// Whether that was everything; at most five million are read.
    pub complete: bool,
    /// By rule, those that found nothing too.
    pub rules: Vec<BacktestRule>,
}

/// What one rule would have found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestRule {
    /// The rule.
    pub name: String,
    /// How many alerts.
    pub alerts: u64,
    /// About how many keys.
    pub keys: u64,
    /// How many addresses it would have blocked, where that is what it does.
    pub would_block: u64,
    /// How many of the addresses that it found had a sign-in with two factors in the same time.
    pub with_good_sign_ins: u64,
    /// The keys with most alerts, up to fifty.
    pub most: Vec<BacktestKey>,
}

/// Whom a rule would have told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestKey {
    /// By the members of the rule's key: `ip 192.0.2.7`.
    pub about: String,
    /// How often.
    pub alerts: u64,
    /// The first time.
    pub first: String,
    /// The last time.
    pub last: String,
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
