//! Assessments: on a schedule, after each change of the configuration, and when somebody asks. What was found of each
//! control goes to the ledger, and a control that stands otherwise than before is an event of its own.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use tutela_api as api;
use tutela_compliance::Settings;
use tutela_core::{Class, EventId, Principal};
use tutela_store::{AssessmentRow, Changeset, ControlStateRow};

use super::{
    collect,
    happened::{AssessmentOverdue, ControlChanged, ControlDiffers, FrameworkAssessed},
    probe, scan, setting,
    status::taken,
};
use crate::{
    App, Ctx, Error,
    usecase::search::{hex, sequenced},
};

/// Assesses now, and says what came of it.
pub async fn assess(app: &App, ctx: &Ctx) -> Result<Vec<api::Assessment>, Error> {
    app.permit(ctx, "compliance:write").await?;
    let _only = app.assessing.lock().await;
    run(app, ctx, "asked").await
}

/// The newest assessments of a framework, so many at most.
pub async fn assessments(app: &App, ctx: &Ctx, framework: &str, most: u32) -> Result<Vec<api::Assessment>, Error> {
    app.permit(ctx, "compliance:read").await?;
    Ok(app.store.assessment_list(framework, most).await?.into_iter().map(shown).collect())
}

/// Assesses where the time has come, or the configuration is not the one that was judged.
pub(crate) async fn due(app: &App) -> Result<(), Error> {
    let Ok(_only) = app.assessing.try_lock() else { return Ok(()) };
    let ctx = Ctx::new(app.env(), Principal::System("compliance"));
    let (every, settings) = (app.compliance.period(), digest(app, &setting::settings(&collect::said(app))));
    let probed = probe::last(app).await?;
    // Routes and their firewall are not among the settings: a gateway that is another one since is probed anew.
    let other = app.compliance.probes && probed.as_ref().is_some_and(|last| last.gateway != probe::gateway(app));
    for framework in app.frameworks.iter().map(|of| of.key.as_str()) {
        let last = app.store.assessment_list(framework, 1).await?.pop();
        let why = match last {
            Some(last) if other || last.settings != settings => "configuration",
            Some(last) if ctx.now < last.made_at + every => continue,
            _ => "schedule",
        };
        if app.compliance.probes && (why == "configuration" || probed.is_none_or(|last| last.at + every <= ctx.now)) {
            // What a probe cannot say has no data; that is no reason not to assess.
            if let Err(e) = probe::run(app).await {
                tracing::warn!(error = %e, "the gateway could not be probed");
            }
        }
        if scan::last(app).await?.is_none_or(|last| last.at + every <= ctx.now) {
            scan::run(app, &ctx).await?;
        }
        return run(app, &ctx, why).await.map(drop);
    }
    Ok(())
}

/// Records which frameworks were not assessed for twice as long as they should be.
pub(crate) async fn overdue(app: &App, ctx: &Ctx) -> Result<(), Error> {
    for framework in app.frameworks.iter().map(|of| of.key.as_str()) {
        let last = app.store.assessment_list(framework, 1).await?.pop().map_or(app.started_at, |last| last.made_at);
        if last + app.compliance.period() * 2 < ctx.now {
            app.commit(ctx, AssessmentOverdue::new(framework, last.to_string()), |changeset| changeset).await?;
        }
    }
    Ok(())
}

