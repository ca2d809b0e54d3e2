//! Use cases with a clock that only the test moves, on both engines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

/// Erased people: index and ledger.
mod erasure;
/// Rows that somebody wrote to the database.
mod forged;
/// An application without a network around it.
mod house;
/// Signing in under attack: guesses, thieves, lost answers.
mod people;
/// What administrators may do to whom, and what a session or an address that is not one's own is worth.
mod powers;
/// What goes when, what stays, and what `verify` says of it.
mod retention;
/// Codes by text message.
mod sms;
/// Every switch of identity's configuration, for every value.
mod switches;
/// What no event tells by itself.
mod watch;
