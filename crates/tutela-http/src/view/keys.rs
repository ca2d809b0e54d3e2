//! The room of keys: the key ring, the provider's epochs, backups, field policies, erasure.
//!
//! No view holds key material, and no address holds what identifies a data subject: a look-up is a
//! post that is answered with the page. Key ids stand in addresses; they say nothing about anybody.

use askama::{Template, filters::HtmlSafe};

use super::console::ConsoleFrame;
use super::part::{Choice, Count, Fact, Identifier, Status, When};

/// A page of the room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tab {
    /// Backups of the key ring, and their rehearsals.
    Backups,
    /// The provider's keys and the jobs that move to them.
    Epochs,
    /// The key of one data subject.
    Erasure,
    /// The key ring.
    Keys,
    /// Which fields of records are sealed, and how.
    Policies,
    /// What tokens are signed with.
    Signing,
}

/// Links to all pages of the room; stands under the head of each.
#[derive(Clone, Copy, Debug, Template)]
#[template(
    ext = "html",
    source = r#"<nav class="tabs many" aria-label="Keys">{% for (label, href, here) in self.links() %}<a href="{{ href }}"{% if here %} aria-current="page"{% endif %}>{{ label }}</a>{% endfor %}</nav>"#
)]
pub struct Tabs {
    /// The page that shows them.
    pub at: Tab,
}

impl Tabs {
    /// Words, address, and whether it is this page.
    pub fn links(&self) -> Vec<(&'static str, &'static str, bool)> {
        [
            (Tab::Keys, "Keys", "/keys"),
            (Tab::Epochs, "Provider epochs", "/keys/epochs"),
            (Tab::Backups, "Backups", "/keys/backups"),
            (Tab::Policies, "Field policies", "/keys/policies"),
            (Tab::Erasure, "Erasure", "/keys/erasure"),
            (Tab::Signing, "Signing keys", "/keys/signing"),
        ]
        .into_iter()
        .map(|(tab, label, href)| (label, href, tab == self.at))
        .collect()
    }
}

impl HtmlSafe for Tabs {}

/// Which keys there are, and whether they are in order.
#[derive(Clone, Debug, Template)]
#[template(path = "console/keys.html")]
pub struct KeysPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// Keys that are not destroyed.
    pub total: Count,
    /// Whether they are in order, in a few words.
    pub verdict: Status,
    /// When the oldest version that still seals was made.
    pub oldest: Option<When>,
    /// Provider and active epoch, such as "local, epoch 3".
    pub provider: Status,
    /// When that epoch began.
    pub epoch_began: Option<When>,
    /// When the key ring was last backed up.
    pub backed_up: Option<When>,
    /// When a backup was last restored for trial.
    pub rehearsed: Option<When>,
    /// The keys.
    pub rows: Vec<KeyRow>,
}

/// One key in the list.
#[derive(Clone, Debug)]
pub struct KeyRow {
    /// Its id; the row opens `/keys/{id}`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it may be used for.
    pub purposes: Vec<&'static str>,
    /// How it seals where the caller does not say.
    pub algorithm: String,
    /// The version that seals.
    pub version: u32,
    /// When that version was made.
    pub made: When,
    /// Messages sealed with that version.
    pub messages: Count,
    /// How much of its budget is used, where it has one.
    pub budget: Option<Budget>,
    /// When the next version is due.
    pub next: Option<When>,
    /// Its state, or what needs a look.
    pub state: Status,
}

/// How many messages the plain suites may still seal with a version.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Sealed so far.
    pub used: u64,
    /// How many it may seal.
    pub limit: u64,
    /// Where the next version is made.
    pub turn: u64,
    /// The same in words, such as "12 % of 4,294,967,296".
    pub words: String,
}

/// Asks for a new key; posts to `/keys`.
#[derive(Clone, Debug, Template)]
#[template(path = "console/keys_new.html")]
pub struct NewKeyPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// The name typed before.
    pub name: String,
    /// Every purpose: what the form calls it, what it means, whether it is chosen.
    pub purposes: Vec<Choice>,
    /// Every algorithm.
    pub algorithms: Vec<Choice>,
    /// The rotation schedule typed before.
    pub schedule: String,
    /// Whether derived keys may leave the instance.
    pub export: bool,
    /// The field that is wrong, and what is wrong with it.
    pub error: Option<(String, String)>,
}

