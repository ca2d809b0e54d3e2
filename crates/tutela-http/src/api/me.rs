//! The caller's own account over the API: what the account pages do, for people with an access token or a session.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use tutela_api::{Authenticator, Device, Me, PasswordChange, PasswordQuestion, PasswordStrength, Problem, Session};
use tutela_app::{authenticator, device, password, profile, session};
use tutela_core::Secret;

use super::{Body, id};
use crate::{
    caller::{Browser, Caller},
    problem::Answer,
    web::Web,
};

#[utoipa::path(get, path = "/v1/me", responses((status = 200, body = Me), (status = "default", body = Problem)))]
pub(crate) async fn me(State(web): State<Web>, caller: Caller) -> Answer<Json<Me>> {
    let own = profile::own(&web.app, &caller.ctx).await?;
    Ok(Json(Me {
        id: own.id.to_string(),
        email: own.email.as_str().to_owned(),
        email_verified: own.email_verified_at.is_some(),
        phone: own.phone,
        name: own.name,
        acr: caller.identity.map(|identity| identity.strength.acr().to_owned()).unwrap_or_default(),
    }))
}

#[utoipa::path(get, path = "/v1/me/authenticators", responses((status = 200, body = Vec<Authenticator>), (status = "default", body = Problem)))]
pub(crate) async fn authenticators(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<Authenticator>>> {
    Ok(Json(authenticator::list(&web.app, &caller.ctx).await?.into_iter().map(shown).collect()))
}

pub(crate) fn shown(way: authenticator::Shown) -> Authenticator {
    Authenticator {
        id: way.id.to_string(),
        kind: way.kind.as_str().to_owned(),
        name: way.name,
        left: way.left,
        created_at: way.created_at.to_string(),
        last_used_at: way.last_used_at.map(|at| at.to_string()),
    }
}

#[utoipa::path(delete, path = "/v1/me/authenticators/{id}", params(("id" = String, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn remove_authenticator(State(web): State<Web>, caller: Caller, Path(text): Path<String>) -> Answer<StatusCode> {
    authenticator::remove(&web.app, &caller.ctx, id(&text, "way to sign in")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(get, path = "/v1/me/devices", responses((status = 200, body = Vec<Device>), (status = "default", body = Problem)))]
pub(crate) async fn devices(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<Device>>> {
    let shown = |device: tutela_identity::device::Device| Device {
        id: device.id.to_string(),
        label: device.hints.label,
        language: device.hints.language,
        first_seen_at: device.first_seen_at.to_string(),
        last_seen_at: device.last_seen_at.to_string(),
        remembered_until: device.remembered_until.map(|at| at.to_string()),
    };
    Ok(Json(device::list(&web.app, &caller.ctx).await?.into_iter().map(shown).collect()))
}

#[utoipa::path(delete, path = "/v1/me/devices/{id}", params(("id" = String, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn forget_device(State(web): State<Web>, caller: Caller, Path(text): Path<String>) -> Answer<StatusCode> {
    device::forget(&web.app, &caller.ctx, id(&text, "device")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(put, path = "/v1/me/password", request_body = PasswordChange, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn change_password(State(web): State<Web>, caller: Caller, Browser(visitor): Browser, Body(new): Body<PasswordChange>) -> Answer<StatusCode> {
    password::change(&web.app, &caller.ctx, &visitor, Secret::new(new.old_password), Secret::new(new.password)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(get, path = "/v1/me/sessions", responses((status = 200, body = Vec<Session>), (status = "default", body = Problem)))]
pub(crate) async fn sessions(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<Session>>> {
    let views = session::own(&web.app, &caller.ctx).await?;
    Ok(Json(views.iter().map(|view| session::shown(view, caller.ctx.principal.session())).collect()))
}

#[utoipa::path(delete, path = "/v1/me/sessions/{id}", params(("id" = String, Path, description = "a session id, or `others` for all but this one")), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn end_session(State(web): State<Web>, caller: Caller, Path(text): Path<String>) -> Answer<StatusCode> {
    if text == "others" {
        session::end_others(&web.app, &caller.ctx).await?;
    } else {
        session::end_own(&web.app, &caller.ctx, id(&text, "session")?).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/v1/passwords/strength", request_body = PasswordQuestion, responses((status = 200, body = PasswordStrength), (status = "default", body = Problem)))]
pub(crate) async fn strength(State(web): State<Web>, _caller: Caller, Body(asked): Body<PasswordQuestion>) -> Answer<Json<PasswordStrength>> {
    let judged = password::strength(&web.app, &Secret::new(asked.password))?;
    Ok(Json(PasswordStrength { score: judged.score, problem: judged.problem }))
}
