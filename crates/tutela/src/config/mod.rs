//! The configuration tree: one typed table of contents; each crate owns its part.

mod kms;
mod load;
mod reference;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_app::{
    AlertsConfig, AuditConfig, ComplianceConfig, DetectionConfig, IdentityConfig, LimitsConfig, PrivacyConfig, backup::BackupPlan, compliance::longest_idle,
};
use tutela_connect::{ChannelsConfig, GeoConfig};
use tutela_core::Span;
use tutela_gateway::{CertificateConfig, Certificates};

use crate::log::LogConfig;

pub use kms::KmsConfig;
pub use load::{load, over};
pub use reference::reference;

/// Everything that can be configured. Times are in seconds unless a name says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The data folder: database, instance key, admin socket. Relative to the configuration file.
    pub data: PathBuf,
    /// The public listener.
    pub server: ServerConfig,
    /// The admin listener: console, administrative API, metrics, probes.
    pub admin: AdminConfig,
    /// Where tutela keeps its own data.
    pub storage: tutela_store::Config,
    /// Keys.
    pub kms: KmsConfig,
    /// How people sign in.
    pub identity: IdentityConfig,
    /// How often something may be tried.
    pub limits: LimitsConfig,
    /// How messages leave this server.
    pub channels: ChannelsConfig,
    /// What the ledger takes.
    pub audit: AuditConfig,
    /// Consent, and what people may ask for.
    pub privacy: PrivacyConfig,
    /// What the ledger is watched for.
    pub detection: DetectionConfig,
    /// Where addresses are.
    pub geo: GeoConfig,
    /// Who is told of alerts.
    pub alerts: AlertsConfig,
    /// Backups of the whole instance.
    pub backup: BackupConfig,
    /// What laws and standards ask for.
    pub compliance: ComplianceConfig,
    /// The guarded applications.
    pub gateway: tutela_gateway::Config,
    /// What the program says on standard error.
    pub log: LogConfig,
}

/// `[backup]`: backups of the whole instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackupConfig {
    /// Where backups and the journal of erasures are kept; `backups` in the data folder where absent. Best on another disk, or mounted from another host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// How often one is made: a number and `minutes`, `hours` or `days`, or `never`.
    pub schedule: String,
    /// How many are kept.
    pub keep: u32,
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self { folder: None, schedule: "never".into(), keep: 7 }
    }
}

impl BackupConfig {
    /// Read and checked.
    pub fn plan(&self, data: &Path) -> Result<BackupPlan, String> {
        let every = if self.schedule == "never" { None } else { Some(tutela_app::parse_period(&self.schedule).map_err(|e| format!("backup.schedule: {e}"))?) };
        if self.keep == 0 {
            return Err("backup.keep: at least one backup is kept".into());
        }
        Ok(BackupPlan { folder: self.folder.clone().unwrap_or_else(|| data.join("backups")), every, keep: self.keep })
    }
}

/// `[server]`: the public listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Origin of tutela's own pages, as browsers see it; never a guarded host. `https` unless the host is under `.localhost`.
    pub public_url: String,
    /// Certificates, which turn TLS on: each is shown for the names that stand in it, the first also to whoever names nobody. They are read again when their files change.
    pub certificates: Vec<CertificateConfig>,
    /// For how long browsers are told to come over TLS only (RFC 6797), where `public_url` is `https`; `0 seconds` tells them to forget it.
    pub hsts: Span,
    /// Address and port of a listener that sends whoever comes over plain HTTP to `https`: `0.0.0.0:80`. None where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<SocketAddr>,
}

/// `[admin]`: the admin listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdminConfig {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Origin of the console, as browsers see it.
    pub admin_url: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: "tutela-data".into(),
            server: ServerConfig::default(),
            admin: AdminConfig::default(),
            storage: tutela_store::Config::default(),
            kms: KmsConfig::default(),
            identity: IdentityConfig::default(),
            limits: LimitsConfig::default(),
            channels: ChannelsConfig::default(),
            audit: AuditConfig::default(),
            privacy: PrivacyConfig::default(),
            detection: DetectionConfig::default(),
            geo: GeoConfig::default(),
            alerts: AlertsConfig::default(),
            backup: BackupConfig::default(),
            compliance: ComplianceConfig::default(),
            gateway: tutela_gateway::Config::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: "http://tutela.localhost:8080".into(),
            certificates: Vec::new(),
            hsts: Span::days(365),
            redirect: None,
        }
    }
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8081)), admin_url: "http://console.tutela.localhost:8081".into() }
    }
}

impl Config {
    /// Whoever is to be told of alerts can be told: each name has its section. In development `channels.log` takes everything.
    fn check_alerts(&self) -> Result<(), String> {
        let (to, channels) = (&self.alerts, &self.channels);
        to.check()?;
        if channels.log.is_some() {
            return Ok(());
        }
        if !to.email.is_empty() && channels.smtp.is_none() {
            return Err("`email` needs a mail server, `[channels.smtp]`".into());
        }
        if !to.slack.is_empty() && channels.slack.is_none() {
            return Err("`slack` needs a token, `[channels.slack]`".into());
        }
        if let Some(name) = to.pagerduty.iter().find(|name| !channels.pagerduty.contains_key(*name)) {
            return Err(format!("`pagerduty` names `{name}`, and there is no section `[channels.pagerduty.{name}]` with its key"));
        }
        match to.webhook.iter().find(|name| !channels.webhook.contains_key(*name)) {
            Some(name) => Err(format!("`webhook` names `{name}`, and there is no section `[channels.webhook.{name}]` with its address")),
            None => Ok(()),
        }
    }

