//! Whether what laws and standards ask for holds.

use axum::{Json, extract::State, http::StatusCode};
use tutela_api::{Compliance, ComplianceSettings, NewDataUse, Problem, Recorded};
use tutela_app::compliance;

use super::Body;
use crate::{caller::Caller, problem::Answer, web::Web};

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