impl NewKeyPage {
    /// What is wrong with the field `name`.
    pub fn error_at(&self, name: &str) -> Option<&str> {
        self.error.as_ref().filter(|(field, _)| field == name).map(|(_, text)| text.as_str())
    }

    /// What is wrong with no field that the form has.
    pub fn error_elsewhere(&self) -> Option<&str> {
        let known = ["name", "purposes", "algorithm", "rotation_schedule", "export"];
        self.error.as_ref().filter(|(field, _)| !known.contains(&field.as_str())).map(|(_, text)| text.as_str())
    }
}

/// One key: what it is, its versions, what can be done with it.
#[derive(Clone, Debug, Template)]
#[template(path = "console/key.html")]
pub struct KeyPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// What was just done.
    pub notice: Option<String>,
    /// What could not be done, and why.
    pub error: Option<String>,
    /// Its id; everything posts to `/keys/{id}/…`.
    pub id: Identifier,
    /// Its name.
    pub name: String,
    /// Its state, or what needs a look.
    pub state: Status,
    /// What it may be used for.
    pub purposes: Vec<&'static str>,
    /// Algorithm, schedule and the like.
    pub facts: Vec<Fact>,
    /// When it was made.
    pub created: When,
    /// When the next version is due.
    pub next: Option<When>,
    /// When it will be destroyed, while that waits.
    pub destroy_at: Option<When>,
    /// Whether it seals, so that something can be done with it.
    pub active: bool,
    /// How often a new version is made.
    pub schedule: String,
    /// The number that the next version will have.
    pub next_version: u32,
    /// All versions, newest first.
    pub versions: Vec<VersionRow>,
    /// Versions that can be marked as compromised, each with its number of messages.
    pub markable: Vec<Choice>,
    /// What destroying it makes unreadable, such as "1,204 messages in 3 versions".
    pub loss: String,
    /// The ledger filtered by this key.
    pub events_url: String,
}

/// One version of a key.
#[derive(Clone, Debug)]
pub struct VersionRow {
    /// Its number.
    pub version: u32,
    /// Its state of SP 800-57 part 1 §7.
    pub state: Status,
    /// When it was made.
    pub made: When,
    /// The epoch whose key wraps it.
    pub epoch: u64,
    /// Messages sealed with it.
    pub messages: Count,
    /// Of these, still kept somewhere.
    pub references: Count,
    /// How much of its budget is used, where it has one.
    pub budget: Option<Budget>,
}

/// The provider's keys, one an epoch, and the jobs that move the key ring.
#[derive(Clone, Debug, Template)]
#[template(path = "console/keys_epochs.html")]
pub struct EpochsPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What was just done.
    pub notice: Option<String>,
    /// What could not be done, and why.
    pub error: Option<String>,
    /// Number that the next epoch will have.
    pub next: u64,
    /// Keys under the active epoch.
    pub held: Count,
    /// Keys that are still under older epochs.
    pub behind: Count,
    /// The epochs, newest first.
    pub rows: Vec<EpochRow>,
    /// The jobs, newest first.
    pub jobs: Vec<JobRow>,
}

impl EpochsPage {
    /// Whether a job left keys behind.
    pub fn left_behind(&self) -> bool {
        self.jobs.iter().any(|job| !job.quarantined.is_empty())
    }
}

/// One epoch.
#[derive(Clone, Debug)]
pub struct EpochRow {
    /// Its number; destroying posts `reason` to `/keys/epochs/{number}/destroy`.
    pub number: u64,
    /// Who keeps its key.
    pub provider: String,
    /// The exact version of the provider's key.
    pub provider_key: Identifier,
    /// "active", "retiring" or "destroyed".
    pub state: Status,
    /// When it began.
    pub began: When,
    /// When its key was destroyed.
    pub destroyed: Option<When>,
    /// Keys still wrapped under it.
    pub references: Count,
    /// Whether its key can be destroyed now.
    pub destroyable: bool,
}

/// One job that moves keys to another epoch.
#[derive(Clone, Debug)]
pub struct JobRow {
    /// When it began.
    pub started: When,
    /// When it ended.
    pub finished: Option<When>,
    /// The epoch that keys are moved to.
    pub epoch: u64,
    /// Keys that were moved.
    pub done: u64,
    /// Keys there were to move; zero where there were none.
    pub total: u64,
    /// The same in words, such as "30 of 120 keys".
    pub words: String,
    /// About how long it still takes, where that can be told.
    pub left: Option<String>,
    /// "running", "done", or how many keys were left behind.
    pub state: Status,
    /// Keys that could not be moved, each with the reason.
    pub quarantined: Vec<QuarantinedRow>,
}

