//! The one way we speak HTTP to a provider.

use std::{path::Path, time::Duration};

use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;
use tutela_app::port::ProviderError;

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const MAX_ANSWER: usize = 1 << 20;

/// An answer: its status, and its JSON where it has any.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub json: Value,
}

/// A client that trusts the system's roots, or only the CA in `ca_file`.
pub(crate) fn client(ca_file: Option<&Path>) -> Result<reqwest::Client, String> {
    builder(ca_file)?.timeout(PATIENCE).build().map_err(|e| e.to_string())
}

/// As [`client`], to be finished. Redirects are not followed.
pub(crate) fn builder(ca_file: Option<&Path>) -> Result<reqwest::ClientBuilder, String> {
    let mut builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).https_only(false);
    if let Some(path) = ca_file {
        let pem = std::fs::read(path).map_err(|e| format!("`{}`: {e}", path.display()))?;
        let ca = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| format!("`{}` is not a PEM certificate: {e}", path.display()))?;
        builder = builder.tls_certs_only(ca);
    }
    Ok(builder)
}

/// Sends a request. What is not an answer at all is `Unavailable`.
pub(crate) async fn send(request: RequestBuilder) -> Result<Answer, ProviderError> {
    let mut response = request.send().await.map_err(|e| ProviderError::Unavailable(reason(&e)))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| ProviderError::Unavailable(reason(&e)))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(ProviderError::Unavailable("its answer is longer than 1 MiB".into()));
        }
        body.extend_from_slice(&chunk);
    }
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    zeroize::Zeroize::zeroize(&mut body);
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(ProviderError::Unavailable(format!("it answered {status}")));
    }
    Ok(Answer { status, headers, json })
}

/// The cause without the address, which may name a tenant.
pub(crate) fn reason(e: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = e;
    while let Some(inner) = source.source() {
        source = inner;
    }
    if e.is_timeout() { "it did not answer within 10 seconds".into() } else { source.to_string() }
}

/// Reads a secret from its file; a line feed at its end is not part of it.
pub fn read_secret(path: &Path) -> Result<tutela_core::Secret<String>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("`{}`: {e}", path.display()))?;
    Ok(tutela_core::Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Cleartext HTTP is for loopback only, and an address has no credentials in it.
pub(crate) fn check_url(url: &str, key: &str) -> Result<(), String> {
    let parsed = reqwest::Url::parse(url).ok().filter(|u| u.has_host() && u.username().is_empty() && u.password().is_none());
    let parsed = parsed.ok_or_else(|| format!("{key}: `{url}` is not an address such as `https://vault.example.com`"))?;
    let host = parsed.host_str().unwrap_or_default();
    let loopback = ["127.0.0.1", "[::1]", "localhost"].contains(&host) || host.ends_with(".localhost");
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        "http" => Err(format!("{key}: `{url}` is plain HTTP; use `https`")),
        _ => Err(format!("{key}: `{url}` is not an address such as `https://vault.example.com`")),
    }
}

/// The host of an address, in lower case.
pub(crate) fn host_of(url: &str) -> String {
    reqwest::Url::parse(url).ok().and_then(|u| u.host_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_tls_or_stay_on_this_host() {
        for good in ["https://vault.example.com", "http://127.0.0.1:8200", "http://vault.localhost:1", "http://[::1]:1"] {
            assert_eq!(check_url(good, "k"), Ok(()), "{good}");
        }
        for bad in [
            "http://vault.example.com",
            "http://localhost:x@evil.example/t",
            "http://localhost@evil.example",
            "https://user:pass@vault.example.com",
            "ftp://localhost",
            "vault",
            "",
        ] {
            assert!(check_url(bad, "k").is_err(), "{bad}");
        }
    }
}
