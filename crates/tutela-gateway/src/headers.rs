//! Which headers pass, and which never do (RFC 9110 §7.6.1).

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use tutela_identity::cookie;

/// Prefix of the headers by which upstreams learn who asks; nobody else may set them.
const OURS: &str = "tutela-";
/// Headers about the client that only we may write.
const FORWARDED: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

const HOP_BY_HOP: [HeaderName; 7] =
    [header::CONNECTION, header::PROXY_AUTHENTICATE, header::PROXY_AUTHORIZATION, header::TE, header::TRAILER, header::TRANSFER_ENCODING, header::UPGRADE];

/// Makes the headers of a request fit for the upstream.
pub(crate) fn to_upstream(headers: &mut HeaderMap, peer: IpAddr, host: &str, scheme: &'static str) {
    strip_hop_by_hop(headers);
    let ours: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(OURS) || FORWARDED.contains(&name.as_str()) || sneaky(name)).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    strip_own_cookies(headers);
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("x-forwarded-for", &peer.to_string());
    set("x-forwarded-host", host);
    set("x-forwarded-proto", scheme);
}

/// Names that an upstream behind CGI or WSGI cannot tell from ours, such as `tutela_identity`.
fn sneaky(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.contains('_') && (name.replace('_', "-").starts_with(OURS) || FORWARDED.contains(&name.replace('_', "-").as_str()))
}

/// Makes the headers of an answer fit for the client.
pub(crate) fn to_client(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    if headers.contains_key(header::SET_COOKIE) {
        let kept: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).iter().filter(|v| !names_our_cookie(v.as_bytes())).cloned().collect();
        headers.remove(header::SET_COOKIE);
        for value in kept {
            headers.append(header::SET_COOKIE, value);
        }
    }
}

fn names_our_cookie(set_cookie: &[u8]) -> bool {
    let name = set_cookie.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii();
    // Browsers tell prefixes apart by letters of any case.
    cookie::is_ours(&String::from_utf8_lossy(name).to_ascii_lowercase().replace("__host-", "__Host-").replace("__secure-", "__Secure-"))
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}

fn strip_own_cookies(headers: &mut HeaderMap) {
    if !headers.contains_key(header::COOKIE) {
        return;
    }
    let pairs: Vec<&str> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|line| line.split(';'))
        .map(str::trim)
        .filter(|pair| !pair.is_empty() && !names_our_cookie(pair.as_bytes()))
        .collect();
    let joined = pairs.join("; ");
    headers.remove(header::COOKIE);
    if let Ok(value) = HeaderValue::from_str(&joined)
        && !joined.is_empty()
    {
        headers.insert(header::COOKIE, value);
    }
}

/// The value of one of our cookies.
pub(crate) fn own_cookie(headers: &HeaderMap, cookies: cookie::Cookies, cookie: cookie::Cookie) -> Option<&str> {
    cookies.find(headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()), cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        map
    }

    #[test]
    fn whatever_a_client_sends_under_our_names_is_gone() {
        let mut headers = map(&[
            ("tutela-identity", "forged"),
            ("Tutela-Anything", "forged"),
            ("tutela_identity", "forged"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x_forwarded_for", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
            ("connection", "keep-alive, x-secret"),
            ("x-secret", "1"),
            ("te", "trailers"),
            ("cookie", "a=1; __Host-tutela-session=tse_x; b=2"),
            ("cookie", "__HOST-TUTELA=x"),
            ("accept", "*/*"),
        ]);
        to_upstream(&mut headers, "192.0.2.7".parse().unwrap(), "photos.localhost", "http");
        let mut left: Vec<String> = headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        left.sort();
        assert_eq!(left, ["accept: */*", "cookie: a=1; b=2", "x-forwarded-for: 192.0.2.7", "x-forwarded-host: photos.localhost", "x-forwarded-proto: http"]);
    }

    #[test]
    fn an_upstream_cannot_set_our_cookies() {
        let mut headers = map(&[
            ("set-cookie", "__Host-tutela-session=evil; Path=/"),
            ("set-cookie", " __host-TUTELA=evil"),
            ("set-cookie", "mine=1"),
            ("connection", "close"),
        ]);
        to_client(&mut headers);
        let left: Vec<_> = headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        assert_eq!(left, ["set-cookie: mine=1"]);
    }
}
