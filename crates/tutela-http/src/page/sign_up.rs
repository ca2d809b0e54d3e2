//! Making an account for oneself.

use axum::{Form, extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use tutela_app::{
    Error,
    sign_up::{self, Wish},
};
use tutela_core::{ErrorKind, Secret};

use super::{T, failed, frame, html, message, see_other, show_form, sign_in_link};
use crate::{
    caller::Caller,
    view::hosted::{DonePage, Field, FormPage},
    web::Web,
};

pub(crate) async fn form(State(web): State<Web>) -> Response {
    if !sign_up::is_open(&web.app) {
        return message(&web, StatusCode::NOT_FOUND, "There is no such page", "Accounts are made by administrators here.", "Ask whoever runs this service.");
    }
    page(&web, &Typed::default(), None)
}

#[derive(Default, Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

pub(crate) async fn sign_up(State(web): State<Web>, caller: Caller, Form(typed): Form<Typed>) -> Response {
    let wish = Wish { email: typed.email.clone(), name: typed.name.clone(), password: Secret::new(typed.password.clone()) };
    match sign_up::sign_up(&web.app, &caller.ctx, wish).await {
        Ok(()) => {
            let link = sign_in_link();
            html(StatusCode::OK, &DonePage { frame: frame(&web), title: T.recover_sent, lead: T.sign_up_sent_lead, link, why: T.why_sign_up }, None, None)
        }
        Err(e) if matches!(e.kind(), ErrorKind::Invalid | ErrorKind::RateLimited) => page(&web, &typed, Some(&e)),
        Err(e) if e.kind() == ErrorKind::Conflict => see_other("/sign-up"),
        Err(e) => failed(&web, &e),
    }
}

fn page(web: &Web, typed: &Typed, error: Option<&Error>) -> Response {
    let fields = vec![
        Field { value: typed.name.clone(), ..Field::text("name", T.name, "name") },
        Field::email(T.mail, &typed.email),
        Field::new_password(T, tutela_app::password::minimum(&web.app)),
    ];
    let base = FormPage::of(frame(web), T.sign_up, "/sign-up".into(), T.sign_up, T.why_sign_up);
    show_form(FormPage { fields, link: Some(sign_in_link()), ..base }, error)
}
