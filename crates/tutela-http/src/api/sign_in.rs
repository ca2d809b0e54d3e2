//! Signing in from applications, and their tokens. Public: whoever knows no secret gets nowhere.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use tutela_api::{Delivery, IdentitySettings, Problem, RefreshRequest, RevokeRequest, SendCode, SignInAnswer, SignInProof, SignInRequest, Tokens};
use tutela_app::{
    identity_settings,
    sign_in::{self, Next, Progress, Visitor},
    token,
};
use tutela_core::{ErrorKind, Secret};
use tutela_identity::{AuthenticatorKind, TOKENS, Token, TokenKind, cookie::Cookie};

use super::Body;
use crate::{
    caller::{Browser, Caller, own_cookie},
    page::set_cookie,
    problem::{Answer, Failure},
    web::Web,
};

#[utoipa::path(post, path = "/v1/sign-in", request_body = SignInRequest, responses((status = 200, body = SignInAnswer), (status = "default", body = Problem)))]
pub(crate) async fn sign_in(State(web): State<Web>, caller: Caller, Browser(browser): Browser, Body(asked): Body<SignInRequest>) -> Answer<Response> {
    token::check_audience(&web.app, &asked.audience)?;
    let visitor = visitor(browser, asked.device_token.as_deref(), &asked.audience);
    let progress = sign_in::password(&web.app, &caller.ctx, &visitor, &asked.email, Secret::new(asked.password)).await?;
    answer(&web, &caller, progress, asked.delivery)
}

#[utoipa::path(post, path = "/v1/sign-in/prove", request_body = SignInProof, responses((status = 200, body = SignInAnswer), (status = "default", body = Problem)))]
pub(crate) async fn prove(State(web): State<Web>, caller: Caller, Browser(browser): Browser, Body(proof): Body<SignInProof>) -> Answer<Response> {
    token::check_audience(&web.app, &proof.audience)?;
    let visitor = visitor(browser, proof.device_token.as_deref(), &proof.audience);
    let (app, ctx) = (&web.app, &caller.ctx);
    let progress = match (proof.method.as_str(), AuthenticatorKind::parse(&proof.method)) {
        ("new_password", _) => sign_in::new_password(app, ctx, &visitor, &proof.sign_in, Secret::new(proof.code)).await?,
        (_, Some(AuthenticatorKind::Recovery)) => sign_in::recovery(app, ctx, &visitor, &proof.sign_in, &proof.code).await?,
        (_, Some(kind @ (AuthenticatorKind::Email | AuthenticatorKind::Sms | AuthenticatorKind::Totp))) => {
            sign_in::code(app, ctx, &visitor, &proof.sign_in, kind, &proof.code, proof.remember_device).await?
        }
        _ => return Err(Failure::field("method", "one of `totp`, `sms`, `email`, `recovery`, `new_password`; passkeys are used on the hosted pages")),
    };
    answer(&web, &caller, progress, proof.delivery)
}

#[utoipa::path(post, path = "/v1/sign-in/send", request_body = SendCode, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn send(State(web): State<Web>, caller: Caller, Browser(browser): Browser, Body(asked): Body<SendCode>) -> Answer<StatusCode> {
    let kind = AuthenticatorKind::parse(&asked.method).ok_or_else(|| Failure::field("method", "`sms` or `email`"))?;
    sign_in::send_code(&web.app, &caller.ctx, &visitor(browser, None, ""), &asked.sign_in, kind).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An application's visitor: its session lives in tokens, and the device is named in the body.
fn visitor(browser: Visitor, device: Option<&str>, audience: &str) -> Visitor {
    let device = device.and_then(|text| Token::parse(TokenKind::Device, text)).map(Arc::new).or(browser.device);
    Visitor { host: TOKENS.to_owned(), device, hints: browser.hints, audience: audience.to_owned() }
}

