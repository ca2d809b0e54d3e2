//! Signing in, a step a page. Which step it is says the cookie of the sign-in under way; `to` says where the
//! person goes afterwards, and travels through the forms, sealed.

use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;
use serde_json::Value;
use tutela_app::{
    Error,
    authenticator::PasskeyOffer,
    federation,
    sign_in::{self, Next, Pending, Progress, Visitor},
};
use tutela_core::{AuthStrength, ErrorKind, Secret};
use tutela_identity::{AuthenticatorKind, cookie::Cookie};

use super::{
    T,
    destination::{self, OWN_PATH, go_on, is_own_path},
    failed, frame, html, outside, see_other, set_cookie, sign_in_link,
};
use crate::{
    caller::{Browser, Caller, own_cookie},
    problem::status_of,
    view::{
        hosted::{ChallengePage, CodesPage, EnrolPage, Field, FormPage, MessagePage, PasskeyPart, SignInPage, TotpPart},
        part::Link,
    },
    web::Web,
};

/// Where the person goes afterwards, and which way they chose.
#[derive(Deserialize)]
pub(crate) struct To {
    #[serde(default)]
    to: String,
    #[serde(default)]
    by: String,
}

// === The first page ===

/// Asks for mail and password; who is signed in already, strongly enough, goes on at once.
pub(crate) async fn form(State(web): State<Web>, caller: Caller, Query(to): Query<To>) -> Response {
    let Some(identity) = &caller.identity else { return first(&web, &caller, to.to, None, StatusCode::OK, None).await };
    let wanted = destination::read(&web, &caller, &to.to).await.wanted;
    if wanted.is_met(identity, caller.ctx.now) {
        return go_on(&web, &caller, &to.to).await;
    }
    see_other(&format!("/step-up?acr={}&factors={}&to={}", wanted.strength.acr(), wanted.factors, to.to))
}

pub(super) async fn first(web: &Web, caller: &Caller, to: String, email: Option<String>, status: StatusCode, error: Option<String>) -> Response {
    let leads = destination::read(web, caller, &to).await;
    let page_to = to.clone();
    let page = SignInPage {
        frame: frame(web),
        to,
        app_name: leads.name,
        error,
        email: email.or(leads.hint).unwrap_or_default(),
        passkey: sign_in::offer_passkey(&web.app, &caller.ctx).ok().map(passkey_part),
        outside: outside::links(&federation::buttons(&web.app), &page_to, false),
        can_recover: web.app.can_mail(),
        can_sign_up: tutela_app::sign_up::is_open(&web.app),
    };
    html(status, &page, leads.origin.as_deref(), None)
}

pub(crate) fn passkey_part(offer: PasskeyOffer) -> PasskeyPart {
    PasskeyPart { options: offer.options.to_string(), sealed: offer.sealed }
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    to: String,
    email: String,
    password: String,
}

pub(crate) async fn password(State(web): State<Web>, caller: Caller, Browser(visitor): Browser, Form(typed): Form<Typed>) -> Response {
    match sign_in::password(&web.app, &caller.ctx, &visitor, &typed.email, Secret::new(typed.password)).await {
        Ok(progress) => lead_on(&web, &caller, progress, &typed.to).await,
        Err(e) => {
            let mut response = first(&web, &caller, typed.to, Some(typed.email), status_of(e.kind()), Some(said(&e))).await;
            retry_after(&mut response, &e);
            response
        }
    }
}

fn retry_after(response: &mut Response, error: &Error) {
    if let Error::Busy(after) | Error::TooMany { after } = error {
        response.headers_mut().insert("retry-after", after.as_secs().into());
    }
}

fn said(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Unauthenticated | ErrorKind::Invalid | ErrorKind::RateLimited | ErrorKind::Conflict => error.to_string(),
        _ => T.not_signed_in.into(),
    }
}

// === The next ones ===

