//! May somebody do something? And: who is behind an identity token?

use tutela_api as api;
use tutela_core::{AccountId, SessionId};
use tutela_identity::AccountState;

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
    let inactive = api::TokenAnswer { active: false, sub: None, name: None, email: None, roles: Vec::new(), sid: None };
    let Ok(claims) = app.signer.verify(token, &app.urls.public, ctx.now) else { return Ok(inactive) };
    let (Ok(account), Ok(login)) = (claims.sub.parse::<AccountId>(), claims.sid.parse::<SessionId>()) else { return Ok(inactive) };
    let live = app.store.session_get(login).await?.is_some_and(|s| s.ended_at.is_none() && ctx.now < s.expires_at);
    let Some(identity) = session::identity_of(app, account, login).await?.filter(|_| live) else { return Ok(inactive) };
    Ok(api::TokenAnswer {
        active: true,
        sub: Some(claims.sub),
        name: Some(identity.name),
        email: Some(identity.email),
        roles: identity.roles,
        sid: Some(claims.sid),
    })
}

/// The keys that check identity tokens, as a JWK set.
pub fn jwks(app: &App) -> serde_json::Value {
    app.signer.jwks()
}
