//! Rules of detection, as people look at them.

use tutela_api as api;
use tutela_detection::Rule;

use crate::{App, Ctx, Error};

/// The rules that run, by name.
pub async fn rules(app: &App, ctx: &Ctx) -> Result<Vec<api::DetectionRule>, Error> {
    app.permit(ctx, "detection:read").await?;
    Ok(app.detection_rules.iter().map(|rule| shown(rule)).collect())
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
