//! Limits as pure rules: how many attempts there are, how many requests, in which time, and what follows.
//!
//! No clock, no storage: a bucket and a time come in, the next bucket or a refusal comes out.
//! Start with [`Lockout`] for attempts that fail, and with [`Rate`] for requests, whose numbers a [`Table`] keeps.

mod lockout;
mod rate;
mod table;

pub use lockout::{Bucket, Lockout, Refused};
pub use rate::{Algorithm, Decision, Rate};
pub use table::Table;
