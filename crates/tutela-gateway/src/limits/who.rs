//! Whom a request counts for.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, HeaderValue};
use tutela_core::{
    Timestamp,
    seam::{Caller, Who},
};

use super::config::By;

/// Bits of an IPv6 address that one household has.
const HOUSEHOLD: u32 = 64;

/// What of a request is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Counted<'a> {
    pub address: IpAddr,
    pub route: &'a str,
    pub headers: &'a HeaderMap,
    /// `None` before it is known.
    pub caller: Option<Option<&'a Caller>>,
    pub now: Timestamp,
}

/// An address as whom it counts: of IPv6, one household together.
pub(crate) fn household(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits() >> (128 - HOUSEHOLD) | 1 << 127,
    }
}

/// One part of whom is counted.
#[derive(Hash)]
pub(super) enum Part<'a> {
    Account(tutela_core::AccountId),
    Address(u128),
    Client(&'a str),
    Outside(&'a str, &'a str),
    Route(&'a str),
    Session(tutela_core::SessionId),
    Values(Vec<&'a [u8]>),
}

pub(super) fn part<'a>(by: &By, counted: &Counted<'a>) -> Part<'a> {
    // Whoever does not name what is counted is known by the address, so that nobody shares a number with strangers.
    let address = || Part::Address(household(counted.address));
    let caller = counted.caller.flatten();
    let client = || caller.and_then(|caller| caller.token.as_ref()?.client.as_ref()).map(|client| Part::Client(&client.id));
    match by {
        By::Account => match caller.map(|caller| &caller.who) {
            Some(Who::Person(identity)) => Part::Account(identity.account),
            Some(Who::Outside { issuer, subject }) => Part::Outside(issuer, subject),
            Some(Who::Client) => client().unwrap_or_else(address),
            None => address(),
        },
        By::Address => address(),
        By::Client => client().unwrap_or_else(address),
        By::Header(name) => {
            // All of them: one more of the same name is not somebody else.
            let values: Vec<&[u8]> = counted.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            if values.is_empty() { address() } else { Part::Values(values) }
        }
        By::Route => Part::Route(counted.route),
        By::Session => caller.and_then(Caller::person).map_or_else(address, |identity| Part::Session(identity.session)),
    }
}

impl Part<'_> {
    /// In words, for lists and as a key of the shared store. The value of a header may be a secret and is hashed.
    fn words(&self) -> String {
        match self {
            Self::Account(id) => format!("account {id}"),
            Self::Address(bits) if bits >> 127 == 1 => format!("address {}/64", std::net::Ipv6Addr::from_bits(bits << 64)),
            Self::Address(bits) => format!("address {}", std::net::Ipv4Addr::from_bits(*bits as u32)),
            Self::Client(id) => format!("client {id}"),
            Self::Outside(issuer, subject) => format!("subject {subject} of {issuer}"),
            Self::Route(name) => format!("route {name}"),
            Self::Session(id) => format!("session {id}"),
            Self::Values(values) => {
                let hash = digest(&SHA256, &values.join(&b'\n'));
                format!("header {}", hash.as_ref()[..12].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
        }
    }
}

/// All parts, in words.
pub(super) fn words(parts: &[Part<'_>]) -> String {
    parts.iter().map(Part::words).collect::<Vec<_>>().join(", ")
}
