//! The path that route rules are matched on. An upstream may decode, fold or normalise what it
//! gets, so whatever could mean another path there is refused here, and rules see it decoded.

use percent_encoding::percent_decode_str;

/// The decoded path without segment parameters; `None` where it is ambiguous.
pub(crate) fn canonical(raw: &str) -> Option<String> {
    let lower = raw.to_ascii_lowercase();
    // An encoded slash, backslash or NUL is a separator to some servers and a letter to others.
    if ["%2f", "%5c", "%00"].iter().any(|code| lower.contains(code)) {
        return None;
    }
    let decoded = percent_decode_str(raw).decode_utf8().ok()?;
    if !decoded.starts_with('/') || decoded.contains("//") || decoded.contains(['\\', '%']) || decoded.chars().any(char::is_control) {
        return None;
    }
    // `/admin;x=1` is `/admin` to servers that know segment parameters (RFC 3986 §3.3).
    let segments: Vec<&str> = decoded.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
    let dots = segments.iter().any(|segment| matches!(*segment, "." | ".."));
    let joined = segments.join("/");
    // A parameter may have hidden an empty segment: `/;/admin`.
    (!dots && !joined.contains("//")).then_some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_server_could_read_otherwise_is_refused() {
        for bad in [
            "/x/../admin",
            "/./admin",
            "/%2e%2e/admin",
            "//admin",
            "/x//admin",
            "/x%2fadmin",
            "/x%5Cadmin",
            "/x\\admin",
            "/a%00",
            "/%2561dmin",
            "/a%0d",
            "admin",
            "/%ff",
            "/..;/admin",
            "/;/admin",
            "/;x/admin",
            "/a/;/b",
            "*",
        ] {
            assert_eq!(canonical(bad), None, "{bad}");
        }
    }

    #[test]
    fn rules_see_the_path_decoded() {
        for (raw, seen) in [("/", "/"), ("/%61dmin", "/admin"), ("/admin;x=1/y", "/admin/y"), ("/caf%C3%A9", "/café"), ("/a/", "/a/"), ("/a.b/..c", "/a.b/..c")]
        {
            assert_eq!(canonical(raw).as_deref(), Some(seen), "{raw}");
        }
    }
}
