//! What happened: the one record that everything in the house is built on.
//!
//! An [`Event`] is in clear and lives only inside `app`. Before it may enter a changeset its
//! personal fields are sealed and it becomes canonical bytes; the store never sees this type.

use std::{borrow::Cow, net::IpAddr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{AccountId, Class, EventId, EventType, Pii, Principal, RequestId, SessionId, Timestamp};

/// One thing that happened, in the past tense.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its id; the low ten bits are zero (see [`EventId::batch`]).
    pub id: EventId,
    /// When it happened.
    pub time: Timestamp,
    /// When we learnt of it; a backdated event shows here.
    pub recorded_at: Timestamp,
    /// Its type, for example `session.started`.
    pub kind: Cow<'static, str>,
    /// The verb.
    pub action: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it ended so.
    pub reason: Option<String>,
    /// How grave it is.
    pub severity: Severity,
    /// Which rule of retention it falls under.
    pub class: Class,
    /// Who did it.
    pub actor: Actor,
    /// The session it was done in.
    pub session: Option<SessionId>,
    /// What it was done to.
    pub resource: Option<Resource>,
    /// Where it came from.
    pub source: Source,
    /// The HTTP request it belongs to.
    pub request: Option<Request>,
    /// Whose data the personal fields and the metadata are, where that is not the actor.
    pub about: Option<Subject>,
    /// Declared fields that are not personal.
    pub fields: Map<String, Value>,
    /// Declared fields that are personal; sealed as one envelope.
    pub personal: Map<String, Value>,
    /// What an application added and did not declare; sealed as one envelope.
    pub metadata: Map<String, Value>,
    /// Records under this leaf, where it is a batch: their number and Merkle root.
    pub items: Option<(u16, [u8; 32])>,
}

/// A struct that says what happened; one per event type, beside the code that emits it.
pub trait Occurrence {
    /// The declaration of this type.
    const TYPE: EventType;
    /// Writes its fields into `event`.
    fn fill(self, event: &mut Event);
}

impl Event {
    /// A new event of a type that is only a name (applications' events).
    pub fn named(kind: Cow<'static, str>, id: EventId, now: Timestamp) -> Self {
        Self {
            id,
            time: now,
            recorded_at: now,
            kind,
            action: None,
            outcome: Outcome::Success,
            reason: None,
            severity: Severity::Informational,
            class: Class::AUDIT,
            actor: Actor::Unknown,
            session: None,
            resource: None,
            source: Source::default(),
            request: None,
            about: None,
            fields: Map::new(),
            personal: Map::new(),
            metadata: Map::new(),
            items: None,
        }
    }

    /// A new event that says `what` happened.
    pub fn new<T: Occurrence>(what: T, id: EventId, now: Timestamp) -> Self {
        let mut event = Self::named(Cow::Borrowed(T::TYPE.name), id, now);
        event.severity = T::TYPE.severity;
        event.class = T::TYPE.class;
        what.fill(&mut event);
        event
    }

    /// Writes a declared field that is not personal.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    /// Writes a personal field; it will be sealed.
    pub fn set_personal(&mut self, field: &str, value: impl Into<Value>) {
        self.personal.insert(field.to_owned(), value.into());
    }
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Refused by a rule or for lack of a permission.
    Denied,
    /// Tried and failed.
    Failure,
    /// Done.
    Success,
    /// Not known.
    Unknown,
}

impl Outcome {
    /// As it stands in the event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Failure => "failure",
            Self::Success => "success",
            Self::Unknown => "unknown",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Denied, Self::Failure, Self::Success, Self::Unknown].into_iter().find(|o| o.as_str() == word)
    }
}

/// How grave an event is, with the numbers of OCSF `severity_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// 1: for the record.
    Informational = 1,
    /// 2: worth a look when something else is wrong.
    Low = 2,
    /// 3: worth a look.
    Medium = 3,
    /// 4: act soon.
    High = 4,
    /// 5: act now.
    Critical = 5,
}

impl Severity {
    /// All, from the least grave.
    pub const ALL: [Self; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// From its number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| *severity as u64 == number)
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// An account of ours.
    Account(AccountId),
    /// Nobody signed in.
    Anonymous,
    /// A program with an API key.
    Client(crate::ClientId),
    /// A person the application named by its own identifier.
    External {
        /// Whose identifier it is.
        namespace: String,
        /// The identifier; personal.
        value: Pii<String>,
    },
    /// Somebody with a shell on the host.
    Operator(u32),
    /// tutela itself.
    System(&'static str),
    /// Not known.
    Unknown,
}

/// A data subject: somebody whose data it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// An account of ours.
    Account(AccountId),
    /// A person the application named by its own identifier.
    External {
        /// Whose identifier it is.
        namespace: String,
        /// The identifier; personal, and only ever written as a keyed hash.
        value: String,
    },
    /// Nobody known: everybody of one month (`yyyymm`) together.
    Unknown(i64),
}

impl Actor {
    /// Whose data this actor's address and agent are.
    pub fn subject(&self, month: i64) -> Subject {
        match self {
            Self::Account(id) => Subject::Account(*id),
            Self::External { namespace, value } => Subject::External { namespace: namespace.clone(), value: value.open().clone() },
            Self::Anonymous | Self::Client(_) | Self::Operator(_) | Self::System(_) | Self::Unknown => Subject::Unknown(month),
        }
    }
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Self {
        match principal {
            Principal::Account { id, .. } => Self::Account(*id),
            Principal::Anonymous => Self::Anonymous,
            Principal::Client { id, .. } => Self::Client(*id),
            Principal::Operator { uid } => Self::Operator(*uid),
            Principal::System(name) => Self::System(name),
        }
    }
}

/// What it was done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// What kind of thing; absent where the application gave a name alone.
    pub kind: Option<String>,
    /// Which one.
    pub id: String,
}

impl Resource {
    /// A thing of ours, for example `session` and its id.
    pub fn of(kind: &str, id: impl ToString) -> Self {
        Self { kind: Some(kind.to_owned()), id: id.to_string() }
    }
}

/// Where it came from.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The peer's address, or what a trusted proxy said of it.
    pub ip: Option<Pii<IpAddr>>,
    /// The `User-Agent` header, at most 512 bytes of it.
    pub user_agent: Option<Pii<String>>,
}

/// The HTTP request an event belongs to.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Its id.
    pub id: Option<RequestId>,
    /// Method.
    pub method: Option<String>,
    /// The route's name or template, never the full path with its values.
    pub route: Option<String>,
    /// Status of the answer.
    pub status: Option<u16>,
}
