//! The search cluster that the ledger is projected into: OpenSearch or Elasticsearch, by the same calls.
//!
//! Every month has an index of its own, `{index}-{yyyymm}`, so that an expired month is dropped as a whole.
//! One template gives each of them its mappings, its settings and the alias that searches go to.
//! Nothing is tried again in here: an answer says whether trying again can help.

mod bulk;
mod month;
mod settings;
mod wire;

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tutela_app::port::{ClusterDocument, ClusterError, ClusterHit, ClusterSearch, PutAnswer, SearchCluster};
use tutela_core::{Secret, seam::BoxFuture};

pub use self::settings::ClusterSettings;
use self::wire::{Reply, complete, done};
use crate::http::client;

/// Where no index exists yet, there is nothing to find: that is not an error.
const LENIENT: &str = "ignore_unavailable=true&allow_no_indices=true";
/// Documents that one round of [`SearchCluster::delete`] finds and deletes.
const DELETE_PAGE: u32 = 5_000;

/// A search cluster.
pub struct Cluster {
    settings: ClusterSettings,
    http: reqwest::Client,
    authorization: RwLock<Option<Secret<String>>>,
    patience: Duration,
}

enum Body<'a> {
    None,
    Json(&'a Value),
    Lines(Vec<u8>),
}

impl Cluster {
    /// Reads the CA and the credential; nothing is asked yet.
    pub fn new(settings: ClusterSettings) -> Result<Self, String> {
        settings.check()?;
        let http = client(settings.ca_file.as_deref())?;
        let authorization = RwLock::new(settings.authorization()?);
        Ok(Self { settings, http, authorization, patience: wire::PATIENCE })
    }

    async fn call(&self, method: Method, path: &str, body: Body<'_>) -> Result<Reply, ClusterError> {
        let mut request = self.http.request(method, format!("{}/{path}", self.settings.url.trim_end_matches('/')));
        let authorization = self.authorization.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(text) = authorization {
            let mut value = header::HeaderValue::from_str(text.open())
                .map_err(|_| ClusterError::Refused("the credential in its file has characters that HTTP does not allow".into()))?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        request = match body {
            Body::None => request,
            Body::Json(json) => request.json(json),
            Body::Lines(lines) => request.header(header::CONTENT_TYPE, "application/x-ndjson").body(lines),
        };
        let reply = wire::send(request, self.patience).await?;
        if reply.status == StatusCode::UNAUTHORIZED {
            // The file may hold a newer credential by now: the next call will have it.
            if let Ok(newer) = self.settings.authorization() {
                *self.authorization.write().unwrap_or_else(PoisonError::into_inner) = newer;
            }
        }
        Ok(reply)
    }

    /// Distribution and version. Not every build answers at its root, and not every user may ask.
    async fn product(&self) -> Result<String, ClusterError> {
        let root = self.call(Method::GET, "", Body::None).await?;
        if root.status == StatusCode::UNAUTHORIZED {
            return Err(wire::refusal(&root));
        }
        let told = if root.status.is_success() {
            product_by_root(&root.json)
        } else {
            let filter = "nodes.*.version,nodes.*.modules.opensearch_version";
            let nodes = self.call(Method::GET, &format!("_nodes/_local?filter_path={filter}"), Body::None).await?;
            let untold = || Some(format!("{} of a version that it does not tell", self.settings.name));
            if nodes.status.is_success() { product_by_nodes(&nodes.json) } else { untold() }
        };
        told.ok_or_else(|| ClusterError::Refused("what answers there is neither OpenSearch nor Elasticsearch".into()))
    }

    /// Hits as they come, in full pages or not.
    async fn hits(&self, body: &Value) -> Result<Vec<Value>, ClusterError> {
        let filter = "timed_out,_shards.failed,hits.hits._index,hits.hits._id,hits.hits.sort,hits.hits._source";
        let path = format!("{}/_search?{LENIENT}&allow_partial_search_results=false&filter_path={filter}", self.settings.index);
        let reply = self.call(Method::POST, &path, Body::Json(body)).await?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(Vec::new());
        }
        let mut json = complete(done(reply)?)?;
        match json.pointer_mut("/hits/hits").map(Value::take) {
            Some(Value::Array(hits)) => Ok(hits),
            _ => Ok(Vec::new()),
        }
    }

