//! Limits as pure rules: how many attempts there are, in which time, and what follows.
//!
//! No clock, no storage: a bucket and a time come in, the next bucket or a refusal comes out.
//! Start with [`Lockout`].

mod lockout;

pub use lockout::{Bucket, Lockout, Refused};
