//! Groups and grants.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use tutela_api::{Grant, Group, NewGrant, Page, Problem};
use tutela_app::{grant, group};

use super::{Body, Paging, id};
use crate::{caller::Caller, problem::Answer, web::Web};

#[utoipa::path(get, path = "/v1/groups", responses((status = 200, body = Vec<Group>), (status = "default", body = Problem)))]
pub(crate) async fn groups(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<Group>>> {
    Ok(Json(group::list(&web.app, &caller.ctx).await?))
}

#[utoipa::path(put, path = "/v1/groups", request_body = Group, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn set_group(State(web): State<Web>, caller: Caller, Body(wanted): Body<Group>) -> Answer<StatusCode> {
    group::set(&web.app, &caller.ctx, wanted).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(delete, path = "/v1/groups/{name}", params(("name" = String, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn delete_group(State(web): State<Web>, caller: Caller, Path(name): Path<String>) -> Answer<StatusCode> {
    group::delete(&web.app, &caller.ctx, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(get, path = "/v1/groups/{name}/members", params(("name" = String, Path), Paging), responses((status = 200, body = Page<String>), (status = "default", body = Problem)))]
pub(crate) async fn members(State(web): State<Web>, caller: Caller, Path(name): Path<String>, Query(paging): Query<Paging>) -> Answer<Json<Page<String>>> {
    let items = group::members(&web.app, &caller.ctx, &name, paging.before()?, paging.limit()).await?;
    Ok(Json(paging.page(items, String::clone)))
}

#[utoipa::path(put, path = "/v1/groups/{name}/members/{id}", params(("name" = String, Path), ("id" = String, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn join(State(web): State<Web>, caller: Caller, Path((name, text)): Path<(String, String)>) -> Answer<StatusCode> {
    group::set_member(&web.app, &caller.ctx, &name, id(&text, "account")?, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(delete, path = "/v1/groups/{name}/members/{id}", params(("name" = String, Path), ("id" = String, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn leave(State(web): State<Web>, caller: Caller, Path((name, text)): Path<(String, String)>) -> Answer<StatusCode> {
    group::set_member(&web.app, &caller.ctx, &name, id(&text, "account")?, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(get, path = "/v1/grants", params(Paging), responses((status = 200, body = Page<Grant>), (status = "default", body = Problem)))]
pub(crate) async fn grants(State(web): State<Web>, caller: Caller, Query(paging): Query<Paging>) -> Answer<Json<Page<Grant>>> {
    let items = grant::list(&web.app, &caller.ctx, paging.before()?, paging.limit()).await?;
    Ok(Json(paging.page(items, |g| g.id.clone())))
}

#[utoipa::path(post, path = "/v1/grants", request_body = NewGrant, responses((status = 201, body = Grant), (status = "default", body = Problem)))]
pub(crate) async fn give(State(web): State<Web>, caller: Caller, Body(new): Body<NewGrant>) -> Answer<(StatusCode, Json<Grant>)> {
    Ok((StatusCode::CREATED, Json(grant::give(&web.app, &caller.ctx, new).await?)))
}

#[derive(Deserialize, utoipa::IntoParams)]
pub(crate) struct Why {
    /// Why, for the ledger; 1 to 500 characters.
    #[serde(default)]
    pub(crate) reason: String,
}

#[utoipa::path(delete, path = "/v1/grants/{id}", params(("id" = String, Path), Why), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn end(State(web): State<Web>, caller: Caller, Path(text): Path<String>, Query(why): Query<Why>) -> Answer<StatusCode> {
    grant::end(&web.app, &caller.ctx, id(&text, "grant")?, &why.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}
