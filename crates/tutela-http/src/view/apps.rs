//! What a person meets when an application wants to learn of them, and what they have let in.

use askama::Template;

use super::{hosted::HostedFrame, own::AccountTab, part::When, words::Words};

/// Asks whether a client may have what it wants; posts `request` and `decision` to `/oauth/consent`.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/consent.html")]
pub struct ConsentPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// The client's name.
    pub client: String,
    /// What it wants, in words.
    pub scopes: Vec<String>,
    /// Where the person goes afterwards.
    pub origin: String,
    /// Who is signed in.
    pub email: String,
    /// The sealed request.
    pub request: String,
}

/// The applications that a person has let in.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/apps.html")]
pub struct AppsPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// Which of the account's pages.
    pub tab: AccountTab,
    /// What was just done.
    pub notice: Option<String>,
    /// The applications, the last one first.
    pub apps: Vec<OwnApp>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct OwnApp {
    /// Client id; withdrawing posts to `/account/apps/{id}/withdraw`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it may have, in words.
    pub scopes: Vec<String>,
    /// Since when.
    pub given: When,
}

/// What a scope means to a person; nothing where it tells the client no more than that they are somebody.
pub fn scope_words(t: &'static Words, scope: &str) -> Option<String> {
    Some(match scope {
        "openid" => return None,
        "profile" => t.scope_profile.to_owned(),
        "email" => t.scope_email.to_owned(),
        "phone" => t.scope_phone.to_owned(),
        "groups" => t.scope_groups.to_owned(),
        "roles" => t.scope_roles.to_owned(),
        "offline_access" => t.scope_offline.to_owned(),
        other => format!("{}: {}", t.scope_other, other.strip_prefix("resource:").unwrap_or(other)),
    })
}
