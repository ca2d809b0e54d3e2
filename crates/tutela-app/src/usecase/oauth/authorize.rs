//! The request for a code, from the client's redirect to the redirect back.
//!
//! ```text
//!   begin --(client or address unknown)--> a page, nobody is sent anywhere
//!         --(does not fit)--> back to the client, with the reason
//!         --> proceed --> sign in, or prove more --> resume --> consent --> decide --> back to the client, with a code
//! ```
//! Between the steps the request travels sealed, so that a flood of visitors writes nothing.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};
use tutela_core::{AccountId, AuthStrength, ClientId, SessionId, Timestamp, seam::Identity};
use tutela_identity::{
    Client, Token, TokenKind,
    event::ClientConsented,
    federation::with_query,
    oauth::{Asked, AuthorizationCode, Authorize, CODE_LIFE, Code, Prompt, Raw, RedirectUri, Refused, Registration},
};
use tutela_store::Changeset;

use super::{Error, consented, known, record_refusal, refuse, signed_in};
use crate::{App, Ctx};

const PURPOSE: &[u8] = b"authorization request";
/// Before an audience, among the scopes that a person has agreed to.
const RESOURCE: &str = "resource:";
/// How long a person may take.
const LIFE: Duration = Duration::from_secs(1_800);

/// A request on its way through our pages.
#[derive(Serialize, Deserialize)]
struct UnderWay {
    request: Authorize,
    began: Timestamp,
    /// Who it has to be, where an ID token of theirs was shown.
    subject: Option<String>,
}

/// What comes next.
pub enum Step {
    /// The browser goes here: back to the client.
    Back(String),
    /// The person is asked what the client may have.
    Consent(Box<Asking>),
    /// The person has to sign in; the sealed request comes back with them.
    SignIn(String),
    /// They have to prove more, or anew.
    StepUp {
        /// The sealed request.
        sealed: String,
        /// How strong.
        strength: AuthStrength,
    },
    /// It leads nowhere, and nobody may be sent to the address that it names.
    Stop(Refused),
}

/// What a person is asked.
pub struct Asking {
    /// The client's name.
    pub client: String,
    /// What it wants.
    pub scopes: Vec<String>,
    /// Where they go afterwards.
    pub origin: String,
    /// The sealed request.
    pub sealed: String,
}

/// What a person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The client may have it.
    Allow,
    /// It may not.
    Deny,
}

/// What the pages of a sign-in need to know of the request that it is for.
pub struct Purpose {
    /// Where the person goes afterwards.
    pub origin: String,
    /// The client's name.
    pub client: String,
    /// The mail address that the client expects.
    pub hint: Option<String>,
}

/// A request as it comes from a client.
pub async fn begin(app: &App, ctx: &Ctx, identity: Option<&Identity>, raw: &Raw) -> Result<Step, Error> {
    let Some((client, registration)) = known(app, raw.client_id.as_deref().unwrap_or_default(), ctx.now).await? else {
        return Ok(Step::Stop(refuse(Code::InvalidClient, "`client_id` is not one of an application that people can sign in to here")));
    };
    let request = match Authorize::check(raw, &client.id.to_string(), &registration) {
        Ok(Asked::Fits(request)) => *request,
        Ok(Asked::Tell { redirect_uri, state, refused }) => {
            record_refusal(app, ctx, client.id, &refused).await?;
            return Ok(Step::Back(told(app, &redirect_uri, state.as_deref(), &refused)));
        }
        Err(refused) => {
            record_refusal(app, ctx, client.id, &refused).await?;
            return Ok(Step::Stop(refused));
        }
    };
    let subject = match raw.id_token_hint.as_deref() {
        None => None,
        Some(hint) => match hinted(app, ctx, hint, &request.client_id) {
            Some(subject) => Some(subject),
            None => {
                let refused = refuse(Code::InvalidRequest, "`id_token_hint` is no ID token of this client's that can be read here any more");
                return Ok(Step::Back(told(app, &request.redirect_uri, request.state.as_deref(), &refused)));
            }
        },
    };
    proceed(app, ctx, identity, UnderWay { request, began: ctx.now, subject }, client, registration).await
}

