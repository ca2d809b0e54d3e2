//! Named keys: what they may be used for, their versions, and the states these go through.
//!
//! ```text
//!  version (SP 800-57 part 1 §7)            key
//!    active --rotate--> deactivated           active --destroy(reason)--> destroying --wait over--> destroyed
//!      |                    |                   ^                             |
//!      +--mark--> compromised                   +------------- keep ----------+
//!    any state --key destroyed--> destroyed   destroyed: nothing leads back
//! ```
//! An active version seals and opens, a deactivated or compromised one only opens. Exactly one
//! version of an active key is active.

use std::{collections::BTreeSet, time::Duration};

use tutela_core::{KeyId, Timestamp};

use crate::{Error, Suite};

/// Messages that a version may seal with the plain suites: 2^32 (SP 800-38D §8.3).
pub const BUDGET: u64 = 1 << 32;
/// Where a new version is made before the budget is used up.
pub const BUDGET_ROTATE: u64 = 1 << 31;

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Wraps data keys of applications.
    DataKey,
    /// Deterministic messages and fields.
    Deterministic,
    /// Messages and records.
    Encrypt,
    /// Blind indexes.
    Index,
    /// The plain suites.
    Plain,
}

/// State of a whole key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// In use.
    Active,
    /// Will be destroyed; can be kept until then. Neither seals nor opens.
    Destroying,
    /// Gone.
    Destroyed,
}

/// State of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionState {
    /// Seals and opens.
    Active,
    /// Opens, and what it sealed should be sealed again.
    Compromised,
    /// Opens.
    Deactivated,
    /// Gone.
    Destroyed,
}

/// A named key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedKey {
    /// Its id.
    pub id: KeyId,
    /// Its name.
    pub name: String,
    /// What it may be used for.
    pub purposes: BTreeSet<Purpose>,
    /// How messages are sealed where the caller does not say.
    pub suite: Suite,
    /// Whether derived keys may leave.
    pub export: bool,
    /// State.
    pub state: KeyState,
    /// The version that seals.
    pub version: u32,
    /// The oldest version that opens.
    pub min_decryption_version: u32,
    /// How often a new version is made.
    pub rotation: Option<Duration>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the newest version was made.
    pub rotated_at: Timestamp,
    /// When it will be destroyed.
    pub destroy_at: Option<Timestamp>,
}

macro_rules! words {
    ($($type:ident { $($variant:ident = $word:literal),* $(,)? })*) => {$(
        impl $type {
            /// As it stands in storage and in the API.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// From its word.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    )*};
}

words! {
    Purpose { DataKey = "data-key", Deterministic = "deterministic", Encrypt = "encrypt", Index = "index", Plain = "plain" }
    KeyState { Active = "active", Destroying = "destroying", Destroyed = "destroyed" }
    VersionState { Active = "active", Compromised = "compromised", Deactivated = "deactivated", Destroyed = "destroyed" }
}

impl NamedKey {
    /// Checks a new key's name.
    pub fn check_name(name: &str) -> Result<(), &'static str> {
        let fine = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
        if !fine {
            return Err("a key's name has 1 to 64 characters of `a-z 0-9 . _ -`");
        }
        if name.starts_with(KeyId::PREFIX) { Err("a key's name cannot begin with `tky_`, as key ids do") } else { Ok(()) }
    }

    /// Whether the key may do `purpose` now; the text says why not.
    pub fn allow(&self, purpose: Purpose) -> Result<(), String> {
        match self.state {
            KeyState::Active if self.purposes.contains(&purpose) => Ok(()),
            KeyState::Active => Err(format!(
                "the key `{}` is not made for `{}`; its purposes are {}",
                self.name,
                purpose.as_str(),
                self.purposes.iter().map(|p| format!("`{}`", p.as_str())).collect::<Vec<_>>().join(", ")
            )),
            KeyState::Destroying => Err(format!("the key `{}` is about to be destroyed", self.name)),
            KeyState::Destroyed => Err(format!("the key `{}` was destroyed", self.name)),
        }
    }

    /// The purpose that sealing with `suite` needs.
    pub fn purpose_of(suite: Suite) -> Purpose {
        match suite {
            Suite::Aes256Gcm | Suite::ChaCha20Poly1305 => Purpose::Encrypt,
            Suite::Aes256GcmSiv => Purpose::Deterministic,
            Suite::Aes256GcmPlain | Suite::ChaCha20Poly1305Plain => Purpose::Plain,
        }
    }

    /// When a new version is due.
    pub fn next_rotation(&self) -> Option<Timestamp> {
        self.rotation.filter(|_| self.state == KeyState::Active).map(|every| self.rotated_at + every)
    }

    /// A new version, which seals from now on.
    pub fn rotate(mut self, now: Timestamp) -> Result<Self, Error> {
        if self.state != KeyState::Active {
            return Err(Error::Transition("the key is destroyed or about to be; keep it first"));
        }
        self.version = self.version.checked_add(1).ok_or(Error::Transition("the key has had its last version"))?;
        self.rotated_at = now;
        Ok(self)
    }

    /// Destroys it at `at`, unless it is kept before.
    pub fn destroy(mut self, at: Timestamp) -> Result<Self, Error> {
        if self.state != KeyState::Active {
            return Err(Error::Transition("the key is destroyed or about to be"));
        }
        self.state = KeyState::Destroying;
        self.destroy_at = Some(at);
        Ok(self)
    }

    /// Undoes [`NamedKey::destroy`] while it waits.
    pub fn keep(mut self) -> Result<Self, Error> {
        if self.state != KeyState::Destroying {
            return Err(Error::Transition("the key is not about to be destroyed"));
        }
        self.state = KeyState::Active;
        self.destroy_at = None;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> NamedKey {
        let now = Timestamp::from_secs(1);
        NamedKey {
            id: KeyId(Default::default()),
            name: "default".into(),
            purposes: [Purpose::Encrypt].into(),
            suite: Suite::Aes256Gcm,
            export: false,
            state: KeyState::Active,
            version: 1,
            min_decryption_version: 1,
            rotation: Some(Duration::from_secs(60)),
            created_at: now,
            rotated_at: now,
            destroy_at: None,
        }
    }

    #[test]
    fn a_key_that_is_about_to_be_destroyed_does_nothing_until_it_is_kept() {
        let waiting = key().destroy(Timestamp::from_secs(9)).unwrap();
        assert!(waiting.allow(Purpose::Encrypt).is_err());
        assert_eq!(waiting.next_rotation(), None);
        assert!(waiting.clone().rotate(Timestamp::from_secs(2)).is_err());
        assert!(waiting.clone().destroy(Timestamp::from_secs(2)).is_err());
        assert_eq!(waiting.keep().unwrap(), key());
        assert!(key().keep().is_err());
    }

    #[test]
    fn a_refused_purpose_names_those_it_has() {
        assert_eq!(key().allow(Purpose::Plain), Err("the key `default` is not made for `plain`; its purposes are `encrypt`".into()));
    }

    #[test]
    fn names_that_could_be_ids_are_refused() {
        for bad in ["", "tky_1", "Default", "a b", &"x".repeat(65)] {
            assert!(NamedKey::check_name(bad).is_err(), "{bad}");
        }
        assert!(NamedKey::check_name("customer-data.v2").is_ok());
    }
}
