//! Signing in with an account somewhere else: people are sent to an outside provider on an errand, come back with its
//! answer, and are somebody here by what it vouches for.
//!
//! ```text
//!   errand.rs  begin: state kept and bound to the browser --> the provider
//!   answer.rs  back: state used up once, answer checked --> Arrival
//!   arrive.rs  a connected account signs in | a new one is made | the person has to prove an account of theirs first
//!   connect.rs connections: made with proof on both sides, shown, ended
//!   foreign.rs access tokens of theirs, where a route of the gateway takes them
//! ```

mod answer;
mod arrive;
mod connect;
mod errand;
mod foreign;
mod saml;

use tutela_api as api;
use tutela_core::Timestamp;

pub use answer::{Finished, Posted, finish, keep_answer};
pub use connect::{Connected, Offer, connect, disconnect, disconnect_for, list, list_for, read_offer};
pub use errand::{Departure, Wish, begin};
pub(crate) use foreign::{Foreign, prove};
pub(crate) use saml::ensure_key as ensure_saml_key;
pub use saml::{logout, metadata, way_out};

use crate::{App, Ctx, Error};

/// An outside provider as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// Its name in addresses.
    pub name: String,
    /// What the button says.
    pub label: String,
}

/// The providers that people can sign in with here.
pub fn buttons(app: &App) -> Vec<Button> {
    app.outside.iter().map(|provider| Button { name: provider.name.clone(), label: provider.label.clone() }).collect()
}

/// Every provider, and whether it is there: each is asked.
pub async fn health(app: &App, ctx: &Ctx) -> Result<Vec<api::Provider>, Error> {
    app.permit(ctx, "accounts:read").await?;
    let mut found = Vec::new();
    for provider in app.outside.iter() {
        let trouble = match provider.look(ctx.now).await {
            Ok(()) => None,
            Err(Error::Provider { why, .. }) => Some(why),
            Err(e) => Some(e.to_string()),
        };
        let name = &provider.name;
        let is_saml = matches!(provider.way, crate::Way::Saml(_));
        found.push(api::Provider {
            name: name.clone(),
            label: provider.label.clone(),
            protocol: provider.way.protocol().to_owned(),
            callback_url: callback(app, name),
            logout_url: (!matches!(provider.way, crate::Way::Oauth2(_))).then(|| saml::logout_place(app, name)),
            metadata_url: is_saml.then(|| format!("{}/sign-in/with/{name}/metadata", app.urls.public)),
            trouble,
        });
    }
    Ok(found)
}

/// Where a provider sends people back to: the redirect URI that this server is registered with there.
pub(crate) fn callback(app: &App, provider: &str) -> String {
    format!("{}/sign-in/with/{provider}/callback", app.urls.public)
}

/// A keyed hash of what a provider calls somebody or something.
pub(crate) fn outside_hash(app: &App, provider: &str, kind: &str, text: &str) -> [u8; 32] {
    tutela_identity::keyed_hash(&app.sign_in_key, &[b"outside", provider.as_bytes(), kind.as_bytes(), text.as_bytes()])
}

/// Ends the sessions here that began with a session there, or with any session of somebody there. Gives their number.
pub async fn ended_outside(app: &App, ctx: &Ctx, name: &str, logout_token: &str) -> Result<u64, Error> {
    let provider = app.outside.get(name).ok_or(Error::NotFound("provider"))?;
    let crate::Way::Openid(openid) = &provider.way else { return Err(Error::NotFound("provider")) };
    let metadata = provider.metadata(openid, ctx.now).await?;
    let key_id = tutela_identity::jwt::Unverified::parse(logout_token).ok().and_then(|token| token.key_id().map(str::to_owned));
    let keys = provider.keys(&metadata, key_id.as_deref(), ctx.now).await?;
    let checked = openid.check_logout(&metadata, &keys, logout_token, ctx.now);
    let (subject, session, id) = match checked {
        Ok(named) => named,
        Err(e) => {
            answer::refused(app, ctx, provider, &e).await?;
            return Err(Error::invalid("logout_token", e.to_string()));
        }
    };
    let spent = outside_hash(app, name, "logout", &id);
    let once = tutela_store::Changeset::sign_in_step().challenge_spend(spent, ctx.now + std::time::Duration::from_secs(1_200));
    match app.store.commit(once).await {
        Err(tutela_store::Error::Conflict(_)) => return Err(Error::invalid("logout_token", "it was used already")),
        done => done?,
    }
    end_all(app, ctx, name, subject.as_deref(), session.as_deref()).await
}

/// As [`ended_outside`], for names that were checked.
pub(crate) async fn end_all(app: &App, ctx: &Ctx, provider: &str, subject: Option<&str>, session: Option<&str>) -> Result<u64, Error> {
    let hash = |kind: &str, text: Option<&str>| text.map(|text| outside_hash(app, provider, kind, text));
    let found = app.store.outside_session_list(provider, hash("subject", subject), hash("session", session)).await?;
    for id in &found {
        super::session::end_because(app, ctx, *id, tutela_identity::SessionEndReason::EndedOutside).await?;
    }
    Ok(found.len() as u64)
}

/// Until when an errand can be finished.
pub(crate) fn ends(begun: Timestamp) -> Timestamp {
    begun + tutela_identity::sign_in::LIFE
}
