//! May somebody do something? And: who is behind an identity token?

use tutela_api as api;
use tutela_core::{AccountId, SessionId};
use tutela_identity::{AccessClaims, AccountState, IdentityClaims};

use crate::{
    App, Ctx, Error,
    usecase::{account::check_external, role, session},
};

/// Decides whether a subject may do something, with the reason. Unknown is no.
pub async fn check(app: &App, ctx: &Ctx, question: api::PermissionQuestion) -> Result<api::PermissionAnswer, Error> {
    app.permit(ctx, "permissions:check").await?;
    if question.permission.is_empty() || question.permission.len() > 129 {
        return Err(Error::invalid("permission", "a permission such as `photos:delete`, or the name of a role"));
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
    let Some(account) = app.store.account_get(id).await? else { return no("nobody is known by this identifier") };
    if account.state != AccountState::Active {
        return no("the account is disabled");
    }
    let held = app.store.account_role_list(id).await?;
    Ok(match role::all(app).await?.decide(&held, &question.permission) {
        Ok(reason) => api::PermissionAnswer { allowed: true, reason },
        Err(reason) => api::PermissionAnswer { allowed: false, reason },
    })
}

/// What an identity token of the gateway means, and whether its session still lives.
pub async fn introspect(app: &App, ctx: &Ctx, token: &str) -> Result<api::TokenAnswer, Error> {
    app.permit(ctx, "tokens:introspect").await?;
    // Of the gateway's identity tokens and of access tokens alike.
    let parties = app
        .signer
        .verify::<IdentityClaims>(token, &app.urls.public, &[], ctx.now)
        .map(|c| (c.sub, c.sid))
        .or_else(|_| app.signer.verify::<AccessClaims>(token, &app.urls.public, &[], ctx.now).map(|c| (c.sub, c.sid)));
    let Ok((sub, sid)) = parties else { return Ok(api::TokenAnswer::inactive()) };
    let (Ok(account), Ok(login)) = (sub.parse::<AccountId>(), sid.parse::<SessionId>()) else { return Ok(api::TokenAnswer::inactive()) };
    let Some(session) = app.store.session_get(login).await?.filter(|s| s.ended_at.is_none() && ctx.now < s.expires_at) else {
        return Ok(api::TokenAnswer::inactive());
    };
    let Some(identity) = session::identity_of(app, account, login, &session.assurance).await? else { return Ok(api::TokenAnswer::inactive()) };
    Ok(api::TokenAnswer {
        active: true,
        sub: Some(sub),
        name: Some(identity.name),
        email: Some(identity.email),
        roles: identity.roles,
        sid: Some(sid),
        acr: Some(identity.strength.acr().to_owned()),
        amr: identity.methods,
        auth_time: Some(identity.auth_time.secs()),
    })
}

/// The keys that check identity tokens, as a JWK set.
pub fn jwks(app: &App) -> serde_json::Value {
    app.signer.jwks()
}
