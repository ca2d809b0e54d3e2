//! Every id kind of the house, once. All are UUIDv7 (RFC 9562 §5.7); none is a secret.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Random, Timestamp, random_bytes};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id; its first 48 bits are `now` in milliseconds.
            pub fn new(now: Timestamp, rng: &mut dyn Random) -> Self {
                Self(v7(now, rng))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::try_parse(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// A login record.
    AccountId,
    /// A way to sign in that an account has.
    AuthenticatorId,
    /// A program that calls the API.
    ClientId,
    /// A browser that an account has signed in with.
    DeviceId,
    /// An event of the ledger.
    EventId,
    /// What a rule of detection has found.
    AlertId,
    /// An address or network that is refused.
    BlockId,
    /// A breach of personal data.
    BreachId,
    /// A permission given to somebody beside their roles.
    GrantId,
    /// A rule of the firewall that is excepted on a route.
    ExclusionId,
    /// A hold on events of the ledger.
    HoldId,
    /// Alerts that belong together.
    IncidentId,
    /// A unit of background work.
    JobId,
    /// A one-time link.
    LinkId,
    /// A mail or a text message.
    MessageId,
    /// An identity at an outside provider that an account is connected with.
    OutsideId,
    /// One HTTP request.
    RequestId,
    /// A session, or the part of it on one host.
    SessionId,
    /// A sign-in under way.
    SignInId,
    /// What somebody states of a control of a law or standard.
    StatementId,
    /// Something that a person has asked for about their data.
    SubjectRequestId,
}

/// A key: `tky_` and 32 hexadecimal digits. No context may begin so, which tells the two apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub Uuid);

impl KeyId {
    /// What the text of every key id begins with.
    pub const PREFIX: &str = "tky_";

    /// A new id.
    pub fn new(now: Timestamp, rng: &mut dyn Random) -> Self {
        Self(v7(now, rng))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.0.simple())
    }
}

impl FromStr for KeyId {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let digits = text.strip_prefix(Self::PREFIX).filter(|d| d.len() == 32 && d.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        digits.and_then(|d| Uuid::try_parse(d).ok()).map(Self).ok_or("a key id is `tky_` and 32 hexadecimal digits")
    }
}

impl EventId {
    /// How many records one batch leaf can hold; the low bits of its id number them.
    pub const ITEMS: u64 = 1024;

    /// An id whose low ten bits are zero, so that [`EventId::item`] can number up to 1,024 records.
    pub fn batch(now: Timestamp, rng: &mut dyn Random) -> Self {
        let Self(id) = Self::new(now, rng);
        Self(Uuid::from_u128(id.as_u128() & !u128::from(Self::ITEMS - 1)))
    }

    /// When the event was recorded, to the millisecond.
    pub fn time(self) -> Timestamp {
        Timestamp::from_micros(i64::try_from((self.0.as_u128() >> 80) * 1_000).unwrap_or(i64::MAX))
    }

    /// The id of the `item`-th record of this batch.
    pub fn item(self, item: u16) -> Self {
        Self(Uuid::from_u128(self.0.as_u128() | u128::from(u64::from(item) % Self::ITEMS)))
    }

    /// The batch an item id belongs to, and its number there.
    pub fn split(self) -> (Self, u16) {
        let mask = u128::from(Self::ITEMS - 1);
        let bits = self.0.as_u128();
        (Self(Uuid::from_u128(bits & !mask)), (bits & mask) as u16)
    }
}

fn v7(now: Timestamp, rng: &mut dyn Random) -> Uuid {
    let millis = u64::try_from(now.micros() / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random_bytes(rng)).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Env, SystemEnv};

    #[test]
    fn an_item_id_leads_back_to_its_batch() {
        let env: &dyn Env = &SystemEnv;
        let batch = EventId::batch(Timestamp::from_micros(1_700_000_000_000_000), &mut { env });
        assert_eq!(batch.item(0), batch);
        assert_eq!(batch.item(1023).split(), (batch, 1023));
        assert_eq!(batch.0.get_version_num(), 7);
    }
}
