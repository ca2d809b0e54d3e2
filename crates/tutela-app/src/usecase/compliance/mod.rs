//! Whether what laws and standards ask for holds, by facts that are collected here.

mod collect; // what is so
mod data_use; // uses of personal data, as applications report them
mod setting; // what the configuration says

pub(crate) use data_use::NONE;
pub use data_use::log;
pub use setting::{Said, conflicts_of};

use tutela_api as api;
use tutela_compliance::{AN_HOUR, Finding, Outcome, QUARTER_HOUR, conflicts, find, judge, own};

use crate::{App, Ctx, Error};

/// How every control of the frameworks that are switched on stands, by facts that are collected now.
pub async fn status(app: &App, ctx: &Ctx) -> Result<api::Compliance, Error> {
    app.permit(ctx, "compliance:read").await?;
    let facts = collect::facts(app, ctx).await;
    let frameworks = own().iter().filter(|framework| app.compliance.is_on(&framework.key)).map(|framework| {
        let controls: Vec<api::ControlStatus> = framework
            .controls
            .iter()
            .map(|control| {
                let findings: Vec<Finding> = control.checks.iter().filter_map(|name| find(name)).map(|check| check.run(&facts)).collect();
                let verdict = judge(control, &findings, None);
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
                }
            })
            .collect();
        let count = |outcome: Outcome| controls.iter().filter(|control| control.outcome == outcome.as_str()).count() as u64;
        api::FrameworkStatus {
            key: framework.key.clone(),
            title: framework.title.clone(),
            source: framework.source.clone(),
            passed: count(Outcome::Pass),
            failed: count(Outcome::Fail),
            without_data: count(Outcome::NoData),
            manual: count(Outcome::Manual),
            controls,
        }
    });
    let conflict = |of: tutela_compliance::Conflict| api::ComplianceConflict {
        framework: of.framework,
        number: of.number,
        setting: of.setting,
        why: of.why,
        change: of.change,
    };
    Ok(api::Compliance {
        collected_at: ctx.now.to_string(),
        frameworks: frameworks.collect(),
        conflicts: conflicts(&facts.settings).into_iter().map(conflict).collect(),
        weakened: facts.settings.weakened.clone(),
        checkpoint: app.store.log_head().await?.0.to_string(),
    })
}

/// What an application has to hold to.
pub async fn settings(app: &App, ctx: &Ctx) -> Result<api::ComplianceSettings, Error> {
    app.permit(ctx, "consents:check").await?;
    let on = |key: &str| app.compliance.is_on(key);
    Ok(api::ComplianceSettings {
        frameworks: app.compliance.frameworks.clone(),
        data_retention: app.compliance.data_retention.clone(),
        // PCI DSS 8.4.2 and 8.2.8; 45 CFR 164.312(a)(2)(iii).
        idle: app.identity.session.timeout,
        factors: if on("pci-dss") { 2 } else { 1 },
        max_idle: if on("pci-dss") {
            Some(QUARTER_HOUR)
        } else if on("hipaa") {
            Some(AN_HOUR)
        } else {
            None
        },
    })
}

fn shown(of: Finding) -> api::ControlFinding {
    api::ControlFinding { check: of.check, outcome: of.outcome.as_str().into(), why: of.why, counts: of.counts, samples: of.samples, source: of.source }
}
