//! Who somebody is here whom a provider vouches for.
//!
//! A person is (provider, subject). A mail address never leads to an account that is there already, however verified
//! it is: its holder at the provider may not be its holder here. Such a person proves the account first.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tutela_core::{AccountId, AuthStrength, OutsideId, Timestamp};
use tutela_identity::{
    Account, AuthenticatorKind, Proof,
    event::{AccountCreated, GroupMemberChanged, OutsideConnected},
    federation::Arrival,
};
use tutela_store::{Changeset, OutsideRow, Record};

use super::{answer::Finished, connect, outside_hash};
use crate::{
    App, Ctx, Error, OutsideProvider, text,
    usecase::{
        message,
        sign_in::{Flow, Person, Progress, Visitor, when_text},
    },
};

const PURPOSE: &[u8] = b"outside identity";

/// What is sealed of an identity, bound to whose it is here: a row that was copied to another account does not open.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub account: AccountId,
    pub provider: String,
    pub subject: String,
    /// What its owner knows it by: the mail address there, else the subject.
    pub shown: String,
}

/// Opens a row, if it is what this server wrote for this account.
pub(crate) fn open_row(app: &App, row: &OutsideRow) -> Option<Kept> {
    let kept: Kept = app.open_as(PURPOSE, &row.sealed)?;
    let ours = kept.account == row.account && kept.provider == row.provider && outside_hash(app, &row.provider, "subject", &kept.subject) == row.subject_hash;
    ours.then_some(kept)
}

pub(super) fn row(app: &App, now: Timestamp, account: AccountId, provider: &str, subject: &str, shown: &str, used: bool) -> Result<OutsideRow, Error> {
    let kept = Kept { account, provider: provider.to_owned(), subject: subject.to_owned(), shown: shown.to_owned() };
    Ok(OutsideRow {
        id: OutsideId::new(now, &mut { app.env() }),
        provider: provider.to_owned(),
        subject_hash: outside_hash(app, provider, "subject", subject),
        account,
        sealed: app.seal_as(PURPOSE, &kept)?,
        created_at: now,
        last_used_at: used.then_some(now),
    })
}

fn shown(arrival: &Arrival) -> &str {
    arrival.email.as_ref().map_or(&arrival.subject, |email| email.as_str())
}

async fn known(app: &App, provider: &OutsideProvider, arrival: &Arrival) -> Result<Option<OutsideRow>, Error> {
    let found = app.store.outside_find(&provider.name, outside_hash(app, &provider.name, "subject", &arrival.subject)).await?;
    match found {
        Some(row) if open_row(app, &row).is_none() => {
            tracing::error!(provider = %provider.name, "a stored outside identity was not written by this server; it is not used");
            Err(Error::Unauthenticated(REFUSED))
        }
        found => Ok(found),
    }
}

/// What a person reads who may not sign in this way, whatever the reason.
const REFUSED: &str = "nobody can sign in here with this account";

/// Signs somebody in by what a provider vouches for, as far as it leads.
pub(super) async fn sign_in(
    app: &App,
    ctx: &Ctx,
    visitor: &Visitor,
    provider: &OutsideProvider,
    to: String,
    cookie: [u8; 32],
    arrival: Arrival,
) -> Result<Finished, Error> {
    let row = match known(app, provider, &arrival).await? {
        Some(row) => row,
        None => {
            let taken = match &arrival.email {
                Some(email) => app.store.account_get_by_email(email).await?.is_some(),
                None => false,
            };
            if taken || !can_create(provider, &arrival) {
                return Ok(Finished::Offered(offer(app, ctx, provider, to, cookie, &arrival)?));
            }
            create(app, ctx, provider, &arrival).await?
        }
    };
    keep_groups(app, ctx, provider, &arrival, row.account).await?;
    let person = Person::load(app, row.account, visitor.device.as_deref()).await?.ok_or(Error::Unauthenticated(REFUSED))?;
    let mut flow = Flow::first(app, ctx, visitor, person);
    flow.came_from(&provider.name, &arrival)?;
    let (id, now) = (row.id, ctx.now);
    flow.with(move |changeset| changeset.outside_use(id, now));
    Ok(Finished::Progress(Box::new(flow.prove(proof(&arrival)).await?), to))
}

