//! The console's room of compliance: how laws and standards stand, and what each control is judged by.

use askama::Template;

use super::{
    console::ConsoleFrame,
    part::{Status, When},
};

/// All frameworks, with the controls of each.
#[derive(Clone, Debug, Template)]
#[template(path = "console/compliance.html")]
pub struct CompliancePage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// When it was collected.
    pub collected: When,
    /// Entries of the ledger by then.
    pub entries: String,
    /// Each framework.
    pub frameworks: Vec<FrameworkView>,
    /// Settings that contradict one: number, setting, why, what to write.
    pub conflicts: Vec<(String, String, String, String)>,
    /// What the configuration allows that the standards would not.
    pub weakened: Vec<String>,
}

/// A framework.
#[derive(Clone, Debug)]
pub struct FrameworkView {
    /// By which it is switched on.
    pub key: String,
    /// Its name.
    pub title: String,
    /// Where it stands.
    pub source: String,
    /// How its controls stand, in a line.
    pub counts: String,
    /// Its controls, what fails first.
    pub controls: Vec<ControlView>,
}

/// A control in a list.
#[derive(Clone, Debug)]
pub struct ControlView {
    /// By which it is known.
    pub id: String,
    /// The law's or standard's own number.
    pub number: String,
    /// What it comes to.
    pub title: String,
    /// Who answers for it.
    pub owner: String,
    /// How it stands.
    pub state: Status,
    /// Why.
    pub why: String,
}

/// One control.
#[derive(Clone, Debug, Template)]
#[template(path = "console/compliance_control.html")]
pub struct ControlPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// The framework's name.
    pub framework: String,
    /// The control.
    pub control: ControlView,
    /// How it is known whether it holds.
    pub kind: String,
    /// What somebody states by attesting.
    pub attests: Option<String>,
    /// When it was collected.
    pub collected: When,
    /// What was found: check, state, why, counts, samples, source.
    pub findings: Vec<FindingView>,
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct FindingView {
    /// The check.
    pub check: String,
    /// How it stands.
    pub state: Status,
    /// Why.
    pub why: String,
    /// What was counted, in a line.
    pub counts: String,
    /// Ids or places.
    pub samples: Vec<String>,
    /// How to see the same.
    pub source: String,
}
