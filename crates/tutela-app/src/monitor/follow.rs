//! What follows an alert: the event that tells of it, and what the rule does.

use std::net::IpAddr;

use serde_json::{Map, Value};
use tutela_core::{AccountId, AlertId};
use tutela_detection::{Action, Alert, Mode, Rule};
use tutela_identity::SessionEndReason;
use tutela_store::Changeset;

use super::{notify, read::position};
use crate::{
    App, Ctx, Error,
    network::household,
    occurrence::{ActionRefused, AlertRaised},
    usecase::{
        block,
        session::{self, Ending},
    },
};

/// Everything that follows some alerts, in one changeset; nothing where there are none.
pub(super) async fn follow(app: &App, ctx: &Ctx, alerts: &[Alert]) -> Result<Option<Changeset>, Error> {
    let mut changeset: Option<Changeset> = None;
    let mut told = Vec::new();
    let running = app.detection.running();
    for alert in alerts {
        let Some(rule) = running.rules.get(&alert.rule) else { continue };
        let id = AlertId::new(ctx.now, &mut { app.env() });
        let record = app.record(ctx, raised(id, rule, alert)).await?;
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
        if rule.mode != Mode::Shadow && rule.level >= app.detection.alerts.least {
            told.push(notify::notice(app, id, rule, alert, evidence(alert)));
        }
        changeset = Some(set);
    }
    // Only now: a storm is one message that counts, not a message each.
    changeset.map(|set| notify::tell(app, ctx, set, &told)).transpose()
}

fn raised<'a>(id: AlertId, rule: &'a Rule, alert: &Alert) -> AlertRaised<'a> {
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
    )
}

fn evidence(alert: &Alert) -> Vec<String> {
    alert.evidence.iter().map(|number| position(*number).to_string()).collect()
}

async fn act(app: &App, ctx: &Ctx, set: Changeset, rule: &Rule, alert: &Alert, id: AlertId, action: Action) -> Result<Changeset, Error> {
    let said = |name: &str| alert.about.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    match action {
        // Whoever reads alerts is told by them.
        Action::AlertAdmin => Ok(set),
        Action::BlockIp => {
            let Some(address) = said("ip").and_then(|ip| ip.parse::<IpAddr>().ok()) else {
                return refused(app, ctx, set, rule, id, action, "the rule does not say which address").await;
            };
            let network = household(address);
            if let Some(why) = block::spared(app, network) {
                return refused(app, ctx, set, rule, id, action, why).await;
            }
            block::follow(app, ctx, set, network, &rule.name, id).await
        }
        Action::RevokeSessions => {
            let Some(account) = said("account").and_then(|id| id.parse::<AccountId>().ok()) else {
                return refused(app, ctx, set, rule, id, action, "the rule does not say whose sessions").await;
            };
            let (_, ending) = session::ending(app, ctx, account, Ending::AllBut(None), SessionEndReason::Detection).await?;
            Ok(ending(set))
        }
        Action::DisableClient | Action::LockAccount | Action::RevokeSession | Action::StepUp => {
            refused(app, ctx, set, rule, id, action, "this action is not carried out by rules yet").await
        }
    }
}

async fn refused(app: &App, ctx: &Ctx, set: Changeset, rule: &Rule, alert: AlertId, action: Action, why: &str) -> Result<Changeset, Error> {
    Ok(set.and(app.record(ctx, ActionRefused::new(alert, &rule.name, action.as_str(), why)).await?))
}
