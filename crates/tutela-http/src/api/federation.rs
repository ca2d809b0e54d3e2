//! Outside providers, connections of accounts with them, and the keys that tokens are signed with.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use tutela_api::{Connection, Problem, Provider, RotateSigningKey, SigningKey};
use tutela_app::{federation, signing_key};

use super::{Body, grant::Why, id};
use crate::{caller::Caller, problem::Answer, web::Web};

#[utoipa::path(get, path = "/v1/providers", responses((status = 200, body = Vec<Provider>), (status = "default", body = Problem)))]
pub(crate) async fn providers(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<Provider>>> {
    Ok(Json(federation::health(&web.app, &caller.ctx).await?))
}

#[utoipa::path(get, path = "/v1/me/connections", responses((status = 200, body = Vec<Connection>), (status = "default", body = Problem)))]
pub(crate) async fn own(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<Connection>>> {
    Ok(Json(federation::list(&web.app, &caller.ctx).await?.into_iter().map(shown).collect()))
}

#[utoipa::path(delete, path = "/v1/me/connections/{id}", params(("id" = String, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn disconnect_own(State(web): State<Web>, caller: Caller, Path(text): Path<String>) -> Answer<StatusCode> {
    federation::disconnect(&web.app, &caller.ctx, id(&text, "connection")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(get, path = "/v1/accounts/{id}/connections", params(("id" = String, Path)), responses((status = 200, body = Vec<Connection>), (status = "default", body = Problem)))]
pub(crate) async fn of_account(State(web): State<Web>, caller: Caller, Path(text): Path<String>) -> Answer<Json<Vec<Connection>>> {
    Ok(Json(federation::list_for(&web.app, &caller.ctx, id(&text, "account")?).await?.into_iter().map(shown).collect()))
}

#[utoipa::path(delete, path = "/v1/accounts/{id}/connections/{connection}", params(("id" = String, Path), ("connection" = String, Path), Why), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn disconnect(
    State(web): State<Web>,
    caller: Caller,
    Path((account, connection)): Path<(String, String)>,
    Query(why): Query<Why>,
) -> Answer<StatusCode> {
    federation::disconnect_for(&web.app, &caller.ctx, id(&account, "account")?, id(&connection, "connection")?, &why.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(connected: federation::Connected) -> Connection {
    Connection {
        id: connected.id.to_string(),
        provider: connected.provider,
        shown: connected.shown,
        created_at: connected.created_at.to_string(),
        last_used_at: connected.last_used_at.map(|at| at.to_string()),
    }
}

#[utoipa::path(get, path = "/v1/signing-keys", responses((status = 200, body = Vec<SigningKey>), (status = "default", body = Problem)))]
pub(crate) async fn signing_keys(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<SigningKey>>> {
    Ok(Json(signing_key::list(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/signing-keys/rotate", request_body = RotateSigningKey, responses((status = 200, body = Vec<SigningKey>), (status = "default", body = Problem)))]
pub(crate) async fn rotate(State(web): State<Web>, caller: Caller, Body(wish): Body<RotateSigningKey>) -> Answer<Json<Vec<SigningKey>>> {
    Ok(Json(signing_key::rotate(&web.app, &caller.ctx, wish).await?))
}
