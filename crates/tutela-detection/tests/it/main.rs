//! Rules of ours and of others, through the engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod convert; // one rule, two spellings
mod exactness; // windows against what is true
mod labelled; // events whose answers others have given
mod own; // our own rules and their tests
mod sigma; // rules that others have written
