//! Keys and what is done with them: versions, provider epochs, jobs, backups, data subjects.

use serde::{Deserialize, Serialize};

use crate::SubjectRef;

/// A new named key.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewKey {
    /// 1 to 64 characters of `a-z 0-9 . _ -`; never one that begins with `tky_`.
    pub name: String,
    /// What it may be used for; `encrypt` and `data-key` where absent.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub purposes: Vec<KeyPurpose>,
    /// How messages are sealed where the caller does not say; `aes-256-gcm` where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub algorithm: Option<String>,
    /// How often a new version is made, for example `30 days`, or `never`; `[kms] rotation_schedule` where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rotation_schedule: Option<String>,
    /// Whether keys derived for a context may leave the instance. Cannot be set later.
    #[serde(default)]
    pub export: bool,
}

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum KeyPurpose {
    /// Data keys of applications are wrapped with it.
    DataKey,
    /// Equal values may give equal ciphertexts: the suite `aes-256-gcm-siv` and `deterministic` fields.
    Deterministic,
    /// Messages and records are sealed with it.
    Encrypt,
    /// Blind indexes are made with it.
    Index,
    /// The plain suites, with a random 12-byte nonce, a message budget, and no key commitment.
    Plain,
}

/// A named key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Key {
    /// `tky_` and 32 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it may be used for.
    pub purposes: Vec<KeyPurpose>,
    /// How messages are sealed where the caller does not say.
    pub algorithm: String,
    /// `active`, `destroying` or `destroyed`.
    pub state: String,
    /// The version that seals.
    pub version: u32,
    /// The oldest version that still opens.
    pub min_decryption_version: u32,
    /// How often a new version is made; `never` where none is.
    pub rotation_schedule: String,
    /// When the next version is due.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_rotation_at: Option<String>,
    /// Whether derived keys may leave the instance.
    pub export: bool,
    /// When it was made.
    pub created_at: String,
    /// When it will be destroyed, while that waits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub destroy_at: Option<String>,
    /// All versions, newest first.
    pub versions: Vec<KeyVersion>,
}

/// One version of a key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyVersion {
    /// Its number, from 1.
    pub version: u32,
    /// SP 800-57 part 1 §7: `active` (seals and opens), `deactivated` (opens), `compromised` (opens, and should be re-encrypted), `destroyed`.
    pub state: String,
    /// When it was made.
    pub created_at: String,
    /// The provider epoch whose key wraps it.
    pub epoch: u64,
    /// Messages sealed with it.
    pub messages: u64,
    /// Of these, not yet rewrapped or released.
    pub references: u64,
    /// Messages it may seal with the plain suites: 2^32. Absent for keys without them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub budget: Option<u64>,
    /// Messages sealed with the plain suites.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub budget_used: Option<u64>,
}

/// What to change in a key; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyChange {
    /// The oldest version that shall still open. Refused while older ones have references.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min_decryption_version: Option<u32>,
    /// How often a new version is made, or `never`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rotation_schedule: Option<String>,
    /// Marks a version as compromised; a new version is made at once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub compromised_version: Option<u32>,
    /// Declares messages of old versions as gone (deleted, or rewrapped elsewhere), so that `min_decryption_version` may rise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub release: Option<Release>,
    /// Why; needed with `compromised_version` and `release`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// Messages of a version that are no longer kept anywhere.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Release {
    /// Which version.
    pub version: u32,
    /// How many.
    pub messages: u64,
}

/// Destroys a key after a wait.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DestroyRequest {
    /// Why; it goes to the ledger.
    pub reason: String,
    /// How long it can still be undone; `[kms] destroy_wait` where absent, never less.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub wait: Option<String>,
}

/// Asks for the key of a context.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeriveRequest {
    /// The context, 1 byte to 8 KiB; never one that begins with `tky_`.
    pub context: String,
    /// The version; the newest where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<u32>,
}

