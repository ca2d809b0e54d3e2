//! Changing one's own account: name, address, password, ways to sign in, phone. Where a fresh sign-in is
//! needed, the person proves it and comes back to the page.

use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use tutela_app::{
    Error, authenticator, password,
    profile::{self},
    sign_in::{self, Needed},
};
use tutela_core::{ErrorKind, Secret};

use super::{
    T,
    account::{overview_page, security_page},
    failed, frame, html, prove_again, see_other, show_form,
    sign_in::{answered, passkey_part, totp_part},
};
use crate::{
    caller::{Browser, Caller},
    problem::status_of,
    view::{
        hosted::{CodesPage, EnrolPage, Field, FormPage},
        part::Link,
    },
    web::Web,
};

/// What the forms send; each uses some of it.
#[derive(Default, Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    old_password: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    sealed: String,
    #[serde(default)]
    answer: String,
}

/// One form of the account.
struct Ask<'a> {
    title: &'static str,
    lead: Option<&'static str>,
    action: &'static str,
    hidden: Vec<(&'static str, String)>,
    fields: Vec<Field>,
    button: &'static str,
    back: &'static str,
    error: Option<&'a Error>,
}

fn ask(web: &Web, ask: Ask<'_>) -> Response {
    let base = FormPage::of(frame(web), ask.title, ask.action.into(), ask.button, T.why_account);
    let link = Some(Link { href: ask.back.into(), label: T.account.into() });
    show_form(FormPage { lead: ask.lead.map(str::to_owned), hidden: ask.hidden, fields: ask.fields, link, ..base }, ask.error)
}

/// Whether an error is the person's to mend, on the same page.
fn mends(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Invalid | ErrorKind::RateLimited | ErrorKind::Conflict)
}

/// Sends whoever is not freshly signed in to prove it, and back to `page`.
async fn fresh(web: &Web, caller: &Caller, page: &str) -> Result<(), Response> {
    if caller.identity.is_none() {
        return Err(see_other("/sign-in"));
    }
    match sign_in::require_fresh(&web.app, &caller.ctx, Needed::Fresh).await {
        Ok(()) => Ok(()),
        Err(e) => Err(prove_again(&e, page).unwrap_or_else(|| failed(web, &e))),
    }
}

macro_rules! fresh {
    ($web:expr, $caller:expr, $page:expr) => {
        if let Err(answer) = fresh(&$web, &$caller, $page).await {
            return answer;
        }
    };
}

// === Name and address ===

pub(crate) async fn name_form(State(web): State<Web>, caller: Caller) -> Response {
    match profile::own(&web.app, &caller.ctx).await {
        Ok(own) => name_page(&web, &own.name, None),
        Err(e) => failed(&web, &e),
    }
}

fn name_page(web: &Web, name: &str, error: Option<&Error>) -> Response {
    let fields = vec![Field { value: name.to_owned(), ..Field::text("name", T.name, "name") }];
    ask(web, Ask { title: T.rename, lead: None, action: "/account/name", hidden: vec![], fields, button: T.rename, back: "/account", error })
}

pub(crate) async fn name(State(web): State<Web>, caller: Caller, Form(typed): Form<Typed>) -> Response {
    match profile::rename(&web.app, &caller.ctx, &typed.name).await {
        Ok(()) => overview_page(&web, &caller, Some(T.saved.into())).await,
        Err(e) if mends(&e) => name_page(&web, &typed.name, Some(&e)),
        Err(e) => failed(&web, &e),
    }
}

pub(crate) async fn email_form(State(web): State<Web>, caller: Caller) -> Response {
    fresh!(web, caller, "/account/email");
    email_page(&web, "", None)
}

fn email_page(web: &Web, email: &str, error: Option<&Error>) -> Response {
    let (lead, fields) = (Some(T.change_email_lead), vec![Field::email(T.mail, email)]);
    ask(web, Ask { title: T.change_mail, lead, action: "/account/email", hidden: vec![], fields, button: T.send_link, back: "/account", error })
}

