use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use tutela_api::{Account, AccountDetail, AccountRoles, AccountsVerified, Authenticator, ExternalId, NewAccount, Page, Problem, ReasonBody, SetupLink};
use tutela_app::{account, account_check, authenticator, setup, unlock};

use super::{Body, Paging, grant::Why, id, me::shown};
use crate::{caller::Caller, problem::Answer, web::Web};

#[utoipa::path(get, path = "/v1/accounts", params(Paging), responses((status = 200, body = Page<Account>), (status = "default", body = Problem)))]
pub(crate) async fn list(State(web): State<Web>, caller: Caller, Query(paging): Query<Paging>) -> Answer<Json<Page<Account>>> {
    let items = account::list(&web.app, &caller.ctx, paging.before()?, paging.limit()).await?;
    Ok(Json(paging.page(items, |a| a.id.clone())))
}

#[utoipa::path(post, path = "/v1/accounts", request_body = NewAccount, responses((status = 201, body = Account), (status = "default", body = Problem)))]
pub(crate) async fn create(State(web): State<Web>, caller: Caller, Body(new): Body<NewAccount>) -> Answer<(StatusCode, Json<Account>)> {
    Ok((StatusCode::CREATED, Json(account::create(&web.app, &caller.ctx, new).await?)))
}

#[utoipa::path(get, path = "/v1/accounts/{id}", params(("id" = String, Path)), responses((status = 200, body = AccountDetail), (status = "default", body = Problem)))]
pub(crate) async fn get(State(web): State<Web>, caller: Caller, Path(text): Path<String>) -> Answer<Json<AccountDetail>> {
    Ok(Json(account::get(&web.app, &caller.ctx, id(&text, "account")?).await?))
}

#[utoipa::path(post, path = "/v1/accounts/verify", responses((status = 200, body = AccountsVerified), (status = "default", body = Problem)))]
pub(crate) async fn verify(State(web): State<Web>, caller: Caller) -> Answer<Json<AccountsVerified>> {
    Ok(Json(account_check::verify(&web.app, &caller.ctx).await?))
}

#[utoipa::path(delete, path = "/v1/accounts/{id}", params(("id" = String, Path), Why), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn delete(State(web): State<Web>, caller: Caller, Path(text): Path<String>, Query(why): Query<Why>) -> Answer<StatusCode> {
    account::delete(&web.app, &caller.ctx, id(&text, "account")?, &why.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/v1/accounts/{id}/enable", params(("id" = String, Path)), request_body = ReasonBody, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn enable(State(web): State<Web>, caller: Caller, Path(text): Path<String>, Body(why): Body<ReasonBody>) -> Answer<StatusCode> {
    account::enable(&web.app, &caller.ctx, id(&text, "account")?, &why.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/v1/accounts/{id}/unlock", params(("id" = String, Path)), request_body = ReasonBody, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn unlock(State(web): State<Web>, caller: Caller, Path(text): Path<String>, Body(why): Body<ReasonBody>) -> Answer<StatusCode> {
    unlock::by_admin(&web.app, &caller.ctx, id(&text, "account")?, &why.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/v1/accounts/{id}/password-change", params(("id" = String, Path)), request_body = ReasonBody, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn require_password_change(
    State(web): State<Web>,
    caller: Caller,
    Path(text): Path<String>,
    Body(why): Body<ReasonBody>,
) -> Answer<StatusCode> {
    account::require_password_change(&web.app, &caller.ctx, id(&text, "account")?, &why.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/v1/accounts/{id}/setup-link", params(("id" = String, Path)), responses((status = 201, body = SetupLink), (status = "default", body = Problem)))]
pub(crate) async fn invite(State(web): State<Web>, caller: Caller, Path(text): Path<String>) -> Answer<(StatusCode, Json<SetupLink>)> {
    Ok((StatusCode::CREATED, Json(account::invite(&web.app, &caller.ctx, id(&text, "account")?).await?)))
}

#[utoipa::path(get, path = "/v1/accounts/{id}/authenticators", params(("id" = String, Path)), responses((status = 200, body = Vec<Authenticator>), (status = "default", body = Problem)))]
pub(crate) async fn authenticators(State(web): State<Web>, caller: Caller, Path(text): Path<String>) -> Answer<Json<Vec<Authenticator>>> {
    Ok(Json(authenticator::list_for(&web.app, &caller.ctx, id(&text, "account")?).await?.into_iter().map(shown).collect()))
}

#[utoipa::path(delete, path = "/v1/accounts/{id}/authenticators/{authenticator}", params(("id" = String, Path), ("authenticator" = String, Path), Why), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn remove_authenticator(
    State(web): State<Web>,
    caller: Caller,
    Path((account, authenticator)): Path<(String, String)>,
    Query(why): Query<Why>,
) -> Answer<StatusCode> {
    let (account, way) = (id(&account, "account")?, id(&authenticator, "way to sign in")?);
    authenticator::remove_for(&web.app, &caller.ctx, account, way, &why.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/v1/accounts/{id}/disable", params(("id" = String, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn disable(State(web): State<Web>, caller: Caller, Path(text): Path<String>) -> Answer<StatusCode> {
    account::disable(&web.app, &caller.ctx, id(&text, "account")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(put, path = "/v1/accounts/{id}/identifiers", params(("id" = String, Path)), request_body = ExternalId, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn set_identifier(State(web): State<Web>, caller: Caller, Path(text): Path<String>, Body(external): Body<ExternalId>) -> Answer<StatusCode> {
    account::set_identifier(&web.app, &caller.ctx, id(&text, "account")?, &external).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(put, path = "/v1/accounts/{id}/roles", params(("id" = String, Path)), request_body = AccountRoles, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn set_roles(State(web): State<Web>, caller: Caller, Path(text): Path<String>, Body(new): Body<AccountRoles>) -> Answer<StatusCode> {
    account::set_roles(&web.app, &caller.ctx, id(&text, "account")?, new.roles).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/v1/setup-links", responses((status = 201, body = SetupLink), (status = "default", body = Problem)))]
pub(crate) async fn setup_link(State(web): State<Web>, caller: Caller) -> Answer<(StatusCode, Json<SetupLink>)> {
    Ok((StatusCode::CREATED, Json(setup::create_first(&web.app, &caller.ctx).await?)))
}
