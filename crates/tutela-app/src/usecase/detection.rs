//! Rules of detection, as people look at them.

use tutela_api as api;
use tutela_core::AlertId;
use tutela_detection::{Rule, Rules};
use tutela_store::Changeset;

use crate::{
    App, Ctx, Error,
    monitor::{backtest, notify},
    occurrence::AlertTested,
    port::Notice,
    usecase::sign_in,
};

/// The rules that run, by name.
pub async fn rules(app: &App, ctx: &Ctx) -> Result<Vec<api::DetectionRule>, Error> {
    app.permit(ctx, "detection:read").await?;
    Ok(app.detection.rules.iter().map(|rule| shown(rule)).collect())
}

/// Sends a test alert to everybody who is told of alerts; who that is.
pub async fn test_alert(app: &App, ctx: &Ctx) -> Result<api::AlertTest, Error> {
    sign_in::permit_fresh(app, ctx, "detection:write").await?;
    let to = &app.detection.config.alerts;
    let to: Vec<String> = [&to.email, &to.slack, &to.pagerduty, &to.webhook].into_iter().flatten().cloned().collect();
    if to.is_empty() {
        return Err(Error::Conflict("nobody is told of alerts: name somebody in `[detection.alerts]`".into()));
    }
    let id = AlertId::new(ctx.now, &mut { app.env() });
    let notice = Notice {
        id: id.to_string(),
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

/// What rules would have found in the last days.
pub async fn backtest(app: &App, ctx: &Ctx, wanted: &api::NewBacktest) -> Result<api::Backtest, Error> {
    app.permit(ctx, "detection:read").await?;
    // It names whom events are about.
    app.permit(ctx, "ledger:read").await?;
    if !(1..=365).contains(&wanted.days) {
        return Err(Error::invalid("days", format!("`days` is {}; it goes from 1 to 365", wanted.days)));
    }
    let Some(text) = &wanted.rules else { return backtest::run(app, ctx, &app.detection.rules, wanted.days).await };
    let rules = Rules::load(&[("rules".to_owned(), text.clone())], app.detection.rules.metrics()).map_err(|e| Error::invalid("rules", e.to_string()))?;
    backtest::run(app, ctx, &rules, wanted.days).await
}

/// A rule, as it is shown.
pub fn shown(rule: &Rule) -> api::DetectionRule {
    api::DetectionRule {
        name: rule.name.clone(),
        title: rule.title.clone(),
        description: rule.description.trim().to_owned(),
        level: rule.level.as_str().to_owned(),
        mode: rule.mode.as_str().to_owned(),
        actions: rule.actions.iter().map(|action| action.as_str().to_owned()).collect(),
        window: rule.window.to_string(),
        key: rule.key.iter().map(|field| field.name().to_owned()).collect(),
        tests: u32::try_from(rule.tests.len()).unwrap_or(u32::MAX),
    }
}
