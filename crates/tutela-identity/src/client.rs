use std::time::Duration;

use tutela_core::{ClientId, Grants, Timestamp};

use crate::Error;

/// Longest life of an API key.
pub const MAX_LIFE: Duration = Duration::from_secs(366 * 86_400);
const DEFAULT_LIFE: Duration = Duration::from_secs(90 * 86_400);

/// A program that calls the API with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// Its name.
    pub name: String,
    /// What its key allows.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when its key works.
    pub expires_at: Timestamp,
}

impl Client {
    /// A new client; `known` are the permissions that exist.
    pub fn new(id: ClientId, name: &str, scopes: Vec<String>, expires_at: Option<Timestamp>, known: &[&str], now: Timestamp) -> Result<Self, Error> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 128 || name.chars().any(char::is_control) {
            return Err(Error::invalid("name", "a name has 1 to 128 characters and no control characters"));
        }
        if scopes.is_empty() || scopes.len() > 64 {
            return Err(Error::invalid("scopes", format!("a key carries 1 to 64 scopes; known are {}", known.join(", "))));
        }
        if let Some(unknown) = scopes.iter().find(|s| !known.contains(&s.as_str())) {
            return Err(Error::invalid("scopes", format!("`{unknown}` is not a scope; known are {}", known.join(", "))));
        }
        let expires_at = expires_at.unwrap_or(now + DEFAULT_LIFE);
        if expires_at <= now || expires_at.since(now) > MAX_LIFE {
            return Err(Error::invalid("expires_at", "a key ends in the future, within 366 days"));
        }
        Ok(Self { id, name: name.to_owned(), scopes, created_at: now, expires_at })
    }

    /// What its key allows at `now`; `None` once it has expired.
    pub fn grants(&self, now: Timestamp) -> Option<Grants> {
        (now < self.expires_at).then(|| Grants::new(self.scopes.iter().cloned()))
    }
}
