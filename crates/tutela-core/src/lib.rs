//! The words every other crate speaks: ids, time, events, principals and the three seams.
//!
//! This crate does no I/O. It is the only one that reads the real clock and the system's
//! random source, and only in [`SystemEnv`]; everything else takes both as arguments.
//!
//! Start with [`Event`] (what happened), [`Principal`] (who asks) and [`seam`] (where the
//! floors above plug into each other without knowing each other).

mod card;
mod env;
mod error;
mod event;
mod event_type;
mod id;
pub mod mapping;
mod principal;
pub mod seam;
mod secret;
mod span;
mod time;

pub use card::{card_numbers, digit_run, has_card_number};
pub use env::{Env, Random, SystemEnv, random_bytes};
pub use error::ErrorKind;
pub use event::{Actor, Event, Occurrence, Outcome, Request, Resource, Severity, Source, Subject};
pub use event_type::{Class, EventType, Field};
pub use id::{
    AccountId, AlertId, AuthenticatorId, BlockId, BreachId, ClientId, DeviceId, EventId, ExclusionId, GrantId, HoldId, IncidentId, JobId, KeyId, LinkId,
    MessageId, OutsideId, RequestId, SessionId, SignInId, StatementId, SubjectRequestId,
};
pub use mapping::Mapping;
pub use principal::{AuthStrength, Grants, Principal, permission_covers};
pub use secret::{Pii, Secret};
pub use span::Span;
pub use time::Timestamp;