fn answer(web: &Web, caller: &Caller, progress: Progress, delivery: Delivery) -> Answer<Response> {
    let empty = SignInAnswer { state: "done".into(), sign_in: None, methods: Vec::new(), email: None, phone: None, reason: None, tokens: None };
    let mut signed_in = match progress {
        Progress::Done(signed_in) => signed_in,
        Progress::Next(pending) => {
            let words = |kinds: &[AuthenticatorKind]| kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
            let (state, methods, reason) = match &pending.next {
                Next::Challenge(kinds) => ("challenge", words(kinds), None),
                Next::Enrol(kinds) => ("enrol", words(kinds), None),
                Next::NewPassword(why) => ("new_password", Vec::new(), Some(why.clone())),
                Next::Stuck => ("stuck", Vec::new(), None),
            };
            let sign_in = pending.token.as_ref().map(|token| token.open().to_owned());
            let email = Some(pending.email.clone());
            let answer = SignInAnswer { state: state.into(), sign_in, methods, email, phone: pending.phone.clone(), reason, ..empty };
            return Ok(Json(answer).into_response());
        }
    };
    let tokens = token::issue(&web.app, &caller.ctx, &mut signed_in)?;
    let device = signed_in.device.as_ref().map(|token| token.open().to_owned());
    let (shown, refresh) = shown(tokens, device, delivery);
    let mut response = Json(SignInAnswer { tokens: Some(shown), ..empty }).into_response();
    if let (Delivery::Cookie, Some(refresh)) = (delivery, refresh) {
        set_cookie(&mut response, web, Cookie::Refresh, refresh.open());
        if let Some(device) = &signed_in.device {
            set_cookie(&mut response, web, Cookie::Device, device.open());
        }
    }
    Ok(response)
}

fn shown(tokens: token::Tokens, device_token: Option<String>, delivery: Delivery) -> (Tokens, Option<Token>) {
    let in_body = delivery == Delivery::Body;
    let shown = Tokens {
        access_token: tokens.access,
        token_type: "Bearer".into(),
        expires_in: tokens.expires_in.as_secs(),
        refresh_token: tokens.refresh.as_ref().filter(|_| in_body).map(|token| token.open().to_owned()),
        device_token: device_token.filter(|_| in_body),
        session_id: tokens.session.id.to_string(),
    };
    (shown, tokens.refresh)
}

#[utoipa::path(post, path = "/v1/tokens/refresh", request_body = RefreshRequest, responses((status = 200, body = Tokens), (status = "default", body = Problem)))]
pub(crate) async fn refresh(
    State(web): State<Web>,
    caller: Caller,
    Browser(browser): Browser,
    headers: HeaderMap,
    Body(asked): Body<RefreshRequest>,
) -> Answer<Response> {
    let cookie = own_cookie(&headers, &web, Cookie::Refresh);
    let delivery = if asked.refresh_token.is_none() { Delivery::Cookie } else { Delivery::Body };
    let presented = asked.refresh_token.as_deref().or(cookie).ok_or_else(|| Failure::new(ErrorKind::Unauthenticated, "no refresh token was sent"))?;
    let device = asked.device_token.as_deref().or(browser.device.as_deref().map(|token| token.open()));
    let tokens = token::refresh(&web.app, &caller.ctx, presented, device).await?;
    let (shown, refresh) = shown(tokens, None, delivery);
    let mut response = Json(shown).into_response();
    if let (Delivery::Cookie, Some(refresh)) = (delivery, refresh) {
        set_cookie(&mut response, &web, Cookie::Refresh, refresh.open());
    }
    Ok(response)
}

#[utoipa::path(post, path = "/v1/tokens/revoke", request_body = RevokeRequest, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn revoke(State(web): State<Web>, caller: Caller, Body(asked): Body<RevokeRequest>) -> Answer<Response> {
    token::revoke(&web.app, &caller.ctx, &asked.token).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, &web, Cookie::Refresh, "");
    Ok(response)
}

#[utoipa::path(get, path = "/v1/identity/settings", responses((status = 200, body = IdentitySettings), (status = "default", body = Problem)))]
pub(crate) async fn settings(State(web): State<Web>, caller: Caller) -> Answer<Json<IdentitySettings>> {
    Ok(Json(identity_settings::read(&web.app, &caller.ctx).await?))
}
