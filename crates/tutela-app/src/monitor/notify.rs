//! Telling people: messages in the commit of the alert itself, so that whoever is to be told is told, whatever happens.

use std::fmt::Write as _;

use tutela_core::{AlertId, IncidentId};
use tutela_detection::{Alert, Level, Rule};
use tutela_store::Changeset;

use super::gather::News;
use crate::{
    App, Ctx, Error,
    port::{Notice, NoticeKind},
    text::Mail,
    usecase::message::{self, Channel},
};

/// Most alerts of one commit that are told one by one; of the others the number is told.
const MOST: usize = 20;

/// An alert as it is told.
pub(super) fn of_alert(app: &App, id: AlertId, incident: IncidentId, news: News, rule: &Rule, alert: &Alert, evidence: Vec<String>) -> Notice {
    let mut details = String::new();
    let mut line = |text: String| {
        let _ = writeln!(details, "{text}");
    };
    for (name, value) in &alert.about {
        line(format!("{name}: {value}"));
    }
    line(format!("{}{} within {}", if alert.estimated { "about " } else { "" }, alert.count, rule.window.words()));
    alert.reasons.iter().for_each(|reason| line(reason.clone()));
    line(format!("rule: {} ({})", rule.name, rule.mode.as_str()));
    line(format!("events: {}", evidence.join(", ")));
    Notice {
        id: id.to_string(),
        kind: if news == News::Opened { NoticeKind::Opened } else { NoticeKind::More },
        level: rule.level.as_str().to_owned(),
        title: rule.title.clone(),
        details,
        rule: rule.name.clone(),
        time: alert.time.to_string(),
        ..about_incident(app, incident)
    }
}

/// What is the same for everything that is told of an incident.
pub(crate) fn about_incident(app: &App, incident: IncidentId) -> Notice {
    Notice {
        id: incident.to_string(),
        kind: NoticeKind::Opened,
        incident: Some(incident.to_string()),
        level: Level::High.as_str().into(),
        title: String::new(),
        details: String::new(),
        rule: String::new(),
        dedup: format!("{}/{incident}", app.own_host()),
        time: String::new(),
        source: app.own_host().to_owned(),
        link: format!("{}/incidents/{incident}", app.urls.admin),
    }
}

/// Puts messages on their way to everybody who is to be told.
pub(super) fn tell(app: &App, ctx: &Ctx, mut set: Changeset, notices: &[Notice]) -> Result<Changeset, Error> {
    let (alone, others) = notices.split_at(notices.len().min(MOST));
    for notice in alone {
        set = one(app, ctx, set, notice)?;
    }
    if let Some(first) = others.first() {
        let storm = Notice {
            title: format!("{} more alerts", others.len()),
            details: format!("In the same moment there were {} more alerts than are told one by one. All of them stand in the ledger.", others.len()),
            kind: NoticeKind::Opened,
            incident: None,
            dedup: format!("{}/storm", app.own_host()),
            link: format!("{}/ledger?q=type:alert.raised", app.urls.admin),
            ..first.clone()
        };
        set = one(app, ctx, set, &storm)?;
    }
    Ok(set)
}

/// One notice to everybody.
pub(crate) fn one(app: &App, ctx: &Ctx, set: Changeset, notice: &Notice) -> Result<Changeset, Error> {
    to_all_but(app, ctx, set, notice, None)
}

/// One notice to everybody who is told of its level, but for one who could not be reached.
pub(crate) fn to_all_but(app: &App, ctx: &Ctx, mut set: Changeset, notice: &Notice, unreached: Option<(Channel, &str)>) -> Result<Changeset, Error> {
    let to = &app.detection.alerts;
    let level = Level::parse(&notice.level).unwrap_or(Level::High);
    let test = notice.kind == NoticeKind::Test;
    let wants = |channel: Channel, name: &str| {
        let grave = test || to.least_of.get(channel.as_str()).is_none_or(|least| level >= *least);
        // Mail is for what is new; how far people have come with it they see elsewhere.
        let news = channel != Channel::Mail || !matches!(notice.kind, NoticeKind::Acknowledged | NoticeKind::Moved | NoticeKind::Resolved);
        grave && news && unreached != Some((channel, name))
    };
    let mail = Mail::Alert { title: &format!("[{}] {}", notice.level, notice.title), details: &format!("{}\n{}", notice.details, notice.link) };
    for address in to.email.iter().filter(|address| wants(Channel::Mail, address)) {
        set = message::mail(app, ctx, address, &mail, None)?(set);
    }
    for (channel, names) in [(Channel::Slack, &to.slack), (Channel::PagerDuty, &to.pagerduty), (Channel::Webhook, &to.webhook)] {
        for name in names.iter().filter(|name| wants(channel, name)) {
            set = message::alert(app, ctx, channel, name, notice)?(set);
        }
    }
    Ok(set)
}
