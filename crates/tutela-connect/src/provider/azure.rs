//! Azure Key Vault: RSA-OAEP-256 by a key of its own for every epoch.
//!
//! A key's exact version is its `kid` without the vault's address: `NAME/VERSION`. Azure's RSA wrap
//! binds no context and does not say in the ciphertext which version it needs; so the version is
//! pinned by us, and the ring compares what comes back with a stored check value. A single version
//! cannot be deleted, only the whole key: hence a new key, not a new version, for every epoch.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tutela_app::port::{KeyProvider, ProviderError};
use tutela_core::{Secret, seam::BoxFuture};

use super::AzureConfig;
use crate::{
    http::{Answer, client, read_secret, send},
    text::query,
};

const API: &str = "api-version=2025-07-01";
/// Where a virtual machine asks for its identity's token (Azure Instance Metadata Service).
const METADATA: &str = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01";
/// Who may be asked for a token: Azure's public and national clouds.
const AUTHORITIES: [&str; 3] = ["login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"];
/// How often a deleted key is asked for again until it can be purged.
const PURGE_TRIES: u32 = 20;

/// A vault.
pub struct AzureKeyVault {
    config: AzureConfig,
    http: reqwest::Client,
    token: Mutex<Option<(Secret<String>, Instant)>>,
}

impl AzureKeyVault {
    /// Reads the CA; nothing is asked yet.
    pub fn new(config: AzureConfig) -> Result<Self, String> {
        config.check()?;
        let http = client(config.ca_file.as_deref())?;
        Ok(Self { config, http, token: Mutex::default() })
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, ProviderError> {
        let url = format!("{}/{path}?{API}", self.config.vault_url.trim_end_matches('/'));
        let token = self.held().await;
        let answer = self.ask(&method, &url, body, token.as_ref()).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // The vault says whom to ask for a token, and for what.
        let token = self.new_token(&answer).await?;
        self.ask(&method, &url, body, Some(&token)).await
    }

    async fn ask(&self, method: &Method, url: &str, body: Option<&Value>, token: Option<&Secret<String>>) -> Result<Answer, ProviderError> {
        let mut request = self.http.request(method.clone(), url);
        if let Some(token) = token {
            request = request.bearer_auth(token.open());
        }
        // The first request carries no body: nothing goes to a vault that has not named its authority.
        match (body, token) {
            (Some(body), Some(_)) => request = request.json(body),
            (Some(_), None) => request = request.header(header::CONTENT_LENGTH, 0),
            _ => {}
        }
        send(request).await
    }

    async fn held(&self) -> Option<Secret<String>> {
        self.token.lock().await.as_ref().filter(|(_, until)| Instant::now() < *until).map(|(token, _)| token.clone())
    }

    async fn new_token(&self, challenge: &Answer) -> Result<Secret<String>, ProviderError> {
        let text = challenge.headers.get(header::WWW_AUTHENTICATE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let part = |name: &str| text.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
        let authority = part("authorization").or_else(|| part("authorization_uri")).ok_or_else(|| odd("a challenge without an authority"))?;
        let resource = part("resource")
            .or_else(|| part("scope").map(|s| s.trim_end_matches("/.default").to_owned()))
            .ok_or_else(|| odd("a challenge without a resource"))?;
        self.check_resource(&resource)?;
        let answer = if self.config.managed_identity {
            let url = format!(
                "{METADATA}&resource={}{}",
                query(&resource),
                if self.config.client_id.is_empty() { String::new() } else { format!("&client_id={}", self.config.client_id) }
            );
            send(self.http.get(url).header("Metadata", "true")).await?
        } else {
            if !authority.trim_end_matches('/').ends_with(&format!("/{}", self.config.tenant_id)) {
                return Err(ProviderError::Refused("the vault belongs to another tenant than `kms.azure.tenant_id`".into()));
            }
            crate::http::check_url(&authority, "the vault's authority").map_err(ProviderError::Refused)?;
            if !self.config.any_challenge_resource && !AUTHORITIES.contains(&crate::http::host_of(&authority).as_str()) {
                return Err(ProviderError::Refused("the vault names an authority that is not one of Azure's".into()));
            }
            let file = self.config.client_secret_file.clone().unwrap_or_default();
            let secret = read_secret(&file).map_err(ProviderError::Refused)?;
            let scope = format!("{resource}/.default");
            let form = [("grant_type", "client_credentials"), ("client_id", &self.config.client_id), ("client_secret", secret.open()), ("scope", &scope)];
            send(
                self.http
                    .post(format!("{}/oauth2/v2.0/token", authority.trim_end_matches('/')))
                    .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(encoded(&form)),
            )
            .await?
        };
        let answer = done(answer)?;
        let token = Secret::new(answer.json["access_token"].as_str().ok_or_else(|| odd("no access token"))?.to_owned());
        let seconds = answer.json["expires_in"].as_u64().or_else(|| answer.json["expires_in"].as_str()?.parse().ok()).unwrap_or(300);
        *self.token.lock().await = Some((token.clone(), Instant::now() + Duration::from_secs(seconds.saturating_sub(60))));
        Ok(token)
    }

    /// A token for one vault must not be asked for by another: the resource's domain is the vault's.
    fn check_resource(&self, resource: &str) -> Result<(), ProviderError> {
        let (vault, resource) = (crate::http::host_of(&self.config.vault_url), crate::http::host_of(resource));
        let fits = !resource.is_empty() && vault.strip_suffix(&resource).is_some_and(|rest| rest.ends_with('.'));
        if fits || self.config.any_challenge_resource {
            Ok(())
        } else {
            Err(ProviderError::Refused(format!("the vault asks for a token of `{resource}`, which is not its domain")))
        }
    }
}

impl KeyProvider for AzureKeyVault {
    fn name(&self) -> &'static str {
        "azure-keyvault"
    }

    fn create<'a>(&'a self, label: &'a str) -> BoxFuture<'a, Result<String, ProviderError>> {
        Box::pin(async move {
            let key = json!({"kty": "RSA", "key_size": 3072, "key_ops": ["wrapKey", "unwrapKey"], "attributes": {"enabled": true}});
            let answer = done(self.call(Method::POST, &format!("keys/{label}/create"), Some(&key)).await?)?;
            let kid = answer.json["key"]["kid"].as_str().unwrap_or_default();
            let exact = kid.split("/keys/").nth(1).ok_or_else(|| odd("no kid"))?;
            split(exact).map(|_| exact.to_owned())
        })
    }

    fn wrap<'a>(&'a self, key: &'a str, clear: &'a [u8; 32], _: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, ProviderError>> {
        Box::pin(async move {
            let (name, version) = split(key)?;
            let body = json!({"alg": "RSA-OAEP-256", "value": BASE64.encode(clear)});
            let answer = done(self.call(Method::POST, &format!("keys/{name}/{version}/wrapkey"), Some(&body)).await?)?;
            if answer.json["kid"].as_str().is_some_and(|kid| !kid.ends_with(key)) {
                return Err(odd("a key of another version"));
            }
            answer.json["value"].as_str().and_then(|v| BASE64.decode(v).ok()).ok_or_else(|| odd("no value"))
        })
    }

    fn unwrap<'a>(&'a self, key: &'a str, wrapped: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<Secret<[u8; 32]>, ProviderError>> {
        Box::pin(async move {
            let (name, version) = split(key)?;
            let body = json!({"alg": "RSA-OAEP-256", "value": BASE64.encode(wrapped)});
            let answer = self.call(Method::POST, &format!("keys/{name}/{version}/unwrapkey"), Some(&body)).await?;
            let disabled = answer.json["error"]["innererror"]["code"].as_str() == Some("KeyDisabled");
            if answer.status == StatusCode::NOT_FOUND || disabled {
                return Err(ProviderError::Gone(format!("`{name}` is deleted or disabled")));
            }
            let answer = done(answer)?;
            let bytes = Secret::new(answer.json["value"].as_str().and_then(|v| BASE64.decode(v).ok()).ok_or_else(|| odd("no value"))?);
            bytes.open().as_slice().try_into().map(Secret::new).map_err(|_| odd("a value that is not 32 bytes"))
        })
    }

