//! The ledger's other pages: figures, event types, retention and holds, projections, export.

use askama::{Template, filters::HtmlSafe};

use super::chart::bar_chart;
use super::console::ConsoleFrame;
use super::part::{Choice, Count, Identifier, Link, Status, When};

/// A page of the room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tab {
    /// The list of events.
    Events,
    /// Taking events out.
    Export,
    /// Counts of events.
    Figures,
    /// The ledger in search clusters.
    Projections,
    /// How long which event is kept.
    Retention,
    /// Declared event types.
    Types,
}

/// Links to all pages of the room; stands under the head of each.
#[derive(Clone, Copy, Debug, Template)]
#[template(
    ext = "html",
    source = r#"<nav class="tabs many" aria-label="Ledger">{% for (label, href, here) in self.links() %}<a href="{{ href }}"{% if here %} aria-current="page"{% endif %}>{{ label }}</a>{% endfor %}</nav>"#
)]
pub struct Tabs {
    /// The page that shows them.
    pub at: Tab,
}

impl Tabs {
    /// Words, address, and whether it is this page.
    pub fn links(&self) -> Vec<(&'static str, &'static str, bool)> {
        [
            (Tab::Events, "Events", "/ledger"),
            (Tab::Figures, "Figures", "/ledger/figures"),
            (Tab::Types, "Event types", "/ledger/types"),
            (Tab::Retention, "Retention", "/ledger/retention"),
            (Tab::Projections, "Projections", "/ledger/projections"),
            (Tab::Export, "Export", "/ledger/export"),
        ]
        .into_iter()
        .map(|(tab, label, href)| (label, href, tab == self.at))
        .collect()
    }
}

impl HtmlSafe for Tabs {}

/// Says in numbers what will happen, and asks for it.
#[derive(Clone, Debug, Template)]
#[template(path = "console/ledger_confirm.html")]
pub struct ConfirmPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// The page it came from.
    pub back: Link,
    /// What is to be done.
    pub title: String,
    /// The question it answers.
    pub question: String,
    /// What will happen, a sentence each.
    pub lines: Vec<String>,
    /// Where it posts to.
    pub action: String,
    /// The verb and its object.
    pub button: String,
}

// === Figures ===

/// Counts of events in a span of time.
#[derive(Clone, Debug, Template)]
#[template(path = "console/ledger_figures.html")]
pub struct FiguresPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// The spans that can be chosen.
    pub spans: Vec<Choice>,
    /// The chosen one, such as "30 days".
    pub span: String,
    /// Its first day.
    pub first_day: String,
    /// Events in it.
    pub total: Count,
    /// What a bar stands for, such as "day".
    pub step: &'static str,
    /// The bars, oldest first.
    pub bars: Vec<(String, u64)>,
    /// Events of each type, most first.
    pub kinds: Vec<TallyRow>,
    /// Events of each outcome, most first.
    pub outcomes: Vec<TallyRow>,
}

impl FiguresPage {
    /// The bars as SVG.
    pub fn chart(&self) -> String {
        bar_chart(&format!("Events per {}, last {}", self.step, self.span), "events", &self.bars)
    }
}

/// How many events have one thing in common.
#[derive(Clone, Debug)]
pub struct TallyRow {
    /// The type.
    pub name: String,
    /// The outcome, where it is about one.
    pub outcome: Option<Status>,
    /// The ledger filtered by it.
    pub events_url: String,
    /// How many.
    pub events: Count,
    /// Of all of them, such as "12 %".
    pub share: String,
}

// === Event types ===

/// What can be recorded, and what it means.
#[derive(Clone, Debug, Template)]
#[template(path = "console/ledger_types.html")]
pub struct TypesPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What was looked for.
    pub query: String,
    /// Types in all.
    pub total: Count,
    /// Types that match.
    pub found: Count,
    /// The types by who declared them; groups without a match are left out.
    pub groups: Vec<TypeGroup>,
}

/// Types of one origin.
#[derive(Clone, Debug)]
pub struct TypeGroup {
    /// `api`, `configuration` or `tutela`.
    pub id: &'static str,
    /// Who declared them.
    pub title: &'static str,
    /// How they are changed.
    pub note: &'static str,
    /// The types, by name.
    pub rows: Vec<TypeRow>,
}

/// One declared type.
#[derive(Clone, Debug)]
pub struct TypeRow {
    /// Its name.
    pub name: String,
    /// What it means.
    pub sentence: String,
    /// Class of retention.
    pub class: String,
    /// Number and word of its severity.
    pub severity: String,
    /// Class and activity of OCSF.
    pub ocsf: String,
    /// Category and type of the Elastic Common Schema.
    pub ecs: String,
    /// Names of its fields, each with whether it is about a person.
    pub fields: Vec<(String, bool)>,
    /// The ledger filtered by it.
    pub events_url: String,
}

// === Retention ===

/// How long events are kept, and what is held.
#[derive(Clone, Debug, Template)]
#[template(path = "console/ledger_retention.html")]
pub struct RetentionPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What was just done.
    pub notice: Option<String>,
    /// What could not be done, and why.
    pub error: Option<String>,
    /// Where the log begins.
    pub first: u64,
    /// No class keeps anything before this position.
    pub expired: u64,
    /// Where the log ends.
    pub entries: Count,
    /// Holds that stand.
    pub standing: Count,
    /// The classes and their rules.
    pub classes: Vec<ClassRow>,
    /// Holds, those that stand first.
    pub holds: Vec<HoldRow>,
    /// What the form for a hold shows.
    pub typed: TypedHold,
    /// The field that is wrong, and what is wrong with it.
    pub wrong: Option<(String, String)>,
}

