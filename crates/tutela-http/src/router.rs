//! The whole API as one table, grouped by consumer.

use axum::{
    Router,
    extract::{FromRequestParts, Request, State},
    http::Method,
    middleware::{Next, from_fn_with_state, map_response},
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, patch, post, put},
};
use tower_http::{catch_panic::CatchPanicLayer, csrf::CsrfLayer, limit::RequestBodyLimitLayer};
use tutela_core::ErrorKind;
use utoipa::OpenApi;

use crate::{
    api::{
        account, audit, breach, client, compliance, crypto, crypto_stream, detection, event, federation, gateway, grant, incident, key, ledger, me, permission,
        privacy, role, session, sign_in, subject_request,
    },
    caller::Caller,
    idempotency, oauth, page,
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
    /// A signed-in person, about their own account.
    SignedIn,
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
    /// Whether bodies of any length pass through it.
    pub streams: bool,
    handler: MethodRouter<Web>,
}

/// Every route under `/v1`.
pub fn route_table() -> Vec<Route> {
    let may = Needs::Permission;
    let app_facing = true;
    let admin = false;
    vec![
        // Applications
        route(Method::POST, "/v1/crypto/data-keys", may("crypto:encrypt"), app_facing, post(crypto::data_key)),
        route(Method::POST, "/v1/crypto/decrypt", may("crypto:decrypt"), app_facing, post(crypto::decrypt)),
        route(Method::POST, "/v1/crypto/encrypt", may("crypto:encrypt"), app_facing, post(crypto::encrypt)),
        route(Method::POST, "/v1/crypto/index", may("crypto:encrypt"), app_facing, post(crypto::index)),
        route(Method::GET, "/v1/crypto/keys", may("keys:read"), app_facing, get(key::list)),
        route(Method::GET, "/v1/crypto/keys/{key}", may("keys:read"), app_facing, get(key::get)),
        route(Method::POST, "/v1/crypto/keys/{key}/derive", may("crypto:export"), app_facing, post(key::derive)),
        route(Method::GET, "/v1/crypto/policies", may("policies:read"), app_facing, get(crypto::policies)),
        route(Method::GET, "/v1/crypto/policies/{name}", may("policies:read"), app_facing, get(crypto::policy)),
        route(Method::POST, "/v1/crypto/records/open", may("crypto:decrypt"), app_facing, post(crypto::open_record)),
        route(Method::POST, "/v1/crypto/records/seal", may("crypto:encrypt"), app_facing, post(crypto::seal_record)),
        route(Method::POST, "/v1/crypto/rewrap", may("crypto:rewrap"), app_facing, post(crypto::rewrap)),
        stream(Method::POST, "/v1/crypto/streams/decrypt", may("crypto:decrypt"), post(crypto_stream::decrypt)),
        stream(Method::POST, "/v1/crypto/streams/encrypt", may("crypto:encrypt"), post(crypto_stream::encrypt)),
        route(Method::GET, "/v1/audit/settings", may("events:write"), app_facing, get(audit::settings)),
        route(Method::GET, "/v1/event-types", may("ledger:read"), app_facing, get(audit::types)),
        route(Method::GET, "/v1/event-types/{name}", may("ledger:read"), app_facing, get(audit::one_type)),
        route(Method::PUT, "/v1/event-types/{name}", may("event_types:write"), app_facing, put(audit::declare)),
        route(Method::DELETE, "/v1/event-types/{name}", may("event_types:write"), app_facing, delete(audit::undeclare)),
        route(Method::POST, "/v1/events", may("events:write"), app_facing, post(event::record)),
        route(Method::GET, "/v1/events", may("ledger:read"), app_facing, get(event::search)),
        route(Method::GET, "/v1/events/counts", may("ledger:read"), app_facing, get(event::counts)),
        route(Method::GET, "/v1/events/export", may("ledger:export"), app_facing, get(audit::export)),
        route(Method::GET, "/v1/events/stream", may("ledger:read"), app_facing, get(event::stream)),
        route(Method::GET, "/v1/events/{id}", may("ledger:read"), app_facing, get(event::read)),
        route(Method::GET, "/v1/ledger/checkpoint", may("ledger:read"), app_facing, get(ledger::checkpoint)),
        route(Method::GET, "/v1/ledger/entries", may("ledger:read"), app_facing, get(ledger::entries)),
        route(Method::GET, "/v1/ledger/key", Needs::Public, app_facing, get(ledger::key)),
        route(Method::GET, "/v1/ledger/proof", may("ledger:read"), app_facing, get(ledger::proof)),
        route(Method::GET, "/v1/ledger/tile/{*path}", may("ledger:read"), app_facing, get(ledger::tile)),
        // People, about themselves
        route(Method::GET, "/v1/me", Needs::SignedIn, app_facing, get(me::me)),
        route(Method::GET, "/v1/me/authenticators", Needs::SignedIn, app_facing, get(me::authenticators)),
        route(Method::DELETE, "/v1/me/authenticators/{id}", Needs::SignedIn, app_facing, delete(me::remove_authenticator)),
        route(Method::GET, "/v1/me/clients", Needs::SignedIn, app_facing, get(client::consented)),
        route(Method::DELETE, "/v1/me/clients/{id}", Needs::SignedIn, app_facing, delete(client::withdraw)),
        route(Method::GET, "/v1/me/connections", Needs::SignedIn, app_facing, get(federation::own)),
        route(Method::DELETE, "/v1/me/connections/{id}", Needs::SignedIn, app_facing, delete(federation::disconnect_own)),
        route(Method::GET, "/v1/me/devices", Needs::SignedIn, app_facing, get(me::devices)),
        route(Method::DELETE, "/v1/me/devices/{id}", Needs::SignedIn, app_facing, delete(me::forget_device)),
        route(Method::PUT, "/v1/me/password", Needs::SignedIn, app_facing, put(me::change_password)),
        route(Method::GET, "/v1/me/sessions", Needs::SignedIn, app_facing, get(me::sessions)),
        route(Method::DELETE, "/v1/me/sessions/{id}", Needs::SignedIn, app_facing, delete(me::end_session)),
        route(Method::GET, "/v1/me/consents", Needs::SignedIn, app_facing, get(privacy::mine)),
        route(Method::GET, "/v1/me/consents/receipts/{id}", Needs::SignedIn, app_facing, get(privacy::own_receipt)),
        route(Method::POST, "/v1/me/consents", Needs::SignedIn, app_facing, post(privacy::say_myself)),
        route(Method::GET, "/v1/me/subject-requests", Needs::SignedIn, app_facing, get(subject_request::own_list)),
        route(Method::POST, "/v1/me/subject-requests", Needs::SignedIn, app_facing, post(subject_request::own_create)),
        route(Method::GET, "/v1/me/subject-requests/{id}", Needs::SignedIn, app_facing, get(subject_request::own_get)),
        route(Method::GET, "/v1/me/subject-requests/{id}/package", Needs::SignedIn, app_facing, get(subject_request::own_package)),
        route(Method::POST, "/v1/passwords/strength", Needs::SignedIn, app_facing, post(me::strength)),
        route(Method::POST, "/v1/sign-in", Needs::Public, app_facing, post(sign_in::sign_in)),
        route(Method::POST, "/v1/sign-in/prove", Needs::Public, app_facing, post(sign_in::prove)),
        route(Method::POST, "/v1/sign-in/send", Needs::Public, app_facing, post(sign_in::send)),
        route(Method::POST, "/v1/tokens/refresh", Needs::Public, app_facing, post(sign_in::refresh)),
        route(Method::POST, "/v1/tokens/revoke", Needs::Public, app_facing, post(sign_in::revoke)),
        // Applications, about people
        route(Method::GET, "/v1/identity/settings", may("permissions:check"), app_facing, get(sign_in::settings)),
        route(Method::GET, "/v1/breaches", may("compliance:read"), admin, get(breach::list)),
        route(Method::POST, "/v1/breaches", may("compliance:write"), admin, post(breach::open)),
        route(Method::GET, "/v1/breaches/{id}", may("compliance:read"), admin, get(breach::get)),
        route(Method::PUT, "/v1/breaches/{id}/facts", may("compliance:write"), admin, put(breach::set)),
        route(Method::POST, "/v1/breaches/{id}/sign", may("compliance:write"), admin, post(breach::sign)),
        route(Method::POST, "/v1/breaches/{id}/told", may("compliance:write"), admin, post(breach::told)),
        route(Method::POST, "/v1/breaches/{id}/close", may("compliance:write"), admin, post(breach::close)),
        route(Method::GET, "/v1/compliance", may("compliance:read"), admin, get(compliance::status)),
        route(Method::GET, "/v1/compliance/assessments", may("compliance:read"), admin, get(compliance::assessments)),
        route(Method::POST, "/v1/compliance/assessments", may("compliance:write"), admin, post(compliance::assess)),
        route(Method::GET, "/v1/compliance/report", may("compliance:read"), admin, get(compliance::report)),
        route(Method::POST, "/v1/compliance/probes", may("compliance:write"), admin, post(compliance::probe)),
        route(Method::POST, "/v1/compliance/scans", may("compliance:write"), admin, post(compliance::scan)),
        route(Method::GET, "/v1/compliance/statements", may("compliance:read"), admin, get(compliance::statements)),
        route(Method::POST, "/v1/compliance/statements", may("compliance:write"), admin, post(compliance::state)),
        route(Method::POST, "/v1/compliance/statements/{id}/approve", may("compliance:write"), admin, post(compliance::approve)),
        route(Method::DELETE, "/v1/compliance/statements/{id}", may("compliance:write"), admin, delete(compliance::withdraw)),
        route(Method::POST, "/v1/compliance/events", may("events:write"), app_facing, post(compliance::log)),
        route(Method::GET, "/v1/compliance/settings", may("consents:check"), app_facing, get(compliance::settings)),
        route(Method::POST, "/v1/consents", may("consents:write"), app_facing, post(privacy::say)),
        route(Method::GET, "/v1/consents", may("consents:read"), app_facing, get(privacy::said)),
        route(Method::POST, "/v1/consents/check", may("consents:check"), app_facing, post(privacy::check)),
        route(Method::GET, "/v1/consents/receipts/{id}", may("consents:read"), app_facing, get(privacy::receipt)),
        route(Method::GET, "/v1/privacy/processing-record", may("purposes:read"), admin, get(privacy::processing_record)),
        route(Method::POST, "/v1/privacy/projections", may("consents:check"), app_facing, post(privacy::project)),
        route(Method::GET, "/v1/privacy/settings", may("consents:check"), app_facing, get(privacy::settings)),
        route(Method::POST, "/v1/subject-requests", may("subject-requests:write"), app_facing, post(subject_request::create)),
        route(Method::GET, "/v1/subject-requests", may("subject-requests:read"), app_facing, get(subject_request::list)),
        route(Method::GET, "/v1/subject-requests/{id}", may("subject-requests:read"), app_facing, get(subject_request::get)),
        route(Method::GET, "/v1/subject-requests/{id}/export", may("subject-requests:export"), app_facing, get(subject_request::export)),
        route(Method::GET, "/v1/subject-requests/{id}/package", may("subject-requests:export"), app_facing, get(subject_request::package)),
        route(Method::POST, "/v1/subject-requests/{id}/approve", may("subject-requests:approve"), admin, post(subject_request::approve)),
        route(Method::POST, "/v1/subject-requests/{id}/extend", may("subject-requests:approve"), admin, post(subject_request::extend)),
        route(Method::POST, "/v1/subject-requests/{id}/refuse", may("subject-requests:approve"), admin, post(subject_request::refuse)),
        route(Method::POST, "/v1/subject-requests/{id}/run", may("subject-requests:write"), app_facing, post(subject_request::run)),
        route(Method::GET, "/v1/datasets", may("datasets:read"), admin, get(subject_request::datasets)),
        route(Method::GET, "/v1/privacy/export-schema", Needs::Public, app_facing, get(subject_request::schema)),
        route(Method::GET, "/v1/privacy/holds", may("subject-requests:read"), admin, get(subject_request::holds)),
        route(Method::POST, "/v1/privacy/holds", may("subjects:hold"), admin, post(subject_request::hold)),
        route(Method::DELETE, "/v1/privacy/holds/{id}", may("subjects:hold"), admin, delete(subject_request::release)),
        route(Method::POST, "/v1/privacy/erasure-replays", may("subject-requests:write"), admin, post(subject_request::replay)),
        route(Method::GET, "/v1/privacy/retention", may("datasets:read"), admin, get(subject_request::expired)),
        route(Method::POST, "/v1/privacy/retention/apply", may("datasets:expire"), admin, post(subject_request::expire)),
        route(Method::POST, "/v1/privacy/plan", may("subject-requests:read"), admin, post(subject_request::plan)),
        route(Method::GET, "/v1/purposes", may("purposes:read"), app_facing, get(privacy::purposes)),
        route(Method::GET, "/v1/purposes/{name}", may("purposes:read"), app_facing, get(privacy::purpose_get)),
        route(Method::PUT, "/v1/purposes/{name}", may("purposes:write"), admin, put(privacy::purpose_set)),
        route(Method::DELETE, "/v1/purposes/{name}", may("purposes:write"), admin, delete(privacy::purpose_retire)),
        route(Method::POST, "/v1/permissions/check", may("permissions:check"), app_facing, post(permission::check)),
        route(Method::GET, "/v1/permissions/of/{account}", may("permissions:check"), app_facing, get(permission::of)),
        route(Method::POST, "/v1/tokens/introspect", may("tokens:introspect"), app_facing, post(permission::introspect)),
        route(Method::GET, "/v1/openapi.json", Needs::Public, app_facing, get(document)),
        // Administrators
        route(Method::GET, "/v1/accounts", may("accounts:read"), admin, get(account::list)),
        route(Method::POST, "/v1/accounts", may("accounts:write"), admin, post(account::create)),
        route(Method::GET, "/v1/accounts/{id}", may("accounts:read"), admin, get(account::get)),
        route(Method::DELETE, "/v1/accounts/{id}", may("accounts:write"), admin, delete(account::delete)),
        route(Method::GET, "/v1/accounts/{id}/authenticators", may("accounts:read"), admin, get(account::authenticators)),
        route(Method::DELETE, "/v1/accounts/{id}/authenticators/{authenticator}", may("authenticators:write"), admin, delete(account::remove_authenticator)),
        route(Method::GET, "/v1/accounts/{id}/connections", may("accounts:read"), admin, get(federation::of_account)),
        route(Method::DELETE, "/v1/accounts/{id}/connections/{connection}", may("authenticators:write"), admin, delete(federation::disconnect)),
        route(Method::POST, "/v1/accounts/{id}/enable", may("accounts:write"), admin, post(account::enable)),
        route(Method::POST, "/v1/accounts/{id}/password-change", may("accounts:write"), admin, post(account::require_password_change)),
        route(Method::POST, "/v1/accounts/{id}/setup-link", may("accounts:write"), admin, post(account::invite)),
        route(Method::POST, "/v1/accounts/{id}/unlock", may("accounts:write"), admin, post(account::unlock)),
        route(Method::POST, "/v1/accounts/{id}/disable", may("accounts:write"), admin, post(account::disable)),
        route(Method::PUT, "/v1/accounts/{id}/identifiers", may("accounts:write"), admin, put(account::set_identifier)),
        route(Method::PUT, "/v1/accounts/{id}/roles", may("accounts:write"), admin, put(account::set_roles)),
        route(Method::POST, "/v1/accounts/verify", may("accounts:write"), admin, post(account::verify)),
        route(Method::POST, "/v1/setup-links", may("*"), admin, post(account::setup_link)),
        route(Method::GET, "/v1/clients", may("clients:read"), admin, get(client::list)),
        route(Method::POST, "/v1/clients", may("clients:write"), admin, post(client::create)),
        route(Method::GET, "/v1/clients/{id}", may("clients:read"), admin, get(client::get)),
        route(Method::POST, "/v1/clients/{id}/key", may("clients:write"), admin, post(client::roll)),
        route(Method::PUT, "/v1/clients/{id}/oauth", may("clients:write"), admin, put(client::set_oauth)),
        route(Method::DELETE, "/v1/clients/{id}", may("clients:write"), admin, delete(client::revoke)),
        route(Method::POST, "/v1/alerts/test", may("detection:write"), admin, post(detection::test_alert)),
        route(Method::POST, "/v1/alerts", may("alerts:write"), app_facing, post(incident::raise)),
        route(Method::GET, "/v1/alerts/settings", may("detection:read"), app_facing, get(incident::settings)),
        route(Method::POST, "/v1/alerts/slack", Needs::Public, app_facing, post(incident::pressed)),
        route(Method::GET, "/v1/blocks", may("detection:read"), app_facing, get(detection::blocks)),
        route(Method::POST, "/v1/blocks", may("detection:write"), app_facing, post(detection::block)),
        route(Method::POST, "/v1/blocks/lift", may("detection:write"), app_facing, post(detection::lift)),
        route(Method::GET, "/v1/incidents", may("detection:read"), app_facing, get(incident::list)),
        route(Method::GET, "/v1/incidents/{id}", may("detection:read"), app_facing, get(incident::get)),
        route(Method::POST, "/v1/incidents/{id}/contain", may("detection:write"), app_facing, post(incident::contain)),
        route(Method::POST, "/v1/incidents/{id}/state", may("detection:write"), app_facing, post(incident::set_state)),
        route(Method::PUT, "/v1/incidents/{id}/steps/{step}", may("detection:write"), admin, put(incident::set_step)),
        route(Method::GET, "/v1/incidents/{id}/timeline", may("ledger:export"), admin, get(incident::timeline)),
        route(Method::POST, "/v1/incidents/{id}/undo", may("detection:write"), app_facing, post(incident::undo)),
        route(Method::GET, "/v1/rules", may("detection:read"), app_facing, get(detection::rules)),
        route(Method::POST, "/v1/rules/backtest", may("detection:read"), admin, post(detection::backtest)),
        route(Method::DELETE, "/v1/rules/{name}", may("detection:write"), admin, delete(detection::rule_reset)),
        route(Method::GET, "/v1/rules/{name}", may("detection:read"), app_facing, get(detection::rule_get)),
        route(Method::PUT, "/v1/rules/{name}", may("detection:write"), app_facing, put(detection::rule_set)),
        route(Method::GET, "/v1/gateway", may("gateway:read"), admin, get(gateway::status)),
        route(Method::GET, "/v1/gateway/exclusions", may("gateway:read"), admin, get(gateway::exclusions)),
        route(Method::POST, "/v1/gateway/exclusions", may("gateway:write"), admin, post(gateway::exclude)),
        route(Method::DELETE, "/v1/gateway/exclusions/{id}", may("gateway:write"), admin, delete(gateway::end_exclusion)),
        route(Method::GET, "/v1/limits", may("gateway:read"), admin, get(gateway::limited)),
        route(Method::POST, "/v1/limits/lift", may("gateway:write"), admin, post(gateway::lift)),
        route(Method::POST, "/v1/gateway/reload", may("gateway:write"), admin, post(gateway::reload)),
        route(Method::GET, "/v1/crypto/backups", may("keys:read"), admin, get(key::backups)),
        route(Method::POST, "/v1/crypto/backups", may("keys:backup"), admin, post(key::back_up)),
        route(Method::POST, "/v1/crypto/backups/rehearse", may("keys:backup"), admin, post(key::rehearse)),
        route(Method::GET, "/v1/crypto/epochs", may("keys:read"), admin, get(key::epochs)),
        route(Method::POST, "/v1/crypto/epochs", may("keys:write"), admin, post(key::rotate_epoch)),
        route(Method::POST, "/v1/crypto/epochs/{number}/destroy", may("keys:destroy"), admin, post(key::destroy_epoch)),
        route(Method::GET, "/v1/crypto/erasures/{key_id}", may("keys:read"), admin, get(key::erasure)),
        route(Method::GET, "/v1/crypto/jobs", may("keys:read"), admin, get(key::jobs)),
        route(Method::POST, "/v1/crypto/jobs", may("keys:write"), admin, post(key::start_job)),
        route(Method::GET, "/v1/crypto/jobs/{id}", may("keys:read"), admin, get(key::job)),
        route(Method::POST, "/v1/crypto/keys", may("keys:write"), admin, post(key::create)),
        route(Method::PATCH, "/v1/crypto/keys/{key}", may("keys:write"), admin, patch(key::change)),
        route(Method::POST, "/v1/crypto/keys/{key}/destroy", may("keys:destroy"), admin, post(key::destroy)),
        route(Method::POST, "/v1/crypto/keys/{key}/keep", may("keys:destroy"), admin, post(key::keep)),
        route(Method::POST, "/v1/crypto/keys/{key}/rotate", may("keys:write"), admin, post(key::rotate)),
        route(Method::PUT, "/v1/crypto/policies/{name}", may("policies:write"), admin, put(crypto::set_policy)),
        route(Method::DELETE, "/v1/crypto/policies/{name}", may("policies:write"), admin, delete(crypto::delete_policy)),
        route(Method::POST, "/v1/crypto/provider/check", may("keys:write"), admin, post(key::check_provider)),
        route(Method::POST, "/v1/crypto/subjects/erase", may("subjects:erase"), admin, post(key::erase)),
        route(Method::POST, "/v1/crypto/subjects/hold", may("subjects:hold"), admin, post(key::hold)),
        route(Method::POST, "/v1/crypto/subjects/key", may("keys:read"), admin, post(key::subject)),
        route(Method::POST, "/v1/crypto/subjects/release", may("subjects:hold"), admin, post(key::release)),
        route(Method::POST, "/v1/backups/rehearsals", may("backups:write"), admin, post(audit::rehearsed)),
        stream_admin(Method::POST, "/v1/backups", may("backups:write"), post(audit::back_up)),
        route(Method::GET, "/v1/grants", may("grants:read"), admin, get(grant::grants)),
        route(Method::POST, "/v1/grants", may("grants:write"), admin, post(grant::give)),
        route(Method::DELETE, "/v1/grants/{id}", may("grants:write"), admin, delete(grant::end)),
        route(Method::GET, "/v1/groups", may("groups:read"), admin, get(grant::groups)),
        route(Method::PUT, "/v1/groups", may("groups:write"), admin, put(grant::set_group)),
        route(Method::DELETE, "/v1/groups/{name}", may("groups:write"), admin, delete(grant::delete_group)),
        route(Method::GET, "/v1/groups/{name}/members", may("groups:read"), admin, get(grant::members)),
        route(Method::PUT, "/v1/groups/{name}/members/{id}", may("groups:write"), admin, put(grant::join)),
        route(Method::DELETE, "/v1/groups/{name}/members/{id}", may("groups:write"), admin, delete(grant::leave)),
        route(Method::GET, "/v1/permissions/holders", may("accounts:read"), admin, get(permission::holders)),
        route(Method::GET, "/v1/holds", may("ledger:read"), admin, get(audit::holds)),
        route(Method::POST, "/v1/holds", may("ledger:hold"), admin, post(audit::place)),
        route(Method::POST, "/v1/holds/{id}/release", may("ledger:hold"), admin, post(audit::release)),
        route(Method::GET, "/v1/providers", may("accounts:read"), admin, get(federation::providers)),
        route(Method::GET, "/v1/retention", may("ledger:read"), admin, get(audit::retention)),
        route(Method::POST, "/v1/retention/apply", may("ledger:expire"), admin, post(audit::expire)),
        route(Method::GET, "/v1/signing-keys", may("keys:read"), admin, get(federation::signing_keys)),
        route(Method::POST, "/v1/signing-keys/rotate", may("keys:write"), admin, post(federation::rotate)),
        route(Method::GET, "/v1/sinks", may("ledger:read"), admin, get(audit::sinks)),
        route(Method::GET, "/v1/sinks/{name}/dead-letters", may("ledger:read"), admin, get(audit::dead_letters)),
        route(Method::POST, "/v1/sinks/{name}/rebuild", may("sinks:write"), admin, post(audit::rebuild)),
        route(Method::POST, "/v1/sinks/{name}/reconcile", may("sinks:write"), admin, post(audit::reconcile)),
        route(Method::POST, "/v1/sinks/{name}/retry", may("sinks:write"), admin, post(audit::retry)),
        route(Method::GET, "/v1/roles", may("roles:read"), admin, get(role::list)),
        route(Method::PUT, "/v1/roles", may("roles:write"), admin, put(role::set)),
        route(Method::GET, "/v1/sessions", may("sessions:read"), admin, get(session::list)),
        route(Method::DELETE, "/v1/sessions/{id}", may("sessions:end"), admin, delete(session::end)),
    ]
}