/// After a step that worked: the cookies, and the next page. 303: the browser must not send the password on (RFC 9700 §4.12).
pub(super) async fn lead_on(web: &Web, caller: &Caller, progress: Progress, to: &str) -> Response {
    match progress {
        Progress::Next(pending) => {
            let mut response = see_other(&next_url(to, ""));
            if let Some(token) = &pending.token {
                set_cookie(&mut response, web, Cookie::SignIn, token.open());
            }
            response
        }
        Progress::Done(done) => {
            let session = &done.session;
            let ctx = caller.ctx.as_account(session.account, session.id, session.assurance.aal, Default::default());
            let caller = Caller { ctx, identity: None };
            let mut response = if done.recovery_codes.is_empty() {
                go_on(web, &caller, to).await
            } else {
                let codes = done.recovery_codes.iter().map(|code| code.open().clone()).collect();
                let next = if to.is_empty() { "/account/security".to_owned() } else { format!("/sign-in?to={to}") };
                html(StatusCode::OK, &CodesPage { frame: frame(web), codes, next }, None, None)
            };
            set_cookie(&mut response, web, Cookie::OwnSession, done.token.open());
            set_cookie(&mut response, web, Cookie::SignIn, "");
            if let Some(device) = &done.device {
                set_cookie(&mut response, web, Cookie::Device, device.open());
            }
            response
        }
    }
}

fn next_url(to: &str, by: &str) -> String {
    let by = if by.is_empty() { String::new() } else { format!("&by={by}") };
    format!("/sign-in/next?to={to}{by}")
}

/// What the sign-in under way asks for.
pub(crate) async fn next(State(web): State<Web>, caller: Caller, Browser(visitor): Browser, headers: HeaderMap, Query(to): Query<To>) -> Response {
    let Some(token) = own_cookie(&headers, &web, Cookie::SignIn) else { return see_other("/sign-in") };
    step(&web, &caller, &visitor, token, &to, StatusCode::OK, None).await
}

async fn step(web: &Web, caller: &Caller, visitor: &Visitor, token: &str, to: &To, status: StatusCode, error: Option<String>) -> Response {
    let pending = match sign_in::look(&web.app, &caller.ctx, visitor, token).await {
        Ok(pending) => pending,
        Err(e) if e.kind() == ErrorKind::NotFound => return over(web, &to.to),
        Err(e) => return failed(web, &e),
    };
    let leads = destination::read(web, caller, &to.to).await;
    let form_to = leads.origin.as_deref();
    match &pending.next {
        Next::Challenge(kinds) => match challenge(web, caller, visitor, token, to, kinds, &pending, error).await {
            Ok(page) => html(status, &page, form_to, None),
            Err(e) => failed(web, &e),
        },
        Next::Enrol(kinds) => match enrol(web, caller, visitor, token, to, kinds, error).await {
            Ok(page) => html(status, &page, form_to, None),
            Err(e) => failed(web, &e),
        },
        Next::NewPassword(why) => {
            let fields = vec![Field::new_password(T, tutela_app::password::minimum(&web.app))];
            let base = FormPage::of(frame(web), T.choose, "/sign-in/new-password".into(), T.set_password, T.why_choose);
            let lead = Some(format!("{} {why}.", T.choose_because));
            html(status, &FormPage { lead, hidden: vec![("to", to.to.clone())], fields, error, ..base }, form_to, None)
        }
        Next::Stuck => {
            let link = Some(sign_in_link());
            let (title, failed, advice) = (T.stuck.into(), T.stuck_why.into(), T.stuck_advice.into());
            html(StatusCode::FORBIDDEN, &MessagePage { frame: frame(web), title, failed, kept: None, advice, link, reference: None }, None, None)
        }
    }
}

/// The sign-in is over or too old: the first page, with a word about it.
fn over(web: &Web, to: &str) -> Response {
    let link = Some(Link { href: format!("/sign-in?to={to}"), label: T.begin_again.into() });
    let page =
        MessagePage { frame: frame(web), title: T.begin_again.into(), failed: T.too_long.into(), kept: None, advice: String::new(), link, reference: None };
    let mut response = html(StatusCode::NOT_FOUND, &page, None, None);
    set_cookie(&mut response, web, Cookie::SignIn, "");
    response
}

#[expect(clippy::too_many_arguments, reason = "what a page of a sign-in is made of")]
async fn challenge(
    web: &Web,
    caller: &Caller,
    visitor: &Visitor,
    token: &str,
    to: &To,
    kinds: &[AuthenticatorKind],
    pending: &Pending,
    error: Option<String>,
) -> Result<ChallengePage, Error> {
    let chosen = AuthenticatorKind::parse(&to.by).filter(|kind| kinds.contains(kind)).or(pending.sent.filter(|kind| kinds.contains(kind)));
    let kind = chosen.or(kinds.first().copied()).unwrap_or(AuthenticatorKind::Password);
    let passkey = match kind {
        AuthenticatorKind::Passkey => Some(passkey_part(sign_in::offer_passkey_as_second(&web.app, &caller.ctx, visitor, token).await?)),
        _ => None,
    };
    let others = kinds.iter().filter(|other| **other != kind).map(|other| Link { href: next_url(&to.to, other.as_str()), label: way(*other).into() });
    Ok(ChallengePage {
        frame: frame(web),
        to: to.to.clone(),
        by: kind.as_str(),
        target: if kind == AuthenticatorKind::Sms { pending.phone.clone().unwrap_or_default() } else { pending.email.clone() },
        sent: pending.sent == Some(kind),
        others: others.collect(),
        can_remember: pending.can_remember,
        step_up: pending.step_up,
        outside: if kind == AuthenticatorKind::Outside { outside::links(&pending.outside, &to.to, true) } else { Vec::new() },
        passkey,
        error,
    })
}

