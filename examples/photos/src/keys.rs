//! The public keys of the identity header (RFC 7517), fetched over HTTP and kept for a while.
//!
//! Fetched at first use, after five minutes, and when an unknown key id turns up, at most every ten seconds;
//! a failed fetch is remembered for one second. One task fetches while the others wait for it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::http::header::{ACCEPT, HOST};
use axum::http::uri::{Authority, PathAndQuery, Scheme, Uri};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::Error;

/// Ed25519 keys by key id.
pub(crate) struct Keys {
    client: Client<HttpConnector, Empty<Bytes>>,
    /// Where to connect: loopback for names under `.localhost`.
    uri: Uri,
    /// The name that was asked for.
    host: String,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    keys: HashMap<String, Vec<u8>>,
    fetched: Option<Instant>,
    failed: Option<Instant>,
}

impl Keys {
    /// Prepare to fetch from `url`, which is plain HTTP.
    pub(crate) fn new(url: &str) -> Result<Self, Error> {
        let wrong = || Error::Config(format!("`jwks_url` is not an http address: `{url}`"));
        let asked: Uri = url.parse().map_err(|_| wrong())?;
        let authority = asked.authority().ok_or_else(wrong)?;
        if asked.scheme() != Some(&Scheme::HTTP) {
            return Err(wrong());
        }
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            uri: reachable(&asked, authority).map_err(|_| wrong())?,
            host: authority.as_str().to_owned(),
            kept: Mutex::default(),
        })
    }

    /// The key of that id, or `None` where there is none.
    pub(crate) async fn find(&self, kid: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut kept = self.kept.lock().await;
        let known = kept.keys.contains_key(kid);
        let enough = if known { LONGEST_AGE } else { SHORTEST_AGE };
        if kept.fetched.is_none_or(|at| at.elapsed() >= enough) {
            if kept.failed.is_some_and(|at| at.elapsed() < FAILURE_AGE) {
                return Err(UNAVAILABLE);
            }
            match tokio::time::timeout(PATIENCE, self.fetch()).await {
                Ok(Some(keys)) => {
                    *kept = Kept { keys, fetched: Some(Instant::now()), failed: None };
                }
                Ok(None) | Err(_) => {
                    kept.failed = Some(Instant::now());
                    return Err(UNAVAILABLE);
                }
            }
        }
        Ok(kept.keys.get(kid).cloned())
    }

    async fn fetch(&self) -> Option<HashMap<String, Vec<u8>>> {
        let request = hyper::Request::get(self.uri.clone()).header(HOST, &self.host).header(ACCEPT, "application/json").body(Empty::new()).ok()?;
        let response = self.client.request(request).await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let body = Limited::new(response.into_body(), LARGEST_DOCUMENT);
        parse(&body.collect().await.ok()?.to_bytes())
    }
}

/// RFC 6761 §6.3: names under `.localhost` are this machine, though the C library does not know them.
fn reachable(asked: &Uri, authority: &Authority) -> Result<Uri, axum::http::Error> {
    let host = authority.host();
    let address = match authority.port_u16() {
        _ if host != "localhost" && !host.ends_with(".localhost") => authority.as_str().to_owned(),
        Some(port) => format!("127.0.0.1:{port}"),
        None => "127.0.0.1".to_owned(),
    };
    Uri::builder().scheme(Scheme::HTTP).authority(address).path_and_query(asked.path_and_query().map_or("/", PathAndQuery::as_str)).build()
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    x: Option<String>,
}

/// The Ed25519 keys of a document (RFC 8037 §2); keys of other kinds are for other readers.
fn parse(document: &[u8]) -> Option<HashMap<String, Vec<u8>>> {
    let document: Document = serde_json::from_slice(document).ok()?;
    let mut keys = HashMap::new();
    for key in document.keys {
        if key.kty != "OKP" || key.crv.as_deref() != Some("Ed25519") {
            continue;
        }
        let bytes = URL_SAFE_NO_PAD.decode(key.x?).ok()?;
        if bytes.len() != 32 || keys.insert(key.kid?, bytes).is_some() {
            return None;
        }
    }
    Some(keys)
}

const LONGEST_AGE: Duration = Duration::from_secs(300);
const SHORTEST_AGE: Duration = Duration::from_secs(10);
const FAILURE_AGE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(2);
const LARGEST_DOCUMENT: usize = 64 * 1024;
const UNAVAILABLE: Error = Error::Unavailable("sign-in cannot be checked at the moment; try again shortly");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_under_localhost_are_this_machine() {
        for (asked, connected, host) in [
            ("http://tutela.localhost:8080/k", "http://127.0.0.1:8080/k", "tutela.localhost:8080"),
            ("http://localhost/k?a=b", "http://127.0.0.1/k?a=b", "localhost"),
            ("http://notlocalhost:1/", "http://notlocalhost:1/", "notlocalhost:1"),
        ] {
            let keys = Keys::new(asked).expect(asked);
            assert_eq!((keys.uri.to_string().as_str(), keys.host.as_str()), (connected, host));
        }
        for wrong in ["", "/k", "https://tutela.localhost/k", "tutela.localhost"] {
            assert!(Keys::new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_ed25519_keys_are_read() {
        let x = URL_SAFE_NO_PAD.encode([7; 32]);
        let good = format!(r#"{{"keys":[{{"kty":"RSA","n":"AQAB"}},{{"kty":"OKP","crv":"Ed25519","kid":"a","x":"{x}"}}]}}"#);
        let keys = parse(good.as_bytes()).expect("read");
        assert_eq!(keys.get("a").map(Vec::as_slice), Some([7; 32].as_slice()));
        assert_eq!(keys.len(), 1);
        for wrong in ["", "[]", "{}", r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AA"}]}"#] {
            assert!(parse(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