fn route(method: Method, path: &'static str, needs: Needs, on_own_host: bool, handler: MethodRouter<Web>) -> Route {
    Route { method, path, needs, on_own_host, streams: false, handler }
}

/// A route whose body has no limit and is never kept.
fn stream(method: Method, path: &'static str, needs: Needs, handler: MethodRouter<Web>) -> Route {
    Route { method, path, needs, on_own_host: true, streams: true, handler }
}

/// As [`stream`], for administrators only.
fn stream_admin(method: Method, path: &'static str, needs: Needs, handler: MethodRouter<Web>) -> Route {
    Route { method, path, needs, on_own_host: false, streams: true, handler }
}

/// Everything one front serves.
pub fn router(web: Web) -> Router {
    let (mut api, mut streams) = (Router::new(), Router::new());
    for route in route_table() {
        if route.on_own_host || web.front != Front::Own {
            let gate = from_fn_with_state((web.clone(), route.needs), enforce);
            let place = if route.streams { &mut streams } else { &mut api };
            *place = std::mem::take(place).route(route.path, route.handler.route_layer(gate));
        }
    }
    let api = api.layer(from_fn_with_state(web.clone(), idempotency::once)).layer(RequestBodyLimitLayer::new(idempotency::MAX_BODY));
    let api = api.merge(streams.layer(axum::extract::DefaultBodyLimit::disable()));
    let pages = match web.front {
        Front::Own => page::own_host(),
        Front::Admin => page::console().merge(page::probes()),
        Front::Socket => page::probes(),
    };
    let elsewhere = if web.front == Front::Own { page::from_elsewhere().merge(oauth::endpoints()) } else { Router::new() };
    api.merge(pages.layer(RequestBodyLimitLayer::new(64 << 10)))
        .fallback(page::not_found)
        .layer(CsrfLayer::new())
        .merge(elsewhere.layer(RequestBodyLimitLayer::new(512 << 10)))
        .layer(CatchPanicLayer::custom(|_| Failure::new(ErrorKind::Internal, "The error is in the server's log. Nothing was changed.").into_response()))
        .layer(map_response(as_problem))
        .layer(from_fn_with_state(web.clone(), security::guard))
        .with_state(web)
}

