//! The console's room of compliance: how laws and standards stand, and what each control is judged by.

use askama::Template;

use super::{
    chart::bar_chart,
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
    /// Whether the reader may assess.
    pub may_assess: bool,
    /// What came of the last one.
    pub notice: Option<String>,
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
    /// Its last assessments, the newest first: when, why, counts, event.
    pub history: Vec<(When, String, String, String)>,
    /// How many controls held at each of them, the oldest first.
    pub trend: Vec<(String, u64)>,
}

impl FrameworkView {
    /// Where it goes, as SVG.
    pub fn chart(&self) -> String {
        bar_chart(&format!("Controls of {} that hold, assessment by assessment", self.title), "hold", &self.trend)
    }
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
    /// Since when assessments found it so.
    pub since: Option<When>,
    /// What was found: check, state, why, counts, samples, source.
    pub findings: Vec<FindingView>,
    /// What people state of it.
    pub statements: Vec<StatementView>,
    /// Whether the reader may state something.
    pub may_state: bool,
    /// Where a statement is sent to.
    pub address: String,
    /// What came of the last one.
    pub notice: Option<String>,
    /// What was wrong with it.
    pub error: Option<String>,
}

/// What somebody states of a control.
#[derive(Clone, Debug)]
pub struct StatementView {
    /// Its id.
    pub id: String,
    /// What kind, in words.
    pub kind: String,
    /// Whether it counts.
    pub state: Status,
    /// Whether it waits to be approved.
    pub waits: bool,
    /// Who answers for it.
    pub owner: String,
    /// Where it is written, and why.
    pub says: String,
    /// Who made and approved it.
    pub by: String,
    /// The last day on which it counts.
    pub until: String,
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
