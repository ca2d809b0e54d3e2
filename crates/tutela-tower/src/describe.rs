use std::net::IpAddr;

use http::{header, request::Parts};
use serde_json::{Map, Value};
use tutela_api::{ExternalId, ResourceRef, SubjectRef};

/// Who makes a request: an authentication layer outside of [`Audit`](crate::Audit) puts it into the request's extensions.
///
/// Where nobody says who acts, tutela takes the client whose API key recorded the event.
#[derive(Clone)]
pub struct Actor(pub SubjectRef);

impl Actor {
    /// An account of tutela, by its id (a UUID).
    pub fn account(id: impl Into<String>) -> Self {
        Self(SubjectRef::Account(id.into()))
    }

    /// The application's own identifier: a namespace of 1 to 64 bytes without `:`, and 1 to 256 bytes of value.
    pub fn external(namespace: impl Into<String>, value: impl Into<String>) -> Self {
        Self(SubjectRef::External(ExternalId { namespace: namespace.into(), value: value.into() }))
    }
}

/// Where a request comes from, in the request's extensions: for those who know it better than the socket, such as a layer that trusts a proxy.
#[derive(Clone, Copy)]
pub struct PeerAddr(pub IpAddr);

/// What a request is about, as far as it is known before the application has answered.
#[derive(Clone, Default)]
pub struct Described {
    /// The type of the event, for example `photo.read`; that of the layer where absent.
    pub event_type: Option<String>,
    /// What is attempted, as a verb.
    pub action: Option<String>,
    /// What it is done to.
    pub resource: Option<ResourceRef>,
    /// Who does it.
    pub actor: Option<SubjectRef>,
    /// Where it comes from.
    pub ip: Option<IpAddr>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// Name or template of the route, never the path with its values.
    pub route: Option<String>,
    /// Anything else.
    pub metadata: Map<String, Value>,
}

impl Described {
    /// What every request tells: its method in lower case as the action, the extensions [`Actor`] and [`PeerAddr`], and the `User-Agent` header.
    pub fn of(parts: &Parts) -> Self {
        Self {
            action: Some(parts.method.as_str().to_ascii_lowercase()),
            actor: parts.extensions.get::<Actor>().map(|actor| actor.0.clone()),
            ip: parts.extensions.get::<PeerAddr>().map(|peer| peer.0),
            user_agent: parts.headers.get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned()),
            ..Self::default()
        }
    }
}
