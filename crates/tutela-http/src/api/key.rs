use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use tutela_api::{
    DeriveRequest, DerivedKey, DestroyRequest, Epoch, ErasureCertificate, Key, KeyBackup, KeyChange, KeyJob, NewKey, Page, Problem, ProviderCheck, Reason,
    SubjectAction, SubjectKey, SubjectQuestion,
};
use tutela_app::{epoch, key, key_backup, provider, rewrap, subject};

use super::{Body, id};
use crate::{caller::Caller, problem::Answer, web::Web};

type Made<T> = Answer<(StatusCode, Json<T>)>;

fn page<T>(items: Vec<T>) -> Json<Page<T>> {
    Json(Page { items, next: None })
}

#[utoipa::path(get, path = "/v1/crypto/keys", responses((status = 200, body = Page<Key>), (status = "default", body = Problem)))]
pub(crate) async fn list(State(web): State<Web>, caller: Caller) -> Answer<Json<Page<Key>>> {
    Ok(page(key::list(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/crypto/keys", request_body = NewKey, responses((status = 201, body = Key), (status = "default", body = Problem)))]
pub(crate) async fn create(State(web): State<Web>, caller: Caller, Body(new): Body<NewKey>) -> Made<Key> {
    Ok((StatusCode::CREATED, Json(key::create(&web.app, &caller.ctx, new).await?)))
}

#[utoipa::path(get, path = "/v1/crypto/keys/{key}", params(("key" = String, Path, description = "name or id")), responses((status = 200, body = Key), (status = "default", body = Problem)))]
pub(crate) async fn get(State(web): State<Web>, caller: Caller, Path(name): Path<String>) -> Answer<Json<Key>> {
    Ok(Json(key::get(&web.app, &caller.ctx, &name).await?))
}

#[utoipa::path(patch, path = "/v1/crypto/keys/{key}", params(("key" = String, Path)), request_body = KeyChange, responses((status = 200, body = Key), (status = "default", body = Problem)))]
pub(crate) async fn change(State(web): State<Web>, caller: Caller, Path(name): Path<String>, Body(change): Body<KeyChange>) -> Answer<Json<Key>> {
    Ok(Json(key::change(&web.app, &caller.ctx, &name, change).await?))
}

#[utoipa::path(post, path = "/v1/crypto/keys/{key}/rotate", params(("key" = String, Path)), responses((status = 200, body = Key), (status = "default", body = Problem)))]
pub(crate) async fn rotate(State(web): State<Web>, caller: Caller, Path(name): Path<String>) -> Answer<Json<Key>> {
    Ok(Json(key::rotate(&web.app, &caller.ctx, &name).await?))
}

#[utoipa::path(post, path = "/v1/crypto/keys/{key}/destroy", params(("key" = String, Path)), request_body = DestroyRequest, responses((status = 200, body = Key), (status = "default", body = Problem)))]
pub(crate) async fn destroy(State(web): State<Web>, caller: Caller, Path(name): Path<String>, Body(request): Body<DestroyRequest>) -> Answer<Json<Key>> {
    Ok(Json(key::destroy(&web.app, &caller.ctx, &name, request).await?))
}

#[utoipa::path(post, path = "/v1/crypto/keys/{key}/keep", params(("key" = String, Path)), responses((status = 200, body = Key), (status = "default", body = Problem)))]
pub(crate) async fn keep(State(web): State<Web>, caller: Caller, Path(name): Path<String>) -> Answer<Json<Key>> {
    Ok(Json(key::keep(&web.app, &caller.ctx, &name).await?))
}

#[utoipa::path(post, path = "/v1/crypto/keys/{key}/derive", params(("key" = String, Path)), request_body = DeriveRequest, responses((status = 200, body = DerivedKey), (status = "default", body = Problem)))]
pub(crate) async fn derive(State(web): State<Web>, caller: Caller, Path(name): Path<String>, Body(request): Body<DeriveRequest>) -> Answer<Json<DerivedKey>> {
    Ok(Json(key::derive(&web.app, &caller.ctx, &name, request).await?))
}

#[utoipa::path(get, path = "/v1/crypto/epochs", responses((status = 200, body = Page<Epoch>), (status = "default", body = Problem)))]
pub(crate) async fn epochs(State(web): State<Web>, caller: Caller) -> Answer<Json<Page<Epoch>>> {
    Ok(page(epoch::list(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/crypto/epochs", responses((status = 201, body = Epoch), (status = "default", body = Problem)))]
pub(crate) async fn rotate_epoch(State(web): State<Web>, caller: Caller) -> Made<Epoch> {
    Ok((StatusCode::CREATED, Json(epoch::rotate(&web.app, &caller.ctx).await?)))
}

#[utoipa::path(post, path = "/v1/crypto/epochs/{number}/destroy", params(("number" = u64, Path)), request_body = Reason, responses((status = 200, body = Epoch), (status = "default", body = Problem)))]
pub(crate) async fn destroy_epoch(State(web): State<Web>, caller: Caller, Path(number): Path<String>, Body(reason): Body<Reason>) -> Answer<Json<Epoch>> {
    Ok(Json(epoch::destroy(&web.app, &caller.ctx, id(&number, "epoch")?, reason).await?))
}

#[utoipa::path(get, path = "/v1/crypto/jobs", responses((status = 200, body = Page<KeyJob>), (status = "default", body = Problem)))]
pub(crate) async fn jobs(State(web): State<Web>, caller: Caller) -> Answer<Json<Page<KeyJob>>> {
    Ok(page(rewrap::list(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/crypto/jobs", responses((status = 202, body = KeyJob), (status = "default", body = Problem)))]
pub(crate) async fn start_job(State(web): State<Web>, caller: Caller) -> Made<KeyJob> {
    Ok((StatusCode::ACCEPTED, Json(rewrap::start(&web.app, &caller.ctx).await?)))
}

#[utoipa::path(get, path = "/v1/crypto/jobs/{id}", params(("id" = String, Path)), responses((status = 200, body = KeyJob), (status = "default", body = Problem)))]
pub(crate) async fn job(State(web): State<Web>, caller: Caller, Path(text): Path<String>) -> Answer<Json<KeyJob>> {
    Ok(Json(rewrap::get(&web.app, &caller.ctx, id(&text, "job")?).await?))
}

#[utoipa::path(get, path = "/v1/crypto/backups", responses((status = 200, body = Page<KeyBackup>), (status = "default", body = Problem)))]
pub(crate) async fn backups(State(web): State<Web>, caller: Caller) -> Answer<Json<Page<KeyBackup>>> {
    Ok(page(key_backup::list(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/crypto/backups", responses((status = 201, body = KeyBackup), (status = "default", body = Problem)))]
pub(crate) async fn back_up(State(web): State<Web>, caller: Caller) -> Made<KeyBackup> {
    Ok((StatusCode::CREATED, Json(key_backup::create(&web.app, &caller.ctx).await?)))
}

#[utoipa::path(post, path = "/v1/crypto/backups/rehearse", responses((status = 200, body = KeyBackup), (status = "default", body = Problem)))]
pub(crate) async fn rehearse(State(web): State<Web>, caller: Caller) -> Answer<Json<KeyBackup>> {
    Ok(Json(key_backup::rehearse(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/crypto/subjects/key", request_body = SubjectQuestion, responses((status = 200, body = SubjectKey), (status = "default", body = Problem)))]
pub(crate) async fn subject(State(web): State<Web>, caller: Caller, Body(question): Body<SubjectQuestion>) -> Answer<Json<SubjectKey>> {
    Ok(Json(subject::find(&web.app, &caller.ctx, question.subject).await?))
}

#[utoipa::path(post, path = "/v1/crypto/subjects/erase", request_body = SubjectAction, responses((status = 200, body = ErasureCertificate), (status = "default", body = Problem)))]
pub(crate) async fn erase(State(web): State<Web>, caller: Caller, Body(action): Body<SubjectAction>) -> Answer<Json<ErasureCertificate>> {
    Ok(Json(subject::erase(&web.app, &caller.ctx, action).await?))
}

#[utoipa::path(post, path = "/v1/crypto/subjects/hold", request_body = SubjectAction, responses((status = 200, body = SubjectKey), (status = "default", body = Problem)))]
pub(crate) async fn hold(State(web): State<Web>, caller: Caller, Body(action): Body<SubjectAction>) -> Answer<Json<SubjectKey>> {
    Ok(Json(subject::hold(&web.app, &caller.ctx, action).await?))
}

#[utoipa::path(post, path = "/v1/crypto/subjects/release", request_body = SubjectAction, responses((status = 200, body = SubjectKey), (status = "default", body = Problem)))]
pub(crate) async fn release(State(web): State<Web>, caller: Caller, Body(action): Body<SubjectAction>) -> Answer<Json<SubjectKey>> {
    Ok(Json(subject::release(&web.app, &caller.ctx, action).await?))
}

#[utoipa::path(get, path = "/v1/crypto/erasures/{key_id}", params(("key_id" = String, Path)), responses((status = 200, body = ErasureCertificate), (status = "default", body = Problem)))]
pub(crate) async fn erasure(State(web): State<Web>, caller: Caller, Path(key): Path<String>) -> Answer<Json<ErasureCertificate>> {
    Ok(Json(subject::certificate(&web.app, &caller.ctx, &key).await?))
}

#[utoipa::path(post, path = "/v1/crypto/provider/check", responses((status = 200, body = ProviderCheck), (status = "default", body = Problem)))]
pub(crate) async fn check_provider(State(web): State<Web>, caller: Caller) -> Answer<Json<ProviderCheck>> {
    Ok(Json(provider::check(&web.app, &caller.ctx).await?))
}
