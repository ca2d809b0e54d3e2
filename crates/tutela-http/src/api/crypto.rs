use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use tutela_api::{
    DataKey, DecryptItem, Decrypted, EncryptItem, Encrypted, FieldPolicy, IndexAnswer, IndexItem, NewDataKey, Page, Problem, RecordAnswer, RecordItem,
    RewrapItem, Rewrapped, StoredPolicy,
};
use tutela_app::{crypto, crypto_record, policy};

use super::{Body, posted::Posted};
use crate::{caller::Caller, problem::Answer, web::Web};

#[utoipa::path(post, path = "/v1/crypto/encrypt", request_body = EncryptItem, responses(
    (status = 200, body = Encrypted, description = "one message; an array of up to 10,000 items is answered item by item"), (status = "default", body = Problem)))]
pub(crate) async fn encrypt(State(web): State<Web>, caller: Caller, posted: Posted<EncryptItem>) -> Answer<Response> {
    posted.answer(|items| crypto::encrypt(&web.app, &caller.ctx, items)).await
}

#[utoipa::path(post, path = "/v1/crypto/decrypt", request_body = DecryptItem, responses(
    (status = 200, body = Decrypted, description = "one plaintext; an array of up to 10,000 items is answered item by item"), (status = "default", body = Problem)))]
pub(crate) async fn decrypt(State(web): State<Web>, caller: Caller, posted: Posted<DecryptItem>) -> Answer<Response> {
    posted.answer(|items| crypto::decrypt(&web.app, &caller.ctx, items)).await
}

#[utoipa::path(post, path = "/v1/crypto/rewrap", request_body = RewrapItem, responses(
    (status = 200, body = Rewrapped, description = "one message; an array of up to 10,000 items is answered item by item"), (status = "default", body = Problem)))]
pub(crate) async fn rewrap(State(web): State<Web>, caller: Caller, posted: Posted<RewrapItem>) -> Answer<Response> {
    posted.answer(|items| crypto::rewrap(&web.app, &caller.ctx, items)).await
}

#[utoipa::path(post, path = "/v1/crypto/data-keys", request_body = NewDataKey, responses((status = 201, body = DataKey), (status = "default", body = Problem)))]
pub(crate) async fn data_key(State(web): State<Web>, caller: Caller, Body(new): Body<NewDataKey>) -> Answer<(StatusCode, Json<DataKey>)> {
    Ok((StatusCode::CREATED, Json(crypto::data_key(&web.app, &caller.ctx, new).await?)))
}

#[utoipa::path(post, path = "/v1/crypto/records/seal", request_body = RecordItem, responses(
    (status = 200, body = RecordAnswer, description = "one record; an array of up to 10,000 items is answered item by item"), (status = "default", body = Problem)))]
pub(crate) async fn seal_record(State(web): State<Web>, caller: Caller, posted: Posted<RecordItem>) -> Answer<Response> {
    posted.answer(|items| crypto_record::seal(&web.app, &caller.ctx, items)).await
}

#[utoipa::path(post, path = "/v1/crypto/records/open", request_body = RecordItem, responses(
    (status = 200, body = RecordAnswer, description = "one record; an array of up to 10,000 items is answered item by item"), (status = "default", body = Problem)))]
pub(crate) async fn open_record(State(web): State<Web>, caller: Caller, posted: Posted<RecordItem>) -> Answer<Response> {
    posted.answer(|items| crypto_record::open(&web.app, &caller.ctx, items)).await
}

#[utoipa::path(post, path = "/v1/crypto/index", request_body = IndexItem, responses(
    (status = 200, body = IndexAnswer, description = "tokens of one value; an array of up to 10,000 items is answered item by item"), (status = "default", body = Problem)))]
pub(crate) async fn index(State(web): State<Web>, caller: Caller, posted: Posted<IndexItem>) -> Answer<Response> {
    posted.answer(|items| crypto_record::index(&web.app, &caller.ctx, items)).await
}

#[utoipa::path(get, path = "/v1/crypto/policies", responses((status = 200, body = Page<StoredPolicy>), (status = "default", body = Problem)))]
pub(crate) async fn policies(State(web): State<Web>, caller: Caller) -> Answer<Json<Page<StoredPolicy>>> {
    Ok(Json(Page { items: policy::list(&web.app, &caller.ctx).await?, next: None }))
}

#[utoipa::path(get, path = "/v1/crypto/policies/{name}", params(("name" = String, Path)), responses((status = 200, body = StoredPolicy), (status = "default", body = Problem)))]
pub(crate) async fn policy(State(web): State<Web>, caller: Caller, Path(name): Path<String>) -> Answer<Json<StoredPolicy>> {
    Ok(Json(policy::get(&web.app, &caller.ctx, &name).await?))
}

#[utoipa::path(put, path = "/v1/crypto/policies/{name}", params(("name" = String, Path)), request_body = FieldPolicy, responses((status = 200, body = StoredPolicy), (status = "default", body = Problem)))]
pub(crate) async fn set_policy(State(web): State<Web>, caller: Caller, Path(name): Path<String>, Body(new): Body<FieldPolicy>) -> Answer<Json<StoredPolicy>> {
    Ok(Json(policy::set(&web.app, &caller.ctx, &name, new).await?))
}

#[utoipa::path(delete, path = "/v1/crypto/policies/{name}", params(("name" = String, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn delete_policy(State(web): State<Web>, caller: Caller, Path(name): Path<String>) -> Answer<StatusCode> {
    policy::delete(&web.app, &caller.ctx, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
