//! The way there.

use serde::{Deserialize, Serialize};
use tutela_identity::{
    Token, TokenKind,
    federation::{
        openid,
        saml::{self, Binding, authn_request},
        with_query,
    },
};
use tutela_store::Changeset;

use super::{
    callback, ends,
    saml::{entity_id, key, message_id},
};
use crate::{App, Ctx, Error, OutsideProvider, Way};

const PURPOSE: &[u8] = b"outside errand";

/// What somebody goes to a provider for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// To connect the account there with the account here.
    Connect,
    /// To prove anew who they are, for a sign-in under way.
    Prove,
    /// To sign in.
    SignIn,
}

/// What is kept while they are away, sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Errand {
    pub provider: String,
    pub wish: Wish,
    /// Where the person goes afterwards.
    pub to: String,
    /// What binds the answer to this errand.
    pub kept: Kept,
    /// Hash of the browser's cookie.
    pub cookie: Option<[u8; 32]>,
}

/// What binds an answer to an errand.
#[derive(Serialize, Deserialize)]
pub(super) enum Kept {
    /// Nothing: nobody was sent, the provider sent them.
    Nothing,
    /// Nonce and verifier.
    Words(openid::Kept),
    /// The ID of a SAML request.
    Request(String),
}

/// Where the browser goes.
pub struct Departure {
    /// The provider's address, or a form for it.
    pub there: saml::Sent,
    /// The browser's cookie, where it has none yet.
    pub cookie: Option<Token>,
}

/// Sends somebody to a provider. `cookie` is what the browser has from an errand before this one: two tabs share it.
pub async fn begin(app: &App, ctx: &Ctx, name: &str, wish: Wish, to: &str, cookie: Option<&str>) -> Result<Departure, Error> {
    let provider = app.outside.get(name).ok_or(Error::NotFound("provider"))?;
    let rng = &mut { app.env() };
    let (browser, fresh) = match cookie.and_then(|text| Token::parse(TokenKind::Errand, text)) {
        Some(token) => (token, false),
        None => (Token::new(TokenKind::Errand, rng), true),
    };
    let state = Token::new(TokenKind::Errand, rng);
    let (there, kept) = departure(app, ctx, provider, state.open(), wish == Wish::Prove).await?;
    let errand = Errand { provider: name.to_owned(), wish, to: to.to_owned(), kept, cookie: Some(browser.hash()) };
    let sealed = app.seal_as(PURPOSE, &errand)?;
    app.store.commit(Changeset::errand_insert(state.hash(), &sealed, None, ends(ctx.now))).await?;
    Ok(Departure { there, cookie: fresh.then_some(browser) })
}

/// A provider sends somebody who did not ask to sign in: an errand that begins with its end. Gives its state and the
/// browser's cookie.
pub(super) async fn unasked(app: &App, ctx: &Ctx, provider: &OutsideProvider, answer: &str) -> Result<(Token, Token), Error> {
    let rng = &mut { app.env() };
    let (browser, state) = (Token::new(TokenKind::Errand, rng), Token::new(TokenKind::Errand, rng));
    let errand = Errand { provider: provider.name.clone(), wish: Wish::SignIn, to: String::new(), kept: Kept::Nothing, cookie: Some(browser.hash()) };
    let sealed = app.seal_as(PURPOSE, &errand)?;
    app.store.commit(Changeset::errand_insert(state.hash(), &sealed, Some(answer), ends(ctx.now))).await?;
    Ok((state, browser))
}

async fn departure(app: &App, ctx: &Ctx, provider: &OutsideProvider, state: &str, anew: bool) -> Result<(saml::Sent, Kept), Error> {
    let back = callback(app, &provider.name);
    match &provider.way {
        Way::Oauth2(oauth2) => {
            let kept = openid::Kept::new(anew, &mut { app.env() });
            let there = with_query(oauth2.authorization_url(), &oauth2.request(&back, state, &kept));
            Ok((saml::Sent::Redirect(there), Kept::Words(kept)))
        }
        Way::Saml(saml) => {
            let metadata = provider.saml_metadata(saml, ctx.now).await?;
            let (id, entity) = (message_id(app), entity_id(app, provider, saml));
            let key = if saml.config.sign_requests { Some(key(app)?) } else { None };
            let (post, format) = (saml.config.binding == Binding::Post, saml.config.name_id_format.as_deref());
            Ok((authn_request(&metadata, post, &id, &entity, &back, format, anew, state, key, ctx.now)?, Kept::Request(id)))
        }
        Way::Openid(openid) => {
            let kept = openid::Kept::new(anew, &mut { app.env() });
            let metadata = provider.metadata(openid, ctx.now).await?;
            let mut fields = openid.request(&back, state, &kept);
            if let Some(endpoint) = &metadata.pushed_authorization_request_endpoint {
                let call = openid.push(endpoint, &metadata, fields, &kept, &app.signer(), ctx.now)?;
                let answer = provider.ask(&call).await?;
                let pushed: Pushed = serde_json::from_slice(&answer).map_err(|_| Error::Provider {
                    provider: provider.label.clone(),
                    why: "it refused the request that was handed over beforehand (RFC 9126)".into(),
                })?;
                fields = vec![("client_id".to_owned(), openid.client_id().to_owned()), ("request_uri".to_owned(), pushed.request_uri)];
            }
            Ok((saml::Sent::Redirect(with_query(&metadata.authorization_endpoint, &fields)), Kept::Words(kept)))
        }
    }
}

/// The answer to a request that was handed over beforehand (RFC 9126 §2.2).
#[derive(Deserialize)]
struct Pushed {
    request_uri: String,
}

pub(super) fn open(app: &App, sealed: &str) -> Option<Errand> {
    app.open_as(PURPOSE, sealed)
}
