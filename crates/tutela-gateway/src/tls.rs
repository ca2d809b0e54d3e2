//! TLS on the public listener: certificates by name, exchanged while it serves.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::CertificateDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use crate::upstream::{certificates, private_key};

/// `[[server.certificates]]`: one certificate, for the names that stand in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateConfig {
    /// The certificate and its chain, as PEM.
    pub cert_file: PathBuf,
    /// Its private key, as PEM.
    pub key_file: PathBuf,
}

/// The certificates of a listener. Cheap to clone; all clones see what a reload brings.
#[derive(Clone)]
pub struct Certificates {
    shown: Arc<ArcSwap<ByName>>,
    acceptor: TlsAcceptor,
}

/// Which certificate a name gets.
#[derive(Debug)]
struct ByName {
    names: HashMap<String, Arc<CertifiedKey>>,
    first: Arc<CertifiedKey>,
}

impl Certificates {
    /// Reads certificates; there is at least one.
    pub fn new(configs: &[CertificateConfig]) -> Result<Self, String> {
        let shown = Arc::new(ArcSwap::from_pointee(read(configs)?));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(Resolver(Arc::clone(&shown))));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(|e| e.to_string())?;
        // Early data could be sent twice by whoever copies it.
        config.max_early_data_size = 0;
        Ok(Self { shown, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Reads them again; where that fails, those that were read before stay.
    pub fn reload(&self, configs: &[CertificateConfig]) -> Result<(), String> {
        self.shown.store(Arc::new(read(configs)?));
        Ok(())
    }

    /// Shows those of another from now on.
    pub fn show(&self, other: &Self) {
        self.shown.store(other.shown.load_full());
    }

    /// The certificates themselves, without their chains.
    pub(crate) fn leaves(&self) -> Vec<CertificateDer<'static>> {
        let shown = self.shown.load();
        shown.names.values().chain([&shown.first]).filter_map(|certified| certified.cert.first().cloned()).collect()
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

/// Looks the name up that a client asks for.
#[derive(Debug)]
struct Resolver(Arc<ArcSwap<ByName>>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.0.load();
        // Whoever names nobody, as by an address alone, gets the first; whoever names somebody else gets none.
        let Some(name) = hello.server_name() else { return Some(Arc::clone(&shown.first)) };
        let name = name.to_ascii_lowercase();
        let wildcard = name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        shown.names.get(&name).or_else(|| shown.names.get(&wildcard?)).cloned()
    }
}

fn read(configs: &[CertificateConfig]) -> Result<ByName, String> {
    let mut names = HashMap::new();
    let mut first = None;
    for (number, config) in configs.iter().enumerate() {
        let place = |e: String| format!("server.certificates[{number}]: {e}");
        let chain = certificates("cert_file", &config.cert_file).map_err(place)?;
        let key = private_key("key_file", &config.key_file).map_err(place)?;
        let Some(leaf) = chain.first().cloned() else { continue };
        let (_, parsed) = parse_x509_certificate(&leaf).map_err(|e| place(format!("`cert_file`: {e}")))?;
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|e| place(format!("`cert_file` and `key_file`: {e}")))?;
        let certified = Arc::new(certified);
        let alternative = parsed.subject_alternative_name().ok().flatten();
        for name in alternative.iter().flat_map(|names| &names.value.general_names) {
            if let GeneralName::DNSName(name) = name {
                names.entry(name.to_ascii_lowercase()).or_insert_with(|| Arc::clone(&certified));
            }
        }
        metrics::gauge!("tutela_certificate_ends_seconds", "number" => number.to_string()).set(parsed.validity().not_after.timestamp() as f64);
        first.get_or_insert(certified);
    }
    Ok(ByName { names, first: first.ok_or("server.certificates: there is none")? })
}
