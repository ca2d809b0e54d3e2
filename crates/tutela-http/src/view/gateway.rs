//! The room of the gateway: routes and servers, what the firewall refused, what is excepted.

use askama::{Template, filters::HtmlSafe};

use super::console::ConsoleFrame;
use super::part::{Count, Status, When};

/// A page of the room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tab {
    /// Routes and servers.
    Routes,
    /// What the firewall refused, and what is excepted from it.
    Firewall,
    /// Whom limits refuse.
    Limits,
}

/// Links to all pages of the room.
#[derive(Clone, Copy, Debug, Template)]
#[template(
    ext = "html",
    source = r#"<nav class="tabs" aria-label="Gateway">{% for (label, href, here) in self.links() %}<a href="{{ href }}"{% if here %} aria-current="page"{% endif %}>{{ label }}</a>{% endfor %}</nav>"#
)]
pub struct Tabs {
    /// The page that shows them.
    pub at: Tab,
}

impl Tabs {
    /// Words, address, and whether it is this page.
    pub fn links(&self) -> Vec<(&'static str, &'static str, bool)> {
        [(Tab::Routes, "Routes", "/gateway"), (Tab::Firewall, "Firewall", "/gateway/firewall"), (Tab::Limits, "Limits", "/gateway/limits")]
            .into_iter()
            .map(|(tab, label, href)| (label, href, tab == self.at))
            .collect()
    }
}

impl HtmlSafe for Tabs {}

/// Routes, and the servers behind them.
#[derive(Clone, Debug, Template)]
#[template(path = "console/gateway.html")]
pub struct GatewayPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What was just done.
    pub notice: Option<String>,
    /// Why it was not.
    pub error: Option<String>,
    /// Whether who looks may have the configuration read again.
    pub may_reload: bool,
    /// Routes.
    pub routes: Vec<RouteRow>,
    /// Servers.
    pub servers: Vec<ServerRow>,
    /// Servers that are well.
    pub well: Count,
    /// Rules of the firewall.
    pub rules: Count,
    /// WebSockets that are open.
    pub websockets: Count,
    /// When the configuration was last read.
    pub loaded: When,
}

/// A route.
#[derive(Clone, Debug)]
pub struct RouteRow {
    /// Its name.
    pub name: String,
    /// Host and path.
    pub address: String,
    /// Where requests go.
    pub upstream: String,
    /// Who passes.
    pub requires: String,
    /// How the firewall guards it.
    pub mode: Status,
    /// Its limits.
    pub limits: String,
    /// Its requests in the ledger.
    pub events_url: String,
}

/// A server of an application.
#[derive(Clone, Debug)]
pub struct ServerRow {
    /// The upstream.
    pub upstream: String,
    /// Its address.
    pub url: String,
    /// How it is.
    pub state: Status,
    /// Requests that are open.
    pub open: Count,
    /// Its share.
    pub weight: u32,
}

/// What the firewall refused, and what is excepted.
#[derive(Clone, Debug, Template)]
#[template(path = "console/firewall.html")]
pub struct FirewallPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What was just done.
    pub notice: Option<String>,
    /// Why it was not.
    pub error: Option<String>,
    /// Whether who looks may except rules.
    pub may_exclude: bool,
    /// Requests in which rules matched enough to refuse them, newest first.
    pub refused: Vec<RefusedRow>,
    /// Exclusions, those in force first.
    pub exclusions: Vec<ExclusionRow>,
}

/// A request that the firewall refused, or would have.
#[derive(Clone, Debug)]
pub struct RefusedRow {
    /// Id of its event.
    pub event: String,
    /// Its event's page.
    pub event_url: String,
    /// When.
    pub at: When,
    /// The route.
    pub route: String,
    /// Method and path.
    pub request: String,
    /// Whether it was refused.
    pub outcome: Status,
    /// The score that rules gave it.
    pub score: i64,
    /// Which rules matched, where and what.
    pub matched: Vec<String>,
}

/// An exclusion.
#[derive(Clone, Debug)]
pub struct ExclusionRow {
    /// Its id.
    pub id: String,
    /// The route.
    pub route: String,
    /// The rule.
    pub rule: u64,
    /// Where; everywhere where empty.
    pub place: String,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub made_by: String,
    /// Until when.
    pub until: When,
    /// Whether it is in force.
    pub state: Status,
    /// Whether it can be ended.
    pub stands: bool,
}

/// Whom limits of requests refuse.
#[derive(Clone, Debug, Template)]
#[template(path = "console/limits.html")]
pub struct LimitsPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What was just done.
    pub notice: Option<String>,
    /// Why it was not.
    pub error: Option<String>,
    /// Whether who looks may let them in again.
    pub may_lift: bool,
    /// They, the most eager first.
    pub rows: Vec<LimitedRow>,
}

/// Somebody whom a limit refuses.
#[derive(Clone, Debug)]
pub struct LimitedRow {
    /// The limit.
    pub limit: String,
    /// Who.
    pub who: String,
    /// Since when.
    pub since: When,
    /// Until when.
    pub until: When,
    /// Requests that were refused.
    pub refused: Count,
}
