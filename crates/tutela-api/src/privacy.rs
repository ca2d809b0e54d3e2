use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::SubjectRef;

/// A use of personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Purpose {
    /// By which it is known, 1 to 100 of `a-z 0-9 . _ -`: a use in Fideslang's words where there is one, `marketing.advertising`.
    pub name: String,
    /// For people, in a few words.
    pub title: String,
    /// For people, in a sentence or two.
    #[serde(default)]
    pub description: String,
    /// `consent`, `contract`, `legal_obligation`, `vital_interests`, `public_task` or `legitimate_interests` (GDPR Art. 6(1)).
    pub basis: String,
    /// The ground of Art. 9(2), where special categories are among the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub special_basis: Option<String>,
    /// Whether it is asked for where no purpose is named.
    #[serde(default)]
    pub required: bool,
    /// Whether data is sold or shared for it (Cal. Civ. Code 1798.140): an opt-out or `Sec-GPC` ends it.
    #[serde(default)]
    pub sells: bool,
    /// Categories of data, in Fideslang's words.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Who gets data for it.
    #[serde(default)]
    pub recipients: Vec<Recipient>,
    /// For how many days data is kept for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// What people are told of it.
    pub notice: Notice,
}

/// Somebody who gets data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Recipient {
    /// Who.
    pub name: String,
    /// Where (ISO 3166-1, two letters).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// What people are told, in one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Notice {
    /// Its version, `2026-11`.
    pub version: String,
    /// The words, 1 to 20,000 characters.
    pub text: String,
    /// The language that they are in; `en` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Whether consent to earlier versions holds no more.
    #[serde(default)]
    pub renew: bool,
}

/// A purpose as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeptPurpose {
    /// All of it.
    #[serde(flatten)]
    pub purpose: Purpose,
    /// SHA-256 of the notice's text, in hexadecimal.
    pub notice_hash: String,
    /// When it was set (RFC 3339).
    pub changed_at: String,
    /// When it was taken out of use.
    pub retired_at: Option<String>,
}

/// What somebody says to purposes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewConsent {
    /// Who.
    pub subject: SubjectRef,
    /// To which purposes; all required ones where absent.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// `given`, `refused` or `withdrawn`.
    pub said: String,
    /// How: `form`, `phone`, `paper` …, 1 to 40 characters; `api` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

/// What the person who is signed in says to purposes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnConsent {
    /// To which purposes; all required ones where absent.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// `given`, `refused` or `withdrawn`.
    pub said: String,
}

/// What somebody has said last to a purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Consent {
    /// The purpose.
    pub purpose: String,
    /// `given`, `refused` or `withdrawn`.
    pub said: String,
    /// To which version of its notice.
    pub notice_version: String,
    /// When (RFC 3339).
    pub said_at: String,
    /// The receipt's id: `GET /v1/consents/receipts/{id}`.
    pub receipt: String,
}

/// A receipt that checks offline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedReceipt {
    /// What was said, with the fields of ISO/IEC TS 27560.
    pub receipt: Value,
    /// A signed note (C2SP) over the SHA-256 of the receipt in canonical JSON (RFC 8785).
    pub note: String,
}

/// Whether something may be done with somebody's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsentQuestion {
    /// Whose.
    pub subject: SubjectRef,
    /// For which purposes; all required ones where absent.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// Whether their browser sent `Sec-GPC: 1`.
    #[serde(default)]
    pub gpc: bool,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsentAnswer {
    /// Whether all of it may be done.
    pub allowed: bool,
    /// What may not, and why.
    pub missing: Vec<MissingConsent>,
    /// Where the person can give consent.
    pub give_at: String,
}

/// A purpose that somebody's data may not be used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MissingConsent {
    /// The purpose.
    pub purpose: String,
    /// For people.
    pub title: String,
    /// `consent_missing`, `refused`, `objected`, `opted_out` or `restricted`.
    pub why: String,
    /// What they would say yes to.
    pub notice: Notice,
}

/// What is switched on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PrivacySettings {
    /// Whether consent is waited for where it is the ground.
    pub consent_required: bool,
    /// What people may ask for.
    pub data_subject_rights: DataSubjectRights,
}

/// What people may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DataSubjectRights {
    /// What is held about them (Art. 15).
    pub access: bool,
    /// That it is put right (Art. 16).
    pub rectification: bool,
    /// That it goes (Art. 17).
    pub erasure: bool,
    /// That they get it to take along (Art. 20).
    pub portability: bool,
}

/// The record of processing (Art. 30(1) GDPR), as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProcessingRecord {
    /// When it was made, RFC 3339.
    pub made_at: String,
    /// Who is responsible.
    pub controller: String,
    /// How they are reached.
    pub contact: String,
    /// What data is used for.
    pub activities: Vec<ProcessingActivity>,
    /// How it is protected, in general words.
    pub measures: Vec<String>,
    /// What the record cannot say, or what does not fit together.
    pub gaps: Vec<crate::PlanFinding>,
}

/// Something that data is used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProcessingActivity {
    /// The purpose.
    pub purpose: String,
    /// For people.
    pub title: String,
    /// The ground of Art. 6(1).
    pub ground: String,
    /// The ground of Art. 9(2), where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub special_ground: Option<String>,
    /// Categories of data.
    pub categories: Vec<String>,
    /// Collections of the operator's stores that hold such data.
    pub places: Vec<String>,
    /// Who gets it, and where they are.
    pub recipients: Vec<Recipient>,
    /// For how long it is kept; as long as the account lives where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// Whether it is sold or shared for this.
    pub sold_or_shared: bool,
    /// The version of the notice that people see.
    pub notice_version: String,
    /// Uses that applications reported within 90 days.
    pub uses: u64,
    /// Those of them that had no ground at their moment.
    pub uses_without_ground: u64,
}

/// Records of which only what some purposes need is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewProjection {
    /// What they are for.
    pub purposes: Vec<String>,
    /// Which collection they are of, as a map has it: `shop.customer`.
    pub collection: String,
    /// The records, at most 1,000.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub records: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// What is left of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Projection {
    /// The records, each with the fields that the purposes need and those that are about nobody.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub records: Vec<serde_json::Map<String, serde_json::Value>>,
    /// Fields that were left out of any of them.
    pub left_out: Vec<String>,
}
