//! The sign-in of Meadow Ltd, a company that is made up: three people, no passwords, and the three protocols that such
//! a directory speaks. It knows nothing of tutela but where its answers may go.
//!
//! For trying out on one's own machine, and for nothing else: whoever reaches it is whoever they say.

mod keys;
mod openid;
mod saml;

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::Query,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use tokio::net::TcpListener;

pub(crate) use keys::Keys;

/// Where answers may go, and from whom questions come.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its own address, such as `http://127.0.0.1:4000`.
    pub own: String,
    /// Addresses that people are sent back to.
    pub redirect_uris: Vec<String>,
    /// Where SAML responses go, and the name of whoever asks.
    pub saml: (String, String),
}

/// The id that whoever asks by OpenID Connect or OAuth 2.0 has here.
pub const CLIENT_ID: &str = "tutela-demo";

/// Somebody of Meadow Ltd.
pub(crate) struct Person {
    pub id: u32,
    pub name: &'static str,
    pub email: &'static str,
    pub group: &'static str,
}

/// Everybody.
pub(crate) const PEOPLE: [Person; 3] = [
    Person { id: 1, name: "Eve Meadow", email: "eve@meadow.example", group: "editors" },
    Person { id: 2, name: "Finn Meadow", email: "finn@meadow.example", group: "readers" },
    Person { id: 3, name: "Gus Meadow", email: "gus@meadow.example", group: "readers" },
];

/// What every handler has at hand.
pub(crate) struct Directory {
    pub config: Config,
    pub keys: Keys,
    /// Codes that were not exchanged yet.
    pub codes: Mutex<HashMap<String, openid::Granted>>,
}

type Shared = Arc<Directory>;
type Fields = HashMap<String, String>;

/// Serves until `stop`.
pub async fn serve(listener: TcpListener, config: Config, stop: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
    let keys = Keys::make().map_err(std::io::Error::other)?;
    let directory = Arc::new(Directory { config, keys, codes: Mutex::default() });
    let app = Router::new()
        .route("/.well-known/openid-configuration", get(openid::metadata))
        .route("/jwks", get(openid::jwks))
        .route("/authorize", get(|Query(fields): Query<Fields>| async move { ask("/authorize", &fields) }).post(openid::chosen))
        .route("/token", post(openid::token))
        .route("/userinfo", get(openid::person))
        .route("/saml/metadata", get(saml::metadata))
        .route("/saml/sso", get(|Query(fields): Query<Fields>| async move { ask("/saml/sso", &fields) }).post(saml::chosen))
        .with_state(directory);
    axum::serve(listener, app).with_graceful_shutdown(stop).await
}

/// Asks who is there, and takes along what the question was.
fn ask(action: &str, fields: &Fields) -> Response {
    let kept: String = fields.iter().map(|(name, value)| format!(r#"<input type="hidden" name="{}" value="{}">"#, escaped(name), escaped(value))).collect();
    let buttons: String =
        PEOPLE.iter().map(|one| format!(r#"<p><button name="person" value="{}">{}</button> {}, {}</p>"#, one.id, one.name, one.email, one.group)).collect();
    page(
        "Who are you?",
        &format!(r#"<p>Here you are whoever you say: this directory is part of the demo.</p><form method="post" action="{action}">{kept}{buttons}</form>"#),
    )
}

pub(crate) fn page(title: &str, body: &str) -> Response {
    let text = format!(
        r#"<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title} - Meadow Ltd</title>
<style>body{{font:16px system-ui;max-width:32rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}}button{{font:inherit;padding:.4rem .8rem}}</style>
<p>Meadow Ltd, staff directory</p><main><h1>{title}</h1>{body}</main></html>"#
    );
    Html(text).into_response()
}

pub(crate) fn person(fields: &Fields) -> Option<&'static Person> {
    let id: u32 = fields.get("person")?.parse().ok()?;
    PEOPLE.iter().find(|one| one.id == id)
}

pub(crate) fn refused(why: &str) -> Response {
    (axum::http::StatusCode::BAD_REQUEST, why.to_owned()).into_response()
}

/// Text as it stands in HTML and XML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Seconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "an example application has no clock of tutela's")]
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
