//! Detection: rules, and addresses that are blocked.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use tutela_api::{AlertTest, Backtest, Block, ChangeRule, DetectionRule, LiftBlock, NewBacktest, NewBlock, Problem};
use tutela_app::{alert, block as blocking, rule};

use super::{Body, grant::Why};
use crate::{caller::Caller, problem::Answer, web::Web};

#[utoipa::path(post, path = "/v1/alerts/test", responses((status = 200, body = AlertTest), (status = "default", body = Problem)))]
pub(crate) async fn test_alert(State(web): State<Web>, caller: Caller) -> Answer<Json<AlertTest>> {
    Ok(Json(alert::test(&web.app, &caller.ctx).await?))
}

#[utoipa::path(get, path = "/v1/rules", responses((status = 200, body = Vec<DetectionRule>), (status = "default", body = Problem)))]
pub(crate) async fn rules(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<DetectionRule>>> {
    Ok(Json(rule::list(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/rules/backtest", request_body = NewBacktest, responses((status = 200, body = Backtest), (status = "default", body = Problem)))]
pub(crate) async fn backtest(State(web): State<Web>, caller: Caller, Body(wanted): Body<NewBacktest>) -> Answer<Json<Backtest>> {
    Ok(Json(rule::backtest(&web.app, &caller.ctx, &wanted).await?))
}

#[utoipa::path(get, path = "/v1/rules/{name}", params(("name" = String, Path)), responses((status = 200, body = DetectionRule), (status = "default", body = Problem)))]
pub(crate) async fn rule_get(State(web): State<Web>, caller: Caller, Path(name): Path<String>) -> Answer<Json<DetectionRule>> {
    Ok(Json(rule::get(&web.app, &caller.ctx, &name).await?))
}

#[utoipa::path(put, path = "/v1/rules/{name}", params(("name" = String, Path)), request_body = ChangeRule, responses((status = 200, body = DetectionRule), (status = "default", body = Problem)))]
pub(crate) async fn rule_set(State(web): State<Web>, caller: Caller, Path(name): Path<String>, Body(change): Body<ChangeRule>) -> Answer<Json<DetectionRule>> {
    Ok(Json(rule::set(&web.app, &caller.ctx, &name, &change).await?))
}

#[utoipa::path(delete, path = "/v1/rules/{name}", params(("name" = String, Path), Why), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn rule_reset(State(web): State<Web>, caller: Caller, Path(name): Path<String>, Query(why): Query<Why>) -> Answer<StatusCode> {
    rule::reset(&web.app, &caller.ctx, &name, &why.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(get, path = "/v1/blocks", responses((status = 200, body = Vec<Block>), (status = "default", body = Problem)))]
pub(crate) async fn blocks(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<Block>>> {
    Ok(Json(blocking::list(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/blocks", request_body = NewBlock, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn block(State(web): State<Web>, caller: Caller, Body(new): Body<NewBlock>) -> Answer<StatusCode> {
    blocking::make(&web.app, &caller.ctx, &new).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/v1/blocks/lift", request_body = LiftBlock, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn lift(State(web): State<Web>, caller: Caller, Body(wanted): Body<LiftBlock>) -> Answer<StatusCode> {
    blocking::lift(&web.app, &caller.ctx, &wanted).await?;
    Ok(StatusCode::NO_CONTENT)
}