/// The key of a context: derived, never stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DerivedKey {
    /// 32 bytes in base64.
    pub key: String,
    /// The key it is derived from.
    pub key_id: String,
    /// And its version.
    pub key_version: u32,
}

/// A provider epoch: one provider key, which wraps the key encryption key of about 30 days.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Epoch {
    /// Its number, from 1.
    pub number: u64,
    /// `local`, `vault` or `azure-keyvault`.
    pub provider: String,
    /// The exact version of the provider's key.
    pub provider_key: String,
    /// `active`, `retiring` (its keys are being moved), `destroyed`.
    pub state: String,
    /// When it began.
    pub created_at: String,
    /// When its provider key was destroyed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub destroyed_at: Option<String>,
    /// Keys still wrapped under it.
    pub references: u64,
}

/// Ends an epoch now instead of at the next rotation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reason {
    /// Why; it goes to the ledger.
    pub reason: String,
}

/// A job over the key ring.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyJob {
    /// Its id.
    pub id: String,
    /// `rewrap`.
    pub kind: String,
    /// The epoch that keys are moved to.
    pub epoch: u64,
    /// `running` or `done`.
    pub state: String,
    /// Keys that were moved.
    pub done: u64,
    /// Keys there were to move when it began.
    pub total: u64,
    /// Keys that could not be moved, each with its reason.
    pub quarantined: Vec<Quarantined>,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub finished_at: Option<String>,
}

/// A key version that a job could not move.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Quarantined {
    /// The key.
    pub key_id: String,
    /// Its version.
    pub version: u32,
    /// Why.
    pub reason: String,
}

/// A backup of the key ring, sealed to the recovery recipients.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyBackup {
    /// Its id.
    pub id: String,
    /// The file in the backup folder.
    pub file: String,
    /// When it was made.
    pub created_at: String,
    /// Keys in it.
    pub keys: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// When it was last restored into a scratch instance and its canary opened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rehearsed_at: Option<String>,
    /// When its file was deleted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deleted_at: Option<String>,
}

/// Says whose key is meant, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubjectAction {
    /// The data subject.
    pub subject: SubjectRef,
    /// Why; it goes to the ledger.
    pub reason: String,
}

/// Asks for the state of a data subject's key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubjectQuestion {
    /// The data subject.
    pub subject: SubjectRef,
}

/// The key of a data subject.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubjectKey {
    /// Its id, `tky_` and 32 hexadecimal digits; says nothing about the person.
    pub key_id: String,
    /// When it was made.
    pub created_at: String,
    /// Why it may not be destroyed, while a legal hold stands.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hold: Option<String>,
    /// Messages that applications sealed for this person; the ledger's own fields are not counted.
    pub messages: u64,
}

/// Proof that a data subject's key was destroyed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErasureCertificate {
    /// The key that was destroyed.
    pub key_id: String,
    /// When the key was destroyed in this instance.
    pub destroyed_at: String,
    /// When nothing in this instance's own storage could open what it had sealed. On PostgreSQL that is the end of the epoch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unreadable_at: Option<String>,
    /// When no backup could open it either: the provider key of its epoch and all key backups that held it are destroyed. Absent while that is to come.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unreadable_in_backups_at: Option<String>,
    /// The epoch whose provider key wrapped it.
    pub epoch: u64,
    /// When that is due at the latest, while it is to come.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due_at: Option<String>,
    /// The certificate as a signed note (C2SP signed-note), verifiable with `GET /v1/ledger/key`.
    pub note: String,
}

/// What a provider said to a check.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderCheck {
    /// Which provider.
    pub provider: String,
    /// Each step and how it went.
    pub steps: Vec<ProviderStep>,
    /// What the operator should change at the provider.
    pub warnings: Vec<String>,
}

/// One step of a provider check.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderStep {
    /// What was tried.
    pub step: String,
    /// `ok`, or what went wrong.
    pub result: String,
}
