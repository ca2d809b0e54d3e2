use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::Span;
use tutela_detection::Level;

/// `[detection]`: what the ledger is watched for, and what follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DetectionConfig {
    /// Whether the rules run that come with tutela.
    pub own_rules: bool,
    /// Rules of yours: tables `[[detection.rules]]` in the short form (`name`, `condition`, `window`, `action` …), and files (`/etc/tutela/detection/*.yml`) of rules in the short form or in Sigma's. Of two rules with one name the later one counts, so that a rule of yours takes the place of ours.
    #[schemars(with = "Vec<String>")]
    pub rules: Vec<RuleSource>,
    /// Files of metrics beside those that come with tutela.
    pub metrics: Vec<PathBuf>,
    /// Files of playbooks, what is done about incidents, beside those that come with tutela; one of yours with a name of ours takes its place.
    pub playbooks: Vec<PathBuf>,
    /// For how long a rule blocks an address the first time; the second time within a day four times as long, from then on a day at least.
    pub block_for: Span,
    /// Addresses and networks that nobody blocks. Proxies that are trusted are never blocked either.
    pub never_block: Vec<String>,
    /// How much memory the keys of one rule may take, in MiB, 1 to 4096; beyond it the rule counts too many rather than too few, and says so.
    pub memory_mib: u32,
}

/// A rule in the configuration itself, or a file of rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RuleSource {
    /// A file, or `FOLDER/*.yml`.
    File(PathBuf),
    /// A rule in the short form.
    Rule(serde_json::Map<String, serde_json::Value>),
}

/// A name, or a list of names.
fn one_or_more<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a name or a list of names")]
    enum Written {
        One(String),
        More(Vec<String>),
    }
    Ok(match Written::deserialize(from)? {
        Written::One(one) => vec![one],
        Written::More(more) => more,
    })
}

/// `[alerts]`: who is told of alerts of rules whose mode is `alert` or `act`; a name, or a list of names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsConfig {
    /// Mail addresses; needs `[channels.smtp]`.
    #[serde(deserialize_with = "one_or_more")]
    pub email: Vec<String>,
    /// Channels of Slack, `#security-alerts`; needs `[channels.slack]`.
    #[serde(deserialize_with = "one_or_more")]
    pub slack: Vec<String>,
    /// Services of PagerDuty, each a section `[channels.pagerduty.NAME]`.
    #[serde(deserialize_with = "one_or_more")]
    pub pagerduty: Vec<String>,
    /// Addresses, each a section `[channels.webhook.NAME]`.
    #[serde(deserialize_with = "one_or_more")]
    pub webhook: Vec<String>,
    /// The least level that is told: `informational`, `low`, `medium`, `high` or `critical`.
    #[schemars(with = "String")]
    pub least: Level,
    /// The least level by `mail`, `slack`, `pagerduty` or `webhook`, where it is another one: `least_of = { pagerduty = "high" }`.
    #[schemars(with = "BTreeMap<String, String>")]
    pub least_of: BTreeMap<String, Level>,
}

impl AlertsConfig {
    /// Refuses names of channels that there are not.
    pub fn check(&self) -> Result<(), String> {
        let known = ["mail", "slack", "pagerduty", "webhook"];
        match self.least_of.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(format!("`least_of` names `{name}`; there are {}", known.join(", "))),
            None => Ok(()),
        }
    }
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self { email: Vec::new(), slack: Vec::new(), pagerduty: Vec::new(), webhook: Vec::new(), least: Level::Medium, least_of: BTreeMap::new() }
    }
}

impl Default for DetectionConfig {
    fn default() -> Self {
        Self {
            own_rules: true,
            rules: Vec::new(),
            metrics: Vec::new(),
            playbooks: Vec::new(),
            block_for: Span::hours(1),
            never_block: vec!["127.0.0.0/8".into(), "::1".into()],
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

    /// The files that it names.
    pub fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let rules = self.rules.iter_mut().filter_map(|source| match source {
            RuleSource::File(path) => Some(path),
            RuleSource::Rule(_) => None,
        });
        rules.chain(&mut self.metrics).chain(&mut self.playbooks)
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
