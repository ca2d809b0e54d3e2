//! The public listener and what it serves, exchanged while it runs.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use toml::{Table, Value};
use tutela_api as api;
use tutela_app::port::{Answered, GatewayControl};
use tutela_core::{Env as _, SystemEnv, seam::BoxFuture};
use tutela_gateway::{CardNumbers, CertificateConfig, Certificates, Gateway, Require, Settings, redirect_to_tls};

use crate::{config::Config, error::Error, listen::bind};

/// Reads the configuration again.
pub type Load = Box<dyn Fn() -> Result<Config, Error> + Send + Sync>;

/// How often the files of certificates are looked at.
const LOOK: Duration = Duration::from_secs(60);

/// Settings that a reload puts into force; all others need a restart.
const EXCHANGED: [&str; 6] = ["gateway", "limits.api", "limits.exempt", "server.certificates", "server.listen", "server.redirect"];
/// Among those the one that does.
const FIXED: &str = "gateway.max_connections";

/// What a reload changes of the gateway.
pub fn settings(config: &Config) -> Settings {
    Settings { gateway: config.gateway.clone(), api: config.limits.api.clone(), exempt: config.limits.exempt.clone() }
}

/// The public listener of this process.
pub struct Public {
    gateway: Gateway,
    load: Option<Load>,
    tasks: TaskTracker,
    stop: CancellationToken,
    now: tokio::sync::Mutex<Serving>,
    loaded_at: Mutex<String>,
}

/// What is served at this moment.
struct Serving {
    config: Config,
    /// Where it really listens.
    at: SocketAddr,
    certificates: Option<Certificates>,
    listener: CancellationToken,
    redirect: CancellationToken,
}