pub(crate) async fn email(State(web): State<Web>, caller: Caller, Form(typed): Form<Typed>) -> Response {
    fresh!(web, caller, "/account/email");
    match profile::begin_email_change(&web.app, &caller.ctx, &typed.email).await {
        Ok(()) => overview_page(&web, &caller, Some(T.mail_sent.into())).await,
        Err(e) if mends(&e) => email_page(&web, &typed.email, Some(&e)),
        Err(e) => failed(&web, &e),
    }
}

pub(crate) async fn verify_email(State(web): State<Web>, caller: Caller) -> Response {
    match profile::send_verification(&web.app, &caller.ctx).await {
        Ok(()) => overview_page(&web, &caller, Some(T.mail_sent.into())).await,
        Err(e) if mends(&e) => overview_page(&web, &caller, Some(e.to_string())).await,
        Err(e) => failed(&web, &e),
    }
}

// === Password ===

pub(crate) async fn password_form(State(web): State<Web>, caller: Caller) -> Response {
    fresh!(web, caller, "/account/password");
    password_page(&web, None)
}

fn password_page(web: &Web, error: Option<&Error>) -> Response {
    let fields = vec![Field::password("old_password", T.old_password), Field::new_password(T, password::minimum(&web.app))];
    let (title, button) = (T.change_password, T.change_password);
    ask(web, Ask { title, lead: None, action: "/account/password", hidden: vec![], fields, button, back: "/account/security", error })
}

pub(crate) async fn password(State(web): State<Web>, caller: Caller, Browser(visitor): Browser, Form(typed): Form<Typed>) -> Response {
    fresh!(web, caller, "/account/password");
    match password::change(&web.app, &caller.ctx, &visitor, Secret::new(typed.old_password), Secret::new(typed.password)).await {
        Ok(()) => security_page(&web, &caller, Some(T.saved.into()), None).await,
        Err(e) if mends(&e) => password_page(&web, Some(&e)),
        Err(e) => failed(&web, &e),
    }
}

pub(crate) async fn dismiss(State(web): State<Web>, caller: Caller) -> Response {
    match password::dismiss_reminder(&web.app, &caller.ctx).await {
        Ok(()) => see_other("/account"),
        Err(e) => failed(&web, &e),
    }
}

// === Ways to sign in ===

pub(crate) async fn app_form(State(web): State<Web>, caller: Caller) -> Response {
    fresh!(web, caller, "/account/app");
    app_page(&web, &caller, None).await
}

async fn app_page(web: &Web, caller: &Caller, error: Option<&Error>) -> Response {
    match authenticator::offer_totp(&web.app, &caller.ctx).await {
        Ok(offer) => enrol_page(EnrolPage { totp: Some(totp_part(offer, "/account/app")), ..enrol_base(web) }, error),
        Err(e) => failed(web, &e),
    }
}

fn enrol_base(web: &Web) -> EnrolPage {
    EnrolPage { frame: frame(web), to: String::new(), required: false, totp: None, passkey: None, passkey_action: "/account/passkey", error: None }
}

fn enrol_page(page: EnrolPage, error: Option<&Error>) -> Response {
    let page = EnrolPage { error: error.map(Error::to_string), ..page };
    html(error.map_or(StatusCode::OK, |e| status_of(e.kind())), &page, None, None)
}

pub(crate) async fn app(State(web): State<Web>, caller: Caller, Form(typed): Form<Typed>) -> Response {
    fresh!(web, caller, "/account/app");
    match authenticator::add_totp(&web.app, &caller.ctx, &typed.sealed, &typed.code, &typed.name).await {
        Ok(codes) => added(&web, &caller, &codes).await,
        Err(e) if mends(&e) => app_page(&web, &caller, Some(&e)).await,
        Err(e) => failed(&web, &e),
    }
}

async fn added(web: &Web, caller: &Caller, codes: &[Secret<String>]) -> Response {
    if codes.is_empty() {
        return security_page(web, caller, Some(T.saved.into()), None).await;
    }
    let codes = codes.iter().map(|code| code.open().clone()).collect();
    html(StatusCode::OK, &CodesPage { frame: frame(web), codes, next: "/account/security".into() }, None, None)
}

pub(crate) async fn passkey_form(State(web): State<Web>, caller: Caller) -> Response {
    fresh!(web, caller, "/account/passkey");
    passkey_page(&web, &caller, None).await
}

