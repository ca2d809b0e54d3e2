//! How every control stands, by facts that are collected now and by what people state.

use std::collections::BTreeMap;

use tutela_api as api;
use tutela_compliance::{Control, Facts, Finding, Framework, Outcome, conflicts, findings, judge};
use tutela_store::{ControlStateRow, StatementRow};

use super::{collect, statement};
use crate::{App, Ctx, Error};

/// How every control of the frameworks that are switched on stands.
pub async fn status(app: &App, ctx: &Ctx) -> Result<api::Compliance, Error> {
    app.permit(ctx, "compliance:read").await?;
    Ok(taken(app, ctx).await?.0)
}

/// The same for whoever records it, with the facts that it was judged by.
pub(super) async fn taken(app: &App, ctx: &Ctx) -> Result<(api::Compliance, Facts), Error> {
    let statements = app.store.control_statement_list().await?;
    let states = app.store.control_state_list().await?;
    let facts = collect::facts(app, ctx).await;
    let judged =
        Judged { facts: &facts, statements: &statements, since: states.iter().map(|row| ((row.framework.as_str(), row.control.as_str()), row)).collect() };
    let conflict = |of: tutela_compliance::Conflict| api::ComplianceConflict {
        framework: of.framework,
        number: of.number,
        setting: of.setting,
        why: of.why,
        change: of.change,
    };
    let found = api::Compliance {
        collected_at: ctx.now.to_string(),
        frameworks: app.frameworks.iter().map(|framework| judged.framework(framework)).collect(),
        conflicts: conflicts(&facts.settings).into_iter().map(conflict).collect(),
        weakened: facts.settings.weakened.clone(),
        checkpoint: app.store.log_head().await?.0.to_string(),
    };
    Ok((found, facts))
}

struct Judged<'a> {
    facts: &'a Facts,
    statements: &'a [StatementRow],
    since: BTreeMap<(&'a str, &'a str), &'a ControlStateRow>,
}

impl Judged<'_> {
    fn framework(&self, framework: &Framework) -> api::FrameworkStatus {
        let controls: Vec<api::ControlStatus> = framework.controls.iter().map(|control| self.control(framework, control)).collect();
        let count = |outcome: Outcome| controls.iter().filter(|control| control.outcome == outcome.as_str()).count() as u64;
        api::FrameworkStatus {
            key: framework.key.clone(),
            title: framework.title.clone(),
            source: framework.source.clone(),
            passed: count(Outcome::Pass),
            failed: count(Outcome::Fail),
            without_data: count(Outcome::NoData),
            manual: count(Outcome::Manual),
            not_applicable: count(Outcome::NotApplicable),
            controls,
        }
    }

    fn control(&self, framework: &Framework, control: &Control) -> api::ControlStatus {
        let now = self.facts.now;
        let of = || self.statements.iter().filter(|row| row.framework == framework.key && row.control == control.id);
        let findings = findings(control, self.facts);
        let verdict = judge(control, &findings, &statement::counts(of(), now));
        let since = self.since.get(&(framework.key.as_str(), control.id.as_str())).filter(|row| row.outcome == verdict.outcome.as_str());
        api::ControlStatus {
            id: control.id.clone(),
            number: control.number.clone(),
            title: control.title.clone(),
            kind: control.kind.as_str().into(),
            owner: control.owner.clone(),
            outcome: verdict.outcome.as_str().into(),
            why: verdict.why,
            attests: control.attests.clone(),
            findings: findings.into_iter().map(shown).collect(),
            statements: of().map(|row| statement::shown(row, now)).filter(|of| matches!(of.state.as_str(), "counts" | "waits")).collect(),
            since: since.map(|row| row.since.to_string()),
        }
    }
}

fn shown(of: Finding) -> api::ControlFinding {
    api::ControlFinding { check: of.check, outcome: of.outcome.as_str().into(), why: of.why, counts: of.counts, samples: of.samples, source: of.source }
}
