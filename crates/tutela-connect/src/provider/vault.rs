//! The transit engine of HashiCorp Vault and OpenBao.
//!
//! A key's exact version is `NAME:1`: every epoch has a key of its own, of which only the first version
//! is ever used. Unwrapping names no version in the call, because transit reads it from the ciphertext
//! (`vault:v1:…`); that the prefix says `v1` is checked here.

use std::sync::RwLock;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tutela_app::port::{KeyProvider, ProviderError};
use tutela_core::{Secret, seam::BoxFuture};

use super::VaultConfig;
use crate::http::{Answer, client, read_secret, send};

/// A transit engine.
pub struct Vault {
    config: VaultConfig,
    http: reqwest::Client,
    token: RwLock<Secret<String>>,
}

impl Vault {
    /// Reads token and CA; nothing is asked yet.
    pub fn new(config: VaultConfig) -> Result<Self, String> {
        config.check()?;
        let http = client(config.ca_file.as_deref())?;
        let token = RwLock::new(read_secret(&config.token_file)?);
        Ok(Self { config, http, token })
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, ProviderError> {
        let mount = if self.config.mount.is_empty() { "transit" } else { self.config.mount.trim_matches('/') };
        let url = format!("{}/v1/{mount}/{path}", self.config.address.trim_end_matches('/'));
        let answer = self.ask(&method, &url, body).await?;
        if answer.status != StatusCode::FORBIDDEN {
            return Ok(answer);
        }
        // An agent may have written a newer token.
        let fresh = read_secret(&self.config.token_file).map_err(ProviderError::Refused)?;
        *self.token.write().unwrap_or_else(std::sync::PoisonError::into_inner) = fresh;
        self.ask(&method, &url, body).await
    }

    async fn ask(&self, method: &Method, url: &str, body: Option<&Value>) -> Result<Answer, ProviderError> {
        let token = self.token.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let mut request = self.http.request(method.clone(), url).header("X-Vault-Token", token.open().as_str()).header("X-Vault-Request", "true");
        if let Some(namespace) = &self.config.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        send(request).await
    }
}

impl KeyProvider for Vault {
    fn name(&self) -> &'static str {
        "vault"
    }

    fn create<'a>(&'a self, label: &'a str) -> BoxFuture<'a, Result<String, ProviderError>> {
        Box::pin(async move {
            // Not exportable, no plaintext backup, no rotation behind our back.
            let key = json!({"type": "aes256-gcm96", "exportable": false, "allow_plaintext_backup": false, "auto_rotate_period": "0"});
            done(self.call(Method::POST, &format!("keys/{label}"), Some(&key)).await?)?;
            Ok(format!("{label}:1"))
        })
    }

    fn wrap<'a>(&'a self, key: &'a str, clear: &'a [u8; 32], context: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, ProviderError>> {
        Box::pin(async move {
            let (name, version) = split(key)?;
            let body = json!({"plaintext": BASE64.encode(clear), "associated_data": BASE64.encode(context), "key_version": version});
            let answer = done(self.call(Method::POST, &format!("encrypt/{name}"), Some(&body)).await?)?;
            let text = answer.json["data"]["ciphertext"].as_str().ok_or_else(|| odd("no ciphertext"))?;
            if !text.starts_with(&format!("vault:v{version}:")) {
                return Err(odd("a ciphertext of another version"));
            }
            Ok(text.as_bytes().to_vec())
        })
    }

    fn unwrap<'a>(&'a self, key: &'a str, wrapped: &'a [u8], context: &'a [u8]) -> BoxFuture<'a, Result<Secret<[u8; 32]>, ProviderError>> {
        Box::pin(async move {
            let (name, version) = split(key)?;
            let text = std::str::from_utf8(wrapped)
                .ok()
                .filter(|t| t.starts_with(&format!("vault:v{version}:")))
                .ok_or_else(|| odd("a wrapped key of another version"))?;
            let body = json!({"ciphertext": text, "associated_data": BASE64.encode(context)});
            let answer = self.call(Method::POST, &format!("decrypt/{name}"), Some(&body)).await?;
            if answer.status == StatusCode::BAD_REQUEST && said(&answer).contains("encryption key not found") {
                return Err(ProviderError::Gone(format!("`{name}` is not there")));
            }
            let answer = done(answer)?;
            let bytes = Secret::new(answer.json["data"]["plaintext"].as_str().and_then(|t| BASE64.decode(t).ok()).ok_or_else(|| odd("no plaintext"))?);
            bytes.open().as_slice().try_into().map(Secret::new).map_err(|_| odd("a plaintext that is not 32 bytes"))
        })
    }

    fn destroy<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let (name, _) = split(key)?;
            let there = self.call(Method::GET, &format!("keys/{name}"), None).await?;
            if there.status == StatusCode::NOT_FOUND {
                return Ok(());
            }
            done(there)?;
            done(self.call(Method::POST, &format!("keys/{name}/config"), Some(&json!({"deletion_allowed": true}))).await?)?;
            done(self.call(Method::DELETE, &format!("keys/{name}"), None).await?)?;
            Ok(())
        })
    }

    fn warnings<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<String>, ProviderError>> {
        Box::pin(async move {
            let (name, version) = split(key)?;
            let answer = self.call(Method::GET, &format!("keys/{name}"), None).await?;
            if answer.status == StatusCode::NOT_FOUND {
                return Ok(vec![format!("the key `{name}` is not there")]);
            }
            let data = &done(answer)?.json["data"];
            let mut out = Vec::new();
            let number = |field: &str| data[field].as_u64().unwrap_or(0);
            if number("auto_rotate_period") > 0 {
                out.push(format!("`{name}` rotates by itself at the provider; set `auto_rotate_period` to 0, tutela rotates by new keys"));
            }
            if number("min_decryption_version") > version {
                out.push(format!("`{name}` does not decrypt version {version} any more; lower `min_decryption_version`"));
            }
            for (field, what) in
                [("exportable", "can be exported"), ("allow_plaintext_backup", "can be backed up in clear"), ("deletion_allowed", "can be deleted")]
            {
                if data[field].as_bool() == Some(true) {
                    out.push(format!("`{name}` {what} at the provider (`{field}`)"));
                }
            }
            Ok(out)
        })
    }
}

fn split(key: &str) -> Result<(&str, u64), ProviderError> {
    let parts = key.rsplit_once(':').and_then(|(name, version)| Some((name, version.parse().ok()?)));
    parts
        .filter(|(name, _)| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)))
        .ok_or_else(|| odd("a key name that is not `NAME:VERSION`"))
}

fn done(answer: Answer) -> Result<Answer, ProviderError> {
    if answer.status.is_success() { Ok(answer) } else { Err(ProviderError::Refused(format!("{}: {}", answer.status, said(&answer)))) }
}

fn said(answer: &Answer) -> String {
    let errors = answer.json["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    errors.collect::<Vec<_>>().join("; ").chars().take(300).collect()
}

fn odd(what: &str) -> ProviderError {
    ProviderError::Refused(format!("the answer or the request has {what}"))
}
