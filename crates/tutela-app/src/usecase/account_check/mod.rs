//! Whether the rows that let people in say what the ledger says.
//!
//! Rows can be written by whoever has the database: an older password put back, a removed key that is there again, a
//! role that nobody gave. The ledger cannot, without `verify` seeing it. So once an hour, and when somebody asks, every
//! account's rows are held against its newest events ([`Said`]). What they contradict is taken back where the ledger
//! says what is right, the account's sessions end, and its next sign-in has to prove more than the password.
//!
//! Rows and events are read one after the other, and people change things meanwhile. So a difference is a suspicion
//! first, and acted on only if it stands in a second look between two readings of the ledger that are the same.

mod said;

use tutela_api as api;
use tutela_core::{AccountId, AuthenticatorId, GrantId, OutsideId};
use tutela_identity::{AccountState, AuthenticatorKind, SessionEndReason, access::Grantee, event::AccountDiffers};
use tutela_store::{AccountStanding, Changeset};

use self::said::{Ledger, Said};
use crate::{
    App, Ctx, Error,
    usecase::{
        session::{self, Ending},
        sign_in,
    },
};

/// What the person reads at the next sign-in.
const DIFFERS: &str = "its records were changed behind this server's back";
/// Accounts read at a time.
const PAGE: u32 = 100;

/// Compares all accounts with the ledger, and deals with those that differ.
pub async fn verify(app: &App, ctx: &Ctx) -> Result<api::AccountsVerified, Error> {
    sign_in::permit_fresh(app, ctx, "accounts:write").await?;
    let _only = app.comparing.try_lock().map_err(|_| Error::Conflict("a comparison is under way; ask again when it is done".into()))?;
    run(app, ctx).await
}

/// As [`verify`], by the server itself; the caller holds `comparing`.
pub(crate) async fn run(app: &App, ctx: &Ctx) -> Result<api::AccountsVerified, Error> {
    let (accounts, suspects) = suspects(app, ctx).await?;
    let mut answer = api::AccountsVerified { accounts, differences: Vec::new() };
    if suspects.is_empty() {
        return Ok(answer);
    }
    app.store.settle().await?;
    let before = Ledger::read(app).await?;
    let mut looks = Vec::new();
    for id in suspects {
        looks.push((id, look(app, ctx, id, &before).await?));
    }
    app.store.settle().await?;
    let after = Ledger::read(app).await?;
    for (id, look) in looks {
        let Some(contradicted) = look.filter(|found| !found.is_empty() && before.of(id) == after.of(id)) else { continue };
        let parts = contradicted.parts();
        answer.differences.extend(parts.iter().map(|(what, _)| api::AccountDifference { account_id: id.to_string(), what: (*what).to_owned() }));
        let new: Vec<_> = parts.into_iter().filter(|(what, which)| !after.of(id).is_some_and(|said| said.knows(what, which))).collect();
        match deal_with(app, ctx, id, &contradicted, new).await {
            // Somebody changed it at this very moment; the next comparison sees what became of it.
            Err(Error::Store(tutela_store::Error::Conflict(_))) => {}
            done => done?,
        }
    }
    Ok(answer)
}

/// How many accounts there are, and those that differ at first sight.
async fn suspects(app: &App, ctx: &Ctx) -> Result<(u64, Vec<AccountId>), Error> {
    app.store.settle().await?;
    let ledger = Ledger::read(app).await?;
    let (mut before, mut number, mut suspects) = (None, 0, Vec::new());
    loop {
        let page = app.store.account_list(before, PAGE).await?;
        for account in &page {
            number += 1;
            // One row that cannot be read must not keep the others from being looked at.
            match look(app, ctx, account.id, &ledger).await {
                Ok(found) if found.as_ref().is_none_or(Contradicted::is_empty) => {}
                Ok(_) => suspects.push(account.id),
                Err(e) => tracing::error!(account = %account.id, error = %e, "the records of an account cannot be compared with the ledger"),
            }
        }
        before = page.last().map(|account| account.id);
        if (page.len() as u32) < PAGE {
            return Ok((number, suspects));
        }
    }
}

/// What of an account the ledger contradicts.
#[derive(Default)]
struct Contradicted {
    authenticators: Vec<AuthenticatorId>,
    grants: Vec<GrantId>,
    groups: Vec<String>,
    outsides: Vec<OutsideId>,
    password: Option<String>,
    /// Roles that it holds and was not given, and those that it was.
    roles: (Vec<String>, Vec<String>),
    state: Option<AccountState>,
}

impl Contradicted {
    fn is_empty(&self) -> bool {
        self.parts().is_empty()
    }

