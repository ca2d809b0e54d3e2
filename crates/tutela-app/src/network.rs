//! Whom an address stands for.

use std::net::IpAddr;

use ipnet::IpNet;

/// IPv4 whole, IPv6 its /64: whoever has one address of it has all.
pub(crate) fn household(address: IpAddr) -> IpNet {
    around(address, 32, 64)
}

/// What one operator gives to one place: the /24 of an IPv4 address, the /48 of an IPv6 one.
pub(crate) fn block(address: IpAddr) -> IpNet {
    around(address, 24, 48)
}

fn around(address: IpAddr, v4: u8, v6: u8) -> IpNet {
    let address = address.to_canonical();
    let bits = if address.is_ipv4() { v4 } else { v6 };
    IpNet::new(address, bits).map_or_else(|_| IpNet::from(address), |network| network.trunc())
}