    /// Deletes and purges. Where the vault protects against purging, the key is gone at the end of its
    /// retention, and this says so.
    fn destroy<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let (name, _) = split(key)?;
            let deleted = self.call(Method::DELETE, &format!("keys/{name}"), None).await?;
            if deleted.status != StatusCode::NOT_FOUND {
                done(deleted)?;
            }
            for _ in 0..PURGE_TRIES {
                let purged = self.call(Method::DELETE, &format!("deletedkeys/{name}"), None).await?;
                match purged.status {
                    StatusCode::NO_CONTENT | StatusCode::OK | StatusCode::NOT_FOUND => return Ok(()),
                    // Deleting takes a moment.
                    StatusCode::CONFLICT => tokio::time::sleep(Duration::from_millis(500)).await,
                    _ => drop(done(purged)?),
                }
            }
            Err(ProviderError::Unavailable(format!("`{name}` is deleted but could not be purged yet")))
        })
    }

    fn warnings<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<String>, ProviderError>> {
        Box::pin(async move {
            let (name, version) = split(key)?;
            let answer = self.call(Method::GET, &format!("keys/{name}/{version}"), None).await?;
            if answer.status == StatusCode::NOT_FOUND {
                return Ok(vec![format!("the key `{name}` is not there")]);
            }
            let answer = done(answer)?;
            let attributes = &answer.json["attributes"];
            let mut out = Vec::new();
            if attributes["exp"].is_u64() {
                out.push(format!("`{name}` has an expiry date at the provider; remove it, tutela ends keys itself"));
            }
            if attributes["enabled"].as_bool() == Some(false) {
                out.push(format!("`{name}` is disabled at the provider"));
            }
            if attributes["exportable"].as_bool() == Some(true) {
                out.push(format!("`{name}` can be exported at the provider"));
            }
            let policy = self.call(Method::GET, &format!("keys/{name}/rotationpolicy"), None).await?;
            let rotates = policy.json["lifetimeActions"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|a| a["action"]["type"].as_str().is_some_and(|t| t.eq_ignore_ascii_case("rotate")));
            if rotates {
                out.push(format!("`{name}` rotates by itself at the provider; remove its rotation policy, tutela rotates by new keys"));
            }
            Ok(out)
        })
    }
}

fn split(key: &str) -> Result<(&str, &str), ProviderError> {
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    key.split_once('/').filter(|(name, version)| plain(name) && plain(version)).ok_or_else(|| odd("a key name that is not `NAME/VERSION`"))
}

fn done(answer: Answer) -> Result<Answer, ProviderError> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let error = &answer.json["error"];
    let text = [error["code"].as_str(), error["message"].as_str(), error.as_str()].into_iter().flatten().collect::<Vec<_>>().join(": ");
    Err(ProviderError::Refused(format!("{}: {}", answer.status, text.chars().take(300).collect::<String>())))
}

fn encoded(form: &[(&str, &str)]) -> String {
    form.iter().map(|(name, value)| format!("{name}={}", query(value))).collect::<Vec<_>>().join("&")
}

fn odd(what: &str) -> ProviderError {
    ProviderError::Refused(format!("the answer or the request has {what}"))
}
