//! Key providers, and their parts of `[kms]`.

pub(crate) mod azure;
pub(crate) mod local;
pub(crate) mod vault;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http::check_url;

/// `[kms.local]`: the root key on this host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LocalConfig {
    /// File with a passphrase that seals the root key file (Argon2id, 256 MiB); in clear, mode 0600, where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
    /// Name of a systemd credential that holds what the root key file holds, in place of `key_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// `[kms.vault]`: the transit engine of Vault or OpenBao.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VaultConfig {
    /// Address, for example `https://vault.example.com:8200`.
    pub address: String,
    /// File with the token; it is read again at every refusal, so an agent may replace it.
    pub token_file: PathBuf,
    /// Where the transit engine is mounted; `transit` where empty.
    pub mount: String,
    /// Namespace, where there are namespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// File with the CA that signed its certificate; the system's roots where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// `[kms.azure]`: Azure Key Vault or Managed HSM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AzureConfig {
    /// Address of the vault, for example `https://example.vault.azure.net`.
    pub vault_url: String,
    /// Id of the tenant.
    pub tenant_id: String,
    /// Id of the application that may use the vault's keys.
    pub client_id: String,
    /// File with the application's secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// Whether the machine's managed identity is used in place of a secret.
    pub managed_identity: bool,
    /// File with the CA that signed its certificate; the system's roots where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Whether the resource that the vault names in its challenge may be on another domain. For test doubles only.
    pub any_challenge_resource: bool,
}

impl VaultConfig {
    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), String> {
        check_url(&self.address, "kms.vault.address")?;
        if self.token_file.as_os_str().is_empty() { Err("kms.vault.token_file: name the file with the token".into()) } else { Ok(()) }
    }
}

impl AzureConfig {
    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), String> {
        check_url(&self.vault_url, "kms.azure.vault_url")?;
        if self.managed_identity == self.client_secret_file.is_some() {
            return Err("kms.azure: give either `client_secret_file` or `managed_identity = true`".into());
        }
        if !self.managed_identity && (self.tenant_id.is_empty() || self.client_id.is_empty()) {
            return Err("kms.azure: `tenant_id` and `client_id` are needed with a secret".into());
        }
        Ok(())
    }
}
