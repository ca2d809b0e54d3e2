//! The gateway: what it guards, reading its configuration again, and what is excepted from rules of the firewall.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use tutela_api::{Exclusion, Gateway, LiftLimit, Limited, NewExclusion, Problem, Reloaded};
use tutela_app::{exclusion, gateway};

use super::{Body, grant::Why};
use crate::{caller::Caller, problem::Answer, web::Web};

#[utoipa::path(get, path = "/v1/gateway", responses((status = 200, body = Gateway), (status = "default", body = Problem)))]
pub(crate) async fn status(State(web): State<Web>, caller: Caller) -> Answer<Json<Gateway>> {
    Ok(Json(gateway::status(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/gateway/reload", responses((status = 200, body = Reloaded), (status = "default", body = Problem)))]
pub(crate) async fn reload(State(web): State<Web>, caller: Caller) -> Answer<Json<Reloaded>> {
    Ok(Json(gateway::reload(&web.app, &caller.ctx).await?))
}

#[utoipa::path(get, path = "/v1/gateway/exclusions", responses((status = 200, body = Vec<Exclusion>), (status = "default", body = Problem)))]
pub(crate) async fn exclusions(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<Exclusion>>> {
    Ok(Json(exclusion::list(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/gateway/exclusions", request_body = NewExclusion, responses((status = 201, body = Vec<Exclusion>), (status = "default", body = Problem)))]
pub(crate) async fn exclude(State(web): State<Web>, caller: Caller, Body(new): Body<NewExclusion>) -> Answer<(StatusCode, Json<Vec<Exclusion>>)> {
    Ok((StatusCode::CREATED, Json(exclusion::make(&web.app, &caller.ctx, new).await?)))
}

#[utoipa::path(delete, path = "/v1/gateway/exclusions/{id}", params(("id" = String, Path), Why), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn end_exclusion(State(web): State<Web>, caller: Caller, Path(id): Path<String>, Query(why): Query<Why>) -> Answer<StatusCode> {
    exclusion::end(&web.app, &caller.ctx, &id, &why.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(get, path = "/v1/limits", responses((status = 200, body = Vec<Limited>), (status = "default", body = Problem)))]
pub(crate) async fn limited(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<Limited>>> {
    Ok(Json(gateway::limited(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/limits/lift", request_body = LiftLimit, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn lift(State(web): State<Web>, caller: Caller, Body(wanted): Body<LiftLimit>) -> Answer<StatusCode> {
    gateway::lift(&web.app, &caller.ctx, &wanted).await?;
    Ok(StatusCode::NO_CONTENT)
}
