//! Devices: a random cookie is what tells one browser from another. What the browser says of itself
//! (User-Agent, Client Hints, language) stands beside it, so that a person knows which one is meant; it
//! decides nothing, because anybody can say it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tutela_core::{AccountId, DeviceId, Timestamp};

/// How long a remembered device spares the second factor.
pub const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);

/// A browser or application that an account has signed in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Whose.
    pub account: AccountId,
    /// What it said of itself when last seen.
    pub hints: Hints,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// When it was last signed in with.
    pub last_seen_at: Timestamp,
    /// Until when it spares the second factor.
    pub remembered_until: Option<Timestamp>,
}

impl Device {
    /// Whether it spares the second factor at `now`; a clock that jumped back spares nothing.
    pub fn is_remembered(&self, now: Timestamp) -> bool {
        now >= self.first_seen_at && self.remembered_until.is_some_and(|until| now < until)
    }
}

/// What a browser says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hints {
    /// Product and system in words, such as `Firefox on Linux`.
    pub label: String,
    /// The first language it asks for.
    #[serde(default)]
    pub language: String,
}

/// Products by what tells them in a User-Agent; one that others also claim to be stands after them.
const PRODUCTS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python", "a Python program"),
];
const SYSTEMS: &[(&str, &str)] =
    &[("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("CrOS", "ChromeOS"), ("Mac OS X", "macOS"), ("Linux", "Linux")];

impl Hints {
    /// From the headers `User-Agent`, `Sec-CH-UA-Platform` and `Accept-Language`.
    pub fn read(user_agent: Option<&str>, platform: Option<&str>, language: Option<&str>) -> Self {
        let agent = user_agent.unwrap_or_default();
        let known = |list: &[(&str, &'static str)]| list.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
        let platform = platform.map(|p| p.trim_matches('"')).filter(|p| SYSTEMS.iter().any(|(_, name)| name == p));
        let label = match (known(PRODUCTS), platform.or_else(|| known(SYSTEMS))) {
            (Some(product), Some(system)) => format!("{product} on {system}"),
            (Some(product), None) => product.to_owned(),
            (None, Some(system)) => format!("a browser on {system}"),
            (None, None) => "an unknown browser".to_owned(),
        };
        let first = language.unwrap_or_default().split([',', ';']).next().unwrap_or_default().trim();
        let fine = first.len() <= 16 && first.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        Self { label, language: if fine { first.to_owned() } else { String::new() } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_by_what_they_are_and_not_by_what_they_also_claim() {
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0";
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
        for (agent, platform, label) in [
            (Some(edge), None, "Edge on Windows"),
            (Some(iphone), None, "Safari on iPhone"),
            (Some("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"), None, "Firefox on Linux"),
            (Some("curl/8.5.0"), Some("\"macOS\""), "curl on macOS"),
            (Some("<script>"), Some("\"<b>\""), "an unknown browser"),
            (None, None, "an unknown browser"),
        ] {
            assert_eq!(Hints::read(agent, platform, None).label, label);
        }
        assert_eq!(Hints::read(None, None, Some("de-CH,de;q=0.9")).language, "de-CH");
        assert_eq!(Hints::read(None, None, Some("<x>")).language, "");
    }
}
