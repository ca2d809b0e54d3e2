//! Alerts, as people look at them.

use tutela_api as api;
use tutela_core::AlertId;
use tutela_store::Changeset;

use crate::{App, Ctx, Error, monitor::notify, occurrence::AlertTested, port::Notice, usecase::sign_in};

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
