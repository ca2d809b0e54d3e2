//! All SQL of tutela, for SQLite and PostgreSQL, and the one way to change anything: a
//! [`Changeset`], which cannot be built without an event.
//!
//! Promise: when [`Store::commit`] returns `Ok`, the change and its events are durable, together.
//! When it returns an error, nothing of the changeset happened. The store knows no business
//! rules; it never sees a personal field of an event in clear.
//!
//! Start with [`Store`] (`db.rs`), then `changeset.rs`, then the tables.

mod append;
mod backup;
mod changeset;
mod config;
mod db;
mod effect;
mod engine;
mod error;
mod migrate;
mod registry;
mod sql;
mod table;
mod value;
mod verify;

pub use backup::{InstanceRow, Loading};
pub use changeset::{Changeset, Expect, Housekeeping, IndexChange, IndexRow, Record};
pub use config::Config;
pub use db::{Instance, Open, SignerOf, Store};
pub use error::Error;
pub use migrate::{Migration, MigrationState, schema};
pub use registry::registered;
pub use sql::{On, Sql};
pub use table::{
    account::{AccountStanding, AccountWays, PasswordRow, SealedPassword},
    assessment::AccessFacts,
    attempt::AttemptRow,
    authenticator::AuthenticatorRow,
    block::{BLOCKED, BlockRow},
    breach::BreachRow,
    change::Change,
    client::ClientRow,
    control::{AssessmentRow, ControlStateRow, StatementRow},
    data_use::DataUseRow,
    detection::DetectionState,
    detection_rule::DetectionRuleRow,
    epoch::EpochRow,
    erased_name::ErasedNameRow,
    exclusion::ExclusionRow,
    field_policy::FieldPolicyRow,
    hold::HoldRow,
    idempotency::Stored,
    incident::{IncidentRow, IncidentStepRow},
    job::JobRow,
    key_backup::KeyBackupRow,
    key_job::KeyJobRow,
    key_version::{KeyVersionRow, Sealed},
    ledger::{HourTotal, LogRow, Position},
    link::{LinkRow, NewLink},
    message::MessageRow,
    oauth::{ClientConsentRow, ToldRow},
    outside::{OutsideRow, OutsideSessionRow},
    privacy::{ConsentRow, PurposeRow},
    refresh::RefreshBrought,
    search::{Bounds, Match, TokensOf},
    session::SessionView,
    sign_in::SignInRow,
    signing_key::SigningKeyRow,
    sink::{DeadLetterRow, SinkRow},
    subject_key::{SubjectKeyRow, SubjectTagRow},
    subject_request::{PrivacyHoldRow, SubjectRequestRow},
};
pub use verify::{Report, Verification};
