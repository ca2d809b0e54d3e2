//! Whether the rows that let people in say what the ledger says.
//!
//! Rows can be written by whoever has the database: an older password put back, a removed key that is there again, a
//! role that nobody gave. The ledger cannot, without `verify` seeing it. So once an hour, and when somebody asks, the
//! events of every account are read, newest first, and its rows are held against them:
//!
//! | rows | have to be as the newest of |
//! |---|---|
//! | the password's date, which is sealed with its hash | `password.changed`, `password.reset`, `setup_link.used` |
//! | active, disabled, gone | `account.disabled`, `account.enabled`, `account.deleted` |
//! | ways to sign in | none is there that `authenticator.removed` names; one list of recovery codes, the newest |
//! | roles | `account.created`, `account.roles_changed` |
//! | groups | `group.member_changed` |
//! | grants | none is there that `grant.ended` names |
//!
//! An account that differs is recorded, its sessions end, and its next sign-in has to prove more than the password.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tutela_api as api;
use tutela_core::AccountId;
use tutela_identity::{Account, AccountState, AuthenticatorKind, SessionEndReason, event::AccountDiffers};

use crate::{
    App, Ctx, Error,
    usecase::{
        search,
        session::{self, Ending},
    },
};

/// What is read: everything that changes such a row, and what was found before.
const TYPES: &str = "type:account.created,account.deleted,account.differs,account.disabled,account.enabled,account.roles_changed,account.signed_up,\
     authenticator.added,authenticator.removed,grant.ended,group.member_changed,password.changed,password.reset,setup_link.used";
/// What the person reads at the next sign-in.
const DIFFERS: &str = "its records were changed behind this server's back";
/// Accounts read at a time.
const PAGE: u32 = 100;

/// Compares all accounts with the ledger, and deals with those that differ.
pub async fn verify(app: &App, ctx: &Ctx) -> Result<api::AccountsVerified, Error> {
    app.permit(ctx, "accounts:write").await?;
    run(app, ctx).await
}

/// As [`verify`], by the server itself.
pub(crate) async fn run(app: &App, ctx: &Ctx) -> Result<api::AccountsVerified, Error> {
    let told = read(app).await?;
    let (mut before, mut answer) = (None, api::AccountsVerified::default());
    loop {
        let page = app.store.account_list(before, PAGE).await?;
        for account in &page {
            answer.accounts += 1;
            let said = told.get(&account.id.to_string());
            for what in differences(app, ctx, account, said).await? {
                answer.differences.push(api::AccountDifference { account_id: account.id.to_string(), what: what.to_owned() });
                if !said.is_some_and(|said| said.known.contains(what)) {
                    deal_with(app, ctx, account, what).await?;
                }
            }
        }
        before = page.last().map(|account| account.id);
        if (page.len() as u32) < PAGE {
            return Ok(answer);
        }
    }
}

/// What the ledger says of one account.
#[derive(Default)]
struct Said {
    /// When the password was last chosen.
    password: Option<String>,
    state: Option<&'static str>,
    roles: Option<BTreeSet<String>>,
    groups: BTreeMap<String, bool>,
    removed: BTreeSet<String>,
    recovery: Option<String>,
    ended: BTreeSet<String>,
    /// Differences that were recorded since the last event that could have made them good.
    known: BTreeSet<String>,
    /// Parts of which the newest event was seen.
    settled: BTreeSet<&'static str>,
}

