//! What the key ring is told by the configuration.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::Span;
use tutela_kms::{Identity, Recipient, Suite};

/// The ring's part of `[kms]`, read and checked.
#[derive(Clone)]
pub struct KmsSettings {
    /// Provider of new epochs.
    pub provider: String,
    /// How often an epoch and a key version begin.
    pub rotation: Duration,
    /// How long a destruction can be undone.
    pub destroy_wait: Duration,
    /// How long keys in memory serve while the provider is silent.
    pub cache_max_age: Duration,
    /// Base algorithms that may seal.
    pub algorithms: Vec<String>,
    /// Key backups, where they are made.
    pub backup: Option<BackupSettings>,
    /// Opens backups in rehearsals. Derived from the root key.
    pub rehearsal: std::sync::Arc<Identity>,
}

/// `[kms.backup]`, read and checked.
#[derive(Clone)]
pub struct BackupSettings {
    /// Where backups are written.
    pub folder: PathBuf,
    /// How often.
    pub every: Duration,
    /// How often a restore is rehearsed.
    pub rehearse: Duration,
    /// Who can open them.
    pub recipients: Vec<Recipient>,
}

/// One algorithm of `[kms.algorithms]`: its sizes, which can only be what the standard says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlgorithmConfig {
    /// Bits of the key: 256.
    pub key_size: u32,
    /// `GCM` for AES.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mode: Option<String>,
    /// Bytes of the nonce of AES-GCM: 12.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub iv_size: Option<u32>,
    /// Bytes of the nonce: 12.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nonce_size: Option<u32>,
}

impl KmsSettings {
    /// Whether messages may be sealed with this suite; opening is always allowed.
    pub(crate) fn allows(&self, suite: Suite) -> bool {
        self.algorithms.iter().any(|name| suite.name().starts_with(name.as_str()))
    }
}

/// Refuses algorithms, modes and sizes that do not exist, naming those that do.
pub fn algorithms_check(algorithms: &BTreeMap<String, AlgorithmConfig>) -> Result<(), String> {
    const VALID: &str =
        "valid are \"aes-256-gcm\" = {key_size = 256, mode = \"GCM\", iv_size = 12} and \"chacha20-poly1305\" = {key_size = 256, nonce_size = 12}";
    if algorithms.is_empty() {
        return Err(format!("kms.algorithms: at least one algorithm is needed; {VALID}"));
    }
    for (name, config) in algorithms {
        let fits = match name.as_str() {
            "aes-256-gcm" => {
                config.mode.as_deref().is_none_or(|m| m == "GCM") && config.iv_size.is_none_or(|n| n == 12) && config.nonce_size.is_none_or(|n| n == 12)
            }
            "chacha20-poly1305" => config.mode.is_none() && config.iv_size.is_none() && config.nonce_size.is_none_or(|n| n == 12),
            _ => return Err(format!("kms.algorithms: `{name}` is not an algorithm; {VALID}")),
        };
        if !fits || config.key_size != 256 {
            return Err(format!("kms.algorithms.{name}: these sizes or this mode do not exist; {VALID}"));
        }
    }
    Ok(())
}

/// Reads a period such as `30 days`, `12 hours` or `90m`.
pub fn parse_period(text: &str) -> Result<Duration, String> {
    text.parse::<Span>().map(Span::duration)
}

/// A period as [`parse_period`] reads it.
pub fn period_text(period: Duration) -> String {
    Span::seconds(period.as_secs()).words()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_standards_have_is_an_algorithm() {
        let aes = AlgorithmConfig { key_size: 256, mode: Some("GCM".into()), iv_size: Some(12), nonce_size: None };
        let chacha = AlgorithmConfig { key_size: 256, nonce_size: Some(12), ..AlgorithmConfig::default() };
        let check = |name: &str, config: &AlgorithmConfig| algorithms_check(&BTreeMap::from([(name.to_owned(), config.clone())]));
        assert!(check("aes-256-gcm", &aes).is_ok() && check("chacha20-poly1305", &chacha).is_ok());
        for (name, config) in [
            ("aes-128-gcm", aes.clone()),
            ("aes-256-gcm", AlgorithmConfig { key_size: 128, ..aes.clone() }),
            ("aes-256-gcm", AlgorithmConfig { mode: Some("CBC".into()), ..aes.clone() }),
            ("aes-256-gcm", AlgorithmConfig { iv_size: Some(16), ..aes }),
            ("chacha20-poly1305", AlgorithmConfig { nonce_size: Some(24), ..chacha }),
        ] {
            assert!(check(name, &config).unwrap_err().contains("valid are \"aes-256-gcm\""), "{name} {config:?}");
        }
    }
}
