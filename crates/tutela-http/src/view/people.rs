//! The room of people: accounts, groups, what somebody may do, live sessions.

use askama::{Template, filters::HtmlSafe};

use super::console::ConsoleFrame;
use super::part::{Choice, Count, Fact, Identifier, Status, When};

/// A page of the room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tab {
    /// Who may do something, and what is granted to whom.
    Access,
    /// Accounts.
    Accounts,
    /// Accounts that have roles together.
    Groups,
    /// Who is signed in.
    Sessions,
}

/// Links to all pages of the room; stands under the head of each.
#[derive(Clone, Copy, Debug, Template)]
#[template(
    ext = "html",
    source = r#"<nav class="tabs" aria-label="People">{% for (label, href, here) in self.links() %}<a href="{{ href }}"{% if here %} aria-current="page"{% endif %}>{{ label }}</a>{% endfor %}</nav>"#
)]
pub struct Tabs {
    /// The page that shows them.
    pub at: Tab,
}

impl Tabs {
    /// Words, address, and whether it is this page.
    pub fn links(&self) -> Vec<(&'static str, &'static str, bool)> {
        [
            (Tab::Accounts, "Accounts", "/people"),
            (Tab::Groups, "Groups", "/people/groups"),
            (Tab::Access, "Access", "/people/access"),
            (Tab::Sessions, "Sessions", "/sessions"),
        ]
        .into_iter()
        .map(|(tab, label, href)| (label, href, tab == self.at))
        .collect()
    }
}

impl HtmlSafe for Tabs {}

/// Accounts and their roles.
#[derive(Clone, Debug, Template)]
#[template(path = "console/people.html")]
pub struct PeoplePage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What was just done.
    pub notice: Option<String>,
    /// Whether who looks may make accounts.
    pub may_write: bool,
    /// Accounts in all.
    pub total: Count,
    /// The accounts of this page, newest first.
    pub rows: Vec<AccountRow>,
    /// Address of the next newer page.
    pub newer: Option<String>,
    /// Address of the next older page.
    pub older: Option<String>,
}

/// One account in a list.
#[derive(Clone, Debug)]
pub struct AccountRow {
    /// Its id; the row opens `/people/{id}`.
    pub id: Identifier,
    /// The person's name.
    pub name: String,
    /// The mail address they sign in with.
    pub email: String,
    /// Names of its roles.
    pub roles: Vec<String>,
    /// "active", "pending" or "disabled".
    pub state: Status,
    /// When it was created.
    pub created: When,
}

/// A form for a new account.
#[derive(Clone, Debug, Template)]
#[template(path = "console/people_new.html")]
pub struct NewPersonPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// What was typed as name.
    pub name: String,
    /// What was typed as mail address.
    pub email: String,
    /// Roles that can be given.
    pub roles: Vec<Choice>,
    /// Whether the link goes out by mail.
    pub can_mail: bool,
    /// A field that is wrong, and what about it; an empty name is about the whole form.
    pub error: Option<(String, String)>,
}

impl NewPersonPage {
    /// What is wrong with a field.
    pub fn error_at(&self, field: &str) -> Option<&str> {
        self.error.as_ref().filter(|(at, _)| at == field).map(|(_, text)| text.as_str())
    }

    /// What is wrong and belongs to no field here.
    pub fn error_elsewhere(&self) -> Option<&str> {
        self.error.as_ref().filter(|(at, _)| !["name", "email", "roles"].contains(&at.as_str())).map(|(_, text)| text.as_str())
    }
}

/// One account, and what can be done with it.
#[derive(Clone, Debug, Template)]
#[template(path = "console/person.html")]
pub struct PersonPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Its id.
    pub id: Identifier,
    /// The person's name.
    pub name: String,
    /// The mail address they sign in with.
    pub email: String,
    /// What was just done.
    pub notice: Option<String>,
    /// What could not be done, and why.
    pub error: Option<String>,
    /// A one-time link for setting a password, shown once.
    pub setup_link: Option<String>,
    /// "active", "pending" or "disabled".
    pub state: Status,
    /// Whether it may sign in.
    pub active: bool,
    /// Whether it is the account of who looks.
    pub own: bool,
    /// Whether who looks may change accounts.
    pub may_write: bool,
    /// Whether who looks may remove ways to sign in.
    pub may_remove: bool,
    /// Whether who looks may give and take permissions.
    pub may_grant: bool,
    /// What else is to know, by name.
    pub facts: Vec<Fact>,
    /// What is locked, each a sentence.
    pub locks: Vec<String>,
    /// All roles, those it holds itself marked.
    pub roles: Vec<Choice>,
    /// All groups, those it is in marked.
    pub groups: Vec<Choice>,
    /// Whether the roles and groups above are all there are, so that others can be chosen.
    pub may_set: bool,
    /// What it may do everywhere; none where who looks may not see it.
    pub permissions: Option<Vec<String>>,
    /// What is granted or denied to it alone; none where who looks may not see it.
    pub grants: Option<Vec<GrantRow>>,
    /// Its ways to sign in.
    pub authenticators: Vec<WayRow>,
    /// Its live sessions, where who looks may see them.
    pub sessions: Vec<SessionRow>,
    /// The ledger filtered by this account.
    pub events_url: String,
}