/// Proves anew who somebody is, for a sign-in under way.
pub(super) async fn prove(app: &App, ctx: &Ctx, visitor: &Visitor, provider: &OutsideProvider, token: &str, arrival: &Arrival) -> Result<Progress, Error> {
    let mut flow = Flow::asked(app, ctx, visitor, token, AuthenticatorKind::Outside).await?;
    let row = known(app, provider, arrival).await?.filter(|row| row.account == flow.account().id);
    let row = row.ok_or(Error::Unauthenticated("this is another person's account at the provider"))?;
    let (id, now) = (row.id, ctx.now);
    flow.with(move |changeset| changeset.outside_use(id, now));
    flow.prove(proof(arrival)).await
}

/// Offers the identity to whoever proves an account here in the same browser.
pub(super) fn offer(app: &App, ctx: &Ctx, provider: &OutsideProvider, to: String, cookie: [u8; 32], arrival: &Arrival) -> Result<String, Error> {
    connect::offer(app, ctx, provider, arrival, shown(arrival), to, cookie)
}

fn proof(arrival: &Arrival) -> Proof {
    Proof { user_verified: arrival.strength >= AuthStrength::Aal2, ..Proof::of(AuthenticatorKind::Outside, arrival.auth_time) }
}

fn can_create(provider: &OutsideProvider, arrival: &Arrival) -> bool {
    provider.people.create && arrival.email_verified
}

/// Makes an account for somebody who has none here.
async fn create(app: &App, ctx: &Ctx, provider: &OutsideProvider, arrival: &Arrival) -> Result<OutsideRow, Error> {
    let email = arrival.email.clone().ok_or(Error::Unauthenticated(REFUSED))?;
    let name = arrival.name.clone().unwrap_or_else(|| email.as_str().split('@').next().unwrap_or_default().to_owned());
    let account = Account::new(AccountId::new(ctx.now, &mut { app.env() }), email, &name, ctx.now)?;
    let account = Account { email_verified_at: Some(ctx.now), ..account };
    let row = row(app, ctx.now, account.id, &provider.name, &arrival.subject, shown(arrival), true)?;
    let created = app.record(ctx, AccountCreated { account: account.id, email: account.email.as_str(), roles: &[] }).await?;
    let connected = app.record(ctx, OutsideConnected::new(account.id, row.id, &provider.name, "created", &arrival.subject)).await?;
    let changeset = Changeset::of(created).and(connected).account_insert(&account, None).outside_insert(&row);
    app.store.commit(changeset).await?;
    Ok(row)
}

/// Joins and leaves the groups that the configuration ties to groups there; others are left alone.
async fn keep_groups(app: &App, ctx: &Ctx, provider: &OutsideProvider, arrival: &Arrival, account: AccountId) -> Result<(), Error> {
    let tied = &provider.people.groups;
    if tied.is_empty() {
        return Ok(());
    }
    let (access, holder) = (app.access(ctx.now).await?, app.holder(account, ctx.now).await?);
    let wanted: BTreeSet<&str> = tied.iter().filter(|(there, _)| arrival.groups.contains(*there)).map(|(_, here)| here.as_str()).collect();
    let mut records: Vec<Record> = Vec::new();
    let mut changes: Vec<(String, bool)> = Vec::new();
    for here in tied.values().map(String::as_str).collect::<BTreeSet<_>>() {
        let (is, should) = (holder.groups.iter().any(|group| group == here), wanted.contains(here));
        if !access.0.has_group(here) {
            tracing::warn!(group = here, provider = %provider.name, "a group that people of a provider are to be in does not exist here");
        } else if is != should {
            records.push(app.record(ctx, GroupMemberChanged::new(here, account, should)).await?);
            changes.push((here.to_owned(), should));
        }
    }
    let Some(changeset) = Changeset::of_all(records) else { return Ok(()) };
    let changeset = changes.iter().fold(changeset, |set, (group, join)| if *join { set.group_join(group, account) } else { set.group_leave(group, account) });
    match app.store.commit(changeset.announce("account", account)).await {
        // The same person signs in twice at once.
        Ok(()) | Err(tutela_store::Error::Conflict(_)) => {}
        Err(e) => return Err(e.into()),
    }
    app.forget(account.0);
    Ok(())
}

/// Tells the owner of an account that it was connected.
pub(super) async fn tell(app: &App, ctx: &Ctx, account: AccountId, label: &str) -> Result<impl FnOnce(Changeset) -> Changeset + Send + Sync + use<>, Error> {
    let owner = app.store.account_get(account).await?.ok_or(Error::NotFound("account"))?;
    message::mail(app, ctx, owner.email.as_str(), &text::Mail::OutsideConnected { label, when: &when_text(ctx.now) }, None)
}
