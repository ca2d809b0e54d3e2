//! One file per family of use cases; each is a function of the app, the context and its input.

pub mod account;
pub mod client;
pub mod event;
pub mod handover;
pub mod health;
pub mod idempotency;
pub mod ledger;
pub mod permission;
pub mod role;
pub mod session;
pub mod setup;
