//! Who asks: from a session cookie, an API key, or the admin socket's peer. One context per request.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use tutela_app::{Bearer, Ctx, sign_in::Visitor};
use tutela_core::{ErrorKind, Pii, Principal, RequestId, seam::Identity};
use tutela_identity::{Token, TokenKind, cookie::Cookie, device::Hints};

use crate::{
    problem::Failure,
    web::{Front, PeerUid, Web},
};

/// The caller: the context for use cases, and who it is where a person asks.
#[derive(Clone)]
pub(crate) struct Caller {
    pub ctx: Ctx,
    pub identity: Option<Arc<Identity>>,
}

impl FromRequestParts<Web> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Failure> {
        // Several layers ask; one request has one caller and one `now`.
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let caller = Self::identify(parts, web).await?;
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

impl Caller {
    async fn identify(parts: &Parts, web: &Web) -> Result<Self, Failure> {
        let mut ctx = unnamed(parts, web);
        if web.front == Front::Socket {
            let PeerUid(uid) = parts.extensions.get().copied().ok_or(Failure::new(ErrorKind::Unauthenticated, "the peer of the admin socket is not known"))?;
            ctx.principal = Principal::Operator { uid };
            return Ok(Self { ctx, identity: None });
        }
        if let Some(authorization) = parts.headers.get(header::AUTHORIZATION) {
            let bad = || {
                Failure::new(
                    ErrorKind::Unauthenticated,
                    "the API key or access token is not known, was revoked or has expired; expected `Authorization: Bearer tck_…`",
                )
            };
            let key = authorization.to_str().ok().and_then(|v| v.strip_prefix("Bearer ")).ok_or_else(bad)?;
            let token = web.app.live_token(key.trim(), &web.app.urls().public, ctx.now).await?;
            if let Bearer::Live(live, _) = token {
                ctx = ctx.as_account(live.identity.account, live.session.login, live.identity.strength, live.identity.grants.clone());
                return Ok(Self { ctx, identity: Some(live.identity) });
            }
            let client = match token {
                Bearer::Client(client, _) => client,
                _ => web.app.live_client(key.trim(), ctx.now).await?.ok_or_else(bad)?,
            };
            let grants = client.grants(ctx.now).ok_or_else(bad)?;
            ctx.principal = Principal::Client { id: client.id, grants };
            return Ok(Self { ctx, identity: None });
        }
        let Some(token) = own_cookie(&parts.headers, web, Cookie::OwnSession) else { return Ok(Self { ctx, identity: None }) };
        let Some(live) = web.app.live_session(web.host(), token, ctx.now).await? else { return Ok(Self { ctx, identity: None }) };
        ctx = ctx.as_account(live.identity.account, live.session.login, live.identity.strength, live.identity.grants.clone());
        Ok(Self { ctx, identity: Some(live.identity) })
    }
}

impl OptionalFromRequestParts<Web> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Option<Self>, Self::Rejection> {
        Ok(<Self as FromRequestParts<Web>>::from_request_parts(parts, web).await.ok())
    }
}

/// A request whose sender says in the request itself who they are: not a person's session, not an API key.
pub(crate) struct Unnamed(pub Ctx);

impl FromRequestParts<Web> for Unnamed {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Self::Rejection> {
        Ok(Self(unnamed(parts, web)))
    }
}

/// When, and from where, a request comes.
fn unnamed(parts: &Parts, web: &Web) -> Ctx {
    let mut ctx = Ctx::new(web.app.env(), Principal::Anonymous);
    if let Some(id) = parts.extensions.get::<RequestId>() {
        ctx.request = *id;
    }
    ctx.ip = parts.extensions.get::<SocketAddr>().map(|peer| Pii::new(peer.ip()));
    ctx.user_agent = parts.headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).map(|ua| Pii::new(ua.chars().take(256).collect()));
    ctx
}

/// The value of one of our cookies.
pub(crate) fn own_cookie<'a>(headers: &'a HeaderMap, web: &Web, cookie: Cookie) -> Option<&'a str> {
    web.app.cookies().find(headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()), cookie)
}

/// The browser of a request: the device it says it is, and what it says of itself.
pub(crate) struct Browser(pub Visitor);

impl FromRequestParts<Web> for Browser {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Self::Rejection> {
        let text = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok());
        let hints = Hints::read(text("user-agent"), text("sec-ch-ua-platform"), text("accept-language"));
        let device = own_cookie(&parts.headers, web, Cookie::Device).and_then(|text| Token::parse(TokenKind::Device, text));
        Ok(Self(Visitor { host: web.host().to_owned(), device: device.map(Arc::new), hints, audience: String::new() }))
    }
}
