//! Where answers may go: registered addresses, compared character by character (RFC 9700 §2.1).

use serde::{Deserialize, Serialize};

use crate::Error;

const LONGEST: usize = 2_048;

/// A registered address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RedirectUri(String);

impl RedirectUri {
    /// Checks an address that is to be registered: `https`, plain HTTP on this host, or a scheme of an app's own with a
    /// dot in it (RFC 8252 §7.1); no fragment, no credentials, nothing that stands for something else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |why: &str| Err(Error::invalid("redirect_uris", format!("`{text}`: {why}")));
        if text.len() > LONGEST || !text.bytes().all(|b| b.is_ascii_graphic()) || text.contains(['\\', '"', '<', '>', '`', '{', '}', '|', '^']) {
            return bad("an address has at most 2,048 printable ASCII characters and no quotes, brackets or backslashes");
        }
        if text.contains('#') {
            return bad("an address has no fragment (RFC 6749 §3.1.2)");
        }
        if text.contains('*') {
            return bad("an address has no wildcards; register each");
        }
        let Some((scheme, rest)) = text.split_once(':') else { return bad("expected an address such as `https://app.example.com/callback`") };
        match scheme {
            "https" | "http" => {
                let Some(rest) = rest.strip_prefix("//") else { return bad("expected an address such as `https://app.example.com/callback`") };
                let authority = rest.split(['/', '?']).next().unwrap_or_default();
                // It stands in the policy of our pages, too: nothing there may end a word of it.
                if authority.is_empty() || !authority.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b)) {
                    return bad("an address names a host, and no credentials");
                }
                if scheme == "http" && !is_this_host(host(authority)) {
                    return bad("plain HTTP is for this host only; use `https`");
                }
                if has_dot_segment(rest.split('?').next().unwrap_or_default()) {
                    return bad("an address has no `.` or `..` in its path");
                }
            }
            own if own.contains('.') && own.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-+".contains(&b)) && !rest.is_empty() => {}
            _ => return bad("expected `https`, plain HTTP on this host, or a scheme such as `com.example.app`"),
        }
        Ok(Self(text.to_owned()))
    }

    /// As registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request names this address: exactly, but for the port of a loopback address, which an app on the
    /// person's own machine cannot know beforehand (RFC 8252 §7.3).
    pub fn is(&self, asked: &str) -> bool {
        if self.0 == asked {
            return true;
        }
        let split = |text: &str| {
            let rest = text.strip_prefix("http://")?;
            let at = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at(at);
            let (host, port) = (host(authority), authority.rsplit_once("]").map_or(authority, |(_, tail)| tail).rsplit_once(':').map(|(_, port)| port));
            let fine = ["127.0.0.1", "[::1]"].contains(&host) && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|n| n > 0 && n.to_string() == port));
            fine.then(|| (host.to_owned(), path.to_owned()))
        };
        matches!((split(&self.0), split(asked)), (Some(ours), Some(theirs)) if ours == theirs)
    }

    /// Its origin, for the policy of pages whose forms lead there; a scheme of an app's own as it is.
    pub fn origin(asked: &str) -> String {
        match asked.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => format!("{scheme}://{}", rest.split(['/', '?']).next().unwrap_or_default()),
            _ => format!("{}:", asked.split(':').next().unwrap_or_default()),
        }
    }
}

fn host(authority: &str) -> &str {
    match authority.rfind(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_this_host(host: &str) -> bool {
    ["127.0.0.1", "[::1]", "localhost"].contains(&host) || host.ends_with(".localhost")
}

fn has_dot_segment(path: &str) -> bool {
    path.split('/').any(|segment| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_could_be_read_otherwise_are_not_registered() {
        for good in [
            "https://app.example.com/cb",
            "https://app.example.com/cb?x=1",
            "https://app.example.com",
            "http://localhost:3000/cb",
            "http://photos.localhost:8080/cb",
            "http://127.0.0.1/cb",
            "http://[::1]:8080/cb",
            "com.example.app:/cb",
        ] {
            assert!(RedirectUri::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "app.example.com/cb",
            "/cb",
            "//app.example.com/cb",
            "http://app.example.com/cb",
            "https://app.example.com/cb#x",
            "https://*.example.com/cb",
            "https://user@app.example.com/cb",
            "https://app.example.com@evil.example/cb",
            "https://app.example.com\\@evil.example/cb",
            "https:///cb",
            "https://app.example.com/a/../cb",
            "https://app.example.com/%2e%2e/cb",
            "https://app.example.com/c b",
            "https://äpp.example.com/cb",
            "https://app%2eexample.com/cb",
            "https://app.example.com;script-src/cb",
            "https://app.example.com,evil.example/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "myapp:/cb",
            "com.example.app:",
            "https:app.example.com",
        ] {
            assert!(RedirectUri::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_itself_and_nothing_like_it() {
        let app = RedirectUri::parse("https://app.example.com/cb").unwrap();
        assert!(app.is("https://app.example.com/cb"));
        for other in [
            "https://app.example.com/cb/",
            "https://app.example.com/CB",
            "https://app.example.com/cb?",
            "https://app.example.com/cb?x=1",
            "https://app.example.com/cb#",
            "https://app.example.com:443/cb",
            "https://app.example.com:8443/cb",
            "https://APP.example.com/cb",
            "https://app.example.com/cb/../evil",
            "https://app.example.com/%63b",
            "https://app.example.com.evil.example/cb",
            "https://app.example.com@evil.example/cb",
            "http://app.example.com/cb",
            " https://app.example.com/cb",
        ] {
            assert!(!app.is(other), "{other}");
        }
        let native = RedirectUri::parse("http://127.0.0.1/cb").unwrap();
        assert!(native.is("http://127.0.0.1:51004/cb") && native.is("http://127.0.0.1/cb"));
        for other in [
            "http://127.0.0.1:51004/other",
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.1:1@evil.example/cb",
            "http://localhost:51004/cb",
            "https://127.0.0.1:51004/cb",
            "http://127.0.0.1:051/cb",
        ] {
            assert!(!native.is(other), "{other}");
        }
        assert!(!RedirectUri::parse("http://localhost/cb").unwrap().is("http://localhost:51004/cb"), "a name may lead elsewhere");
        assert!(RedirectUri::parse("http://[::1]/cb").unwrap().is("http://[::1]:51004/cb"));
    }

    #[test]
    fn an_origin_is_what_a_policy_names() {
        assert_eq!(RedirectUri::origin("https://a.example:8443/cb?x"), "https://a.example:8443");
        assert_eq!(RedirectUri::origin("com.example.app:/cb"), "com.example.app:");
    }
}