    /// By what, and which.
    fn parts(&self) -> Vec<(&'static str, String)> {
        let ids = |all: Vec<String>| all.join(",");
        let all = [
            ("authenticators", ids(self.authenticators.iter().map(ToString::to_string).collect())),
            ("grants", ids(self.grants.iter().map(ToString::to_string).collect())),
            ("groups", self.groups.join(",")),
            ("outsides", ids(self.outsides.iter().map(ToString::to_string).collect())),
            ("password", self.password.clone().unwrap_or_default()),
            ("roles", self.roles.0.join(",")),
            ("state", self.state.map(|state| state.as_str().to_owned()).unwrap_or_default()),
        ];
        all.into_iter().filter(|(_, which)| !which.is_empty()).collect()
    }
}

async fn look(app: &App, ctx: &Ctx, id: AccountId, ledger: &Ledger) -> Result<Option<Contradicted>, Error> {
    let (Some(said), Some(standing)) = (ledger.of(id), app.store.account_get_standing(id, ctx.now).await?) else { return Ok(None) };
    Ok(Some(compare(said, &standing, ledger.is_whole())))
}

/// Holds rows against events. Where the ledger is not whole any more, what it says nothing of is not judged.
fn compare(said: &Said, standing: &AccountStanding, whole: bool) -> Contradicted {
    let ways = &standing.ways;
    let recovery = |kind: AuthenticatorKind| kind == AuthenticatorKind::Recovery;
    let restored =
        |id: &str, kind: AuthenticatorKind| said.removed.contains(id) || (recovery(kind) && said.recovery.as_deref().is_some_and(|newest| newest != id));
    let given = |role: &String| said.roles.as_ref().is_none_or(|given| given.contains(role));
    let (kept, extra): (Vec<String>, Vec<String>) = standing.roles.iter().cloned().partition(given);
    let stray = |id: &str| said.ended.contains(id) || (whole && !said.given.contains(id));
    let own = standing.grants.iter().filter(|grant| matches!(grant.to, Grantee::Account(_)));
    let since = ways.password.changed_at.map(|at| at.to_string());
    Contradicted {
        authenticators: ways.authenticators.iter().filter(|way| restored(&way.id.to_string(), way.kind)).map(|way| way.id).collect(),
        grants: own.filter(|grant| stray(&grant.id.to_string())).map(|grant| grant.id).collect(),
        groups: standing.groups.iter().filter(|name| !said.groups.get(*name).copied().unwrap_or(!whole)).cloned().collect(),
        outsides: ways.outsides.iter().filter(|row| said.removed.contains(&row.id.to_string())).map(|row| row.id).collect(),
        password: said.password.as_ref().filter(|at| since.as_ref() != Some(*at)).map(|_| since.unwrap_or_else(|| "none".into())),
        roles: (extra, kept),
        state: match said.state {
            Some("disabled" | "deleted") if ways.account.state != AccountState::Disabled => Some(AccountState::Disabled),
            _ => None,
        },
    }
}

/// Takes back what is contradicted, in the commit that says so; `new` is what was not said before.
async fn deal_with(app: &App, ctx: &Ctx, id: AccountId, found: &Contradicted, new: Vec<(&'static str, String)>) -> Result<(), Error> {
    if new.is_empty() {
        return Ok(());
    }
    let (sessions, ending) = session::ending(app, ctx, id, Ending::AllBut(None), SessionEndReason::Differs).await?;
    let mut records = Vec::new();
    for (what, which) in &new {
        tracing::error!(account = %id, what, "the records of an account are not what the ledger says; somebody wrote to the database");
        records.push(app.record(ctx, AccountDiffers::new(id, what, which, sessions)).await?);
    }
    let changeset = ending(Changeset::of_all(records).ok_or(Error::Internal("nothing differs"))?);
    let changeset = found.authenticators.iter().fold(changeset, |set, way| set.authenticator_delete(*way, id));
    let changeset = found.outsides.iter().fold(changeset, |set, row| set.outside_delete(*row, id));
    let changeset = found.grants.iter().fold(changeset, |set, grant| set.grant_end(*grant, ctx.now));
    let changeset = found.groups.iter().fold(changeset, |set, name| set.group_leave(name, id));
    let changeset = found.state.iter().fold(changeset, |set, state| set.account_set_state(id, *state));
    let changeset = if found.roles.0.is_empty() { changeset } else { changeset.account_set_roles(id, &found.roles.1) };
    let changeset = changeset.account_must_change_password(id, DIFFERS).device_forget_all(id).sign_in_end_by_account(id);
    app.store.commit(changeset.announce("account", id)).await?;
    app.forget(id.0);
    Ok(())
}
