//! Use cases: what can be done, by whom, and that it is recorded.
//!
//! A use case takes the [`App`] and a [`Ctx`] (who asks, when, from where), asks for a permit,
//! lets an engine decide, and hands the store one changeset with its event. Nothing here knows
//! HTTP. The seams of `tutela-core` are implemented in `request_policy.rs`, `sink.rs` and `guard.rs`.

mod access;
mod app;
mod audit;
mod breaches;
mod config;
mod ctx;
mod error;
mod export;
mod guard;
mod hasher;
mod html;
mod jobs;
mod lanes;
mod monitor;
mod network;
mod occurrence;
mod outside;
pub mod port;
pub mod projection;
mod record;
mod registry;
mod request_policy;
mod ring;
mod sink;
mod text;
mod usecase;
mod uses;

pub use app::{App, Parts, Urls};
pub use audit::builtin_event_types;
pub use audit::{AuditConfig, ClassRule, ClusterConfig, Declared, FieldRule, Keep, Origin, RetentionConfig, Rules, Storage, TypesAllowed};
pub use config::{
    AlertsConfig, ComplianceConfig, DetectionConfig, IdentityConfig, LimitsConfig, MfaConfig, MfaProvider, PasswordConfig, PrivacyConfig, Protocol, RuleSource,
    SignUp, StoreConfig, StoreType, TokensConfig,
};
pub use ctx::Ctx;
pub use error::Error;
pub use guard::Guard;
pub use monitor::settings::DetectionParts;
pub use outside::{OutsideProvider, SamlProvider, Way};
pub use registry::{PERMISSIONS, Permission, event_types};
pub use request_policy::{Bearer, Live, Sessions};
pub use ring::{AlgorithmConfig, BackupSettings, KeyError, KmsSettings, algorithms_check, parse_period, period_text};
pub use sink::RequestSink;
pub use tutela_ledger::{Query, TilePath};
pub use tutela_store::{LogRow, Position, SessionView};
pub use usecase::export::{Export, ExportFormat, exported_example};
pub use usecase::{
    account, account_check, alert, authenticator, backup, block, client, compliance, crypto, crypto_record, device, epoch, erasure_journal, event, event_type,
    exclusion, export as event_export, federation, gateway, grant, group, handover, health, hold, idempotency, identity_settings, incident, instance_restore,
    key, key_backup, ledger, oauth, password, permission, policy, privacy, profile, provider, restore, retention, rewrap, role, rule, search, session, setup,
    sign_in, sign_up, signing_key, stream, subject, token, unlock,
};
