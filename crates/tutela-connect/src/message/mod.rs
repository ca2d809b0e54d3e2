//! Where mails and text messages go: an SMTP server, a carrier, a webhook, or a file for whoever develops.

mod alert;
mod hook;
mod log;
mod slack;
mod sms;
mod smtp;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_app::port::{AlertSender, AlertSenders, MailSender, SmsSender};

pub use alert::PagerDutyConfig;
pub use log::LogFile;
pub use slack::SlackConfig;
pub use sms::{TwilioConfig, WebhookConfig};
pub use smtp::{SmtpConfig, SmtpTls};

/// `[channels]`: how messages leave this server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChannelsConfig {
    /// Mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp: Option<SmtpConfig>,
    /// Text messages through Twilio, or a carrier that speaks as it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twilio: Option<TwilioConfig>,
    /// Text messages as signed requests to an address of your own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms_webhook: Option<WebhookConfig>,
    /// Alerts to channels of Slack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<SlackConfig>,
    /// Alerts to services of PagerDuty, by the names that alerts call them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pagerduty: BTreeMap<String, PagerDutyConfig>,
    /// Alerts as signed requests (CloudEvents 1.0) to addresses of your own, by the names that alerts call them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub webhook: BTreeMap<String, WebhookConfig>,
    /// A file that takes what has no sender above, one line of JSON each, codes and links included. For development only: warned about at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
}

/// The senders of a configuration.
pub struct Senders {
    /// Mail.
    pub mail: Option<Arc<dyn MailSender>>,
    /// Text messages.
    pub sms: Option<Arc<dyn SmsSender>>,
    /// Alerts.
    pub alerts: AlertSenders,
}

impl ChannelsConfig {
    /// Every path in it, to be made absolute.
    pub fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let smtp = self.smtp.iter_mut().flat_map(|c| [c.ca_file.as_mut(), c.password_file.as_mut()]).flatten();
        let sms = self.twilio.iter_mut().map(|c| &mut c.auth_token_file).chain(self.sms_webhook.iter_mut().map(|c| &mut c.secret_file));
        let alerts = self.slack.iter_mut().flat_map(|c| [Some(&mut c.token_file), c.signing_secret_file.as_mut()]).flatten();
        let alerts = alerts.chain(self.pagerduty.values_mut().map(|c| &mut c.routing_key_file)).chain(self.webhook.values_mut().map(|c| &mut c.secret_file));
        smtp.chain(sms).chain(alerts).chain(self.log.as_mut())
    }

    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), String> {
        if self.twilio.is_some() && self.sms_webhook.is_some() {
            return Err("channels: text messages go through `twilio` or `sms_webhook`, not both".into());
        }
        self.slack.as_ref().map_or(Ok(()), SlackConfig::check)?;
        self.pagerduty.iter().try_for_each(|(name, config)| config.check(name))?;
        self.webhook.iter().try_for_each(|(name, config)| config.check(&format!("channels.webhook.{name}")))?;
        self.smtp.as_ref().map_or(Ok(()), SmtpConfig::check)?;
        self.twilio.as_ref().map_or(Ok(()), TwilioConfig::check)?;
        self.sms_webhook.as_ref().map_or(Ok(()), |config| config.check("channels.sms_webhook"))
    }

    /// Makes the senders; reads the secrets that the configuration names.
    pub fn senders(&self) -> Result<Senders, String> {
        let file = self.log.as_ref().map(|path| Arc::new(LogFile::new(path)));
        let mail: Option<Arc<dyn MailSender>> = match &self.smtp {
            Some(config) => Some(Arc::new(smtp::Smtp::new(config)?)),
            None => file.clone().map(|file| file as Arc<dyn MailSender>),
        };
        let sms: Option<Arc<dyn SmsSender>> = match (&self.twilio, &self.sms_webhook) {
            (Some(config), _) => Some(Arc::new(sms::Twilio::new(config)?)),
            (None, Some(config)) => Some(Arc::new(sms::Webhook::new(config)?)),
            (None, None) => file.clone().map(|file| file as Arc<dyn SmsSender>),
        };
        let noted = |sender: Option<Arc<dyn AlertSender>>| sender.or_else(|| file.clone().map(|file| file as Arc<dyn AlertSender>));
        let slack = self.slack.as_ref().map(slack::Slack::new).transpose()?;
        let pagerduty = (!self.pagerduty.is_empty()).then(|| alert::PagerDuty::new(&self.pagerduty)).transpose()?;
        let webhook = (!self.webhook.is_empty()).then(|| alert::Webhooks::new(&self.webhook)).transpose()?;
        let alerts = AlertSenders {
            slack: noted(slack.map(|sender| Arc::new(sender) as Arc<dyn AlertSender>)),
            pagerduty: noted(pagerduty.map(|sender| Arc::new(sender) as Arc<dyn AlertSender>)),
            webhook: noted(webhook.map(|sender| Arc::new(sender) as Arc<dyn AlertSender>)),
        };
        Ok(Senders { mail, sms, alerts })
    }
}
