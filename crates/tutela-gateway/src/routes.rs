//! Which route a request takes: by host, then by the longest path prefix.

use std::{collections::HashMap, sync::Arc};

use http::{Uri, uri::PathAndQuery};
use tutela_core::seam::Wanted;

use crate::{
    config::{CardNumbers, Require, RouteConfig},
    snapshot::Upstreams,
    upstream::Upstream,
    waf::WafMode,
};

/// The routing table; a snapshot.
#[derive(Default)]
pub struct Routes {
    by_host: HashMap<String, Vec<Arc<Route>>>,
}

/// One route, ready to be used.
pub(crate) struct Route {
    pub name: Arc<str>,
    pub upstream: Arc<Upstream>,
    pub wanted: Wanted,
    pub config: RouteConfig,
    prefix: String,
    upstream_path: String,
}

impl Routes {
    /// Builds the table; refuses routes that contradict each other or lead nowhere.
    pub(crate) fn new(configs: &[RouteConfig], upstreams: &Upstreams) -> Result<Self, String> {
        let mut routes = Self::default();
        for (number, config) in configs.iter().enumerate() {
            let (host, route) = read(config, upstreams).map_err(|e| format!("gateway.routes[{number}]: {e}"))?;
            let of_host = routes.by_host.entry(host).or_default();
            if of_host.iter().any(|r| r.prefix == route.prefix) {
                return Err(format!("gateway.routes[{number}]: another route has the same `host` and `path`"));
            }
            of_host.push(Arc::new(route));
            of_host.sort_by_key(|r| std::cmp::Reverse(r.prefix.len()));
        }
        Ok(routes)
    }

    /// Whether any route is for this host.
    pub fn has_host(&self, host: &str) -> bool {
        self.by_host.contains_key(host)
    }

    /// The route of a request.
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<&Arc<Route>> {
        self.by_host.get(host)?.iter().find(|route| covers(&route.prefix, path))
    }
}

/// Whether `prefix` covers `path` by whole segments.
fn covers(prefix: &str, path: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

fn read(config: &RouteConfig, upstreams: &Upstreams) -> Result<(String, Route), String> {
    let host = config.host.to_ascii_lowercase();
    if host.is_empty() || host.contains([':', '/', '*', ' ']) {
        return Err(format!("`host` is `{}`; expected a host name without port, such as `photos.localhost`", config.host));
    }
    let name = config.named();
    if name.is_empty() || name.len() > 64 || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.".contains(&b)) {
        return Err(format!("`name` is `{name}`; a name has 1 to 64 characters of `a-z 0-9 _ - .`"));
    }
    if name == "tutela" {
        return Err("`name` is `tutela`, which is what records and rules call tutela's own pages".into());
    }
    if !config.path.starts_with('/') {
        return Err(format!("`path` is `{}`; it begins with `/`", config.path));
    }
    if crate::path::canonical(&config.path).as_deref() != Some(config.path.as_str()) {
        return Err(format!("`path` is `{}`; write it decoded, without dot segments, empty segments and parameters", config.path));
    }
    // `/admin/` guards `/admin` too: many servers answer both alike.
    let prefix = if config.path == "/" { "/" } else { config.path.trim_end_matches('/') };
    let (upstream, upstream_path) = match config.address() {
        Some(address) => (upstreams.get(address), config.upstream[address.len()..].trim_end_matches('/').to_owned()),
        None => (upstreams.get(&config.upstream), String::new()),
    };
    let Some(upstream) = upstream else {
        return Err(format!(
            "`upstream` is `{}`; expected an address such as `http://127.0.0.1:3000`, or the name of a `[gateway.upstreams.NAME]`",
            config.upstream
        ));
    };
    if !upstream_path.is_empty() && (upstream_path.contains(['?', '#']) || crate::path::canonical(&upstream_path).is_none()) {
        return Err(format!("`upstream` is `{}`; its path has no query, dot segments or empty segments", config.upstream));
    }
    if let Require::Permission(permission) = &config.require
        && permission.is_empty()
    {
        return Err("`require.permission` is empty".into());
    }
    let asks = config.acr.is_some() || config.max_age.is_some() || !config.groups.is_empty() || !config.clients.is_empty() || !config.scopes.is_empty();
    if config.require == Require::Public && asks {
        return Err(
            "`require = \"public\"` lets everybody pass, whatever `acr`, `max_age`, `groups`, `clients` or `scopes` ask for; take one of them away".into()
        );
    }
    if config.require == Require::Public && !config.frameworks.is_empty() {
        return Err("`frameworks` asks for somebody who is signed in, and `require = \"public\"` lets everybody pass; take one of them away".into());
    }
    if config.is_under("pci-dss") && config.waf.is_some_and(|mode| mode != WafMode::Block) {
        return Err("`frameworks = [\"pci-dss\"]` asks for a firewall that blocks (6.4.2): take `waf` away, or set `block`".into());
    }
    if let Some(CardNumbers::Permission(permission)) = &config.card_numbers
        && (permission.is_empty() || config.require == Require::Public)
    {
        return Err("`card_numbers.permission` names a permission, on a route that somebody has to sign in for; set `masked` or `clear` otherwise".into());
    }
    let route =
        Route { name: name.into(), prefix: prefix.to_owned(), upstream: Arc::clone(upstream), upstream_path, wanted: config.wanted(), config: config.clone() };
    Ok((host, route))
}

impl Route {
    /// What the upstream is asked for.
    pub(crate) fn target(&self, uri: &Uri) -> Option<Uri> {
        let asked = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        // In origin form: the host stands in its own field.
        if self.upstream_path.is_empty() { asked.parse().ok() } else { format!("{}{asked}", self.upstream_path).parse().ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Config,
        snapshot::{silent, upstreams},
    };

    fn route(host: &str, path: &str, upstream: &str) -> RouteConfig {
        RouteConfig { path: path.into(), ..RouteConfig::new(host, upstream) }
    }

    fn table(routes: &[RouteConfig]) -> Result<Routes, String> {
        let config = Config { routes: routes.to_vec(), ..Config::default() };
        Routes::new(routes, &upstreams(&config, None, &silent())?)
    }

    #[test]
    fn the_longest_path_wins_and_only_whole_segments_count() {
        let routes = table(&[route("a", "/", "http://1:1"), route("a", "/api", "http://2:2"), route("a", "/api/v2/", "http://3:3")]).unwrap();
        let upstream = |path: &str| routes.find("a", path).unwrap().upstream.name.clone();
        for (path, expected) in [("/", 1), ("/api", 2), ("/api/x", 2), ("/apix", 1), ("/api/v2", 3), ("/api/v2/x", 3)] {
            assert_eq!(upstream(path), format!("http://{expected}:{expected}"), "{path}");
        }
        assert!(routes.find("b", "/").is_none());
    }

    #[test]
    fn a_path_of_the_upstream_goes_before_the_request_s() {
        let routes = table(&[route("a", "/", "http://h:1/base/")]).unwrap();
        let target = routes.find("a", "/x").unwrap().target(&"/x?y=%20".parse().unwrap()).unwrap();
        assert_eq!(target.to_string(), "/base/x?y=%20");
    }

    #[test]
    fn routes_that_lead_nowhere_are_refused_with_their_number() {
        for bad in [route("", "/", "http://a"), route("a:1", "/", "http://a"), route("a", "x", "http://a"), route("a", "/", "ftp://a"), route("a", "/", "a")] {
            assert!(table(&[bad]).err().unwrap().starts_with("gateway.routes[0]"));
        }
        assert!(table(&[route("a", "/", "http://a"), route("A", "/", "http://b")]).is_err());
    }
}