/// A way to prove oneself, in words.
pub(crate) fn way(kind: AuthenticatorKind) -> &'static str {
    match kind {
        AuthenticatorKind::Email => T.way_email,
        AuthenticatorKind::Outside => T.way_outside,
        AuthenticatorKind::Passkey => T.way_passkey,
        AuthenticatorKind::Password => T.way_password,
        AuthenticatorKind::Recovery => T.way_recovery,
        AuthenticatorKind::Sms => T.way_sms,
        AuthenticatorKind::Totp => T.way_totp,
    }
}

async fn enrol(
    web: &Web,
    caller: &Caller,
    visitor: &Visitor,
    token: &str,
    to: &To,
    kinds: &[AuthenticatorKind],
    error: Option<String>,
) -> Result<EnrolPage, Error> {
    let totp = match kinds.contains(&AuthenticatorKind::Totp) {
        true => Some(totp_part(sign_in::offer_totp(&web.app, &caller.ctx, visitor, token).await?, "/sign-in/enrol-app")),
        false => None,
    };
    let passkey = match kinds.contains(&AuthenticatorKind::Passkey) {
        true => Some(passkey_part(sign_in::offer_passkey_enrolment(&web.app, &caller.ctx, visitor, token).await?)),
        false => None,
    };
    Ok(EnrolPage { frame: frame(web), to: to.to.clone(), required: true, totp, passkey, passkey_action: "/sign-in/enrol-passkey", error })
}

pub(crate) fn totp_part(offer: tutela_app::authenticator::TotpOffer, action: &'static str) -> TotpPart {
    TotpPart { action, svg: offer.svg, secret: offer.secret.open().clone(), uri: offer.uri.open().clone(), sealed: offer.sealed }
}

// === Steps ===

/// What the forms of a step send; each uses some of it.
#[derive(Default, Deserialize)]
pub(crate) struct Step {
    #[serde(default)]
    to: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    remember: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    second: String,
    #[serde(default)]
    sealed: String,
    #[serde(default)]
    answer: String,
    #[serde(default)]
    name: String,
}

/// The next page after a step, or the same one with what went wrong.
async fn after(web: &Web, caller: &Caller, visitor: &Visitor, token: &str, step_of: Step, by: &str, done: Result<Progress, Error>) -> Response {
    let to = To { to: step_of.to, by: by.to_owned() };
    match done {
        Ok(progress) => lead_on(web, caller, progress, &to.to).await,
        Err(e) if e.kind() == ErrorKind::NotFound => over(web, &to.to),
        Err(e) => {
            let mut response = step(web, caller, visitor, token, &to, status_of(e.kind()), Some(said(&e))).await;
            retry_after(&mut response, &e);
            response
        }
    }
}

macro_rules! under_way {
    ($headers:expr, $web:expr) => {
        match own_cookie(&$headers, &$web, Cookie::SignIn) {
            Some(token) => token.to_owned(),
            None => return see_other("/sign-in"),
        }
    };
}

pub(crate) async fn code(State(web): State<Web>, caller: Caller, Browser(visitor): Browser, headers: HeaderMap, Form(typed): Form<Step>) -> Response {
    let token = under_way!(headers, web);
    let Some(kind) = AuthenticatorKind::parse(&typed.kind) else { return see_other("/sign-in/next") };
    let done = sign_in::code(&web.app, &caller.ctx, &visitor, &token, kind, &typed.code, !typed.remember.is_empty()).await;
    after(&web, &caller, &visitor, &token, typed, kind.as_str(), done).await
}

pub(crate) async fn recovery(State(web): State<Web>, caller: Caller, Browser(visitor): Browser, headers: HeaderMap, Form(typed): Form<Step>) -> Response {
    let token = under_way!(headers, web);
    let done = sign_in::recovery(&web.app, &caller.ctx, &visitor, &token, &typed.code).await;
    after(&web, &caller, &visitor, &token, typed, "recovery", done).await
}

