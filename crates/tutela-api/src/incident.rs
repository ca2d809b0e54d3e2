use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Alerts that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Incident {
    /// Its id.
    pub id: String,
    /// `open`, `acknowledged`, `contained`, `resolved` or `reviewed`.
    pub state: String,
    /// The gravest of its alerts.
    pub level: String,
    /// What its first alert is called.
    pub title: String,
    /// The rules that told of it.
    pub rules: Vec<String>,
    /// Whom and what it is about, by member: `{"ip": ["192.0.2.7"]}`.
    pub about: BTreeMap<String, Vec<String>>,
    /// How many alerts.
    pub alerts: u64,
    /// Since when (RFC 3339).
    pub opened_at: String,
    /// When something was added, or somebody did something.
    pub updated_at: String,
    /// What is to be done about it.
    pub playbook: Option<String>,
}

/// An incident, and what is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IncidentDetail {
    /// The incident.
    #[serde(flatten)]
    pub incident: Incident,
    /// What its playbook is called.
    pub playbook_title: Option<String>,
    /// The steps of its playbook.
    pub steps: Vec<IncidentStep>,
    /// Ids of its events, oldest first: alerts, what followed, what people did. At most 5,000.
    pub events: Vec<String>,
    /// What it can become.
    pub next: Vec<String>,
}

/// A step of a playbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IncidentStep {
    /// By which it is checked off.
    pub id: String,
    /// What is to be done.
    pub title: String,
    /// How, and what to mind.
    pub details: String,
    /// What can be done by a button.
    pub action: Option<String>,
    /// By whom it was done.
    pub done_by: Option<String>,
    /// When (RFC 3339).
    pub done_at: Option<String>,
    /// What came of it.
    pub note: Option<String>,
}

/// An incident that is moved on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MoveIncident {
    /// `acknowledged`, `contained`, `resolved` or `reviewed`; it only goes forward.
    pub state: String,
    /// Why, for the ledger.
    pub reason: String,
}

/// A step that is checked off, or to be done again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetIncidentStep {
    /// Whether it is done.
    pub done: bool,
    /// What came of it, up to 2,000 characters.
    pub note: Option<String>,
}

/// Something to be done about everybody whom an incident names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ContainIncident {
    /// `block_ip`, `disable_client`, `lock_account`, `revoke_session`, `revoke_sessions` or `step_up`.
    pub action: String,
    /// Why, for the ledger.
    pub reason: String,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Contained {
    /// To how many.
    pub done: u64,
    /// To whom it was not done, and why.
    pub refused: Vec<String>,
}

/// Blocks of an incident to be lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UndoIncident {
    /// Why, for the ledger.
    pub reason: String,
}

/// Blocks that were lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Undone {
    /// How many.
    pub lifted: u64,
}
