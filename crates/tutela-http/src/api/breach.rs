//! The register of breaches.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use tutela_api::{Breach, BreachFacts, BreachTold, NewBreach, Problem, ReasonBody};
use tutela_app::compliance::breach;

use super::Body;
use crate::{caller::Caller, problem::Answer, web::Web};

#[utoipa::path(get, path = "/v1/breaches", responses((status = 200, body = Vec<Breach>), (status = "default", body = Problem)))]
pub(crate) async fn list(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<Breach>>> {
    Ok(Json(breach::list(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/breaches", request_body = NewBreach, responses((status = 201, body = Breach), (status = "default", body = Problem)))]
pub(crate) async fn open(State(web): State<Web>, caller: Caller, Body(new): Body<NewBreach>) -> Answer<(StatusCode, Json<Breach>)> {
    Ok((StatusCode::CREATED, Json(breach::open(&web.app, &caller.ctx, new).await?)))
}

#[utoipa::path(get, path = "/v1/breaches/{id}", params(("id" = String, Path)), responses((status = 200, body = Breach), (status = "default", body = Problem)))]
pub(crate) async fn get(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Answer<Json<Breach>> {
    Ok(Json(breach::get(&web.app, &caller.ctx, &id).await?))
}

#[utoipa::path(put, path = "/v1/breaches/{id}/facts", params(("id" = String, Path)), request_body = BreachFacts, responses((status = 200, body = Breach), (status = "default", body = Problem)))]
pub(crate) async fn set(State(web): State<Web>, caller: Caller, Path(id): Path<String>, Body(facts): Body<BreachFacts>) -> Answer<Json<Breach>> {
    Ok(Json(breach::set(&web.app, &caller.ctx, &id, facts).await?))
}

#[utoipa::path(post, path = "/v1/breaches/{id}/sign", params(("id" = String, Path)), responses((status = 200, body = Breach), (status = "default", body = Problem)))]
pub(crate) async fn sign(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Answer<Json<Breach>> {
    Ok(Json(breach::sign(&web.app, &caller.ctx, &id).await?))
}

#[utoipa::path(post, path = "/v1/breaches/{id}/told", params(("id" = String, Path)), request_body = BreachTold, responses((status = 200, body = Breach), (status = "default", body = Problem)))]
pub(crate) async fn told(State(web): State<Web>, caller: Caller, Path(id): Path<String>, Body(new): Body<BreachTold>) -> Answer<Json<Breach>> {
    Ok(Json(breach::told(&web.app, &caller.ctx, &id, new).await?))
}

#[utoipa::path(post, path = "/v1/breaches/{id}/close", params(("id" = String, Path)), request_body = ReasonBody, responses((status = 200, body = Breach), (status = "default", body = Problem)))]
pub(crate) async fn close(State(web): State<Web>, caller: Caller, Path(id): Path<String>, Body(why): Body<ReasonBody>) -> Answer<Json<Breach>> {
    Ok(Json(breach::close(&web.app, &caller.ctx, &id, &why.reason).await?))
}
