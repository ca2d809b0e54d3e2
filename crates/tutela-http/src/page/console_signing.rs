//! Keys of tokens in the console.

use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use serde::Deserialize;
use tutela_api as api;
use tutela_app::signing_key;

use super::{console::desk, console_frame::Desk, console_keys::said, see_other, show::when_text};
use crate::{
    caller::Caller,
    view::{
        console::Room,
        keys::{Tab, Tabs},
        part::{Status, Tone},
        signing::{SigningKeyRow, SigningKeysPage},
    },
    web::Web,
};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    done: String,
    algorithm: String,
    revoke: String,
}

pub(crate) async fn list(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(asked): Query<Asked>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let notice = match asked.done.as_str() {
        "rotated" => Some("Another key signs from now on. The one before checks for two more hours.".to_owned()),
        "revoked" => Some("Another key signs from now on, and whatever the ones before have signed is refused.".to_owned()),
        _ => None,
    };
    page(&desk, notice, None).await
}

pub(crate) async fn rotate(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Form(asked): Form<Asked>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let revoke = !asked.revoke.is_empty();
    match signing_key::rotate(&desk.web.app, &desk.caller.ctx, api::RotateSigningKey { algorithm: asked.algorithm, revoke }).await {
        Ok(_) => see_other(if revoke { "/keys/signing?done=revoked" } else { "/keys/signing?done=rotated" }),
        Err(e) => match desk.prove_again(&e, "/keys/signing") {
            Some(answer) => answer,
            None => page(&desk, None, Some(said(&e))).await,
        },
    }
}

async fn page(desk: &Desk, notice: Option<String>, error: Option<String>) -> Response {
    let keys = match signing_key::list(&desk.web.app, &desk.caller.ctx).await {
        Ok(keys) => keys,
        Err(e) => return desk.failed(Room::Keys, &e),
    };
    let row = |key: api::SigningKey| SigningKeyRow {
        state: match key.state.as_str() {
            "active" => Status::new(Tone::Good, "signs"),
            "next" => Status::new(Tone::Good, "signs next"),
            _ => Status::new(Tone::Attention, "checks only"),
        },
        from: when_text(&key.signs_from),
        until: key.signs_until.as_deref().map(when_text),
        id: key.id,
        algorithm: key.algorithm,
    };
    desk.show(&SigningKeysPage {
        frame: desk.frame(Room::Keys),
        tabs: Tabs { at: Tab::Signing },
        notice,
        error,
        rows: keys.into_iter().map(row).collect(),
        jwks_url: format!("{}/.well-known/jwks.json", desk.web.app.urls().public),
        may_write: desk.may("keys:write"),
    })
}
