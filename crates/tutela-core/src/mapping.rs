//! What an event is called in the two schemas that SIEMs read: OCSF (class and activity) and the
//! Elastic Common Schema (category and type). The constants are the pairs that are in use.

/// The names of an event type in OCSF 1.9 and ECS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// OCSF `class_uid`; its thousands are the category.
    pub class_uid: u32,
    /// OCSF `activity_id` within the class; 99 is "other".
    pub activity_id: u8,
    /// ECS `event.category`.
    pub category: &'static str,
    /// ECS `event.type`.
    pub kind: &'static [&'static str],
}

const fn to(class_uid: u32, activity_id: u8, category: &'static str, kind: &'static [&'static str]) -> Mapping {
    Mapping { class_uid, activity_id, category, kind }
}

/// OCSF "other" activity.
pub const OTHER: u8 = 99;

// === Authentication (3002) and sessions ===
/// Somebody signed in, or tried to.
pub const LOGON: Mapping = to(3002, 1, "authentication", &["start"]);
/// A session ended.
pub const LOGOFF: Mapping = to(3002, 2, "authentication", &["end"]);
/// A session was let into another host.
pub const TICKET: Mapping = to(3002, 4, "authentication", &["start"]);

// === Accounts (3001): deprecated by 1.9.0-dev in favour of 3007, which is not final ===
/// An account was made.
pub const ACCOUNT_CREATE: Mapping = to(3001, 1, "iam", &["user", "creation"]);
/// An account was switched on again.
pub const ACCOUNT_ENABLE: Mapping = to(3001, 2, "iam", &["user", "change"]);
/// An account was deleted.
pub const ACCOUNT_DELETE: Mapping = to(3001, 6, "iam", &["user", "deletion"]);
/// Attempts at an account were locked.
pub const ACCOUNT_LOCK: Mapping = to(3001, 9, "iam", &["user", "change"]);
/// The locks of an account were lifted.
pub const ACCOUNT_UNLOCK: Mapping = to(3001, 12, "iam", &["user", "change"]);
/// An account was switched off.
pub const ACCOUNT_DISABLE: Mapping = to(3001, 5, "iam", &["user", "change"]);
/// The owner changed a password.
pub const PASSWORD_CHANGE: Mapping = to(3001, 3, "iam", &["user", "change"]);
/// A second factor was set up.
pub const MFA_ENABLE: Mapping = to(3001, 10, "iam", &["user", "change"]);
/// A second factor was removed.
pub const MFA_DISABLE: Mapping = to(3001, 11, "iam", &["user", "change"]);
/// A password was set.
pub const PASSWORD_RESET: Mapping = to(3001, 4, "iam", &["user", "change"]);
/// Something else about an account was set.
pub const ACCOUNT_CHANGE: Mapping = to(3001, OTHER, "iam", &["user", "change"]);
/// What an account may do was changed.
pub const ROLES_ASSIGN: Mapping = to(3005, 3, "iam", &["user", "change"]);

/// What an account may do was taken back.
pub const ROLES_REVOKE: Mapping = to(3005, 2, "iam", &["user", "change"]);

// === Entities (3004): keys, policies, clients, settings ===
/// A thing was made.
pub const ENTITY_CREATE: Mapping = to(3004, 1, "configuration", &["creation"]);
/// A thing was looked at or checked.
pub const ENTITY_READ: Mapping = to(3004, 2, "configuration", &["access"]);
/// A thing was changed.
pub const ENTITY_UPDATE: Mapping = to(3004, 3, "configuration", &["change"]);
/// A thing was deleted or destroyed.
pub const ENTITY_DELETE: Mapping = to(3004, 4, "configuration", &["deletion"]);
/// A thing works again.
pub const ENTITY_ENABLE: Mapping = to(3004, 8, "configuration", &["change"]);
/// A thing stopped working.
pub const ENTITY_DISABLE: Mapping = to(3004, 9, "configuration", &["change"]);

// === Applications and data ===
/// tutela or an application started.
pub const APP_START: Mapping = to(6002, 3, "process", &["start"]);
/// tutela or an application stopped.
pub const APP_STOP: Mapping = to(6002, 4, "process", &["end"]);
/// A call of an interface, of no particular kind.
pub const API_OTHER: Mapping = to(6003, OTHER, "api", &["access"]);
/// A call that was refused.
pub const API_DENIED: Mapping = to(6003, OTHER, "api", &["access", "denied"]);
/// Data was read.
pub const DATA_READ: Mapping = to(6005, 1, "database", &["access"]);
/// Data was changed or used.
pub const DATA_UPDATE: Mapping = to(6005, 2, "database", &["change"]);
/// Data was deleted or made unreadable.
pub const DATA_DELETE: Mapping = to(6005, 7, "database", &["deletion"]);
/// Data was sealed or opened.
pub const DATA_ENCRYPT: Mapping = to(6005, 9, "database", &["access"]);

// === Findings ===
/// A rule of detection found something.
pub const FINDING: Mapping = to(2004, 1, "intrusion_detection", &["info"]);

// === Network ===
/// A request over HTTP; the activity follows its method.
pub const HTTP: Mapping = to(4002, OTHER, "web", &["access"]);

// === The log itself (1008) ===
/// Entries were deleted by retention.
pub const LOG_DELETE: Mapping = to(1008, 2, "configuration", &["deletion"]);
/// Entries were taken out to be read elsewhere.
pub const LOG_EXPORT: Mapping = to(1008, 3, "configuration", &["access"]);
/// The log was backed up or archived.
pub const LOG_ARCHIVE: Mapping = to(1008, 4, "configuration", &["info"]);
/// Something else happened to the log.
pub const LOG_OTHER: Mapping = to(1008, OTHER, "configuration", &["info"]);
