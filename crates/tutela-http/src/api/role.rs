use axum::{Json, extract::State, http::StatusCode};
use tutela_api::{Page, Problem, Role};
use tutela_app::role;

use super::Body;
use crate::{caller::Caller, problem::Answer, web::Web};

#[utoipa::path(get, path = "/v1/roles", responses((status = 200, body = Page<Role>), (status = "default", body = Problem)))]
pub(crate) async fn list(State(web): State<Web>, caller: Caller) -> Answer<Json<Page<Role>>> {
    Ok(Json(Page { items: role::list(&web.app, &caller.ctx).await?, next: None }))
}

#[utoipa::path(put, path = "/v1/roles", request_body = Role, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn set(State(web): State<Web>, caller: Caller, Body(new): Body<Role>) -> Answer<StatusCode> {
    role::set(&web.app, &caller.ctx, new).await?;
    Ok(StatusCode::NO_CONTENT)
}
