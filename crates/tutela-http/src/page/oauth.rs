//! Pages of signing in to an application (OAuth 2.0, OpenID Connect): its request, the person's consent, signing out.

use axum::{
    Form as Posted,
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use tutela_app::{
    Error,
    oauth::{self, Decision, Form, Step, WayOut},
};
use tutela_identity::{
    cookie::Cookie,
    federation::with_query,
    oauth::{Raw, Refused},
};

use super::{T, destination::CLIENT, failed, frame, html, message, see_other, set_cookie};
use crate::{
    caller::Caller,
    view::{
        apps::{AppsPage, ConsentPage, OwnApp, scope_words},
        hosted::FormPage,
        own::AccountTab,
        part::Link,
    },
    web::Web,
};

type Pairs = Vec<(String, String)>;

// === The request ===

/// A request for a code.
pub(crate) async fn authorize(State(web): State<Web>, caller: Caller, Query(pairs): Query<Pairs>) -> Response {
    let form = match Form::read(pairs) {
        Ok(form) => form,
        Err(refused) => return stop(&web, &refused),
    };
    let step = oauth::begin(&web.app, &caller.ctx, caller.identity.as_deref(), &raw(&form)).await;
    lead_on(&web, &caller, step)
}

/// The same as a form of another site's (Core §3.1.2.1). Our cookies did not come along; they do with what follows.
pub(crate) async fn authorize_posted(Posted(pairs): Posted<Pairs>) -> Response {
    see_other(&with_query("/oauth/authorize", &pairs))
}

#[derive(Deserialize)]
pub(crate) struct Sealed {
    #[serde(default)]
    request: String,
    #[serde(default)]
    decision: String,
}

/// A request that goes on, once the person has signed in.
pub(crate) async fn resume(State(web): State<Web>, caller: Caller, Query(sealed): Query<Sealed>) -> Response {
    let step = oauth::resume(&web.app, &caller.ctx, caller.identity.as_deref(), &sealed.request).await;
    lead_on(&web, &caller, step)
}

/// What the person says.
pub(crate) async fn decide(State(web): State<Web>, caller: Caller, Posted(said): Posted<Sealed>) -> Response {
    let decision = if said.decision == "allow" { Decision::Allow } else { Decision::Deny };
    let step = oauth::decide(&web.app, &caller.ctx, caller.identity.as_deref(), &said.request, decision).await;
    lead_on(&web, &caller, step)
}

fn lead_on(web: &Web, caller: &Caller, step: Result<Step, oauth::Error>) -> Response {
    match step {
        Ok(Step::Back(location)) => see_other(&location),
        Ok(Step::SignIn(sealed)) => see_other(&format!("/sign-in?to={CLIENT}{sealed}")),
        Ok(Step::StepUp { sealed, strength }) => see_other(&format!("/step-up?acr={}&to={CLIENT}{sealed}", strength.acr())),
        Ok(Step::Stop(refused)) => stop(web, &refused),
        Ok(Step::Consent(asking)) => {
            let email = caller.identity.as_ref().map(|identity| identity.email.clone()).unwrap_or_default();
            let scopes = asking.scopes.iter().filter_map(|scope| scope_words(T, scope)).collect();
            let page = ConsentPage { frame: frame(web), client: asking.client, scopes, origin: asking.origin, email, request: asking.sealed };
            html(StatusCode::OK, &page, Some(&page.origin), None)
        }
        Err(oauth::Error::House(e)) => failed(web, &e),
        Err(oauth::Error::Refused(refused)) => stop(web, &refused),
    }
}

/// Nobody is sent to an address that is not the application's own; the person reads why, and so does whoever builds it.
fn stop(web: &Web, refused: &Refused) -> Response {
    message(web, StatusCode::BAD_REQUEST, T.bad_request, &format!("{}.", refused.description), T.bad_request_advice)
}

fn raw(form: &Form) -> Raw {
    let text = |name: &str| form.get(name).map(str::to_owned);
    Raw {
        response_type: text("response_type"),
        response_mode: text("response_mode"),
        client_id: text("client_id"),
        redirect_uri: text("redirect_uri"),
        scope: text("scope"),
        state: text("state"),
        nonce: text("nonce"),
        code_challenge: text("code_challenge"),
        code_challenge_method: text("code_challenge_method"),
        prompt: text("prompt"),
        max_age: text("max_age"),
        acr_values: text("acr_values"),
        login_hint: text("login_hint"),
        id_token_hint: text("id_token_hint"),
        resource: text("resource"),
        request: text("request"),
        request_uri: text("request_uri"),
    }
}

// === Signing out ===

/// An application signs its person out (RP-Initiated Logout §2).
pub(crate) async fn logout(State(web): State<Web>, caller: Caller, Query(pairs): Query<Pairs>) -> Response {
    let (form, sealed) = match sealed_form(&web, &caller, pairs) {
        Ok(found) => found,
        Err(response) => return *response,
    };
    match oauth::sign_out(&web.app, &caller.ctx, &form, false).await {
        Ok(WayOut::Ask { client, then }) => {
            let base = FormPage::of(frame(&web), T.sign_out, "/oauth/logout/confirm".into(), T.sign_out, T.why_logout);
            let lead = match client {
                Some(name) => format!("{name} {}", T.logout_asked),
                None => T.logout_asked_by_nobody.to_owned(),
            };
            let link = Some(Link { href: "/account".into(), label: T.stay.into() });
            let origin = then.as_deref().map(tutela_identity::oauth::RedirectUri::origin);
            html(StatusCode::OK, &FormPage { lead: Some(lead), hidden: vec![("request", sealed)], link, ..base }, origin.as_deref(), None)
        }
        done => out(&web, done),
    }
}

/// As a form of another site's: the ID token in it does not belong into an address, and our cookies did not come along.
pub(crate) async fn logout_posted(State(web): State<Web>, Posted(pairs): Posted<Pairs>) -> Response {
    match oauth::seal_logout(&web.app, web.app.env().now(), pairs) {
        Ok(sealed) => see_other(&format!("/oauth/logout?request={sealed}")),
        Err(e) => failed(&web, &e),
    }
}

/// The person says yes.
pub(crate) async fn logout_confirmed(State(web): State<Web>, caller: Caller, Posted(said): Posted<Sealed>) -> Response {
    match sealed_form(&web, &caller, vec![("request".to_owned(), said.request)]) {
        Ok((form, _)) => out(&web, oauth::sign_out(&web.app, &caller.ctx, &form, true).await),
        Err(response) => *response,
    }
}

fn sealed_form(web: &Web, caller: &Caller, pairs: Pairs) -> Result<(Form, String), Box<Response>> {
    let now = caller.ctx.now;
    let pairs = match pairs.as_slice() {
        [(name, sealed)] if name == "request" => oauth::open_logout(&web.app, now, sealed),
        _ => pairs,
    };
    let sealed = oauth::seal_logout(&web.app, now, pairs.clone()).map_err(|e| Box::new(failed(web, &e)))?;
    let form = Form::read(pairs).map_err(|refused| Box::new(stop(web, &refused)))?;
    Ok((form, sealed))
}

fn out(web: &Web, done: Result<WayOut, oauth::Error>) -> Response {
    let mut response = match done {
        Ok(WayOut::Over(then)) => see_other(then.as_deref().unwrap_or("/signed-out")),
        Ok(WayOut::Stop(refused)) | Err(oauth::Error::Refused(refused)) => return stop(web, &refused),
        Ok(WayOut::Ask { .. }) => return see_other("/sign-out"),
        Err(oauth::Error::House(e)) => return failed(web, &e),
    };
    set_cookie(&mut response, web, Cookie::OwnSession, "");
    response
}

// === Applications that one has let in ===

/// What one has agreed to.
pub(crate) async fn apps(State(web): State<Web>, caller: Caller) -> Response {
    apps_page(&web, &caller, None).await
}

async fn apps_page(web: &Web, caller: &Caller, notice: Option<String>) -> Response {
    match oauth::list_consents(&web.app, &caller.ctx).await {
        Ok(list) => {
            let shown = |app: tutela_api::ConsentedClient| OwnApp {
                scopes: app.scopes.iter().filter_map(|scope| scope_words(T, scope)).collect(),
                id: app.client_id,
                name: app.name,
                given: super::show::when_text(&app.given_at),
            };
            html(StatusCode::OK, &AppsPage { frame: frame(web), tab: AccountTab::Apps, notice, apps: list.into_iter().map(shown).collect() }, None, None)
        }
        Err(e) => failed(web, &e),
    }
}

/// Takes it back.
pub(crate) async fn withdraw(State(web): State<Web>, caller: Caller, axum::extract::Path(id): axum::extract::Path<String>) -> Response {
    let done = match id.parse() {
        Ok(id) => oauth::withdraw(&web.app, &caller.ctx, id).await,
        Err(_) => Err(Error::NotFound("consent")),
    };
    match done {
        Ok(()) => apps_page(&web, &caller, Some(T.withdrawn.into())).await,
        Err(e) if e.kind() == tutela_core::ErrorKind::NotFound => see_other("/account/apps"),
        Err(e) => failed(&web, &e),
    }
}
