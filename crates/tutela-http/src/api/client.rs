use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use tutela_api::{Client, NewClient, Page, Problem};
use tutela_app::client;

use super::{Body, Paging, id};
use crate::{caller::Caller, problem::Answer, web::Web};

#[utoipa::path(get, path = "/v1/clients", params(Paging), responses((status = 200, body = Page<Client>), (status = "default", body = Problem)))]
pub(crate) async fn list(State(web): State<Web>, caller: Caller, Query(paging): Query<Paging>) -> Answer<Json<Page<Client>>> {
    let items = client::list(&web.app, &caller.ctx, paging.before()?, paging.limit()).await?;
    Ok(Json(paging.page(items, |c| c.id.clone())))
}

#[utoipa::path(post, path = "/v1/clients", request_body = NewClient, responses((status = 201, body = Client), (status = "default", body = Problem)))]
pub(crate) async fn create(State(web): State<Web>, caller: Caller, Body(new): Body<NewClient>) -> Answer<(StatusCode, Json<Client>)> {
    Ok((StatusCode::CREATED, Json(client::create(&web.app, &caller.ctx, new).await?)))
}

#[utoipa::path(delete, path = "/v1/clients/{id}", params(("id" = String, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn revoke(State(web): State<Web>, caller: Caller, Path(text): Path<String>) -> Answer<StatusCode> {
    client::revoke(&web.app, &caller.ctx, id(&text, "client")?).await?;
    Ok(StatusCode::NO_CONTENT)
}