    /// Deletes what was found; gives how many of them were still there.
    async fn delete_hits(&self, hits: &[Value]) -> Result<u64, ClusterError> {
        let mut lines = Vec::new();
        for hit in hits {
            lines.extend_from_slice(json!({"delete": {"_index": hit["_index"], "_id": hit["_id"]}}).to_string().as_bytes());
            lines.push(b'\n');
        }
        let path = "_bulk?refresh=true&filter_path=items.*.status,items.*.error.type,items.*.error.reason";
        let json = done(self.call(Method::POST, path, Body::Lines(lines)).await?)?;
        let items = json["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let failed = items.iter().map(|item| &item["delete"]).find(|item| !matches!(item["status"].as_u64(), Some(200 | 404)));
        if let Some(item) = failed {
            return Err(ClusterError::Unavailable(format!("it did not delete: {}", wire::said(&item["error"]))));
        }
        Ok(items.iter().filter(|item| item["delete"]["status"].as_u64() == Some(200)).count() as u64)
    }

    /// Names of all monthly indexes, closed ones too, oldest first.
    async fn indexes(&self) -> Result<Vec<(i64, String)>, ClusterError> {
        let index = &self.settings.index;
        let path = format!("{index}-*/_settings/index.uuid?{LENIENT}&flat_settings=true&expand_wildcards=all");
        let reply = self.call(Method::GET, &path, Body::None).await?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(Vec::new());
        }
        let json = done(reply)?;
        let names = json.as_object().into_iter().flat_map(|object| object.keys());
        let mut found: Vec<(i64, String)> = names.filter_map(|name| Some((month::of(index, name)?, name.clone()))).collect();
        found.sort();
        Ok(found)
    }
}

impl SearchCluster for Cluster {
    fn name(&self) -> &'static str {
        self.settings.name
    }

    fn prepare<'a>(&'a self, mappings: &'a Value) -> BoxFuture<'a, Result<String, ClusterError>> {
        Box::pin(async move {
            let product = self.product().await?;
            let index = &self.settings.index;
            let template = month::template(index, mappings);
            done(self.call(Method::PUT, &format!("_index_template/{index}"), Body::Json(&template)).await?)?;
            // A template is for indexes to come; those that are there learn new fields by this.
            let there = self.call(Method::PUT, &format!("{index}-*/_mapping?{LENIENT}"), Body::Json(mappings)).await?;
            if there.status != StatusCode::NOT_FOUND {
                done(there)?;
            }
            Ok(product)
        })
    }

    /// Of documents in several requests the first ones may be stored when a later request fails; sent again, they are there already.
    fn put<'a>(&'a self, documents: &'a [ClusterDocument]) -> BoxFuture<'a, Result<Vec<PutAnswer>, ClusterError>> {
        Box::pin(async move {
            let mut answers = Vec::with_capacity(documents.len());
            while let Some(rest) = documents.get(answers.len()..).filter(|rest| !rest.is_empty()) {
                let mut request = bulk::Request::of(&self.settings.index, rest);
                if request.sent() == 0 {
                    answers.extend(request.answers(&Value::Null)?);
                    continue;
                }
                let lines = Body::Lines(std::mem::take(&mut request.lines));
                let path = "_bulk?filter_path=items.*.status,items.*.error.type,items.*.error.reason";
                let reply = self.call(Method::POST, path, lines).await?;
                if reply.status == StatusCode::PAYLOAD_TOO_LARGE && request.sent() == 1 {
                    answers.extend(request.all(&PutAnswer::Refused("longer than the cluster accepts".into())));
                } else {
                    answers.extend(request.answers(&done(reply)?)?);
                }
            }
            Ok(answers)
        })
    }

    fn search<'a>(&'a self, request: &'a ClusterSearch) -> BoxFuture<'a, Result<Vec<ClusterHit>, ClusterError>> {
        Box::pin(async move {
            let mut body = json!({"query": request.query, "sort": request.sort, "size": request.size, "_source": request.source, "track_total_hits": false});
            if let (Some(after), Some(body)) = (&request.after, body.as_object_mut()) {
                body.insert("search_after".into(), after.clone());
            }
            let hit = |mut hit: Value| {
                let id = hit["_id"].as_str().unwrap_or_default().to_owned();
                let mut part = |name: &str| hit.get_mut(name).map(Value::take).unwrap_or_default();
                ClusterHit { id, sort: part("sort"), source: part("_source") }
            };
            Ok(self.hits(&body).await?.into_iter().map(hit).collect())
        })
    }

    fn count<'a>(&'a self, query: &'a Value) -> BoxFuture<'a, Result<u64, ClusterError>> {
        Box::pin(async move {
            let path = format!("{}/_count?{LENIENT}", self.settings.index);
            let reply = self.call(Method::POST, &path, Body::Json(&json!({"query": query}))).await?;
            if reply.status == StatusCode::NOT_FOUND {
                return Ok(0);
            }
            complete(done(reply)?)?["count"].as_u64().ok_or_else(|| ClusterError::Unavailable("its answer has no count".into()))
        })
    }

    /// Without `_delete_by_query`, which not every build has: finds a page, deletes it, until nothing is found.
    fn delete<'a>(&'a self, query: &'a Value) -> BoxFuture<'a, Result<u64, ClusterError>> {
        Box::pin(async move {
            let page = json!({"query": query, "sort": ["_doc"], "size": DELETE_PAGE, "_source": false, "track_total_hits": false});
            let mut deleted = 0;
            self.refresh().await?;
            loop {
                let hits = self.hits(&page).await?;
                if hits.is_empty() {
                    return Ok(deleted);
                }
                let gone = self.delete_hits(&hits).await?;
                if gone == 0 {
                    return Err(ClusterError::Unavailable("it finds what is deleted already".into()));
                }
                deleted += gone;
            }
        })
    }

    /// Drops each index by its full name: wildcards are off by default in both, and others' names may begin alike.
    fn drop_before(&self, month: Option<i64>) -> BoxFuture<'_, Result<Vec<String>, ClusterError>> {
        Box::pin(async move {
            let mut dropped = Vec::new();
            for (_, name) in self.indexes().await?.into_iter().filter(|(of, _)| month.is_none_or(|month| *of < month)) {
                let reply = self.call(Method::DELETE, &name, Body::None).await?;
                if reply.status != StatusCode::NOT_FOUND {
                    done(reply)?;
                }
                dropped.push(name);
            }
            Ok(dropped)
        })
    }

    fn refresh(&self) -> BoxFuture<'_, Result<(), ClusterError>> {
        Box::pin(async move {
            let reply = self.call(Method::POST, &format!("{}/_refresh?{LENIENT}", self.settings.index), Body::None).await?;
            if reply.status == StatusCode::NOT_FOUND { Ok(()) } else { complete(done(reply)?).map(drop) }
        })
    }
}

