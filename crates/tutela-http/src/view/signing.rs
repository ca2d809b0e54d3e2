//! Keys that tokens are signed with.

use askama::Template;

use super::console::ConsoleFrame;
use super::keys::Tabs;
use super::part::{Status, When};

/// The keys, the newest first.
#[derive(Clone, Debug, Template)]
#[template(path = "console/keys_signing.html")]
pub struct SigningKeysPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What was just done.
    pub notice: Option<String>,
    /// What could not be done.
    pub error: Option<String>,
    /// The keys.
    pub rows: Vec<SigningKeyRow>,
    /// Where the public halves are.
    pub jwks_url: String,
    /// Whether who looks may make another.
    pub may_write: bool,
}

/// One key.
#[derive(Clone, Debug)]
pub struct SigningKeyRow {
    /// Its thumbprint.
    pub id: String,
    /// What it signs with.
    pub algorithm: String,
    /// Whether it signs, will, or did.
    pub state: Status,
    /// From when on it signs.
    pub from: When,
    /// Until when.
    pub until: Option<When>,
}
