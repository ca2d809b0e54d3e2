//! The contract of the store, on both engines.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

/// What a commit promises.
mod commit;
/// Epochs, key versions, budgets.
mod keys;
/// The log, its tree, and the verifier over storage.
mod ledger;
/// Opening: migrations, locks, keys.
mod open;
/// Search by tokens, newest first.
mod search;
/// Offences that are counted and answered in their own commit.
mod strike;
