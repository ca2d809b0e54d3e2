//! Outside providers from their sections of the configuration: secrets read, addresses checked.

use std::{path::Path, sync::Arc};

use tutela_app::{IdentityConfig, OutsideProvider, SamlProvider, Way, port::OutsideHttp};
use tutela_connect::{Outside, read_secret};
use tutela_core::Secret;
use tutela_identity::federation::{oauth2::Oauth2Provider, openid::OpenidProvider, saml::IdpMetadata};

/// All that are configured.
pub fn providers(config: &IdentityConfig) -> Result<Vec<OutsideProvider>, String> {
    let mut all = Vec::new();
    for (name, section) in &config.openid {
        let key = format!("identity.openid.{name}");
        let openid = OpenidProvider::new(name, section, secret(&key, section.client_secret_file.as_deref())?)?;
        let http = Outside::new(&section.network).map_err(|e| format!("{key}.network: {e}"))?;
        http.check(openid.issuer()).map_err(|e| format!("{key}.issuer: {e}"))?;
        let label = label(section.label.as_deref(), openid.label(), name);
        all.push(OutsideProvider::new(name, label, Way::Openid(Box::new(openid)), section.people.clone(), section.sign_out, Arc::new(http)));
    }
    for (name, section) in &config.oauth2 {
        let key = format!("identity.oauth2.{name}");
        let oauth2 = Oauth2Provider::new(name, section, secret(&key, section.client_secret_file.as_deref())?)?;
        let http = Outside::new(&section.network).map_err(|e| format!("{key}.network: {e}"))?;
        for url in oauth2.addresses() {
            http.check(url).map_err(|e| format!("{key}: {e}"))?;
        }
        let label = label(section.label.as_deref(), oauth2.label(), name);
        all.push(OutsideProvider::new(name, label, Way::Oauth2(Box::new(oauth2)), section.people.clone(), false, Arc::new(http)));
    }
    for (name, section) in &config.saml {
        let key = format!("identity.saml.{name}");
        let http = Outside::new(&section.network).map_err(|e| format!("{key}.network: {e}"))?;
        let file = match (&section.metadata_file, &section.metadata_url) {
            (Some(file), _) => Some(std::fs::read(file).map_err(|e| format!("{key}.metadata_file: `{}`: {e}", file.display()))?),
            (None, Some(url)) => http.check(url).map(|()| None).map_err(|e| format!("{key}.metadata_url: {e}"))?,
            (None, None) => None,
        };
        if let Some(file) = &file {
            IdpMetadata::read(file, section.provider_id.as_deref()).map_err(|e| format!("{key}.metadata_file: {e}"))?;
        }
        let label = label(section.label.as_deref(), "", name);
        let way = Way::Saml(Box::new(SamlProvider { config: section.clone(), file }));
        all.push(OutsideProvider::new(name, label, way, section.people.clone(), section.sign_out, Arc::new(http)));
    }
    Ok(all)
}

/// How applications are told that sessions ended.
pub fn back_channel(config: &IdentityConfig) -> Result<Arc<dyn OutsideHttp>, String> {
    Ok(Arc::new(Outside::new(&config.back_channel).map_err(|e| format!("identity.back_channel: {e}"))?))
}

fn secret(key: &str, file: Option<&Path>) -> Result<Option<Secret<String>>, String> {
    file.map(|file| read_secret(file).map_err(|e| format!("{key}.client_secret_file: {e}"))).transpose()
}

fn label(given: Option<&str>, of_kind: &str, name: &str) -> String {
    let known = if of_kind.is_empty() { name } else { of_kind };
    given.unwrap_or(known).chars().take(64).collect()
}
