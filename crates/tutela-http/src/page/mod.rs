//! Pages for people: hosted pages on the own host, the console on the admin listener, and the
//! probes for machines.

mod account;
pub(crate) mod assets;
mod change;
mod console;
mod console_access;
mod console_breach;
mod console_clients;
mod console_compliance;
mod console_frame;
mod console_gateway;
mod console_incidents;
mod console_key_care;
mod console_keys;
mod console_ledger;
mod console_ledger_care;
mod console_ledger_read;
mod console_ledger_sinks;
mod console_people;
mod console_person;
mod console_privacy;
mod console_rules;
mod console_signing;
mod destination;
mod links;
mod oauth;
mod outside;
mod own;
pub(crate) use own::jwks;
mod privacy;
mod probe;
mod requests;
mod setup;
mod show;
mod sign_in;
mod sign_up;
mod visitor;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use tutela_app::Error;
use tutela_core::ErrorKind;
use tutela_identity::cookie::Cookie;

use crate::{
    problem::{Failure, status_of},
    security,
    view::{
        hosted::{FormPage, HostedFrame, MessagePage},
        part::Link,
        words::{EN, Words},
    },
    web::{Front, Web},
};

/// Pages of the own host.
pub(crate) fn own_host() -> Router<Web> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/account") }))
        .merge(sign_in())
        .merge(account())
        .merge(applications())
        .route("/signed-out", get(own::signed_out))
        .route("/sign-out", get(own::sign_out_form).post(own::sign_out))
        .route("/set-up/{token}", get(setup::form).post(setup::complete))
        .route("/_tutela/assets/{name}", get(assets::serve))
}

/// Ways in: signing in step by step, making an account, and the pages behind mailed links. Every address that
/// takes a post also leads somewhere with a GET, for whoever reloads.
fn sign_in() -> Router<Web> {
    let again = || get(|| async { Redirect::to("/sign-in/next") });
    Router::new()
        .route("/sign-in", get(sign_in::form).post(sign_in::password))
        .route("/sign-in/next", get(sign_in::next))
        .route("/sign-in/connect", get(outside::offered).post(outside::connect))
        .route("/sign-in/with/{name}", get(outside::leave))
        .route("/sign-in/with/{name}/callback", get(outside::back))
        .route("/sign-in/with/{name}/logout", get(outside::logout))
        .route("/sign-in/with/{name}/metadata", get(outside::metadata))
        .route("/sign-in/code", again().post(sign_in::code))
        .route("/sign-in/enrol-app", again().post(sign_in::enrol_app))
        .route("/sign-in/enrol-passkey", again().post(sign_in::enrol_passkey))
        .route("/sign-in/new-password", again().post(sign_in::new_password))
        .route("/sign-in/passkey", again().post(sign_in::passkey))
        .route("/sign-in/password", again().post(sign_in::password_again))
        .route("/sign-in/recovery", again().post(sign_in::recovery))
        .route("/sign-in/send", again().post(sign_in::send))
        .route("/step-up", get(sign_in::step_up))
        .route("/sign-up", get(sign_up::form).post(sign_up::sign_up))
        .route("/recover", get(links::recover_form).post(links::recover))
        .route("/reset/{token}", get(links::reset_form).post(links::reset))
        .route("/unlock/{token}", get(links::unlock_form).post(links::unlock))
        .route("/not-me/{token}", get(links::not_me_form).post(links::not_me))
        .route("/verify-email/{token}", get(links::verify_form).post(links::verify))
        .route("/change-email/{token}", get(links::change_email_form).post(links::change_email))
}

/// What other sites' forms and servers post to us: guarded by what it brings, not by where it comes from.
pub(crate) fn from_elsewhere() -> Router<Web> {
    Router::new()
        .route("/sign-in/with/{name}/callback", post(outside::posted))
        .route("/sign-in/with/{name}/logout", post(outside::ended))
        .route("/oauth/authorize", post(oauth::authorize_posted))
        .route("/oauth/logout", post(oauth::logout_posted))
}

/// Signing in to applications; what their servers call is in `oauth.rs` beside this folder.
fn applications() -> Router<Web> {
    Router::new()
        .route("/oauth/authorize", get(oauth::authorize))
        .route("/oauth/continue", get(oauth::resume))
        .route("/oauth/consent", get(|| async { Redirect::to("/account/apps") }).post(oauth::decide))
        .route("/oauth/logout", get(oauth::logout))
        .route("/oauth/logout/confirm", get(|| async { Redirect::to("/sign-out") }).post(oauth::logout_confirmed))
        .route("/account/apps", get(oauth::apps))
        .route("/account/apps/{id}/withdraw", get(|| async { Redirect::to("/account/apps") }).post(oauth::withdraw))
}

