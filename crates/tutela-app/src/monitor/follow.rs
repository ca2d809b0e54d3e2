//! What follows an alert: the event that tells of it, the incident that it belongs to, and what the rule does.

use std::collections::HashSet;

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
    network::household,
    occurrence::{ActionRefused, AlertRaised},
    usecase::{block::Why, protect},
};

/// Everything that follows some alerts, in one changeset; nothing where there are none.
pub(super) async fn follow(app: &App, ctx: &Ctx, alerts: &[Alert]) -> Result<Option<Changeset>, Error> {
    let mut changeset: Option<Changeset> = None;
    let mut gathering = Gathering::default();
    let mut told = Vec::new();
    let mut acted = Acted::default();
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
            for action in rule.actions.iter().filter(|action| acted.is_first(**action, &alert.about)) {
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

/// What is done in one commit already: two rules that find the same attack do not end the same sessions twice.
#[derive(Default)]
struct Acted(HashSet<(Action, String)>);

impl Acted {
    /// Whether nobody has had it done to the same before; says that it is done now.
    fn is_first(&mut self, action: Action, about: &[(String, String)]) -> bool {
        let said = |name: &str| about.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let whom = match action {
            Action::AlertAdmin => return true,
            Action::BlockIp => said("ip").map(|ip| ip.parse().map_or(ip, |ip| household(ip).to_string())),
            Action::DisableClient => said("client").or_else(|| said("actor")),
            Action::LockAccount | Action::RevokeSessions | Action::StepUp => said("account"),
            Action::RevokeSession => said("session"),
        };
        // Whoever is not said is refused, with the reason.
        let Some(whom) = whom else { return true };
        // An account that is locked has no sessions any more.
        let also: &[Action] = if action == Action::LockAccount { &[Action::RevokeSessions, Action::StepUp] } else { &[] };
        let first = self.0.insert((action, whom.clone()));
        self.0.extend(also.iter().map(|other| (*other, whom.clone())));
        first
    }
}

async fn act(app: &App, ctx: &Ctx, set: Changeset, rule: &Rule, alert: &Alert, id: AlertId, action: Action) -> Result<Changeset, Error> {
    match protect::prepare(app, ctx, action, &alert.about, Why::Rule(&rule.name, id)).await? {
        Ok(done) => Ok(done(set)),
        Err(why) => Ok(set.and(app.record(ctx, ActionRefused::new(id, &rule.name, action.as_str(), &why)).await?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_rules_ask_for_is_done_once() {
        let about = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let mut acted = Acted::default();
        let mut first = |action, name, value| acted.is_first(action, &about(name, value));
        assert!(first(Action::BlockIp, "ip", "192.0.2.7") && !first(Action::BlockIp, "ip", "192.0.2.7") && first(Action::BlockIp, "ip", "192.0.2.8"));
        assert!(first(Action::BlockIp, "ip", "2001:db8::1") && !first(Action::BlockIp, "ip", "2001:db8::2"), "one household");
        assert!(first(Action::LockAccount, "account", "ada") && !first(Action::RevokeSessions, "account", "ada") && first(Action::StepUp, "account", "bob"));
        assert!(first(Action::BlockIp, "account", "ada") && first(Action::BlockIp, "account", "ada"), "it is not said whom: each is refused");
    }
}
