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
use tutela_core::{AccountId, DeviceId, SessionId, Span, Timestamp};

use crate::Assurance;

/// A session, or the part of one on a guarded host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The login session it hangs on; its own id for the login itself.
    pub login: SessionId,
    /// Whose it is.
    pub account: AccountId,
    /// The host it is good for; [`TOKENS`] where an application holds it as tokens.
    pub host: String,
    /// The browser or application it was begun with.
    pub device: Option<DeviceId>,
    /// How its holder proved who they are.
    pub assurance: Assurance,
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

/// In place of a host: a session that lives in refresh tokens.
pub const TOKENS: &str = "tokens";

/// How long a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When unused.
    pub idle: Duration,
    /// In any case.
    pub absolute: Duration,
}

/// `[identity.session]`: sessions, their cookies and tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SessionConfig {
    /// A session ends when unused this long, in seconds (SP 800-63B-4 §2.2.3: at most 1 h at AAL2).
    pub timeout: u32,
    /// A session ends after this long in any case, in seconds (at most 24 h at AAL2).
    pub absolute: u32,
    /// As `timeout`, for the console.
    pub admin_timeout: u32,
    /// As `absolute`, for the console.
    pub admin_absolute: u32,
    /// Whether applications that sign people in over the API get refresh tokens. Without them a sign-in is good for one access token.
    pub refresh_enabled: bool,
    /// Life of an access token, `1m` to `1h`.
    pub access_token: Span,
    /// A refresh token ends when unused this long.
    pub refresh_idle: Span,
    /// The refresh tokens of one sign-in end after this long in any case.
    pub refresh_absolute: Span,
    /// Whether cookies are sent over TLS only. `false` needs `identity.profile = "legacy"`.
    pub secure: bool,
    /// Whether cookies are out of reach for scripts. `false` needs `identity.profile = "legacy"`.
    pub http_only: bool,
    /// How fresh a sign-in has to be for changing credentials, in seconds, 30 to 3600.
    pub fresh: u32,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            timeout: 3_600,
            absolute: 86_400,
            admin_timeout: 900,
            admin_absolute: 43_200,
            refresh_enabled: true,
            access_token: Span::minutes(15),
            refresh_idle: Span::days(14),
            refresh_absolute: Span::days(30),
            secure: true,
            http_only: true,
            fresh: 300,
        }
    }
}

impl SessionConfig {
    /// Refuses lifetimes that make no sense.
    pub fn check(&self) -> Result<(), String> {
        for (name, idle, absolute) in [("timeout", self.timeout, self.absolute), ("admin_timeout", self.admin_timeout, self.admin_absolute)] {
            if idle < 60 || absolute < idle || absolute > 90 * 86_400 {
                return Err(format!("`{name}` is at least 60 seconds and at most its absolute limit, which is at most 90 days"));
            }
        }
        if !(Span::minutes(1)..=Span::hours(1)).contains(&self.access_token) {
            return Err(format!("`access_token` is {}; it goes from 1m to 1h", self.access_token));
        }
        if self.refresh_idle < self.access_token || self.refresh_absolute < self.refresh_idle || self.refresh_absolute > Span::days(365) {
            return Err("`refresh_idle` is at least `access_token` and at most `refresh_absolute`, which is at most 365 days".into());
        }
        if !(30..=3_600).contains(&self.fresh) {
            return Err(format!("`fresh` is {}; it goes from 30 to 3600", self.fresh));
        }
        Ok(())
    }

    /// Of sessions on the own host and guarded ones.
    pub fn life(&self) -> Life {
        Life { idle: seconds(self.timeout), absolute: seconds(self.absolute) }
    }

    /// Of sessions in the console.
    pub fn admin_life(&self) -> Life {
        Life { idle: seconds(self.admin_timeout), absolute: seconds(self.admin_absolute) }
    }

    /// Of sessions that live in refresh tokens.
    pub fn token_life(&self) -> Life {
        if self.refresh_enabled {
            Life { idle: self.refresh_idle.duration(), absolute: self.refresh_absolute.duration() }
        } else {
            Life { idle: self.access_token.duration(), absolute: self.access_token.duration() }
        }
    }
}

/// Why a session was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEndReason {
    /// Its account was deleted.
    AccountDeleted,
    /// Its account was disabled.
    AccountDisabled,
    /// An administrator ended it.
    Admin,
    /// A way to sign in was added or removed.
    AuthenticatorsChanged,
    /// A rule of detection ended it.
    Detection,
    /// Its account's records are not what the ledger says.
    Differs,
    /// The session at the outside provider that it came from has ended.
    EndedOutside,
    /// The mail address was changed.
    EmailChanged,
    /// The person said that a sign-in was not theirs.
    NotMe,
    /// The person ended it from another session.
    Other,
    /// The password was changed.
    PasswordChanged,
    /// A refresh token was presented a second time, or from elsewhere.
    RefreshReplayed,
    /// The instance was restored from a backup.
    Restored,
    /// What the account may do was changed.
    RolesChanged,
    /// The person signed out.
    SignOut,
}

