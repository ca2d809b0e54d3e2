//! Text messages: in the shape of Twilio's API, or as a signed request of our own.

use std::path::PathBuf;

use reqwest::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tutela_app::port::{ProviderError, SendError, SmsSender, TextMessage};
use tutela_core::{Secret, seam::BoxFuture};

use super::hook::Hook;
use crate::http::{Answer, check_url, client, read_secret, send};

/// `[channels.twilio]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TwilioConfig {
    /// Account SID.
    pub account_sid: String,
    /// File with the auth token.
    pub auth_token_file: PathBuf,
    /// Number that messages come from, or a messaging service (`MG…`).
    pub from: String,
    /// Address of the API; for carriers that speak as Twilio does.
    #[serde(default = "twilio")]
    pub url: String,
}

/// `[channels.sms_webhook]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where messages are posted as JSON: `{"id": …, "to": …, "body": …}`.
    pub url: String,
    /// File with the secret that signs them: `Tutela-Signature: t=SECONDS,v1=HEX`, HMAC-SHA-256 over `SECONDS.BODY`.
    pub secret_file: PathBuf,
}

fn twilio() -> String {
    "https://api.twilio.com".into()
}

impl TwilioConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        let fine = !self.account_sid.is_empty() && self.account_sid.bytes().all(|b| b.is_ascii_alphanumeric());
        if !fine {
            return Err("channels.twilio.account_sid: letters and digits only, for example `AC0123…`".into());
        }
        check_url(&self.url, "channels.twilio.url")
    }
}

/// Sends through Twilio.
pub struct Twilio {
    http: reqwest::Client,
    config: TwilioConfig,
    token: Secret<String>,
}

impl Twilio {
    /// From its configuration; reads the auth token.
    pub fn new(config: &TwilioConfig) -> Result<Self, String> {
        let token = read_secret(&config.auth_token_file).map_err(|e| format!("channels.twilio: {e}"))?;
        Ok(Self { http: client(None)?, config: config.clone(), token })
    }
}

impl SmsSender for Twilio {
    fn send<'a>(&'a self, message: &'a TextMessage) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let config = &self.config;
            let url = format!("{}/2010-04-01/Accounts/{}/Messages.json", config.url.trim_end_matches('/'), config.account_sid);
            let sender = if config.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
            let form = [("To", message.to.as_str()), (sender, config.from.as_str()), ("Body", message.body.open().as_str())];
            let request = self.http.post(url).basic_auth(&config.account_sid, Some(self.token.open())).form(&form);
            let answer = answered(send(request).await)?;
            // The number is what Twilio knows the error by; its text may repeat the phone.
            let code = answer.json.get("code").or_else(|| answer.json.get("error_code")).and_then(Value::as_i64);
            judge(&answer, code)
        })
    }
}

/// Posts to an address of the operator's.
pub struct Webhook(Hook);

impl Webhook {
    /// From its configuration; reads the secret.
    pub fn new(config: &WebhookConfig) -> Result<Self, String> {
        Hook::new(config, "channels.sms_webhook").map(Self)
    }
}

impl SmsSender for Webhook {
    fn send<'a>(&'a self, message: &'a TextMessage) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let body = json!({"id": message.id, "to": message.to, "body": message.body.open()}).to_string();
            judge(&self.0.post("application/json", &message.id, body).await?, None)
        })
    }
}

pub(super) fn answered(answer: Result<Answer, ProviderError>) -> Result<Answer, SendError> {
    answer.map_err(|e| match e {
        ProviderError::Unavailable(why) | ProviderError::Refused(why) | ProviderError::Gone(why) => SendError::Unavailable(why),
    })
}

fn judge(answer: &Answer, code: Option<i64>) -> Result<(), SendError> {
    if answer.status.is_success() {
        return Ok(());
    }
    let why = code.map_or_else(|| format!("it answered {}", answer.status), |code| format!("it answered {} with error {code}", answer.status));
    // A wrong credential is the operator's to mend; the messages wait for it.
    if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::REQUEST_TIMEOUT) {
        Err(SendError::Unavailable(why))
    } else {
        Err(SendError::Refused(why))
    }
}
