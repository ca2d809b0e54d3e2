//! The engine from outside: what must open, and what must not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod attacks; // ciphertexts that a weaker format would open
mod records; // fields of records
mod shared_vectors; // messages and records of the second implementation
