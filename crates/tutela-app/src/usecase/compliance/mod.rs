//! Whether what laws and standards ask for holds, by facts that are collected here.

mod assess; // on a schedule and when asked: what was found goes to the ledger
pub mod breach; // the register of breaches
mod collect; // what is so
mod data_use; // uses of personal data, as applications report them
pub(crate) mod happened; // events
mod probe; // requests whose answer is known, sent to see whether it comes
mod report; // for those who read it elsewhere
mod scan; // the whole ledger verified, and everything looked through for card numbers
mod setting; // what the configuration says
mod statement; // what people state of controls
mod status; // facts and statements make of each control

pub use assess::{assess, assessments};
pub(crate) use assess::{due, overdue};
pub(crate) use data_use::NONE;
pub use data_use::log;
pub use probe::probe;
pub use report::{Format, report};
pub use scan::scan;
pub use setting::{Said, conflicts_of};
pub use statement::{approve, list as statements, make as state, withdraw};
pub use status::status;

use tutela_api as api;
use tutela_compliance::{AN_HOUR, QUARTER_HOUR};
pub use tutela_compliance::{Framework, checks};

use crate::{App, Ctx, Error};

/// What an application has to hold to.
pub async fn settings(app: &App, ctx: &Ctx) -> Result<api::ComplianceSettings, Error> {
    app.permit(ctx, "consents:check").await?;
    Ok(api::ComplianceSettings {
        frameworks: app.compliance.frameworks.clone(),
        data_retention: app.compliance.data_retention.clone(),
        // PCI DSS 8.4.2.
        idle: app.identity.session.timeout,
        mask_card_numbers: app.compliance.is_on("pci-dss"),
        factors: if app.compliance.is_on("pci-dss") { 2 } else { 1 },
        max_idle: app.compliance.frameworks.iter().filter_map(|name| longest_idle(name)).min(),
    })
}

/// How long a framework lets a session be idle, in seconds: PCI DSS 8.2.8; 45 CFR 164.312(a)(2)(iii).
pub fn longest_idle(framework: &str) -> Option<u32> {
    match framework {
        "pci-dss" => Some(QUARTER_HOUR),
        "hipaa" => Some(AN_HOUR),
        _ => None,
    }
}
