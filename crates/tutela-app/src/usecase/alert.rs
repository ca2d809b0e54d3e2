//! Alerts, as people look at them.

use serde_json::Value;
use tutela_api as api;
use tutela_core::{AlertId, Principal};
use tutela_detection::{IncidentState, Level};
use tutela_store::Changeset;

use crate::{
    App, Ctx, Error,
    monitor::{
        gather::{Found, Gathering, News},
        notify,
    },
    occurrence::{AlertRaised, AlertTested},
    port::{Notice, NoticeKind},
    usecase::{incident, sign_in},
};

/// The rule of alerts that applications raise.
const BY_APPLICATION: &str = "application";
/// Most members that an application's alert is about.
const MOST_ABOUT: usize = 10;

/// An application has found something itself: an alert like those of rules, told and gathered as they are.
pub async fn raise(app: &App, ctx: &Ctx, new: &api::NewAlert) -> Result<api::RaisedAlert, Error> {
    app.permit(ctx, "alerts:write").await?;
    let level = Level::parse(&new.level)
        .ok_or_else(|| Error::invalid("level", format!("`level` is `{}`; it is informational, low, medium, high or critical", new.level)))?;
    let text = |name: &'static str, text: &str, most: usize| match text.trim() {
        "" => Err(Error::invalid(name, format!("`{name}` is empty"))),
        long if long.chars().count() > most => Err(Error::invalid(name, format!("`{name}` has at most {most} characters"))),
        text => Ok(text.to_owned()),
    };
    let (title, details) = (text("title", &new.title, 200)?, text("details", &new.details, 4_000)?);
    if new.about.len() > MOST_ABOUT || new.about.iter().any(|(name, value)| name.len() > 50 || value.is_empty() || value.len() > 300) {
        return Err(Error::invalid("about", format!("`about` has at most {MOST_ABOUT} members, names up to 50 and values of 1 to 300 bytes")));
    }
    let about: Vec<(String, String)> = new.about.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let id = AlertId::new(ctx.now, &mut { app.env() });
    let mut gathering = Gathering::default();
    let joined = gathering.join(app, ctx, &Found { rule: &title, title: &title, level, about: &about }).await?;
    let incident = joined.map(|(id, _)| id);
    let members = Value::Object(about.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect());
    let (none, reasons) = (Vec::new(), vec![details.clone()]);
    let raised = AlertRaised::new(id, BY_APPLICATION, level.as_str(), &title, "alert", 1, false, none.clone(), none, None, members, reasons, incident);
    let mut set = Changeset::of(app.record(ctx, raised).await?);
    if let Some((incident, _)) = joined {
        gathering.name(incident, set.event_ids());
        set = gathering.write(app, ctx, set).await?;
    }
    if let Some((incident, news)) = joined.filter(|(_, news)| *news != News::Same && level >= app.detection.alerts.least) {
        let notice = Notice {
            id: id.to_string(),
            kind: if news == News::Opened { NoticeKind::Opened } else { NoticeKind::More },
            level: level.as_str().into(),
            title,
            details,
            rule: BY_APPLICATION.into(),
            time: ctx.now.to_string(),
            ..notify::about_incident(app, incident)
        };
        set = notify::one(app, ctx, set, &notice)?;
    }
    app.store.commit(set).await?;
    Ok(api::RaisedAlert { id: id.to_string(), incident: incident.map(|id| id.to_string()) })
}

/// Somebody has pressed a button of an alert in Slack. Who may is whoever is in the channel; that it is Slack who says so
/// is proven by its signature.
pub async fn pressed(app: &App, ctx: &Ctx, timestamp: &str, signature: &str, body: &str) -> Result<String, Error> {
    let sender = app.alert_senders.slack.as_ref().ok_or(Error::NotFound("button"))?;
    let pressed = sender.pressed(timestamp, signature, body, ctx.now).ok_or(Error::Unauthenticated("this is not signed by Slack, or too old"))?;
    let row = incident::find(app, &pressed.incident).await?;
    // It is the channel that acts: the ledger has who it was by the reason.
    let ctx = Ctx { principal: Principal::System("slack"), ip: None, user_agent: None, ..ctx.clone() };
    let why = format!("by {}", pressed.who);
    match pressed.action.as_str() {
        "acknowledge" => match incident::moved(app, &ctx, &row, IncidentState::Acknowledged, &why, &pressed.who).await {
            Ok(()) => Ok("Acknowledged.".into()),
            Err(Error::Conflict(why)) => Ok(why),
            Err(e) => Err(e),
        },
        "undo" => Ok(format!("{} blocks lifted.", incident::lift(app, &ctx, &row, &why).await?)),
        _ => Err(Error::NotFound("button")),
    }
}

/// Who is told of alerts.
pub async fn settings(app: &App, ctx: &Ctx) -> Result<api::AlertSettings, Error> {
    app.permit(ctx, "detection:read").await?;
    let to = app.detection.alerts.clone();
    Ok(api::AlertSettings { email: to.email, slack: to.slack, pagerduty: to.pagerduty, webhook: to.webhook, least: to.least.as_str().to_owned() })
}

/// Sends a test alert to everybody who is told of alerts; who that is.
pub async fn test(app: &App, ctx: &Ctx) -> Result<api::AlertTest, Error> {
    sign_in::permit_fresh(app, ctx, "detection:write").await?;
    let to = &app.detection.alerts;
    let to: Vec<String> = [&to.email, &to.slack, &to.pagerduty, &to.webhook].into_iter().flatten().cloned().collect();
    if to.is_empty() {
        return Err(Error::Conflict("nobody is told of alerts: name somebody in `[alerts]`".into()));
    }
    let id = AlertId::new(ctx.now, &mut { app.env() });
    let notice = Notice {
        id: id.to_string(),
        kind: NoticeKind::Test,
        incident: None,
        level: "informational".into(),
        title: "Test alert".into(),
        details: "Somebody asked whether alerts arrive. This one has.".into(),
        rule: "test".into(),
        dedup: format!("{}/test/{id}", app.own_host()),
        time: ctx.now.to_string(),
        source: app.own_host().to_owned(),
        link: app.urls.admin.clone(),
    };
    let record = app.record(ctx, AlertTested::new(id, to.clone())).await?;
    app.store.commit(notify::one(app, ctx, Changeset::of(record), &notice)?).await?;
    Ok(api::AlertTest { id: id.to_string(), to })
}
