use std::time::Duration;

use tutela_core::{ClientId, Grants, Timestamp};

use crate::{Error, oauth::Registration};

/// Longest life of an API key.
pub const MAX_LIFE: Duration = Duration::from_secs(366 * 86_400);
const DEFAULT_LIFE: Duration = Duration::from_secs(90 * 86_400);

/// A program that calls the API with a key, or that people sign in to, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// Its name.
    pub name: String,
    /// What its key allows on the API.
    pub scopes: Vec<String>,
    /// Its side of OAuth 2.0 and OpenID Connect.
    pub registration: Option<Registration>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when its key works; `None` where it has none.
    pub expires_at: Option<Timestamp>,
}

impl Client {
    /// A new client; `known` are the permissions that exist.
    pub fn new(
        id: ClientId,
        name: &str,
        scopes: Vec<String>,
        registration: Option<Registration>,
        expires_at: Option<Timestamp>,
        known: &[&str],
        now: Timestamp,
    ) -> Result<Self, Error> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 128 || name.chars().any(char::is_control) {
            return Err(Error::invalid("name", "a name has 1 to 128 characters and no control characters"));
        }
        if (scopes.is_empty() && registration.is_none()) || scopes.len() > 64 {
            return Err(Error::invalid("scopes", format!("a key carries 1 to 64 scopes; known are {}", known.join(", "))));
        }
        if let Some(unknown) = scopes.iter().find(|s| !known.contains(&s.as_str())) {
            return Err(Error::invalid("scopes", format!("`{unknown}` is not a scope; known are {}", known.join(", "))));
        }
        if let Some(registration) = &registration {
            registration.check()?;
            if !scopes.is_empty() && !registration.has_secret() {
                return Err(Error::invalid("scopes", "permissions on the API go with a key of ours, and this client has none"));
            }
        }
        let has_key = registration.as_ref().is_none_or(Registration::has_secret);
        let expires_at = if has_key { Some(key_end(expires_at, now)?) } else { None };
        Ok(Self { id, name: name.to_owned(), scopes, registration, created_at: now, expires_at })
    }

    /// What its key allows at `now`; `None` once it has expired.
    pub fn grants(&self, now: Timestamp) -> Option<Grants> {
        self.expires_at.is_some_and(|end| now < end).then(|| Grants::new(self.scopes.iter().cloned()))
    }
}

/// Until when a key that is made at `now` works.
pub fn key_end(asked: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Error> {
    let end = asked.unwrap_or(now + DEFAULT_LIFE);
    if end <= now || end.since(now) > MAX_LIFE {
        return Err(Error::invalid("expires_at", "a key ends in the future, within 366 days"));
    }
    Ok(end)
}
