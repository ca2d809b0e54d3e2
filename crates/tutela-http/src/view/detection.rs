//! The room of detection: incidents, rules, blocks.

use askama::{Template, filters::HtmlSafe};

use super::console::ConsoleFrame;
use super::part::{Count, Identifier, Status, When};

/// A page of the room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tab {
    /// Alerts that belong together.
    Incidents,
    /// What is looked for.
    Rules,
    /// Whom the gateway refuses.
    Blocks,
}

/// Links to all pages of the room.
#[derive(Clone, Copy, Debug, Template)]
#[template(
    ext = "html",
    source = r#"<nav class="tabs" aria-label="Detection">{% for (label, href, here) in self.links() %}<a href="{{ href }}"{% if here %} aria-current="page"{% endif %}>{{ label }}</a>{% endfor %}</nav>"#
)]
pub struct Tabs {
    /// The page that shows them.
    pub at: Tab,
}

impl Tabs {
    /// Words, address, and whether it is this page.
    pub fn links(&self) -> Vec<(&'static str, &'static str, bool)> {
        [(Tab::Incidents, "Incidents", "/incidents"), (Tab::Rules, "Rules", "/rules"), (Tab::Blocks, "Blocks", "/blocks")]
            .into_iter()
            .map(|(tab, label, href)| (label, href, tab == self.at))
            .collect()
    }
}

impl HtmlSafe for Tabs {}

/// Incidents, the newest first.
#[derive(Clone, Debug, Template)]
#[template(path = "console/incidents.html")]
pub struct IncidentsPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// Whether those that are over are listed too.
    pub all: bool,
    /// The incidents.
    pub rows: Vec<IncidentRow>,
    /// Address of the next older page.
    pub older: Option<String>,
}

/// An incident in a list.
#[derive(Clone, Debug)]
pub struct IncidentRow {
    /// Its id.
    pub id: String,
    /// What its first alert is called.
    pub title: String,
    /// How far it has come.
    pub state: Status,
    /// The gravest of its alerts.
    pub level: Status,
    /// Whom and what it is about.
    pub about: String,
    /// How many alerts.
    pub alerts: Count,
    /// Since when.
    pub opened: When,
}

/// One incident.
#[derive(Clone, Debug, Template)]
#[template(path = "console/incident.html")]
pub struct IncidentPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// What was just done.
    pub notice: Option<String>,
    /// Why it was not.
    pub error: Option<String>,
    /// What guardrails refused.
    pub refused: Vec<String>,
    /// It, as in the list.
    pub row: IncidentRow,
    /// Its id, to copy.
    pub id: Identifier,
    /// When something was added last.
    pub updated: When,
    /// Whom and what it is about: name and values.
    pub about: Vec<(String, Vec<String>)>,
    /// The rules that told of it.
    pub rules: Vec<String>,
    /// What its playbook is called.
    pub playbook: Option<String>,
    /// What is to be done.
    pub steps: Vec<StepRow>,
    /// What happened, the newest first.
    pub events: Vec<EventRow>,
    /// How many more events there are than are shown.
    pub more: Count,
    /// What it can become: word and button.
    pub next: Vec<(String, &'static str)>,
    /// What can be done to whom it names: action and button, and how many.
    pub actions: Vec<ActionRow>,
    /// Whether who looks may do something.
    pub may_write: bool,
    /// Whether who looks may take it along.
    pub may_export: bool,
}

/// A step of a playbook.
#[derive(Clone, Debug)]
pub struct StepRow {
    /// By which it is checked off.
    pub id: String,
    /// What is to be done.
    pub title: String,
    /// How.
    pub details: String,
    /// The action behind its button.
    pub action: Option<String>,
    /// Who did it, and when.
    pub done: Option<(String, When)>,
    /// What came of it.
    pub note: Option<String>,
}

/// An action upon whom an incident names.
#[derive(Clone, Debug)]
pub struct ActionRow {
    /// The action.
    pub action: &'static str,
    /// Its button.
    pub label: &'static str,
    /// What happens, in numbers.
    pub says: String,
}

/// An event of an incident.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// When.
    pub at: When,
    /// What happened.
    pub kind: String,
    /// In a sentence.
    pub sentence: String,
    /// Where it stands.
    pub url: String,
}

/// Rules.
#[derive(Clone, Debug, Template)]
#[template(path = "console/rules.html")]
pub struct RulesPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// How many act.
    pub acting: Count,
    /// How many only write down.
    pub shadowed: Count,
    /// The rules, by name.
    pub rows: Vec<RuleRow>,
}

/// A rule in a list.
#[derive(Clone, Debug)]
pub struct RuleRow {
    /// Its name.
    pub name: String,
    /// What an alert of it is called.
    pub title: String,
    /// How grave.
    pub level: Status,
    /// How far it goes.
    pub mode: Status,
    /// What it does.
    pub actions: String,
    /// In which time.
    pub window: String,
}

/// One rule.
#[derive(Clone, Debug, Template)]
#[template(path = "console/rule.html")]
pub struct RulePage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// What was just done.
    pub notice: Option<String>,
    /// Why it was not.
    pub error: Option<String>,
    /// It, as in the list.
    pub row: RuleRow,
    /// What it looks for, and what it may mistake.
    pub description: String,
    /// Who is counted.
    pub key: String,
    /// How many tests stand beside it.
    pub tests: u32,
    /// All of it.
    pub text: String,
    /// Who changed it while the server runs: who, when, why, and whether the text is theirs.
    pub changed: Option<(String, When, String, bool)>,
    /// Its alerts in the ledger.
    pub events_url: String,
    /// Modes that it can be set to.
    pub modes: Vec<(&'static str, &'static str)>,
    /// Days to try it on.
    pub days: u32,
    /// What it would have found.
    pub trial: Option<TrialPart>,
    /// Whether who looks may change it.
    pub may_write: bool,
    /// Whether who looks may try it.
    pub may_try: bool,
}

/// What a rule would have found.
#[derive(Clone, Debug)]
pub struct TrialPart {
    /// Events that were read.
    pub events: Count,
    /// Whether that was all of them.
    pub complete: bool,
    /// Alerts.
    pub alerts: Count,
    /// About how many keys.
    pub keys: Count,
    /// Addresses that it would have blocked.
    pub would_block: Count,
    /// Those of its addresses from which people signed in with two factors.
    pub good: Count,
    /// The keys with most alerts: whom, how often, first, last.
    pub most: Vec<(String, Count, When, When)>,
}

/// Blocks.
#[derive(Clone, Debug, Template)]
#[template(path = "console/blocks.html")]
pub struct BlocksPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What was just done.
    pub notice: Option<String>,
    /// Why it was not.
    pub error: Option<String>,
    /// How many are in force.
    pub live: Count,
    /// Blocks, those in force first.
    pub rows: Vec<BlockRow>,
    /// Whether who looks may block and lift.
    pub may_write: bool,
}

/// A block.
#[derive(Clone, Debug)]
pub struct BlockRow {
    /// Its id.
    pub id: String,
    /// The network.
    pub network: String,
    /// The rule, or who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub made: When,
    /// When it ends, or ended.
    pub until: When,
    /// Whether it holds.
    pub state: Status,
    /// Whether it holds.
    pub stands: bool,
}
