//! An application signs its person out here (OpenID Connect RP-Initiated Logout 1.0).

use std::time::Duration;

use serde_json::{Map, Value};
use tutela_core::{SessionId, Timestamp};
use tutela_identity::{
    federation::with_query,
    oauth::{Code, Refused},
};

use super::{Error, Form, known, refuse, signed_in};
use crate::{App, Ctx, session};

const PURPOSE: &[u8] = b"logout request";
const LIFE: Duration = Duration::from_secs(900);

/// Seals the fields of a request: the ID token among them names a person.
pub fn seal_logout(app: &App, now: Timestamp, fields: Vec<(String, String)>) -> Result<String, crate::Error> {
    app.seal_as(PURPOSE, &(now, fields))
}

/// The fields of a sealed request; none once it is too old.
pub fn open_logout(app: &App, now: Timestamp, sealed: &str) -> Vec<(String, String)> {
    let found: Option<(Timestamp, Vec<(String, String)>)> = app.open_as(PURPOSE, sealed);
    found.filter(|(at, _)| now < *at + LIFE).map(|(_, fields)| fields).unwrap_or_default()
}

/// What a request for logout leads to.
pub enum WayOut {
    /// The person is asked first: nothing shows that it is the application of this very session that wants it.
    Ask {
        /// The application's name, where it is known.
        client: Option<String>,
        /// Where they go afterwards.
        then: Option<String>,
    },
    /// Nobody is signed in, or the session was ended: on to there.
    Over(Option<String>),
    /// It cannot be done as asked, and nobody is sent to the address that it names.
    Stop(Refused),
}

struct Read {
    client: Option<String>,
    then: Option<String>,
    /// Whether an ID token of this login was shown.
    proven: bool,
}

/// What a request leads to. The session ends where an ID token of its own was shown, or the person has said yes.
pub async fn sign_out(app: &App, ctx: &Ctx, form: &Form, agreed: bool) -> Result<WayOut, Error> {
    let read = match read(app, ctx, form).await? {
        Ok(read) => read,
        Err(refused) => return Ok(WayOut::Stop(refused)),
    };
    if signed_in(ctx).is_some() {
        if !agreed && !read.proven {
            return Ok(WayOut::Ask { client: read.client, then: read.then });
        }
        session::sign_out(app, ctx).await?;
    }
    Ok(WayOut::Over(read.then))
}

async fn read(app: &App, ctx: &Ctx, form: &Form) -> Result<Result<Read, Refused>, Error> {
    let hint = form.get("id_token_hint").and_then(|hint| opened(app, ctx, hint));
    let text = |name: &str| hint.as_ref().and_then(|claims| claims.get(name)).and_then(Value::as_str);
    let client_id = match (form.get("client_id"), text("aud")) {
        (Some(named), Some(shown)) if named != shown => {
            return Ok(Err(refuse(Code::InvalidRequest, "`client_id` is another than the one that `id_token_hint` was made for")));
        }
        (named, shown) => named.or(shown),
    };
    let found = match client_id {
        Some(id) => known(app, id, ctx.now).await?,
        None => None,
    };
    let then = match form.get("post_logout_redirect_uri") {
        None => None,
        Some(asked) => match &found {
            Some((_, registration)) if registration.post_logout_redirect_uris.iter().any(|uri| uri.is(asked)) => {
                let state = form.get("state").map(|state| ("state", state));
                Some(with_query(asked, state.as_slice()))
            }
            _ => {
                let why = "`post_logout_redirect_uri` is not one that this client has registered; say who is asking with `client_id` or `id_token_hint`";
                return Ok(Err(refuse(Code::InvalidRequest, why)));
            }
        },
    };
    let proven = match (text("sid").map(str::parse::<SessionId>), signed_in(ctx)) {
        (Some(Ok(part)), Some((account, login))) => {
            let part = app.store.session_get(part).await?;
            text("sub") == Some(account.to_string().as_str()) && part.is_some_and(|part| part.login == login)
        }
        _ => false,
    };
    Ok(Ok(Read { client: found.map(|(client, _)| client.name), then, proven }))
}

/// What an ID token of ours says, however old it is (§2: an expired one still shows who is meant).
pub(super) fn opened(app: &App, ctx: &Ctx, hint: &str) -> Option<Map<String, Value>> {
    let claims: Map<String, Value> = app.signer().open(hint, "JWT", ctx.now).ok()?;
    (claims.get("iss").and_then(Value::as_str) == Some(app.urls.public.as_str())).then_some(claims)
}
