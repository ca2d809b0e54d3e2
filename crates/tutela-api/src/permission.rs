use serde::{Deserialize, Serialize};

use crate::SubjectRef;

/// Ask whether somebody may do something.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PermissionQuestion {
    /// Who: an account id, or an external identifier.
    pub subject: SubjectRef,
    /// A permission (`photos:delete`) or the name of a role (`admin`).
    pub permission: String,
    /// On what; a grant without a resource covers every resource.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resource: Option<String>,
}

/// The answer, with its reason.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PermissionAnswer {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Which role granted it, or why nothing did.
    pub reason: String,
}

/// A role: a named set of permissions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Role {
    /// Name: 1 to 64 characters of `a-z 0-9 _ -`.
    pub name: String,
    /// Permissions such as `photos:delete`; `photos:*` covers all of `photos`, `*` covers everything.
    pub permissions: Vec<String>,
}

/// A group of accounts; its roles are those of every member.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Group {
    /// Name: 1 to 64 characters of `a-z 0-9 _ -` and spaces between.
    pub name: String,
    /// Names of existing roles.
    pub roles: Vec<String>,
}

/// Give or deny a permission beside roles.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewGrant {
    /// To this account; or name a group.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account_id: Option<String>,
    /// To every member of this group; or name an account.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub group: Option<String>,
    /// `allow` or `deny`; deny wins over everything that allows.
    pub effect: String,
    /// `room:what`, `room:*` or `*`.
    pub permission: String,
    /// `*` (where absent), a name such as `album/7`, or `album/*` for all below one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resource: Option<String>,
    /// Why, for the ledger: 1 to 500 characters.
    pub reason: String,
    /// When it ends by itself (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<String>,
}

/// A permission given or denied beside roles.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Grant {
    /// Grant id (UUIDv7).
    pub id: String,
    /// The account it is for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account_id: Option<String>,
    /// The group it is for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub group: Option<String>,
    /// `allow` or `deny`.
    pub effect: String,
    /// The permission.
    pub permission: String,
    /// On what.
    pub resource: String,
    /// Why.
    pub reason: String,
    /// Who approved it.
    pub approver: String,
    /// When (RFC 3339).
    pub created_at: String,
    /// When it ends by itself (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<String>,
}

/// A grant among what somebody may do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantSummary {
    /// Grant id.
    pub id: String,
    /// `allow` or `deny`.
    pub effect: String,
    /// The permission.
    pub permission: String,
    /// On what.
    pub resource: String,
    /// When it ends by itself (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<String>,
}

/// What somebody may do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PermissionsOf {
    /// Whose.
    pub account_id: String,
    /// Whether the account may be used at all.
    pub active: bool,
    /// Roles, one's own and those of groups.
    pub roles: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// What is allowed on every resource.
    pub permissions: Vec<String>,
    /// Grants, those on some resources too.
    pub grants: Vec<GrantSummary>,
}

/// Somebody who may do something.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PermissionHolder {
    /// Who.
    pub account_id: String,
    /// The name shown to people.
    pub name: String,
    /// Which role or grant gives it.
    pub reason: String,
}
