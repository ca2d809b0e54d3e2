use serde::{Deserialize, Serialize};

/// Totals of events.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Counts {
    /// One entry for each hour, day, type or outcome that has events.
    pub counts: Vec<Count>,
    /// All of them together.
    pub total: u64,
}

/// One total.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Count {
    /// The hour or day (RFC 3339), type or outcome.
    pub key: String,
    /// How many.
    pub events: u64,
}

/// What the server keeps of applications' events.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditSettings {
    /// `ledger`, `elasticsearch` or `opensearch`.
    pub storage: String,
    /// Days that documents stay in the search cluster; days of the class `audit` where there is none.
    pub retention_days: u32,
    /// Names of the context fields that are kept.
    pub fields: Vec<String>,
}

/// How long which events are kept, and how far that came.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Retention {
    /// The rule of each class.
    pub classes: Vec<RetentionClass>,
    /// Everything before this position is deleted for good.
    pub first_position: u64,
    /// How far the class that is kept shortest has expired.
    pub expired: u64,
    /// Holds that keep events at this moment.
    pub holds: u64,
}

/// How long the events of one class are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RetentionClass {
    /// The class.
    pub class: String,
    /// Days.
    pub days: u32,
    /// Which rule says so.
    pub source: String,
    /// Everything of this class before this position is gone.
    pub expired_up_to: u64,
}

/// A hold to place.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewHold {
    /// The case it is for, 1 to 128 bytes.
    pub case: String,
    /// Why, 1 to 1,024 bytes; it goes to the ledger.
    pub reason: String,
    /// What it keeps, in the query language; everything where absent.
    #[serde(default)]
    pub q: String,
    /// When it ends by itself (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<String>,
}

/// A hold on events: what matches is kept whatever its class says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Hold {
    /// Its id.
    pub id: String,
    /// The case.
    pub case: String,
    /// Why.
    pub reason: String,
    /// What it keeps.
    pub q: String,
    /// Since when.
    pub placed_at: String,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<String>,
    /// When it was released.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub released_at: Option<String>,
}

/// A projection of the ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sink {
    /// `elasticsearch` or `opensearch`.
    pub name: String,
    /// Everything before this position is there, or among the dead letters.
    pub cursor: u64,
    /// Entries of the ledger.
    pub size: u64,
    /// Entries that are not there yet.
    pub behind: u64,
    /// Events that it refused for good.
    pub dead_letters: u64,
    /// `following`, `waiting`, or `off` where the configuration no longer names it.
    pub state: String,
    /// Why it waits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// Since when it is in this state.
    pub since: String,
}

/// Whether a projection holds what the ledger holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reconciliation {
    /// Entries that were compared: all before this position.
    pub up_to: u64,
    /// Events of the ledger that should be there.
    pub ledger: u64,
    /// Documents that are there.
    pub cluster: u64,
    /// Ids that are missing there; at most 100.
    pub missing: Vec<String>,
    /// Ids that are there and should not be; at most 100.
    pub extra: Vec<String>,
    /// Ids whose documents are not those of the ledger's events; at most 100.
    pub changed: Vec<String>,
    /// Whether both hold the same.
    pub equal: bool,
}

/// An event that a projection refused for good.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeadLetter {
    /// Position of the event.
    pub position: String,
    /// What the projection said.
    pub reason: String,
    /// When.
    pub refused_at: String,
}

/// How many events retention took out.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Taken {
    /// Events, with the records of batches.
    pub events: u64,
}

/// What became of dead letters that were sent again.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Retried {
    /// Taken.
    pub taken: u64,
    /// Refused again.
    pub refused: u64,
}