impl RetentionPage {
    /// What is wrong with the field `name`.
    pub fn error_at(&self, name: &str) -> Option<&str> {
        self.wrong.as_ref().filter(|(field, _)| field == name).map(|(_, text)| text.as_str())
    }
}

/// How long one class is kept.
#[derive(Clone, Debug)]
pub struct ClassRow {
    /// Its name.
    pub class: String,
    /// Days.
    pub days: Count,
    /// The rule that says so.
    pub rule: String,
    /// Everything of it before this position is gone.
    pub gone: u64,
}

/// One hold.
#[derive(Clone, Debug)]
pub struct HoldRow {
    /// Its id; releasing posts to `/ledger/retention/holds/{id}/release`.
    pub id: String,
    /// The case it is for.
    pub case: String,
    /// Why it was placed.
    pub reason: String,
    /// The query that says what it keeps; empty for everything.
    pub query: String,
    /// The ledger filtered by that query.
    pub events_url: String,
    /// When it was placed.
    pub placed: When,
    /// When it ends by itself.
    pub until: Option<When>,
    /// "holds", "released" or "ended".
    pub state: Status,
    /// Whether it stands.
    pub stands: bool,
}

/// What was typed into the form for a hold.
#[derive(Clone, Debug, Default)]
pub struct TypedHold {
    /// Form key `case`.
    pub case: String,
    /// Form key `reason`.
    pub reason: String,
    /// Form key `q`.
    pub query: String,
    /// Form key `until`.
    pub until: String,
}

// === Projections ===

/// The ledger in search clusters.
#[derive(Clone, Debug, Template)]
#[template(path = "console/ledger_projections.html")]
pub struct ProjectionsPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What was just done.
    pub notice: Option<String>,
    /// What could not be done, and why.
    pub error: Option<String>,
    /// The clusters.
    pub sinks: Vec<SinkCard>,
    /// What a comparison found.
    pub report: Option<ReportCard>,
}

/// One cluster.
#[derive(Clone, Debug)]
pub struct SinkCard {
    /// Its name; everything posts to `/ledger/projections/{name}/…`.
    pub name: String,
    /// "following", "waiting" or "off".
    pub state: Status,
    /// Since when.
    pub since: When,
    /// Why it waits.
    pub problem: Option<String>,
    /// Entries that were sent.
    pub sent: Count,
    /// Entries of the ledger.
    pub size: Count,
    /// Entries that are not there yet.
    pub behind: Count,
    /// Events that it refused for good.
    pub dead: Count,
    /// Whether the configuration names it, so that something can be done with it.
    pub on: bool,
}

/// Whether a cluster holds what the ledger holds.
#[derive(Clone, Debug)]
pub struct ReportCard {
    /// The cluster.
    pub name: String,
    /// "equal" or "different".
    pub verdict: Status,
    /// Entries that were compared: all before this position.
    pub up_to: u64,
    /// Events of the ledger.
    pub ledger: Count,
    /// Documents of the cluster.
    pub cluster: Count,
    /// What differs, at most 100 of each kind.
    pub rows: Vec<DifferenceRow>,
}

/// One event that only one of both has.
#[derive(Clone, Debug)]
pub struct DifferenceRow {
    /// The event.
    pub id: Identifier,
    /// "missing there" or "too many there".
    pub what: Status,
    /// The ledger filtered by it, where it has it.
    pub events_url: Option<String>,
}

/// Events that a cluster refused for good.
#[derive(Clone, Debug, Template)]
#[template(path = "console/ledger_letters.html")]
pub struct LettersPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// The cluster.
    pub name: String,
    /// How many there are.
    pub total: Count,
    /// Whether they can be sent again.
    pub on: bool,
    /// Those of this page, oldest first.
    pub rows: Vec<LetterRow>,
    /// Address of the next newer page.
    pub newer: Option<String>,
    /// Address of the first page.
    pub older: Option<String>,
}

/// One event that was refused.
#[derive(Clone, Debug)]
pub struct LetterRow {
    /// Its position; the row opens `/ledger/{position}`.
    pub position: String,
    /// What the cluster said.
    pub reason: String,
    /// When.
    pub refused: When,
}

// === Export ===

/// Asks what to take out, and how.
#[derive(Clone, Debug, Template)]
#[template(path = "console/ledger_export.html")]
pub struct ExportPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What is wanted, in the query language.
    pub query: String,
    /// Every format.
    pub formats: Vec<Choice>,
    /// Whether proofs are wanted.
    pub proofs: bool,
    /// The key that checks them; it is public.
    pub key: String,
    /// The field that is wrong, and what is wrong with it.
    pub wrong: Option<(String, String)>,
}

impl ExportPage {
    /// What is wrong with the field `name`.
    pub fn error_at(&self, name: &str) -> Option<&str> {
        self.wrong.as_ref().filter(|(field, _)| field == name).map(|(_, text)| text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tab_is_current() {
        let html = Tabs { at: Tab::Retention }.to_string();
        assert_eq!(html.matches("aria-current").count(), 1);
        assert!(html.contains(r#"<a href="/ledger/retention" aria-current="page">Retention</a>"#));
    }
}
