//! Telling people: messages in the commit of the alert itself, so that whoever is to be told is told, whatever happens.

use std::fmt::Write as _;

use tutela_core::AlertId;
use tutela_detection::{Alert, Rule};
use tutela_store::Changeset;

use crate::{
    App, Ctx, Error,
    port::Notice,
    text::Mail,
    usecase::message::{self, Channel},
};

/// Most alerts of one commit that are told one by one; of the others the number is told.
const MOST: usize = 20;

/// An alert as it is told.
pub(super) fn notice(app: &App, id: AlertId, rule: &Rule, alert: &Alert, evidence: Vec<String>) -> Notice {
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
    let key: String = alert.key.iter().map(|byte| format!("{byte:02x}")).collect();
    Notice {
        id: id.to_string(),
        level: rule.level.as_str().to_owned(),
        title: rule.title.clone(),
        details,
        rule: rule.name.clone(),
        dedup: format!("{}/{}/{key}", app.own_host(), rule.name),
        time: alert.time.to_string(),
        source: app.own_host().to_owned(),
        link: format!("{}/ledger?q=resource:alert/{id}", app.urls.admin),
    }
}

/// Puts messages on their way to everybody who is to be told.
pub(super) fn tell(app: &App, ctx: &Ctx, mut set: Changeset, notices: &[Notice]) -> Result<Changeset, Error> {
    let (alone, others) = notices.split_at(notices.len().min(MOST));
    for notice in alone {
        set = one(app, ctx, set, notice)?;
    }
    if let Some(first) = others.first() {
        let title = format!("{} more alerts", others.len());
        let details = format!("In the same moment there were {} more alerts than are told one by one. All of them stand in the ledger.", others.len());
        set = one(
            app,
            ctx,
            set,
            &Notice {
                title,
                details,
                dedup: format!("{}/storm", app.own_host()),
                link: format!("{}/ledger?q=type:alert.raised", app.urls.admin),
                ..first.clone()
            },
        )?;
    }
    Ok(set)
}

/// One notice to everybody.
pub(crate) fn one(app: &App, ctx: &Ctx, mut set: Changeset, notice: &Notice) -> Result<Changeset, Error> {
    let to = &app.detection.alerts;
    let mail = Mail::Alert { title: &format!("[{}] {}", notice.level, notice.title), details: &format!("{}\n{}", notice.details, notice.link) };
    for address in &to.email {
        set = message::mail(app, ctx, address, &mail, None)?(set);
    }
    for (channel, names) in [(Channel::Slack, &to.slack), (Channel::PagerDuty, &to.pagerduty), (Channel::Webhook, &to.webhook)] {
        for name in names {
            set = message::alert(app, ctx, channel, name, notice)?(set);
        }
    }
    Ok(set)
}
