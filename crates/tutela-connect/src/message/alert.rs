//! Alerts: to Slack, to PagerDuty, and as signed requests of our own.

use std::{collections::BTreeMap, path::PathBuf};

use reqwest::{RequestBuilder, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tutela_app::port::{AlertSender, Notice, SendError};
use tutela_core::{Env as _, Secret, SystemEnv, seam::BoxFuture};

use super::{
    WebhookConfig,
    sms::{answered, signature},
};
use crate::http::{Answer, check_url, client, read_secret, send};

/// Longest text of a part of a Slack message, and of a summary at PagerDuty.
const LONGEST_SLACK: usize = 2_900;
const LONGEST_SUMMARY: usize = 1_024;

/// `[channels.slack]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// File with the token of the app (`xoxb-…`), which has `chat:write` and is in the channels that alerts name.
    pub token_file: PathBuf,
    /// Address of the API.
    #[serde(default = "slack")]
    pub url: String,
}

/// `[channels.pagerduty.NAME]`: a service of PagerDuty, by the name that alerts call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagerDutyConfig {
    /// File with the integration key of the service (Events API v2).
    pub routing_key_file: PathBuf,
    /// Address of the API.
    #[serde(default = "pagerduty")]
    pub url: String,
}

fn slack() -> String {
    "https://slack.com/api".into()
}

fn pagerduty() -> String {
    "https://events.pagerduty.com".into()
}

impl SlackConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        check_url(&self.url, "channels.slack.url")
    }
}

impl PagerDutyConfig {
    pub(crate) fn check(&self, name: &str) -> Result<(), String> {
        check_url(&self.url, &format!("channels.pagerduty.{name}.url"))
    }
}

/// Slack, by `chat.postMessage`.
pub struct Slack {
    http: reqwest::Client,
    url: String,
    token: Secret<String>,
}

impl Slack {
    /// From its configuration; reads the token.
    pub fn new(config: &SlackConfig) -> Result<Self, String> {
        let token = read_secret(&config.token_file).map_err(|e| format!("channels.slack: {e}"))?;
        Ok(Self { http: client(None)?, url: format!("{}/chat.postMessage", config.url.trim_end_matches('/')), token })
    }
}

impl AlertSender for Slack {
    fn send<'a>(&'a self, to: &'a str, notice: &'a Notice) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let request = self.http.post(&self.url).bearer_auth(self.token.open()).json(&blocks(to, notice));
            let answer = asked(request).await?;
            // Slack says 200 whatever happens.
            match answer.json["error"].as_str() {
                None if answer.json["ok"] == true => Ok(()),
                Some(why @ ("ratelimited" | "internal_error" | "service_unavailable" | "fatal_error" | "request_timeout")) => {
                    Err(SendError::Unavailable(why.into()))
                }
                // A channel that the app is not in, or a token that was taken back, is the operator's to mend; the alert waits for it.
                Some(why) => Err(SendError::Unavailable(format!("Slack said {why}"))),
                None => Err(SendError::Unavailable("its answer is not Slack's".into())),
            }
        })
    }
}

/// Block Kit: title, level, details. What attackers have written is text and nothing else: no markup, no mentions, no links.
fn blocks(to: &str, notice: &Notice) -> Value {
    let plain = |text: &str, most: usize| json!({"type": "plain_text", "text": cut(text, most), "emoji": false});
    json!({
        "channel": to,
        // For notifications; Slack reads three characters of markup here.
        "text": cut(&notice.title, LONGEST_SLACK).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        "mrkdwn": false,
        "unfurl_links": false,
        "unfurl_media": false,
        "client_msg_id": notice.id,
        "blocks": [
            {"type": "header", "text": plain(&notice.title, 150)},
            {"type": "section", "text": plain(&notice.details, LONGEST_SLACK)},
            {"type": "context", "elements": [plain(&format!("{} · {} · {}", notice.level, notice.time, notice.source), 300)]},
        ],
    })
}

