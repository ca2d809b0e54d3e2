//! How many requests pass: by address before anybody is asked who they are, by who they are afterwards.

use std::{
    collections::{BTreeMap, HashMap, hash_map::RandomState},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::{
    Span, Timestamp,
    seam::{Caller, LimitCount, Who},
};
use tutela_limits::{Algorithm, Decision, Rate, Table};

use crate::{
    Body,
    pages::{answer, wants_page},
    snapshot::networks,
};

/// The limit that comes with tutela, as `limits.api` says.
pub(crate) const API: &str = "api";
/// Keys of a limit that are told apart at the same time, 16 bytes each.
const KEYS: usize = 1 << 18;
/// Bits of an IPv6 address that one household has.
const HOUSEHOLD: u32 = 64;

/// `[gateway.limits.NAME]`: how many requests, counted by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitConfig {
    /// How many requests in `window`, 1 to 65535.
    pub requests: u32,
    /// The time in which they are counted: `1m`.
    pub window: Span,
    /// How many may come at once, 1 to 65535; `requests` where absent. A sliding window has no use for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// How it is counted: `gcra`, evenly with a burst, or `sliding_window`, so many in the last window.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// What is counted by itself, all of it together: `address` (of IPv6 the /64), `account` (or the address of somebody who is not signed in), `session`, `client`, `route`, `header:NAME`. A request that has none of it counts for its address.
    #[serde(default = "by_account")]
    pub by: Vec<By>,
    /// `enforce`, or `shadow`: counted and recorded, and nobody is refused.
    #[serde(default)]
    pub mode: LimitMode,
}

fn by_account() -> Vec<By> {
    vec![By::Account]
}

/// Whether a limit refuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LimitMode {
    /// It does.
    #[default]
    Enforce,
    /// It says what it would refuse.
    Shadow,
}

/// What is counted by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum By {
    /// The account; the address where nobody is signed in.
    Account,
    /// The address.
    Address,
    /// The client whose token it is.
    Client,
    /// The value of a header.
    Header(String),
    /// The route.
    Route,
    /// The session; the address where there is none.
    Session,
}

impl TryFrom<String> for By {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Ok(match text.as_str() {
            "account" => Self::Account,
            "address" => Self::Address,
            "client" => Self::Client,
            "route" => Self::Route,
            "session" => Self::Session,
            other => match other.strip_prefix("header:").filter(|name| name.parse::<HeaderName>().is_ok()) {
                Some(name) => Self::Header(name.to_ascii_lowercase()),
                None => return Err(format!("`{other}` is none of `account`, `address`, `client`, `header:NAME`, `route`, `session`")),
            },
        })
    }
}

impl From<By> for String {
    fn from(by: By) -> Self {
        match by {
            By::Account => "account".into(),
            By::Address => "address".into(),
            By::Client => "client".into(),
            By::Header(name) => format!("header:{name}"),
            By::Route => "route".into(),
            By::Session => "session".into(),
        }
    }
}

impl LimitConfig {
    /// Refuses values out of range.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.by.is_empty() {
            return Err("`by` is empty; say what is counted, such as `[\"address\"]`".into());
        }
        self.rate().check()
    }

    fn rate(&self) -> Rate {
        Rate { requests: self.requests, window: self.window, burst: self.burst, algorithm: self.algorithm }
    }

    fn needs_caller(&self) -> bool {
        self.by.iter().any(|by| matches!(by, By::Account | By::Client | By::Session))
    }
}

/// One limit, and what it has counted. Each has a table of its own: the numbers of two cannot be compared, and a flood at
/// one pushes nobody out of another.
#[derive(Debug)]
pub(crate) struct Limit {
    name: String,
    rate: Rate,
    config: LimitConfig,
    policy: String,
    table: Table<RandomState>,
}

/// All limits.
pub(crate) struct Limits {
    named: HashMap<String, Arc<Limit>>,
    exempt: Vec<IpNet>,
}

/// Whom a request counts for.
#[derive(Clone, Copy)]
pub(crate) struct Counted<'a> {
    pub address: IpAddr,
    pub route: &'a str,
    pub headers: &'a HeaderMap,
    /// `None` before it is known.
    pub caller: Option<Option<&'a Caller>>,
    pub now: Timestamp,
}

/// What the limits of a request say.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub counts: Vec<LimitCount>,
    policies: Vec<String>,
    left: Vec<String>,
    /// How long to wait, where one refuses.
    wait: Option<Duration>,
}

impl Limits {
    /// What did not change goes on counting.
    pub(crate) fn new(api: &Rate, named: &BTreeMap<String, LimitConfig>, exempt: &[String], before: Option<&Self>) -> Result<Self, String> {
        let Rate { requests, window, burst, algorithm } = *api;
        let api = (API.to_owned(), LimitConfig { requests, window, burst, algorithm, by: by_account(), mode: LimitMode::Enforce });
        let all = named.iter().map(|(name, config)| (name.clone(), config.clone())).chain([api]);
        let ready = all.map(|(name, config)| {
            let known = before.and_then(|before| before.named.get(&name)).filter(|known| known.config == config);
            (name.clone(), known.map_or_else(|| Arc::new(Limit::new(name, config)), Arc::clone))
        });
        Ok(Self { named: ready.collect(), exempt: networks("limits.exempt", exempt)? })
    }

