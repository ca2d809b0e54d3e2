use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use tutela_api::{Page, Problem, Session};
use tutela_app::session;

use super::{Paging, id};
use crate::{caller::Caller, problem::Answer, web::Web};

#[utoipa::path(get, path = "/v1/sessions", params(Paging), responses((status = 200, body = Page<Session>), (status = "default", body = Problem)))]
pub(crate) async fn list(State(web): State<Web>, caller: Caller, Query(paging): Query<Paging>) -> Answer<Json<Page<Session>>> {
    let views = session::list(&web.app, &caller.ctx, paging.before()?, paging.limit()).await?;
    let items = views.iter().map(|view| session::shown(view, caller.ctx.principal.session())).collect();
    Ok(Json(paging.page(items, |s| s.id.clone())))
}

#[derive(Deserialize, utoipa::IntoParams)]
pub(crate) struct Reason {
    /// Why, for the ledger; at most 500 characters.
    reason: Option<String>,
}

#[utoipa::path(delete, path = "/v1/sessions/{id}", params(("id" = String, Path), Reason), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn end(State(web): State<Web>, caller: Caller, Path(text): Path<String>, Query(why): Query<Reason>) -> Answer<StatusCode> {
    session::end(&web.app, &caller.ctx, id(&text, "session")?, why.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}
