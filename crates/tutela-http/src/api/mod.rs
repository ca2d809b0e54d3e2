//! One file per resource; each handler parses, calls one use case, and answers.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod breach;
pub(crate) mod client;
pub(crate) mod compliance;
pub(crate) mod crypto;
pub(crate) mod crypto_stream;
pub(crate) mod detection;
pub(crate) mod event;
pub(crate) mod federation;
pub(crate) mod gateway;
pub(crate) mod grant;
pub(crate) mod incident;
pub(crate) mod key;
pub(crate) mod ledger;
pub(crate) mod me;
pub(crate) mod permission;
mod posted;
pub(crate) mod privacy;
pub(crate) mod role;
pub(crate) mod session;
pub(crate) mod sign_in;
pub(crate) mod subject_request;

use std::str::FromStr;

use axum::{
    extract::{FromRequest, Request},
    http::header,
};
use serde::{Deserialize, de::DeserializeOwned};
use tutela_core::ErrorKind;

use crate::{
    idempotency::MAX_BODY,
    problem::{Answer, Failure},
};

/// A JSON body; what does not parse is a problem that names the place.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let json = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).is_some_and(|v| v.starts_with("application/json"));
        if !json {
            return Err(Failure::new(ErrorKind::Invalid, "send the body as `Content-Type: application/json`"));
        }
        let bytes = axum::body::to_bytes(request.into_body(), MAX_BODY)
            .await
            .map_err(|_| Failure::new(ErrorKind::Invalid, "the request's body is larger than 16 MiB or ended early"))?;
        serde_json::from_slice(&bytes).map(Self).map_err(|e| Failure::new(ErrorKind::Invalid, format!("the body does not fit: {e}")))
    }
}

/// `cursor` and `limit` of a list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paging {
    /// Continue where the last page ended.
    pub cursor: Option<String>,
    /// Items of a page, 1 to 100.
    pub limit: Option<u32>,
}

impl Paging {
    pub(crate) fn before<T: FromStr>(&self) -> Answer<Option<T>> {
        self.cursor.as_deref().map(|c| c.parse().map_err(|_| Failure::field("cursor", "this is not a cursor of this list"))).transpose()
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit.unwrap_or(50).clamp(1, 100)
    }

    /// The page of `items`; its cursor is the last id where the page is full.
    pub(crate) fn page<T>(&self, items: Vec<T>, id: impl Fn(&T) -> String) -> tutela_api::Page<T> {
        let next = if items.len() as u32 == self.limit() { items.last().map(id) } else { None };
        tutela_api::Page { items, next }
    }
}

/// An id in a path; what is not one cannot exist.
pub(crate) fn id<T: FromStr>(text: &str, what: &'static str) -> Answer<T> {
    text.parse().map_err(|_| Failure::new(ErrorKind::NotFound, format!("there is no such {what}")))
}
