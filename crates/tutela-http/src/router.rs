//! The whole API as one table, grouped by consumer.

use axum::{
    Router,
    extract::{FromRequestParts, Request, State},
    http::Method,
    middleware::{Next, from_fn_with_state, map_response},
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post, put},
};
use tower_http::{catch_panic::CatchPanicLayer, csrf::CsrfLayer, limit::RequestBodyLimitLayer};
use tutela_core::ErrorKind;
use utoipa::OpenApi;

use crate::{
    api::{account, client, event, ledger, permission, role, session},
    caller::Caller,
    idempotency, page,
    problem::Failure,
    security,
    web::{Front, Web},
};

/// What a caller needs for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// A permission of the API.
    Permission(&'static str),
    /// Nothing.
    Public,
}

/// One route of the API.
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path with its parameters in braces.
    pub path: &'static str,
    /// What a caller needs.
    pub needs: Needs,
    /// Whether the own host has it too; the admin listener and the socket have all.
    pub on_own_host: bool,
    handler: MethodRouter<Web>,
}

/// Every route under `/v1`.
pub fn route_table() -> Vec<Route> {
    let may = Needs::Permission;
    let app_facing = true;
    let admin = false;
    vec![
        // Applications
        route(Method::POST, "/v1/events", may("events:write"), app_facing, post(event::record)),
        route(Method::GET, "/v1/events", may("ledger:read"), app_facing, get(event::search)),
        route(Method::GET, "/v1/events/stream", may("ledger:read"), app_facing, get(event::stream)),
        route(Method::GET, "/v1/events/{id}", may("ledger:read"), app_facing, get(event::read)),
        route(Method::GET, "/v1/ledger/checkpoint", may("ledger:read"), app_facing, get(ledger::checkpoint)),
        route(Method::GET, "/v1/ledger/entries", may("ledger:read"), app_facing, get(ledger::entries)),
        route(Method::GET, "/v1/ledger/key", Needs::Public, app_facing, get(ledger::key)),
        route(Method::GET, "/v1/ledger/proof", may("ledger:read"), app_facing, get(ledger::proof)),
        route(Method::GET, "/v1/ledger/tile/{*path}", may("ledger:read"), app_facing, get(ledger::tile)),
        route(Method::POST, "/v1/permissions/check", may("permissions:check"), app_facing, post(permission::check)),
        route(Method::POST, "/v1/tokens/introspect", may("tokens:introspect"), app_facing, post(permission::introspect)),
        route(Method::GET, "/v1/openapi.json", Needs::Public, app_facing, get(document)),
        // Administrators
        route(Method::GET, "/v1/accounts", may("accounts:read"), admin, get(account::list)),
        route(Method::POST, "/v1/accounts", may("accounts:write"), admin, post(account::create)),
        route(Method::POST, "/v1/accounts/{id}/disable", may("accounts:write"), admin, post(account::disable)),
        route(Method::PUT, "/v1/accounts/{id}/identifiers", may("accounts:write"), admin, put(account::set_identifier)),
        route(Method::PUT, "/v1/accounts/{id}/roles", may("accounts:write"), admin, put(account::set_roles)),
        route(Method::POST, "/v1/setup-links", may("*"), admin, post(account::setup_link)),
        route(Method::GET, "/v1/clients", may("clients:read"), admin, get(client::list)),
        route(Method::POST, "/v1/clients", may("clients:write"), admin, post(client::create)),
        route(Method::DELETE, "/v1/clients/{id}", may("clients:write"), admin, delete(client::revoke)),
        route(Method::GET, "/v1/roles", may("roles:read"), admin, get(role::list)),
        route(Method::PUT, "/v1/roles", may("roles:write"), admin, put(role::set)),
        route(Method::GET, "/v1/sessions", may("sessions:read"), admin, get(session::list)),
        route(Method::DELETE, "/v1/sessions/{id}", may("sessions:end"), admin, delete(session::end)),
    ]
}

fn route(method: Method, path: &'static str, needs: Needs, on_own_host: bool, handler: MethodRouter<Web>) -> Route {
    Route { method, path, needs, on_own_host, handler }
}

/// Everything one front serves.
pub fn router(web: Web) -> Router {
    let mut api = Router::new();
    for route in route_table() {
        if route.on_own_host || web.front != Front::Own {
            let gate = from_fn_with_state((web.clone(), route.needs), enforce);
            api = api.route(route.path, route.handler.route_layer(gate));
        }
    }
    let api = api.layer(from_fn_with_state(web.clone(), idempotency::once)).layer(RequestBodyLimitLayer::new(idempotency::MAX_BODY));
    let pages = match web.front {
        Front::Own => page::own_host(),
        Front::Admin => page::console().merge(page::probes()),
        Front::Socket => page::probes(),
    };
    api.merge(pages.layer(RequestBodyLimitLayer::new(64 << 10)))
        .fallback(page::not_found)
        .layer(CsrfLayer::new())
        .layer(CatchPanicLayer::custom(|_| Failure::new(ErrorKind::Internal, "The error is in the server's log. Nothing was changed.").into_response()))
        .layer(map_response(as_problem))
        .layer(from_fn_with_state(web.clone(), security::guard))
        .with_state(web)
}

/// Asks for the route's permission before the request is even parsed.
async fn enforce(State((web, needs)): State<(Web, Needs)>, request: Request, next: Next) -> Result<Response, Failure> {
    let (mut parts, body) = request.into_parts();
    if let Needs::Permission(permission) = needs {
        let caller = <Caller as FromRequestParts<Web>>::from_request_parts(&mut parts, &web).await?;
        web.app.permit(&caller.ctx, permission).await?;
    }
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// Answers that a layer or extractor made in plain text become problems too.
async fn as_problem(response: Response) -> Response {
    let status = response.status();
    let plain = response.headers().get("content-type").is_none_or(|v| v.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || !plain {
        return response;
    }
    let body = axum::body::to_bytes(response.into_body(), 64 << 10).await.unwrap_or_default();
    let detail = String::from_utf8_lossy(&body).into_owned();
    let mut failure = Failure::new(ErrorKind::Invalid, if detail.is_empty() { "the request does not fit this route".to_owned() } else { detail });
    failure.0.status = status.as_u16();
    failure.into_response()
}

async fn document() -> axum::Json<utoipa::openapi::OpenApi> {
    axum::Json(openapi())
}

/// The API's description (OpenAPI 3.1).
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "tutela",
        description = "Security and compliance for applications. Errors are problem documents (RFC 9457); every mutation accepts `Idempotency-Key`; lists page by `cursor`.",
        license(name = "Apache-2.0")
    ),
    paths(
        event::record,
        event::search,
        event::stream,
        event::read,
        ledger::checkpoint,
        ledger::entries,
        ledger::key,
        ledger::proof,
        ledger::tile,
        permission::check,
        permission::introspect,
        account::list,
        account::create,
        account::disable,
        account::set_identifier,
        account::set_roles,
        account::setup_link,
        client::list,
        client::create,
        client::revoke,
        role::list,
        role::set,
        session::list,
        session::end,
    ),
    components(schemas(tutela_api::Problem))
)]
struct Document;
