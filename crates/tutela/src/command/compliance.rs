//! `compliance`: whether what laws and standards ask for holds.

use clap::Subcommand;
use tutela_api::ControlStatus;
use tutela_client::Client;

use super::Output;
use crate::{config::Config, error::Error};

#[derive(Subcommand)]
pub enum ComplianceCommand {
    /// Show how each control stands, and settings that contradict it
    Status {
        /// Of this framework alone: gdpr, hipaa, pci-dss or ccpa
        #[arg(long)]
        framework: Option<String>,
        /// Only what does not hold
        #[arg(long)]
        failed: bool,
    },
    /// Show what was found for one control
    Show {
        /// The framework
        framework: String,
        /// Its id, as `status` lists it
        control: String,
    },
}

pub async fn compliance(command: ComplianceCommand, load: impl Fn() -> Result<Config, Error>, output: Output) -> Result<(), Error> {
    let found = Client::socket(&load()?.socket()).map_err(Error::from)?.compliance().await?;
    match command {
        ComplianceCommand::Status { framework, failed } => {
            let of = |key: &str| framework.as_deref().is_none_or(|wanted| wanted == key);
            let rows: Vec<(String, ControlStatus)> = found
                .frameworks
                .iter()
                .filter(|framework| of(&framework.key))
                .flat_map(|framework| framework.controls.iter().map(|control| (framework.key.clone(), control.clone())))
                .filter(|(_, control)| !failed || control.outcome == "fail")
                .collect();
            if let (true, Some(name)) = (rows.is_empty() && !failed, framework.as_deref()) {
                return Err(Error::Usage(format!("`{name}` is not switched on: add it to `compliance.frameworks`")));
            }
            output.list(&rows, &["framework", "id", "number", "outcome", "control", "why"], |(framework, control)| {
                let text = |text: &String| text.clone();
                vec![text(framework), text(&control.id), text(&control.number), text(&control.outcome), text(&control.title), text(&control.why)]
            });
            if output == Output::Table {
                for of in found.conflicts.iter().filter(|conflict| of(&conflict.framework)) {
                    println!("conflict: {} {}: {}: {}; {}", of.framework, of.number, of.setting, of.why, of.change);
                }
            }
            Ok(())
        }
        ComplianceCommand::Show { framework, control } => {
            let of = found.frameworks.iter().find(|of| of.key == framework);
            let of = of.and_then(|of| of.controls.iter().find(|of| of.id == control));
            let of = of.ok_or_else(|| Error::Usage(format!("`{framework}` has no control `{control}`, or is not switched on")))?;
            println!("{}", serde_json::to_string_pretty(of).unwrap_or_default());
            Ok(())
        }
    }
}
