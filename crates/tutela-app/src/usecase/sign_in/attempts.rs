//! Attempts are counted before they are verified, each in every bucket it belongs to, in one commit.
//!
//! | bucket | what for | full means |
//! |---|---|---|
//! | login and unknown devices | wrong passwords from devices the account does not know | those wait a day; known devices and passkeys go on |
//! | login and one device | wrong passwords from a device it knows | that device waits |
//! | account and kind | wrong codes | that kind waits a quarter of an hour |
//! | address | everything wrong from one IPv4, or one /64 | the address waits |
//! | target | messages to one mailbox or phone | no more are sent |
//!
//! The login is counted whether or not there is such an account, so that a lock tells nobody which accounts exist.

use std::{collections::BTreeSet, net::IpAddr};

use tokio::sync::{Mutex, MutexGuard};
use tutela_core::{AccountId, DeviceId, Timestamp};
use tutela_identity::{AuthenticatorKind, Email};
use tutela_limits::{Bucket, Lockout, Refused};
use tutela_store::{AttemptRow, Changeset};

use crate::{App, Ctx, Error};

/// How many may fail in a row before only an unlock helps (SP 800-63B-4 §3.2.2).
const MOST_IN_A_ROW: u32 = 100;
/// How often a reservation is tried again because another one was faster.
const TRIES: usize = 64;

/// What an attempt is counted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything from one address.
    Address(IpAddr),
    /// Codes of one kind.
    Code(AccountId, AuthenticatorKind),
    /// Passwords from a device the account knows.
    KnownDevice(AccountId, DeviceId),
    /// Messages asked for from one address.
    MessagesFrom(IpAddr),
    /// Messages to one mailbox or phone; those that its owner asks for apart from those that anybody can.
    MessagesTo(Option<AccountId>, String),
    /// Passwords from devices the account does not know; by the name typed, whether or not it is one.
    UnknownDevices(String),
}

impl Scope {
    /// Passwords for `email` from devices that are not known.
    pub(crate) fn unknown_devices(email: &Email) -> Self {
        Self::UnknownDevices(email.as_str().to_owned())
    }

    /// As the ledger says it.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            Self::Address(_) => "address",
            Self::Code(_, kind) => kind.as_str(),
            Self::KnownDevice(..) => "this device",
            Self::MessagesFrom(_) => "messages from an address",
            Self::MessagesTo(..) => "messages to a target",
            Self::UnknownDevices(_) => "new devices",
        }
    }

    fn rule<'a>(&self, app: &'a App) -> (&'a Lockout, u32) {
        let limits = &app.limits;
        match self {
            Self::Address(_) => (&limits.login_address, u32::MAX),
            Self::Code(..) => (&limits.login_code, MOST_IN_A_ROW),
            Self::KnownDevice(..) | Self::UnknownDevices(_) => (&limits.login, MOST_IN_A_ROW),
            Self::MessagesFrom(_) => (&limits.messages_address, u32::MAX),
            Self::MessagesTo(..) => (&limits.messages, u32::MAX),
        }
    }

    /// A keyed hash, so that the table tells nobody who tried what.
    pub(crate) fn key(&self, app: &App) -> [u8; 32] {
        let text = match self {
            Self::Address(ip) => format!("address/{}", prefix(*ip)),
            Self::Code(account, kind) => format!("code/{account}/{}", kind.as_str()),
            Self::KnownDevice(account, device) => format!("device/{account}/{device}"),
            Self::MessagesFrom(ip) => format!("messages-from/{}", prefix(*ip)),
            Self::MessagesTo(None, target) => format!("messages-to/{target}"),
            Self::MessagesTo(Some(account), target) => format!("messages-to/{account}/{target}"),
            Self::UnknownDevices(login) => format!("login/{login}"),
        };
        app.keyed_hash(b"attempt", text.as_bytes())
    }
}

impl Scope {
    /// Why the next attempt would be refused; `None` where it would not.
    pub(crate) async fn refused(&self, app: &App, now: Timestamp) -> Result<Option<Refused>, Error> {
        Ok(app.store.attempt_get(self.key(app)).await?.bucket.refusal(self.rule(app).1, now))
    }
}

/// Attempts that were counted at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Reserved {
    scopes: Vec<Scope>,
    at: Timestamp,
    /// What this attempt locks if it fails, and until when.
    pub(crate) locks: Vec<(Scope, Timestamp)>,
}

/// Why nothing was counted.
#[derive(Debug)]
pub(crate) enum NotReserved {
    /// One of the buckets is full.
    Full(Scope, Refused),
    /// The buckets could not be read or written.
    Failed(Error),
}

