//! A request to the gateway's own listener, as anybody could send it from this machine.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{Certificates, handle::REQUEST_ID};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the gateway answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The request's number, as the answer has it.
    pub request: Option<String>,
}

/// Sends a request to a listener of this process; the body of the answer is not waited for.
pub async fn ask(listener: SocketAddr, certificates: Option<&Certificates>, host: &str, target: &str, cookie: Option<&str>) -> Result<Answer, String> {
    let asked = async {
        let stream = TcpStream::connect(here(listener)).await.map_err(|e| e.to_string())?;
        let mut request = Request::builder().uri(target).header(header::HOST, host).header(header::USER_AGENT, "tutela-probe");
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|e| e.to_string())?;
        match certificates {
            None => send(stream, request).await,
            Some(certificates) => {
                let bare = host.split(':').next().unwrap_or(host).to_owned();
                let name = ServerName::try_from(bare).map_err(|e| e.to_string())?;
                send(connector(certificates)?.connect(name, stream).await.map_err(|e| e.to_string())?, request).await
            }
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))?
}

async fn send<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S, request: Request<Empty<Bytes>>) -> Result<Answer, String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(|e| e.to_string());
    connection.abort();
    let answer = answer?;
    let request = answer.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Answer { status: answer.status().as_u16(), request })
}

/// A listener on every address is reached on this machine's own.
fn here(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

fn connector(certificates: &Certificates) -> Result<TlsConnector, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let shown = Shown { leaves: certificates.leaves(), provider: Arc::clone(&provider) };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
    Ok(TlsConnector::from(Arc::new(builder.dangerous().with_custom_certificate_verifier(Arc::new(shown)).with_no_client_auth())))
}

/// Trusts the certificates that this very listener shows, whoever signed them, and no others.
#[derive(Debug)]
struct Shown {
    leaves: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Shown {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.leaves.iter().any(|known| known == leaf) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General("this is another certificate than the listener has".into()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