async fn run(app: &App, ctx: &Ctx, why: &str) -> Result<Vec<api::Assessment>, Error> {
    let (found, facts) = taken(app, ctx).await?;
    let settings = digest(app, &facts.settings);
    let before = before(app, ctx).await?;
    let (mut records, mut states, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for framework in &found.frameworks {
        let id = EventId::batch(ctx.now, &mut { app.env() });
        let counts = [framework.passed, framework.failed, framework.without_data, framework.manual, framework.not_applicable];
        let controls = framework
            .controls
            .iter()
            .map(|control| {
                let findings = control.findings.iter().map(
                    |of| json!({"check": of.check, "outcome": of.outcome, "why": of.why, "counts": of.counts, "samples": of.samples, "source": of.source}),
                );
                json!({"control": control.id, "outcome": control.outcome, "why": control.why, "findings": findings.collect::<Vec<_>>()})
            })
            .collect();
        let checkpoint = found.checkpoint.parse().unwrap_or_default();
        records.push(app.record_as(ctx, id, FrameworkAssessed::new(&framework.key, why, &settings, checkpoint, counts, controls)).await?);
        for control in &framework.controls {
            let was = before.get(&(framework.key.clone(), control.id.clone())).map_or("", String::as_str);
            if was == control.outcome {
                continue;
            }
            let changed = ControlChanged::new(&framework.key, &control.id, &control.number, was, &control.outcome, &control.why);
            let record = app.record(ctx, changed).await?;
            states.push(ControlStateRow {
                framework: framework.key.clone(),
                control: control.id.clone(),
                outcome: control.outcome.clone(),
                since: ctx.now,
                event: record.entry.id,
            });
            records.push(record);
        }
        let [passed, failed, without_data, manual, not_applicable] = counts;
        let (framework, why, settings) = (framework.key.clone(), why.to_owned(), settings.clone());
        rows.push(AssessmentRow { event: id, framework, made_at: ctx.now, why, settings, passed, failed, without_data, manual, not_applicable });
    }
    if let Some(changeset) = Changeset::of_all(records) {
        let changeset = states.iter().fold(changeset, Changeset::control_state_set);
        app.store.commit(rows.iter().fold(changeset, Changeset::assessment_insert)).await?;
    }
    Ok(rows.into_iter().map(shown).collect())
}

/// How each control stood, as the ledger has it: what the database says otherwise is an event, and mended.
async fn before(app: &App, ctx: &Ctx) -> Result<BTreeMap<(String, String), String>, Error> {
    let mut before = BTreeMap::new();
    for row in app.store.control_state_list().await? {
        let event = match sequenced(app, row.event).await {
            Ok(stored) => app.open_event(&stored).await?,
            // What has expired cannot be asked any more; what never was there is no record.
            Err(Error::NotFound(_)) if has_expired(app, ctx, row.event) => {
                before.insert((row.framework, row.control), row.outcome);
                continue;
            }
            Err(Error::NotFound(_)) => Value::Null,
            Err(e) => return Err(e),
        };
        let of = |field: &str| event["data"][field].as_str().unwrap_or_default().to_owned();
        let is_it = (of("framework"), of("control")) == (row.framework.clone(), row.control.clone());
        let recorded = if is_it { of("new") } else { String::new() };
        if recorded != row.outcome {
            let mended = ControlStateRow { outcome: recorded.clone(), ..row.clone() };
            let differs = ControlDiffers::new(&row.framework, &row.control, &row.outcome, &recorded);
            app.commit(ctx, differs, |changeset| changeset.control_state_set(&mended)).await?;
        }
        before.insert((row.framework, row.control), recorded);
    }
    Ok(before)
}

/// Whether an event of this class is so old that retention may have taken it out.
pub(super) fn has_expired(app: &App, ctx: &Ctx, event: EventId) -> bool {
    event.time() + Duration::from_secs(86_400) * app.rules.of(&Class::COMPLIANCE).days < ctx.now
}

/// A hash of what the configuration says, and of what is assessed.
fn digest(app: &App, settings: &Settings) -> String {
    hex(&tutela_ledger::sha256(format!("{settings:?}{:?}", app.frameworks).as_bytes()))
}

fn shown(row: AssessmentRow) -> api::Assessment {
    api::Assessment {
        event: row.event.to_string(),
        framework: row.framework,
        made_at: row.made_at.to_string(),
        why: row.why,
        settings_sha256: row.settings,
        passed: row.passed,
        failed: row.failed,
        without_data: row.without_data,
        manual: row.manual,
        not_applicable: row.not_applicable,
    }
}
