use std::{path::PathBuf, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    address::Envelope,
    message::{
        Mailbox,
        header::{ContentType, MIME_VERSION_1_0},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_app::port::{Mail, MailSender, SendError};
use tutela_core::seam::BoxFuture;

use crate::http::read_secret;

/// How long one mail may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// `[channels.smtp]`: the server that mail is handed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    /// Host name of the server.
    pub host: String,
    /// Its port; 465 where `tls` is `implicit`, else 587.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// `starttls` (required, never skipped), `implicit`, or `none`, which is for this very host only.
    #[serde(default)]
    pub tls: SmtpTls,
    /// File with the CA certificates to trust; the system's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// User name; no sign-in where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// File with the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Sender, for example `Photos <no-reply@example.com>`.
    pub from: String,
}

/// How the connection to a mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SmtpTls {
    /// From the first byte (RFC 8314).
    Implicit,
    /// Not at all.
    None,
    /// From STARTTLS on, which has to be offered.
    #[default]
    Starttls,
}

impl SmtpConfig {
    /// Refuses what cannot work, and passwords in clear over a network.
    pub fn check(&self) -> Result<(), String> {
        let loopback = ["127.0.0.1", "::1", "localhost"].contains(&self.host.as_str());
        if self.tls == SmtpTls::None && !loopback {
            return Err("channels.smtp: `tls = \"none\"` is for a server on this host; mail holds links that let people in".into());
        }
        if self.username.is_some() != self.password_file.is_some() {
            return Err("channels.smtp: `username` and `password_file` belong together".into());
        }
        self.from
            .parse::<Mailbox>()
            .map(|_| ())
            .map_err(|_| format!("channels.smtp.from: `{}` is not a sender such as `Photos <no-reply@example.com>`", self.from))
    }
}

/// Hands mails to an SMTP server.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// From its configuration; reads the password.
    pub fn new(config: &SmtpConfig) -> Result<Self, String> {
        let at = |e: String| format!("channels.smtp: {e}");
        let from = config.from.parse::<Mailbox>().map_err(|e| at(e.to_string()))?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host).timeout(Some(PATIENCE));
        let port = config.port.unwrap_or(if config.tls == SmtpTls::Implicit { 465 } else { 587 });
        builder = builder.port(port).tls(tls(config).map_err(at)?);
        if let (Some(name), Some(file)) = (&config.username, &config.password_file) {
            let password = read_secret(file).map_err(at)?;
            builder = builder.credentials(Credentials::new(name.clone(), password.open().clone()));
        }
        Ok(Self { transport: builder.build(), from })
    }
}

fn tls(config: &SmtpConfig) -> Result<Tls, String> {
    if config.tls == SmtpTls::None {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let Some(file) = &config.ca_file {
        let pem = std::fs::read(file).map_err(|e| format!("`{}`: {e}", file.display()))?;
        parameters = parameters.certificate_store(lettre::transport::smtp::client::CertificateStore::None);
        parameters = parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(|e| format!("`{}`: {e}", file.display()))?);
    }
    let parameters = parameters.build_rustls().map_err(|e| e.to_string())?;
    Ok(if config.tls == SmtpTls::Implicit { Tls::Wrapper(parameters) } else { Tls::Required(parameters) })
}

impl MailSender for Smtp {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let message = self.message(mail)?;
            match self.transport.send(message).await {
                Ok(_) => Ok(()),
                // A wrong credential is the operator's to mend; the messages wait for it (RFC 4954 §6).
                Err(e) if e.status().is_some_and(|code| [530, 534, 535, 538].contains(&u16::from(code))) => Err(SendError::Unavailable(status(&e))),
                // Only codes: what the server says may repeat the address.
                Err(e) if e.is_permanent() => Err(SendError::Refused(status(&e))),
                Err(e) => Err(SendError::Unavailable(status(&e))),
            }
        })
    }
}

impl Smtp {
    fn message(&self, mail: &Mail) -> Result<Message, SendError> {
        let refused = |what: &str| SendError::Refused(what.to_owned());
        let to = mail.to.parse::<lettre::Address>().map_err(|_| refused("the address is not one that mail can be sent to"))?;
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![to.clone()]).map_err(|_| refused("the envelope is not complete"))?;
        let domain = self.from.email.domain().to_owned();
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .envelope(envelope)
            // A mail that is sent twice is one mail to whoever threads by this.
            .message_id(Some(format!("<{}@{domain}>", mail.id)))
            .subject(mail.subject.clone())
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN)
            .body(mail.body.open().clone())
            .map_err(|_| refused("the mail could not be written"))
    }
}

fn status(e: &lettre::transport::smtp::Error) -> String {
    e.status()
        .map_or_else(|| if e.is_timeout() { "no answer in time".into() } else { "the connection failed".into() }, |code| format!("the server answered {code}"))
}
