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

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;
use tutela_core::{AccountId, DeviceId, Timestamp};
use tutela_identity::{AuthenticatorKind, Email};
use tutela_limits::{Lockout, Refused};
use tutela_store::{AttemptRow, Changeset};

use crate::{App, Ctx, Error, network::household};

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
            Self::Address(ip) => format!("address/{}", household(*ip)),
            Self::Code(account, kind) => format!("code/{account}/{}", kind.as_str()),
            Self::KnownDevice(account, device) => format!("device/{account}/{device}"),
            Self::MessagesFrom(ip) => format!("messages-from/{}", household(*ip)),
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
pub(crate) struct Lanes {
    lanes: [Mutex<()>; 256],
    /// Attempts that succeeded and are yet to be taken out of their bucket, with its next write or within a second.
    returned: std::sync::Mutex<BTreeMap<[u8; 32], Vec<Timestamp>>>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { lanes: std::array::from_fn(|_| Mutex::default()), returned: std::sync::Mutex::default() }
    }
}

impl Lanes {
    /// Waits for the lanes of all `keys`, in one order, so that nobody waits for each other.
    async fn hold(&self, keys: &[[u8; 32]]) -> Vec<MutexGuard<'_, ()>> {
        let lanes: BTreeSet<usize> = keys.iter().map(|key| usize::from(key[0])).collect();
        let mut held = Vec::with_capacity(lanes.len());
        for lane in lanes {
            if let Some(lane) = self.lanes.get(lane) {
                held.push(lane.lock().await);
            }
        }
        held
    }

    fn returned(&self) -> std::sync::MutexGuard<'_, BTreeMap<[u8; 32], Vec<Timestamp>>> {
        self.returned.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What is to be taken out of a bucket; whoever asks does it, or puts it back.
    fn take(&self, key: &[u8; 32]) -> Vec<Timestamp> {
        self.returned().remove(key).unwrap_or_default()
    }

    fn put(&self, key: [u8; 32], times: Vec<Timestamp>) {
        if !times.is_empty() {
            self.returned().entry(key).or_default().extend(times);
        }
    }
}

/// Counts one attempt in all `scopes`, or in none.
pub(crate) async fn reserve(app: &App, ctx: &Ctx, scopes: Vec<Scope>) -> Result<Reserved, NotReserved> {
    let keys: Vec<[u8; 32]> = scopes.iter().map(|scope| scope.key(app)).collect();
    let lanes = &app.attempt_lanes;
    let _held = lanes.hold(&keys).await;
    let back: Vec<Vec<Timestamp>> = keys.iter().map(|key| lanes.take(key)).collect();
    let done = count(app, ctx, scopes, &keys, &back).await;
    if done.is_err() {
        keys.into_iter().zip(back).for_each(|(key, times)| lanes.put(key, times));
    }
    done
}

/// Writes one attempt more in each bucket, and what was given back out of it.
async fn count(app: &App, ctx: &Ctx, scopes: Vec<Scope>, keys: &[[u8; 32]], back: &[Vec<Timestamp>]) -> Result<Reserved, NotReserved> {
    for _ in 0..TRIES {
        let mut changeset = Changeset::attempts();
        let mut locks = Vec::new();
        for (((scope, key), row), back) in scopes.iter().zip(keys).zip(read(app, keys).await?).zip(back) {
            let (rule, most) = scope.rule(app);
            let bucket = back.iter().fold(row.bucket, |bucket, at| bucket.give_back(*at));
            let was_locked = bucket.locked_until;
            let next = rule.reserve(bucket, most, ctx.now).map_err(|refused| NotReserved::Full(scope.clone(), refused))?;
            locks.extend(next.locked_until.filter(|_| was_locked.is_none() || was_locked != next.locked_until).map(|until| (scope.clone(), until)));
            changeset = changeset.attempt_set(*key, &next, row.version, ctx.now);
        }
        match app.store.commit(changeset).await {
            Ok(()) => return Ok(Reserved { scopes, at: ctx.now, locks }),
            Err(tutela_store::Error::Conflict(_)) => {}
            Err(e) => return Err(Error::from(e).into()),
        }
    }
    Err(Error::Busy(std::time::Duration::from_secs(2)).into())
}

async fn read(app: &App, keys: &[[u8; 32]]) -> Result<Vec<AttemptRow>, Error> {
    if let [one, other] = keys {
        return Ok(app.store.attempt_get_two(*one, *other).await?.into());
    }
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        rows.push(app.store.attempt_get(*key).await?);
    }
    Ok(rows)
}

/// Takes what succeeded out of buckets that nobody else wrote meanwhile, until told to stop.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    loop {
        let stopped = tokio::select! {
            () = tokio::time::sleep(std::time::Duration::from_secs(1)) => false,
            () = stop.cancelled() => true,
        };
        let keys: Vec<[u8; 32]> = app.attempt_lanes.returned().keys().copied().collect();
        for key in keys {
            if let Err(e) = settle(&app, key).await {
                tracing::debug!(error = %e, "an attempt that succeeded still counts");
            }
        }
        if stopped {
            return;
        }
    }
}

async fn settle(app: &App, key: [u8; 32]) -> Result<(), Error> {
    let lanes = &app.attempt_lanes;
    let _held = lanes.hold(&[key]).await;
    let back = lanes.take(&key);
    for _ in 0..TRIES {
        let AttemptRow { bucket, version } = app.store.attempt_get(key).await?;
        let next = back.iter().fold(bucket, |bucket, at| bucket.give_back(*at));
        match app.store.commit(Changeset::attempts().attempt_set(key, &next, version, app.env.now())).await {
            Err(tutela_store::Error::Conflict(_)) => {}
            done => return Ok(done?),
        }
    }
    Ok(())
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
    /// has an account could guess at all others for ever. Written with the next attempt from there, or within a second.
    pub(crate) fn give_back(&self, app: &App) {
        for scope in self.scopes.iter().filter(|scope| matches!(scope, Scope::Address(_))) {
            app.attempt_lanes.put(scope.key(app), vec![self.at]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_network_of_their_own_is_counted_as_one() {
        let of = |text: &str| household(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
    }
}