/// The own account.
fn account() -> Router<Web> {
    let security = || get(|| async { Redirect::to("/account/security") });
    Router::new()
        .route("/account", get(account::overview))
        .route("/account/privacy", get(privacy::overview))
        .route("/account/privacy/{purpose}", get(|| async { Redirect::to("/account/privacy") }).post(privacy::say))
        .route("/account/privacy/receipts/{id}", get(privacy::receipt))
        .route("/account/data", get(requests::overview))
        .route("/account/data/{kind}", get(requests::form).post(requests::ask))
        .route("/account/data/requests/{id}/package", get(requests::fetch))
        .route("/privacy/ask", get(visitor::overview))
        .route("/privacy/ask/{kind}", get(visitor::form).post(visitor::ask))
        .route("/privacy/confirm/{token}", get(visitor::confirm_form).post(visitor::confirm))
        .route("/privacy/packages/{token}", get(visitor::fetch))
        .route("/privacy/requests/{token}", get(requests::status))
        .route("/privacy/requests/{token}/confirmation", get(requests::confirmation))
        .route("/account/activity", get(account::activity))
        .route("/account/devices", get(account::devices))
        .route("/account/devices/{id}/forget", get(|| async { Redirect::to("/account/devices") }).post(account::forget_device))
        .route("/account/sessions/end-others", get(|| async { Redirect::to("/account") }).post(account::end_others))
        .route("/account/sessions/{id}/end", get(|| async { Redirect::to("/account") }).post(account::end_session))
        .route("/account/security", get(account::security))
        .route("/account/name", get(change::name_form).post(change::name))
        .route("/account/email", get(change::email_form).post(change::email))
        .route("/account/email/verify", get(|| async { Redirect::to("/account") }).post(change::verify_email))
        .route("/account/password", get(change::password_form).post(change::password))
        .route("/account/password/dismiss", get(|| async { Redirect::to("/account") }).post(change::dismiss))
        .route("/account/app", get(change::app_form).post(change::app))
        .route("/account/passkey", get(change::passkey_form).post(change::passkey))
        .route("/account/recovery", security().post(change::recovery))
        .route("/account/authenticators/{id}/remove", security().post(change::remove))
        .route("/account/outside/{id}/disconnect", security().post(outside::disconnect))
        .route("/account/phone", get(change::phone_form).post(change::phone))
        .route("/account/phone/verify", security().post(change::verify_phone))
        .route("/account/phone/remove", security().post(change::remove_phone))
}

/// Pages of the console.
pub(crate) fn console() -> Router<Web> {
    Router::new()
        .route("/", get(console::overview))
        .route("/health", get(console::health))
        .route("/ledger", get(console_ledger::list))
        .route("/ledger/tail", get(console_ledger::tail))
        .route("/ledger/{position}", get(console_ledger::event))
        .route("/ledger/{position}/proof", get(console_ledger::proof))
        .route("/_tutela/callback", get(console_frame::callback))
        .route("/_tutela/sign-out", post(console_frame::sign_out))
        .route("/_tutela/assets/{name}", get(assets::serve))
        .merge(people())
        .merge(clients())
        .merge(keys())
        .merge(ledger())
        .merge(detection())
}

/// Pages of the console's room of people; every address that takes a post also leads to its page.
fn people() -> Router<Web> {
    let access = || get(|| async { Redirect::to("/people/access") });
    Router::new()
        .route("/people", get(console_people::list))
        .route("/people/new", get(console_people::form).post(console_people::create))
        .route("/people/access", get(console_access::access))
        .route("/people/grants/{id}/end", access().post(console_access::end_grant))
        .route("/people/groups", get(console_access::groups).post(console_access::set_group))
        .route("/people/groups/{name}/delete", get(|| async { Redirect::to("/people/groups") }).post(console_access::delete_group))
        .route("/people/{id}", get(console_person::show))
        .route("/people/{id}/{verb}", get(console_person::again).post(console_person::act))
        .route("/people/{id}/authenticators/{way}/remove", get(console_person::again).post(console_person::remove_authenticator))
        .route("/sessions", get(console_people::sessions))
        .route("/sessions/{id}/end", get(|| async { Redirect::to("/sessions") }).post(console_people::end_session))
}

/// Pages of the console's room of applications.
fn clients() -> Router<Web> {
    Router::new()
        .route("/clients", get(console_clients::list))
        .route("/clients/new", get(console_clients::form).post(console_clients::create))
        .route("/clients/providers", get(console_clients::providers))
        .route("/clients/{id}", get(console_clients::show))
        .route("/clients/{id}/{verb}", get(console_clients::again).post(console_clients::act))
}

