//! Cookies as text: how ours are named, written and found. All are host-only (`__Host-`, RFC 6265bis §4.1.3.2).

/// Session on the own host and in the console.
pub const OWN_SESSION: &str = "__Host-tutela";
/// Session on a guarded host.
pub const GUARDED_SESSION: &str = "__Host-tutela-session";
/// Ties a sign-in to the browser that began it.
pub const TRANSACTION: &str = "__Host-tutela-txn";
/// What all our names begin with; such cookies never reach an upstream, nor can it set them.
pub const PREFIX: &str = "__Host-tutela";

/// The value of one cookie in `Cookie` headers. Where a name is sent twice nothing is read: one of them is not ours.
pub fn find<'a>(headers: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let mut found = headers.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('=')).filter(|(n, _)| *n == name);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

/// A `Set-Cookie` header that sets one of ours, or drops it where `value` is empty.
pub fn set(name: &str, value: &str) -> String {
    let age = if value.is_empty() { "; Max-Age=0" } else { "" };
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_sent_twice_is_not_read() {
        assert_eq!(find(["x=1; y=2"].into_iter(), "y"), Some("2"));
        assert_eq!(find(["y=1; y=2"].into_iter(), "y"), None);
        assert_eq!(find(["y=1", "y=2"].into_iter(), "y"), None);
        assert_eq!(find(["yy=1"].into_iter(), "y"), None);
    }
}
