//! What people ask for about their data, and how far it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{SignedReceipt, SubjectRef};

/// Something that a person asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewSubjectRequest {
    /// Whose data.
    pub subject: SubjectRef,
    /// `gdpr` or `ccpa`; `gdpr` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub law: Option<String>,
    /// GDPR: `access`, `rectification`, `erasure`, `portability`, `restriction`, `objection`. CCPA: `do_not_sell`, `access`, `delete`, `correct`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it becomes (rectification, correct): values by category (`user.contact.email`) or by place (`shop.customer.email`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub corrections: BTreeMap<String, Value>,
    /// To which purposes (objection); to all that may be objected to where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purposes: Vec<String>,
    /// Where the answer is told of by mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
}

/// Something that the person who is signed in asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnSubjectRequest {
    /// `gdpr` or `ccpa`; `gdpr` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub law: Option<String>,
    /// As in `NewSubjectRequest`.
    #[serde(rename = "type")]
    pub kind: String,
    /// As in `NewSubjectRequest`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub corrections: BTreeMap<String, Value>,
    /// As in `NewSubjectRequest`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purposes: Vec<String>,
}

/// A request, and how far it is. Nothing in it says whose it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubjectRequest {
    /// Its id.
    pub id: String,
    /// `gdpr` or `ccpa`.
    pub law: String,
    /// In the law's word.
    #[serde(rename = "type")]
    pub kind: String,
    /// `pending` (not begun, or a store has to be asked first), `waiting` (for approval), `running`, `partial` (a store does not answer and is tried again), `stopped` (something speaks against it: see `problems`), `completed`, `refused`.
    pub status: String,
    /// When it came (RFC 3339).
    pub received_at: String,
    /// The day by which that is confirmed (`yyyy-mm-dd`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm_by: Option<String>,
    /// The day by which it is answered.
    pub answer_by: String,
    /// The day by which an extension would have to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extend_by: Option<String>,
    /// Where the law says so.
    pub section: String,
    /// When it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<String>,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_try_at: Option<String>,
    /// All else.
    #[serde(flatten)]
    pub progress: RequestProgress,
}

/// How far a request is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RequestProgress {
    /// How it is known whose data it is about: `account` (they were signed in), `mail` (they followed a link that was sent to them), `staff` (an application or a member of staff says so), `restore` (they were erased before a store came back from a backup).
    pub identified_by: String,
    /// What was done.
    pub steps: Vec<RequestStep>,
    /// What stays, and why.
    pub kept: Vec<KeptData>,
    /// What speaks against it, or is left.
    pub problems: Vec<PlanFinding>,
    /// What is done otherwise than one might think, and why.
    pub notes: Vec<PlanFinding>,
    /// Why it was refused or extended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the time was extended.
    pub extended: bool,
    /// Whether somebody has approved.
    pub approved: bool,
    /// The signed confirmation; it checks offline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<SignedReceipt>,
    /// Until when there is a package to fetch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_until: Option<String>,
}

impl RequestProgress {
    /// Whether anything was changed or erased: reading alone is no beginning.
    pub fn is_begun(&self) -> bool {
        self.steps.iter().any(|step| step.done != "read")
    }
}

/// A store came back from a backup: those who were erased since are erased again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewErasureReplay {
    /// The store, as `[privacy.stores]` names it.
    pub store: String,
    /// When the backup was made (RFC 3339).
    pub taken_at: String,
    /// Only looks.
    #[serde(default)]
    pub dry_run: bool,
}

/// Who was found again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErasureReplay {
    /// Names that were erased since the backup, and were looked for.
    pub names: u64,
    /// Values that were looked at.
    pub values: u64,
    /// People who are there again.
    pub people: u64,
    /// The requests that erase them; none of a look alone.
    pub requests: Vec<String>,
}

/// Something that was done in a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RequestStep {
    /// The store; `tutela` for our own.
    pub store: String,
    /// The table, resource or folder.
    pub collection: String,
    /// `deleted`, `masked`, `changed`, `read`, `set`.
    pub done: String,
    /// How many rows or objects.
    pub rows: u64,
    /// When (RFC 3339); absent in a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// Something that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeptData {
    /// `dataset.collection`, or with the field.
    pub place: String,
    /// How many rows.
    pub rows: u64,
    /// The law and section.
    pub article: String,
    /// In words.
    pub reason: String,
    /// The last day; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The hold that keeps it; absent where the map says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
}

/// A finding of a plan or of a map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanFinding {
    /// Dataset, collection, field.
    pub place: String,
    /// What it is, and what can be done.
    pub why: String,
}

/// What erasing somebody would come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErasurePlan {
    /// What would be done, in order.
    pub steps: Vec<RequestStep>,
    /// What would stay, and why.
    pub kept: Vec<KeptData>,
    /// What speaks against it; nothing is touched while there is any.
    pub problems: Vec<PlanFinding>,
    /// What is done otherwise than one might think, and why.
    pub notes: Vec<PlanFinding>,
}

/// Why something is done with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RequestReason {
    /// In words, for the person and the ledger: 1 to 500 characters.
    pub reason: String,
}

/// A store, as it is mapped and as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DataStoreStatus {
    /// Its section of `[privacy.stores]`.
    pub name: String,
    /// `tables`, `objects` or `service`.
    pub kind: String,
    /// Whether it answers; why not where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Mapped collections.
    pub collections: u64,
    /// Where map and store differ, and what the map cannot mean.
    pub findings: Vec<PlanFinding>,
}

/// Something that is kept of somebody though they ask for erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewPrivacyHold {
    /// Whose data.
    pub subject: SubjectRef,
    /// What: `dataset.collection`, `dataset.collection.field`, or `*` for all of it.
    pub place: String,
    /// The law and section.
    pub article: String,
    /// Why, in words that the person may read.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day (`yyyy-mm-dd`); until somebody releases it where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// A hold as it is kept; nothing in it says whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PrivacyHold {
    /// Its id.
    pub id: String,
    /// What.
    pub place: String,
    /// The law and section.
    pub article: String,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Since when (RFC 3339).
    pub placed_at: String,
    /// The last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// When it was released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<String>,
}

/// Data of a person in a form that another program reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubjectExport {
    /// The schema that it follows: its address ends with its version.
    #[serde(rename = "$schema")]
    pub schema: String,
    /// When it was made (RFC 3339).
    pub made_at: String,
    /// Records by section, as the maps name them.
    pub sections: BTreeMap<String, Vec<ExportedRecord>>,
}

/// A record of an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExportedRecord {
    /// Where it is from: `dataset.collection`.
    pub from: String,
    /// What stands in it.
    pub data: serde_json::Map<String, Value>,
}

/// Rows of the operator's own data whose time is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExpiredData {
    /// `dataset.collection`.
    pub place: String,
    /// The class of `[compliance.data_retention]`.
    pub class: String,
    /// Days that it is kept; absent where the class is not configured.
    pub days: Option<u32>,
    /// Rows whose time is over, up to 10,000.
    pub expired: u64,
    /// Rows that went.
    pub gone: u64,
    /// Rows that a map or a hold keeps, or that something speaks against.
    pub kept: u64,
    /// Why nothing could be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}
