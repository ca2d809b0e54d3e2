//! Detection: rules, and addresses that are blocked.

use axum::{Json, extract::State, http::StatusCode};
use tutela_api::{AlertTest, Backtest, Block, DetectionRule, LiftBlock, NewBacktest, NewBlock, Problem};
use tutela_app::{block as blocking, detection};

use super::Body;
use crate::{caller::Caller, problem::Answer, web::Web};

#[utoipa::path(post, path = "/v1/alerts/test", responses((status = 200, body = AlertTest), (status = "default", body = Problem)))]
pub(crate) async fn test_alert(State(web): State<Web>, caller: Caller) -> Answer<Json<AlertTest>> {
    Ok(Json(detection::test_alert(&web.app, &caller.ctx).await?))
}

#[utoipa::path(get, path = "/v1/rules", responses((status = 200, body = Vec<DetectionRule>), (status = "default", body = Problem)))]
pub(crate) async fn rules(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<DetectionRule>>> {
    Ok(Json(detection::rules(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/rules/backtest", request_body = NewBacktest, responses((status = 200, body = Backtest), (status = "default", body = Problem)))]
pub(crate) async fn backtest(State(web): State<Web>, caller: Caller, Body(wanted): Body<NewBacktest>) -> Answer<Json<Backtest>> {
    Ok(Json(detection::backtest(&web.app, &caller.ctx, &wanted).await?))
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
