//! Tower layers that put an application under tutela.
//!
//! [`Audit`] records one event for each request, and the answer leaves only when the event is durable.
//! It never reads a body, never records a path with its values, and never retries an event.
//! [`Consent`] lets a request through only where the data of its person may be used for the purposes of a route.
//! Both work on any tower service over HTTP: axum, hyper, tonic.
//!
//! ```no_run
//! use axum::{Extension, Router, extract::MatchedPath, routing::get};
//! use tutela_tower::{Audit, Client, Consent, Note};
//!
//! # fn build() -> Result<Router, tutela_tower::ClientError> {
//! // An API key with the scope `events:write`.
//! let client = Client::remote("http://127.0.0.1:8081", "the key")?;
//! let audit = Audit::remote(client)
//!     .event_type("photo.request")
//!     .route(|parts| parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()));
//!
//! // A handler may say more than the request does.
//! async fn photo(Extension(note): Extension<Note>) -> &'static str {
//!     note.event_type("photo.read");
//!     note.resource("photo", "42");
//!     "a photo"
//! }
//! // What is recommended uses what a person likes: only with their consent. The key has the scope `consents:check` too.
//! let consent = Consent::remote(Client::remote("http://127.0.0.1:8081", "the key")?, ["personalize"]);
//! let app: Router = Router::new()
//!     .route("/for-you", get(photo).layer(consent))
//!     .route("/photos/{id}", get(photo))
//!     .layer(audit);
//! # Ok(app)
//! # }
//! ```
//!
//! # What is recorded
//!
//! Every request that reaches the layer ends in exactly one event, whatever becomes of it:
//!
//! | how it ended | outcome | reason |
//! |---|---|---|
//! | status below 400 | `success` | |
//! | 401 or 403 | `denied` | |
//! | any other status | `failure` | |
//! | the service returned an error | `failure` | `the service failed` |
//! | the service panicked | `failure` | `the handler panicked`; the panic goes on afterwards |
//! | the caller went away before the answer | `unknown` | `client gone` |
//!
//! # When it is recorded
//!
//! When the head of the answer is ready, and before it is sent. So no byte of an answer leaves before its
//! event is durable, and what happens to the body later changes nothing: an answer that breaks off
//! half way was recorded with its status, once. What a handler does after its head, in a
//! stream, it records itself.
//!
//! # When it cannot be recorded
//!
//! By default the layer fails closed: the caller gets 503 with a problem document (RFC 9457) in
//! place of the answer. What the handler did has been done all the same, so put the layer around handlers
//! that may be asked twice, or that are asked with a key of idempotency. `required(false)`
//! sends the answer and logs the failure.
//!
//! # Limits
//!
//! * A caller that goes away is recorded by a task of its own. A process that is killed, or a runtime that ends, takes
//!   such tasks with it.
//! * Where tutela does not answer in time it may have recorded the event nevertheless; the event is not sent again.
//! * Panics are seen where they unwind: not with `panic = "abort"`.

mod audit;
mod consent;
mod describe;
mod note;
mod open;
mod record;
mod refusal;

pub use audit::{Audit, AuditService};
pub use consent::{Consent, ConsentService, ConsentSource};
pub use describe::{Actor, Described, PeerAddr};
pub use note::Note;
pub use record::{NotRecorded, Recorder, Remote};
pub use refusal::GuardedBody;
pub use tutela_api::{ConsentAnswer, ConsentQuestion, ExternalId, MissingConsent, NewEvent, RequestRef, ResourceRef, Source, SubjectRef, TypedResource};
pub use tutela_client::{Client, Error as ClientError};
