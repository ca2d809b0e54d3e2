//! Passwords: what may be one, how it is stored, what its hash costs, and whether it is known from a breach.

pub mod breach;
mod estimate;
mod hash;
mod policy;
pub mod tune;

pub(crate) use hash::argon2id;
pub use hash::{Cost, MAX_LENGTH, PasswordHash, normalize};
pub use policy::{Breached, MIN_LENGTH, PasswordAge, PasswordPolicy, Profile, Strength, check_strength};
