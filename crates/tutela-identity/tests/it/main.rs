//! The rules from outside, against what people hold in their hands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

/// Passkeys against authenticators, honest and bent.
mod passkeys;
