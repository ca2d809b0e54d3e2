//! Sessions: one login on the own host, and under it one part for each host it is signed in to.
//!
//! ```text
//!   live --(idle too long | absolute end reached)--> expired
//!   live, expired --end(reason)--> ended   expired, ended: nothing leads back to live
//! ```
//! A part lives no longer than its login.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::{AccountId, SessionId, Timestamp};

/// A session, or the part of one on a guarded host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The login session it hangs on; its own id for the login itself.
    pub login: SessionId,
    /// Whose it is.
    pub account: AccountId,
    /// The host it is good for.
    pub host: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_seen_at: Timestamp,
    /// When it ends if it is not used.
    pub idle_until: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// When somebody ended it.
    pub ended_at: Option<Timestamp>,
}

/// How long sessions live. Values in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lifetimes {
    /// A session ends when unused this long, in seconds (SP 800-63B-4 §2.2.3: at most 1 h at AAL2).
    pub timeout: u32,
    /// A session ends after this long in any case, in seconds (at most 24 h at AAL2).
    pub absolute: u32,
    /// As `timeout`, for the console.
    pub admin_timeout: u32,
    /// As `absolute`, for the console.
    pub admin_absolute: u32,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { timeout: 3_600, absolute: 86_400, admin_timeout: 900, admin_absolute: 43_200 }
    }
}

impl Lifetimes {
    /// Refuses lifetimes that make no sense.
    pub fn check(&self) -> Result<(), String> {
        for (name, idle, absolute) in [("timeout", self.timeout, self.absolute), ("admin_timeout", self.admin_timeout, self.admin_absolute)] {
            if idle < 60 || absolute < idle || absolute > 90 * 86_400 {
                return Err(format!("`{name}` is at least 60 seconds and at most its absolute limit, which is at most 90 days"));
            }
        }
        Ok(())
    }

    /// The lifetimes that hold for the console.
    pub fn for_admin(&self) -> Self {
        Self { timeout: self.admin_timeout, absolute: self.admin_absolute, ..*self }
    }
}

/// Why a session was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEndReason {
    /// Its account was disabled.
    AccountDisabled,
    /// An administrator ended it.
    Admin,
    /// The person ended it from another session.
    Other,
    /// The password was changed.
    PasswordChanged,
    /// What the account may do was changed.
    RolesChanged,
    /// The person signed out.
    SignOut,
}

impl SessionEndReason {
    /// As it stands in the event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccountDisabled => "account_disabled",
            Self::Admin => "ended_by_admin",
            Self::Other => "ended_by_owner",
            Self::PasswordChanged => "password_changed",
            Self::RolesChanged => "roles_changed",
            Self::SignOut => "signed_out",
        }
    }
}

/// The session has ended, or is not live where it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTransition;

/// Proof that a session was not ended before `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
}

impl Session {
    /// A login on the own host.
    pub fn begin(id: SessionId, account: AccountId, host: &str, life: Lifetimes, now: Timestamp) -> Self {
        let expires_at = now + seconds(life.absolute);
        Self {
            id,
            login: id,
            account,
            host: host.to_owned(),
            created_at: now,
            last_seen_at: now,
            idle_until: now + seconds(life.timeout),
            expires_at,
            ended_at: None,
        }
    }

    /// The part of this login on another host; it ends with the login at the latest.
    pub fn extend_to(&self, id: SessionId, host: &str, life: Lifetimes, now: Timestamp) -> Result<Self, InvalidTransition> {
        if !self.is_live(now) {
            return Err(InvalidTransition);
        }
        let own = Self::begin(id, self.account, host, life, now);
        Ok(Self { login: self.login, expires_at: own.expires_at.min(self.expires_at), ..own })
    }

    /// Whether it may be used at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.idle_until && now < self.expires_at
    }

    /// Marks it as used; `None` where the last mark is less than a minute old and a write would say nothing new.
    pub fn touch(&self, life: Lifetimes, now: Timestamp) -> Option<Self> {
        let stale = now.since(self.last_seen_at) >= Duration::from_secs(60);
        (stale && self.is_live(now)).then(|| Self { last_seen_at: now, idle_until: now + seconds(life.timeout), ..self.clone() })
    }

    /// Ends it, also where it has expired: a part of it may have been used a moment later.
    pub fn end(&self, now: Timestamp) -> Result<Ended, InvalidTransition> {
        if self.ended_at.is_none() { Ok(Ended { at: now }) } else { Err(InvalidTransition) }
    }
}

fn seconds(n: u32) -> Duration {
    Duration::from_secs(u64::from(n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutela_core::{Env, SystemEnv};

    fn login(now: Timestamp) -> Session {
        let env: &dyn Env = &SystemEnv;
        Session::begin(SessionId::new(now, &mut { env }), AccountId::new(now, &mut { env }), "tutela.localhost", Lifetimes::default(), now)
    }

    #[test]
    fn a_session_ends_when_idle_and_at_its_absolute_end_even_when_used() {
        let start = Timestamp::from_secs(1_000_000);
        let mut session = login(start);
        assert!(session.is_live(start + seconds(3_599)) && !session.is_live(start + seconds(3_600)));
        let mut now = start;
        while let Some(touched) = session.touch(Lifetimes::default(), now + seconds(1_800)) {
            now = now + seconds(1_800);
            session = touched;
        }
        assert_eq!(now, start + seconds(86_400 - 1_800));
        assert!(!session.is_live(start + seconds(86_400)));
        let at = start + seconds(86_400);
        assert_eq!(session.end(at), Ok(Ended { at }));
        assert_eq!(Session { ended_at: Some(at), ..session }.end(at), Err(InvalidTransition));
    }

    #[test]
    fn a_part_never_outlives_its_login() {
        let start = Timestamp::from_secs(1_000_000);
        let session = login(start);
        let env: &dyn Env = &SystemEnv;
        let id = SessionId::new(start, &mut { env });
        let part = session.extend_to(id, "photos.localhost", Lifetimes::default(), start + seconds(3_000)).unwrap();
        assert_eq!((part.login, part.expires_at), (session.id, session.expires_at));
        assert!(session.extend_to(id, "photos.localhost", Lifetimes::default(), start + seconds(3_600)).is_err());
    }

    #[test]
    fn a_clock_that_jumps_back_neither_kills_nor_prolongs() {
        let start = Timestamp::from_secs(1_000_000);
        let session = login(start);
        assert!(session.is_live(start.minus(seconds(86_400))));
        assert_eq!(session.touch(Lifetimes::default(), start.minus(seconds(86_400))), None);
    }
}