/// The person of an ID token that was made for this client.
fn hinted(app: &App, ctx: &Ctx, hint: &str, client_id: &str) -> Option<String> {
    let claims = super::logout::opened(app, ctx, hint)?;
    let text = |name: &str| claims.get(name).and_then(serde_json::Value::as_str);
    (text("aud") == Some(client_id)).then(|| text("sub").map(str::to_owned)).flatten()
}

/// A request that comes back with somebody who has signed in, or proven more.
pub async fn resume(app: &App, ctx: &Ctx, identity: Option<&Identity>, sealed: &str) -> Result<Step, Error> {
    let (under_way, client, registration) = match open(app, ctx.now, sealed).await? {
        Ok(found) => found,
        Err(refused) => return Ok(Step::Stop(refused)),
    };
    proceed(app, ctx, identity, under_way, client, registration).await
}

/// What a person says to what a client wants.
pub async fn decide(app: &App, ctx: &Ctx, identity: Option<&Identity>, sealed: &str, decision: Decision) -> Result<Step, Error> {
    let (mut under_way, client, registration) = match open(app, ctx.now, sealed).await? {
        Ok(found) => found,
        Err(refused) => return Ok(Step::Stop(refused)),
    };
    let Some((account, _)) = signed_in(ctx) else { return Ok(Step::SignIn(sealed.to_owned())) };
    let request = &mut under_way.request;
    if decision == Decision::Deny {
        let refused = refuse(Code::AccessDenied, "the person said no");
        return Ok(Step::Back(told(app, &request.redirect_uri, request.state.as_deref(), &refused)));
    }
    allow(app, ctx, account, &client, &wanted(request)).await?;
    request.prompts.remove(&Prompt::Consent);
    proceed(app, ctx, identity, under_way, client, registration).await
}

/// The request behind a sealed text, for the pages of the sign-in that it waits for.
pub async fn purpose(app: &App, now: Timestamp, sealed: &str) -> Result<Option<Purpose>, Error> {
    let Ok((under_way, client, _)) = open(app, now, sealed).await? else { return Ok(None) };
    let origin = RedirectUri::origin(&under_way.request.redirect_uri);
    Ok(Some(Purpose { origin, client: client.name, hint: under_way.request.login_hint }))
}

async fn open(app: &App, now: Timestamp, sealed: &str) -> Result<Result<(UnderWay, Client, Registration), Refused>, Error> {
    let late = || refuse(Code::InvalidRequest, "it took too long; go back to the application and begin again");
    let under_way: Option<UnderWay> = app.open_as(PURPOSE, sealed);
    let Some(under_way) = under_way.filter(|under_way| now < under_way.began + LIFE) else { return Ok(Err(late())) };
    let Some((client, registration)) = known(app, &under_way.request.client_id, now).await? else { return Ok(Err(late())) };
    // What was registered may have changed since.
    let request = &under_way.request;
    let fits = registration.redirect_uris.iter().any(|uri| uri.is(&request.redirect_uri))
        && request.scopes.is_subset(&registration.scopes)
        && request.audience.as_ref().is_none_or(|audience| registration.audiences.contains(audience));
    Ok(if fits { Ok((under_way, client, registration)) } else { Err(late()) })
}

