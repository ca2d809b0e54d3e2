//! Mails and text messages: written down, sealed, in the commit of what they tell, and sent by a loop for each
//! channel, so that a mail server that hangs delays no text message. A process that dies in between sends one twice, under the same id, and none never.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tutela_core::{IncidentId, MessageId, Principal, Secret, Timestamp};
use tutela_identity::event::MessageGivenUp;
use tutela_kms::open_token;
use tutela_store::{Changeset, Housekeeping, MessageRow};

use crate::{
    App, Ctx, Error,
    lanes::{Lanes, pause},
    monitor::notify,
    port::{AlertSender, Mail, Notice, NoticeKind, SendError, TextMessage},
    text,
};

const PURPOSE: &[u8] = b"message";
/// How long a message without an end of its own is tried.
const LIFE: Duration = Duration::from_secs(86_400);
/// For how long nobody else takes a message that is being sent.
const LEASE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: u64 = 900;
/// How long one message may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many messages of a channel are sent at once.
const LANES: usize = 4;
/// After so many tries others are told that an alert does not arrive.
const TELL_OTHERS: u64 = 4;
/// The rule of a notice that tells of another one.
const UNREACHED: &str = "unreached";
/// Every channel.
pub(crate) const CHANNELS: [Channel; 5] = [Channel::Mail, Channel::Sms, Channel::Slack, Channel::PagerDuty, Channel::Webhook];

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    Mail,
    Sms,
    Slack,
    PagerDuty,
    Webhook,
}

impl Channel {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Sms => "sms",
            Self::Slack => "slack",
            Self::PagerDuty => "pagerduty",
            Self::Webhook => "webhook",
        }
    }
}

impl Channel {
    /// Whether it takes alerts as such; mail has them as any other mail.
    fn is_for_alerts(self) -> bool {
        matches!(self, Self::Slack | Self::PagerDuty | Self::Webhook)
    }
}

#[derive(Serialize, Deserialize)]
struct Payload {
    to: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    subject: String,
    body: String,
}

/// What puts a message on its way in the commit it is applied to.
pub(crate) type OnItsWay = Box<dyn FnOnce(Changeset) -> Changeset + Send + Sync>;

/// A mail; nothing where no mail server is configured. `until` is when it is of no use any more.
pub(crate) fn mail(app: &App, ctx: &Ctx, to: &str, what: &text::Mail<'_>, until: Option<Timestamp>) -> Result<OnItsWay, Error> {
    if app.mail.is_none() {
        return Ok(Box::new(|changeset| changeset));
    }
    let (subject, body) = text::mail(what, app.own_host());
    prepare(app, ctx, Channel::Mail, Payload { to: to.to_owned(), subject, body }, until)
}

/// A text message.
pub(crate) fn sms(app: &App, ctx: &Ctx, to: &str, body: String, until: Option<Timestamp>) -> Result<OnItsWay, Error> {
    prepare(app, ctx, Channel::Sms, Payload { to: to.to_owned(), subject: String::new(), body }, until)
}

/// An alert, to a channel of Slack, a service of PagerDuty or an address.
pub(crate) fn alert(app: &App, ctx: &Ctx, channel: Channel, to: &str, notice: &Notice) -> Result<OnItsWay, Error> {
    let body = serde_json::to_string(notice).map_err(|_| Error::Internal("an alert could not be written down"))?;
    prepare(app, ctx, channel, Payload { to: to.to_owned(), subject: String::new(), body }, None)
}

fn prepare(app: &App, ctx: &Ctx, channel: Channel, mut payload: Payload, until: Option<Timestamp>) -> Result<OnItsWay, Error> {
    let sealed = app.seal_as(PURPOSE, &payload)?;
    zeroize::Zeroize::zeroize(&mut payload.body);
    let (id, now) = (MessageId::new(ctx.now, &mut { app.env() }), ctx.now);
    app.messages_due[channel as usize].notify_one();
    Ok(Box::new(move |changeset: Changeset| changeset.message_insert(id, channel.as_str(), &sealed, now, until.unwrap_or(now + LIFE))))
}

/// Sends what is due of a channel until told to stop.
pub(crate) async fn run(app: App, channel: Channel, stop: CancellationToken) {
    let lanes = Lanes { count: LANES, look: Duration::from_secs(1), what: channel.as_str() };
    let take = |app: App, now: Timestamp| async move { app.store.message_take(channel.as_str(), now, now + LEASE).await };
    lanes.run(app, stop, |app| &app.messages_due[channel as usize], take, turn).await;
}

