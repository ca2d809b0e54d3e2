use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::Span;
use tutela_detection::Level;

/// `[detection]`: what the ledger is watched for, and what follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DetectionConfig {
    /// Rules in their order: `own` are those that come with tutela; files (`/etc/tutela/detection/*.yml`) hold rules in the short form or in Sigma's. Of two rules with one name the later one counts.
    pub rules: Vec<String>,
    /// Files of metrics beside those that come with tutela.
    pub metrics: Vec<String>,
    /// For how long a rule blocks an address the first time; the second time within a day four times as long, from then on a day at least.
    pub block_for: Span,
    /// Addresses and networks that nobody blocks. Proxies that are trusted are never blocked either.
    pub never_block: Vec<String>,
    /// Who is told of alerts.
    pub alerts: AlertsConfig,
    /// How much memory the keys of one rule may take, in MiB, 1 to 4096; beyond it the rule counts too many rather than too few, and says so.
    pub memory_mib: u32,
}

/// `[detection.alerts]`: who is told of alerts of rules whose mode is `alert` or `act`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsConfig {
    /// Mail addresses; needs `[channels.smtp]`.
    pub email: Vec<String>,
    /// Channels of Slack, `#security-alerts`; needs `[channels.slack]`.
    pub slack: Vec<String>,
    /// Services of PagerDuty, each a section `[channels.pagerduty.NAME]`.
    pub pagerduty: Vec<String>,
    /// Addresses, each a section `[channels.webhook.NAME]`.
    pub webhook: Vec<String>,
    /// The least level that is told: `informational`, `low`, `medium`, `high` or `critical`.
    #[schemars(with = "String")]
    pub least: Level,
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self { email: Vec::new(), slack: Vec::new(), pagerduty: Vec::new(), webhook: Vec::new(), least: Level::Medium }
    }
}

impl Default for DetectionConfig {
    fn default() -> Self {
        Self {
            rules: vec!["own".into()],
            metrics: Vec::new(),
            block_for: Span::hours(1),
            never_block: vec!["127.0.0.0/8".into(), "::1".into()],
            alerts: AlertsConfig::default(),
            memory_mib: 64,
        }
    }
}

impl DetectionConfig {
    /// Refuses values out of range.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=4_096).contains(&self.memory_mib) {
            return Err(format!("`memory_mib` is {}; it goes from 1 to 4096", self.memory_mib));
        }
        self.spared()?;
        if self.block_for > Span::days(30) {
            return Err(format!("`block_for` is {}; it is at most 30d", self.block_for));
        }
        Ok(())
    }

    /// What nobody blocks.
    pub fn spared(&self) -> Result<Vec<IpNet>, String> {
        let network = |text: &String| {
            let address = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
            address.or_else(|_| text.parse()).map_err(|_| format!("`never_block`: `{text}` is no address or network"))
        };
        self.never_block.iter().map(network).collect()
    }
}
