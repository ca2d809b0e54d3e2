//! Field policies: kept by name, or sent along.

use tutela_api as api;
use tutela_kms::{
    Mode, Policy, Rule,
    event::{FieldPolicyChanged, FieldPolicyDeleted},
};
use tutela_store::FieldPolicyRow;

use crate::{App, Ctx, Error};

const INDEX_BITS: u8 = 32;

/// All policies, by name.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::StoredPolicy>, Error> {
    app.permit(ctx, "policies:read").await?;
    app.store.field_policy_list("", 1_000).await?.into_iter().map(shown).collect()
}

/// One policy.
pub async fn get(app: &App, ctx: &Ctx, name: &str) -> Result<api::StoredPolicy, Error> {
    app.permit(ctx, "policies:read").await?;
    shown(app.store.field_policy_get(name).await?.ok_or(Error::NotFound("field policy"))?)
}

/// Makes or replaces a policy.
pub async fn set(app: &App, ctx: &Ctx, name: &str, mut policy: api::FieldPolicy) -> Result<api::StoredPolicy, Error> {
    app.permit(ctx, "policies:write").await?;
    tutela_kms::NamedKey::check_name(name).map_err(|_| Error::invalid("name", "a policy's name has 1 to 64 characters of `a-z 0-9 . _ -`"))?;
    checked(&policy)?;
    if let Some(key) = &policy.key {
        app.ring.named(key).await.map_err(|_| Error::invalid("key", format!("there is no key `{}`", key.chars().take(64).collect::<String>())))?;
    }
    policy.fields.iter_mut().for_each(|field| field.leaks = None);
    let fields = policy.fields.iter().map(|f| f.path.clone()).collect();
    let json = serde_json::to_value(&policy).map_err(|_| Error::Internal("a policy is not JSON"))?;
    let row = FieldPolicyRow { name: name.to_owned(), policy: json, changed_at: ctx.now };
    app.commit(ctx, FieldPolicyChanged::new(name, fields), |c| c.field_policy_set(&row)).await?;
    shown(row)
}

/// Deletes a policy.
pub async fn delete(app: &App, ctx: &Ctx, name: &str) -> Result<(), Error> {
    app.permit(ctx, "policies:write").await?;
    match app.commit(ctx, FieldPolicyDeleted::new(name), |c| c.field_policy_delete(name)).await {
        Err(Error::Store(tutela_store::Error::Conflict(_))) => Err(Error::NotFound("field policy")),
        done => done,
    }
}

/// The key and the checked rules that a caller means.
pub(super) async fn resolve(app: &App, policy: &api::PolicyRef) -> Result<(Option<String>, Policy), Error> {
    match policy {
        api::PolicyRef::Inline(policy) => Ok((policy.key.clone(), checked(policy)?)),
        api::PolicyRef::Name(name) => {
            let row = app
                .store
                .field_policy_get(name)
                .await?
                .ok_or_else(|| Error::invalid("policy", format!("there is no field policy `{}`", name.chars().take(64).collect::<String>())))?;
            let stored = shown(row)?.policy;
            Ok((stored.key.clone(), checked(&stored)?))
        }
    }
}

fn checked(policy: &api::FieldPolicy) -> Result<Policy, Error> {
    let rule = |field: &api::FieldRule| Rule {
        path: field.path.clone(),
        mode: mode(field.mode),
        optional: field.optional,
        index_bits: field.index_bits.unwrap_or(INDEX_BITS),
    };
    Ok(Policy::new(policy.fields.iter().map(rule).collect())?)
}

fn mode(mode: api::FieldMode) -> Mode {
    match mode {
        api::FieldMode::Deterministic => Mode::Deterministic,
        api::FieldMode::Equality => Mode::Equality,
        api::FieldMode::Random => Mode::Random,
    }
}

fn shown(row: FieldPolicyRow) -> Result<api::StoredPolicy, Error> {
    let mut policy: api::FieldPolicy = serde_json::from_value(row.policy).map_err(|_| Error::Internal("a stored field policy cannot be read"))?;
    policy.fields.iter_mut().for_each(|field| field.leaks = Some(mode(field.mode).leaks().to_owned()));
    Ok(api::StoredPolicy { name: row.name, policy, changed_at: row.changed_at.to_string() })
}
