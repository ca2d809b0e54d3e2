//! A small photo app: a public gallery, a profile, one's own photos, a page for administrators.
//!
//! It owns its database (`photos.db`), its picture folder and its pages. It never asks for a password and
//! keeps no session: whoever stands in front of it says who is there, in the signed header
//! `tutela-identity`, and this app checks that signature itself. Start it with [`serve`].

mod identity;
mod keys;
mod pages;
mod routes;
mod samples;
mod store;
mod upload;

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use crate::identity::Expected;
use crate::keys::Keys;
use crate::store::Store;

/// What it keeps of a person: a map for whoever answers what people ask for.
pub const PRIVACY_MAP: &str = include_str!("../privacy.yml");

/// What the app must be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes any free one. The caller binds it and hands over the listener.
    pub listen: SocketAddr,
    /// Folder for `photos.db` and the pictures; made where absent.
    pub data: PathBuf,
    /// Where the keys of the identity header are, for example
    /// `http://tutela.localhost:8080/.well-known/jwks.json`. Plain HTTP only: it is on this machine.
    pub jwks_url: String,
    /// Who signs the identity (`iss`); also where people are sent to sign in.
    pub issuer: String,
    /// The name under which the gateway knows this app (`aud`).
    pub audience: String,
    /// The app's own address for browsers, for example `http://photos.localhost:8080`.
    pub app_url: String,
}

/// Serve until `shutdown` is done and the running requests are answered.
pub async fn serve(listener: TcpListener, config: Config, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
    let app = App::open(config).await?;
    axum::serve(listener, routes::router(Arc::new(app))).with_graceful_shutdown(shutdown).await?;
    Ok(())
}

/// What every request shares.
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) keys: Keys,
    pub(crate) expected: Expected,
    pub(crate) pictures: PathBuf,
    pub(crate) app_url: String,
    /// What a page may load and where its forms may lead.
    pub(crate) policy: HeaderValue,
}

impl App {
    async fn open(config: Config) -> Result<Self, Error> {
        let pictures = config.data.join("pictures");
        tokio::fs::create_dir_all(&pictures).await?;
        upload::clear_leftovers(&pictures).await?;
        let store = Store::open(config.data.join("photos.db")).await?;
        samples::plant(&store, &pictures).await?;
        // Signing in and out lead to the issuer, and browsers check redirects after a form as well.
        let policy = format!(
            "default-src 'none'; connect-src 'self'; img-src 'self'; script-src 'self'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
             form-action 'self' {}",
            config.issuer
        );
        let policy = HeaderValue::from_str(&policy).map_err(|_| Error::Config(format!("`issuer` is not an address: `{}`", config.issuer)))?;
        Ok(Self {
            store,
            policy,
            keys: Keys::new(&config.jwks_url)?,
            expected: Expected { issuer: config.issuer, audience: config.audience },
            pictures,
            app_url: config.app_url.trim_end_matches('/').to_owned(),
        })
    }
}

/// Why something could not be done.
#[derive(Debug)]
pub enum Error {
    /// The configuration cannot be used; the text names the field.
    Config(String),
    /// The database failed.
    Database(rusqlite::Error),
    /// It is known who asks, and the answer is no.
    Forbidden(&'static str),
    /// The request was wrong.
    Invalid(&'static str),
    /// A file or the network failed.
    Io(std::io::Error),
    /// There is no such thing.
    NotFound,
    /// A task ended before its work was done.
    Stopped,
    /// More bytes than allowed.
    TooLarge,
    /// Nobody is signed in, or the identity is not good.
    Unauthenticated(&'static str),
    /// The keys of the identity header cannot be had.
    Unavailable(&'static str),
}

impl Error {
    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Config(_) | Self::Database(_) | Self::Io(_) | Self::Stopped => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What the person may read; what went wrong inside stays inside.
    pub(crate) fn told(&self) -> &str {
        match self {
            Self::Config(_) | Self::Database(_) | Self::Io(_) | Self::Stopped => "something failed on our side",
            Self::Forbidden(why) | Self::Invalid(why) | Self::Unauthenticated(why) | Self::Unavailable(why) => why,
            Self::NotFound => "there is nothing at this address",
            Self::TooLarge => "a photo may have 100 MB at most",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(why) => write!(f, "the photo app cannot start: {why}"),
            Self::Database(cause) => write!(f, "the photo app's database: {cause}"),
            Self::Io(cause) => write!(f, "the photo app's files: {cause}"),
            Self::Stopped => f.write_str("a task of the photo app was stopped"),
            told => f.write_str(told.told()),
        }
    }
}

impl std::error::Error for Error {}

impl From<rusqlite::Error> for Error {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Database(cause)
    }
}

impl From<std::io::Error> for Error {
    fn from(cause: std::io::Error) -> Self {
        Self::Io(cause)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            eprintln!("photos: {self}");
        }
        (status, pages::error(status, self.told())).into_response()
    }
}
