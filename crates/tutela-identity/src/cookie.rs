//! Cookies as text: how ours are named, written and found. All but the refresh token's are host-only
//! (`__Host-`, RFC 6265bis §4.1.3.2).

/// One of our cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// Which browser this is; lives longest.
    Device,
    /// Ties an errand to an outside provider to the browser that was sent on it.
    Errand,
    /// Session on a guarded host.
    GuardedSession,
    /// Session on the own host and in the console.
    OwnSession,
    /// Refresh token of an application that asked for a cookie.
    Refresh,
    /// A sign-in under way.
    SignIn,
    /// Ties a sign-in to the browser that began it.
    Transaction,
    /// A browser that has chosen what it consents to without signing in.
    Visitor,
}

/// How cookies are written: `[identity.session] secure` and `http_only`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookies {
    /// Over TLS only. Without it the prefixes fall away too, because browsers demand it for them.
    pub secure: bool,
    /// Out of reach for scripts.
    pub http_only: bool,
}

/// The one path that gets refresh tokens.
pub const REFRESH_PATH: &str = "/v1/tokens";
const DAY: u64 = 86_400;

impl Default for Cookies {
    fn default() -> Self {
        Self { secure: true, http_only: true }
    }
}

impl Cookies {
    /// The name of a cookie.
    pub fn name(&self, cookie: Cookie) -> &'static str {
        let (prefixed, plain) = match cookie {
            Cookie::Device => ("__Host-tutela-device", "tutela-device"),
            Cookie::Errand => ("__Host-tutela-errand", "tutela-errand"),
            Cookie::GuardedSession => ("__Host-tutela-session", "tutela-session"),
            Cookie::OwnSession => ("__Host-tutela", "tutela"),
            Cookie::Refresh => ("__Secure-tutela-refresh", "tutela-refresh"),
            Cookie::SignIn => ("__Host-tutela-sign-in", "tutela-sign-in"),
            Cookie::Transaction => ("__Host-tutela-txn", "tutela-txn"),
            Cookie::Visitor => ("__Host-tutela-visitor", "tutela-visitor"),
        };
        if self.secure { prefixed } else { plain }
    }

    /// A `Set-Cookie` header that sets one of ours, or drops it where `value` is empty.
    pub fn set(&self, cookie: Cookie, value: &str) -> String {
        // Sessions end with the browser; the device is to be known again next year.
        let (path, same_site, age) = match cookie {
            Cookie::Device => ("/", "Lax", Some(400 * DAY)),
            // As long as a choice is remembered before it is asked for again.
            Cookie::Visitor => ("/", "Lax", Some(180 * DAY)),
            Cookie::Refresh => (REFRESH_PATH, "Strict", Some(30 * DAY)),
            Cookie::Errand | Cookie::GuardedSession | Cookie::OwnSession | Cookie::SignIn | Cookie::Transaction => ("/", "Lax", None),
        };
        let age = if value.is_empty() { Some(0) } else { age };
        let age = age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let (secure, http_only) = (if self.secure { "; Secure" } else { "" }, if self.http_only { "; HttpOnly" } else { "" });
        format!("{}={value}; Path={path}{secure}{http_only}; SameSite={same_site}{age}", self.name(cookie))
    }

    /// The value of a cookie in `Cookie` headers. Where a name is sent twice nothing is read: one of them is not ours.
    pub fn find<'a>(&self, headers: impl Iterator<Item = &'a str>, cookie: Cookie) -> Option<&'a str> {
        let name = self.name(cookie);
        let mut found = headers.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('=')).filter(|(n, _)| *n == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

/// Whether a name is one that only we may use; such cookies never reach an upstream, nor can it set them.
pub fn is_ours(name: &str) -> bool {
    let bare = name.strip_prefix("__Host-").or_else(|| name.strip_prefix("__Secure-")).unwrap_or(name);
    bare == "tutela" || bare.starts_with("tutela-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_sent_twice_is_not_read() {
        let find = |lines: &[&'static str]| Cookies::default().find(lines.iter().copied(), Cookie::OwnSession);
        assert_eq!(find(&["x=1; __Host-tutela=2"]), Some("2"));
        assert_eq!(find(&["__Host-tutela=1; __Host-tutela=2"]), None);
        assert_eq!(find(&["__Host-tutela=1", "__Host-tutela=2"]), None);
        assert_eq!(find(&["__Host-tutela-session=1"]), None);
        assert_eq!(find(&["tutela=1"]), None, "a cookie without the prefix could come from anywhere");
    }

    #[test]
    fn each_switch_takes_away_what_it_names() {
        let write = |secure, http_only| Cookies { secure, http_only }.set(Cookie::OwnSession, "x");
        assert_eq!(write(true, true), "__Host-tutela=x; Path=/; Secure; HttpOnly; SameSite=Lax");
        assert_eq!(write(true, false), "__Host-tutela=x; Path=/; Secure; SameSite=Lax");
        assert_eq!(write(false, true), "tutela=x; Path=/; HttpOnly; SameSite=Lax");
        let refresh = Cookies::default().set(Cookie::Refresh, "");
        assert_eq!(refresh, "__Secure-tutela-refresh=; Path=/v1/tokens; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    }

    #[test]
    fn all_our_names_are_kept_from_upstreams_and_no_others() {
        for cookies in [Cookies::default(), Cookies { secure: false, http_only: true }] {
            for cookie in [
                Cookie::Device,
                Cookie::Errand,
                Cookie::GuardedSession,
                Cookie::OwnSession,
                Cookie::Refresh,
                Cookie::SignIn,
                Cookie::Transaction,
                Cookie::Visitor,
            ] {
                assert!(is_ours(cookies.name(cookie)), "{cookie:?}");
            }
        }
        assert!(!is_ours("tutelage") && !is_ours("__Host-session"));
    }
}