    /// Counts a request for those limits of its route that can be counted at this moment; whether it passes.
    pub(crate) fn count(&self, limits: &[String], counted: &Counted<'_>, tally: &mut Tally) -> bool {
        if limits.is_empty() || self.exempt.iter().any(|network| network.contains(&counted.address)) {
            return true;
        }
        let of = limits.iter().filter_map(|name| self.named.get(name)).filter(|limit| limit.config.needs_caller() == counted.caller.is_some());
        for limit in of {
            let key: Vec<Part<'_>> = limit.config.by.iter().map(|by| part(by, counted)).collect();
            let decision = limit.table.update(&key, |state| limit.rate.decide(state, counted.now));
            tally.add(limit, decision);
        }
        tally.wait.is_none()
    }
}

impl Limit {
    fn new(name: String, config: LimitConfig) -> Self {
        let policy = format!("\"{name}\";q={};w={}", config.requests, config.window.duration().as_secs());
        Self { name, rate: config.rate(), config, policy, table: Table::new(KEYS, RandomState::new()) }
    }
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
enum Part<'a> {
    Account(tutela_core::AccountId),
    Address(u128),
    Client(&'a str),
    Outside(&'a str, &'a str),
    Route(&'a str),
    Session(tutela_core::SessionId),
    Values(Vec<&'a [u8]>),
}

fn part<'a>(by: &By, counted: &Counted<'a>) -> Part<'a> {
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

impl Tally {
    fn add(&mut self, limit: &Limit, decision: Decision) {
        let enforced = limit.config.mode == LimitMode::Enforce;
        self.counts.push(LimitCount { limit: limit.name.clone(), left: decision.remaining, refused: !decision.allowed, enforced });
        if !enforced {
            return;
        }
        self.policies.push(limit.policy.clone());
        self.left.push(format!("\"{}\";r={};t={}", limit.name, decision.remaining, seconds(decision.reset)));
        self.wait = self.wait.max(decision.retry_after);
    }

    /// The answer to whoever has asked too often.
    pub(crate) fn refusal(&self, headers: &HeaderMap) -> Response<Body> {
        let wait = seconds(self.wait.unwrap_or_default()).max(1);
        let detail = format!("Wait {wait} seconds, then go on.");
        let mut response = answer(wants_page(headers), StatusCode::TOO_MANY_REQUESTS, "rate-limited", "Too many requests", &detail);
        response.headers_mut().insert(header::RETRY_AFTER, wait.into());
        response
    }

    /// Says what is left (draft-ietf-httpapi-ratelimit-headers-10).
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        for (name, values) in [("ratelimit-policy", &self.policies), ("ratelimit", &self.left)] {
            if !values.is_empty()
                && let Ok(value) = HeaderValue::from_str(&values.join(", "))
            {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Whole seconds, the begun one counted.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(by: &[&str]) -> Limits {
        let (requests, window, burst, algorithm) = (60, Span::minutes(1), Some(2), Algorithm::Gcra);
        let by = by.iter().map(|by| By::try_from((*by).to_owned()).unwrap()).collect();
        let x = LimitConfig { requests, window, burst, algorithm, by, mode: LimitMode::Enforce };
        let api = Rate { requests, window, burst, algorithm };
        Limits::new(&api, &BTreeMap::from([("x".to_owned(), x)]), &["198.51.100.0/24".to_owned()], None).unwrap()
    }

    fn passes(limits: &Limits, address: &str, key: &str) -> bool {
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-key"), HeaderValue::from_str(key).unwrap())]);
        let counted = Counted { address: address.parse().unwrap(), route: "r", headers: &headers, caller: None, now: Timestamp::from_micros(1_000_000) };
        limits.count(&["x".to_owned()], &counted, &mut Tally::default())
    }

    #[test]
    fn a_household_is_one_and_parts_count_together() {
        let by_address = limits(&["address"]);
        assert!(passes(&by_address, "2001:db8::1", "a") && passes(&by_address, "2001:db8::2", "a"));
        assert!(!passes(&by_address, "2001:db8:0:0:ffff::3", "a"), "the same /64");
        assert!(passes(&by_address, "2001:db8:0:1::1", "a"));
        let together = limits(&["address", "header:x-key"]);
        assert!(passes(&together, "192.0.2.1", "a") && passes(&together, "192.0.2.1", "a") && !passes(&together, "192.0.2.1", "a"));
        assert!(passes(&together, "192.0.2.1", "b") && passes(&together, "192.0.2.2", "a"));
        assert!((0..9).all(|_| passes(&together, "198.51.100.7", "a")), "exempt");
        assert!(passes(&together, "::ffff:192.0.2.3", "a") && passes(&together, "192.0.2.3", "a") && !passes(&together, "192.0.2.3", "a"));
    }

    #[test]
    fn what_is_counted_is_said_in_words_that_are_known() {
        for bad in ["ip", "header:", "header:a b", ""] {
            assert!(By::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        assert_eq!(String::from(By::try_from("header:X-Key".to_owned()).unwrap()), "header:x-key");
    }
}
