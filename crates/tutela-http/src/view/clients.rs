//! The room of applications: clients with keys, applications that people sign in to, and outside providers.

use askama::{Template, filters::HtmlSafe};

use super::console::ConsoleFrame;
use super::part::{Choice, Fact, Identifier, Status, When};

/// A page of the room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tab {
    /// Clients.
    Clients,
    /// Outside providers.
    Providers,
}

/// Links to all pages of the room; stands under the head of each.
#[derive(Clone, Copy, Debug, Template)]
#[template(
    ext = "html",
    source = r#"<nav class="tabs" aria-label="Applications">{% for (label, href, here) in self.links() %}<a href="{{ href }}"{% if here %} aria-current="page"{% endif %}>{{ label }}</a>{% endfor %}</nav>"#
)]
pub struct Tabs {
    /// The page that shows them.
    pub at: Tab,
}

impl Tabs {
    /// Words, address, and whether it is this page.
    pub fn links(&self) -> Vec<(&'static str, &'static str, bool)> {
        [(Tab::Clients, "Clients", "/clients"), (Tab::Providers, "Outside providers", "/clients/providers")]
            .into_iter()
            .map(|(tab, label, href)| (label, href, tab == self.at))
            .collect()
    }
}

impl HtmlSafe for Tabs {}

/// The clients.
#[derive(Clone, Debug, Template)]
#[template(path = "console/clients.html")]
pub struct ClientsPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What was just done.
    pub notice: Option<String>,
    /// Whether who looks may make clients.
    pub may_write: bool,
    /// The clients of this page, newest first.
    pub rows: Vec<ClientRow>,
    /// Address of the next newer page.
    pub newer: Option<String>,
    /// Address of the next older page.
    pub older: Option<String>,
}

/// One client in a list.
#[derive(Clone, Debug)]
pub struct ClientRow {
    /// Its id; the row opens `/clients/{id}`.
    pub id: Identifier,
    /// Its name.
    pub name: String,
    /// What it is, in a few words.
    pub kinds: Vec<&'static str>,
    /// Until when its key works, and how that is.
    pub key: Status,
    /// When it was made.
    pub created: When,
}

/// One client.
#[derive(Clone, Debug, Template)]
#[template(path = "console/client.html")]
pub struct ClientPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// What was just done.
    pub notice: Option<String>,
    /// What could not be done.
    pub error: Option<String>,
    /// A key that was just made, shown once.
    pub secret: Option<String>,
    /// Its id.
    pub id: Identifier,
    /// Its name.
    pub name: String,
    /// What it is registered with.
    pub facts: Vec<Fact>,
    /// The key.
    pub key: Status,
    /// Whether it has one that can be replaced.
    pub has_key: bool,
    /// The issuer that its library needs, where people sign in to it.
    pub issuer: Option<String>,
    /// Whether who looks may change it.
    pub may_write: bool,
    /// What it can be changed to.
    pub form: OauthFields,
    /// Address of its events.
    pub events_url: String,
}

/// Makes a client.
#[derive(Clone, Debug, Template)]
#[template(path = "console/clients_new.html")]
pub struct NewClientPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// The name typed before.
    pub name: String,
    /// Permissions of the key.
    pub permissions: Vec<Choice>,
    /// The rest.
    pub form: OauthFields,
    /// The field that was wrong, and why.
    pub error: Option<(String, String)>,
}

impl NewClientPage {
    /// What was wrong with a field.
    pub fn error_at(&self, field: &str) -> Option<&str> {
        self.error.as_ref().filter(|(at, _)| at == field).map(|(_, text)| text.as_str())
    }

    /// What was wrong elsewhere.
    pub fn error_elsewhere(&self) -> Option<&str> {
        let known = ["name", "scopes"];
        self.error.as_ref().filter(|(at, _)| !known.contains(&at.as_str())).map(|(_, text)| text.as_str())
    }
}

/// The fields of a client's side of OAuth 2.0.
#[derive(Clone, Debug, Default)]
pub struct OauthFields {
    /// One address a line.
    pub redirect_uris: String,
    /// As `redirect_uris`.
    pub post_logout_redirect_uris: String,
    /// An address.
    pub backchannel_logout_uri: String,
    /// Grants to choose from.
    pub grants: Vec<Choice>,
    /// Ways to prove itself.
    pub methods: Vec<Choice>,
    /// A JWK set.
    pub jwks: String,
    /// Scopes about people to choose from.
    pub scopes: Vec<Choice>,
    /// Scopes of APIs, one a line.
    pub own_scopes: String,
    /// One audience a line.
    pub audiences: String,
    /// Algorithms to choose from.
    pub algorithms: Vec<Choice>,
    /// Whether people are asked.
    pub consent: bool,
}

/// Outside providers.
#[derive(Clone, Debug, Template)]
#[template(path = "console/providers.html")]
pub struct ProvidersPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// The providers.
    pub rows: Vec<ProviderRow>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct ProviderRow {
    /// What its button says.
    pub label: String,
    /// Its name in the configuration.
    pub name: String,
    /// How it is spoken to.
    pub protocol: &'static str,
    /// Whether it answers as it should.
    pub state: Status,
    /// What it has to know of this server.
    pub addresses: Vec<(&'static str, String)>,
}
