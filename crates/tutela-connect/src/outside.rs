//! Asking outside providers. Their addresses come from documents that somebody else writes, so each request is held
//! to where it may go: over TLS, to a public address, with no redirect followed, bounded in time and in size. The
//! address that was checked is the one that is connected to; a name cannot point elsewhere in between.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use tutela_app::port::{OutsideAnswer, OutsideError, OutsideHttp};
use tutela_core::seam::BoxFuture;
use tutela_identity::federation::{Call, NetworkConfig};

/// How long one call may take, connecting included.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const MAX_ANSWER: usize = 1 << 20;

/// Asks one outside provider.
pub struct Outside {
    client: reqwest::Client,
    allow_private: bool,
}

/// Resolves names, and leaves out addresses that may not be asked.
struct Guarded {
    allow_private: bool,
}

impl Outside {
    /// From the provider's `network` section.
    pub fn new(network: &NetworkConfig) -> Result<Self, String> {
        let allow_private = network.allow_private;
        let builder = crate::http::builder(network.ca_file.as_deref())?;
        let builder = builder.timeout(PATIENCE).no_proxy().user_agent(concat!("tutela/", env!("CARGO_PKG_VERSION")));
        let client = builder.dns_resolver(Arc::new(Guarded { allow_private })).build().map_err(|e| e.to_string())?;
        Ok(Self { client, allow_private })
    }

    /// Refuses an address by its shape; names are refused when they are resolved.
    fn checked(&self, url: &str) -> Result<Url, OutsideError> {
        let forbidden = |why: &str| OutsideError::Forbidden(url.chars().take(200).collect(), why.to_owned());
        let parsed = Url::parse(url).map_err(|_| forbidden("it is no address"))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(forbidden("it has credentials in it"));
        }
        let host = parsed.host_str().ok_or_else(|| forbidden("it has no host"))?;
        let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        let local = host == "localhost" || host.ends_with(".localhost");
        let loopback = local || address.is_some_and(|ip| ip.is_loopback());
        match parsed.scheme() {
            "https" => {}
            "http" if loopback && self.allow_private => {}
            _ => return Err(forbidden("only `https` is asked, and plain HTTP on loopback where `allow_private` is set")),
        }
        if !self.allow_private && (local || address.is_some_and(|ip| !is_public(ip))) {
            return Err(forbidden("it is private, and `allow_private` is not set"));
        }
        Ok(parsed)
    }

    async fn ask(&self, call: &Call) -> Result<OutsideAnswer, OutsideError> {
        let url = self.checked(&call.url)?;
        let request = match &call.form {
            Some(form) => self.client.post(url).form(&form.iter().map(|(name, value)| (name.as_str(), value.open().as_str())).collect::<Vec<_>>()),
            None => self.client.get(url),
        };
        let request = request.header("accept", call.accept);
        let request = match (&call.basic, &call.bearer) {
            (Some((id, secret)), _) => request.basic_auth(id, Some(secret.open())),
            (None, Some(token)) => request.bearer_auth(token.open()),
            (None, None) => request,
        };
        let unavailable = |e: reqwest::Error| OutsideError::Unavailable(crate::http::reason(&e));
        let mut response = request.send().await.map_err(unavailable)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(OutsideError::Unavailable("its answer is longer than 1 MiB".into()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(OutsideAnswer { status, body })
    }
}

impl OutsideHttp for Outside {
    fn send<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<OutsideAnswer, OutsideError>> {
        Box::pin(self.ask(call))
    }

    fn check(&self, url: &str) -> Result<(), OutsideError> {
        self.checked(url).map(drop)
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let host = name.as_str().to_owned();
            if host == "localhost" || host.ends_with(".localhost") {
                // The C library does not know names under `.localhost` (RFC 6761 §6.3).
                let both = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
                return Ok(Box::new(both.into_iter()) as Addrs);
            }
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.filter(|at| allow_private || is_public(at.ip())).collect();
            if found.is_empty() {
                return Err(format!("`{host}` leads to private addresses only, and `allow_private` is not set").into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an address belongs to the public internet (the special-purpose registries of RFC 6890, as of 2026).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            let tail = || Ipv4Addr::from(((u32::from(segments[6])) << 16) | u32::from(segments[7]));
            match segments {
                // Mapped, compatible, and translated by NAT64: what counts is the address inside.
                [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => is_public_v4(tail()),
                [0, ..] | [0x64, 0xff9b, ..] | [0x100, ..] => false,
                [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
                [0x2002, high, low, ..] => is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
                [0x3fff, second, ..] if second < 0x1000 => false,
                [first, ..] => first & 0xe000 == 0x2000,
            }
        }
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for public in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn addresses_that_lead_inside_are_refused_by_their_shape() {
        let outside = |allow_private| Outside { client: reqwest::Client::new(), allow_private };
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (strict, inside) = (outside(false), outside(true));
        for bad in [
            "http://example.com",
            "https://127.0.0.1",
            "https://2130706433",
            "https://0x7f.1",
            "https://[::1]",
            "https://[::ffff:169.254.169.254]",
            "https://localhost",
            "https://tutela.localhost",
            "https://user@example.com",
            "file:///etc/passwd",
            "gopher://example.com",
            "",
        ] {
            assert!(strict.check(bad).is_err(), "{bad}");
        }
        assert!(strict.check("https://example.com/.well-known").is_ok());
        assert!(inside.check("http://127.0.0.1:3000").is_ok() && inside.check("https://10.0.0.1").is_ok() && inside.check("http://10.0.0.1").is_err());
    }
}
