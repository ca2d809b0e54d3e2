//! How many requests pass: by address before anybody is asked who they are, by who they are afterwards.

mod config;
mod refused;
mod shared;
mod who;

pub use config::{By, LimitConfig, LimitMode, OnBackendDown, SharedLimitsConfig};
pub use refused::Limited;
pub(crate) use shared::Shared;
pub(crate) use who::{Counted, household};

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher as _,
    sync::Arc,
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use ipnet::IpNet;
use tutela_core::{Timestamp, seam::LimitCount};
use tutela_limits::{Decision, Rate, Table};

use self::{
    config::by_account,
    refused::Refusals,
    who::{Part, part, words},
};
use crate::{
    Body, Settings,
    pages::{answer, wants_page},
    snapshot::networks,
};

/// The limit that comes with tutela, as `limits.api` says.
pub(crate) const API: &str = "api";
/// Keys of a limit that are told apart at the same time, 16 bytes each.
const KEYS: usize = 1 << 18;

/// One limit, and what it has counted. Each has a table of its own: the numbers of two cannot be compared, and a flood at
/// one pushes nobody out of another.
pub(crate) struct Limit {
    name: String,
    rate: Rate,
    config: LimitConfig,
    policy: String,
    hasher: RandomState,
    table: Table<RandomState>,
}

/// All limits.
pub(crate) struct Limits {
    named: HashMap<String, Arc<Limit>>,
    exempt: Vec<IpNet>,
    shared: Option<Arc<Shared>>,
    refused: Arc<Refusals>,
}

/// What the limits of a request say.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub counts: Vec<LimitCount>,
    policies: Vec<String>,
    left: Vec<String>,
    /// How long to wait, where one refuses.
    wait: Option<Duration>,
    /// Whether nobody could count, and that refuses.
    closed: bool,
}

impl Limits {
    /// What did not change goes on counting.
    pub(crate) fn new(settings: &Settings, before: Option<&Self>) -> Result<Self, String> {
        let Rate { requests, window, burst, algorithm } = settings.api;
        let api = LimitConfig { requests, window, burst, algorithm, by: by_account(), mode: LimitMode::Enforce, on_backend_down: None };
        let named = settings.gateway.limits.iter().map(|(name, config)| (name.clone(), config.clone())).chain([(API.to_owned(), api)]);
        let ready = named.map(|(name, config)| {
            let known = before.and_then(|before| before.named.get(&name)).filter(|known| known.config == config);
            (name.clone(), known.map_or_else(|| Arc::new(Limit::new(name, config)), Arc::clone))
        });
        let shared = match (&settings.gateway.shared_limits, before.and_then(|before| before.shared.as_ref())) {
            (Some(config), Some(known)) if known.config == *config => Some(Arc::clone(known)),
            (Some(config), _) => Some(Arc::new(Shared::new(config).map_err(|e| format!("gateway.shared_limits: {e}"))?)),
            (None, _) => None,
        };
        let refused = before.map_or_else(Arc::default, |before| Arc::clone(&before.refused));
        Ok(Self { named: ready.collect(), exempt: networks("limits.exempt", &settings.exempt)?, shared, refused })
    }

    /// Counts a request for those limits of its route that can be counted at this moment; whether it passes.
    pub(crate) async fn count(&self, limits: &[String], counted: &Counted<'_>, tally: &mut Tally) -> bool {
        if limits.is_empty() || self.exempt.iter().any(|network| network.contains(&counted.address)) {
            return true;
        }
        let of = limits.iter().filter_map(|name| self.named.get(name)).filter(|limit| limit.config.needs_caller() == counted.caller.is_some());
        for limit in of {
            let parts: Vec<Part<'_>> = limit.config.by.iter().map(|by| part(by, counted)).collect();
            let key = limit.hasher.hash_one(&parts);
            let here = limit.table.update(&key, |state| limit.rate.decide(state, counted.now));
            let decision = match &self.shared {
                None => Some(here),
                // Whoever asks too often here alone does so everywhere: the store need not hear of it.
                Some(shared) if !here.allowed && !shared.is_down() => Some(here),
                Some(shared) => shared.decide(&limit.name, &words(&parts), &limit.rate).await.or(match limit.when_down(shared) {
                    OnBackendDown::Local => Some(here),
                    OnBackendDown::Open => Some(Decision { allowed: true, retry_after: None, ..here }),
                    OnBackendDown::Closed => None,
                }),
            };
            let Some(decision) = decision else {
                // What is not let through for this reason does not count.
                limit.table.forget(&key);
                let enforced = limit.config.mode == LimitMode::Enforce;
                tally.closed |= enforced;
                tally.counts.push(LimitCount { limit: limit.name.clone(), left: 0, refused: true, enforced });
                continue;
            };
            if let Some(wait) = decision.retry_after {
                self.refused.note(&limit.name, key, counted.now, counted.now + wait, || words(&parts));
            }
            tally.add(limit, decision);
        }
        tally.wait.is_none() && !tally.closed
    }

