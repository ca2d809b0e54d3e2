use std::net::IpAddr;

use tutela_core::{AccountId, AuthStrength, Env, Grants, Pii, Principal, RequestId, SessionId, Source, Timestamp};

/// Who asks, when, and from where. Made once per request; one request has one `now`.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// Who asks.
    pub principal: Principal,
    /// The time of the whole request.
    pub now: Timestamp,
    /// The request's id.
    pub request: RequestId,
    /// The peer's address.
    pub ip: Option<Pii<IpAddr>>,
    /// The `User-Agent` header.
    pub user_agent: Option<Pii<String>>,
}

impl Ctx {
    /// A context for `principal` at this moment, from nowhere in particular.
    pub fn new(env: &dyn Env, principal: Principal) -> Self {
        let now = env.now();
        Self { principal, now, request: RequestId::new(now, &mut { env }), ip: None, user_agent: None }
    }

    /// The same request, asked by somebody who has just proven who they are.
    pub fn as_account(&self, id: AccountId, session: SessionId, strength: AuthStrength, grants: Grants) -> Self {
        Self { principal: Principal::Account { id, session, strength, grants }, ..self.clone() }
    }

    pub(crate) fn source(&self) -> Source {
        Source { ip: self.ip.clone(), user_agent: self.user_agent.clone() }
    }
}
