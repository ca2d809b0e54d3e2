//! Which headers pass, and which never do (RFC 9110 §7.6.1).

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use tutela_identity::cookie;

/// Prefix of the headers by which upstreams learn who asks; nobody else may set them.
const OURS: &str = "tutela-";
/// What applications and frameworks take for the truth about a client, and only we may write, as far as we do: where it
/// comes from, what it asked for, and `proxy`, which CGI turns into the proxy of the application (httpoxy).
const ABOUT_CLIENTS: [&str; 17] = [
    "cf-connecting-ip",
    "fastly-client-ip",
    "forwarded",
    "proxy",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-host",
    "x-original-host",
    "x-original-uri",
    "x-original-url",
    "x-originating-ip",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-rewrite-url",
    "x-url-scheme",
];
/// So do all that begin so.
const FORWARDED: &str = "x-forwarded-";

const HOP_BY_HOP: [HeaderName; 7] =
    [header::CONNECTION, header::PROXY_AUTHENTICATE, header::PROXY_AUTHORIZATION, header::TE, header::TRAILER, header::TRANSFER_ENCODING, header::UPGRADE];

/// Makes the headers of a request fit for the upstream.
pub(crate) fn to_upstream(headers: &mut HeaderMap, peer: IpAddr, host: &str, scheme: &'static str) {
    strip_hop_by_hop(headers);
    let ours: Vec<HeaderName> = headers.keys().filter(|name| is_ours(name.as_str())).cloned().collect();
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

/// Whether only we may write it. To an application behind CGI or WSGI `tutela_identity`, `tutela.identity` and
/// `tutela-identity` are one.
fn is_ours(name: &str) -> bool {
    let matches = |name: &str| name.starts_with(OURS) || name.starts_with(FORWARDED) || ABOUT_CLIENTS.contains(&name);
    if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return matches(name);
    }
    matches(&name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
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

/// Whether `Connection` names a field that says what the body is: taken away behind the rules, the application would read
/// another request than they have.
pub(crate) fn names_content(headers: &HeaderMap) -> bool {
    let mut named = headers.get_all(header::CONNECTION).iter().flat_map(|v| v.as_bytes().split(|byte| *byte == b','));
    named.any(|name| name.trim_ascii().get(..8).is_some_and(|begin| begin.eq_ignore_ascii_case(b"content-")))
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|v| v.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
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
            ("x.forwarded-port", "forged"),
            ("x-original-url", "/admin"),
            ("true-client-ip", "10.0.0.1"),
            ("proxy", "http://10.0.0.1"),
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
