//! Grants: a permission given or denied to one account or group, with an approver, a reason and an end.

use tutela_api as api;
use tutela_core::{AccountId, GrantId, Principal, Timestamp};
use tutela_identity::{
    access::{Effect, Grant, Grantee},
    event::{GrantEnded, GrantGiven},
};

use crate::{
    App, Ctx, Error,
    usecase::{
        account::reason,
        role::{self, EVERYTHING},
        sign_in,
    },
};

/// Gives or denies a permission. Nobody gives what they do not hold themselves.
pub async fn give(app: &App, ctx: &Ctx, new: api::NewGrant) -> Result<api::Grant, Error> {
    sign_in::permit_fresh(app, ctx, "grants:write").await?;
    let to = grantee(app, ctx, &new).await?;
    let effect = Effect::parse(&new.effect).ok_or_else(|| Error::invalid("effect", "`allow` or `deny`"))?;
    let expires_at = new.expires_at.as_deref().map(time).transpose()?;
    let grant = Grant {
        id: GrantId::new(ctx.now, &mut { app.env() }),
        to,
        effect,
        permission: new.permission,
        resource: new.resource.unwrap_or_else(|| "*".to_owned()),
        reason: reason(&new.reason)?,
        approver: approver(app, ctx).await?,
        created_at: ctx.now,
        expires_at,
    };
    grant.check(ctx.now)?;
    must_hold(ctx, &grant)?;
    may_deny(app, ctx, &grant).await?;
    let (account, group) = parties(&grant.to);
    let until = grant.expires_at.map(|t| t.to_string());
    let given = GrantGiven::new(grant.id, account, group, grant.effect.as_str(), &grant.permission, &grant.resource, until, &grant.reason);
    app.commit(ctx, given, |c| announced(c.grant_insert(&grant), &grant.to)).await?;
    forget(app, &grant.to);
    Ok(shown(&grant))
}

/// Live grants, newest first.
pub async fn list(app: &App, ctx: &Ctx, before: Option<GrantId>, limit: u32) -> Result<Vec<api::Grant>, Error> {
    app.permit(ctx, "grants:read").await?;
    Ok(app.store.grant_list(before, limit.clamp(1, 100), ctx.now).await?.iter().map(shown).collect())
}

/// Live grants to one account alone, newest first.
pub async fn list_for(app: &App, ctx: &Ctx, account: AccountId) -> Result<Vec<api::Grant>, Error> {
    app.permit(ctx, "grants:read").await?;
    let to_it = |grant: &&Grant| grant.to == Grantee::Account(account);
    Ok(app.store.grant_list_by_account(account, ctx.now).await?.iter().filter(to_it).map(shown).collect())
}

/// Takes a grant back, with a reason.
pub async fn end(app: &App, ctx: &Ctx, id: GrantId, why: &str) -> Result<(), Error> {
    sign_in::permit_fresh(app, ctx, "grants:write").await?;
    let why = reason(why)?;
    let grant = app.store.grant_get(id).await?.ok_or(Error::NotFound("grant"))?;
    // Lifting a denial gives as much as a grant does.
    must_hold(ctx, &grant)?;
    let (account, _) = parties(&grant.to);
    app.commit(ctx, GrantEnded::new(id, account, &grant.permission, &why), |c| announced(c.grant_end(id, ctx.now), &grant.to)).await?;
    forget(app, &grant.to);
    Ok(())
}

async fn grantee(app: &App, ctx: &Ctx, new: &api::NewGrant) -> Result<Grantee, Error> {
    match (&new.account_id, &new.group) {
        (Some(id), None) => {
            let id: AccountId = id.parse().map_err(|_| Error::invalid("account_id", "this is not an account id"))?;
            app.store.account_get(id).await?.ok_or(Error::NotFound("account"))?;
            Ok(Grantee::Account(id))
        }
        (None, Some(name)) if app.access(ctx.now).await?.0.has_group(name) => Ok(Grantee::Group(name.clone())),
        (None, Some(name)) => Err(Error::invalid("group", format!("there is no group `{name}`; make it first"))),
        _ => Err(Error::invalid("account_id", "name either `account_id` or `group`")),
    }
}

fn must_hold(ctx: &Ctx, grant: &Grant) -> Result<(), Error> {
    if ctx.principal.allows(&grant.permission) {
        return Ok(());
    }
    Err(Error::Conflict(format!("you cannot give or take `{}`: you do not hold it yourself", grant.permission)))
}

/// Denying is a power over whoever is denied: over somebody who may do more than the caller, or over a group that
/// anybody may be in, only those who may do everything have it.
async fn may_deny(app: &App, ctx: &Ctx, grant: &Grant) -> Result<(), Error> {
    match &grant.to {
        _ if grant.effect == Effect::Allow || ctx.principal.allows(EVERYTHING) => Ok(()),
        Grantee::Account(account) => role::must_be_over(app, ctx, *account).await,
        Grantee::Group(_) => Err(Error::Conflict("denying something to a group takes the permission `*`; deny it to accounts one by one".into())),
    }
}

/// Who approves, in words that outlive the account.
pub(crate) async fn approver(app: &App, ctx: &Ctx) -> Result<String, Error> {
    Ok(match ctx.principal.account() {
        Some(id) => app.store.account_get(id).await?.map_or_else(|| id.to_string(), |account| account.name),
        None => match &ctx.principal {
            Principal::Client { id, .. } => match app.store.client_get(*id).await? {
                Some(client) => format!("client {}", client.client.name),
                None => format!("client {id}"),
            },
            _ => "operator".to_owned(),
        },
    })
}

fn parties(to: &Grantee) -> (Option<AccountId>, Option<&str>) {
    match to {
        Grantee::Account(id) => (Some(*id), None),
        Grantee::Group(name) => (None, Some(name)),
    }
}

fn announced(changeset: tutela_store::Changeset, to: &Grantee) -> tutela_store::Changeset {
    match to {
        Grantee::Account(id) => changeset.announce("account", id),
        Grantee::Group(name) => changeset.announce("group", name),
    }
}

fn forget(app: &App, to: &Grantee) {
    match to {
        Grantee::Account(id) => app.forget(id.0),
        Grantee::Group(_) => app.forget_all(),
    }
}

fn time(text: &str) -> Result<Timestamp, Error> {
    text.parse().map_err(|_| Error::invalid("expires_at", format!("`{text}` is not an RFC 3339 time such as 2027-01-31T00:00:00Z")))
}

fn shown(grant: &Grant) -> api::Grant {
    let (account, group) = parties(&grant.to);
    api::Grant {
        id: grant.id.to_string(),
        account_id: account.map(|id| id.to_string()),
        group: group.map(str::to_owned),
        effect: grant.effect.as_str().to_owned(),
        permission: grant.permission.clone(),
        resource: grant.resource.clone(),
        reason: grant.reason.clone(),
        approver: grant.approver.clone(),
        created_at: grant.created_at.to_string(),
        expires_at: grant.expires_at.map(|t| t.to_string()),
    }
}