impl Public {
    /// Begins to serve.
    pub fn start(
        gateway: Gateway,
        config: Config,
        load: Option<Load>,
        listener: TcpListener,
        redirect: Option<TcpListener>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<Arc<Self>, Error> {
        let certificates = certificates(&config.server.certificates)?;
        let at = listener.local_addr().map_err(|e| Error::Failed(e.to_string()))?;
        let serving = Serving { at, certificates: certificates.clone(), listener: stop.child_token(), redirect: stop.child_token(), config };
        let (tasks, stop) = (tasks.clone(), stop.clone());
        tasks.spawn(gateway.clone().serve(listener, certificates, serving.listener.clone()));
        if let Some(listener) = redirect {
            tasks.spawn(redirect_to_tls(listener, origin_port(&serving.config), serving.redirect.clone()));
        }
        let public = Arc::new(Self { gateway, load, tasks, stop, now: tokio::sync::Mutex::new(serving), loaded_at: Mutex::new(text_of_now()) });
        public.tasks.spawn(Arc::clone(&public).follow_certificates());
        Ok(public)
    }

    /// Ends what has no end of its own, once nothing is served any more.
    pub async fn stop(&self) {
        self.gateway.stop().await;
    }

    async fn exchange(&self) -> Result<api::Reloaded, String> {
        let load = self.load.as_ref().ok_or("this process was started without a configuration file")?;
        let mut now = self.now.lock().await;
        let mut wanted = load().map_err(|e| e.to_string())?;
        // A port that was left to chance stays what it became.
        wanted.server.public_url.clone_from(&now.config.server.public_url);
        wanted.admin.admin_url.clone_from(&now.config.admin.admin_url);
        let different = differences(&now.config, &wanted)?;
        let moved = now.config.server.listen != wanted.server.listen || now.config.server.certificates.is_empty() != wanted.server.certificates.is_empty();
        // Everything that can fail comes before anything that changes.
        let listener = if moved { Some(bind_beside(wanted.server.listen, now.config.server.listen).await?) } else { None };
        let redirected = now.config.server.redirect != wanted.server.redirect;
        let redirect = match wanted.server.redirect.filter(|_| redirected) {
            Some(address) => Some(bind(address, "server.redirect").await.map_err(|e| e.to_string())?),
            None => None,
        };
        let fresh = certificates(&wanted.server.certificates).map_err(|e| e.to_string())?;
        let (gateway, settings) = (self.gateway.clone(), settings(&wanted));
        tokio::task::spawn_blocking(move || gateway.reload(settings)).await.map_err(|e| e.to_string())??;
        match (&now.certificates, fresh) {
            (Some(shown), Some(fresh)) if !moved => shown.show(&fresh),
            (_, fresh) => now.certificates = fresh,
        }
        if let Some(listener) = listener {
            now.at = listener.local_addr().map_err(|e| e.to_string())?;
            let before = std::mem::replace(&mut now.listener, self.stop.child_token());
            self.tasks.spawn(self.gateway.clone().serve(listener, now.certificates.clone(), now.listener.clone()));
            before.cancel();
        }
        if redirected {
            let before = std::mem::replace(&mut now.redirect, self.stop.child_token());
            before.cancel();
            if let Some(listener) = redirect {
                self.tasks.spawn(redirect_to_tls(listener, origin_port(&wanted), now.redirect.clone()));
            }
        }
        now.config = wanted;
        *self.loaded_at.lock().unwrap_or_else(PoisonError::into_inner) = text_of_now();
        Ok(different)
    }

    /// Reads certificates again when their files change, as tools that renew them expect.
    async fn follow_certificates(self: Arc<Self>) {
        let mut seen = None;
        loop {
            let now = self.now.lock().await;
            let configs = now.config.server.certificates.clone();
            let changed = changed_at(&configs);
            if let Some(certificates) = now.certificates.as_ref().filter(|_| seen.as_ref().is_some_and(|seen| *seen != changed)) {
                match certificates.reload(&configs) {
                    Ok(()) => tracing::info!("certificates were read again: their files have changed"),
                    Err(e) => tracing::error!(error = e, "certificates could not be read again; those that were read before are shown"),
                }
            }
            seen = Some(changed);
            drop(now);
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }
}

impl GatewayControl for Public {
    fn status(&self) -> api::Gateway {
        let status = self.gateway.status();
        let require = |require: &Require| match require {
            Require::Public => "public".to_owned(),
            Require::SignedIn => "signed-in".to_owned(),
            Require::Permission(permission) => format!("permission {permission}"),
        };
        let cards = |said: &CardNumbers| match said {
            CardNumbers::Clear => "clear".to_owned(),
            CardNumbers::Masked => "masked".to_owned(),
            CardNumbers::Permission(permission) => format!("permission {permission}"),
        };
        let routes = status.routes.into_iter().map(|route| api::GatewayRoute {
            name: route.name,
            require: require(&route.config.require),
            card_numbers: cards(route.config.card_numbers()),
            frameworks: route.config.frameworks,
            host: route.config.host,
            path: route.config.path,
            upstream: route.config.upstream,
            waf_mode: route.mode.to_owned(),
            limits: route.config.limits,
        });
        let server = |server: tutela_gateway::ServerStatus| api::GatewayServer {
            url: server.url,
            weight: server.weight,
            open: server.open,
            state: server.state.to_owned(),
        };
        let upstreams = status
            .upstreams
            .into_iter()
            .map(|upstream| api::GatewayUpstream { name: upstream.name, servers: upstream.servers.into_iter().map(server).collect() });
        api::Gateway {
            routes: routes.collect(),
            upstreams: upstreams.collect(),
            waf_rules: status.rules as u64,
            websockets: status.websockets as u64,
            loaded_at: self.loaded_at.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn limited(&self) -> Vec<api::Limited> {
        let limited = self.gateway.limited().into_iter();
        limited
            .map(|one| api::Limited { limit: one.limit, who: one.who, since: one.since.to_string(), until: one.until.to_string(), refused: one.refused })
            .collect()
    }

    fn lift<'a>(&'a self, limit: &'a str, who: &'a str) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(self.gateway.lift(limit, who))
    }

    fn ask<'a>(&'a self, host: &'a str, target: &'a str, cookie: Option<&'a str>) -> BoxFuture<'a, Result<Answered, String>> {
        Box::pin(async move {
            let (at, certificates) = {
                let now = self.now.lock().await;
                (now.at, now.certificates.clone())
            };
            let answer = tutela_gateway::ask(at, certificates.as_ref(), host, target, cookie).await?;
            Ok(Answered { status: answer.status, request: answer.request })
        })
    }

    fn reload(&self) -> BoxFuture<'_, Result<api::Reloaded, String>> {
        Box::pin(self.exchange())
    }
}

fn certificates(configs: &[CertificateConfig]) -> Result<Option<Certificates>, Error> {
    if configs.is_empty() { Ok(None) } else { Certificates::new(configs).map(Some).map_err(Error::Usage) }
}

/// Binds the new address while the old one is still served; the same address with and without TLS takes a moment of its own.
async fn bind_beside(wanted: SocketAddr, now: SocketAddr) -> Result<TcpListener, String> {
    if wanted == now {
        return Err("`server.certificates`: turning TLS on or off at the same `server.listen` needs a restart".into());
    }
    bind(wanted, "server.listen").await.map_err(|e| e.to_string())
}

/// `:8443` where the own origin has a port.
fn origin_port(config: &Config) -> String {
    let authority = config.server.public_url.split_once("://").map_or("", |(_, authority)| authority);
    authority.rsplit_once(':').map_or_else(String::new, |(_, port)| format!(":{port}"))
}

fn changed_at(configs: &[CertificateConfig]) -> Vec<(PathBuf, Option<SystemTime>)> {
    let files = configs.iter().flat_map(|config| [&config.cert_file, &config.key_file]);
    files.map(|file| (file.clone(), std::fs::metadata(file).and_then(|facts| facts.modified()).ok())).collect()
}

fn text_of_now() -> String {
    SystemEnv.now().to_string()
}

/// Which settings differ, by section and name.
fn differences(now: &Config, wanted: &Config) -> Result<api::Reloaded, String> {
    let table = |config: &Config| Table::try_from(config).map_err(|e| e.to_string());
    let (now, wanted) = (table(now)?, table(wanted)?);
    let mut names = BTreeSet::new();
    for section in now.keys().chain(wanted.keys()) {
        match (now.get(section), wanted.get(section)) {
            (Some(Value::Table(a)), Some(Value::Table(b))) => {
                names.extend(a.keys().chain(b.keys()).filter(|key| a.get(*key) != b.get(*key)).map(|key| format!("{section}.{key}")));
            }
            (a, b) if a != b => {
                names.insert(section.clone());
            }
            _ => {}
        }
    }
    let exchanged =
        |name: &String| *name != FIXED && EXCHANGED.iter().any(|one| name == one || name.strip_prefix(one).is_some_and(|rest| rest.starts_with('.')));
    let (changed, needs_restart) = names.into_iter().partition(exchanged);
    Ok(api::Reloaded { changed, needs_restart })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reload_changes_is_named_and_so_is_what_it_cannot() {
        let now = Config::default();
        let mut wanted = now.clone();
        wanted.gateway.idle_timeout = 7;
        wanted.gateway.max_connections = 99;
        wanted.limits.api.requests = 7;
        wanted.identity.session.timeout = 77;
        let found = differences(&now, &wanted).unwrap();
        assert_eq!(found.changed, ["gateway.idle_timeout", "limits.api"]);
        assert_eq!(found.needs_restart, ["gateway.max_connections", "identity.session"]);
    }
}
