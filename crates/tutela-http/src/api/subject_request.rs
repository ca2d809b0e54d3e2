//! What people ask for about their data.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde::Deserialize;
use tutela_api::{
    DataStoreStatus, ErasurePlan, ErasureReplay, ExpiredData, NewErasureReplay, NewPrivacyHold, NewSubjectRequest, OwnSubjectRequest, Page, PrivacyHold,
    Problem, RequestReason, SubjectExport, SubjectRef, SubjectRequest,
};
use tutela_app::privacy::{
    erase, expiry, hold, package, places, replay,
    request::{self, Part},
};

use super::{Body, Paging, grant::Why};
use crate::{caller::Caller, problem::Answer, web::Web};

/// How long an answer is waited for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wait {
    /// Seconds, 0 to 60: until the request has come to rest.
    #[serde(default)]
    wait: u64,
}

#[utoipa::path(post, path = "/v1/subject-requests", params(Wait), request_body = NewSubjectRequest, responses((status = 201, body = SubjectRequest), (status = "default", body = Problem)))]
pub(crate) async fn create(
    State(web): State<Web>,
    caller: Caller,
    Query(wait): Query<Wait>,
    Body(new): Body<NewSubjectRequest>,
) -> Answer<(StatusCode, Json<SubjectRequest>)> {
    let made = request::create(&web.app, &caller.ctx, new).await?;
    Ok((StatusCode::CREATED, Json(rested(&web, made, wait).await?)))
}

async fn rested(web: &Web, made: SubjectRequest, wait: Wait) -> Answer<SubjectRequest> {
    Ok(if wait.wait > 0 { request::wait(&web.app, &made.id, Duration::from_secs(wait.wait)).await? } else { made })
}

#[utoipa::path(get, path = "/v1/subject-requests", params(Paging), responses((status = 200, body = Page<SubjectRequest>), (status = "default", body = Problem)))]
pub(crate) async fn list(State(web): State<Web>, caller: Caller, Query(paging): Query<Paging>) -> Answer<Json<Page<SubjectRequest>>> {
    let items = request::list(&web.app, &caller.ctx, paging.before()?, paging.limit()).await?;
    Ok(Json(paging.page(items, |request| request.id.clone())))
}

