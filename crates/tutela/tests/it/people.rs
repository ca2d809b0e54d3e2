//! What a person meets who signs in: helpers that read pages and mail, as a browser with its owner would.

use aws_lc_rs::hmac;
use reqwest::Response;
use serde_json::Value;
use tutela_core::{Env, SystemEnv};

use crate::server::{Browser, Instance, PASSWORD, until};

/// Messages go to a file, and every second factor is offered.
pub const MESSAGES: &str = "[channels]\nlog = \"messages.jsonl\"\n[identity.mfa]\nproviders = [\"totp\", \"sms\", \"email\"]\n";

impl Instance {
    /// Every message that was sent so far.
    pub fn messages(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.dir.path().join("messages.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The newest message to somebody that holds `text`, once it has been sent.
    pub async fn message(&self, to: &str, text: &str) -> String {
        let found = || self.messages().into_iter().rev().find(|m| m["to"] == to && m["body"].as_str().unwrap().contains(text));
        until(&format!("a message to {to} with `{text}`"), async || found().is_some()).await;
        found().unwrap()["body"].as_str().unwrap().to_owned()
    }

    /// The address in the newest mail to somebody that leads to `path`.
    pub async fn mailed_link(&self, to: &str, path: &str) -> String {
        let body = self.message(to, path).await;
        body.split_whitespace().find(|word| word.contains(path)).unwrap().to_owned()
    }
}

impl Browser {
    /// Sends mail address and password to the sign-in page.
    pub async fn password(&self, instance: &Instance, email: &str) -> Response {
        self.post(&format!("{}/sign-in", instance.own()), &[("email", email), ("password", PASSWORD)]).await
    }

    /// Sends a form of a page that the own host showed.
    pub async fn submit(&self, instance: &Instance, path: &str, fields: &[(&str, &str)]) -> Response {
        self.post(&format!("{}{path}", instance.own()), fields).await
    }

    /// A page of the own host, as text.
    pub async fn page(&self, instance: &Instance, path: &str) -> String {
        self.get(&format!("{}{path}", instance.own())).await.text().await.unwrap()
    }
}

/// The value of a hidden field of the form that posts to `action`.
pub fn hidden(page: &str, action: &str, name: &str) -> String {
    let form = page.split(&format!("action=\"{action}\"")).nth(1).unwrap_or_else(|| panic!("there is no form for `{action}` in {page}"));
    let field = form.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap_or_else(|| panic!("there is no `{name}` in {form}"));
    field.split('"').next().unwrap().to_owned()
}

/// A page without what is different each time: challenges of passkeys, and what is sealed.
pub fn without_chance(page: &str) -> String {
    let mut text = page.to_owned();
    for name in ["data-options=\"", "name=\"sealed\" value=\""] {
        text = text.split(name).enumerate().map(|(i, part)| if i == 0 { part.to_owned() } else { part.split_once('"').unwrap().1.to_owned() }).collect();
    }
    text
}

/// The secret that an enrolment page shows, as bytes.
pub fn shown_secret(page: &str) -> Vec<u8> {
    let text = page.split("<code>").nth(1).unwrap().split("</code>").next().unwrap();
    let (mut bits, mut count, mut out) = (0_u64, 0, Vec::new());
    for letter in text.bytes().filter(u8::is_ascii_alphanumeric) {
        let value = if letter.is_ascii_uppercase() { letter - b'A' } else { letter - b'2' + 26 };
        bits = (bits << 5) | u64::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}

/// The code that an app shows now, `steps` of 30 seconds later (RFC 6238).
pub fn app_code(secret: &[u8], steps: i64) -> String {
    let now = u64::try_from(SystemEnv.now().secs()).unwrap();
    let counter = (now / 30).checked_add_signed(steps).unwrap();
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret), &counter.to_be_bytes());
    let offset = usize::from(mac.as_ref()[19] & 15);
    let word = u32::from_be_bytes(mac.as_ref()[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", word % 1_000_000)
}

/// An app that was set up: its secret, the code that proved it, and the recovery codes that came with it.
pub struct SetUp {
    pub secret: Vec<u8>,
    pub used: String,
    pub recovery: Vec<String>,
}

/// Sets up an app in the account pages.
pub async fn set_up_app(browser: &Browser, instance: &Instance) -> SetUp {
    let page = browser.page(instance, "/account/app").await;
    let secret = shown_secret(&page);
    let used = app_code(&secret, 0);
    let fields = [("sealed", hidden(&page, "/account/app", "sealed")), ("code", used.clone()), ("name", "my app".to_owned())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let shown = browser.submit(instance, "/account/app", &fields).await.text().await.unwrap();
    let recovery = shown.split("<li><code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
    SetUp { secret, used, recovery }
}
