//! What is so, as it was collected: plain numbers, names and days. `None` means that nobody collected it.

use std::collections::{BTreeMap, BTreeSet};

use tutela_core::Timestamp;

/// Days of six years, leap days included: 45 CFR 164.316(b)(2)(i).
pub const SIX_YEARS: u32 = 2_192;
/// Of 24 months: 11 CCR 7101.
pub const TWO_YEARS: u32 = 731;
/// Of twelve months: PCI DSS 10.5.1.
pub const ONE_YEAR: u32 = 365;
/// Seconds that a session may be idle: PCI DSS 8.2.8.
pub const QUARTER_HOUR: u32 = 15 * 60;
/// The same for 45 CFR 164.312(a)(2)(iii), which names no figure: our own bound.
pub const AN_HOUR: u32 = 60 * 60;

/// All of it.
#[derive(Debug, Clone)]
pub struct Facts {
    /// When it was collected.
    pub now: Timestamp,
    /// What the configuration says.
    pub settings: Settings,
    /// Accounts and sessions.
    pub people: Option<People>,
    /// What people have asked for and said.
    pub requests: Option<Requests>,
    /// The operator's stores and their maps.
    pub mapped: Option<Mapped>,
    /// Keys.
    pub keys: Option<Keys>,
    /// The ledger.
    pub ledger: Option<Ledger>,
    /// Backups, rehearsals, jobs, channels.
    pub operation: Option<Operation>,
    /// The gateway's routes.
    pub routes: Option<Routes>,
    /// The register of breaches.
    pub breaches: Option<Breaches>,
    /// What came of verifying the ledger last.
    pub verified: Option<Verified>,
    /// What came of looking for card numbers last.
    pub cards: Option<Cards>,
    /// What came of probing last.
    pub probed: Option<Probed>,
}

impl Facts {
    /// What the configuration says, and nothing else yet.
    pub fn of(settings: Settings, now: Timestamp) -> Self {
        Self {
            now,
            settings,
            people: None,
            requests: None,
            mapped: None,
            keys: None,
            ledger: None,
            operation: None,
            routes: None,
            breaches: None,
            verified: None,
            cards: None,
            probed: None,
        }
    }
}

/// What the configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The frameworks that are switched on.
    pub frameworks: Vec<String>,
    /// Days that events are kept, by class.
    pub ledger_days: BTreeMap<String, u32>,
    /// Days that the operator's own data is kept, by class.
    pub data_days: BTreeMap<String, u32>,
    /// Seconds without use after which a session ends; an administrator's.
    pub idle: u32,
    /// The same of administrators.
    pub admin_idle: u32,
    /// Wrong passwords of an account.
    pub lockout: LockedOut,
    /// Fewest characters of a password.
    pub password_length: u32,
    /// Whether a password has letters and digits.
    pub letters_and_digits: bool,
    /// Whether password hashes may be cheaper than the standards have it.
    pub weak_hashes: bool,
    /// Factors that everybody proves.
    pub required_factors: u32,
    /// Whether a device that is known passes by the second one.
    pub remembers_devices: bool,
    /// Whether addresses of people's pages begin with `https`, or only this machine is asked.
    pub encrypted: bool,
    /// Whether consent is waited for.
    pub consent_required: bool,
    /// Rights that are switched off: `erasure`.
    pub rights_off: BTreeSet<String>,
    /// Since when Global Privacy Control is spoken of.
    pub gpc_since: Option<String>,
    /// Whether backups are made by a schedule.
    pub backups_scheduled: bool,
    /// Whether somebody is told of alerts, other than in the console.
    pub alerts_told: bool,
    /// Whether the rules that come with tutela watch the ledger.
    pub own_rules: bool,
    /// What is allowed that the standards would not have, in words.
    pub weakened: Vec<String>,
}

impl Settings {
    /// Whether a framework is switched on.
    pub fn is_on(&self, framework: &str) -> bool {
        self.frameworks.iter().any(|of| of == framework)
    }

    /// Whether passwords are as PCI DSS 8.3.6 asks for.
    pub fn passwords_are_long(&self) -> bool {
        self.password_length >= 12 && self.letters_and_digits
    }
}

