//! A service that is asked over HTTP, as a file describes it: how things of a person are found, and how they are cancelled.

use std::{collections::BTreeMap, path::Path, time::Duration};

use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::{Map, Value};
use tutela_app::port::{DataError, DataStore, Hit};
use tutela_core::{Secret, seam::BoxFuture};
use tutela_privacy::{
    plan::{Change, StoreKind},
    schema::Schema,
};

use crate::{http, text::segment};

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest answer, and most pages of one question.
const MAX_ANSWER: usize = 8 << 20;
const MOST_PAGES: usize = 1_000;

/// How a service is spoken to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Api {
    /// By the name of the collection in the map.
    resources: BTreeMap<String, Resource>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource {
    /// How those of a person are found, by the field that is known: `/v1/subscriptions?customer={value}`.
    find: BTreeMap<String, String>,
    /// Where in the answer the list is: `/data`; the answer itself where absent.
    #[serde(default)]
    rows: String,
    /// Where in the answer the address of the next page is: `/next`.
    #[serde(default)]
    next: Option<String>,
    /// How one is cancelled or deleted.
    #[serde(default)]
    cancel: Option<Cancel>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cancel {
    /// `DELETE` or `POST`.
    method: String,
    /// `/v1/subscriptions/{id}`, with fields of the key.
    path: String,
}

pub(super) struct Service {
    client: reqwest::Client,
    base: Url,
    api: Api,
    token: Option<Secret<String>>,
}

impl Service {
    pub(super) fn new(url: &str, api: &str, token: Option<Secret<String>>, ca_file: Option<&Path>) -> Result<Self, String> {
        http::check_url(url, "url")?;
        let base = Url::parse(url).map_err(|e| format!("url: {e}"))?;
        let api: Api = serde_yaml_ng::from_str(api).map_err(|e| format!("api: {e}"))?;
        for (name, cancel) in api.resources.iter().filter_map(|(name, of)| Some((name, of.cancel.as_ref()?))) {
            if !["DELETE", "POST"].contains(&cancel.method.as_str()) {
                return Err(format!("api: resources.{name}.cancel.method: `{}` is none of DELETE, POST", cancel.method));
            }
        }
        let client = http::builder(ca_file)?.timeout(PATIENCE).no_proxy().build().map_err(|e| e.to_string())?;
        Ok(Self { client, base, api, token })
    }

    fn resource(&self, name: &str) -> Result<&Resource, DataError> {
        self.api.resources.get(name).ok_or_else(|| DataError::Refused(format!("`api` describes no resource `{name}`")))
    }

    /// An address of the service; what it names itself must not lead elsewhere, since the token goes along.
    fn at(&self, path: &str) -> Result<Url, DataError> {
        let url = self.base.join(path).map_err(|e| DataError::Refused(e.to_string()))?;
        if url.origin() == self.base.origin() { Ok(url) } else { Err(DataError::Refused("it leads to another host".into())) }
    }

    async fn send(&self, method: Method, url: Url, token: Option<&str>) -> Result<(u16, Value), DataError> {
        let mut request = self.client.request(method, url).header("accept", "application/json");
        if let Some(bearer) = &self.token {
            request = request.bearer_auth(bearer.open());
        }
        if let Some(token) = token {
            request = request.header("idempotency-key", token);
        }
        let unavailable = |e: reqwest::Error| DataError::Unavailable(http::reason(&e));
        let mut response = request.send().await.map_err(unavailable)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(DataError::Refused("its answer is longer than 8 MiB".into()));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
            return Err(DataError::Unavailable(format!("it answered {status}")));
        }
        Ok((status.as_u16(), serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    async fn found(&self, collection: &str, field: &str, values: &[Value]) -> Result<Vec<Map<String, Value>>, DataError> {
        let resource = self.resource(collection)?;
        let path = resource.find.get(field).ok_or_else(|| DataError::Refused(format!("`api` does not say how `{collection}` are found by `{field}`")))?;
        let mut rows = Vec::new();
        for value in values {
            let mut next = Some(self.at(&path.replace("{value}", &encoded(value)))?);
            let mut pages = 0;
            while let Some(url) = next.take() {
                let (status, answer) = self.send(Method::GET, url, None).await?;
                match status {
                    404 | 410 => break,
                    200..300 => {}
                    _ => return Err(DataError::Refused(format!("it answered {status}"))),
                }
                let list = answer
                    .pointer(&resource.rows)
                    .and_then(Value::as_array)
                    .ok_or_else(|| DataError::Refused(format!("its answer has no list at `{}`", resource.rows)))?;
                rows.extend(list.iter().filter_map(Value::as_object).cloned());
                pages += 1;
                if pages > MOST_PAGES {
                    return Err(DataError::Refused(format!("more than {MOST_PAGES} pages")));
                }
                if let Some(more) = resource.next.as_ref().and_then(|at| answer.pointer(at)?.as_str()).filter(|more| !more.is_empty()) {
                    next = Some(self.at(more)?);
                }
            }
        }
        Ok(rows)
    }

    async fn cancel(&self, change: &Change, token: &str) -> Result<(), DataError> {
        let cancel = self.resource(&change.collection)?.cancel.as_ref().filter(|_| change.set.is_none());
        let cancel = cancel.ok_or_else(|| DataError::Refused(format!("`api` does not say how `{}` are changed", change.collection)))?;
        let path = change.key.iter().fold(cancel.path.clone(), |path, (name, value)| path.replace(&format!("{{{name}}}"), &encoded(value)));
        if path.contains('{') {
            return Err(DataError::Refused(format!("`{}` names a field that is not part of the key", cancel.path)));
        }
        let method = if cancel.method == "POST" { Method::POST } else { Method::DELETE };
        match self.send(method, self.at(&path)?, Some(token)).await?.0 {
            // What is not there, or is cancelled, was cancelled before.
            200..300 | 404 | 409 | 410 => Ok(()),
            status => Err(DataError::Refused(format!("it answered {status}"))),
        }
    }
}

impl DataStore for Service {
    fn kind(&self) -> StoreKind {
        StoreKind::Service
    }

    fn schema(&self) -> BoxFuture<'_, Result<Schema, DataError>> {
        Box::pin(async { Ok(Schema::default()) })
    }

    fn find<'a>(&'a self, collection: &'a str, field: &'a str, values: &'a [Value]) -> BoxFuture<'a, Result<Vec<Map<String, Value>>, DataError>> {
        Box::pin(self.found(collection, field, values))
    }

    fn apply<'a>(&'a self, changes: &'a [Change], token: &'a str) -> BoxFuture<'a, Result<(), DataError>> {
        Box::pin(async move {
            for (number, change) in changes.iter().enumerate() {
                self.cancel(change, &format!("{token}-{number}")).await?;
            }
            Ok(())
        })
    }

    fn scan<'a>(&'a self, _needles: &'a [String]) -> BoxFuture<'a, Result<Vec<Hit>, DataError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// A value as part of an address.
fn encoded(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    segment(&text)
}
