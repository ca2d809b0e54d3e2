//! Whom an address stands for.

use std::net::IpAddr;

use ipnet::IpNet;

/// IPv4 whole, IPv6 its /64: whoever has one address of it has all.
pub(crate) fn household(address: IpAddr) -> IpNet {
    let address = address.to_canonical();
    let bits = if address.is_ipv4() { 32 } else { 64 };
    IpNet::new(address, bits).map_or_else(|_| IpNet::from(address), |network| network.trunc())
}
