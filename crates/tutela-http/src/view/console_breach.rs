//! The console's register of breaches.

use askama::Template;

use super::{
    console::ConsoleFrame,
    part::{Status, When},
};

/// All of them.
#[derive(Clone, Debug, Template)]
#[template(path = "console/breaches.html")]
pub struct BreachesPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Each: id, title, state, since when it is known, who is still to be told.
    pub breaches: Vec<(String, String, Status, When, String)>,
    /// Whether the reader may enter one.
    pub may_write: bool,
    /// What was wrong with the last one.
    pub error: Option<String>,
}

/// One.
#[derive(Clone, Debug, Template)]
#[template(path = "console/breach.html")]
pub struct BreachPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Its id.
    pub id: String,
    /// In a few words.
    pub title: String,
    /// How it stands.
    pub state: Status,
    /// Since when it is known.
    pub aware: When,
    /// The incident that showed it.
    pub incident: Option<String>,
    /// Who signed, in a line.
    pub signed: String,
    /// What a notice has to say and is not known yet.
    pub missing: Vec<String>,
    /// Who has to be told.
    pub duties: Vec<DutyView>,
    /// The notice.
    pub draft: String,
    /// Whether something can still be done, and the reader may.
    pub may_write: bool,
    /// What came of the last action.
    pub notice: Option<String>,
    /// What was wrong with it.
    pub error: Option<String>,
}

/// Somebody who has to be told.
#[derive(Clone, Debug)]
pub struct DutyView {
    /// Whom.
    pub to: String,
    /// By which law.
    pub law: String,
    /// By when.
    pub due: String,
    /// Whether it was done.
    pub state: Status,
    /// Whether it is still to be done.
    pub open: bool,
}