impl PersonPage {
    /// Roles it holds itself.
    pub fn held(&self) -> impl Iterator<Item = &Choice> {
        self.roles.iter().filter(|role| role.selected)
    }

    /// Groups it is in.
    pub fn joined(&self) -> impl Iterator<Item = &Choice> {
        self.groups.iter().filter(|group| group.selected)
    }
}

/// One way to sign in.
#[derive(Clone, Debug)]
pub struct WayRow {
    /// Its id; removing posts `reason` to `/people/{account}/authenticators/{id}/remove`.
    pub id: String,
    /// What it is.
    pub kind: String,
    /// What its owner calls it.
    pub name: String,
    /// When it was set up.
    pub added: When,
    /// When it was last used.
    pub used: Option<When>,
}

/// A permission given or denied.
#[derive(Clone, Debug)]
pub struct GrantRow {
    /// Its id; ending posts `reason` to `/people/grants/{id}/end`.
    pub id: String,
    /// To whom: a name or a group.
    pub to: String,
    /// Their page.
    pub to_url: String,
    /// "allowed" or "denied".
    pub effect: Status,
    /// The permission.
    pub permission: String,
    /// What it is limited to; none where it is not.
    pub resource: Option<String>,
    /// Why.
    pub reason: String,
    /// Who gave it.
    pub approver: String,
    /// Until when; none where it has no end.
    pub until: Option<When>,
}

/// Groups.
#[derive(Clone, Debug, Template)]
#[template(path = "console/people_groups.html")]
pub struct GroupsPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What was just done.
    pub notice: Option<String>,
    /// What could not be done, and why.
    pub error: Option<String>,
    /// Whether who looks may change groups.
    pub may_write: bool,
    /// The groups, by name.
    pub rows: Vec<GroupRow>,
    /// All roles, for a new group.
    pub roles: Vec<Choice>,
    /// What was typed as a new group's name.
    pub typed: String,
}

/// One group.
#[derive(Clone, Debug)]
pub struct GroupRow {
    /// Its name.
    pub name: String,
    /// Its name as part of an address.
    pub path: String,
    /// All roles, those of the group marked.
    pub roles: Vec<Choice>,
    /// Its members: name and page.
    pub members: Vec<(String, String)>,
    /// Whether it has more than are shown.
    pub more: bool,
}

impl GroupRow {
    /// Roles it has.
    pub fn held(&self) -> impl Iterator<Item = &Choice> {
        self.roles.iter().filter(|role| role.selected)
    }
}

/// Who may do something, and every grant that stands.
#[derive(Clone, Debug, Template)]
#[template(path = "console/people_access.html")]
pub struct AccessPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What was just done.
    pub notice: Option<String>,
    /// What could not be done or found, and why.
    pub error: Option<String>,
    /// Whether who looks may give and take permissions.
    pub may_grant: bool,
    /// The permission asked about.
    pub permission: String,
    /// The resource asked about.
    pub resource: String,
    /// Who may: name, page and reason; none where nothing was asked.
    pub holders: Option<Vec<(String, String, String)>>,
    /// The same question for the next accounts.
    pub next: Option<String>,
    /// Grants that stand, newest first.
    pub grants: Vec<GrantRow>,
    /// Address of the next older grants.
    pub older: Option<String>,
}

/// Every live session.
#[derive(Clone, Debug, Template)]
#[template(path = "console/sessions.html")]
pub struct SessionsPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// Live sessions in all.
    pub total: Count,
    /// What was just done, such as "Session ended."
    pub notice: Option<String>,
    /// What could not be done, and why.
    pub error: Option<String>,
    /// The sessions of this page, newest first.
    pub rows: Vec<SessionRow>,
    /// Address of the next newer page.
    pub newer: Option<String>,
    /// Address of the next older page.
    pub older: Option<String>,
}

/// One live session in a list.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// Its id; ending posts `reason` to `/sessions/{id}/end`.
    pub id: Identifier,
    /// Name of whose it is.
    pub account: String,
    /// The page of whose it is.
    pub account_url: String,
    /// The hosts it is signed in at, separated by commas.
    pub hosts: String,
    /// When it began.
    pub started: When,
    /// When it was last used.
    pub seen: When,
    /// Whether it is the one that shows this page.
    pub current: bool,
}
