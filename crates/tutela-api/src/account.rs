use serde::{Deserialize, Serialize};

/// Ask for a new account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewAccount {
    /// Mail address, the name used to sign in.
    pub email: String,
    /// Name shown to people.
    pub name: String,
    /// First password, 15 to 1,024 characters; without it the answer holds a set-up link.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub password: Option<String>,
    /// Roles from the start.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// An account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Account {
    /// Account id (UUIDv7).
    pub id: String,
    /// Mail address.
    pub email: String,
    /// Name shown to people.
    pub name: String,
    /// `active` or `disabled`.
    pub state: String,
    /// Roles the account holds.
    pub roles: Vec<String>,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// Where the person sets a password; only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub setup_link: Option<String>,
}

/// An account with what an administrator has to know of its ways to sign in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountDetail {
    /// The account.
    #[serde(flatten)]
    pub account: Account,
    /// When mail was shown to arrive (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email_verified_at: Option<String>,
    /// The phone, all but its last two digits hidden.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phone: Option<String>,
    /// When a code arrived at it (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phone_verified_at: Option<String>,
    /// When the password was chosen (RFC 3339); absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub password_changed_at: Option<String>,
    /// Why the next sign-in has to choose another password.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub password_must_change: Option<String>,
    /// Groups it is in.
    pub groups: Vec<String>,
    /// What is locked after too many wrong attempts.
    pub locks: Vec<AccountLock>,
}

/// What was found when accounts were held against the ledger.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountsVerified {
    /// Accounts that were compared.
    pub accounts: u64,
    /// Those that differ; each is in the ledger, its sessions have ended, and it has to choose another password.
    pub differences: Vec<AccountDifference>,
}

/// A part of an account that is not what the ledger says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountDifference {
    /// Account id.
    pub account_id: String,
    /// `authenticators`, `grants`, `groups`, `outsides` (connections with outside providers), `password`, `roles` or `state`.
    pub what: String,
}

/// A lock after too many wrong attempts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountLock {
    /// `new devices`, `a known device`, or the kind of code: `email`, `recovery`, `sms`, `totp`.
    pub what: String,
    /// Until when (RFC 3339); absent where only an unlock helps.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<String>,
}

/// The roles an account shall hold from now on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountRoles {
    /// Names of existing roles.
    pub roles: Vec<String>,
}

/// A one-time link.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetupLink {
    /// Open it in a browser; it works once.
    pub url: String,
    /// Until when (RFC 3339).
    pub expires_at: String,
}

/// A reason, for the ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReasonBody {
    /// Why: 1 to 500 characters.
    pub reason: String,
}

/// A way to sign in of an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Authenticator {
    /// Its id (UUIDv7).
    pub id: String,
    /// `passkey`, `recovery` or `totp`.
    pub kind: String,
    /// What its owner calls it.
    pub name: String,
    /// Codes left, where it is a list of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub left: Option<i64>,
    /// When it was set up (RFC 3339).
    pub created_at: String,
    /// When it was last used (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_used_at: Option<String>,
}

/// A device of the caller.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Device {
    /// Its id (UUIDv7).
    pub id: String,
    /// What it says of itself, such as `Firefox on Linux`.
    pub label: String,
    /// The first language it asks for.
    pub language: String,
    /// When it was first signed in with (RFC 3339).
    pub first_seen_at: String,
    /// When last (RFC 3339).
    pub last_seen_at: String,
    /// Until when it spares the second factor (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remembered_until: Option<String>,
}

/// The caller.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// Account id.
    pub id: String,
    /// Mail address.
    pub email: String,
    /// Whether mail was seen to arrive there.
    pub email_verified: bool,
    /// Phone number (E.164).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phone: Option<String>,
    /// Name shown to people.
    pub name: String,
    /// How strongly the caller proved who they are.
    pub acr: String,
}

/// Choose another password.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PasswordChange {
    /// The current one.
    pub old_password: String,
    /// The new one.
    pub password: String,
}

/// A password to be judged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PasswordQuestion {
    /// It is not kept, and leaves this host nowhere.
    pub password: String,
}

/// How good a password is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PasswordStrength {
    /// 0 (worst) to 4.
    pub score: u8,
    /// Why it would be refused, and what would be right.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
}