/// A key version that a job left behind.
#[derive(Clone, Debug)]
pub struct QuarantinedRow {
    /// The key.
    pub key: Identifier,
    /// Its version.
    pub version: u32,
    /// Why.
    pub reason: String,
}

/// Backups of the key ring.
#[derive(Clone, Debug, Template)]
#[template(path = "console/keys_backups.html")]
pub struct BackupsPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What was just done.
    pub notice: Option<String>,
    /// What could not be done, and why.
    pub error: Option<String>,
    /// Why there are no backups, where they are switched off.
    pub off: Option<String>,
    /// When the newest backup that still exists was made.
    pub last: Option<When>,
    /// When a backup was last restored for trial.
    pub rehearsed: Option<When>,
    /// Backups whose files exist.
    pub kept: Count,
    /// The backups, newest first, deleted ones included.
    pub rows: Vec<BackupRow>,
}

/// One backup.
#[derive(Clone, Debug)]
pub struct BackupRow {
    /// Its file in the backup folder.
    pub file: String,
    /// When it was made.
    pub made: When,
    /// Keys in it.
    pub keys: Count,
    /// SHA-256 of the file, in hex.
    pub sha256: Identifier,
    /// When it was restored for trial.
    pub rehearsed: Option<When>,
    /// When its file was deleted.
    pub deleted: Option<When>,
}

/// Which fields of records are sealed, and what each still tells.
#[derive(Clone, Debug, Template)]
#[template(path = "console/keys_policies.html")]
pub struct PoliciesPage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// The stored policies.
    pub rows: Vec<PolicyCard>,
}

/// One field policy.
#[derive(Clone, Debug)]
pub struct PolicyCard {
    /// Its name.
    pub name: String,
    /// Name or id of the key.
    pub key: String,
    /// When it was last set.
    pub changed: When,
    /// The fields.
    pub fields: Vec<FieldRow>,
}

/// One field of a policy.
#[derive(Clone, Debug)]
pub struct FieldRow {
    /// Names from the record down, with dots between.
    pub path: String,
    /// "deterministic", "equality" or "random".
    pub mode: &'static str,
    /// What else holds, such as "32-bit index, optional"; empty where nothing does.
    pub detail: String,
    /// What the stored field tells whoever reads it.
    pub leaks: String,
}

/// The key of one data subject: look-up, hold, erasure, certificate.
#[derive(Clone, Debug, Template)]
#[template(path = "console/keys_erasure.html")]
pub struct ErasurePage {
    /// The page around it.
    pub frame: ConsoleFrame,
    /// Links to the room's other pages.
    pub tabs: Tabs,
    /// What was just done.
    pub notice: Option<String>,
    /// What could not be done, and why.
    pub error: Option<String>,
    /// What the look-up form shows.
    pub typed: TypedSubject,
    /// Whether somebody was looked up who has no key.
    pub nothing: bool,
    /// The key that was found.
    pub found: Option<SubjectCard>,
    /// The certificate that was asked for.
    pub certificate: Option<CertificateCard>,
}

/// How a data subject was named.
#[derive(Clone, Debug, Default)]
pub struct TypedSubject {
    /// Form key `account`.
    pub account: String,
    /// Form key `namespace`.
    pub namespace: String,
    /// Form key `value`.
    pub value: String,
}

/// The key of a data subject.
#[derive(Clone, Debug)]
pub struct SubjectCard {
    /// Whose key it is, as it was typed.
    pub who: String,
    /// Its id.
    pub key: Identifier,
    /// When it was made.
    pub made: When,
    /// Why it may not be destroyed, while a legal hold stands.
    pub hold: Option<String>,
}

/// The proof that a data subject's key was destroyed.
#[derive(Clone, Debug)]
pub struct CertificateCard {
    /// The key that was destroyed.
    pub key: Identifier,
    /// When it was destroyed in this instance.
    pub destroyed: When,
    /// When nothing in this instance's storage could open what it had sealed.
    pub unreadable: Option<When>,
    /// When no backup could either.
    pub in_backups: Option<When>,
    /// When what is still to come is due at the latest.
    pub due: Option<When>,
    /// The epoch whose key had wrapped it.
    pub epoch: u64,
    /// The certificate as a signed note.
    pub note: String,
}
