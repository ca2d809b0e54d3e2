//! Signing in with an account somewhere else: what we ask an outside provider, and what of its answer we believe.
//!
//! ```text
//!   errand (state, nonce, verifier, bound to the browser) --> the provider --> its answer --> checked --> Arrival
//! ```
//! Everything here is bytes and a time in, a decision or a reason out. Who an [`Arrival`] is here, the application
//! decides: a person is (provider, subject), never a mail address (ASVS 6.8.1).

mod call;
pub(crate) mod encoding;
mod metadata;
pub mod oauth2;
pub mod openid;
mod preset;
pub mod saml;
mod settings;

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use tutela_core::{AuthStrength, Timestamp};

pub use call::Call;
pub use encoding::with_query;
pub use metadata::Metadata;
pub use settings::{ClaimNames, ClientAuth, NetworkConfig, Oauth2Config, Oauth2Kind, OpenidConfig, OpenidKind, PeopleConfig, ResponseMode, StrengthConfig};

use crate::{Email, Error};

/// Longest subject that is taken (OpenID Connect Core §2 allows 255 ASCII characters).
const LONGEST_SUBJECT: usize = 255;
/// Most groups that are read of one person.
const MOST_GROUPS: usize = 1_000;

/// Somebody whom an outside provider vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// What the provider calls the person, for good.
    pub subject: String,
    /// Mail address, where it gives one that can be one.
    pub email: Option<Email>,
    /// Whether the provider says that mail arrives there, and is believed.
    pub email_verified: bool,
    /// Name.
    pub name: Option<String>,
    /// Groups there.
    pub groups: BTreeSet<String>,
    /// How strongly the provider proved who this is, as far as that counts here.
    pub strength: AuthStrength,
    /// When the person proved who they are there; where it does not say, when it answered.
    pub auth_time: Timestamp,
    /// What the provider calls its session, where it does.
    pub session: Option<String>,
    /// In SAML, what the provider calls the person in requests to end that session.
    pub handle: Option<Handle>,
}

/// A NameID.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Handle {
    /// Its text.
    pub called: String,
    /// The whole element, as a logout request repeats it.
    pub element: String,
}

/// An answer that is not believed, and why: for the ledger and the operator, not for the page.
pub(crate) fn refused(why: impl Into<String>) -> Error {
    Error::Outside(why.into())
}

/// A text claim.
fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str).filter(|value| !value.is_empty())
}

/// A claim that names a person: a text, or a number as some providers have it.
fn named(claims: &Map<String, Value>, name: &str) -> Option<String> {
    match claims.get(name)? {
        Value::String(value) if !value.is_empty() => Some(value.clone()),
        Value::Number(number) if number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

/// Reads who somebody is from claims that were verified.
fn arrival(claims: &Map<String, Value>, people: &PeopleConfig, subject: String, strength: AuthStrength, auth_time: Timestamp) -> Result<Arrival, Error> {
    let names = &people.claims;
    if subject.len() > LONGEST_SUBJECT || subject.chars().any(char::is_control) {
        return Err(refused("the subject is longer than 255 bytes, or has control characters"));
    }
    for (claim, wanted) in &people.require {
        let has = match claims.get(claim) {
            Some(Value::String(value)) => value == wanted,
            Some(Value::Bool(value)) => value.to_string() == *wanted,
            Some(Value::Array(values)) => values.iter().any(|value| value == wanted.as_str()),
            _ => false,
        };
        if !has {
            return Err(refused(format!("the claim `{claim}` is not what `people.require` asks for")));
        }
    }
    let email = text(claims, names.email()).and_then(|email| Email::parse(email).ok());
    let says_verified = matches!(claims.get(names.email_verified()), Some(Value::Bool(true))) || text(claims, names.email_verified()) == Some("true");
    let groups = match claims.get(names.groups()) {
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).take(MOST_GROUPS).map(str::to_owned).collect(),
        Some(Value::String(one)) => BTreeSet::from([one.clone()]),
        _ => BTreeSet::new(),
    };
    Ok(Arrival {
        subject,
        email_verified: email.is_some() && people.trust_email && says_verified,
        email,
        name: text(claims, names.name()).map(|name| name.chars().take(128).collect()),
        groups,
        strength,
        auth_time,
        session: text(claims, "sid").map(str::to_owned),
        handle: None,
    })
}

#[cfg(test)]
mod tests;