impl SessionEndReason {
    /// As it stands in the event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccountDeleted => "account_deleted",
            Self::AccountDisabled => "account_disabled",
            Self::Admin => "ended_by_admin",
            Self::AuthenticatorsChanged => "authenticators_changed",
            Self::Detection => "ended_by_detection",
            Self::Differs => "differs",
            Self::EndedOutside => "ended_outside",
            Self::EmailChanged => "email_changed",
            Self::NotMe => "not_the_owner",
            Self::Other => "ended_by_owner",
            Self::PasswordChanged => "password_changed",
            Self::RefreshReplayed => "refresh_token_replayed",
            Self::Restored => "instance_restored",
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
    /// A login: on the own host, or in tokens.
    pub fn begin(id: SessionId, account: AccountId, host: &str, device: Option<DeviceId>, assurance: Assurance, life: Life, now: Timestamp) -> Self {
        Self {
            id,
            login: id,
            account,
            host: host.to_owned(),
            device,
            assurance,
            created_at: now,
            last_seen_at: now,
            idle_until: now + life.idle,
            expires_at: now + life.absolute,
            ended_at: None,
        }
    }

    /// The part of this login on another host; it ends with the login at the latest.
    pub fn extend_to(&self, id: SessionId, host: &str, life: Life, now: Timestamp) -> Result<Self, InvalidTransition> {
        if !self.is_live(now) {
            return Err(InvalidTransition);
        }
        let own = Self::begin(id, self.account, host, self.device, self.assurance.clone(), life, now);
        Ok(Self { login: self.login, expires_at: own.expires_at.min(self.expires_at), ..own })
    }

    /// Whether its holder proved who they are at most `age` ago (ASVS 7.5.1).
    pub fn is_fresh(&self, age: Duration, now: Timestamp) -> bool {
        now >= self.assurance.auth_time && now.since(self.assurance.auth_time) < age
    }

    /// Whether it may be used at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.idle_until && now < self.expires_at
    }

    /// Marks it as used; `None` where the last mark is less than a minute old and a write would say nothing new.
    pub fn touch(&self, life: Life, now: Timestamp) -> Option<Self> {
        let stale = now.since(self.last_seen_at) >= Duration::from_secs(60);
        (stale && self.is_live(now)).then(|| Self { last_seen_at: now, idle_until: now + life.idle, ..self.clone() })
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
        let proofs = [crate::Proof::of(crate::AuthenticatorKind::Password, now)];
        let (id, account) = (SessionId::new(now, &mut { env }), AccountId::new(now, &mut { env }));
        Session::begin(id, account, "tutela.localhost", None, Assurance::of(&proofs, now), life(), now)
    }

    fn life() -> Life {
        SessionConfig::default().life()
    }

    #[test]
    fn a_session_ends_when_idle_and_at_its_absolute_end_even_when_used() {
        let start = Timestamp::from_secs(1_000_000);
        let mut session = login(start);
        assert!(session.is_live(start + seconds(3_599)) && !session.is_live(start + seconds(3_600)));
        let mut now = start;
        while let Some(touched) = session.touch(life(), now + seconds(1_800)) {
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
        let part = session.extend_to(id, "photos.localhost", life(), start + seconds(3_000)).unwrap();
        assert_eq!((part.login, part.expires_at), (session.id, session.expires_at));
        assert!(session.extend_to(id, "photos.localhost", life(), start + seconds(3_600)).is_err());
    }

    #[test]
    fn what_was_proven_grows_old_and_a_part_is_as_old_as_its_login() {
        let start = Timestamp::from_secs(1_000_000);
        let session = login(start);
        let part = session.extend_to(session.id, "photos.localhost", life(), start + seconds(299)).unwrap();
        for session in [&session, &part] {
            assert!(session.is_fresh(seconds(300), start + seconds(299)) && !session.is_fresh(seconds(300), start + seconds(300)));
        }
        assert!(!session.is_fresh(seconds(300), start.minus(seconds(1))), "a clock that jumped back does not make it fresh");
    }

    #[test]
    fn a_clock_that_jumps_back_neither_kills_nor_prolongs() {
        let start = Timestamp::from_secs(1_000_000);
        let session = login(start);
        assert!(session.is_live(start.minus(seconds(86_400))));
        assert_eq!(session.touch(life(), start.minus(seconds(86_400))), None);
    }
}
