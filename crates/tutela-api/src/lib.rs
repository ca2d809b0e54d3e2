//! The request and response types of tutela's HTTP API, and nothing else.
//!
//! Server, command line and Rust client share them, so a field is named once.
//! Types here hold no logic: what a value means is decided in `tutela-app`.
//! With the feature `openapi` each type also describes itself for OpenAPI 3.1.

mod account;
mod breach;
mod client;
mod compliance;
mod crypto;
mod detection;
mod event;
mod event_type;
mod federation;
mod gateway;
mod incident;
mod key;
mod ledger;
mod oauth;
mod page;
mod permission;
mod privacy;
mod problem;
mod session;
mod sign_in;
mod subject_request;

pub use account::*;
pub use breach::*;
pub use client::*;
pub use compliance::*;
pub use crypto::*;
pub use detection::*;
pub use event::*;
pub use event_type::*;
pub use federation::*;
pub use gateway::*;
pub use incident::*;
pub use key::*;
pub use ledger::*;
pub use oauth::*;
pub use page::*;
pub use permission::*;
pub use privacy::*;
pub use problem::*;
pub use session::*;
pub use sign_in::*;
pub use subject_request::*;
