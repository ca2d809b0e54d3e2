//! Where a person goes once they have signed in. `to` says it, travels through the forms of every step, and is never an
//! address: a page of the account, or something that this server has sealed.

use axum::response::Response;
use tutela_app::{handover, oauth};
use tutela_core::{ErrorKind, seam::Wanted};

use super::{failed, outside::OFFER, see_other};
use crate::{caller::Caller, web::Web};

/// Before a page of the account.
pub(crate) const OWN_PATH: &str = "own:";
/// Before the sealed request of an application.
pub(crate) const CLIENT: &str = "client:";

/// What the pages of a sign-in need to know of where it leads.
#[derive(Default)]
pub(crate) struct Destination {
    /// The one other origin that forms may lead to.
    pub origin: Option<String>,
    /// The application that asks, as its people know it.
    pub name: Option<String>,
    /// How strong and fresh the sign-in has to be.
    pub wanted: Wanted,
    /// The mail address to begin with.
    pub hint: Option<String>,
}

/// Reads `to`; what is no destination leads to the account page.
pub(crate) async fn read(web: &Web, caller: &Caller, to: &str) -> Destination {
    let now = caller.ctx.now;
    if let Some(sealed) = to.strip_prefix(CLIENT) {
        return match oauth::purpose(&web.app, now, sealed).await {
            // Strength and freshness are checked where the request goes on.
            Ok(Some(purpose)) => Destination { origin: Some(purpose.origin), name: Some(purpose.client), hint: purpose.hint, wanted: Wanted::default() },
            Ok(None) | Err(_) => Destination::default(),
        };
    }
    match handover::read(&web.app, to, now) {
        Some(transaction) => {
            let name = Some(handover::host_of(&transaction.origin).to_owned());
            Destination { name, origin: Some(transaction.origin), wanted: transaction.wanted, hint: None }
        }
        None => Destination::default(),
    }
}

/// Back to the application that asked, to the page of ours, or to the account page.
pub(crate) async fn go_on(web: &Web, caller: &Caller, to: &str) -> Response {
    if let Some(offer) = to.strip_prefix(OFFER) {
        return see_other(&format!("/sign-in/connect?offer={offer}"));
    }
    if let Some(sealed) = to.strip_prefix(CLIENT) {
        return see_other(&format!("/oauth/continue?request={sealed}"));
    }
    if let Some(path) = to.strip_prefix(OWN_PATH).filter(|path| is_own_path(path)) {
        return see_other(path);
    }
    let Some(login) = caller.ctx.principal.session().filter(|_| !to.is_empty()) else { return see_other("/account") };
    match handover::issue(&web.app, &caller.ctx, login, to).await {
        Ok(location) => see_other(&location),
        Err(e) if e.kind() == ErrorKind::Invalid => see_other("/account"),
        Err(e) => failed(web, &e),
    }
}

/// To the sign-in, and from there to a page of the account.
pub(crate) fn sign_in_first(path: &str) -> Response {
    see_other(&format!("/sign-in?to={OWN_PATH}{path}"))
}

/// A page of the account; nothing else may be led to from outside.
pub(crate) fn is_own_path(path: &str) -> bool {
    (path == "/account" || path.starts_with("/account/")) && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-".contains(&b)) && !path.contains("//")
}
