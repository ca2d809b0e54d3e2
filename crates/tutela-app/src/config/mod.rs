//! What the configuration says about people, limits and data; each part checks itself.

mod detection;
mod identity;
mod limits;
mod privacy;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_compliance::{Framework, own};

use crate::parse_period;

const A_DAY: Duration = Duration::from_secs(86_400);

pub use detection::{AlertsConfig, DetectionConfig, RuleSource};
pub use identity::{IdentityConfig, MfaConfig, MfaProvider, PasswordConfig, Protocol, SignUp, TokensConfig};
pub use limits::LimitsConfig;
pub use privacy::{PrivacyConfig, StoreConfig, StoreType};

/// `[compliance]`: what laws and standards ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ComplianceConfig {
    /// What is assessed: `gdpr`, `hipaa`, `pci-dss`, `ccpa`. What contradicts one of them in this file is named at the start.
    pub frameworks: Vec<String>,
    /// Days by kind of data: `logs` is about every event of the ledger; other names are classes of event types, for example `user_data` and `payment_data`.
    pub data_retention: BTreeMap<String, u32>,
    /// Files with frameworks of your own, over the same checks: YAML with `key`, `title`, `source` and `controls`. They are assessed too.
    pub files: Vec<PathBuf>,
    /// Whether requests are sent through the gateway's own listener to see what happens: an attack to each route, and sessions of an account that lives as long as that takes. Without it some checks have no data.
    pub probes: bool,
    /// How often the frameworks are assessed, from `1h` to `30d`; each change of this file is followed by an assessment too.
    pub every: String,
}

impl Default for ComplianceConfig {
    fn default() -> Self {
        Self { frameworks: Vec::new(), data_retention: BTreeMap::new(), files: Vec::new(), probes: true, every: "1d".into() }
    }
}

impl ComplianceConfig {
    /// Paths that a configuration file may give relative to itself.
    pub fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.files.iter_mut()
    }

    /// What is assessed: those that are switched on, and those of the operator's files.
    pub fn assessed(&self) -> Result<Vec<Framework>, String> {
        let mut all: Vec<Framework> = own().iter().filter(|framework| self.is_on(&framework.key)).cloned().collect();
        for file in &self.files {
            let wrong = |e: String| format!("compliance.files: {}: {e}", file.display());
            let framework = Framework::read(&std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?).map_err(wrong)?;
            if own().iter().chain(&all).any(|other| other.key == framework.key) {
                return Err(wrong(format!("there is another framework `{}`; give it a `key` of its own", framework.key)));
            }
            all.push(framework);
        }
        Ok(all)
    }

    /// Whether a framework is switched on.
    pub fn is_on(&self, framework: &str) -> bool {
        self.frameworks.iter().any(|of| of == framework)
    }

    /// How often is assessed.
    pub fn period(&self) -> Duration {
        parse_period(&self.every).unwrap_or(A_DAY)
    }

    /// Refuses values out of range.
    pub fn check(&self) -> Result<(), String> {
        let every = parse_period(&self.every).map_err(|e| format!("compliance.every: {e}"))?;
        if !(Duration::from_secs(3_600)..=30 * A_DAY).contains(&every) {
            return Err(format!("compliance.every: `{}` is not between an hour and thirty days", self.every));
        }
        self.assessed()?;
        let known = || own().iter().map(|framework| framework.key.as_str());
        for (at, name) in self.frameworks.iter().enumerate() {
            if !known().any(|key| key == name) {
                return Err(format!("compliance.frameworks: there is no framework `{name}`; there are {}", known().collect::<Vec<_>>().join(", ")));
            }
            if self.frameworks[..at].contains(name) {
                return Err(format!("compliance.frameworks: `{name}` stands there twice"));
            }
        }
        for (kind, days) in &self.data_retention {
            if tutela_core::Class::parse(kind).is_none() {
                return Err(format!("compliance.data_retention: `{kind}` is not a kind of data; one has 1 to 32 characters of `a-z _`"));
            }
            crate::audit::check_days(&format!("compliance.data_retention.{kind}"), *days)?;
        }
        Ok(())
    }
}