/// Sends one message.
async fn turn(app: App, row: MessageRow, now: Timestamp) -> Result<(), Error> {
    if now >= row.expires_at {
        return give_up(&app, &row, "it was of no use any more").await;
    }
    // Shorter than the lease, so that a server that says nothing never has the same message twice, nor a lane for good.
    let delivered = tokio::time::timeout(PATIENCE, deliver(&app, &row)).await;
    match delivered.unwrap_or_else(|_| Err(SendError::Unavailable("no answer in time".into()))) {
        Ok(()) => app.store.message_sent(row.id).await?,
        Err(SendError::Refused(why)) => {
            unreached(&app, &row, &why).await?;
            give_up(&app, &row, &why).await?;
        }
        Err(SendError::Unavailable(why)) => {
            tracing::warn!(channel = row.channel, attempts = row.attempts + 1, error = why, "a message was not taken and will be sent again");
            if row.attempts + 1 == TELL_OTHERS {
                unreached(&app, &row, &why).await?;
            }
            app.store.message_later(row.id, now + pause(row.attempts, LONGEST_PAUSE)).await?;
        }
    }
    Ok(())
}

async fn deliver(app: &App, row: &MessageRow) -> Result<(), SendError> {
    let unreadable = |_| SendError::Refused("it does not open under this instance's key".into());
    let bytes = Secret::new(open_token(app.sealer.root(), PURPOSE, &row.sealed).map_err(unreadable)?);
    let Payload { to, subject, body } = serde_json::from_slice(bytes.open()).map_err(|_| SendError::Refused("it is malformed".into()))?;
    let (id, body) = (row.id.to_string(), Secret::new(body));
    let off = || SendError::Unavailable("no sender is configured for this channel".into());
    let sent = match row.channel.as_str() {
        "mail" => app.mail.as_ref().ok_or_else(off)?.send(&Mail { id, to, subject, body }).await,
        "sms" => app.sms.as_ref().ok_or_else(off)?.send(&TextMessage { id, to, body }).await,
        other => {
            let notice: Notice = serde_json::from_str(body.open()).map_err(|_| SendError::Refused("it is malformed".into()))?;
            let sender = match other {
                "slack" => &app.alert_senders.slack,
                "pagerduty" => &app.alert_senders.pagerduty,
                _ => &app.alert_senders.webhook,
            };
            alert_to(app, other, sender.as_ref().ok_or_else(off)?.as_ref(), &to, &notice).await
        }
    };
    metrics::counter!("tutela_messages_total", "channel" => row.channel.clone(), "outcome" => if sent.is_ok() { "sent" } else { "failed" }).increment(1);
    sent
}

/// Hands an alert over, below the first one of its incident; where that stands is kept.
async fn alert_to(app: &App, channel: &str, sender: &dyn AlertSender, to: &str, notice: &Notice) -> Result<(), SendError> {
    let incident = notice.incident.as_deref().and_then(|id| id.parse::<IncidentId>().ok());
    let unreadable = |e: tutela_store::Error| SendError::Unavailable(e.to_string());
    let below = match incident {
        Some(id) => app.store.incident_message(id, channel, to).await.map_err(unreadable)?,
        None => None,
    };
    let handle = sender.send(to, notice, below.as_deref()).await?;
    if let (Some(id), Some(handle), None) = (incident, handle, below) {
        // It was sent: what follows would only stand beside it.
        let kept = Changeset::housekeeping(Housekeeping::IncidentMessage).incident_message(id, channel, to, &handle);
        if let Err(e) = app.store.commit(kept).await {
            tracing::warn!(error = %e, "where an incident was told could not be kept");
        }
    }
    Ok(())
}

/// Others are told that somebody cannot be reached, once for each alert.
async fn unreached(app: &App, row: &MessageRow, why: &str) -> Result<(), Error> {
    let Some(channel) = CHANNELS.into_iter().find(|channel| channel.as_str() == row.channel).filter(|channel| channel.is_for_alerts()) else { return Ok(()) };
    let Ok(bytes) = open_token(app.sealer.root(), PURPOSE, &row.sealed) else { return Ok(()) };
    let Ok(Payload { to, body, .. }) = serde_json::from_slice(Secret::new(bytes).open()) else { return Ok(()) };
    let Ok(notice) = serde_json::from_str::<Notice>(&body) else { return Ok(()) };
    if notice.kind != NoticeKind::Opened || notice.rule == UNREACHED {
        return Ok(());
    }
    let ctx = Ctx::new(app.env(), Principal::System("messages"));
    let telling = Notice {
        id: format!("{}/unreached/{}", notice.id, row.id),
        kind: NoticeKind::More,
        title: format!("An alert does not reach {} {to}", channel.as_str()),
        details: format!("{why}\n{}\n{}", notice.title, notice.details),
        rule: UNREACHED.into(),
        ..notice
    };
    let set = Changeset::housekeeping(Housekeeping::IncidentMessage);
    Ok(app.store.commit(notify::to_all_but(app, &ctx, set, &telling, Some((channel, &to)))?).await?)
}

async fn give_up(app: &App, row: &MessageRow, why: &str) -> Result<(), Error> {
    let ctx = Ctx::new(app.env(), Principal::System("messages"));
    app.commit(&ctx, MessageGivenUp::new(&row.channel, row.attempts + 1, why), |c| c.message_drop(row.id)).await
}