async fn proceed(app: &App, ctx: &Ctx, identity: Option<&Identity>, under_way: UnderWay, client: Client, registration: Registration) -> Result<Step, Error> {
    let request = &under_way.request;
    let silent = request.is_silent();
    let back = |code: Code, why: &str| Ok(Step::Back(told(app, &request.redirect_uri, request.state.as_deref(), &refuse(code, why))));
    let (Some(identity), Some((account, login))) = (identity, signed_in(ctx)) else {
        if silent {
            return back(Code::LoginRequired, "nobody is signed in here");
        }
        return Ok(Step::SignIn(app.seal_as(PURPOSE, &under_way)?));
    };
    // Nobody gets tokens of another person than the one who was meant (Core §3.1.2.2).
    if under_way.subject.as_ref().is_some_and(|subject| *subject != account.to_string()) {
        return back(Code::LoginRequired, "somebody else is signed in here");
    }
    let anew = identity.auth_time >= under_way.began;
    let young = request.max_age.is_none_or(|age| ctx.now >= identity.auth_time && ctx.now.since(identity.auth_time) <= age);
    let fresh = anew || (young && !request.wants_login());
    if !fresh || identity.strength < request.strength {
        if silent {
            return back(Code::LoginRequired, "the person would have to prove anew, or more");
        }
        return Ok(Step::StepUp { sealed: app.seal_as(PURPOSE, &under_way)?, strength: request.strength });
    }
    let agreed = !registration.asks_consent || consented(app, account, client.id, &wanted(request)).await?;
    if !agreed || request.prompts.contains(&Prompt::Consent) {
        if silent {
            return back(Code::ConsentRequired, "the person would have to be asked what this client may have");
        }
        let scopes = wanted(request).into_iter().collect();
        let origin = RedirectUri::origin(&request.redirect_uri);
        return Ok(Step::Consent(Box::new(Asking { client: client.name, scopes, origin, sealed: app.seal_as(PURPOSE, &under_way)? })));
    }
    Ok(Step::Back(issue(app, ctx, client.id, login, under_way.request).await?))
}

/// What a person is asked for: scopes, and for whom the access token is.
fn wanted(request: &Authorize) -> BTreeSet<String> {
    request.scopes.iter().cloned().chain(request.audience.iter().map(|audience| format!("{RESOURCE}{audience}"))).collect()
}

/// Writes that somebody agrees, with what they had agreed to before.
async fn allow(app: &App, ctx: &Ctx, account: AccountId, client: &Client, scopes: &BTreeSet<String>) -> Result<(), Error> {
    let before = app.store.client_consent_get(account, client.id).await?.map(|row| row.scopes).unwrap_or_default();
    let all: BTreeSet<String> = before.into_iter().chain(scopes.iter().cloned()).collect();
    let all: Vec<String> = all.into_iter().collect();
    let what = ClientConsented::new(account, client.id, scopes.iter().cloned().collect());
    Ok(app.commit(ctx, what, |c| c.client_consent_set(account, client.id, &all, ctx.now)).await?)
}

async fn issue(app: &App, ctx: &Ctx, client: ClientId, login: SessionId, request: Authorize) -> Result<String, Error> {
    let code = Token::new(TokenKind::ClientCode, &mut { app.env() });
    let kept = AuthorizationCode {
        client,
        login,
        redirect_uri: request.redirect_uri.clone(),
        scopes: request.scopes,
        nonce: request.nonce,
        challenge: request.challenge,
        audience: request.audience,
        expires_at: ctx.now + CODE_LIFE,
        used_at: None,
    };
    app.store.commit(Changeset::client_code_insert(code.hash(), &kept)).await?;
    Ok(answer(app, &request.redirect_uri, request.state.as_deref(), &[("code", code.open())]))
}

fn told(app: &App, redirect_uri: &str, state: Option<&str>, refused: &Refused) -> String {
    answer(app, redirect_uri, state, &[("error", refused.code.as_str()), ("error_description", &refused.description)])
}

/// The way back; it says who answers (RFC 9207).
fn answer(app: &App, redirect_uri: &str, state: Option<&str>, fields: &[(&str, &str)]) -> String {
    let state = state.map(|state| ("state", state));
    let fields: Vec<(&str, &str)> = fields.iter().copied().chain(state).chain([("iss", app.urls.public.as_str())]).collect();
    with_query(redirect_uri, &fields)
}
