//! The console: the pages administrators and auditors work in.
//!
//! Each page opens with its name and the question it answers. Every view has its own address, filters
//! included, and works as plain links and forms; htmx opens events beside the list instead of over it.

use askama::Template;

use super::Assets;
use super::chart::bar_chart;
use super::part::{ByteSize, Count, Fact, FilterChip, Identifier, Link, Status, When};

/// A room of the console: an entry of the rail. Rooms appear here with their first page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Room {
    /// Figures of the whole instance.
    Overview,
    /// Accounts and sessions.
    People,
    /// Programs with keys, applications that people sign in to, outside providers.
    Applications,
    /// Routes, servers, the firewall.
    Gateway,
    /// Keys that protect the application's data.
    Keys,
    /// Everything that happened.
    Ledger,
    /// Incidents, rules, blocks.
    Detection,
    /// What people ask for, where their data is, what it is used for.
    Privacy,
    /// How laws and standards stand.
    Compliance,
    /// Health of this instance.
    Settings,
}

/// One entry of the rail.
#[derive(Clone, Copy, Debug)]
pub struct RailItem {
    /// What it says.
    pub label: &'static str,
    /// Where it leads.
    pub href: &'static str,
    /// Whether the page belongs to this room.
    pub current: bool,
    /// Whether it stands at the foot of the rail.
    pub at_foot: bool,
}

/// What every console page needs around its own content.
#[derive(Clone, Debug)]
pub struct ConsoleFrame {
    /// Addresses of styles and scripts.
    pub assets: Assets,
    /// Fresh random value that marks this page's own htmx elements.
    pub nonce: String,
    /// Name of this instance or of its organisation.
    pub brand: String,
    /// Which entry of the rail is the current one.
    pub room: Room,
    /// Name of who is signed in.
    pub account_name: String,
    /// Mail address of who is signed in.
    pub account_email: String,
    /// Address of their own account page, on the own host.
    pub account_url: String,
    /// Where the sign-out form posts to, on this host.
    pub sign_out_action: String,
}

impl ConsoleFrame {
    /// The rail's entries, in their order.
    pub fn rail(&self) -> Vec<RailItem> {
        [
            (Room::Overview, "Overview", "/", false),
            (Room::People, "People", "/people", false),
            (Room::Applications, "Applications", "/clients", false),
            (Room::Gateway, "Gateway", "/gateway", false),
            (Room::Keys, "Keys", "/keys", false),
            (Room::Ledger, "Ledger", "/ledger", false),
            (Room::Detection, "Detection", "/incidents", false),
            (Room::Privacy, "Privacy", "/privacy", false),
            (Room::Compliance, "Compliance", "/compliance", false),
            (Room::Settings, "Settings", "/health", true),
        ]
        .into_iter()
        .map(|(room, label, href, at_foot)| RailItem { label, href, current: room == self.room, at_foot })
        .collect()
    }
}

/// Figures of the instance and its last 24 hours.
#[derive(Clone, Debug, Template)]
#[template(path = "console/overview.html")]
pub struct OverviewPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Events recorded since the ledger began.
    pub events: Count,
    /// Bytes the ledger takes.
    pub ledger_size: ByteSize,
    /// Outcome of the last verification, such as "verified".
    pub verified: Status,
    /// When the newest checkpoint was signed, if there is one.
    pub checkpoint_at: Option<When>,
    /// How many events the newest checkpoint covers.
    pub checkpoint_size: Count,
    /// Sessions that are live now.
    pub live_sessions: Count,
    /// Accounts, disabled ones included.
    pub accounts: Count,
    /// Gateway requests that were counted but whose details were dropped.
    pub requests_lost: Count,
    /// Events in each of the last 24 hours, oldest first: the hour's label, such as `09:00`, and the count.
    pub hours: Vec<(String, u64)>,
    /// Zone of the hour labels, such as `UTC`.
    pub zone: String,
    /// The newest events, a handful.
    pub latest: Vec<LedgerRow>,
}

impl OverviewPage {
    /// The last 24 hours as SVG.
    pub fn chart(&self) -> String {
        bar_chart("Events per hour, last 24 hours", "events", &self.hours)
    }
}

/// The ledger as a list, newest first, filtered.
#[derive(Clone, Debug, Template)]
#[template(path = "console/ledger.html")]
pub struct LedgerPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: super::ledger::Tabs,
    /// This page's own address with its filters.
    pub url: String,
    /// The whole query.
    pub query: String,
    /// Address of the export form with the same query.
    pub export_url: String,
    /// The filters that are active.
    pub chips: Vec<FilterChip>,
    /// The events, newest first.
    pub rows: Vec<LedgerRow>,
    /// Address of the next newer page.
    pub newer: Option<String>,
    /// Address of the next older page.
    pub older: Option<String>,
    /// Address of the event stream with the same filters; only on the newest page.
    pub tail_url: Option<String>,
    /// What is wrong with the filter, such as a time that does not parse.
    pub error: Option<String>,
}

/// One event in a list.
#[derive(Clone, Debug)]
pub struct LedgerRow {
    /// Its position in the ledger; the row opens `/ledger/{position}`.
    pub position: String,
    /// When it happened.
    pub at: When,
    /// Its type, such as `session.revoked`.
    pub kind: String,
    /// Who acted.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub resource: String,
    /// How it ended.
    pub outcome: Status,
}

/// One event with its evidence.
#[derive(Clone, Debug, Template)]
#[template(path = "console/event.html")]
pub struct EventPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Its position in the ledger.
    pub position: String,
    /// Its type, such as `session.revoked`.
    pub kind: String,
    /// What happened, in one sentence an auditor reads.
    pub sentence: String,
    /// When it happened.
    pub at: When,
    /// How it ended.
    pub outcome: Status,
    /// Its fields by name: id, actor, action, resource, address, and what its type adds.
    pub facts: Vec<Fact>,
    /// The event as indented JSON.
    pub json: String,
    /// Hash of its leaf, in hex.
    pub leaf_hash: Identifier,
    /// How many entries the newest checkpoint covers, if it covers this one.
    pub covered_by: Option<Count>,
    /// The sealed bytes as they are stored: canonical JSON.
    pub sealed: String,
    /// Address of the previous event.
    pub older: Option<String>,
    /// Address of the next event.
    pub newer: Option<String>,
}

/// Whether this instance is well.
#[derive(Clone, Debug, Template)]
#[template(path = "console/health.html")]
pub struct HealthPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// All checks in one word.
    pub overall: Status,
    /// Each check.
    pub checks: Vec<HealthCheck>,
    /// Version of this program.
    pub version: String,
    /// Storage engine with its version, such as `SQLite 3.50`.
    pub storage: String,
    /// How long this process runs, such as "3 d 4 h".
    pub uptime: String,
    /// Events in the ledger.
    pub ledger_size: Count,
    /// Root hash at that size, in hex.
    pub ledger_root: Identifier,
}

/// One thing that is watched.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    /// What is checked.
    pub name: String,
    /// "passing", "failing" and the like.
    pub state: Status,
    /// What was found.
    pub detail: String,
}

/// Something inside the console did not work.
#[derive(Clone, Debug, Template)]
#[template(path = "console/message.html")]
pub struct ConsoleMessagePage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Short title, such as "No event at this position".
    pub title: String,
    /// What failed.
    pub failed: String,
    /// What was kept, if anything was at stake.
    pub kept: Option<String>,
    /// What to do now.
    pub advice: String,
    /// One way on.
    pub link: Option<Link>,
    /// Request id to quote when asking for help.
    pub reference: Option<Identifier>,
}
