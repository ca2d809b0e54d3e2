//! `[kms]`: keys, their provider, their backups.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_app::{AlgorithmConfig, BackupSettings, KmsSettings, algorithms_check, parse_period};
use tutela_connect::{AzureConfig, LocalConfig, VaultConfig};
use tutela_kms::{Identity, Recipient};

/// `[kms]`: keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KmsConfig {
    /// Who keeps the key of each epoch: `local`, `vault` or `azure-keyvault`.
    pub provider: String,
    /// How often a new provider key and a new version of each key are made: a number and `minutes`, `hours` or `days`.
    pub rotation_schedule: String,
    /// Whether the keys are backed up, sealed to `kms.backup.recipients`. Off, nothing brings the keys back when the provider is lost.
    pub backup_enabled: bool,
    /// How long the destruction of a key can be undone, and how long an epoch outlives its last key.
    pub destroy_wait: String,
    /// How long keys in memory serve while the provider does not answer.
    pub cache_max_age: String,
    /// File with the instance's root key, mode 0600; `instance.key` in the data folder where absent. With another provider than `local` it holds the key as that provider wrapped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Algorithms that may seal. Their sizes can only be what the standards say, and are checked.
    pub algorithms: BTreeMap<String, AlgorithmConfig>,
    /// The root key on this host.
    pub local: LocalConfig,
    /// Vault or OpenBao, where it is the provider or was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultConfig>,
    /// Azure Key Vault, where it is the provider or was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azure: Option<AzureConfig>,
    /// Key backups.
    pub backup: KeyBackupConfig,
}

/// `[kms.backup]`: key backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyBackupConfig {
    /// Where backups are written; `key-backups` in the data folder where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// How often.
    pub schedule: String,
    /// How often a restore is rehearsed in a scratch instance.
    pub rehearsal: String,
    /// Who can open them: lines of `tutela key recipient create`. Keep the identities away from this host.
    pub recipients: Vec<String>,
}

impl Default for KmsConfig {
    fn default() -> Self {
        let aes = AlgorithmConfig { key_size: 256, mode: Some("GCM".into()), iv_size: Some(12), nonce_size: None };
        let chacha = AlgorithmConfig { key_size: 256, nonce_size: Some(12), ..AlgorithmConfig::default() };
        Self {
            provider: "local".into(),
            rotation_schedule: "30 days".into(),
            backup_enabled: false,
            destroy_wait: "7 days".into(),
            cache_max_age: "24 hours".into(),
            key_file: None,
            algorithms: BTreeMap::from([("aes-256-gcm".to_owned(), aes), ("chacha20-poly1305".to_owned(), chacha)]),
            local: LocalConfig::default(),
            vault: None,
            azure: None,
            backup: KeyBackupConfig::default(),
        }
    }
}

impl Default for KeyBackupConfig {
    fn default() -> Self {
        Self { folder: None, schedule: "1 day".into(), rehearsal: "30 days".into(), recipients: Vec::new() }
    }
}

impl KmsConfig {
    /// Refuses what cannot work, each with its key.
    pub fn check(&self) -> Result<(), String> {
        algorithms_check(&self.algorithms)?;
        let missing = |section: &str| format!("kms.provider: `{}` needs the section `[kms.{section}]`", self.provider);
        match self.provider.as_str() {
            "local" => {}
            "vault" => drop(self.vault.as_ref().ok_or_else(|| missing("vault"))?),
            "azure-keyvault" => drop(self.azure.as_ref().ok_or_else(|| missing("azure"))?),
            other => return Err(format!("kms.provider: `{other}` is not a provider; use `local`, `vault` or `azure-keyvault`")),
        }
        self.vault.as_ref().map_or(Ok(()), VaultConfig::check)?;
        self.azure.as_ref().map_or(Ok(()), AzureConfig::check)?;
        let periods = [
            ("rotation_schedule", &self.rotation_schedule),
            ("destroy_wait", &self.destroy_wait),
            ("cache_max_age", &self.cache_max_age),
            ("backup.schedule", &self.backup.schedule),
            ("backup.rehearsal", &self.backup.rehearsal),
        ];
        for (key, text) in periods {
            parse_period(text).map_err(|e| format!("kms.{key}: {e}"))?;
        }
        for recipient in &self.backup.recipients {
            Recipient::parse(recipient).map_err(|e| format!("kms.backup.recipients: {e}"))?;
        }
        if self.backup_enabled && self.backup.recipients.is_empty() {
            return Err("kms.backup.recipients: key backups need a recipient who can open them; make one with `tutela key recipient create`".into());
        }
        Ok(())
    }

    /// What the key ring is told. The configuration was checked; what does not parse here cannot be.
    pub fn settings(&self, data: &Path, rehearsal: Identity) -> Result<KmsSettings, String> {
        let backup = BackupSettings {
            folder: self.backup.folder.clone().unwrap_or_else(|| data.join("key-backups")),
            every: parse_period(&self.backup.schedule)?,
            rehearse: parse_period(&self.backup.rehearsal)?,
            recipients: self.backup.recipients.iter().map(|r| Recipient::parse(r).map_err(|e| e.to_string())).collect::<Result<_, _>>()?,
        };
        Ok(KmsSettings {
            provider: self.provider.clone(),
            rotation: parse_period(&self.rotation_schedule)?,
            destroy_wait: parse_period(&self.destroy_wait)?,
            cache_max_age: parse_period(&self.cache_max_age)?,
            algorithms: self.algorithms.keys().cloned().collect(),
            backup: self.backup_enabled.then_some(backup),
            rehearsal: std::sync::Arc::new(rehearsal),
        })
    }

    /// Every path, to be read from the folder of the configuration file.
    pub fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let vault = self.vault.iter_mut().flat_map(|v| [Some(&mut v.token_file), v.ca_file.as_mut()].into_iter().flatten());
        let azure = self.azure.iter_mut().flat_map(|a| [a.client_secret_file.as_mut(), a.ca_file.as_mut()].into_iter().flatten());
        let own = [self.key_file.as_mut(), self.local.passphrase_file.as_mut(), self.backup.folder.as_mut()].into_iter().flatten();
        own.chain(vault).chain(azure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        toml::from_str::<KmsConfig>(text).map_err(|e| e.to_string())?.check()
    }

    #[test]
    fn the_words_of_the_field_are_understood() {
        let text = r#"
            provider = "azure-keyvault"
            rotation_schedule = "30 days"
            backup_enabled = false
            algorithms = {"aes-256-gcm" = {key_size = 256, mode = "GCM", iv_size = 12}, "chacha20-poly1305" = {key_size = 256, nonce_size = 12}}
            [azure]
            vault_url = "https://example.vault.azure.net"
            managed_identity = true
        "#;
        assert_eq!(check(text), Ok(()));
    }

    #[test]
    fn what_cannot_work_is_named_with_its_key() {
        for (text, key) in [
            ("provider = \"hsm\"", "kms.provider"),
            ("provider = \"vault\"", "[kms.vault]"),
            ("rotation_schedule = \"monthly\"", "kms.rotation_schedule"),
            ("backup_enabled = true", "kms.backup.recipients"),
            ("[backup]\nrecipients = [\"age1\"]", "kms.backup.recipients"),
            ("[algorithms]\n\"aes-256-gcm\" = {key_size = 128}", "kms.algorithms.aes-256-gcm"),
            ("[algorithms]\n\"des\" = {key_size = 256}", "`des` is not an algorithm"),
            ("[vault]\naddress = \"http://vault.example.com\"\ntoken_file = \"t\"", "plain HTTP"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains(key), "{text}: {error}");
        }
    }
}