pub(crate) async fn password_again(State(web): State<Web>, caller: Caller, Browser(visitor): Browser, headers: HeaderMap, Form(typed): Form<Step>) -> Response {
    let token = under_way!(headers, web);
    let done = sign_in::password_again(&web.app, &caller.ctx, &visitor, &token, Secret::new(typed.password.clone())).await;
    after(&web, &caller, &visitor, &token, typed, "password", done).await
}

pub(crate) async fn new_password(State(web): State<Web>, caller: Caller, Browser(visitor): Browser, headers: HeaderMap, Form(typed): Form<Step>) -> Response {
    let token = under_way!(headers, web);
    let done = sign_in::new_password(&web.app, &caller.ctx, &visitor, &token, Secret::new(typed.password.clone())).await;
    after(&web, &caller, &visitor, &token, typed, "", done).await
}

pub(crate) async fn send(State(web): State<Web>, caller: Caller, Browser(visitor): Browser, headers: HeaderMap, Form(typed): Form<Step>) -> Response {
    let token = under_way!(headers, web);
    let Some(kind) = AuthenticatorKind::parse(&typed.kind) else { return see_other("/sign-in/next") };
    match sign_in::send_code(&web.app, &caller.ctx, &visitor, &token, kind).await {
        Ok(()) => see_other(&next_url(&typed.to, kind.as_str())),
        Err(e) => after(&web, &caller, &visitor, &token, typed, kind.as_str(), Err(e)).await,
    }
}

/// An answer of the browser's, as JSON; what is none leads nowhere.
pub(crate) fn answered(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// A passkey, as the first proof or the second.
pub(crate) async fn passkey(State(web): State<Web>, caller: Caller, Browser(visitor): Browser, headers: HeaderMap, Form(typed): Form<Step>) -> Response {
    let answer = answered(&typed.answer);
    if typed.second.is_empty() {
        return match sign_in::finish_passkey(&web.app, &caller.ctx, &visitor, None, &typed.sealed, &answer).await {
            Ok(progress) => lead_on(&web, &caller, progress, &typed.to).await,
            Err(e) => first(&web, &caller, typed.to, None, status_of(e.kind()), Some(said(&e))).await,
        };
    }
    let token = under_way!(headers, web);
    let done = sign_in::finish_passkey(&web.app, &caller.ctx, &visitor, Some(&token), &typed.sealed, &answer).await;
    after(&web, &caller, &visitor, &token, typed, "passkey", done).await
}

pub(crate) async fn enrol_app(State(web): State<Web>, caller: Caller, Browser(visitor): Browser, headers: HeaderMap, Form(typed): Form<Step>) -> Response {
    let token = under_way!(headers, web);
    let done = sign_in::enrol_totp(&web.app, &caller.ctx, &visitor, &token, &typed.sealed, &typed.code, &typed.name).await;
    after(&web, &caller, &visitor, &token, typed, "", done).await
}

pub(crate) async fn enrol_passkey(State(web): State<Web>, caller: Caller, Browser(visitor): Browser, headers: HeaderMap, Form(typed): Form<Step>) -> Response {
    let token = under_way!(headers, web);
    let answer = answered(&typed.answer);
    let done = sign_in::enrol_passkey(&web.app, &caller.ctx, &visitor, &token, &typed.sealed, &answer, &typed.name).await;
    after(&web, &caller, &visitor, &token, typed, "", done).await
}

// === Step-up ===

#[derive(Deserialize)]
pub(crate) struct StepUp {
    #[serde(default)]
    acr: String,
    #[serde(default)]
    factors: String,
    #[serde(default)]
    to: String,
    /// A page of the account to go back to.
    #[serde(default)]
    back: String,
}

/// Asks a signed-in person to prove again who they are, then leads on.
pub(crate) async fn step_up(State(web): State<Web>, caller: Caller, Browser(visitor): Browser, Query(asked): Query<StepUp>) -> Response {
    let to = if is_own_path(&asked.back) { format!("{OWN_PATH}{}", asked.back) } else { asked.to };
    if caller.identity.is_none() {
        return see_other(&format!("/sign-in?to={to}"));
    }
    match sign_in::step_up(&web.app, &caller.ctx, &visitor, AuthStrength::parse(&asked.acr), if asked.factors == "2" { 2 } else { 1 }).await {
        Ok(progress) => lead_on(&web, &caller, progress, &to).await,
        Err(e) => failed(&web, &e),
    }
}
