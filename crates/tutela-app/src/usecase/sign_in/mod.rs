//! Signing in, step by step. Every way in ends in [`Flow::advance`], which alone decides what comes next
//! and alone begins a session.
//!
//! ```text
//!   password, passkey -> counted -> verified -> advance -> a session
//!   code, recovery    ->                          |  ^        (begin.rs)
//!                                                 v  |
//!                                    a challenge, an enrolment, a new password
//! ```
//! Wrong, unknown, locked and disabled are one answer, at one cost; the ledger alone learns which.

pub(crate) mod attempts;
mod begin;
mod challenge;
mod enrol;
mod passkey;
mod password;
pub(crate) use password::failed;
mod person;
pub(crate) mod send;
mod step_up;

use tutela_core::Secret;
use tutela_identity::{AuthenticatorKind, Session, Token, authenticator::Phone, device::Hints};

pub(crate) use begin::{CameFrom, when_text};
pub(crate) use challenge::check_totp;
pub use challenge::{code, recovery};
pub use enrol::{enrol_passkey, enrol_totp, offer_passkey as offer_passkey_enrolment, offer_totp};
pub use passkey::{finish_passkey, offer_passkey, offer_passkey_as_second};
pub use password::{new_password, password, password_again};
pub(crate) use person::{Person, unseal_passkeys};
pub use send::send_code;
pub(crate) use step_up::permit_fresh;
pub use step_up::{Needed, require_fresh, step_up};

pub(crate) use begin::Flow;

use crate::{App, Ctx, Error, federation::Button};

/// What a refused person reads, whatever the reason.
pub const REFUSED: &str = "The address or the password is not right.";
/// What a person reads whose code was refused, whatever the reason.
pub const CODE_REFUSED: &str = "The code is not right, or too old.";

/// The browser or application that somebody signs in with.
#[derive(Clone)]
pub struct Visitor {
    /// The host the session is for, or `tokens`.
    pub host: String,
    /// The device it says it is.
    pub device: Option<std::sync::Arc<Token>>,
    /// What it says of itself.
    pub hints: Hints,
    /// Whom tokens are for, where the session is for tokens.
    pub audience: String,
}

/// Where a sign-in stands after a step.
pub enum Progress {
    /// A session has begun, or was made stronger.
    Done(Box<SignedIn>),
    /// Something is still asked for.
    Next(Box<Pending>),
}

/// A session, and what the browser keeps of it.
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Its token, once.
    pub token: Token,
    /// The device's token, where the browser does not have it yet.
    pub device: Option<Token>,
    /// The first refresh token of a session for tokens, and whom they are for.
    pub refresh: Option<Token>,
    /// Whom tokens are for.
    pub audience: String,
    /// Recovery codes that were made on the way, to be shown once.
    pub recovery_codes: Vec<Secret<String>>,
}

/// A sign-in that is not over.
pub struct Pending {
    /// Its token; none where the browser has it already.
    pub token: Option<Token>,
    /// What is asked for.
    pub next: Next,
    /// Mail address and phone that codes can be sent to, with what is secret of them left out.
    pub email: String,
    /// As `email`.
    pub phone: Option<String>,
    /// By which way a code was sent that is still good.
    pub sent: Option<AuthenticatorKind>,
    /// Whether the device can be remembered.
    pub can_remember: bool,
    /// Whether a session is there and is to be made stronger.
    pub step_up: bool,
    /// Outside providers that the account is known at.
    pub outside: Vec<Button>,
}

/// What a sign-in asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// One of these.
    Challenge(Vec<AuthenticatorKind>),
    /// To set up one of these.
    Enrol(Vec<AuthenticatorKind>),
    /// To choose another password, and why.
    NewPassword(String),
    /// Nothing: somebody else has to help.
    Stuck,
}

/// `a…@example.com`: enough for its owner to know it.
fn masked_mail(email: &str) -> String {
    let (local, domain) = email.rsplit_once('@').unwrap_or((email, ""));
    format!("{}…@{domain}", local.chars().take(1).collect::<String>())
}

/// A phone with all but its last digits hidden.
pub fn masked_phone(phone: &str) -> String {
    Phone::parse(phone).map_or_else(|_| "…".to_owned(), |phone| phone.masked())
}

/// Where a sign-in under way stands.
pub async fn look(app: &App, ctx: &Ctx, visitor: &Visitor, token: &str) -> Result<Pending, Error> {
    Ok(Flow::resume(app, ctx, visitor, token).await?.standing())
}