impl LockedOut {
    /// Whether it is as PCI DSS 8.3.4 asks for.
    pub fn is_enough(self) -> bool {
        self.attempts <= 10 && self.lasts >= 30 * 60
    }
}

/// After how many wrong passwords how long none is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LockedOut {
    /// How many.
    pub attempts: u32,
    /// Seconds that it lasts.
    pub lasts: u64,
}

/// Accounts and sessions.
#[derive(Debug, Clone, Default)]
pub struct People {
    /// Accounts that can sign in.
    pub enabled: u64,
    /// Ids of enabled accounts that nobody has used for 90 days.
    pub idle: Vec<String>,
    /// Ids of disabled accounts that have a session all the same.
    pub leavers_inside: Vec<String>,
    /// Disabled accounts.
    pub disabled: u64,
    /// Ids of administrators without a second factor.
    pub admins_without_second: Vec<String>,
    /// Administrators.
    pub admins: u64,
    /// Grants beside roles that nobody approved.
    pub grants_unapproved: Vec<String>,
    /// Grants beside roles.
    pub grants: u64,
    /// Accounts that have a password and nothing else, whose password is older than 90 days.
    pub old_passwords: Vec<String>,
    /// Accounts that have a password and nothing else.
    pub password_only: u64,
    /// Keys of programs older than a year.
    pub old_program_keys: Vec<String>,
    /// Keys of programs.
    pub program_keys: u64,
}

/// What people have asked for and said.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    /// Answered or open, by law: how many.
    pub of: BTreeMap<String, u64>,
    /// Ids that are or were late, by law.
    pub late: BTreeMap<String, Vec<String>>,
    /// Ids of refusals without a reason, by law.
    pub unreasoned: BTreeMap<String, Vec<String>>,
    /// Refusals, by law.
    pub refused: BTreeMap<String, u64>,
    /// Erasures that were completed.
    pub erasures: u64,
    /// Ids of erasures that stopped or are partial.
    pub erasures_unfinished: Vec<String>,
    /// Holds without article, owner or end.
    pub holds_incomplete: Vec<String>,
    /// Holds that are in force.
    pub holds: u64,
    /// Purposes in use.
    pub purposes: u64,
    /// Purposes without words for people.
    pub without_notice: Vec<String>,
    /// Purposes with special categories and no ground of Art. 9.
    pub special_ungrounded: Vec<String>,
    /// Purposes with special categories.
    pub special: u64,
    /// Recipients without a country.
    pub recipients_unplaced: Vec<String>,
    /// Recipients.
    pub recipients: u64,
    /// Purposes without a time for which data is kept.
    pub without_retention: Vec<String>,
    /// What the record of processing cannot say, each by its place.
    pub record_gaps: Vec<String>,
    /// Consents that were looked at, the newest ones.
    pub consents: u64,
    /// Those whose receipt is not there, or says something else.
    pub consents_unproven: Vec<String>,
    /// Requests not to sell or share.
    pub opt_outs: u64,
    /// Purposes that sell or share, by what they say or by their name.
    pub sharing: u64,
    /// Those of them that a browser's signal does not stop.
    pub unsignalled: Vec<String>,
    /// Purposes that consent is the ground of and that are required all the same.
    pub forced: Vec<String>,
}

/// What came of verifying the whole ledger.
#[derive(Debug, Clone)]
pub struct Verified {
    /// When.
    pub at: Timestamp,
    /// Entries that were hashed again.
    pub entries: u64,
    /// What does not fit.
    pub flaw: Option<String>,
}

/// What came of looking for card numbers in the clear.
#[derive(Debug, Clone)]
pub struct Cards {
    /// When.
    pub at: Timestamp,
    /// Stores that were looked through, and the ledger.
    pub looked: u64,
    /// Stores that could not be, and why.
    pub unlooked: Vec<String>,
    /// Places with card numbers, and in how many rows.
    pub found: BTreeMap<String, u64>,
    /// Whether the rule watches that makes an incident of a find.
    pub watched: bool,
    /// Incidents that it opened.
    pub incidents: u64,
}

