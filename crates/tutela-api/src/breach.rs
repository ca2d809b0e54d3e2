//! The register of breaches of personal data.

use serde::{Deserialize, Serialize};

/// A breach to be entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewBreach {
    /// In a few words, 1 to 200 characters.
    pub title: String,
    /// The incident that showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// Since when it is known (RFC 3339): the clocks run from here. The incident's beginning where there is one, else now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aware_at: Option<String>,
    /// What is known by now.
    #[serde(default)]
    pub facts: BreachFacts,
}

/// What is known of a breach: Art. 33(3) GDPR and 45 CFR 164.404(c) ask for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BreachFacts {
    /// What happened.
    pub nature: String,
    /// Kinds of data, in Fideslang's words.
    pub categories: Vec<String>,
    /// About how many people.
    pub people: Option<u64>,
    /// About how many records.
    pub records: Option<u64>,
    /// What it may lead to.
    pub consequences: String,
    /// What was and will be done.
    pub measures: String,
    /// Who can be asked.
    pub contact: String,
    /// `unknown`, `none` (unlikely to be a risk: the authority is not told), `risk` or `high` (people are told too).
    pub risk: BreachRisk,
    /// Why that.
    pub risk_reason: String,
    /// Whether all of it was sealed under keys that were not lost.
    pub sealed: bool,
    /// Whether it is about health data under HIPAA.
    pub health: bool,
    /// How many of the people live in one state of the USA, at most.
    pub residents: Option<u64>,
}

/// How grave a breach is for the people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum BreachRisk {
    /// Nobody has judged yet.
    #[default]
    Unknown,
    /// Unlikely to be a risk.
    None,
    /// A risk.
    Risk,
    /// A high one.
    High,
}

impl BreachRisk {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::None => "none",
            Self::Risk => "risk",
            Self::High => "high",
        }
    }
}

/// Somebody was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BreachTold {
    /// `authority`, `people`, `secretary` or `media`.
    pub to: String,
    /// When (RFC 3339); now where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The other side's number or address, at most 200 characters.
    #[serde(default)]
    pub reference: String,
    /// Why it was late (Art. 33(1)), where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A breach of personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Breach {
    /// Its id.
    pub id: String,
    /// In a few words.
    pub title: String,
    /// `open` or `closed`.
    pub state: String,
    /// The incident that showed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// Since when it is known (RFC 3339).
    pub aware_at: String,
    /// When it was entered.
    pub opened_at: String,
    /// When it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<String>,
    /// What is known.
    pub facts: BreachFacts,
    /// What a notice has to say and is not known yet.
    pub missing: Vec<String>,
    /// Who has signed what is known now; two have to before anybody is told.
    pub signed_by: Vec<String>,
    /// Who has to be told.
    pub duties: Vec<BreachDuty>,
    /// The notice, drafted from what is known.
    pub draft: String,
}

/// Somebody who has to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BreachDuty {
    /// `authority`, `people`, `secretary` or `media`.
    pub to: String,
    /// The framework that asks for it.
    pub framework: String,
    /// Where it says so.
    pub section: String,
    /// By when (RFC 3339).
    pub due: String,
    /// When it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_at: Option<String>,
    /// Whether it was or is late.
    pub late: bool,
    /// Why it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
