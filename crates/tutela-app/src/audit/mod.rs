//! What the ledger takes of applications' events, and for how long it keeps what it has.

mod config;
mod fields;
mod retention;
mod types;

pub use config::{AuditConfig, ClusterConfig, FieldRule, Keep, Storage, TypesAllowed};
pub(crate) use fields::apply;
pub(crate) use fields::kept;
pub(crate) use retention::check_days;
pub use retention::{ClassRule, RetentionConfig, Rules};
pub use types::{Declared, Origin, builtin_event_types};
pub(crate) use types::{Types, check, is_own_family};
