//! Rules of detection, as people look at them, try them, write them and let them act.
//!
//! Rules come from the configuration. Beside it a rule can be written while the server runs, and each can be made to go
//! further or less far: shadow, alert, act, off. Both stand in the ledger with who and why, and can be taken back.

use tutela_api as api;
use tutela_detection::{Mode, Rule, Rules};
use tutela_store::{Changeset, DetectionRuleRow};

use crate::{
    App, Ctx, Error,
    monitor::backtest,
    occurrence::{RuleChanged, RuleReset},
    usecase::{account::reason, grant::approver, sign_in},
};

/// Most rules that are written beside the configuration's, and longest text of one.
const MOST: usize = 1_000;
const LONGEST: usize = 64 << 10;
/// The mode of a rule that does not run.
const OFF: &str = "off";

/// The rules that run, by name, and those that are off.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::DetectionRule>, Error> {
    app.permit(ctx, "detection:read").await?;
    let written = app.store.detection_rule_list().await?;
    let running = app.detection.running();
    let mut all: Vec<api::DetectionRule> = running.rules.iter().map(|rule| shown(rule, &written)).collect();
    let off = written.iter().filter(|row| row.mode.as_deref() == Some(OFF));
    let off = off.filter_map(|row| app.detection.rules.get(&row.name).cloned().or_else(|| own(app, row).ok()));
    all.extend(off.map(|rule| api::DetectionRule { mode: OFF.into(), ..shown(&rule, &written) }));
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// One of them.
pub async fn get(app: &App, ctx: &Ctx, name: &str) -> Result<api::DetectionRule, Error> {
    list(app, ctx).await?.into_iter().find(|rule| rule.name == name).ok_or(Error::NotFound("rule"))
}

/// What rules would have found in the last days.
pub async fn backtest(app: &App, ctx: &Ctx, wanted: &api::NewBacktest) -> Result<api::Backtest, Error> {
    app.permit(ctx, "detection:read").await?;
    // It names whom events are about.
    app.permit(ctx, "ledger:read").await?;
    if !(1..=365).contains(&wanted.days) {
        return Err(Error::invalid("days", format!("`days` is {}; it goes from 1 to 365", wanted.days)));
    }
    let running = app.detection.running();
    let rules = match (&wanted.rules, &wanted.rule) {
        (Some(_), Some(_)) => return Err(Error::invalid("rule", "`rules` holds texts and `rule` a name; give one of them")),
        (Some(text), None) => read(app, text)?,
        (None, Some(name)) => match running.rules.get(name).or_else(|| app.detection.rules.get(name)) {
            Some(rule) => Rules::of(rule),
            None => read(app, &get(app, ctx, name).await?.text)?,
        },
        (None, None) => running.rules.clone(),
    };
    backtest::run(app, ctx, &rules, wanted.days).await
}

/// Writes a rule, or sets how far one goes.
pub async fn set(app: &App, ctx: &Ctx, name: &str, change: &api::ChangeRule) -> Result<api::DetectionRule, Error> {
    sign_in::permit_fresh(app, ctx, "detection:write").await?;
    let why = reason(&change.reason)?;
    let known = app.store.detection_rule_list().await?;
    let before = known.iter().find(|row| row.name == name);
    let mode = match change.mode.as_deref() {
        None => before.and_then(|row| row.mode.clone()),
        Some(word) if word == OFF || Mode::parse(word).is_some() => Some(word.to_owned()),
        Some(word) => return Err(Error::invalid("mode", format!("`mode` is `{word}`; it is shadow, alert, act or off"))),
    };
    let body = change.text.clone().or_else(|| before.and_then(|row| row.body.clone()));
    match &body {
        Some(text) => tested(app, name, text)?,
        None if app.detection.rules.get(name).is_none() => return Err(Error::NotFound("rule: one that is new needs its `text`")),
        None if mode.is_none() => return Err(Error::invalid("mode", "there is nothing to change: give `text`, `mode` or both")),
        None => {}
    }
    if before.is_none() && known.len() >= MOST {
        return Err(Error::Conflict(format!("{MOST} rules are written beside the configuration's; put some into files")));
    }
    let row = DetectionRuleRow { name: name.to_owned(), body, mode, reason: why, made_by: approver(app, ctx).await?, made_at: ctx.now };
    let shown_mode = row.mode.clone().unwrap_or_else(|| "as written".into());
    let event = RuleChanged::new(&row.name, &shown_mode, change.text.as_deref(), &row.reason);
    app.commit(ctx, event, |set| set.detection_rule_set(&row).announce("rule", &row.name)).await?;
    load(app).await?;
    get(app, ctx, name).await
}