/// PagerDuty, by its Events API v2.
pub struct PagerDuty {
    http: reqwest::Client,
    /// Address and key by name.
    services: BTreeMap<String, (String, Secret<String>)>,
}

impl PagerDuty {
    /// From its configuration; reads the keys.
    pub fn new(config: &BTreeMap<String, PagerDutyConfig>) -> Result<Self, String> {
        let of = |(name, config): (&String, &PagerDutyConfig)| {
            let key = read_secret(&config.routing_key_file).map_err(|e| format!("channels.pagerduty.{name}: {e}"))?;
            Ok((name.clone(), (format!("{}/v2/enqueue", config.url.trim_end_matches('/')), key)))
        };
        Ok(Self { http: client(None)?, services: config.iter().map(of).collect::<Result<_, String>>()? })
    }
}

impl AlertSender for PagerDuty {
    fn send<'a>(&'a self, to: &'a str, notice: &'a Notice) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let (url, key) = self.services.get(to).ok_or_else(|| SendError::Refused(format!("`channels.pagerduty.{to}` is gone from the configuration")))?;
            let body = json!({
                "routing_key": key.open(),
                "event_action": "trigger",
                "dedup_key": cut(&notice.dedup, 255),
                "client": "tutela",
                "client_url": notice.link,
                "payload": {
                    "summary": cut(&notice.title, LONGEST_SUMMARY),
                    "source": notice.source,
                    "severity": match notice.level.as_str() { "critical" => "critical", "high" => "error", "medium" => "warning", _ => "info" },
                    "timestamp": notice.time,
                    "class": notice.rule,
                    "custom_details": {"details": notice.details, "alert": notice.id},
                },
            });
            judge(&asked(self.http.post(url).json(&body)).await?)
        })
    }
}

/// Addresses of the operator's.
pub struct Webhooks {
    http: reqwest::Client,
    hooks: BTreeMap<String, (String, Secret<String>)>,
}

impl Webhooks {
    /// From its configuration; reads the secrets.
    pub fn new(config: &BTreeMap<String, WebhookConfig>) -> Result<Self, String> {
        let of = |(name, config): (&String, &WebhookConfig)| {
            let secret = read_secret(&config.secret_file).map_err(|e| format!("channels.webhook.{name}: {e}"))?;
            if secret.open().len() < 16 {
                return Err(format!("channels.webhook.{name}: the secret has at least 16 characters"));
            }
            Ok((name.clone(), (config.url.clone(), secret)))
        };
        Ok(Self { http: client(None)?, hooks: config.iter().map(of).collect::<Result<_, String>>()? })
    }
}

impl AlertSender for Webhooks {
    /// CloudEvents 1.0, structured; the same `id` however often it is sent.
    fn send<'a>(&'a self, to: &'a str, notice: &'a Notice) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let (url, secret) = self.hooks.get(to).ok_or_else(|| SendError::Refused(format!("`channels.webhook.{to}` is gone from the configuration")))?;
            let body = json!({
                "specversion": "1.0", "id": notice.id, "source": notice.link, "type": "tutela.alert", "time": notice.time, "datacontenttype": "application/json",
                "data": {"level": notice.level, "title": notice.title, "details": notice.details, "rule": notice.rule, "dedup_key": notice.dedup},
            })
            .to_string();
            let signed = signature(secret.open(), SystemEnv.now().secs(), &body);
            let request = self.http.post(url).header("content-type", "application/cloudevents+json").header("tutela-signature", signed);
            judge(&asked(request.header("idempotency-key", &notice.id).body(body)).await?)
        })
    }
}

async fn asked(request: RequestBuilder) -> Result<Answer, SendError> {
    answered(send(request).await)
}

fn judge(answer: &Answer) -> Result<(), SendError> {
    let said = format!("it answered {}", answer.status);
    match answer.status {
        status if status.is_success() => Ok(()),
        // What is wrong with the message stays wrong; a wrong key or address is the operator's to mend.
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => Err(SendError::Refused(said)),
        _ => Err(SendError::Unavailable(said)),
    }
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most.saturating_sub(1)).chain(['…']).collect() }
}
