//! Who somebody is and what they may do, as pure rules: accounts, passwords, sessions, tokens,
//! roles and the permission decision.
//!
//! No clock, no randomness of its own, no storage, no HTTP: times and chance come in as
//! arguments, decisions and reasons come out. Start with [`Session`], [`sign_in`] and [`access`].

pub mod access;
mod account;
pub mod authenticator;
mod client;
pub mod cookie;
pub mod device;
mod error;
pub mod event;
pub mod federation;
pub mod jwt;
pub mod oauth;
pub mod password;
mod proof;
mod refresh;
mod role;
mod session;
pub mod sign_in;
mod token;

pub use account::{Account, AccountState, Email, display_name};
pub use client::{Client, key_end};
pub use error::Error;
pub use jwt::{AccessClaims, Algorithm, Claims, IDENTITY_LIFE, IdentityClaims, JwkSet, TokenKeys};
pub use password::{
    Breached, Cost, MAX_LENGTH as PASSWORD_MAX, MIN_LENGTH as PASSWORD_MIN, PasswordAge, PasswordHash, PasswordPolicy, Profile, Strength, check_strength,
};
pub use proof::{Assurance, AuthenticatorKind, Proof};
pub use refresh::{Holder, Presented, REPEAT, Refresh, successor};
pub use role::{ADMIN, Denied, Permit, Role, authorize};
pub use session::{Ended, InvalidTransition, Life, Session, SessionConfig, SessionEndReason, TOKENS};
pub use token::{Token, TokenHash, TokenKind, keyed_hash};
