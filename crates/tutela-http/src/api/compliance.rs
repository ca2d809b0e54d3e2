//! Whether what laws and standards ask for holds.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use tutela_api::{
    Assessment, Compliance, ComplianceProbe, ComplianceScan, ComplianceSettings, ControlStatement, NewControlStatement, NewDataUse, Problem, Recorded,
};
use tutela_app::compliance;

use super::{Body, grant::Why};
use crate::{caller::Caller, problem::Answer, web::Web};

/// Most assessments of an answer.
const MOST: u32 = 1_000;

#[utoipa::path(get, path = "/v1/compliance", responses((status = 200, body = Compliance), (status = "default", body = Problem)))]
pub(crate) async fn status(State(web): State<Web>, caller: Caller) -> Answer<Json<Compliance>> {
    Ok(Json(compliance::status(&web.app, &caller.ctx).await?))
}

#[utoipa::path(get, path = "/v1/compliance/settings", responses((status = 200, body = ComplianceSettings), (status = "default", body = Problem)))]
pub(crate) async fn settings(State(web): State<Web>, caller: Caller) -> Answer<Json<ComplianceSettings>> {
    Ok(Json(compliance::settings(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/compliance/events", request_body = NewDataUse, responses((status = 201, body = Recorded), (status = "default", body = Problem)))]
pub(crate) async fn log(State(web): State<Web>, caller: Caller, Body(new): Body<NewDataUse>) -> Answer<(StatusCode, Json<Recorded>)> {
    Ok((StatusCode::CREATED, Json(compliance::log(&web.app, &caller.ctx, new).await?)))
}

#[utoipa::path(post, path = "/v1/compliance/assessments", responses((status = 201, body = Vec<Assessment>), (status = "default", body = Problem)))]
pub(crate) async fn assess(State(web): State<Web>, caller: Caller) -> Answer<(StatusCode, Json<Vec<Assessment>>)> {
    Ok((StatusCode::CREATED, Json(compliance::assess(&web.app, &caller.ctx).await?)))
}

#[utoipa::path(get, path = "/v1/compliance/assessments", params(OfFramework), responses((status = 200, body = Vec<Assessment>), (status = "default", body = Problem)))]
pub(crate) async fn assessments(State(web): State<Web>, caller: Caller, Query(of): Query<OfFramework>) -> Answer<Json<Vec<Assessment>>> {
    Ok(Json(compliance::assessments(&web.app, &caller.ctx, &of.framework, MOST).await?))
}

/// Which framework.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfFramework {
    /// Its key: `gdpr`.
    framework: String,
}

#[utoipa::path(get, path = "/v1/compliance/statements", responses((status = 200, body = Vec<ControlStatement>), (status = "default", body = Problem)))]
pub(crate) async fn statements(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<ControlStatement>>> {
    Ok(Json(compliance::statements(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/compliance/statements", request_body = NewControlStatement, responses((status = 201, body = ControlStatement), (status = "default", body = Problem)))]
pub(crate) async fn state(State(web): State<Web>, caller: Caller, Body(new): Body<NewControlStatement>) -> Answer<(StatusCode, Json<ControlStatement>)> {
    Ok((StatusCode::CREATED, Json(compliance::state(&web.app, &caller.ctx, new).await?)))
}

#[utoipa::path(post, path = "/v1/compliance/statements/{id}/approve", params(("id" = String, Path)), responses((status = 200, body = ControlStatement), (status = "default", body = Problem)))]
pub(crate) async fn approve(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Answer<Json<ControlStatement>> {
    Ok(Json(compliance::approve(&web.app, &caller.ctx, &id).await?))
}

#[utoipa::path(delete, path = "/v1/compliance/statements/{id}", params(("id" = String, Path), Why), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn withdraw(State(web): State<Web>, caller: Caller, Path(id): Path<String>, Query(why): Query<Why>) -> Answer<StatusCode> {
    compliance::withdraw(&web.app, &caller.ctx, &id, &why.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/v1/compliance/probes", responses((status = 201, body = ComplianceProbe), (status = "default", body = Problem)))]
pub(crate) async fn probe(State(web): State<Web>, caller: Caller) -> Answer<(StatusCode, Json<ComplianceProbe>)> {
    Ok((StatusCode::CREATED, Json(compliance::probe(&web.app, &caller.ctx).await?)))
}

#[utoipa::path(post, path = "/v1/compliance/scans", responses((status = 201, body = ComplianceScan), (status = "default", body = Problem)))]
pub(crate) async fn scan(State(web): State<Web>, caller: Caller) -> Answer<(StatusCode, Json<ComplianceScan>)> {
    Ok((StatusCode::CREATED, Json(compliance::scan(&web.app, &caller.ctx).await?)))
}

/// What is written.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reported {
    /// `csv`, `html`, `measures` (Markdown) or `oscal` (assessment results of OSCAL 1.2, JSON).
    format: String,
    /// Of this framework alone.
    framework: Option<String>,
}

#[utoipa::path(get, path = "/v1/compliance/report", params(Reported), responses((status = 200, body = String, content_type = "text/plain"), (status = "default", body = Problem)))]
pub(crate) async fn report(State(web): State<Web>, caller: Caller, Query(asked): Query<Reported>) -> Answer<Response> {
    let format = compliance::Format::parse(&asked.format)?;
    let text = compliance::report(&web.app, &caller.ctx, format, asked.framework.as_deref()).await?;
    Ok(([(header::CONTENT_TYPE, format.content_type()), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], text).into_response())
}
