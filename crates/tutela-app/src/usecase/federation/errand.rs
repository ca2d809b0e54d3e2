//! The way there.

use serde::{Deserialize, Serialize};
use tutela_identity::{Token, TokenKind, federation::openid};
use tutela_store::Changeset;

use super::{callback, ends};
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
    /// What binds the answer to this errand; none where nobody was sent.
    pub kept: Option<openid::Kept>,
    /// Hash of the browser's cookie.
    pub cookie: Option<[u8; 32]>,
}

/// Where the browser goes.
pub struct Departure {
    /// The provider's address.
    pub location: String,
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
    let kept = openid::Kept::new(wish == Wish::Prove, rng);
    let location = departure(app, ctx, provider, state.open(), &kept).await?;
    let errand = Errand { provider: name.to_owned(), wish, to: to.to_owned(), kept: Some(kept), cookie: Some(browser.hash()) };
    let sealed = app.seal_as(PURPOSE, &errand)?;
    app.store.commit(Changeset::errand_insert(state.hash(), &sealed, None, ends(ctx.now))).await?;
    Ok(Departure { location, cookie: fresh.then_some(browser) })
}

async fn departure(app: &App, ctx: &Ctx, provider: &OutsideProvider, state: &str, kept: &openid::Kept) -> Result<String, Error> {
    let back = callback(app, &provider.name);
    match &provider.way {
        Way::Oauth2(oauth2) => Ok(with_query(oauth2.authorization_url(), &oauth2.request(&back, state, kept))),
        Way::Openid(openid) => {
            let metadata = provider.metadata(openid, ctx.now).await?;
            let mut fields = openid.request(&back, state, kept);
            if let Some(endpoint) = &metadata.pushed_authorization_request_endpoint {
                let call = openid.push(endpoint, &metadata, fields, kept, &app.signer(), ctx.now)?;
                let answer = provider.ask(&call).await?;
                let pushed: Pushed = serde_json::from_slice(&answer).map_err(|_| Error::Provider {
                    provider: provider.label.clone(),
                    why: "it refused the request that was handed over beforehand (RFC 9126)".into(),
                })?;
                fields = vec![("client_id".to_owned(), openid.client_id().to_owned()), ("request_uri".to_owned(), pushed.request_uri)];
            }
            Ok(with_query(&metadata.authorization_endpoint, &fields))
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

/// An address with more fields in its query.
pub(crate) fn with_query(url: &str, fields: &[(String, String)]) -> String {
    use std::fmt::Write as _;
    let mut out = url.to_owned();
    for (index, (name, value)) in fields.iter().enumerate() {
        out.push(if index == 0 && !url.contains('?') { '?' } else { '&' });
        for (part, text) in [("", name.as_str()), ("=", value.as_str())] {
            out.push_str(part);
            for byte in text.bytes() {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    out.push(char::from(byte));
                } else {
                    let _ = write!(out, "%{byte:02X}");
                }
            }
        }
    }
    out
}
