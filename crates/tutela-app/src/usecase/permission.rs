//! May somebody do something? And: who is behind an identity token?

use tutela_api as api;
use tutela_core::{AccountId, SessionId, Timestamp};
use tutela_identity::{
    AccessClaims, IdentityClaims,
    access::{Grant, LONGEST_RESOURCE},
};

use crate::{App, Ctx, Error, Live, usecase::account::check_external};

/// Most questions of a batch.
pub const MOST: usize = 10_000;
/// Most holders that one page looks through.
const HOLDERS: u32 = 200;

/// Decides whether subjects may do something, each with the reason. Unknown is no, and what is wrong with one
/// question does not hold up the others.
pub async fn check_batch(app: &App, ctx: &Ctx, questions: Vec<api::PermissionQuestion>) -> Result<Vec<Result<api::PermissionAnswer, Error>>, Error> {
    app.permit(ctx, "permissions:check").await?;
    if questions.len() > MOST {
        return Err(Error::invalid("", format!("a batch has at most {MOST} questions")));
    }
    let mut answers = Vec::with_capacity(questions.len());
    for question in &questions {
        answers.push(decide(app, ctx, question).await);
    }
    Ok(answers)
}

async fn decide(app: &App, ctx: &Ctx, question: &api::PermissionQuestion) -> Result<api::PermissionAnswer, Error> {
    check_permission(&question.permission)?;
    if question.resource.as_ref().is_some_and(|name| name.is_empty() || name.len() > LONGEST_RESOURCE) {
        return Err(Error::invalid("resource", format!("a resource has 1 to {LONGEST_RESOURCE} bytes")));
    }
    let no = |reason: &str| Ok(api::PermissionAnswer { allowed: false, reason: reason.to_owned() });
    let id = match &question.subject {
        api::SubjectRef::Account(id) => id.parse::<AccountId>().ok(),
        api::SubjectRef::External(external) => {
            check_external(external)?;
            app.store.external_id_get(&external.namespace, &external.value).await?
        }
    };
    let Some(id) = id else { return no("nobody is known by this identifier") };
    let decision = app.decide(id, &question.permission, question.resource.as_deref(), ctx.now).await?;
    if !decision.allowed && app.store.account_get(id).await?.is_none() {
        return no("nobody is known by this identifier");
    }
    Ok(api::PermissionAnswer { allowed: decision.allowed, reason: decision.reason })
}

fn check_permission(permission: &str) -> Result<(), Error> {
    if permission.is_empty() || permission.len() > 129 {
        return Err(Error::invalid("permission", "a permission such as `photos:delete`, or the name of a role"));
    }
    Ok(())
}

/// What somebody can do: roles, permissions everywhere, and grants on some resources.
pub async fn of(app: &App, ctx: &Ctx, id: AccountId) -> Result<api::PermissionsOf, Error> {
    app.permit(ctx, "permissions:check").await?;
    app.store.account_get(id).await?.ok_or(Error::NotFound("account"))?;
    let (access, holder) = (app.access(ctx.now).await?, app.holder(id, ctx.now).await?);
    let named = |grant: &Grant| api::GrantSummary {
        id: grant.id.to_string(),
        effect: grant.effect.as_str().to_owned(),
        permission: grant.permission.clone(),
        resource: grant.resource.clone(),
        expires_at: grant.expires_at.map(|t| t.to_string()),
    };
    Ok(api::PermissionsOf {
        account_id: id.to_string(),
        active: holder.active,
        roles: access.0.roles_of(&holder),
        groups: holder.groups.clone(),
        permissions: access.0.grants_of(&holder, ctx.now).iter().map(str::to_owned).collect(),
        grants: holder.grants.iter().map(named).collect(),
    })
}

/// Who can do something, a page of accounts at a time, each with the reason. A page may be empty and have a next one.
pub async fn holders(
    app: &App,
    ctx: &Ctx,
    permission: &str,
    resource: Option<&str>,
    before: Option<AccountId>,
) -> Result<(Vec<api::PermissionHolder>, Option<AccountId>), Error> {
    app.permit(ctx, "accounts:read").await?;
    check_permission(permission)?;
    let accounts = app.store.account_list(before, HOLDERS).await?;
    let next = if accounts.len() as u32 == HOLDERS { accounts.last().map(|account| account.id) } else { None };
    let mut holders = Vec::new();
    for account in accounts {
        let decision = app.decide(account.id, permission, resource, ctx.now).await?;
        if decision.allowed {
            holders.push(api::PermissionHolder { account_id: account.id.to_string(), name: account.name, reason: decision.reason });
        }
    }
    Ok((holders, next))
}

/// What an identity token of the gateway means, and whether its session still lives.
pub async fn introspect(app: &App, ctx: &Ctx, token: &str) -> Result<api::TokenAnswer, Error> {
    app.permit(ctx, "tokens:introspect").await?;
    // Of the gateway's identity tokens and of access tokens alike.
    let signer = app.signer();
    let parties = signer
        .verify::<IdentityClaims>(token, &app.urls.public, &[], ctx.now)
        .map(|c| (c.sub, c.sid))
        .or_else(|_| signer.verify::<AccessClaims>(token, &app.urls.public, &[], ctx.now).map(|c| (c.sub, c.sid.unwrap_or_default())));
    let Ok((sub, sid)) = parties else { return Ok(api::TokenAnswer::inactive()) };
    let Ok(login) = sid.parse::<SessionId>() else { return Ok(api::TokenAnswer::inactive()) };
    let Some(Live { identity, .. }) = app.live_login(login, ctx.now).await? else { return Ok(api::TokenAnswer::inactive()) };
    Ok(api::TokenAnswer {
        active: true,
        sub: Some(sub),
        name: Some(identity.name.clone()),
        email: Some(identity.email.clone()),
        roles: identity.roles.clone(),
        sid: Some(sid),
        acr: Some(identity.strength.acr().to_owned()),
        amr: identity.methods.clone(),
        auth_time: Some(identity.auth_time.secs()),
    })
}

/// The keys that check identity tokens, as a JWK set.
pub fn jwks(app: &App, now: Timestamp) -> serde_json::Value {
    app.signer().jwks(now)
}
