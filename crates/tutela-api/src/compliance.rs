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
    /// Controls that do not concern this installation, by decision.
    pub not_applicable: u64,
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
    /// What people state of it that is not over, and what waits to be approved.
    pub statements: Vec<ControlStatement>,
    /// Since when assessments found it so (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// What somebody states of a control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewControlStatement {
    /// `gdpr`, `hipaa`, `pci-dss`, `ccpa`, or a framework of the operator's.
    pub framework: String,
    /// The control's id in it.
    pub control: String,
    /// `attestation` (what no check sees is so), `exception` (it does not hold and is accepted for a time), `not_applicable` (it does not concern this installation). The last two count once somebody else has approved them.
    pub kind: String,
    /// Who answers for it, 1 to 200 characters.
    pub owner: String,
    /// Where it is written: a name or an address, at most 500 characters; an attestation needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// Why, 1 to 500 characters; an exception and what is not applicable need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The last day on which it counts (`yyyy-mm-dd`), at most two years from now.
    pub until: String,
}

/// What somebody has stated of a control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ControlStatement {
    /// Its id.
    pub id: String,
    /// The framework.
    pub framework: String,
    /// The control's id.
    pub control: String,
    /// `attestation`, `exception` or `not_applicable`.
    pub kind: String,
    /// `counts`, `waits` (for somebody else to approve it), `over` (its time has passed) or `withdrawn`.
    pub state: String,
    /// Who answers for it.
    pub owner: String,
    /// Where it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who made it.
    pub made_by: String,
    /// When (RFC 3339).
    pub made_at: String,
    /// The last day on which it counts.
    pub until: String,
    /// Somebody else who approved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

/// What came of looking at everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComplianceScan {
    /// When (RFC 3339).
    pub at: String,
    /// Entries of the ledger that were hashed again.
    pub entries: u64,
    /// The first thing that does not fit; nothing where everything does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flaw: Option<String>,
    /// Stores that were looked through for card numbers, the ledger among them.
    pub looked: u64,
    /// Stores that could not be, and why.
    pub unlooked: Vec<String>,
    /// Places with card numbers in the clear, and in how many rows; the numbers themselves stand nowhere.
    pub card_numbers: BTreeMap<String, u64>,
}

/// What came of requests that were sent through the gateway to see what happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComplianceProbe {
    /// When (RFC 3339).
    pub at: String,
    /// Requests that were sent.
    pub sent: u64,
    /// Those of them that the ledger has no record of.
    pub unrecorded: Vec<String>,
    /// Routes of which it is known whether they let an attack through.
    pub attacked: u64,
    /// Routes that nobody opens without a permission, so that the probe did not.
    pub unreached: Vec<String>,
    /// Routes that let an attack through.
    pub passed: Vec<String>,
    /// By seconds: whether a session opened a page that nobody had used for so long.
    pub idle: BTreeMap<String, bool>,
    /// What could not be probed, and why.
    pub unprobed: Vec<String>,
}

/// An assessment of a framework.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Assessment {
    /// The event with everything that was found.
    pub event: String,
    /// The framework.
    pub framework: String,
    /// When (RFC 3339).
    pub made_at: String,
    /// What gave rise to it: `schedule`, `configuration` or `asked`.
    pub why: String,
    /// SHA-256 of the settings that it judged.
    pub settings_sha256: String,
    /// Controls that held.
    pub passed: u64,
    /// Controls that did not.
    pub failed: u64,
    /// Controls with nothing to judge by.
    pub without_data: u64,
    /// Controls that somebody attests to.
    pub manual: u64,
    /// Controls that do not concern this installation.
    pub not_applicable: u64,
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
    /// Whether card numbers are shown masked but to whoever has to see them.
    pub mask_card_numbers: bool,
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
