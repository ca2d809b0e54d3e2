use axum::{
    Json,
    extract::{Path, Query, State},
    response::Response,
};
use serde::Deserialize;
use tutela_api::{Page, PermissionAnswer, PermissionHolder, PermissionQuestion, PermissionsOf, Problem, TokenAnswer, TokenQuestion};
use tutela_app::permission;

use super::{Body, id, posted::Posted};
use crate::{
    caller::Caller,
    problem::{Answer, Failure},
    web::Web,
};

#[utoipa::path(post, path = "/v1/permissions/check", request_body = PermissionQuestion, responses((status = 200, body = PermissionAnswer), (status = "default", body = Problem)))]
pub(crate) async fn check(State(web): State<Web>, caller: Caller, posted: Posted<PermissionQuestion>) -> Answer<Response> {
    posted.answer(|questions| permission::check_batch(&web.app, &caller.ctx, questions)).await
}

#[utoipa::path(get, path = "/v1/permissions/of/{account}", params(("account" = String, Path)), responses((status = 200, body = PermissionsOf), (status = "default", body = Problem)))]
pub(crate) async fn of(State(web): State<Web>, caller: Caller, Path(account): Path<String>) -> Answer<Json<PermissionsOf>> {
    Ok(Json(permission::of(&web.app, &caller.ctx, id(&account, "account")?).await?))
}

#[derive(Deserialize, utoipa::IntoParams)]
pub(crate) struct WhoCan {
    /// A permission, or the name of a role.
    permission: String,
    /// On what.
    resource: Option<String>,
    /// Continue where the last page ended.
    cursor: Option<String>,
}

#[utoipa::path(get, path = "/v1/permissions/holders", params(WhoCan), responses((status = 200, body = Page<PermissionHolder>), (status = "default", body = Problem)))]
pub(crate) async fn holders(State(web): State<Web>, caller: Caller, Query(asked): Query<WhoCan>) -> Answer<Json<Page<PermissionHolder>>> {
    let before = asked.cursor.as_deref().map(|text| text.parse().map_err(|_| Failure::field("cursor", "this is not a cursor of this list"))).transpose()?;
    let (items, next) = permission::holders(&web.app, &caller.ctx, &asked.permission, asked.resource.as_deref(), before).await?;
    Ok(Json(Page { items, next: next.map(|id| id.to_string()) }))
}

#[utoipa::path(post, path = "/v1/tokens/introspect", request_body = TokenQuestion, responses((status = 200, body = TokenAnswer), (status = "default", body = Problem)))]
pub(crate) async fn introspect(State(web): State<Web>, caller: Caller, Body(question): Body<TokenQuestion>) -> Answer<Json<TokenAnswer>> {
    Ok(Json(permission::introspect(&web.app, &caller.ctx, &question.token).await?))
}
