//! `@ipMatch`.

use std::net::IpAddr;

/// Networks, by address and length of their prefix.
#[derive(Debug, Clone)]
pub(crate) struct Networks(Vec<(IpAddr, u8)>);

impl Networks {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let one = |word: &str| -> Option<(IpAddr, u8)> {
            let (address, length) = word.split_once('/').map_or((word, None), |(address, length)| (address, Some(length)));
            let address: IpAddr = address.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let length = length.map_or(Some(most), |length| length.parse().ok().filter(|length| *length <= most))?;
            Some((address, length))
        };
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        words.map(|word| one(word).ok_or_else(|| format!("`{word}` is no address and no network"))).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn hold(&self, value: &[u8]) -> bool {
        let Some(address) = std::str::from_utf8(value).ok().and_then(|text| text.parse::<IpAddr>().ok()) else { return false };
        self.0.iter().any(|(network, length)| match (network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => same(u128::from(network.to_bits()), u128::from(address.to_bits()), 32 - length),
            (IpAddr::V6(network), IpAddr::V6(address)) => same(network.to_bits(), address.to_bits(), 128 - length),
            _ => false,
        })
    }
}

fn same(network: u128, address: u128, host_bits: u8) -> bool {
    (network ^ address).checked_shr(host_bits.into()).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_in_their_networks() {
        let networks = Networks::read("127.0.0.1, 10.0.0.0/8,::1,2001:db8::/32").unwrap();
        for (address, expected) in
            [("127.0.0.1", true), ("10.9.8.7", true), ("11.0.0.1", false), ("::1", true), ("2001:db8:1::2", true), ("2001:db9::", false), ("x", false)]
        {
            assert_eq!(networks.hold(address.as_bytes()), expected, "{address}");
        }
        assert!(Networks::read("0.0.0.0/0").unwrap().hold(b"1.2.3.4"));
        assert!(Networks::read("::/0").unwrap().hold(b"::2"));
        assert!(Networks::read("10.0.0.0/33").is_err() && Networks::read("x").is_err());
    }
}