/// OpenSearch names itself; what has a version and no distribution is Elasticsearch.
fn product_by_root(json: &Value) -> Option<String> {
    let version = &json["version"];
    let distribution = version["distribution"].as_str().unwrap_or("elasticsearch");
    Some(format!("{distribution} {}", version["number"].as_str()?))
}

/// Modules name the product that they were built for.
fn product_by_nodes(json: &Value) -> Option<String> {
    let node = json["nodes"].as_object()?.values().next()?;
    let opensearch = node["modules"].as_array().is_some_and(|modules| modules.iter().any(|module| module.get("opensearch_version").is_some()));
    Some(format!("{} {}", if opensearch { "opensearch" } else { "elasticsearch" }, node["version"].as_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_product_is_known_by_either_answer() {
        assert_eq!(product_by_root(&json!({"version": {"distribution": "opensearch", "number": "2.19.3"}})).unwrap(), "opensearch 2.19.3");
        assert_eq!(product_by_root(&json!({"version": {"number": "8.19.3", "build_flavor": "default"}})).unwrap(), "elasticsearch 8.19.3");
        let nodes = |modules: Value| json!({"nodes": {"x": {"version": "1.2.3", "modules": modules}}});
        assert_eq!(product_by_nodes(&nodes(json!([{"opensearch_version": "1.2.3"}]))).unwrap(), "opensearch 1.2.3");
        assert_eq!(product_by_nodes(&nodes(Value::Null)).unwrap(), "elasticsearch 1.2.3");
        assert_eq!(product_by_root(&Value::Null), None);
    }

    #[tokio::test]
    async fn a_cluster_that_takes_too_long_is_unavailable() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        // Connections are made by the system; nobody ever answers on them.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (username, password_file, api_key_file) = (None, None, None);
        let settings = ClusterSettings { name: "opensearch", url, index: "a".into(), ca_file: None, username, password_file, api_key_file };
        let mut cluster = Cluster::new(settings).unwrap();
        cluster.patience = Duration::from_millis(50);
        let error = cluster.refresh().await.unwrap_err();
        assert_eq!(error, ClusterError::Unavailable("no answer within 0.05 seconds".into()));
    }
}
