//! Alerts: to PagerDuty, and as signed requests of our own.

use std::{collections::BTreeMap, path::PathBuf};

use reqwest::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tutela_app::port::{AlertSender, Notice, NoticeKind, SendError};
use tutela_core::{Secret, seam::BoxFuture};

use super::{WebhookConfig, hook::Hook, sms::answered};
use crate::http::{Answer, check_url, client, read_secret, send};

/// Longest summary at PagerDuty.
const LONGEST_SUMMARY: usize = 1_024;

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

fn pagerduty() -> String {
    "https://events.pagerduty.com".into()
}

impl PagerDutyConfig {
    pub(crate) fn check(&self, name: &str) -> Result<(), String> {
        check_url(&self.url, &format!("channels.pagerduty.{name}.url"))
    }
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
    fn send<'a>(&'a self, to: &'a str, notice: &'a Notice, _below: Option<&'a str>) -> BoxFuture<'a, Result<Option<String>, SendError>> {
        Box::pin(async move {
            let (url, key) = self.services.get(to).ok_or_else(|| SendError::Refused(format!("`channels.pagerduty.{to}` is gone from the configuration")))?;
            let Some(body) = enqueued(key.open(), notice) else { return Ok(None) };
            judge(&answered(send(self.http.post(url).json(&body)).await)?)
        })
    }
}

/// An event as the API takes it; none where it has no word for what happened.
fn enqueued(key: &str, notice: &Notice) -> Option<Value> {
    let action = match notice.kind {
        NoticeKind::Opened | NoticeKind::More | NoticeKind::Test => "trigger",
        NoticeKind::Acknowledged => "acknowledge",
        NoticeKind::Resolved => "resolve",
        NoticeKind::Moved => return None,
    };
    let mut body = json!({"routing_key": key, "event_action": action, "dedup_key": cut(&notice.dedup, 255)});
    if action == "trigger" {
        body["client"] = "tutela".into();
        body["client_url"] = notice.link.as_str().into();
        body["payload"] = json!({
            "summary": cut(&notice.title, LONGEST_SUMMARY),
            "source": notice.source,
            "severity": match notice.level.as_str() { "critical" => "critical", "high" => "error", "medium" => "warning", _ => "info" },
            "timestamp": notice.time,
            "class": notice.rule,
            "custom_details": {"details": notice.details, "alert": notice.id},
        });
    }
    Some(body)
}

/// Addresses of the operator's.
pub struct Webhooks(BTreeMap<String, Hook>);

impl Webhooks {
    /// From its configuration; reads the secrets.
    pub fn new(config: &BTreeMap<String, WebhookConfig>) -> Result<Self, String> {
        let of = |(name, config): (&String, &WebhookConfig)| Ok((name.clone(), Hook::new(config, &format!("channels.webhook.{name}"))?));
        config.iter().map(of).collect::<Result<_, String>>().map(Self)
    }
}

impl AlertSender for Webhooks {
    /// CloudEvents 1.0, structured; the same `id` however often it is sent.
    fn send<'a>(&'a self, to: &'a str, notice: &'a Notice, _below: Option<&'a str>) -> BoxFuture<'a, Result<Option<String>, SendError>> {
        Box::pin(async move {
            let hook = self.0.get(to).ok_or_else(|| SendError::Refused(format!("`channels.webhook.{to}` is gone from the configuration")))?;
            let body = json!({
                "specversion": "1.0", "id": notice.id, "source": notice.link, "type": "tutela.alert", "time": notice.time, "datacontenttype": "application/json",
                "data": {
                    "kind": notice.kind.as_str(), "incident": notice.incident, "level": notice.level, "title": notice.title, "details": notice.details,
                    "rule": notice.rule, "dedup_key": notice.dedup,
                },
            });
            judge(&hook.post("application/cloudevents+json", &notice.id, body.to_string()).await?)
        })
    }
}

fn judge(answer: &Answer) -> Result<Option<String>, SendError> {
    let said = format!("it answered {}", answer.status);
    match answer.status {
        status if status.is_success() => Ok(None),
        // What is wrong with the message stays wrong; a wrong key or address is the operator's to mend.
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => Err(SendError::Refused(said)),
        _ => Err(SendError::Unavailable(said)),
    }
}

/// A text, with its end left out where it is too long.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most.saturating_sub(1)).chain(['…']).collect() }
}
