//! Names under `.localhost` are this host (RFC 6761 §6.3), whether or not libc knows it.

use std::{io, net::SocketAddr};

/// Addresses of `host` at `port`.
pub(crate) async fn resolve_loopback(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    if bare.eq_ignore_ascii_case("localhost") || bare.to_ascii_lowercase().ends_with(".localhost") {
        return Ok(vec![SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port))]);
    }
    Ok(tokio::net::lookup_host((bare, port)).await?.collect())
}
