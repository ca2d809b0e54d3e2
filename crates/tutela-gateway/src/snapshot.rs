//! What a reload exchanges as a whole: routes, upstreams, rules, limits. A request keeps the one that it began with.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use ipnet::IpNet;
use tutela_core::{Env, seam::UpstreamTurn};
use tutela_limits::Rate;

use crate::{
    Config,
    config::seconds,
    limits::Limits,
    routes::Routes,
    upstream::{Patience, Tell, Upstream, UpstreamConfig},
    waf::Waf,
};

/// What can be changed while requests go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `[gateway]`.
    pub gateway: Config,
    /// `[limits.api]`.
    pub api: Rate,
    /// `limits.exempt`: addresses that no limit counts.
    pub exempt: Vec<String>,
}

/// One configuration, ready to be used.
pub(crate) struct Snapshot {
    pub settings: Settings,
    pub routes: Routes,
    pub upstreams: Upstreams,
    pub limits: Limits,
    pub waf: Waf,
    pub trusted: Vec<IpNet>,
}

/// Upstreams by name; those that a route names by their address have it as their name.
pub(crate) type Upstreams = BTreeMap<String, Arc<Upstream>>;

impl Snapshot {
    /// Builds all of it; what is as it was is taken from `before`, with its connections, counts and health.
    pub(crate) fn new(settings: Settings, before: Option<&Self>, env: &Arc<dyn Env>, tell: &Tell) -> Result<Self, String> {
        let config = &settings.gateway;
        let upstreams = upstreams(config, before.map(|before| &before.upstreams), tell)?;
        let routes = Routes::new(&config.routes, &upstreams)?;
        Ok(Self {
            routes,
            upstreams,
            limits: Limits::new(&settings, before.map(|before| &before.limits))?,
            waf: Waf::new(&config.waf, Arc::clone(env))?,
            trusted: networks("gateway.trusted_proxies", &config.trusted_proxies)?,
            settings,
        })
    }

    /// Whether a peer's word about whom it speaks for is believed.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// The upstreams of a configuration. Those over TLS are made anew, since their certificates may have changed.
pub(crate) fn upstreams(config: &Config, before: Option<&Upstreams>, tell: &Tell) -> Result<Upstreams, String> {
    let patience = Patience { connect: seconds(config.connect_timeout), response: seconds(config.response_timeout), idle: seconds(config.idle_timeout) };
    let named = config.upstreams.iter().map(|(name, section)| (name.clone(), section.clone(), format!("gateway.upstreams.{name}")));
    let direct = config.routes.iter().enumerate().filter_map(|(number, route)| {
        let address = route.address()?;
        Some((address.to_owned(), UpstreamConfig::of(address), format!("gateway.routes[{number}].upstream")))
    });
    let mut all = Upstreams::new();
    for (name, section, place) in named.chain(direct) {
        let known = before.and_then(|before| before.get(&name)).filter(|known| known.config == section && known.patience == patience && !known.speaks_tls());
        let upstream = match known {
            Some(known) => Arc::clone(known),
            None => Arc::new(Upstream::new(&name, section, patience, Arc::clone(tell)).map_err(|e| format!("{place}: {e}"))?),
        };
        all.insert(name, upstream);
    }
    Ok(all)
}

/// Nobody is told of anything: for checks of a configuration.
pub(crate) fn silent() -> Tell {
    Arc::new(|_: UpstreamTurn| {})
}

/// Networks as `192.0.2.0/24` or single addresses.
pub(crate) fn networks(setting: &str, texts: &[String]) -> Result<Vec<IpNet>, String> {
    texts
        .iter()
        .map(|text| {
            let bad = || format!("`{setting}` has `{text}`; expected an address or a network, such as `192.0.2.0/24`");
            text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map(|network| network.trunc()).map_err(|_| bad())
        })
        .collect()
}