/// Asks for the route's permission before the request is even parsed.
async fn enforce(State((web, needs)): State<(Web, Needs)>, request: Request, next: Next) -> Result<Response, Failure> {
    let (mut parts, body) = request.into_parts();
    match needs {
        Needs::Public => {}
        Needs::Permission(permission) => {
            let caller = <Caller as FromRequestParts<Web>>::from_request_parts(&mut parts, &web).await?;
            web.app.permit(&caller.ctx, permission).await?;
        }
        Needs::SignedIn => {
            let caller = <Caller as FromRequestParts<Web>>::from_request_parts(&mut parts, &web).await?;
            if caller.ctx.principal.account().is_none() {
                return Err(Failure::new(ErrorKind::Unauthenticated, "this is about a person's own account and needs their session or access token"));
            }
        }
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
        crypto::data_key,
        crypto::decrypt,
        crypto::delete_policy,
        crypto::encrypt,
        crypto::index,
        crypto::open_record,
        crypto::policies,
        crypto::policy,
        crypto::rewrap,
        crypto::seal_record,
        crypto::set_policy,
        crypto_stream::decrypt,
        crypto_stream::encrypt,
        key::back_up,
        key::backups,
        key::change,
        key::check_provider,
        key::create,
        key::derive,
        key::destroy,
        key::destroy_epoch,
        key::epochs,
        key::erase,
        key::erasure,
        key::get,
        key::hold,
        key::job,
        key::jobs,
        key::keep,
        key::list,
        key::rehearse,
        key::release,
        key::rotate,
        key::rotate_epoch,
        key::start_job,
        key::subject,
        audit::back_up,
        audit::dead_letters,
        audit::declare,
        audit::expire,
        audit::export,
        audit::holds,
        audit::place,
        audit::rebuild,
        audit::reconcile,
        audit::rehearsed,
        audit::release,
        audit::retention,
        audit::retry,
        audit::settings,
        audit::sinks,
        audit::one_type,
        audit::types,
        audit::undeclare,
        breach::close,
        breach::get,
        breach::list,
        breach::open,
        breach::set,
        breach::sign,
        breach::told,
        compliance::approve,
        compliance::assess,
        compliance::assessments,
        compliance::log,
        compliance::report,
        compliance::probe,
        compliance::scan,
        compliance::settings,
        compliance::state,
        compliance::statements,
        compliance::status,
        compliance::withdraw,
        event::record,
        event::search,
        event::counts,
        event::stream,
        event::read,
        ledger::checkpoint,
        ledger::entries,
        ledger::key,
        ledger::proof,
        ledger::tile,
        permission::check,
        permission::holders,
        permission::introspect,
        permission::of,
        sign_in::prove,
        sign_in::refresh,
        sign_in::revoke,
        sign_in::send,
        sign_in::settings,
        sign_in::sign_in,
        federation::disconnect,
        federation::disconnect_own,
        federation::of_account,
        federation::own,
        federation::providers,
        detection::test_alert,
        privacy::processing_record,
        privacy::project,
        privacy::settings,
        privacy::purposes,
        privacy::purpose_get,
        privacy::purpose_set,
        privacy::purpose_retire,
        privacy::say,
        privacy::said,
        privacy::check,
        privacy::receipt,
        privacy::mine,
        privacy::own_receipt,
        privacy::say_myself,
        subject_request::approve,
        subject_request::create,
        subject_request::datasets,
        subject_request::expire,
        subject_request::expired,
        subject_request::export,
        subject_request::extend,
        subject_request::get,
        subject_request::hold,
        subject_request::holds,
        subject_request::list,
        subject_request::own_create,
        subject_request::own_get,
        subject_request::own_list,
        subject_request::own_package,
        subject_request::package,
        subject_request::plan,
        subject_request::refuse,
        subject_request::release,
        subject_request::replay,
        subject_request::run,
        subject_request::schema,
        incident::raise,
        incident::pressed,
        incident::settings,
        incident::list,
        incident::get,
        incident::set_state,
        incident::set_step,
        incident::contain,
        incident::undo,
        incident::timeline,
        detection::blocks,
        detection::block,
        detection::lift,
        detection::rules,
        detection::rule_get,
        detection::rule_set,
        detection::rule_reset,
        detection::backtest,
        gateway::status,
        gateway::limited,
        gateway::lift,
        gateway::exclusions,
        gateway::exclude,
        gateway::end_exclusion,
        gateway::reload,
        federation::rotate,
        federation::signing_keys,
        me::authenticators,
        me::change_password,
        me::devices,
        me::end_session,
        me::forget_device,
        me::me,
        me::remove_authenticator,
        me::sessions,
        me::strength,
        grant::delete_group,
        grant::end,
        grant::give,
        grant::grants,
        grant::groups,
        grant::join,
        grant::leave,
        grant::members,
        grant::set_group,
        account::authenticators,
        account::delete,
        account::enable,
        account::get,
        account::invite,
        account::remove_authenticator,
        account::require_password_change,
        account::unlock,
        account::verify,
        account::list,
        account::create,
        account::disable,
        account::set_identifier,
        account::set_roles,
        account::setup_link,
        client::list,
        client::consented,
        client::create,
        client::get,
        client::revoke,
        client::roll,
        client::set_oauth,
        client::withdraw,
        role::list,
        role::set,
        session::list,
        session::end,
    ),
    components(schemas(tutela_api::Problem))
)]
struct Document;
