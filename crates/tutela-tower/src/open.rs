//! A request from its beginning to its one event.
//!
//! ```text
//!   begun ──answer, error or panic──▶ recorded with its exit
//!     └───────────dropped───────────▶ recorded as gone
//! ```
//! Both ways take the same `Begun` out of the same place, so there is never a second event.

use std::sync::Arc;

use http::StatusCode;
use tokio::{runtime::Handle, task::JoinHandle};
use tutela_api::{NewEvent, RequestRef, ResourceRef, Source, TypedResource};

use crate::{Described, NotRecorded, Note, Recorder};

/// How a request ended.
#[derive(Clone, Copy)]
pub(crate) enum Exit {
    /// With an answer.
    Answered(StatusCode),
    /// The service returned an error.
    Failed,
    /// Nobody waits for the answer any more.
    Gone,
    /// The service panicked.
    Panicked,
}

impl Exit {
    fn outcome(self) -> &'static str {
        match self {
            Self::Answered(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => "denied",
            Self::Answered(status) if status.is_client_error() || status.is_server_error() => "failure",
            Self::Answered(_) => "success",
            Self::Failed | Self::Panicked => "failure",
            Self::Gone => "unknown",
        }
    }

    /// Never the text of an error or a panic, which may hold anything.
    fn reason(self) -> Option<&'static str> {
        match self {
            Self::Answered(_) => None,
            Self::Failed => Some("the service failed"),
            Self::Gone => Some("client gone"),
            Self::Panicked => Some("the handler panicked"),
        }
    }

    fn status(self) -> Option<u16> {
        match self {
            Self::Answered(status) => Some(status.as_u16()),
            Self::Failed | Self::Gone | Self::Panicked => None,
        }
    }
}

/// What is known of a request that has begun.
pub(crate) struct Begun {
    pub event_type: String,
    pub method: String,
    pub described: Described,
    pub note: Note,
}

impl Begun {
    /// Texts are cut to what tutela accepts: an event that says less is better than none.
    fn event(self, exit: Exit) -> NewEvent {
        let mut described = self.described;
        let reason = self.note.add_to(&mut described);
        NewEvent {
            subject: None,
            kind: described.event_type.unwrap_or(self.event_type),
            // Tutela's own clock says when: it is asked at once.
            time: None,
            action: fit(described.action, 128),
            outcome: Some(exit.outcome().to_owned()),
            reason: fit(reason.or_else(|| exit.reason().map(str::to_owned)), 1_024),
            actor: described.actor,
            resource: described.resource.and_then(fit_resource),
            source: Some(Source { ip: described.ip.map(|ip| ip.to_canonical().to_string()), user_agent: fit(described.user_agent, 512) }),
            request: Some(RequestRef { method: fit(Some(self.method), 16), route: fit(described.route, 256), status: exit.status() }),
            metadata: (!described.metadata.is_empty()).then_some(described.metadata),
        }
    }
}

/// A request whose end is not recorded yet. Dropped as it is, its caller is gone, and that is recorded.
pub(crate) struct Open {
    recorder: Arc<dyn Recorder>,
    begun: Option<Begun>,
    /// Of the call, since nobody knows where a future is dropped.
    runtime: Option<Handle>,
}

impl Open {
    pub(crate) fn new(recorder: Arc<dyn Recorder>, begun: Begun) -> Self {
        Self { recorder, begun: Some(begun), runtime: Handle::try_current().ok() }
    }

    /// Records how the request ended, once. It begins now, in a task of its own, and ends even where nobody waits for what this returns.
    pub(crate) fn record(&mut self, exit: Exit) -> impl Future<Output = Result<(), NotRecorded>> + Send + use<> {
        let task = self.begun.take().and_then(|begun| self.spawn(begun.event(exit)));
        async move {
            match task {
                Some(task) => task.await.unwrap_or_else(|_| Err(NotRecorded::new("the recorder panicked, or the runtime ends"))),
                None => Err(NotRecorded::new("there is no tokio runtime to record in")),
            }
        }
    }

    fn spawn(&self, event: NewEvent) -> Option<JoinHandle<Result<(), NotRecorded>>> {
        let Some(runtime) = &self.runtime else {
            tracing::error!(event.kind, "an event was not recorded: the request was not served inside a tokio runtime");
            return None;
        };
        Some(runtime.spawn(recorded(Arc::clone(&self.recorder), event)))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.begun.is_some() {
            drop(self.record(Exit::Gone));
        }
    }
}

/// A failure is logged here, once, for those who wait and those who do not.
async fn recorded(recorder: Arc<dyn Recorder>, event: NewEvent) -> Result<(), NotRecorded> {
    let kind = event.kind.clone();
    let result = recorder.record(event).await;
    if let Err(error) = &result {
        tracing::error!(event.kind = kind, error = %error, "an event was not recorded");
    }
    result
}

/// The text if there is any, cut to `most` bytes.
fn fit(text: Option<String>, most: usize) -> Option<String> {
    let mut text = text?;
    text.truncate(text.floor_char_boundary(most));
    (!text.is_empty()).then_some(text)
}

fn fit_resource(resource: ResourceRef) -> Option<ResourceRef> {
    match resource {
        ResourceRef::Name(name) => Some(ResourceRef::Name(fit(Some(name), 512)?)),
        ResourceRef::Typed(TypedResource { kind, id }) => Some(ResourceRef::Typed(TypedResource { kind: fit(Some(kind), 64)?, id: fit(Some(id), 512)? })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_an_empty_one_is_left_out() {
        assert_eq!(fit(Some("naïve".into()), 3), Some("na".into()));
        assert_eq!(fit(Some("naïve".into()), 4), Some("naï".into()));
        assert_eq!(fit(Some("short".into()), 100), Some("short".into()));
        assert_eq!(fit(Some(String::new()), 100), None);
        assert!(fit_resource(ResourceRef::Typed(TypedResource { kind: "photo".into(), id: String::new() })).is_none());
    }

    #[test]
    fn every_status_has_its_outcome() {
        let outcome = |status: u16| Exit::Answered(StatusCode::from_u16(status).unwrap()).outcome();
        assert_eq!([101, 200, 204, 304].map(outcome), ["success"; 4]);
        assert_eq!([401, 403].map(outcome), ["denied"; 2]);
        assert_eq!([400, 404, 429, 500, 503].map(outcome), ["failure"; 5]);
    }
}
