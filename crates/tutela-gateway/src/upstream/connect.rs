//! Connections to servers, plain or over TLS. Names under `.localhost` are this host.

use std::{io, path::Path, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::either::Either;

use super::config::UpstreamTls;
use crate::names::resolve_loopback;

/// A connection of either kind.
pub(crate) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// Where a server is, and how it proves that it is it.
#[derive(Clone)]
pub(crate) struct Target {
    pub host: String,
    pub port: u16,
    pub tls: Option<Tls>,
}

/// What TLS to a server needs.
#[derive(Clone)]
pub(crate) struct Tls {
    pub connector: TlsConnector,
    pub name: ServerName<'static>,
}

impl Target {
    /// Connects within `patience`.
    pub(crate) async fn connect(&self, patience: Duration) -> io::Result<Stream> {
        let connected = tokio::time::timeout(patience, async {
            let stream = self.tcp().await?;
            stream.set_nodelay(true)?;
            match &self.tls {
                None => Ok(Either::Left(stream)),
                Some(tls) => tls.connector.connect(tls.name.clone(), stream).await.map(Either::Right),
            }
        });
        connected.await.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no connection within `gateway.connect_timeout`")))
    }

    async fn tcp(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the server's name has no address");
        for address in resolve_loopback(&self.host, self.port).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(e) => last = e,
            }
        }
        Err(last)
    }
}

/// TLS as an upstream's section says; peers are verified always.
pub(crate) fn connector(config: &UpstreamTls) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    match &config.ca_file {
        Some(file) => {
            for certificate in certificates("tls.ca_file", file)? {
                roots.add(certificate).map_err(|e| format!("`tls.ca_file`: {}: {e}", file.display()))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|e| e.to_string())?.with_root_certificates(roots);
    let mut client = match (&config.cert_file, &config.key_file) {
        (Some(cert), Some(key)) => builder
            .with_client_auth_cert(certificates("tls.cert_file", cert)?, private_key("tls.key_file", key)?)
            .map_err(|e| format!("`tls.cert_file` and `tls.key_file`: {e}"))?,
        _ => builder.with_no_client_auth(),
    };
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(client)))
}

/// The certificates of a PEM file; at least one.
pub(crate) fn certificates(setting: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bad = |e: &dyn std::fmt::Display| format!("`{setting}`: {}: {e}", file.display());
    let found: Vec<_> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(|e| bad(&e))?;
    if found.is_empty() { Err(bad(&"there is no certificate in it; a PEM file has `-----BEGIN CERTIFICATE-----`")) } else { Ok(found) }
}

/// The private key of a PEM file.
pub(crate) fn private_key(setting: &str, file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(file).map_err(|e| format!("`{setting}`: {}: {e}", file.display()))
}
