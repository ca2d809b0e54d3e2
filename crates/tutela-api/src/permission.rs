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
