//! A bucket of S3, or of a server that speaks like it. What is erased goes with every version that the bucket keeps: a
//! plain delete would only hide it.

mod listing;
mod sign;

use std::{path::Path, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Url;
use serde_json::{Map, Value, json};
use tutela_app::port::{DataError, DataStore, Hit};
use tutela_core::{Env as _, Secret, SystemEnv, seam::BoxFuture};
use tutela_privacy::{
    plan::{Change, StoreKind},
    schema::Schema,
};

use self::{
    listing::Version,
    sign::{EMPTY, Request, Signer},
};
use crate::{http, text};

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest list of one page.
const LONGEST_LIST: usize = 8 << 20;
/// Most versions below one key.
const MOST_VERSIONS: usize = 100_000;
/// Deletions under way at once.
const AT_ONCE: usize = 8;

pub(super) struct S3 {
    client: reqwest::Client,
    base: Url,
    host: String,
    bucket: String,
    signer: Signer,
}

/// An answer: its status and what stands in it.
type Answer = (u16, Vec<u8>);

impl S3 {
    pub(super) fn new(url: &str, bucket: &str, region: Option<&str>, access_key: &str, secret: Secret<String>, ca_file: Option<&Path>) -> Result<Self, String> {
        http::check_url(url, "url")?;
        let base = Url::parse(url).map_err(|e| format!("url: {e}"))?;
        if base.path() != "/" || base.query().is_some() {
            return Err("url: only scheme, host and port; the bucket stands in `bucket`".into());
        }
        if bucket.is_empty() || !bucket.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) || bucket.contains("..") {
            return Err(format!("bucket: `{bucket}` is no name of a bucket"));
        }
        let host = base.host_str().map(|host| base.port().map_or(host.to_owned(), |port| format!("{host}:{port}"))).unwrap_or_default();
        let client = http::builder(ca_file)?.timeout(PATIENCE).no_proxy().build().map_err(|e| e.to_string())?;
        let signer = Signer { access_key: access_key.to_owned(), secret, region: region.unwrap_or("us-east-1").to_owned() };
        Ok(Self { client, base, host, bucket: bucket.to_owned(), signer })
    }

    /// Sends a request and reads up to so many bytes of the answer; nothing where there are more.
    async fn send(&self, method: &str, key: &str, query: &[(&str, String)], most: usize) -> Result<Option<Answer>, DataError> {
        let path = if key.is_empty() { format!("/{}", self.bucket) } else { format!("/{}/{}", self.bucket, text::path(key)) };
        let mut query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", text::query(value))).collect();
        query.sort();
        let query = query.join("&");
        let (date, authorization) = self.signer.headers(&Request { method, host: &self.host, path: &path, query: &query }, SystemEnv.now());
        let mut url = self.base.clone();
        url.set_path(&path);
        url.set_query(Some(&query).filter(|query| !query.is_empty()).map(String::as_str));
        if url.path() != path {
            return Err(DataError::Refused("a key with `.` or `..` between slashes cannot be asked for".into()));
        }
        let unavailable = |e: reqwest::Error| DataError::Unavailable(http::reason(&e));
        let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(|e| DataError::Refused(e.to_string()))?;
        let request = self.client.request(method, url).header("x-amz-date", date).header("x-amz-content-sha256", EMPTY).header("authorization", authorization);
        let mut response = request.send().await.map_err(unavailable)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
            if body.len() + chunk.len() > most {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        match status.as_u16() {
            501 => Ok(Some((501, body))),
            500.. | 408 | 429 => Err(DataError::Unavailable(format!("it answered {status}"))),
            status => Ok(Some((status, body))),
        }
    }

    /// Every version below a key, or of exactly this one.
    async fn versions(&self, key: &str) -> Result<Vec<Version>, DataError> {
        let found = match self.list(key, ("versions", String::new())).await? {
            Some(found) => Some(found),
            // Some servers keep no versions and do not know the question.
            None => self.list(key, ("list-type", "2".to_owned())).await?,
        };
        Ok(found.ok_or_else(|| DataError::Refused("it does not list objects".into()))?.0)
    }

    /// Every upload in parts below a key, or of exactly this one, that nobody has ended.
    async fn uploads(&self, key: &str) -> Result<Vec<(String, String)>, DataError> {
        Ok(self.list(key, ("uploads", String::new())).await?.unwrap_or_default().1)
    }

    /// What it lists of a kind, over all pages; nothing where it does not know the question.
    async fn list(&self, key: &str, kind: (&str, String)) -> Result<Option<(Vec<Version>, Vec<(String, String)>)>, DataError> {
        let is_meant = |of: &str| key.ends_with('/') || of == key;
        let (mut versions, mut uploads, mut next) = (Vec::new(), Vec::new(), Some(Vec::new()));
        while let Some(more) = next.take() {
            let mut query = vec![("encoding-type", "url".to_owned()), ("prefix", key.to_owned()), kind.clone()];
            query.extend(more);
            let (status, body) =
                self.send("GET", "", &query, LONGEST_LIST).await?.ok_or_else(|| DataError::Refused("a page of its list is longer than 8 MiB".into()))?;
            match status {
                200 => {}
                501 => return Ok(None),
                _ => return Err(refused(status, &body)),
            }
            let page = listing::read(&String::from_utf8_lossy(&body))?;
            // Names are in order: what only begins like a key comes after it.
            let past = page.versions.iter().map(|of| &of.key).chain(page.uploads.iter().map(|of| &of.0)).any(|of| !is_meant(of));
            versions.extend(page.versions.into_iter().filter(|of| is_meant(&of.key)));
            uploads.extend(page.uploads.into_iter().filter(|of| is_meant(&of.0)));
            if versions.len() + uploads.len() > MOST_VERSIONS {
                return Err(DataError::Refused(format!("more than {MOST_VERSIONS} versions of objects below one key")));
            }
            next = page.next.filter(|_| !past);
        }
        Ok(Some((versions, uploads)))
    }

    /// The oldest version first and marks last: what is refused on the way uncovers nothing that a mark hides.
    async fn erase(&self, mut object: Vec<Version>) -> Result<(), DataError> {
        object.reverse();
        object.sort_by_key(|version| version.mark);
        for version in object {
            self.delete(&version.key, ("versionId", version.id)).await?;
        }
        Ok(())
    }

    /// Deletes a version or an upload; what is not there is deleted.
    async fn delete(&self, key: &str, which: (&str, String)) -> Result<(), DataError> {
        let (status, body) = self.send("DELETE", key, &[which], LONGEST_LIST).await?.unwrap_or_default();
        match status {
            200..300 | 404 => Ok(()),
            403 => Err(DataError::Refused(format!("{}; it may be under a lock or a legal hold", reason(status, &body)))),
            _ => Err(refused(status, &body)),
        }
    }
}

impl DataStore for S3 {
    fn kind(&self) -> StoreKind {
        StoreKind::Objects
    }

    fn schema(&self) -> BoxFuture<'_, Result<Schema, DataError>> {
        Box::pin(async {
            match self.send("HEAD", "", &[], 0).await? {
                Some((200..300, _)) | None => Ok(Schema::default()),
                Some((status, body)) => Err(refused(status, &body)),
            }
        })
    }

    fn find<'a>(&'a self, _collection: &'a str, _field: &'a str, values: &'a [Value]) -> BoxFuture<'a, Result<Vec<Map<String, Value>>, DataError>> {
        Box::pin(async {
            let mut rows = Vec::new();
            for key in keys(values.iter())? {
                let mut versions = self.versions(key).await?;
                // By key, what a plain read gives first.
                versions.sort_by(|a, b| a.key.cmp(&b.key).then(b.latest.cmp(&a.latest)));
                for same in versions.chunk_by(|a, b| a.key == b.key) {
                    let first = &same[0];
                    rows.push(Map::from_iter([
                        ("key".to_owned(), json!(first.key)),
                        ("bytes".to_owned(), json!(first.bytes)),
                        ("changed_at".to_owned(), json!(first.changed_at)),
                        ("versions".to_owned(), json!(same.iter().filter(|of| !of.mark).count())),
                    ]));
                }
                for (key, _) in self.uploads(key).await? {
                    rows.push(Map::from_iter([("key".to_owned(), json!(key)), ("versions".to_owned(), json!(0)), ("unfinished".to_owned(), json!(true))]));
                }
            }
            Ok(rows)
        })
    }

    fn apply<'a>(&'a self, changes: &'a [Change], _token: &'a str) -> BoxFuture<'a, Result<(), DataError>> {
        Box::pin(async {
            for key in keys(changes.iter().filter_map(|change| change.key.get("key")))? {
                let mut versions = self.versions(key).await?;
                versions.sort_by(|a, b| a.key.cmp(&b.key));
                // Many objects at once, and of each one version after the other: some servers trip over two.
                let objects: Vec<Vec<Version>> = versions.chunk_by(|a, b| a.key == b.key).map(<[_]>::to_vec).collect();
                stream::iter(objects).map(|object| self.erase(object)).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
                for (key, id) in self.uploads(key).await? {
                    self.delete(&key, ("uploadId", id)).await?;
                }
            }
            Ok(())
        })
    }

    fn scan<'a>(&'a self, _needles: &'a [String]) -> BoxFuture<'a, Result<Vec<Hit>, DataError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn read<'a>(&'a self, key: &'a str, most: u64) -> BoxFuture<'a, Result<Option<Vec<u8>>, DataError>> {
        Box::pin(async move {
            keys([&Value::from(key)].into_iter())?;
            match self.send("GET", key, &[], usize::try_from(most).unwrap_or(usize::MAX)).await? {
                Some((200..300, body)) => Ok(Some(body)),
                // Larger than there is room, or hidden by a mark: the package says that it is held.
                None | Some((404, _)) => Ok(None),
                Some((status, body)) => Err(refused(status, &body)),
            }
        })
    }
}

/// Keys of objects; one that means the whole bucket is none.
fn keys<'a>(values: impl Iterator<Item = &'a Value>) -> Result<Vec<&'a str>, DataError> {
    let found: Vec<&str> = values.filter_map(Value::as_str).collect();
    match found.iter().find(|key| key.trim_matches('/').is_empty() || key.len() > 1_024) {
        Some(key) => Err(DataError::Refused(format!("`{key}` is no key of an object"))),
        None => Ok(found),
    }
}

fn refused(status: u16, body: &[u8]) -> DataError {
    DataError::Refused(reason(status, body))
}

/// What an answer says, by its code alone: its words may name the person.
fn reason(status: u16, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
    match code.filter(|code| code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric())) {
        Some(code) => format!("it answered {status} {code}"),
        None => format!("it answered {status}"),
    }
}
