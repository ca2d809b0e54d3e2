use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tutela_api::{ResourceRef, SubjectRef, TypedResource};

use crate::{Actor, Described};

/// What the application adds to its event while it works.
///
/// [`Audit`](crate::Audit) puts one into the extensions of each request. What is said here wins over
/// what the request said; what is said after the head of the answer comes too late and is lost.
#[derive(Clone, Default)]
pub struct Note(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    event_type: Option<String>,
    action: Option<String>,
    actor: Option<SubjectRef>,
    resource: Option<ResourceRef>,
    reason: Option<String>,
    metadata: Map<String, Value>,
}

impl Note {
    /// The type of the event: 1 to 128 characters of `a-z 0-9 . _ -`.
    pub fn event_type(&self, name: impl Into<String>) {
        self.open().event_type = Some(name.into());
    }

    /// What was attempted, as a verb.
    pub fn action(&self, verb: impl Into<String>) {
        self.open().action = Some(verb.into());
    }

    /// Who did it.
    pub fn actor(&self, actor: Actor) {
        self.open().actor = Some(actor.0);
    }

    /// What it was done to.
    pub fn resource(&self, kind: impl Into<String>, id: impl Into<String>) {
        self.open().resource = Some(ResourceRef::Typed(TypedResource { kind: kind.into(), id: id.into() }));
    }

    /// Why it ended as it did.
    pub fn reason(&self, reason: impl Into<String>) {
        self.open().reason = Some(reason.into());
    }

    /// Anything else, under a name. A type that declares a field of this name keeps it as declared.
    pub fn metadata(&self, name: impl Into<String>, value: impl Into<Value>) {
        self.open().metadata.insert(name.into(), value.into());
    }

    /// Puts what was said over `described`, and gives the reason.
    pub(crate) fn add_to(&self, described: &mut Described) -> Option<String> {
        let noted = std::mem::take(&mut *self.open());
        described.event_type = noted.event_type.or(described.event_type.take());
        described.action = noted.action.or(described.action.take());
        described.actor = noted.actor.or(described.actor.take());
        described.resource = noted.resource.or(described.resource.take());
        described.metadata.extend(noted.metadata);
        noted.reason
    }

    /// A handler that panicked while it wrote leaves what it had written.
    fn open(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
