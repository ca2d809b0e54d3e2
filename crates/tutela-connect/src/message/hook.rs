//! Signed requests to an address of the operator's: text messages and alerts.

use aws_lc_rs::hmac;
use tutela_app::port::SendError;
use tutela_core::{Env as _, Secret, SystemEnv};

use super::{WebhookConfig, sms::answered};
use crate::{
    http::{Answer, check_url, client, read_secret, send},
    text::hex,
};

/// Shortest secret.
const SHORTEST: usize = 16;

/// One address.
pub(super) struct Hook {
    http: reqwest::Client,
    url: String,
    secret: Secret<String>,
}

impl WebhookConfig {
    /// Refuses an address that would be asked in clear; `key` is the section.
    pub(crate) fn check(&self, key: &str) -> Result<(), String> {
        check_url(&self.url, &format!("{key}.url"))
    }
}

impl Hook {
    /// From its configuration; reads the secret.
    pub(super) fn new(config: &WebhookConfig, key: &str) -> Result<Self, String> {
        let secret = read_secret(&config.secret_file).map_err(|e| format!("{key}: {e}"))?;
        if secret.open().len() < SHORTEST {
            return Err(format!("{key}: the secret has at least {SHORTEST} characters"));
        }
        Ok(Self { http: client(None)?, url: config.url.clone(), secret })
    }

    /// Posts a body; the same `id` however often it is sent.
    pub(super) async fn post(&self, content_type: &str, id: &str, body: String) -> Result<Answer, SendError> {
        let signed = signature(self.secret.open(), SystemEnv.now().secs(), &body);
        let request = self.http.post(&self.url).header("content-type", content_type).header("tutela-signature", signed);
        answered(send(request.header("idempotency-key", id).body(body)).await)
    }
}

/// What the receiver computes too.
fn signature(secret: &str, seconds: i64, body: &str) -> String {
    format!("t={seconds},v1={}", hmac_hex(secret, &format!("{seconds}.{body}")))
}

/// HMAC-SHA-256 in hexadecimal.
pub(super) fn hmac_hex(secret: &str, text: &str) -> String {
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), text.as_bytes());
    hex(mac.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_openssl_computes() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 'a secret of sixteen'
        let text = signature("a secret of sixteen", 1_700_000_000, r#"{"a":1}"#);
        assert_eq!(text, "t=1700000000,v1=fbd8ce753f0c0643c2d4fef4959c30b175367059e6f5453bddeb7b24a3d1ae24");
    }
}
