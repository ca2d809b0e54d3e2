//! Whether what laws and standards ask for holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ResourceRef, SubjectRef};

/// How everything stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Compliance {
    /// When it was collected, RFC 3339.
    pub collected_at: String,
    /// The frameworks that are switched on.
    pub frameworks: Vec<FrameworkStatus>,
    /// Settings that contradict one of them.
    pub conflicts: Vec<ComplianceConflict>,
    /// What the configuration allows that the standards would not.
    pub weakened: Vec<String>,
    /// How many entries the ledger had.
    pub checkpoint: String,
}

/// How a law or standard stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FrameworkStatus {
    /// `gdpr`, `hipaa`, `pci-dss` or `ccpa`.
    pub key: String,
    /// Its name.
    pub title: String,
    /// Where it stands.
    pub source: String,
    /// Controls that hold.
    pub passed: u64,
    /// Controls that do not.
    pub failed: u64,
    /// Controls that there is nothing to judge by.
    pub without_data: u64,
    /// Controls that somebody has to attest to.
    pub manual: u64,
    /// Each of them.
    pub controls: Vec<ControlStatus>,
}

/// How a control stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ControlStatus {
    /// By which it is known in addresses.
    pub id: String,
    /// The law's or standard's own number.
    pub number: String,
    /// What it comes to.
    pub title: String,
    /// `automatic`, `half` or `manual`.
    pub kind: String,
    /// Who answers for it.
    pub owner: String,
    /// `pass`, `fail`, `no_data`, `manual` or `not_applicable`.
    pub outcome: String,
    /// Why.
    pub why: String,
    /// What somebody states by attesting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attests: Option<String>,
    /// What was found.
    pub findings: Vec<ControlFinding>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ControlFinding {
    /// The check.
    pub check: String,
    /// `pass`, `fail` or `no_data`.
    pub outcome: String,
    /// Why, and what to change.
    pub why: String,
    /// What was counted.
    pub counts: BTreeMap<String, u64>,
    /// Ids or places that it was judged by, at most ten.
    pub samples: Vec<String>,
    /// How the same can be seen: a query, a setting, a command.
    pub source: String,
}

/// A setting that contradicts a framework.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComplianceConflict {
    /// The framework.
    pub framework: String,
    /// The control's number.
    pub number: String,
    /// The setting.
    pub setting: String,
    /// What it is, and what it has to be.
    pub why: String,
    /// What to write.
    pub change: String,
}

/// What an application counts on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComplianceSettings {
    /// The frameworks that are switched on.
    pub frameworks: Vec<String>,
    /// Days by kind of data, as configured.
    pub data_retention: BTreeMap<String, u32>,
    /// Factors that a person has proven before they reach guarded data; 1 where no framework asks for more.
    pub factors: u32,
    /// Seconds without use after which a session ends.
    pub idle: u32,
    /// The most that a framework allows; nothing where none asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<u32>,
}

/// A use of somebody's data, for the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewDataUse {
    /// `data_processing`, `data_access`, `secure_access`, or a type that was declared.
    pub event_type: String,
    /// Whose data.
    pub subject: SubjectRef,
    /// What kind of data: a category in Fideslang's words (`user.contact`), or a short word (`personal`, `health`, `payment`).
    pub data_type: String,
    /// For what: a purpose that is registered, a use in Fideslang's words (`essential.service`), or a short word (`service_delivery`).
    pub purpose: String,
    /// What was read or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceRef>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<Map<String, Value>>,
}