impl From<Error> for NotReserved {
    fn from(e: Error) -> Self {
        Self::Failed(e)
    }
}

/// One lane for each of many buckets: attempts of this process for one bucket are counted one after another. Without
/// it a whole office that signs in from one address would spend its time on conflicts. Other nodes still can be faster.
pub(crate) struct Lanes([Mutex<()>; 256]);

impl Default for Lanes {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Lanes {
    /// Waits for the lanes of all `keys`, in one order, so that nobody waits for each other.
    async fn hold(&self, keys: &[[u8; 32]]) -> Vec<MutexGuard<'_, ()>> {
        let lanes: BTreeSet<usize> = keys.iter().map(|key| usize::from(key[0])).collect();
        let mut held = Vec::with_capacity(lanes.len());
        for lane in lanes {
            if let Some(lane) = self.0.get(lane) {
                held.push(lane.lock().await);
            }
        }
        held
    }
}

/// Counts one attempt in all `scopes`, or in none.
pub(crate) async fn reserve(app: &App, ctx: &Ctx, scopes: Vec<Scope>) -> Result<Reserved, NotReserved> {
    let keys: Vec<[u8; 32]> = scopes.iter().map(|scope| scope.key(app)).collect();
    // What is locked is refused without waiting for a lane: a flood at it holds up nobody.
    for scope in &scopes {
        if let Some(refused) = scope.refused(app, ctx.now).await? {
            return Err(NotReserved::Full(scope.clone(), refused));
        }
    }
    let _held = app.attempt_lanes.hold(&keys).await;
    for _ in 0..TRIES {
        let mut changeset = Changeset::attempts();
        let mut locks = Vec::new();
        for (scope, key) in scopes.iter().zip(&keys) {
            let (rule, most) = scope.rule(app);
            let key = *key;
            let AttemptRow { bucket, version } = app.store.attempt_get(key).await.map_err(Error::from)?;
            let was_locked = bucket.locked_until;
            let next = rule.reserve(bucket, most, ctx.now).map_err(|refused| NotReserved::Full(scope.clone(), refused))?;
            locks.extend(next.locked_until.filter(|_| was_locked.is_none() || was_locked != next.locked_until).map(|until| (scope.clone(), until)));
            changeset = changeset.attempt_set(key, &next, version, ctx.now);
        }
        match app.store.commit(changeset).await {
            Ok(()) => return Ok(Reserved { scopes, at: ctx.now, locks }),
            Err(tutela_store::Error::Conflict(_)) => {}
            Err(e) => return Err(Error::from(e).into()),
        }
    }
    Err(Error::Busy(std::time::Duration::from_secs(2)).into())
}

/// As [`reserve`] for one scope, where a full bucket is simply refused.
pub(crate) async fn reserve_one(app: &App, ctx: &Ctx, scope: Scope) -> Result<Reserved, Error> {
    let after = scope.rule(app).0.lockout.duration();
    reserve(app, ctx, vec![scope]).await.map_err(|e| match e {
        NotReserved::Failed(e) => e,
        NotReserved::Full(..) => Error::TooMany { after },
    })
}

impl Reserved {
    /// Forgets, in the commit of a success, what was counted against whoever succeeded.
    pub(crate) fn clear(&self, app: &App, changeset: Changeset) -> Changeset {
        let own = self.scopes.iter().filter(|scope| matches!(scope, Scope::Code(..) | Scope::KnownDevice(..) | Scope::UnknownDevices(_)));
        own.fold(changeset, |set, scope| set.attempt_clear(scope.key(app)))
    }

    /// Takes the attempt back where others are counted too: an address is not cleared by one success, or whoever
    /// has an account could guess at all others for ever.
    pub(crate) async fn give_back(&self, app: &App, now: Timestamp) {
        for scope in self.scopes.iter().filter(|scope| matches!(scope, Scope::Address(_))) {
            let key = scope.key(app);
            let _held = app.attempt_lanes.hold(&[key]).await;
            for _ in 0..TRIES {
                let Ok(AttemptRow { bucket, version }) = app.store.attempt_get(key).await else { return };
                let next: Bucket = bucket.give_back(self.at);
                match app.store.commit(Changeset::attempts().attempt_set(key, &next, version, now)).await {
                    Err(tutela_store::Error::Conflict(_)) => {}
                    _ => break,
                }
            }
        }
    }
}

/// IPv4 whole, IPv6 its /64: whoever has one address of it has all.
fn prefix(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_network_of_their_own_is_counted_as_one() {
        let of = |text: &str| prefix(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
    }
}
