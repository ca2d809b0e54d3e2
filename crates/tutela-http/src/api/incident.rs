//! Incidents: what people do about alerts that belong together, and alerts that come from outside the rules.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;
use tutela_api::{
    AlertSettings, ContainIncident, Contained, Incident, IncidentDetail, MoveIncident, NewAlert, Problem, RaisedAlert, SetIncidentStep, UndoIncident, Undone,
};
use tutela_app::{alert, incident};

use super::{Body, audit::lines};
use crate::{caller::Caller, problem::Answer, web::Web};

/// Which incidents.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// `live` (default), `all`, `open`, `acknowledged`, `contained`, `resolved` or `reviewed`.
    state: Option<String>,
    /// Those below this id; a page has up to 100.
    before: Option<String>,
}

#[utoipa::path(get, path = "/v1/incidents", params(Asked), responses((status = 200, body = Vec<Incident>), (status = "default", body = Problem)))]
pub(crate) async fn list(State(web): State<Web>, caller: Caller, Query(asked): Query<Asked>) -> Answer<Json<Vec<Incident>>> {
    Ok(Json(incident::list(&web.app, &caller.ctx, asked.state.as_deref().unwrap_or("live"), asked.before.as_deref()).await?))
}

#[utoipa::path(get, path = "/v1/incidents/{id}", params(("id" = String, Path)), responses((status = 200, body = IncidentDetail), (status = "default", body = Problem)))]
pub(crate) async fn get(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Answer<Json<IncidentDetail>> {
    Ok(Json(incident::get(&web.app, &caller.ctx, &id).await?))
}

#[utoipa::path(post, path = "/v1/incidents/{id}/state", params(("id" = String, Path)), request_body = MoveIncident, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn set_state(State(web): State<Web>, caller: Caller, Path(id): Path<String>, Body(change): Body<MoveIncident>) -> Answer<StatusCode> {
    incident::set_state(&web.app, &caller.ctx, &id, &change).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(put, path = "/v1/incidents/{id}/steps/{step}", params(("id" = String, Path), ("step" = String, Path)), request_body = SetIncidentStep, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn set_step(
    State(web): State<Web>,
    caller: Caller,
    Path((id, step)): Path<(String, String)>,
    Body(change): Body<SetIncidentStep>,
) -> Answer<StatusCode> {
    incident::set_step(&web.app, &caller.ctx, &id, &step, &change).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/v1/incidents/{id}/contain", params(("id" = String, Path)), request_body = ContainIncident, responses((status = 200, body = Contained), (status = "default", body = Problem)))]
pub(crate) async fn contain(State(web): State<Web>, caller: Caller, Path(id): Path<String>, Body(wanted): Body<ContainIncident>) -> Answer<Json<Contained>> {
    Ok(Json(incident::contain(&web.app, &caller.ctx, &id, &wanted).await?))
}

#[utoipa::path(post, path = "/v1/incidents/{id}/undo", params(("id" = String, Path)), request_body = UndoIncident, responses((status = 200, body = Undone), (status = "default", body = Problem)))]
pub(crate) async fn undo(State(web): State<Web>, caller: Caller, Path(id): Path<String>, Body(why): Body<UndoIncident>) -> Answer<Json<Undone>> {
    Ok(Json(Undone { lifted: incident::undo(&web.app, &caller.ctx, &id, &why.reason).await? }))
}

#[utoipa::path(get, path = "/v1/incidents/{id}/timeline", params(("id" = String, Path)), responses((status = 200, body = String, content_type = "application/x-ndjson"), (status = "default", body = Problem)))]
pub(crate) async fn timeline(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Answer<Response> {
    let export = incident::timeline(&web.app, &caller.ctx, &id).await?;
    Ok(lines(export, "application/x-ndjson", &format!("incident-{id}.jsonl")))
}

#[utoipa::path(post, path = "/v1/alerts", request_body = NewAlert, responses((status = 201, body = RaisedAlert), (status = "default", body = Problem)))]
pub(crate) async fn raise(State(web): State<Web>, caller: Caller, Body(new): Body<NewAlert>) -> Answer<(StatusCode, Json<RaisedAlert>)> {
    Ok((StatusCode::CREATED, Json(alert::raise(&web.app, &caller.ctx, &new).await?)))
}

#[utoipa::path(get, path = "/v1/alerts/settings", responses((status = 200, body = AlertSettings), (status = "default", body = Problem)))]
pub(crate) async fn settings(State(web): State<Web>, caller: Caller) -> Answer<Json<AlertSettings>> {
    Ok(Json(alert::settings(&web.app, &caller.ctx).await?))
}

/// A button of an alert in Slack, signed by Slack.
#[utoipa::path(post, path = "/v1/alerts/slack", request_body = String, responses((status = 200, body = String), (status = "default", body = Problem)))]
pub(crate) async fn pressed(State(web): State<Web>, caller: Caller, headers: HeaderMap, body: String) -> Answer<String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Ok(alert::pressed(&web.app, &caller.ctx, header("x-slack-request-timestamp"), header("x-slack-signature"), &body).await?)
}
