//! Privacy: purposes, and what people say to them.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use tutela_api::{
    Consent, ConsentAnswer, ConsentQuestion, ExternalId, KeptPurpose, NewConsent, NewProjection, OwnConsent, PrivacySettings, Problem, ProcessingRecord,
    Projection, Purpose, SignedReceipt, SubjectRef,
};
use tutela_app::privacy::{self, consent, project, purpose, record};

use super::{Body, grant::Why};
use crate::{
    caller::Caller,
    problem::{Answer, Failure},
    web::Web,
};

#[utoipa::path(get, path = "/v1/privacy/settings", responses((status = 200, body = PrivacySettings), (status = "default", body = Problem)))]
pub(crate) async fn settings(State(web): State<Web>, caller: Caller) -> Answer<Json<PrivacySettings>> {
    Ok(Json(privacy::settings(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/privacy/projections", request_body = NewProjection, responses((status = 200, body = Projection), (status = "default", body = Problem)))]
pub(crate) async fn project(State(web): State<Web>, caller: Caller, Body(new): Body<NewProjection>) -> Answer<Json<Projection>> {
    Ok(Json(project::project(&web.app, &caller.ctx, new).await?))
}

#[utoipa::path(get, path = "/v1/privacy/processing-record", responses((status = 200, body = ProcessingRecord), (status = "default", body = Problem)))]
pub(crate) async fn processing_record(State(web): State<Web>, caller: Caller) -> Answer<Json<ProcessingRecord>> {
    Ok(Json(record::record(&web.app, &caller.ctx).await?))
}

#[utoipa::path(get, path = "/v1/purposes", responses((status = 200, body = Vec<KeptPurpose>), (status = "default", body = Problem)))]
pub(crate) async fn purposes(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<KeptPurpose>>> {
    Ok(Json(purpose::list(&web.app, &caller.ctx).await?))
}

#[utoipa::path(get, path = "/v1/purposes/{name}", params(("name" = String, Path)), responses((status = 200, body = KeptPurpose), (status = "default", body = Problem)))]
pub(crate) async fn purpose_get(State(web): State<Web>, caller: Caller, Path(name): Path<String>) -> Answer<Json<KeptPurpose>> {
    Ok(Json(purpose::get(&web.app, &caller.ctx, &name).await?))
}

#[utoipa::path(put, path = "/v1/purposes/{name}", params(("name" = String, Path)), request_body = Purpose, responses((status = 200, body = KeptPurpose), (status = "default", body = Problem)))]
pub(crate) async fn purpose_set(State(web): State<Web>, caller: Caller, Path(name): Path<String>, Body(new): Body<Purpose>) -> Answer<Json<KeptPurpose>> {
    Ok(Json(purpose::set(&web.app, &caller.ctx, &name, &new).await?))
}

#[utoipa::path(delete, path = "/v1/purposes/{name}", params(("name" = String, Path), Why), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn purpose_retire(State(web): State<Web>, caller: Caller, Path(name): Path<String>, Query(why): Query<Why>) -> Answer<StatusCode> {
    purpose::retire(&web.app, &caller.ctx, &name, &why.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/v1/consents", request_body = NewConsent, responses((status = 201, body = Vec<Consent>), (status = "default", body = Problem)))]
pub(crate) async fn say(State(web): State<Web>, caller: Caller, Body(new): Body<NewConsent>) -> Answer<(StatusCode, Json<Vec<Consent>>)> {
    Ok((StatusCode::CREATED, Json(consent::record(&web.app, &caller.ctx, &new).await?)))
}

/// Whose consents: an account's, or an application's own name for somebody.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whose {
    /// The id of an account.
    account: Option<String>,
    /// Whose name it is, for example `photos`.
    namespace: Option<String>,
    /// The name.
    value: Option<String>,
}

#[utoipa::path(get, path = "/v1/consents", params(Whose), responses((status = 200, body = Vec<Consent>), (status = "default", body = Problem)))]
pub(crate) async fn said(State(web): State<Web>, caller: Caller, Query(whose): Query<Whose>) -> Answer<Json<Vec<Consent>>> {
    let subject = match (whose.account, whose.namespace, whose.value) {
        (Some(account), None, None) => SubjectRef::Account(account),
        (None, Some(namespace), Some(value)) => SubjectRef::External(ExternalId { namespace, value }),
        _ => return Err(Failure::field("account", "name an `account`, or a `namespace` and a `value`")),
    };
    Ok(Json(consent::list(&web.app, &caller.ctx, &subject).await?))
}

#[utoipa::path(post, path = "/v1/consents/check", request_body = ConsentQuestion, responses((status = 200, body = ConsentAnswer), (status = "default", body = Problem)))]
pub(crate) async fn check(State(web): State<Web>, caller: Caller, Body(question): Body<ConsentQuestion>) -> Answer<Json<ConsentAnswer>> {
    Ok(Json(consent::check(&web.app, &caller.ctx, &question).await?))
}

#[utoipa::path(get, path = "/v1/consents/receipts/{id}", params(("id" = String, Path)), responses((status = 200, body = SignedReceipt), (status = "default", body = Problem)))]
pub(crate) async fn receipt(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Answer<Json<SignedReceipt>> {
    Ok(Json(consent::receipt(&web.app, &caller.ctx, &id).await?))
}

#[utoipa::path(get, path = "/v1/me/consents", responses((status = 200, body = Vec<Consent>), (status = "default", body = Problem)))]
pub(crate) async fn mine(State(web): State<Web>, caller: Caller) -> Answer<Json<Vec<Consent>>> {
    Ok(Json(consent::mine(&web.app, &caller.ctx).await?))
}

#[utoipa::path(post, path = "/v1/me/consents", request_body = OwnConsent, responses((status = 201, body = Vec<Consent>), (status = "default", body = Problem)))]
pub(crate) async fn say_myself(State(web): State<Web>, caller: Caller, Body(new): Body<OwnConsent>) -> Answer<(StatusCode, Json<Vec<Consent>>)> {
    Ok((StatusCode::CREATED, Json(consent::say(&web.app, &caller.ctx, &new.purposes, &new.said, "api").await?)))
}

#[utoipa::path(get, path = "/v1/me/consents/receipts/{id}", params(("id" = String, Path)), responses((status = 200, body = SignedReceipt), (status = "default", body = Problem)))]
pub(crate) async fn own_receipt(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Answer<Json<SignedReceipt>> {
    Ok(Json(consent::own_receipt(&web.app, &caller.ctx, &id).await?))
}
