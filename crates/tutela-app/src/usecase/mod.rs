//! One file per family of use cases; each is a function of the app, the context and its input.

pub mod account;
pub mod backup;
pub mod client;
pub mod crypto;
pub mod crypto_record;
mod crypto_tally;
pub mod epoch;
pub mod erasure_journal;
pub mod event;
pub mod event_type;
pub mod export;
pub mod handover;
pub mod health;
pub mod hold;
pub mod idempotency;
pub mod instance_restore;
pub mod key;
pub mod key_backup;
mod key_restore;
pub mod ledger;
pub mod permission;
pub mod policy;
pub mod provider;
pub mod retention;
pub mod rewrap;
pub mod role;
pub mod search;
pub mod session;
pub mod setup;
pub mod stream;
pub mod subject;
pub(crate) mod unindex;

pub use key_restore::restore;
