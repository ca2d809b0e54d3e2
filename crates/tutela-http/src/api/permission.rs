use axum::{Json, extract::State};
use tutela_api::{PermissionAnswer, PermissionQuestion, Problem, TokenAnswer, TokenQuestion};
use tutela_app::permission;

use super::Body;
use crate::{caller::Caller, problem::Answer, web::Web};

#[utoipa::path(post, path = "/v1/permissions/check", request_body = PermissionQuestion, responses((status = 200, body = PermissionAnswer), (status = "default", body = Problem)))]
pub(crate) async fn check(State(web): State<Web>, caller: Caller, Body(question): Body<PermissionQuestion>) -> Answer<Json<PermissionAnswer>> {
    Ok(Json(permission::check(&web.app, &caller.ctx, question).await?))
}

#[utoipa::path(post, path = "/v1/tokens/introspect", request_body = TokenQuestion, responses((status = 200, body = TokenAnswer), (status = "default", body = Problem)))]
pub(crate) async fn introspect(State(web): State<Web>, caller: Caller, Body(question): Body<TokenQuestion>) -> Answer<Json<TokenAnswer>> {
    Ok(Json(permission::introspect(&web.app, &caller.ctx, &question.token).await?))
}
