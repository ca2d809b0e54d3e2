//! Being a provider for the operator's own applications: OAuth 2.0 (RFC 6749 as RFC 9700 leaves it) and OpenID Connect
//! Core 1.0, code flow only.
//!
//! ```text
//!   request --(client known, redirect_uri exact)--> from here on errors go back to the client
//!           --(checked)--> who signs in, how strongly, with whose consent --> code, 60 s, once
//!   code + verifier + client's proof --> tokens --> the same code again: everything that it gave ends
//! ```
//! There is no implicit flow and no password grant.

mod authorize;
mod claims;
mod client_auth;
mod code;
mod redirect;
mod registration;

pub use authorize::{Asked, Authorize, Prompt, Raw};
pub use claims::{About, logout_claims, person_claims};
pub use client_auth::{Presented as ClientProof, check_assertion, read_proof};
pub use code::{AuthorizationCode, CODE_LIFE, Redeem, verifier_fits};
pub use redirect::RedirectUri;
pub use registration::{GrantKind, Registration, SCOPES};

use std::fmt;

/// The words of a list between spaces: scopes, prompts, levels (RFC 6749 §3.3).
pub fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(' ').filter(|word| !word.is_empty())
}

/// An error of the protocol: a code that its specification knows, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub struct Refused {
    /// As registered (RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6).
    pub code: Code,
    /// For whoever builds the client.
    pub description: String,
}

/// Error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The person said no, or may not.
    AccessDenied,
    /// They would have to say yes, and may not be asked.
    ConsentRequired,
    /// The client is not known, or has not proven itself.
    InvalidClient,
    /// The code or refresh token is not good.
    InvalidGrant,
    /// Something is missing, wrong, or there twice.
    InvalidRequest,
    /// The scope is not one that this client may have.
    InvalidScope,
    /// The resource is not one that this client may have tokens for (RFC 8707 §2).
    InvalidTarget,
    /// They would have to sign in, and may not be asked.
    LoginRequired,
    /// `request` is not taken.
    RequestNotSupported,
    /// `request_uri` is not taken.
    RequestUriNotSupported,
    /// A part of this server does not answer.
    TemporarilyUnavailable,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// There is no such grant.
    UnsupportedGrantType,
    /// There is no such flow.
    UnsupportedResponseType,
    /// Tokens of this kind cannot be revoked (RFC 7009 §2.2.1).
    UnsupportedTokenType,
}

impl Code {
    /// As it stands in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::ConsentRequired => "consent_required",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::LoginRequired => "login_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::UnsupportedTokenType => "unsupported_token_type",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

pub(crate) fn refuse(code: Code, description: impl Into<String>) -> Refused {
    Refused { code, description: description.into() }
}