    /// Who would be refused now, as far as they were refused before.
    pub(crate) fn limited(&self, now: Timestamp) -> Vec<Limited> {
        self.refused.list(now)
    }

    /// Forgets what was counted for somebody of that list; whether they were there.
    pub(crate) async fn lift(&self, limit: &str, who: &str) -> Result<bool, String> {
        let Some(named) = self.named.get(limit) else { return Ok(false) };
        if let Some(shared) = &self.shared {
            shared.forget(limit, who).await?;
        }
        let key = self.refused.take(limit, who);
        key.iter().for_each(|key| named.table.forget(key));
        Ok(key.is_some())
    }
}

impl Limit {
    fn new(name: String, config: LimitConfig) -> Self {
        let policy = format!("\"{name}\";q={};w={}", config.requests, config.window.duration().as_secs());
        Self { name, rate: config.rate(), config, policy, hasher: RandomState::new(), table: Table::new(KEYS, RandomState::new()) }
    }

    fn when_down(&self, shared: &Shared) -> OnBackendDown {
        self.config.on_backend_down.unwrap_or(shared.config.on_backend_down)
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
        if self.closed {
            let detail = "Your request was not passed on: how many there were could not be counted. Try again in a moment.";
            return answer(wants_page(headers), StatusCode::SERVICE_UNAVAILABLE, "unavailable", "A part of this server does not answer", detail);
        }
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
    use std::collections::BTreeMap;

    use tutela_core::Span;
    use tutela_limits::Algorithm;

    use super::*;
    use crate::Config;

    fn limits(by: &[&str]) -> Limits {
        let (requests, window, burst, algorithm) = (60, Span::minutes(1), Some(2), Algorithm::Gcra);
        let by = by.iter().map(|by| By::try_from((*by).to_owned()).unwrap()).collect();
        let x = LimitConfig { requests, window, burst, algorithm, by, mode: LimitMode::Enforce, on_backend_down: None };
        let gateway = Config { limits: BTreeMap::from([("x".to_owned(), x)]), ..Config::default() };
        let api = Rate { requests, window, burst, algorithm };
        Limits::new(&Settings { gateway, api, exempt: vec!["198.51.100.0/24".to_owned()] }, None).unwrap()
    }

    async fn passes(limits: &Limits, address: &str, key: &str) -> bool {
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-key"), HeaderValue::from_str(key).unwrap())]);
        let counted = Counted { address: address.parse().unwrap(), route: "r", headers: &headers, caller: None, now: Timestamp::from_micros(1_000_000) };
        limits.count(&["x".to_owned()], &counted, &mut Tally::default()).await
    }

    #[tokio::test]
    async fn a_household_is_one_and_parts_count_together() {
        let by_address = limits(&["address"]);
        for (address, allowed, what) in
            [("2001:db8::1", true, "one"), ("2001:db8::2", true, "two"), ("2001:db8:0:0:ffff::3", false, "the same /64"), ("2001:db8:0:1::1", true, "the next")]
        {
            assert_eq!(passes(&by_address, address, "a").await, allowed, "{what}");
        }
        let together = limits(&["address", "header:x-key"]);
        let asked = [
            ("192.0.2.1", "a", true),
            ("192.0.2.1", "a", true),
            ("192.0.2.1", "a", false),
            ("192.0.2.1", "b", true),
            ("192.0.2.2", "a", true),
            ("::ffff:192.0.2.3", "a", true),
            ("192.0.2.3", "a", true),
            ("192.0.2.3", "a", false),
        ];
        for (address, key, allowed) in asked {
            assert_eq!(passes(&together, address, key).await, allowed, "{address} {key}");
        }
        for _ in 0..9 {
            assert!(passes(&together, "198.51.100.7", "a").await, "exempt");
        }
    }

    #[tokio::test]
    async fn who_is_refused_is_listed_and_can_be_let_in_again() {
        let limits = limits(&["address"]);
        let now = Timestamp::from_micros(1_000_000);
        for _ in 0..5 {
            passes(&limits, "2001:db8::1", "a").await;
        }
        let listed = limits.limited(now);
        assert_eq!((listed.len(), listed[0].who.as_str(), listed[0].refused), (1, "address 2001:db8::/64", 3));
        assert!(limits.limited(now + Duration::from_secs(60)).is_empty(), "their time is over");
        assert!(!limits.lift("x", "address 192.0.2.1").await.unwrap() && limits.lift("x", "address 2001:db8::/64").await.unwrap());
        assert!(limits.limited(now).is_empty() && passes(&limits, "2001:db8::1", "a").await);
    }

    #[test]
    fn what_is_counted_is_said_in_words_that_are_known() {
        for bad in ["ip", "header:", "header:a b", ""] {
            assert!(By::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        assert_eq!(String::from(By::try_from("header:X-Key".to_owned()).unwrap()), "header:x-key");
    }
}
