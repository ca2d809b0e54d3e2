//! Being a provider: the operator's applications sign their people in here, and get tokens.
//!
//! ```text
//!   authorize.rs  a request --> who is asking, who is signed in, how strongly, with whose consent --> a code
//!   token.rs      a code, a refresh token, or the client alone --> tokens (made in mint.rs)
//!   inspect.rs    what is a token worth? whom is it about?     consent.rs  what people agreed to
//!   logout.rs     an application signs its person out          told.rs     applications are told of ended sessions
//! ```
//! A session at a client is a part of the person's login, as a session on a guarded host is one: it ends with the
//! login. What a client may do without the person being there (`offline_access`) is a login of its own.

mod authorize;
mod client_proof;
mod consent;
mod inspect;
mod logout;
mod metadata;
mod mint;
mod token;
pub(crate) mod told;

use tutela_core::{AccountId, ClientId, ErrorKind, Principal, Timestamp};
use tutela_identity::{
    Account, AccountState, Client, Session,
    event::{ClientRefused, ClientSignedOut},
    oauth::{Code, Refused, Registration},
};

pub use authorize::{Asking, Decision, Purpose, Step, begin, decide, purpose, resume};
pub use client_proof::Form;
pub(crate) use consent::consented;
pub use consent::{list as list_consents, withdraw};
pub use inspect::{Told, introspect, person, revoke};
pub use logout::{WayOut, open_logout, seal_logout, sign_out};
pub use metadata::metadata;
pub use token::exchange;

use crate::{App, Ctx};

/// Why there are no tokens: for the protocol's reasons, or because this server failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client is told so.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The house failed.
    #[error(transparent)]
    House(#[from] crate::Error),
}

impl From<tutela_store::Error> for Error {
    fn from(e: tutela_store::Error) -> Self {
        Self::House(e.into())
    }
}

impl From<tutela_identity::Error> for Error {
    fn from(e: tutela_identity::Error) -> Self {
        Self::House(e.into())
    }
}

impl Error {
    /// What the client is told.
    pub fn told(&self) -> Refused {
        match self {
            Self::Refused(refused) => refused.clone(),
            Self::House(e) => {
                if matches!(e.kind(), ErrorKind::Internal | ErrorKind::Corrupt | ErrorKind::Unavailable) {
                    tracing::error!(error = %e, "a client cannot be answered");
                }
                refuse(Code::TemporarilyUnavailable, "this server cannot answer at the moment; nothing was changed")
            }
        }
    }
}

pub(crate) fn refuse(code: Code, description: impl Into<String>) -> Refused {
    Refused { code, description: description.into() }
}

/// Before the id of a client, in place of a host: where a session is for it.
const HOST: &str = "client:";

/// What stands in place of a host for sessions at a client.
pub(crate) fn host(client: ClientId) -> String {
    format!("{HOST}{client}")
}

/// The client that sessions on this host are for.
pub(crate) fn client_of(host: &str) -> Option<ClientId> {
    host.strip_prefix(HOST)?.parse().ok()
}

/// A client that speaks OAuth 2.0, by the id that somebody names.
pub(crate) async fn known(app: &App, client_id: &str, now: Timestamp) -> Result<Option<(Client, Registration)>, crate::Error> {
    let found = app.client_by_id(client_id, now).await?;
    Ok(found.and_then(|client| client.registration.clone().map(|registration| (client, registration))))
}

/// Who holds a session at a client, if it lives, its login does, and they may sign in.
pub(crate) async fn live_holder(app: &App, session: &Session, now: Timestamp) -> Result<Option<Account>, Error> {
    if !session.is_live(now) {
        return Ok(None);
    }
    let found = app.store.session_get_with_holder(session.login, session.account).await?;
    Ok(found.filter(|(login, account)| login.is_live(now) && account.state == AccountState::Active).map(|(_, account)| account))
}

/// Ends a session at a client, and nothing else of the person's.
pub(crate) async fn end_part(app: &App, ctx: &Ctx, session: &Session, why: &'static str) -> Result<(), crate::Error> {
    let Some(client) = client_of(&session.host) else { return Ok(()) };
    let what = ClientSignedOut::new(session.account, client, session.id, why);
    match app.commit(ctx, what, |c| c.session_end_part(session.id, session.login, ctx.now)).await {
        Ok(()) | Err(crate::Error::Store(tutela_store::Error::Conflict(_))) => {
            app.forget(session.login.0);
            app.forget(session.account.0);
            Ok(())
        }
        Err(e) => Err(e),
    }
}

/// Writes down that a client's request was refused, where the client is known.
pub(crate) async fn record_refusal(app: &App, ctx: &Ctx, client: ClientId, refused: &Refused) -> Result<(), Error> {
    Ok(app.commit(ctx, ClientRefused::new(client, refused.code.as_str(), &refused.description), |c| c).await?)
}

/// As [`Ctx::as_account`], for somebody whose client acts for them.
pub(crate) fn as_person(ctx: &Ctx, session: &Session) -> Ctx {
    ctx.as_account(session.account, session.login, session.assurance.aal, Default::default())
}

/// As [`Ctx::as_account`], for a client that has proven who it is.
pub(crate) fn as_client(ctx: &Ctx, client: &Client) -> Ctx {
    let grants = client.grants(ctx.now).unwrap_or_default();
    Ctx { principal: Principal::Client { id: client.id, grants }, ..ctx.clone() }
}

/// The account that is signed in, and its login.
pub(crate) fn signed_in(ctx: &Ctx) -> Option<(AccountId, tutela_core::SessionId)> {
    Some((ctx.principal.account()?, ctx.principal.session()?))
}