impl Said {
    /// Takes an event; the newest come first.
    fn hear(&mut self, kind: &str, event: &Value) {
        let data = &event["data"];
        let text = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
        let list = |field: &str| data[field].as_array().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect();
        match kind {
            "account.differs" => {
                let what = text("what");
                if !self.settled.contains(what.as_str()) {
                    self.known.insert(what);
                }
            }
            "password.changed" | "password.reset" | "setup_link.used" if self.settled.insert("password") => {
                self.password = event["time"].as_str().map(str::to_owned)
            }
            "account.deleted" if self.settled.insert("state") => self.state = Some("deleted"),
            "account.disabled" if self.settled.insert("state") => self.state = Some("disabled"),
            "account.enabled" if self.settled.insert("state") => self.state = Some("enabled"),
            "account.roles_changed" if self.settled.insert("roles") => self.roles = Some(list("new")),
            "account.created" if self.settled.insert("roles") => self.roles = Some(list("roles")),
            "account.signed_up" if self.settled.insert("roles") => self.roles = Some(BTreeSet::new()),
            "authenticator.removed" => {
                self.settled.insert("authenticators");
                self.removed.insert(text("authenticator"));
            }
            "authenticator.added" if text("kind") == AuthenticatorKind::Recovery.as_str() && self.recovery.is_none() => {
                self.recovery = Some(text("authenticator"))
            }
            "grant.ended" => {
                self.settled.insert("grants");
                self.ended.insert(text("grant"));
            }
            "group.member_changed" => {
                self.settled.insert("groups");
                let name = event["resource"]["id"].as_str().unwrap_or_default().to_owned();
                self.groups.entry(name).or_insert(data["joined"] == true);
            }
            _ => {}
        }
    }
}

/// Everything the ledger says, by account.
async fn read(app: &App) -> Result<BTreeMap<String, Said>, Error> {
    let query = search::query(TYPES)?;
    let (mut said, mut before): (BTreeMap<String, Said>, _) = (BTreeMap::new(), None);
    loop {
        let found = search::page(app, &query, before, search::MAX_PAGE).await?;
        for stored in &found.items {
            let event = &stored.event;
            let kind = event["type"].as_str().unwrap_or_default();
            let about = if kind == "group.member_changed" { &event["data"]["account"] } else { &event["resource"]["id"] };
            if let Some(account) = about.as_str() {
                said.entry(account.to_owned()).or_default().hear(kind, event);
            }
        }
        before = found.next;
        if before.is_none() {
            return Ok(said);
        }
    }
}

/// Parts of an account whose rows the ledger contradicts. What the ledger says nothing of, because it has expired, is
/// not judged.
async fn differences(app: &App, ctx: &Ctx, account: &Account, said: Option<&Said>) -> Result<Vec<&'static str>, Error> {
    let Some(said) = said else { return Ok(Vec::new()) };
    let id = account.id;
    let password = app.store.account_get_password(id).await?.unwrap_or_default();
    let ways = app.store.authenticator_list(id).await?;
    let recovery = |kind: AuthenticatorKind| kind == AuthenticatorKind::Recovery;
    let restored = ways.iter().any(|way| said.removed.contains(&way.id.to_string()))
        || said.recovery.as_ref().is_some_and(|newest| ways.iter().any(|way| recovery(way.kind) && way.id.to_string() != *newest));
    let state = match said.state {
        Some("deleted") => true,
        Some("disabled") => account.state != AccountState::Disabled,
        Some(_) => account.state == AccountState::Disabled,
        None => false,
    };
    let roles: BTreeSet<String> = app.store.account_role_list(id).await?.into_iter().collect();
    let groups = app.store.group_list_by_account(id).await?;
    let grants = app.store.grant_list_by_account(id, ctx.now).await?;
    let found = [
        ("authenticators", restored),
        ("grants", grants.iter().any(|grant| said.ended.contains(&grant.id.to_string()))),
        ("groups", groups.iter().any(|group| said.groups.get(group) == Some(&false))),
        ("password", said.password.is_some() && password.changed_at.map(|at| at.to_string()) != said.password),
        ("roles", said.roles.as_ref().is_some_and(|given| !roles.is_subset(given))),
        ("state", state),
    ];
    Ok(found.into_iter().filter_map(|(what, differs)| differs.then_some(what)).collect())
}

async fn deal_with(app: &App, ctx: &Ctx, account: &Account, what: &'static str) -> Result<(), Error> {
    let id: AccountId = account.id;
    tracing::error!(account = %id, what, "the records of an account are not what the ledger says; somebody wrote to the database");
    let (sessions, ending) = session::ending(app, ctx, id, Ending::AllBut(None), SessionEndReason::Differs).await?;
    app.commit(ctx, AccountDiffers::new(id, what, sessions), |c| {
        ending(c).account_must_change_password(id, DIFFERS).device_forget_all(id).sign_in_end_by_account(id)
    })
    .await?;
    app.forget(id.0);
    Ok(())
}
