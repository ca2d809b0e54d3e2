//! The gateway: what it guards, and reading its configuration again.

use axum::{Json, extract::State};
use tutela_api::{Gateway, Problem, Reloaded};
use tutela_app::gateway;

use crate::{caller::Caller, problem::Answer, web::Web};

#[utoipa::path(get, path = "/v1/gateway", responses((status = 200, body = Gateway), (status = "default", body = Problem)))]
pub(crate) async fn status(State(web): State<Web>, caller: Caller) -> Answer<Json<Gateway>> {
    Ok(Json(gateway::status(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/gateway/reload", responses((status = 200, body = Reloaded), (status = "default", body = Problem)))]
pub(crate) async fn reload(State(web): State<Web>, caller: Caller) -> Answer<Json<Reloaded>> {
    Ok(Json(gateway::reload(&web.app, &caller.ctx).await?))
}