async fn passkey_page(web: &Web, caller: &Caller, error: Option<&Error>) -> Response {
    match authenticator::offer_passkey(&web.app, &caller.ctx).await {
        Ok(offer) => enrol_page(EnrolPage { passkey: Some(passkey_part(offer)), ..enrol_base(web) }, error),
        Err(e) => failed(web, &e),
    }
}

pub(crate) async fn passkey(State(web): State<Web>, caller: Caller, Form(typed): Form<Typed>) -> Response {
    fresh!(web, caller, "/account/passkey");
    match authenticator::add_passkey(&web.app, &caller.ctx, &typed.sealed, &answered(&typed.answer), &typed.name).await {
        Ok(codes) => added(&web, &caller, &codes).await,
        Err(e) if mends(&e) => passkey_page(&web, &caller, Some(&e)).await,
        Err(e) => failed(&web, &e),
    }
}

pub(crate) async fn recovery(State(web): State<Web>, caller: Caller) -> Response {
    fresh!(web, caller, "/account/security");
    match authenticator::renew_recovery(&web.app, &caller.ctx).await {
        Ok(codes) => added(&web, &caller, &codes).await,
        Err(e) => failed(&web, &e),
    }
}

pub(crate) async fn remove(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Response {
    fresh!(web, caller, "/account/security");
    let removed = match id.parse() {
        Ok(id) => authenticator::remove(&web.app, &caller.ctx, id).await,
        Err(_) => Err(Error::NotFound("way to sign in")),
    };
    match removed {
        Ok(()) => security_page(&web, &caller, Some(T.removed.into()), None).await,
        Err(e) if mends(&e) => security_page(&web, &caller, None, Some(e.to_string())).await,
        Err(e) if e.kind() == ErrorKind::NotFound => see_other("/account/security"),
        Err(e) => failed(&web, &e),
    }
}

// === Phone ===

pub(crate) async fn phone_form(State(web): State<Web>, caller: Caller) -> Response {
    fresh!(web, caller, "/account/phone");
    phone_page(&web, "", None)
}

fn phone_page(web: &Web, phone: &str, error: Option<&Error>) -> Response {
    let field = Field { kind: "tel", inputmode: "tel", maxlength: 32, hint: Some(T.phone_hint.into()), ..Field::text("phone", T.phone_number, "tel") };
    let (lead, fields) = (Some(T.phone_lead), vec![Field { value: phone.to_owned(), ..field }]);
    ask(web, Ask { title: T.add_phone, lead, action: "/account/phone", hidden: vec![], fields, button: T.send_code, back: "/account/security", error })
}

pub(crate) async fn phone(State(web): State<Web>, caller: Caller, Form(typed): Form<Typed>) -> Response {
    fresh!(web, caller, "/account/phone");
    match profile::begin_phone(&web.app, &caller.ctx, &typed.phone).await {
        Ok(sealed) => code_page(&web, sealed, None),
        Err(e) if mends(&e) => phone_page(&web, &typed.phone, Some(&e)),
        Err(e) => failed(&web, &e),
    }
}

fn code_page(web: &Web, sealed: String, error: Option<&Error>) -> Response {
    let (hidden, fields) = (vec![("sealed", sealed)], vec![Field::code(T.code)]);
    ask(web, Ask { title: T.add_phone, lead: None, action: "/account/phone/verify", hidden, fields, button: T.confirm_code, back: "/account/security", error })
}

pub(crate) async fn verify_phone(State(web): State<Web>, caller: Caller, Form(typed): Form<Typed>) -> Response {
    fresh!(web, caller, "/account/phone");
    match profile::verify_phone(&web.app, &caller.ctx, &typed.sealed, &typed.code).await {
        Ok(()) => security_page(&web, &caller, Some(T.saved.into()), None).await,
        Err(e) if mends(&e) => code_page(&web, typed.sealed, Some(&e)),
        Err(e) => failed(&web, &e),
    }
}

pub(crate) async fn remove_phone(State(web): State<Web>, caller: Caller) -> Response {
    fresh!(web, caller, "/account/security");
    match profile::remove_phone(&web.app, &caller.ctx).await {
        Ok(()) => security_page(&web, &caller, Some(T.removed.into()), None).await,
        Err(e) => failed(&web, &e),
    }
}
