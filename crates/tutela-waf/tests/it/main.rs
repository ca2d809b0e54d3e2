//! Rules against requests that others have written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod crs; // the OWASP Core Rule Set and its tests
mod engine; // what no set of rules may be led to
mod gotestwaf; // attacks and harmless texts, through every encoder and place
mod own; // our own rules and theirs
mod rules; // what they share
mod stock; // what operators of ModSecurity have already
