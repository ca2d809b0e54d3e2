use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{AccountId, ClientId, SessionId};

/// Who asks. Every use case runs as one.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A signed-in person.
    Account {
        /// Whose account.
        id: AccountId,
        /// The session of this request.
        session: SessionId,
        /// How the person proved who they are.
        strength: AuthStrength,
        /// What the account's roles allow.
        grants: Grants,
    },
    /// Nobody known.
    Anonymous,
    /// A program with an API key.
    Client {
        /// Which client.
        id: ClientId,
        /// The scopes of its key.
        grants: Grants,
    },
    /// Somebody with a shell on the host, through the admin socket.
    Operator {
        /// The peer's user id.
        uid: u32,
    },
    /// tutela itself: a job or a rule, by name.
    System(&'static str),
}

impl Principal {
    /// What this principal is allowed, before any resource is looked at.
    pub fn allows(&self, permission: &str) -> bool {
        match self {
            Self::Account { grants, .. } | Self::Client { grants, .. } => grants.allow(permission),
            Self::Operator { .. } | Self::System(_) => true,
            Self::Anonymous => false,
        }
    }

    /// The account, where a person asks.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Account { id, .. } => Some(*id),
            Self::Anonymous | Self::Client { .. } | Self::Operator { .. } | Self::System(_) => None,
        }
    }

    /// The session, where a person asks.
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Self::Account { session, .. } => Some(*session),
            Self::Anonymous | Self::Client { .. } | Self::Operator { .. } | Self::System(_) => None,
        }
    }
}

/// How strongly a person proved who they are (SP 800-63B-4 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthStrength {
    /// One factor.
    Aal1,
    /// Two factors.
    Aal2,
    /// Two factors, one of them a hardware key that resists phishing.
    Aal3,
}

impl AuthStrength {
    /// As stored, and as `acr` in tokens.
    pub fn acr(self) -> &'static str {
        match self {
            Self::Aal1 => "aal1",
            Self::Aal2 => "aal2",
            Self::Aal3 => "aal3",
        }
    }

    /// From its word; anything unknown is the lowest.
    pub fn parse(word: &str) -> Self {
        match word {
            "aal3" => Self::Aal3,
            "aal2" => Self::Aal2,
            _ => Self::Aal1,
        }
    }
}

/// A set of permissions such as `ledger:read`; `ledger:*` covers a room, `*` covers everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    permissions: BTreeSet<String>,
    denied: BTreeSet<String>,
}

impl Grants {
    /// From a list of permissions.
    pub fn new(permissions: impl IntoIterator<Item = String>) -> Self {
        Self { permissions: permissions.into_iter().collect(), denied: BTreeSet::new() }
    }

    /// The same without what is denied, which wins over everything that grants.
    #[must_use]
    pub fn without(mut self, denied: impl IntoIterator<Item = String>) -> Self {
        self.denied.extend(denied);
        self
    }

    /// Whether `permission` is granted, by its own name, its room or `*`, and not denied by one of them.
    pub fn allow(&self, permission: &str) -> bool {
        covers(&self.permissions, permission) && !touches(&self.denied, permission)
    }

    /// The permissions in alphabetical order, without those of which a part is denied: a list cannot say "all but".
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.permissions.iter().map(String::as_str).filter(|permission| !touches(&self.denied, permission))
    }
}

/// Whether whoever holds `held` may do `wanted`: the same name, its room (`photos:*`), or everything (`*`).
pub fn permission_covers(held: &str, wanted: &str) -> bool {
    held == wanted || held == "*" || held.strip_suffix(":*").is_some_and(|room| wanted.split_once(':').is_some_and(|(name, _)| name == room))
}

/// Whether `permission`, or a part of it where it is `*` or a room, is in the set.
fn touches(set: &BTreeSet<String>, permission: &str) -> bool {
    let part = |denied: &String| permission.strip_suffix(":*").is_some_and(|room| denied.split(':').next() == Some(room));
    covers(set, permission) || (permission == "*" && !set.is_empty()) || set.iter().any(part)
}

fn covers(set: &BTreeSet<String>, permission: &str) -> bool {
    if set.is_empty() {
        return false;
    }
    let room = |room: &str| set.iter().any(|held| held.strip_suffix(":*") == Some(room));
    set.contains(permission) || set.contains("*") || permission.split_once(':').is_some_and(|(name, _)| room(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_covers_its_permissions_and_no_others() {
        let grants = Grants::new(["ledger:*".to_owned()]);
        assert!(grants.allow("ledger:read"));
        assert!(!grants.allow("ledgers:read"));
        assert!(!grants.allow("accounts:read"));
        assert!(!Grants::default().allow("ledger:read"));
        let but = Grants::new(["*".to_owned()]).without(["ledger:*".to_owned()]);
        assert!(!but.allow("ledger:read") && but.allow("accounts:read"));
        // Whoever is denied a part does not hold the whole, and cannot give it.
        let but = Grants::new(["*".to_owned(), "ledger:*".to_owned(), "keys:*".to_owned()]).without(["ledger:export".to_owned()]);
        assert!(!but.allow("*") && !but.allow("ledger:*") && but.allow("ledger:read") && but.allow("keys:*"));
        assert_eq!(but.iter().collect::<Vec<_>>(), ["keys:*"]);
    }
}