/// Pages of the console's room of keys. Whoever has to sign in again while they post comes back with a
/// GET, so every address that takes a post also leads to its page.
fn keys() -> Router<Web> {
    Router::new()
        .route("/keys", get(console_keys::list).post(console_keys::create))
        .route("/keys/new", get(console_keys::form))
        .route("/keys/epochs", get(console_key_care::epochs).post(console_key_care::rotate_provider))
        .route("/keys/epochs/{number}/destroy", get(|| async { Redirect::to("/keys/epochs") }).post(console_key_care::destroy_epoch))
        .route("/keys/rewrap", get(|| async { Redirect::to("/keys/epochs") }).post(console_key_care::rewrap_now))
        .route("/keys/backups", get(console_key_care::backups).post(console_key_care::back_up))
        .route("/keys/backups/rehearse", get(|| async { Redirect::to("/keys/backups") }).post(console_key_care::rehearse))
        .route("/keys/policies", get(console_key_care::policies))
        .route("/keys/erasure", get(console_key_care::erasure).post(console_key_care::look_up))
        .route("/keys/erasure/{verb}", get(|| async { Redirect::to("/keys/erasure") }).post(console_key_care::act))
        .route("/keys/signing", get(console_signing::list).post(console_signing::rotate))
        .route("/keys/{key}", get(console_keys::show))
        .route("/keys/{key}/{verb}", get(console_keys::again).post(console_keys::act))
}

/// Probes and metrics.
pub(crate) fn probes() -> Router<Web> {
    Router::new().route("/livez", get(probe::live)).route("/readyz", get(probe::ready)).route("/metrics", get(probe::metrics))
}

/// What stands nowhere in the table.
pub(crate) async fn not_found(State(web): State<Web>, uri: Uri, headers: HeaderMap) -> Response {
    if web.front == Front::Own && wants_page(&headers) && !uri.path().starts_with("/v1/") {
        return message(
            &web,
            StatusCode::NOT_FOUND,
            "There is no such page",
            "The address leads nowhere on this server.",
            "Go to your account, or back to the application you came from.",
        );
    }
    Failure::new(ErrorKind::NotFound, "there is no such route; the API is described at /v1/openapi.json").into_response()
}

pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
}

/// The way back from a page that is a dead end.
fn sign_in_link() -> Link {
    Link { href: "/sign-in".into(), label: T.back_to_sign_in.into() }
}

/// A form with what was wrong with it, in the status of that.
fn show_form(mut page: FormPage, error: Option<&Error>) -> Response {
    page.error = error.map(Error::to_string);
    html(error.map_or(StatusCode::OK, |e| status_of(e.kind())), &page, None, None)
}

/// What the hosted pages say.
pub(crate) const T: &Words = &EN;

/// The page that sends somebody to sign in again, and back to where they were.
pub(crate) fn prove_again(error: &Error, back: &str) -> Option<Response> {
    let Error::NotFresh { acr, .. } = error else { return None };
    Some(see_other(&format!("/step-up?acr={acr}&back={back}")))
}

/// A page after something that did not work, for a reason that is not the person's.
pub(crate) fn failed(web: &Web, error: &Error) -> Response {
    match error.kind() {
        ErrorKind::Unauthenticated => see_other("/sign-in"),
        ErrorKind::NotFound => message(web, StatusCode::NOT_FOUND, T.link_gone, T.link_gone_why, T.link_gone_advice),
        ErrorKind::Conflict | ErrorKind::RateLimited | ErrorKind::Forbidden | ErrorKind::Invalid => {
            message(web, status_of(error.kind()), "That cannot be done", &error.to_string(), "Go back to where you were.")
        }
        _ => message(web, status_of(error.kind()), "That was not done", T.no_answer, T.try_again),
    }
}

/// The frame of hosted pages.
pub(crate) fn frame(web: &Web) -> HostedFrame {
    HostedFrame { assets: (*web.assets).clone(), brand: "tutela".into(), runner: web.host().to_owned(), t: T }
}

/// A rendered page with its policy.
pub(crate) fn html(status: StatusCode, page: &impl askama::Template, form_to: Option<&str>, nonce: Option<&str>) -> Response {
    let Ok(body) = page.render() else {
        return Failure::new(ErrorKind::Internal, "the page could not be rendered").into_response();
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, security::policy(form_to, nonce));
    response
}

/// A page that says what failed and what to do.
pub(crate) fn message(web: &Web, status: StatusCode, title: &str, failed: &str, advice: &str) -> Response {
    let page = MessagePage { frame: frame(web), title: title.into(), failed: failed.into(), kept: None, advice: advice.into(), link: None, reference: None };
    html(status, &page, None, None)
}

/// 303 to `location`, whatever the method was.
pub(crate) fn see_other(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(value) => (StatusCode::SEE_OTHER, [(header::LOCATION, value)]).into_response(),
        Err(_) => Failure::new(ErrorKind::Internal, "the address to go on at is not valid").into_response(),
    }
}

