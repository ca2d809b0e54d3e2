use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use tutela_api::{Client, ClientOauth, ConsentedClient, NewClient, Page, Problem, RollClientKey};
use tutela_app::{client, oauth};

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

#[utoipa::path(get, path = "/v1/clients/{id}", params(("id" = String, Path)), responses((status = 200, body = Client), (status = "default", body = Problem)))]
pub(crate) async fn get(State(web): State<Web>, caller: Caller, Path(text): Path<String>) -> Answer<Json<Client>> {
    Ok(Json(client::get(&web.app, &caller.ctx, id(&text, "client")?).await?))
}

#[utoipa::path(put, path = "/v1/clients/{id}/oauth", params(("id" = String, Path)), request_body = ClientOauth, responses((status = 200, body = Client), (status = "default", body = Problem)))]
pub(crate) async fn set_oauth(State(web): State<Web>, caller: Caller, Path(text): Path<String>, Body(asked): Body<ClientOauth>) -> Answer<Json<Client>> {
    Ok(Json(client::set_oauth(&web.app, &caller.ctx, id(&text, "client")?, asked).await?))
}

#[utoipa::path(post, path = "/v1/clients/{id}/key", params(("id" = String, Path)), request_body = RollClientKey, responses((status = 201, body = Client), (status = "default", body = Problem)))]
pub(crate) async fn roll(
    State(web): State<Web>,
    caller: Caller,
    Path(text): Path<String>,
    Body(wish): Body<RollClientKey>,
) -> Answer<(StatusCode, Json<Client>)> {
    Ok((StatusCode::CREATED, Json(client::roll(&web.app, &caller.ctx, id(&text, "client")?, wish).await?)))
}

#[utoipa::path(get, path = "/v1/me/clients", responses((status = 200, body = Vec<ConsentedClient>), (status = "default", body = Problem)))]
pub(crate) async fn consented(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<ConsentedClient>>> {
    Ok(Json(oauth::list_consents(&web.app, &caller.ctx).await?))
}

#[utoipa::path(delete, path = "/v1/me/clients/{id}", params(("id" = String, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn withdraw(State(web): State<Web>, caller: Caller, Path(text): Path<String>) -> Answer<StatusCode> {
    oauth::withdraw(&web.app, &caller.ctx, id(&text, "consent")?).await?;
    Ok(StatusCode::NO_CONTENT)
}
