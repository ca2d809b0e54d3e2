//! What follows an alert: the event that tells of it, the incident that it belongs to, and what the rule does.

use serde_json::{Map, Value};
use tutela_core::{AlertId, IncidentId};
use tutela_detection::{Action, Alert, Mode, Rule};
use tutela_store::Changeset;

use super::{
    gather::{Found, Gathering, News},
    notify,
    read::position,
};
use crate::{
    App, Ctx, Error,
    occurrence::{ActionRefused, AlertRaised},
    usecase::{block::Why, protect},
};

/// Everything that follows some alerts, in one changeset; nothing where there are none.
pub(super) async fn follow(app: &App, ctx: &Ctx, alerts: &[Alert]) -> Result<Option<Changeset>, Error> {
    let mut changeset: Option<Changeset> = None;
    let mut gathering = Gathering::default();
    let mut told = Vec::new();
    let running = app.detection.running();
    for alert in alerts {
        let Some(rule) = running.rules.get(&alert.rule) else { continue };
        let id = AlertId::new(ctx.now, &mut { app.env() });
        let found = Found { rule: &rule.name, title: &rule.title, level: rule.level, about: &alert.about };
        // What is only written down is no incident.
        let incident = if rule.mode == Mode::Shadow { None } else { gathering.join(app, ctx, &found).await? };
        let record = app.record(ctx, raised(id, rule, alert, incident.map(|(id, _)| id))).await?;
        let before = changeset.as_ref().map_or(0, |set| set.event_ids().count());
        let mut set = match changeset.take() {
            Some(set) => set.and(record),
            None => Changeset::of(record),
        };
        metrics::counter!("tutela_alerts_total", "rule" => rule.name.clone(), "level" => rule.level.as_str()).increment(1);
        if rule.mode == Mode::Act {
            for action in &rule.actions {
                set = act(app, ctx, set, rule, alert, id, *action).await?;
            }
        }
        if let Some((incident, news)) = incident {
            gathering.name(incident, set.event_ids().skip(before));
            if rule.level >= app.detection.alerts.least && news != News::Same {
                told.push(notify::of_alert(app, id, incident, news, rule, alert, evidence(alert)));
            }
        }
        changeset = Some(set);
    }
    let Some(set) = changeset else { return Ok(None) };
    let set = gathering.write(app, ctx, set).await?;
    // Only now: a storm is one message that counts, not a message each.
    notify::tell(app, ctx, set, &told).map(Some)
}

fn raised<'a>(id: AlertId, rule: &'a Rule, alert: &Alert, incident: Option<IncidentId>) -> AlertRaised<'a> {
    let about: Map<String, Value> = alert.about.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    let actions = rule.actions.iter().map(|action| action.as_str().to_owned()).collect();
    AlertRaised::new(
        id,
        &rule.name,
        rule.level.as_str(),
        &rule.title,
        rule.mode.as_str(),
        alert.count,
        alert.estimated,
        evidence(alert),
        actions,
        rule.credit.as_ref().map(|credit| format!("{} ({})", credit.author, credit.source)),
        Value::Object(about),
        alert.reasons.clone(),
        incident,
    )
}

fn evidence(alert: &Alert) -> Vec<String> {
    alert.evidence.iter().map(|number| position(*number).to_string()).collect()
}

async fn act(app: &App, ctx: &Ctx, set: Changeset, rule: &Rule, alert: &Alert, id: AlertId, action: Action) -> Result<Changeset, Error> {
    match protect::prepare(app, ctx, action, &alert.about, Why::Rule(&rule.name, id)).await? {
        Ok(done) => Ok(done(set)),
        Err(why) => Ok(set.and(app.record(ctx, ActionRefused::new(id, &rule.name, action.as_str(), &why)).await?)),
    }
}