#[utoipa::path(get, path = "/v1/subject-requests/{id}", params(("id" = String, Path)), responses((status = 200, body = SubjectRequest), (status = "default", body = Problem)))]
pub(crate) async fn get(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Answer<Json<SubjectRequest>> {
    Ok(Json(request::get(&web.app, &caller.ctx, &id).await?))
}

#[utoipa::path(post, path = "/v1/subject-requests/{id}/approve", params(("id" = String, Path)), responses((status = 200, body = SubjectRequest), (status = "default", body = Problem)))]
pub(crate) async fn approve(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Answer<Json<SubjectRequest>> {
    Ok(Json(request::approve(&web.app, &caller.ctx, &id).await?))
}

#[utoipa::path(post, path = "/v1/subject-requests/{id}/run", params(("id" = String, Path), Wait), responses((status = 200, body = SubjectRequest), (status = "default", body = Problem)))]
pub(crate) async fn run(State(web): State<Web>, caller: Caller, Path(id): Path<String>, Query(wait): Query<Wait>) -> Answer<Json<SubjectRequest>> {
    let made = request::run(&web.app, &caller.ctx, &id).await?;
    Ok(Json(rested(&web, made, wait).await?))
}

#[utoipa::path(post, path = "/v1/subject-requests/{id}/refuse", params(("id" = String, Path)), request_body = RequestReason, responses((status = 200, body = SubjectRequest), (status = "default", body = Problem)))]
pub(crate) async fn refuse(State(web): State<Web>, caller: Caller, Path(id): Path<String>, Body(why): Body<RequestReason>) -> Answer<Json<SubjectRequest>> {
    Ok(Json(request::refuse(&web.app, &caller.ctx, &id, &why.reason).await?))
}

#[utoipa::path(post, path = "/v1/subject-requests/{id}/extend", params(("id" = String, Path)), request_body = RequestReason, responses((status = 200, body = SubjectRequest), (status = "default", body = Problem)))]
pub(crate) async fn extend(State(web): State<Web>, caller: Caller, Path(id): Path<String>, Body(why): Body<RequestReason>) -> Answer<Json<SubjectRequest>> {
    Ok(Json(request::extend(&web.app, &caller.ctx, &id, &why.reason).await?))
}

#[utoipa::path(get, path = "/v1/subject-requests/{id}/export", params(("id" = String, Path)), responses((status = 200, body = SubjectExport), (status = "default", body = Problem)))]
pub(crate) async fn export(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Answer<impl IntoResponse> {
    Ok(([(header::CONTENT_TYPE, "application/json")], request::fetch(&web.app, &caller.ctx, &id, Part::Export).await?))
}

#[utoipa::path(get, path = "/v1/subject-requests/{id}/package", params(("id" = String, Path)), responses((status = 200, content_type = "application/zip", body = Vec<u8>), (status = "default", body = Problem)))]
pub(crate) async fn package(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Answer<impl IntoResponse> {
    Ok(zipped(&id, request::fetch(&web.app, &caller.ctx, &id, Part::Package).await?))
}

/// A ZIP that a browser keeps.
pub(crate) fn zipped(id: &str, bytes: Vec<u8>) -> impl IntoResponse + use<> {
    let name = format!("attachment; filename=\"data-{}.zip\"", id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect::<String>());
    ([(header::CONTENT_TYPE, "application/zip".to_owned()), (header::CONTENT_DISPOSITION, name)], bytes)
}

#[utoipa::path(get, path = "/v1/me/subject-requests", responses((status = 200, body = Vec<SubjectRequest>), (status = "default", body = Problem)))]
pub(crate) async fn own_list(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<SubjectRequest>>> {
    Ok(Json(request::list_own(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/me/subject-requests", params(Wait), request_body = OwnSubjectRequest, responses((status = 201, body = SubjectRequest), (status = "default", body = Problem)))]
pub(crate) async fn own_create(
    State(web): State<Web>,
    caller: Caller,
    Query(wait): Query<Wait>,
    Body(new): Body<OwnSubjectRequest>,
) -> Answer<(StatusCode, Json<SubjectRequest>)> {
    let made = request::create_own(&web.app, &caller.ctx, new).await?;
    Ok((StatusCode::CREATED, Json(rested(&web, made, wait).await?)))
}

#[utoipa::path(get, path = "/v1/me/subject-requests/{id}", params(("id" = String, Path)), responses((status = 200, body = SubjectRequest), (status = "default", body = Problem)))]
pub(crate) async fn own_get(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Answer<Json<SubjectRequest>> {
    Ok(Json(request::get_own(&web.app, &caller.ctx, &id).await?))
}

#[utoipa::path(get, path = "/v1/me/subject-requests/{id}/package", params(("id" = String, Path)), responses((status = 200, content_type = "application/zip", body = Vec<u8>), (status = "default", body = Problem)))]
pub(crate) async fn own_package(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Answer<impl IntoResponse> {
    Ok(zipped(&id, request::fetch_own(&web.app, &caller.ctx, &id, Part::Package).await?))
}

#[utoipa::path(post, path = "/v1/privacy/plan", request_body = SubjectRef, responses((status = 200, body = ErasurePlan), (status = "default", body = Problem)))]
pub(crate) async fn plan(State(web): State<Web>, caller: Caller, Body(subject): Body<SubjectRef>) -> Answer<Json<ErasurePlan>> {
    Ok(Json(erase::plan(&web.app, &caller.ctx, &subject).await?))
}

#[utoipa::path(get, path = "/v1/privacy/export-schema", responses((status = 200, body = serde_json::Value), (status = "default", body = Problem)))]
pub(crate) async fn schema() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/schema+json")], package::SCHEMA_TEXT)
}

#[utoipa::path(get, path = "/v1/datasets", responses((status = 200, body = Vec<DataStoreStatus>), (status = "default", body = Problem)))]
pub(crate) async fn datasets(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<DataStoreStatus>>> {
    Ok(Json(places::status(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/privacy/erasure-replays", request_body = NewErasureReplay, responses((status = 200, body = ErasureReplay), (status = "default", body = Problem)))]
pub(crate) async fn replay(State(web): State<Web>, caller: Caller, Body(new): Body<NewErasureReplay>) -> Answer<Json<ErasureReplay>> {
    Ok(Json(replay::replay(&web.app, &caller.ctx, new).await?))
}

#[utoipa::path(get, path = "/v1/privacy/retention", responses((status = 200, body = Vec<ExpiredData>), (status = "default", body = Problem)))]
pub(crate) async fn expired(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<ExpiredData>>> {
    Ok(Json(expiry::report(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/privacy/retention/apply", responses((status = 200, body = Vec<ExpiredData>), (status = "default", body = Problem)))]
pub(crate) async fn expire(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<ExpiredData>>> {
    Ok(Json(expiry::apply(&web.app, &caller.ctx).await?))
}

#[utoipa::path(get, path = "/v1/privacy/holds", responses((status = 200, body = Vec<PrivacyHold>), (status = "default", body = Problem)))]
pub(crate) async fn holds(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<PrivacyHold>>> {
    Ok(Json(hold::list(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/privacy/holds", request_body = NewPrivacyHold, responses((status = 201, body = PrivacyHold), (status = "default", body = Problem)))]
pub(crate) async fn hold(State(web): State<Web>, caller: Caller, Body(new): Body<NewPrivacyHold>) -> Answer<(StatusCode, Json<PrivacyHold>)> {
    Ok((StatusCode::CREATED, Json(hold::place(&web.app, &caller.ctx, new).await?)))
}

#[utoipa::path(delete, path = "/v1/privacy/holds/{id}", params(("id" = String, Path), Why), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn release(State(web): State<Web>, caller: Caller, Path(id): Path<String>, Query(why): Query<Why>) -> Answer<StatusCode> {
    hold::release(&web.app, &caller.ctx, &id, &why.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}