/// Sets one of our cookies, or (with an empty value) drops it.
pub(crate) fn set_cookie(response: &mut Response, web: &Web, cookie: Cookie, value: &str) {
    if let Ok(value) = HeaderValue::from_str(&web.app.cookies().set(cookie, value)) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// Incidents, rules and blocks.
fn detection() -> Router<Web> {
    let to = |path: &'static str| get(move || async move { Redirect::to(path) });
    Router::new()
        .route("/compliance", get(console_compliance::list))
        .route("/compliance/breaches", get(console_breach::list).post(console_breach::open))
        .route("/compliance/breaches/{id}", get(console_breach::show))
        .route("/compliance/breaches/{id}/sign", to("/compliance/breaches").post(console_breach::sign))
        .route("/compliance/breaches/{id}/told", to("/compliance/breaches").post(console_breach::told))
        .route("/compliance/breaches/{id}/close", to("/compliance/breaches").post(console_breach::close))
        .route("/compliance/assess", to("/compliance").post(console_compliance::assess))
        .route("/compliance/{framework}/{control}", get(console_compliance::show).post(console_compliance::state))
        .route("/compliance/{framework}/{control}/approve", to("/compliance").post(console_compliance::approve))
        .route("/privacy", get(console_privacy::list))
        .route("/privacy/holds", get(console_privacy::holds))
        .route("/privacy/holds/{id}/release", to("/privacy/holds").post(console_privacy::release))
        .route("/privacy/purposes", get(console_privacy::purposes))
        .route("/privacy/requests/{id}", get(console_privacy::show))
        .route("/privacy/requests/{id}/{word}", to("/privacy").post(console_privacy::act))
        .route("/privacy/stores", get(console_privacy::stores))
        .route("/incidents", get(console_incidents::list))
        .route("/incidents/{id}", get(console_incidents::show))
        .route("/incidents/{id}/contain", to("/incidents").post(console_incidents::contain))
        .route("/incidents/{id}/state", to("/incidents").post(console_incidents::set_state))
        .route("/incidents/{id}/steps/{step}", to("/incidents").post(console_incidents::set_step))
        .route("/incidents/{id}/timeline", get(console_incidents::timeline))
        .route("/incidents/{id}/undo", to("/incidents").post(console_incidents::undo))
        .route("/rules", get(console_rules::list))
        .route("/rules/{name}", get(console_rules::show))
        .route("/rules/{name}/mode", to("/rules").post(console_rules::set))
        .route("/rules/{name}/reset", to("/rules").post(console_rules::reset))
        .route("/blocks", get(console_rules::blocks).post(console_rules::block))
        .route("/blocks/{id}/lift", to("/blocks").post(console_rules::lift))
}

/// The ledger's other pages; as with the keys, every address that takes a post also leads to its page.
fn ledger() -> Router<Web> {
    Router::new()
        .route("/ledger/figures", get(console_ledger_read::figures))
        .route("/ledger/types", get(console_ledger_read::types))
        .route("/ledger/export", get(console_ledger_read::export))
        .route("/ledger/retention", get(console_ledger_care::kept))
        .route("/ledger/retention/apply", get(console_ledger_care::apply_form).post(console_ledger_care::apply))
        .route("/ledger/retention/holds", get(|| async { Redirect::to("/ledger/retention") }).post(console_ledger_care::place))
        .route("/ledger/retention/holds/{id}/release", get(|| async { Redirect::to("/ledger/retention") }).post(console_ledger_care::release))
        .route("/gateway", get(console_gateway::show))
        .route("/gateway/reload", get(|| async { Redirect::to("/gateway") }).post(console_gateway::reload))
        .route("/gateway/limits", get(console_gateway::limits))
        .route("/gateway/limits/lift", get(|| async { Redirect::to("/gateway/limits") }).post(console_gateway::lift))
        .route("/gateway/firewall", get(console_gateway::firewall))
        .route("/gateway/firewall/exclude", get(|| async { Redirect::to("/gateway/firewall") }).post(console_gateway::exclude))
        .route("/gateway/firewall/exclusions/{id}/end", get(|| async { Redirect::to("/gateway/firewall") }).post(console_gateway::end))
        .route("/ledger/projections", get(console_ledger_sinks::show))
        .route("/ledger/projections/{name}/dead-letters", get(console_ledger_sinks::dead_letters))
        .route("/ledger/projections/{name}/rebuild", get(console_ledger_sinks::rebuild_form).post(console_ledger_sinks::rebuild))
        .route("/ledger/projections/{name}/reconcile", get(|| async { Redirect::to("/ledger/projections") }).post(console_ledger_sinks::reconcile))
        .route("/ledger/projections/{name}/retry", get(|| async { Redirect::to("/ledger/projections") }).post(console_ledger_sinks::retry))
}