    /// Everything that is wrong beyond its shape, each with the key it is about.
    pub fn problems(&self) -> Vec<String> {
        let checks = [
            ("server.public_url", check_origin(&self.server.public_url)),
            ("admin.admin_url", check_origin(&self.admin.admin_url)),
            ("storage", self.storage.check()),
            ("", self.kms.check()),
            ("", self.identity.check()),
            ("", self.limits.check()),
            ("", self.identity.check_limits(&self.limits)),
            ("", self.channels.check()),
            ("", self.audit.check()),
            ("", self.compliance.check()),
            ("detection", self.detection.check()),
            ("privacy", self.privacy.check()),
            ("alerts", self.check_alerts()),
            ("", self.backup.plan(&self.data).map(drop)),
            ("gateway", self.gateway.check()),
            ("", self.check_issuers()),
            ("", self.check_frameworks()),
        ];
        let mut problems: Vec<String> = checks
            .into_iter()
            .filter_map(|(key, result)| result.err().map(|e| if key.is_empty() || e.starts_with("gateway.") { e } else { format!("{key}: {e}") }))
            .collect();
        if !self.server.certificates.is_empty() && self.server.public_url.starts_with("http:") {
            problems.push("server.public_url: `server.certificates` turn TLS on, so it begins with `https:`".into());
        }
        if !self.server.certificates.is_empty()
            && let Err(e) = Certificates::new(&self.server.certificates)
        {
            problems.push(e);
        }
        if self.server.public_url == self.admin.admin_url {
            problems.push("admin.admin_url: it must be another host than `server.public_url`, so that no cookie serves both".into());
        }
        problems
    }

    /// A route that takes tokens of nobody would refuse everybody, and say nothing of why.
    fn check_issuers(&self) -> Result<(), String> {
        for (number, route) in self.gateway.routes.iter().enumerate() {
            for name in &route.issuers {
                if self.identity.openid.get(name).is_none_or(|section| section.api_audience.is_none()) {
                    return Err(format!("gateway.routes[{number}].issuers: `{name}` is no section of `identity.openid` with an `api_audience`"));
                }
            }
        }
        Ok(())
    }

    /// What a framework asks of a route, this server has to be set to.
    fn check_frameworks(&self) -> Result<(), String> {
        for (number, route) in self.gateway.routes.iter().enumerate() {
            for name in &route.frameworks {
                let at = format!("gateway.routes[{number}].frameworks");
                if !self.compliance.is_on(name) {
                    return Err(format!("{at}: `{name}` is not switched on in `compliance.frameworks`"));
                }
                let Some(longest) = longest_idle(name) else {
                    return Err(format!("{at}: `{name}` asks nothing of a route; there are hipaa, pci-dss"));
                };
                if self.identity.session.timeout > longest {
                    let timeout = self.identity.session.timeout;
                    return Err(format!("{at}: `{name}` lets sessions be idle for {longest} s at most; set `identity.session.timeout`, which is {timeout}"));
                }
            }
        }
        Ok(())
    }

    /// The file with the root key.
    pub fn key_file(&self) -> PathBuf {
        self.kms.key_file.clone().unwrap_or_else(|| self.data.join("instance.key"))
    }

    /// The admin socket.
    pub fn socket(&self) -> PathBuf {
        self.data.join("admin.sock")
    }

    /// Reads relative paths from the folder of the configuration file.
    fn resolve(&mut self, folder: &Path) {
        let own = [Some(&mut self.data), self.storage.password_file.as_mut()].into_iter().flatten();
        let cluster = self.audit.cluster.iter_mut().flat_map(|c| [c.ca_file.as_mut(), c.password_file.as_mut(), c.api_key_file.as_mut()]).flatten();
        let served = self.server.certificates.iter_mut().flat_map(|c| [&mut c.cert_file, &mut c.key_file]).chain(self.gateway.paths());
        let people = self.identity.paths().chain(self.channels.paths()).chain(self.detection.paths()).chain(self.geo.paths()).chain(self.privacy.paths());
        let people = people.chain(self.compliance.paths());
        for path in own.chain(self.kms.paths()).chain(cluster).chain(self.backup.folder.as_mut()).chain(people).chain(served) {
            if path.is_relative() {
                *path = folder.join(&*path);
            }
        }
    }
}

/// An origin: scheme, host, perhaps a port, nothing else.
fn check_origin(url: &str) -> Result<(), String> {
    let bad = || format!("`{url}` is not an origin such as `https://tutela.example.com`");
    let (scheme, authority) = url.split_once("://").ok_or_else(bad)?;
    let (host, port) = authority.split_once(':').map_or((authority, None), |(h, p)| (h, Some(p)));
    let fine = !host.is_empty()
        && host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b))
        && port.is_none_or(|p| p.parse::<u16>().is_ok());
    if !fine || !["http", "https"].contains(&scheme) {
        return Err(bad());
    }
    // Cookies are `Secure`: browsers keep them over plain HTTP only for names under .localhost.
    if scheme == "http" && host != "localhost" && !host.ends_with(".localhost") {
        return Err(format!("`{url}` is plain HTTP; use `https`, or a name under `.localhost` to try things out"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(Config::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let mut config = Config::default();
        config.server.public_url = "http://tutela.example.com".into();
        config.storage.readers = 0;
        config.identity.password.memory_kib = Some(64);
        assert_eq!(config.problems().len(), 3, "{:?}", config.problems());
    }
}
