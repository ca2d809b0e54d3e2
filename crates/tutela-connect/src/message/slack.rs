//! Slack: alerts as messages, what follows in their thread, and two buttons that come back signed.

use std::path::PathBuf;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tutela_app::port::{AlertSender, Notice, NoticeKind, Pressed, SendError};
use tutela_core::{Secret, Timestamp, seam::BoxFuture};

use super::{alert::cut, hook::hmac_hex, sms::answered};
use crate::http::{check_url, client, read_secret, send};

/// Longest text of a part of a message.
const LONGEST: usize = 2_900;
/// How old a press of a button may be.
const FRESH: i64 = 300;

/// `[channels.slack]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// File with the token of the app (`xoxb-…`), which has `chat:write` and is in the channels that alerts name.
    pub token_file: PathBuf,
    /// File with the signing secret of the app. With it alerts have buttons that acknowledge an incident and lift its blocks; the app's Interactivity Request URL is `/v1/alerts/slack` below `server.public_url`. Whoever is in the channel can press them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_secret_file: Option<PathBuf>,
    /// Address of the API.
    #[serde(default = "api")]
    pub url: String,
}

fn api() -> String {
    "https://slack.com/api".into()
}

impl SlackConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        check_url(&self.url, "channels.slack.url")
    }
}

/// Slack, by `chat.postMessage`.
pub struct Slack {
    http: reqwest::Client,
    url: String,
    token: Secret<String>,
    signing: Option<Secret<String>>,
}

impl Slack {
    /// From its configuration; reads the secrets.
    pub fn new(config: &SlackConfig) -> Result<Self, String> {
        let read = |path: &PathBuf| read_secret(path).map_err(|e| format!("channels.slack: {e}"));
        let url = format!("{}/chat.postMessage", config.url.trim_end_matches('/'));
        Ok(Self { http: client(None)?, url, token: read(&config.token_file)?, signing: config.signing_secret_file.as_ref().map(read).transpose()? })
    }

    /// Block Kit: title, level, details. What attackers have written is text and nothing else: no markup, no mentions, no links.
    fn message(&self, to: &str, notice: &Notice, below: Option<&str>) -> Value {
        let plain = |text: &str, most: usize| json!({"type": "plain_text", "text": cut(text, most), "emoji": false});
        let mut blocks = vec![
            json!({"type": "header", "text": plain(&notice.title, 150)}),
            json!({"type": "section", "text": plain(&notice.details, LONGEST)}),
            json!({"type": "context", "elements": [plain(&format!("{} · {} · {}", notice.level, notice.time, notice.source), 300)]}),
        ];
        if let (NoticeKind::Opened, Some(incident), Some(_)) = (notice.kind, &notice.incident, &self.signing) {
            let button = |action: &str, label: &str| json!({"type": "button", "action_id": action, "value": incident, "text": plain(label, 75)});
            blocks.push(json!({"type": "actions", "elements": [button("acknowledge", "Acknowledge"), button("undo", "Lift its blocks")]}));
        }
        let mut message = json!({
            "channel": to,
            // For notifications; Slack reads three characters of markup here.
            "text": cut(&notice.title, LONGEST).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
            "mrkdwn": false,
            "unfurl_links": false,
            "unfurl_media": false,
            "client_msg_id": notice.id,
            "blocks": blocks,
        });
        if let Some(below) = below {
            message["thread_ts"] = below.into();
        }
        message
    }
}

impl AlertSender for Slack {
    fn send<'a>(&'a self, to: &'a str, notice: &'a Notice, below: Option<&'a str>) -> BoxFuture<'a, Result<Option<String>, SendError>> {
        Box::pin(async move {
            let request = self.http.post(&self.url).bearer_auth(self.token.open()).json(&self.message(to, notice, below));
            let answer = answered(send(request).await)?;
            // Slack says 200 whatever happens. A channel that the app is not in, or a token that was taken back, is the
            // operator's to mend; the alert waits for it.
            match answer.json["error"].as_str() {
                None if answer.json["ok"] == true => Ok(answer.json["ts"].as_str().map(str::to_owned)),
                Some(why) => Err(SendError::Unavailable(format!("Slack said {}", cut(why, 100)))),
                None => Err(SendError::Unavailable("its answer is not Slack's".into())),
            }
        })
    }

    /// <https://docs.slack.dev/authentication/verifying-requests-from-slack>: `v0=` and the HMAC of `v0:TIMESTAMP:BODY`.
    fn pressed(&self, timestamp: &str, signature: &str, body: &str, now: Timestamp) -> Option<Pressed> {
        let secret = self.signing.as_ref()?;
        let seconds: i64 = timestamp.parse().ok()?;
        let expected = format!("v0={}", hmac_hex(secret.open(), &format!("v0:{timestamp}:{body}")));
        if (now.secs() - seconds).abs() > FRESH || verify_slices_are_equal(expected.as_bytes(), signature.as_bytes()).is_err() {
            return None;
        }
        let form = reqwest::Url::parse(&format!("https://slack.invalid/?{body}")).ok()?;
        let payload: Value = serde_json::from_str(&form.query_pairs().find(|(name, _)| name == "payload")?.1).ok()?;
        let action = payload["actions"].as_array()?.first()?;
        let text = |value: &Value| value.as_str().map(|text| cut(text, 100));
        let who = text(&payload["user"]["username"]).or_else(|| text(&payload["user"]["id"]))?;
        Some(Pressed { incident: text(&action["value"])?, action: text(&action["action_id"])?, who: format!("{who} in Slack") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slack() -> Slack {
        // The secret and request of Slack's own documentation.
        let signing = Some(Secret::new("8f742231b10e8888abcd99yyyzzz85a5".to_owned()));
        Slack { http: client(None).unwrap(), url: String::new(), token: Secret::new(String::new()), signing }
    }

    #[test]
    fn the_signature_is_that_of_slacks_documentation() {
        let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let mac = hmac_hex("8f742231b10e8888abcd99yyyzzz85a5", &format!("v0:1531420618:{body}"));
        assert_eq!(mac, "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503");
    }

    #[test]
    fn a_press_is_good_when_it_is_signed_and_fresh() {
        let payload =
            json!({"type": "block_actions", "user": {"id": "U1", "username": "ada"}, "actions": [{"action_id": "acknowledge", "value": "an-incident"}]});
        let mut form = reqwest::Url::parse("https://slack.invalid/").unwrap();
        let body = form.query_pairs_mut().append_pair("payload", &payload.to_string()).finish().query().unwrap().to_owned();
        let slack = slack();
        let signed = format!("v0={}", hmac_hex("8f742231b10e8888abcd99yyyzzz85a5", &format!("v0:1000:{body}")));
        let at = |secs| Timestamp::from_secs(secs);
        let pressed = slack.pressed("1000", &signed, &body, at(1_100)).unwrap();
        assert_eq!((pressed.incident.as_str(), pressed.action.as_str(), pressed.who.as_str()), ("an-incident", "acknowledge", "ada in Slack"));
        assert!(slack.pressed("1000", &signed, &body, at(1_301)).is_none(), "too old");
        assert!(slack.pressed("1001", &signed, &body, at(1_100)).is_none(), "another time");
        assert!(slack.pressed("1000", &signed, &format!("{body}&x=1"), at(1_100)).is_none(), "another body");
        assert!(slack.pressed("1000", "v0=", &body, at(1_100)).is_none());
        let silent = Slack { signing: None, ..slack };
        assert!(silent.pressed("1000", &signed, &body, at(1_100)).is_none(), "no secret, no buttons");
    }
}
