//! Who somebody is and what they may do, as pure rules: accounts, passwords, sessions, tokens,
//! roles and the permission decision.
//!
//! No clock, no randomness of its own, no storage, no HTTP: times and chance come in as
//! arguments, decisions and reasons come out. Start with [`Session`] and [`Roles`].

mod account;
mod client;
pub mod cookie;
mod error;
pub mod event;
mod jwt;
mod password;
mod role;
mod session;
mod token;

pub use account::{Account, AccountState, Email};
pub use client::Client;
pub use error::Error;
pub use jwt::{IdentityClaims, IdentitySigner, LIFE as IDENTITY_LIFE};
pub use password::{Cost, MAX_LENGTH as PASSWORD_MAX, MIN_LENGTH as PASSWORD_MIN, PasswordHash, check_strength};
pub use role::{ADMIN, Denied, Permit, Role, Roles, authorize};
pub use session::{Ended, InvalidTransition, Lifetimes, Session, SessionEndReason};
pub use token::{Token, TokenHash, TokenKind};