/// Takes back what was written: the rule is as the configuration has it, or gone.
pub async fn reset(app: &App, ctx: &Ctx, name: &str, why: &str) -> Result<(), Error> {
    sign_in::permit_fresh(app, ctx, "detection:write").await?;
    let why = reason(why)?;
    match app.commit(ctx, RuleReset::new(name, &why), |set: Changeset| set.detection_rule_delete(name).announce("rule", name)).await {
        Err(Error::Store(tutela_store::Error::Conflict(_))) => Err(Error::NotFound("rule that was written while the server runs")),
        done => {
            done?;
            load(app).await
        }
    }
}

/// Has the rules run that the configuration and people have written.
pub(crate) async fn load(app: &App) -> Result<(), Error> {
    let rows = app.store.detection_rule_list().await?;
    let mut rules = app.detection.rules.clone();
    for row in &rows {
        if let Some(text) = &row.body {
            match rules.with(&[(row.name.clone(), text.clone())]) {
                Ok(more) => rules = more,
                // It was good when it was written; a metric of the configuration may be gone since.
                Err(e) => tracing::error!(rule = row.name, error = %e, "a rule that was written while the server ran does not run any more"),
            }
        }
        match row.mode.as_deref() {
            Some(OFF) => rules.set_mode(&row.name, None),
            Some(word) => rules.set_mode(&row.name, Mode::parse(word).or(Some(Mode::Shadow))),
            None => {}
        }
    }
    app.detection.run(rules);
    Ok(())
}

fn read(app: &App, text: &str) -> Result<Rules, Error> {
    if text.len() > LONGEST {
        return Err(Error::invalid("rules", format!("it is longer than {LONGEST} bytes")));
    }
    Rules::load(&[("rules".to_owned(), text.to_owned())], app.detection.rules.metrics()).map_err(|e| Error::invalid("rules", e.to_string()))
}

fn own(app: &App, row: &DetectionRuleRow) -> Result<std::sync::Arc<Rule>, Error> {
    let rules = read(app, row.body.as_deref().unwrap_or_default())?;
    rules.get(&row.name).cloned().ok_or(Error::NotFound("rule"))
}

/// A text is one rule of this name, and passes its own tests.
fn tested(app: &App, name: &str, text: &str) -> Result<(), Error> {
    let rules = read(app, text).map_err(|e| Error::invalid("text", e.to_string()))?;
    let Some(rule) = rules.get(name).filter(|_| rules.len() == 1) else {
        let found: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
        return Err(Error::invalid(
            "text",
            format!("`text` is one rule with the name `{name}`; there is {}", if found.is_empty() { "none".into() } else { found.join(", ") }),
        ));
    };
    match rule.run_tests().into_iter().find_map(|outcome| Some((outcome.test, outcome.failure?))) {
        Some((test, why)) => Err(Error::invalid("text", format!("its test `{test}` fails: {why}"))),
        None => Ok(()),
    }
}

fn shown(rule: &Rule, written: &[DetectionRuleRow]) -> api::DetectionRule {
    let row = written.iter().find(|row| row.name == rule.name);
    api::DetectionRule {
        name: rule.name.clone(),
        title: rule.title.clone(),
        description: rule.description.trim().to_owned(),
        level: rule.level.as_str().to_owned(),
        mode: rule.mode.as_str().to_owned(),
        actions: rule.actions.iter().map(|action| action.as_str().to_owned()).collect(),
        window: rule.window.to_string(),
        condition: rule.condition.clone(),
        key: rule.key.iter().map(|field| field.name().to_owned()).collect(),
        tests: u32::try_from(rule.tests.len()).unwrap_or(u32::MAX),
        text: rule.text.clone(),
        changed: row.map(|row| api::RuleChange { by: row.made_by.clone(), at: row.made_at.to_string(), reason: row.reason.clone(), text: row.body.is_some() }),
    }
}
