//! The console's room of privacy: what people ask for, the stores that hold data, what is kept of whom, purposes.

use askama::{Template, filters::HtmlSafe};

use super::{
    console::ConsoleFrame,
    part::{Identifier, Status, When},
};

/// A page of the room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs)]
pub enum PrivacyTab {
    Holds,
    Purposes,
    Requests,
    Stores,
}

/// Links to all pages of the room.
#[derive(Clone, Copy, Debug, Template)]
#[template(
    ext = "html",
    source = r#"<nav class="tabs" aria-label="Privacy">{% for (label, href, here) in self.links() %}<a href="{{ href }}"{% if here %} aria-current="page"{% endif %}>{{ label }}</a>{% endfor %}</nav>"#
)]
pub struct PrivacyTabs {
    /// The page that shows them.
    pub at: PrivacyTab,
}

impl PrivacyTabs {
    /// Words, address, and whether it is this page.
    pub fn links(&self) -> Vec<(&'static str, &'static str, bool)> {
        [
            (PrivacyTab::Requests, "Requests", "/privacy"),
            (PrivacyTab::Purposes, "Purposes", "/privacy/purposes"),
            (PrivacyTab::Stores, "Stores", "/privacy/stores"),
            (PrivacyTab::Holds, "Holds", "/privacy/holds"),
        ]
        .into_iter()
        .map(|(tab, label, href)| (label, href, tab == self.at))
        .collect()
    }
}

impl HtmlSafe for PrivacyTabs {}

/// What people ask for, newest first.
#[derive(Clone, Debug, Template)]
#[template(path = "console/privacy.html")]
pub struct RequestsPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: PrivacyTabs,
    /// The requests.
    pub rows: Vec<RequestRow>,
    /// Address of the next older page.
    pub older: Option<String>,
}

/// A request in a list.
#[derive(Clone, Debug)]
pub struct RequestRow {
    /// Its id.
    pub id: String,
    /// What is asked for, and under which law.
    pub what: String,
    /// How far it is.
    pub state: Status,
    /// When it came.
    pub received: When,
    /// The day by which it is answered.
    pub answer_by: String,
    /// What stands in its way, in a line.
    pub problem: String,
}

/// One request.
#[derive(Clone, Debug, Template)]
#[template(path = "console/privacy_request.html")]
pub struct RequestDetailPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// What was just done.
    pub notice: Option<String>,
    /// What could not be done.
    pub error: Option<String>,
    /// As in a list.
    pub row: RequestRow,
    /// Its id, to be copied.
    pub id: Identifier,
    /// Where the law says by when.
    pub section: String,
    /// Why it was refused or takes longer.
    pub reason: Option<String>,
    /// What was done: store, collection, what, how many.
    pub steps: Vec<(String, String, String, u64)>,
    /// What stays: place, how many, why, until.
    pub kept: Vec<(String, u64, String, String)>,
    /// What stands in its way: place, why.
    pub problems: Vec<(String, String)>,
    /// What is done otherwise than one might think.
    pub notes: Vec<(String, String)>,
    /// What can be done with it now: the word that is posted, the button, what it does, whether a reason is asked for.
    pub acts: Vec<(&'static str, &'static str, &'static str, bool)>,
    /// Whether there is a signed confirmation.
    pub confirmed: bool,
}

/// The stores that hold data of people.
#[derive(Clone, Debug, Template)]
#[template(path = "console/privacy_stores.html")]
pub struct StoresPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: PrivacyTabs,
    /// Name, kind, state, mapped collections, and what is wrong: place, why.
    pub stores: Vec<(String, String, Status, u64, Vec<(String, String)>)>,
    /// What is over its time: place, class, days, rows, problem.
    pub expired: Vec<(String, String, String, u64, String)>,
}

/// What is kept of people by decision.
#[derive(Clone, Debug, Template)]
#[template(path = "console/privacy_holds.html")]
pub struct HoldsPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: PrivacyTabs,
    /// Id, place, article, reason, owner, until, and whether it holds still.
    pub holds: Vec<(String, String, String, String, String, String, bool)>,
    /// What was just done.
    pub notice: Option<String>,
    /// What could not be done.
    pub error: Option<String>,
    /// Whether who looks may release one.
    pub may_hold: bool,
}

/// What personal data is used for.
#[derive(Clone, Debug, Template)]
#[template(path = "console/privacy_purposes.html")]
pub struct PurposesPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: PrivacyTabs,
    /// Name, title, ground, recipients, notice, state.
    pub purposes: Vec<(String, String, String, String, String, Status)>,
}