/// What came of requests that were sent through the gateway to see what happens.
#[derive(Debug, Clone)]
pub struct Probed {
    /// When.
    pub at: Timestamp,
    /// Requests that were sent.
    pub sent: u64,
    /// Those of them that the ledger has no record of.
    pub unrecorded: Vec<String>,
    /// Routes of which it is known whether they let an attack through.
    pub attacked: u64,
    /// Routes that nobody opens without a permission, so that the probe did not.
    pub unreached: Vec<String>,
    /// Routes that let it through.
    pub passed: Vec<String>,
    /// Whether a session opened a page that nobody had used for so many seconds.
    pub idle: BTreeMap<u32, bool>,
    /// What could not be probed, and why.
    pub silent: Vec<String>,
}

/// Duties that follow from breaches.
#[derive(Debug, Clone, Default)]
pub struct Breaches {
    /// How many there are, by framework.
    pub of: BTreeMap<String, u64>,
    /// Ids of breaches with one that is late, or was without a reason, by framework.
    pub late: BTreeMap<String, Vec<String>>,
}

/// The operator's stores and their maps.
#[derive(Debug, Clone, Default)]
pub struct Mapped {
    /// Stores.
    pub stores: u64,
    /// Stores that did not answer.
    pub silent: Vec<String>,
    /// Columns and tables that nobody mapped, and what maps say that is not there.
    pub unmapped: Vec<String>,
    /// Collections with a time for which rows are kept.
    pub timed: u64,
    /// Places whose rows could not be looked at, and why.
    pub unlooked: Vec<String>,
    /// Places with rows whose time is over, and how many.
    pub overdue: BTreeMap<String, u64>,
    /// Fields that hold card codes, tracks or PINs, by their category or name.
    pub card_codes: Vec<String>,
    /// Fields that would hurt if they were sent, by their category or name.
    pub secrets: u64,
    /// Those of them that packages hold.
    pub secrets_sent: Vec<String>,
}

/// Keys.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// Named keys.
    pub named: u64,
    /// Those that should have been rotated.
    pub overdue: Vec<String>,
    /// Where the keys that wrap others are: `local`, `azure`, `vault`.
    pub provider: String,
}

/// The ledger.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Entries.
    pub entries: u64,
    /// When its first events of these 90 days were.
    pub oldest: Option<Timestamp>,
    /// How many events of each type there were in 90 days.
    pub types: BTreeMap<String, u64>,
    /// An event of each of the seven kinds of PCI DSS 10.2.1, the newest.
    pub kinds: BTreeMap<String, String>,
    /// Ids of uses of personal data in 90 days that name no purpose.
    pub uses_without_purpose: Vec<String>,
    /// Uses of personal data in 90 days.
    pub uses: u64,
    /// Ids of uses of personal data in 90 days that had no ground at their moment, by why.
    pub uses_without_ground: BTreeMap<String, Vec<String>>,
    /// Consents that were taken back in 90 days.
    pub taken_back: u64,
    /// Refusals and objections in 90 days.
    pub refused: u64,
    /// Sinks that hold a copy elsewhere, and whether they follow.
    pub sinks: BTreeMap<String, bool>,
}

/// Backups, rehearsals, jobs.
#[derive(Debug, Clone, Default)]
pub struct Operation {
    /// When a restore was rehearsed last, and whether it worked.
    pub rehearsed: Option<(Timestamp, bool)>,
    /// Rules of detection that watch.
    pub rules: u64,
    /// Those of them that look at sign-ins that failed.
    pub sign_in_rules: u64,
    /// Ids of incidents that nobody has worked on for a week.
    pub incidents_idle: Vec<String>,
    /// Incidents that are open.
    pub incidents_open: u64,
}

/// The gateway's routes.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// Routes.
    pub all: u64,
    /// Names of routes before which no firewall blocks.
    pub unguarded: Vec<String>,
    /// Routes under PCI DSS.
    pub cards: u64,
    /// Names of those whose answers show card numbers in the clear to everybody.
    pub unmasked: Vec<String>,
    /// Servers on other machines that requests travel to in the clear.
    pub clear: Vec<String>,
}
