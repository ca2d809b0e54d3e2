//! What SAML needs beside the common way: our key and metadata, and logout through the browser.

use std::time::Duration;

use tutela_core::{Secret, SessionId};
use tutela_identity::{
    Token, TokenKind,
    event::SigningKeyMade,
    federation::{
        saml::{IdpMetadata, SamlKey, logout_answer, logout_request, own_metadata, read_logout_request, read_logout_response},
        with_query,
    },
};
use tutela_store::Changeset;

use super::{answer, callback, end_all, outside_hash};
use crate::{App, Ctx, Error, OutsideProvider, SamlProvider, Way, usecase::sign_in::CameFrom};

const PURPOSE: &[u8] = b"saml key";

/// Makes the key where there is none, if any provider needs it.
pub(crate) async fn ensure_key(app: &App, ctx: &Ctx) -> Result<(), Error> {
    if !app.outside.iter().any(|provider| matches!(provider.way, Way::Saml(_))) {
        return Ok(());
    }
    let (sealed, certificate) = match app.store.saml_key_get().await? {
        Some(kept) => kept,
        None => {
            let (name, env) = (app.own_host().to_owned(), std::sync::Arc::clone(&app.env));
            let made = tokio::task::spawn_blocking(move || SamlKey::generate(&name, &mut &*env)).await;
            let (kept, certificate) = made.map_err(|_| Error::Internal("no key could be made"))??;
            let sealed = app.seal_as(PURPOSE, kept.open())?;
            let event = SigningKeyMade::new("saml", "RS256", ctx.now.to_string());
            match app.commit(ctx, event, |c| c.saml_key_insert(&sealed, &certificate, ctx.now)).await {
                Ok(()) | Err(Error::Store(tutela_store::Error::Conflict(_))) => {}
                Err(e) => return Err(e),
            }
            app.store.saml_key_get().await?.ok_or(Error::Internal("the key for SAML was not kept"))?
        }
    };
    let kept = Secret::new(app.open_as::<Vec<u8>>(PURPOSE, &sealed).ok_or(Error::Internal("the key for SAML cannot be opened"))?);
    let _ = app.saml_key.set(SamlKey::restore(kept.open(), certificate)?);
    Ok(())
}

pub(super) fn key(app: &App) -> Result<&SamlKey, Error> {
    app.saml_key.get().ok_or(Error::Internal("there is no key for SAML"))
}

/// Where a provider's logout messages go.
pub(super) fn logout_place(app: &App, provider: &str) -> String {
    format!("{}/sign-in/with/{provider}/logout", app.urls.public)
}

/// Our entity id for a provider.
pub(super) fn entity_id(app: &App, provider: &OutsideProvider, saml: &SamlProvider) -> String {
    saml.config.entity_id.clone().unwrap_or_else(|| format!("{}/sign-in/with/{}/metadata", app.urls.public, provider.name))
}

/// An ID for a message: an XML name, so it may not begin with a digit.
pub(super) fn message_id(app: &App) -> String {
    format!("_{}", Token::new(TokenKind::Errand, &mut { app.env() }).open())
}

fn of<'a>(app: &'a App, name: &str) -> Result<(&'a OutsideProvider, &'a SamlProvider), Error> {
    let provider = app.outside.get(name).ok_or(Error::NotFound("provider"))?;
    match &provider.way {
        Way::Saml(saml) => Ok((provider, saml)),
        _ => Err(Error::NotFound("provider")),
    }
}

/// What a SAML provider needs to know of us.
pub fn metadata(app: &App, name: &str) -> Result<String, Error> {
    let (provider, saml) = of(app, name)?;
    let (entity, consumer, logout) = (entity_id(app, provider, saml), callback(app, name), logout_place(app, name));
    Ok(own_metadata(&entity, &consumer, &logout, key(app)?, saml.config.sign_requests, saml.config.name_id_format.as_deref()))
}

/// A message about logout came with the browser, in the query; gives where the browser goes.
pub async fn logout(app: &App, ctx: &Ctx, name: &str, query: &str) -> Result<String, Error> {
    let (provider, saml) = of(app, name)?;
    let metadata = provider.saml_metadata(saml, ctx.now).await?;
    let place = logout_place(app, name);
    let signed_out = format!("{}/signed-out", app.urls.public);
    if query.split('&').any(|pair| pair.starts_with("SAMLResponse=")) {
        // Our own session has ended before the provider was asked; its answer is no more than a word.
        if !read_logout_response(query, &metadata, &place, None).map_err(Error::from)? {
            tracing::info!(provider = name, "a provider could not end all sessions of a person who signed out");
        }
        return Ok(signed_out);
    }
    let asked = match read_logout_request(query, &metadata, &place, ctx.now) {
        Ok(asked) => asked,
        Err(e) => {
            answer::refused(app, ctx, provider, &e).await?;
            return Err(Error::Identity(e));
        }
    };
    let spent = outside_hash(app, name, "logout", &asked.id);
    match app.store.commit(Changeset::sign_in_step().challenge_spend(spent, ctx.now + Duration::from_secs(1_200))).await {
        Err(tutela_store::Error::Conflict(_)) => return Err(Error::invalid("SAMLRequest", "it was used already")),
        done => done?,
    }
    if asked.sessions.is_empty() {
        end_all(app, ctx, name, Some(&asked.subject), None).await?;
    }
    for session in &asked.sessions {
        end_all(app, ctx, name, Some(&asked.subject), Some(session)).await?;
    }
    let back = logout_answer(&metadata, &message_id(app), &asked, &entity_id(app, provider, saml), key(app)?, ctx.now)?;
    Ok(back.unwrap_or(signed_out))
}

/// Where the browser of somebody who signs out goes, so that they are signed out at the provider that they came from
/// too; `None` where nobody wants that, or the provider does not offer it.
pub async fn way_out(app: &App, ctx: &Ctx, session: SessionId) -> Result<Option<String>, Error> {
    let Some(row) = app.store.outside_session_get(session).await? else { return Ok(None) };
    let (Some(provider), Some(from)) = (app.outside.get(&row.provider).filter(|provider| provider.sign_out), CameFrom::open(app, &row.sealed)) else {
        return Ok(None);
    };
    let end = format!("{}/signed-out", app.urls.public);
    match &provider.way {
        Way::Oauth2(_) => Ok(None),
        Way::Openid(openid) => {
            let metadata = provider.metadata(openid, ctx.now).await?;
            let fields = [("client_id", openid.client_id().to_owned()), ("post_logout_redirect_uri", end)].map(|(name, value)| (name.to_owned(), value));
            Ok(metadata.end_session_endpoint.as_deref().map(|endpoint| with_query(endpoint, &fields)))
        }
        Way::Saml(saml) => {
            let metadata: std::sync::Arc<IdpMetadata> = provider.saml_metadata(saml, ctx.now).await?;
            let Some(handle) = &from.handle else { return Ok(None) };
            let entity = entity_id(app, provider, saml);
            Ok(logout_request(&metadata, &message_id(app), &entity, &handle.element, from.session.as_deref(), None, key(app)?, ctx.now)?)
        }
    }
}
