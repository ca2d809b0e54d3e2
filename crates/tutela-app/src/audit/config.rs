use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RetentionConfig;

/// `[audit]`: what the ledger takes, keeps, and shows elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// Where events are searched: in the ledger alone, or also in a search cluster. Whatever it says, an event is durable in the ledger before anyone is answered.
    pub storage: Storage,
    /// The search cluster, where `audit.storage` names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterConfig>,
    /// How many days documents stay in the search cluster; the ledger itself keeps by class. The longest rule of the ledger where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// Which fields of an application's event are kept: names of `timestamp`, `user_id`, `action`, `resource`, `ip_address` and `user_agent`, where those not named are dropped; or `{name = "ip_address", keep = "hashed"}`, which also takes `reason`, `metadata` and `metadata.KEY`. Everything where empty.
    pub fields: Vec<FieldRule>,
    /// Which event types applications may record.
    pub types: TypesAllowed,
    /// Event types that applications record, as in `PUT /v1/event-types/{name}`.
    pub event_types: Vec<tutela_api::EventTypeBody>,
    /// How long which events are kept.
    pub retention: RetentionConfig,
}

/// `[audit.cluster]`: a search cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    /// Its address; `https` unless it is on this host.
    pub url: String,
    /// Name that its indexes begin with, and their alias.
    #[serde(default = "index")]
    pub index: String,
    /// File with the CA that signed its certificate, PEM; the system's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// User name, with `password_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// File with the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// File with an API key, in place of user name and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_file: Option<PathBuf>,
}

fn index() -> String {
    "tutela-audit".into()
}

/// Where events are searched beside the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// Elasticsearch, at `audit.cluster`.
    Elasticsearch,
    /// Nowhere else.
    #[default]
    Ledger,
    /// OpenSearch, at `audit.cluster`.
    Opensearch,
}

impl Storage {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Elasticsearch => "elasticsearch",
            Self::Ledger => "ledger",
            Self::Opensearch => "opensearch",
        }
    }
}

/// A field that is kept, by its name or with how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FieldRule {
    /// Kept as it usually is.
    Name(String),
    /// Kept in a way of its own.
    Rule {
        /// The field.
        name: String,
        /// How it is kept.
        keep: Keep,
    },
}

/// How a field is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Readable by everybody who reads the ledger's bytes; it outlives an erasure.
    Clear,
    /// Not at all.
    Dropped,
    /// As a keyed hash: equal values can be told, none can be read. It outlives an erasure.
    Hashed,
    /// Sealed with the person's key.
    Sealed,
}

/// Which event types applications may record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TypesAllowed {
    /// Any well-formed name that is not one of tutela's own.
    #[default]
    Any,
    /// Only declared names.
    Declared,
}

impl AuditConfig {
    /// Refuses what does not make sense.
    pub fn check(&self) -> Result<(), String> {
        super::fields::check(&self.fields).map_err(|e| format!("audit.fields: {e}"))?;
        if self.storage != Storage::Ledger && self.cluster.is_none() {
            return Err(format!("audit.cluster: `audit.storage` is `{}`; say where it is: `[audit.cluster]` with `url`", self.storage.as_str()));
        }
        if let Some(days) = self.retention_days {
            super::check_days("audit.retention_days", days)?;
        }
        for body in &self.event_types {
            super::check(body).map_err(|(field, e)| format!("audit.event_types: `{}`: {field}: {e}", body.name))?;
        }
        self.retention.check()
    }
}
