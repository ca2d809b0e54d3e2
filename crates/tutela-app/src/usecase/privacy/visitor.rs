//! Requests of people without an account: whoever opens the link that was mailed to an address has that address.

use serde::{Deserialize, Serialize};
use tutela_api as api;
use tutela_core::{Subject, SubjectRequestId};
use tutela_identity::Email;
use tutela_privacy::{Kind, Law};

use super::{
    happened::{PackageFetched, RequestAsked},
    package,
    person::Person,
    request::{self, Intake},
};
use crate::{
    App, Ctx, Error, text,
    usecase::{
        link::{self, Purpose},
        message,
        sign_in::send,
    },
};

const PACKAGE: &[u8] = b"package of a subject request";

/// What a mailed link confirms.
#[derive(Serialize, Deserialize)]
struct Wish {
    email: String,
    law: String,
    kind: String,
}

/// Whether people without an account can ask here: it takes mail.
pub fn is_open(app: &App) -> bool {
    app.mail.is_some()
}

/// Mails a link that confirms what somebody asks for. The answer is the same whoever it is.
pub async fn ask(app: &App, ctx: &Ctx, email: &str, law: &str, kind: &str) -> Result<(), Error> {
    if !is_open(app) {
        return Err(Error::Conflict(format!("this server sends no mail; ask {} directly", app.privacy.controller)));
    }
    let known = Law::parse(law).ok_or_else(|| Error::invalid("law", "a law is gdpr or ccpa"))?;
    Kind::parse(known, kind).map_err(|e| Error::invalid("type", e))?;
    request::is_on(app, kind).then_some(()).ok_or(Error::Conflict("this cannot be asked for here".into()))?;
    let email = Email::parse(email)?;
    send::allow(app, ctx, None, email.as_str(), "mail").await?;
    let wish = Wish { email: email.as_str().to_owned(), law: law.into(), kind: kind.into() };
    let wish = serde_json::to_string(&wish).map_err(|_| Error::Internal("a wish could not be written down"))?;
    let made = link::make(app, ctx, Purpose::AskForData, None, Some(&wish))?;
    let mail = message::mail(app, ctx, email.as_str(), &text::Mail::ConfirmRequest { what: kind, url: &made.url }, Some(made.row.row.expires_at))?;
    app.commit(ctx, RequestAsked::new(law, kind), |changeset| mail(changeset.link_insert(&made.row))).await
}

/// What a link would confirm; looking uses nothing up.
pub async fn find(app: &App, ctx: &Ctx, token: &str) -> Result<String, Error> {
    Ok(wish(app, ctx, token).await?.1.kind)
}

async fn wish(app: &App, ctx: &Ctx, token: &str) -> Result<(tutela_store::LinkRow, Wish), Error> {
    let (row, payload) = link::find(app, ctx, Purpose::AskForData, token).await?;
    let wish = payload.and_then(|text| serde_json::from_str(&text).ok()).ok_or(Error::NotFound("link"))?;
    Ok((row, wish))
}

/// Takes in what a link confirms, once.
pub async fn confirm(app: &App, ctx: &Ctx, token: &str) -> Result<api::SubjectRequest, Error> {
    let (row, wish) = wish(app, ctx, token).await?;
    let email = Email::parse(&wish.email)?;
    // An account whose address nobody has verified may be somebody else's.
    let account = app.store.account_get_by_email(&email).await?.map(|(account, _)| account).filter(|account| account.email_verified_at.is_some());
    let subject = account.map_or_else(|| Subject::External { namespace: "email".into(), value: wish.email.clone() }, |account| Subject::Account(account.id));
    let person = Person::of(app, subject).await?;
    let asked = api::OwnSubjectRequest { law: Some(wish.law), kind: wish.kind, corrections: Default::default(), purposes: Vec::new() };
    let (now, id) = (ctx.now, row.id);
    let intake = Intake {
        person,
        asked,
        by: "mail",
        contact: Some(wish.email.clone()),
        known: [("email".to_owned(), [wish.email].into())].into(),
        with: Some(Box::new(move |changeset| changeset.link_use(id, now))),
    };
    request::take(app, ctx, intake).await
}

/// Where somebody without an account fetches their package; only they are mailed it.
pub(super) fn package_path(app: &App, id: SubjectRequestId) -> Result<String, Error> {
    Ok(format!("/privacy/packages/{}", app.seal_as(PACKAGE, &id.to_string())?))
}

/// The package of such an address, and the id of its request.
pub async fn fetch(app: &App, ctx: &Ctx, token: &str) -> Result<(String, Vec<u8>), Error> {
    let id: String = app.open_as(PACKAGE, token).ok_or(Error::NotFound("package"))?;
    let request: SubjectRequestId = id.parse().map_err(|_| Error::NotFound("package"))?;
    let (_, zip) = package::parts(app, request).await?.ok_or(Error::NotFound("package; it has expired"))?;
    app.commit(ctx, PackageFetched::new(request), |changeset| changeset).await?;
    Ok((id, zip))
}
