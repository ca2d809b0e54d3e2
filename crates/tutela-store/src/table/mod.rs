//! One file per table or family of tables: its statements, and methods named resource first.

pub(crate) mod account;
pub(crate) mod change;
pub(crate) mod client;
pub(crate) mod counter;
pub(crate) mod epoch;
pub(crate) mod erasure_task;
pub(crate) mod event_type;
pub(crate) mod field_policy;
pub(crate) mod hold;
pub(crate) mod idempotency;
pub(crate) mod instance;
pub(crate) mod job;
pub(crate) mod key;
pub(crate) mod key_backup;
pub(crate) mod key_job;
pub(crate) mod key_version;
pub(crate) mod ledger;
pub(crate) mod outbox;
pub(crate) mod retention;
pub(crate) mod role;
pub(crate) mod search;
pub(crate) mod session;
pub(crate) mod setup;
pub(crate) mod sink;
pub(crate) mod subject_key;
