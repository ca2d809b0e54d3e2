//! Who the client is: the peer of the connection, or whom a trusted proxy speaks for.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue};

use crate::{serve::Connection, snapshot::Snapshot};

/// A client, as far as the connection and trusted proxies tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    pub address: SocketAddr,
    /// Whether it came to the proxy in front over plain HTTP.
    pub plain: bool,
}

impl Client {
    /// Of `X-Forwarded-For`, the last address that is no trusted proxy's: what stands before it anybody can have written.
    pub(crate) fn of(connection: &Connection, headers: &HeaderMap, snapshot: &Snapshot) -> Self {
        let peer = SocketAddr::new(connection.peer.ip().to_canonical(), connection.peer.port());
        if !snapshot.trusts(peer.ip()) {
            return Self { address: peer, plain: false };
        }
        let lines: Vec<&[u8]> = headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes).collect();
        let mut address = peer;
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
            // What cannot be read ends the chain: the proxy that wrote it is the client, then.
            let Some(hop) = std::str::from_utf8(hop).ok().and_then(|hop| parse(hop.trim())) else { break };
            address = hop;
            if !snapshot.trusts(hop.ip()) {
                break;
            }
        }
        let mut schemes = headers.get_all("x-forwarded-proto").iter();
        let plain = schemes.next_back().is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"http"));
        Self { address, plain }
    }
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn parse(text: &str) -> Option<SocketAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0)).or_else(|_| text.parse()).ok()?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1:0"),
            ("192.0.2.1:4711", "192.0.2.1:4711"),
            ("2001:db8::1", "[2001:db8::1]:0"),
            ("[2001:db8::1]", "[2001:db8::1]:0"),
            ("[2001:db8::1]:4711", "[2001:db8::1]:4711"),
            ("::ffff:192.0.2.1", "192.0.2.1:0"),
        ] {
            assert_eq!(parse(text), Some(expected.parse().unwrap()), "{text}");
        }
        for bad in ["", "unknown", "_hidden", "192.0.2.256", "192.0.2.1, 192.0.2.2"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
