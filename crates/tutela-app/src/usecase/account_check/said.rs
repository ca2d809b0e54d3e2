//! What the ledger says of accounts, read newest first.
//!
//! | rows | have to be as the newest of |
//! |---|---|
//! | the password's date, which is sealed with its hash | `password.changed`, `password.reset`, `setup_link.used` |
//! | disabled, gone | `account.disabled`, `account.enabled`, `account.deleted` |
//! | ways to sign in | none is there that `authenticator.removed` or `outside.disconnected` names; one list of recovery codes, the newest |
//! | roles | `account.created`, `account.signed_up`, `account.roles_changed` |
//! | groups | `group.member_changed` |
//! | grants | `grant.given`, and none that `grant.ended` names |

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tutela_core::AccountId;
use tutela_identity::AuthenticatorKind;

use crate::{App, Error, usecase::search};

/// Everything that changes such a row, and what was found before.
const TYPES: &str = "type:account.created,account.deleted,account.differs,account.disabled,account.enabled,account.roles_changed,account.signed_up,\
     authenticator.added,authenticator.removed,grant.ended,grant.given,group.member_changed,outside.disconnected,password.changed,password.reset,setup_link.used";

type Names = BTreeSet<String>;

/// All of it, by account.
pub(super) struct Ledger {
    accounts: BTreeMap<String, Said>,
    /// Position before which some class has expired; older events are not heard, a hold may have kept some of them.
    horizon: u64,
}

impl Ledger {
    pub(super) async fn read(app: &App) -> Result<Self, Error> {
        let query = search::query(TYPES)?;
        let horizon = app.store.retention_list().await?.values().map(|(_, position)| *position).max().unwrap_or(0).max(app.store.log_first().await?);
        let (mut accounts, mut before): (BTreeMap<String, Said>, _) = (BTreeMap::new(), None);
        loop {
            let found = search::clear_page(app, &query, before, search::MAX_PAGE).await?;
            for (position, event) in &found.items {
                if position.entry < horizon {
                    return Ok(Self { accounts, horizon });
                }
                let kind = event["type"].as_str().unwrap_or_default();
                let about = if kind == "group.member_changed" { &event["data"]["account"] } else { &event["resource"]["id"] };
                if let Some(account) = about.as_str() {
                    accounts.entry(account.to_owned()).or_default().hear(kind, event);
                }
            }
            before = found.next;
            if before.is_none() {
                return Ok(Self { accounts, horizon });
            }
        }
    }

    pub(super) fn of(&self, account: AccountId) -> Option<&Said> {
        self.accounts.get(&account.to_string())
    }

    /// Whether nothing has expired, so that what it does not say did not happen.
    pub(super) fn is_whole(&self) -> bool {
        self.horizon == 0
    }
}

/// What the ledger says of one account.
#[derive(Default, PartialEq)]
pub(super) struct Said {
    /// When the password was last chosen.
    pub password: Option<String>,
    pub state: Option<&'static str>,
    pub roles: Option<Names>,
    pub groups: BTreeMap<String, bool>,
    pub removed: Names,
    pub recovery: Option<String>,
    pub given: Names,
    pub ended: Names,
    /// Dates of passwords that were told of, and stand until another is chosen.
    told: Names,
    /// Parts of which the newest event was heard.
    settled: BTreeSet<&'static str>,
}

impl Said {
    /// Whether a password that differs was told of. All else was taken back when it was, and is news when it comes again.
    pub(super) fn knows(&self, what: &str, which: &str) -> bool {
        what == "password" && self.told.contains(which)
    }

    /// Takes an event; the newest come first.
    fn hear(&mut self, kind: &str, event: &Value) {
        let data = &event["data"];
        let text = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
        let list = |field: &str| data[field].as_array().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect();
        match kind {
            "account.differs" if text("what") == "password" && !self.settled.contains("password") => {
                self.told.insert(text("which"));
            }
            "password.changed" | "password.reset" | "setup_link.used" if self.settled.insert("password") => {
                self.password = event["time"].as_str().map(str::to_owned);
            }
            "account.deleted" if self.settled.insert("state") => self.state = Some("deleted"),
            "account.disabled" if self.settled.insert("state") => self.state = Some("disabled"),
            "account.enabled" if self.settled.insert("state") => self.state = Some("enabled"),
            "account.roles_changed" if self.settled.insert("roles") => self.roles = Some(list("new")),
            "account.created" if self.settled.insert("roles") => self.roles = Some(list("roles")),
            "account.signed_up" if self.settled.insert("roles") => self.roles = Some(Names::new()),
            "authenticator.removed" => {
                self.removed.insert(text("authenticator"));
            }
            "outside.disconnected" => {
                self.removed.insert(text("identity"));
            }
            "authenticator.added" if text("kind") == AuthenticatorKind::Recovery.as_str() && self.recovery.is_none() => {
                self.recovery = Some(text("authenticator"))
            }
            "grant.ended" => {
                self.ended.insert(text("grant"));
            }
            "grant.given" => {
                self.given.insert(text("grant"));
            }
            "group.member_changed" => {
                let name = event["resource"]["id"].as_str().unwrap_or_default().to_owned();
                self.groups.entry(name).or_insert(data["joined"] == true);
            }
            _ => {}
        }
    }
}
