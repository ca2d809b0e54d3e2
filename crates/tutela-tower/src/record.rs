use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::{sync::Semaphore, time::timeout};
use tutela_api::{ConsentAnswer, ConsentQuestion, NewEvent, Problem};
use tutela_client::{Client, Error};

use crate::ConsentSource;

/// Calls at one time.
const CALLS: usize = 64;
/// Events that wait for their call or its answer. More than this and the application asks faster than tutela can ever answer in time.
const WAITING: usize = 10_000;
/// How long one event may take, the wait for its call included.
const WITHIN: Duration = Duration::from_secs(5);

/// Takes events. The event MUST be durable when the future is ready with `Ok`.
///
/// It is called once for each event, in a task that is not cancelled when a caller goes away.
pub trait Recorder: Send + Sync {
    /// Records one event.
    fn record(&self, event: NewEvent) -> BoxFuture<'_, Result<(), NotRecorded>>;
}

/// Why an event was not recorded, for the log: without values of the event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotRecorded(String);

impl NotRecorded {
    /// With this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// A tutela elsewhere: one call for each event or question, a bounded number of them at a time.
pub struct Remote {
    client: Client,
    calls: Semaphore,
    waiting: Semaphore,
    within: Duration,
}

impl Remote {
    /// At most 64 calls at a time, 10,000 events that wait, and 5 seconds for each.
    ///
    /// The client needs a rustls crypto provider in the process, and the runtime its timer.
    pub fn new(client: Client) -> Self {
        Self { client, calls: Semaphore::new(CALLS), waiting: Semaphore::new(WAITING), within: WITHIN }
    }

    /// Sets how many calls there are at one time; at least one.
    pub fn calls(mut self, most: usize) -> Self {
        self.calls = Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS));
        self
    }

    /// Sets how long one event may take, the wait for its call included.
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = limit;
        self
    }

    async fn send(&self, event: NewEvent) -> Result<(), NotRecorded> {
        let event = serde_json::to_value(&event).map_err(|e| NotRecorded::new(e.to_string()))?;
        let _call = self.calls.acquire().await.map_err(|e| NotRecorded::new(e.to_string()))?;
        let answer = self.client.events_record(&[event]).await.map_err(|error| match error {
            Error::Problem(problem) => refused(&problem),
            other => NotRecorded::new(other.to_string()),
        })?;
        match answer.results.first() {
            Some(item) if item.id.is_some() => Ok(()),
            Some(item) => Err(item.problem.as_ref().map_or_else(|| NotRecorded::new("tutela's answer has neither an id nor a problem"), refused)),
            None => Err(NotRecorded::new("tutela's answer is empty")),
        }
    }
}

impl ConsentSource for Remote {
    fn check(&self, question: ConsentQuestion) -> BoxFuture<'_, Result<ConsentAnswer, String>> {
        Box::pin(async move {
            let asked = async {
                let _call = self.calls.acquire().await.map_err(|e| e.to_string())?;
                self.client.consent_check(&question).await.map_err(|e| match e {
                    Error::Problem(problem) => refused(&problem).to_string(),
                    other => other.to_string(),
                })
            };
            timeout(self.within, asked).await.unwrap_or_else(|_| Err(format!("tutela did not answer within {} ms", self.within.as_millis())))
        })
    }
}

impl Recorder for Remote {
    fn record(&self, event: NewEvent) -> BoxFuture<'_, Result<(), NotRecorded>> {
        Box::pin(async move {
            let _place = self.waiting.try_acquire().map_err(|_| NotRecorded::new(format!("{WAITING} events wait already")))?;
            let late = || NotRecorded::new(format!("tutela did not answer within {} ms; it may have recorded the event", self.within.as_millis()));
            timeout(self.within, self.send(event)).await.unwrap_or_else(|_| Err(late()))
        })
    }
}

/// Names the fields that were wrong and leaves out what is said about them, since that may repeat a value about a person.
fn refused(problem: &Problem) -> NotRecorded {
    let fields: Vec<String> = problem.errors.iter().map(|error| format!("`{}`", error.field)).collect();
    let fields = if fields.is_empty() { String::new() } else { format!(", in {}", fields.join(", ")) };
    NotRecorded::new(format!("tutela refused with {} ({}){fields}", problem.status, problem.title))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutela_api::FieldError;

    #[test]
    fn a_refusal_names_the_field_and_not_its_value() {
        let error = FieldError { field: "actor".into(), message: "`ada@example.com` is no account id".into(), at: None };
        let problem =
            Problem { kind: "urn:tutela:problem:invalid".into(), title: "The request is not valid".into(), status: 422, detail: None, errors: vec![error] };
        assert_eq!(refused(&problem).to_string(), "tutela refused with 422 (The request is not valid), in `actor`");
    }
}
