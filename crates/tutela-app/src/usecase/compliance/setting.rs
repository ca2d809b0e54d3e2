//! What the configuration says, as facts: for the report, and for the start.

use std::collections::BTreeMap;

use tutela_compliance::{Conflict, LockedOut, Settings};

use crate::{AlertsConfig, ComplianceConfig, DetectionConfig, IdentityConfig, LimitsConfig, PrivacyConfig, Rules};

/// The parts of the configuration that frameworks speak of.
pub struct Said<'a> {
    /// `[compliance]`.
    pub compliance: &'a ComplianceConfig,
    /// `[identity]`.
    pub identity: &'a IdentityConfig,
    /// `[limits]`.
    pub limits: &'a LimitsConfig,
    /// `[privacy]`.
    pub privacy: &'a PrivacyConfig,
    /// How long events are kept.
    pub rules: &'a Rules,
    /// Where people come to.
    pub public_url: &'a str,
    /// Whether backups are made by a schedule.
    pub backups: bool,
    /// `[detection]`.
    pub detection: &'a DetectionConfig,
    /// `[alerts]`.
    pub alerts: &'a AlertsConfig,
}

/// Where it contradicts a framework that is switched on.
pub fn conflicts_of(said: &Said<'_>) -> Vec<Conflict> {
    tutela_compliance::conflicts(&settings(said))
}

/// What it says.
pub(super) fn settings(said: &Said<'_>) -> Settings {
    let (identity, policy, login) = (said.identity, said.identity.password_policy(), &said.limits.login);
    let rights = said.privacy.data_subject_rights;
    let off = [("access", rights.access), ("rectification", rights.rectification), ("erasure", rights.erasure), ("portability", rights.portability)];
    let days: BTreeMap<String, u32> = said.rules.classes().iter().map(|class| (class.as_str().to_owned(), said.rules.of(class).days)).collect();
    Settings {
        frameworks: said.compliance.frameworks.clone(),
        ledger_days: days,
        data_days: said.compliance.data_retention.iter().filter(|(class, _)| *class != "logs").map(|(class, days)| (class.clone(), *days)).collect(),
        idle: identity.session.timeout,
        admin_idle: identity.session.admin_timeout,
        lockout: LockedOut { attempts: login.attempts, lasts: login.lockout.duration().as_secs() },
        password_length: u32::try_from(policy.min_length).unwrap_or(u32::MAX),
        letters_and_digits: policy.letters_and_digits,
        weak_hashes: identity.password.allow_weak_for_tests,
        required_factors: u32::from(identity.mfa.required_factors),
        remembers_devices: identity.mfa.remember_device,
        // Addresses that only this machine reaches may do without; the configuration is checked for others.
        encrypted: said.public_url.starts_with("https://") || is_here(said.public_url),
        consent_required: said.privacy.consent_required,
        rights_off: off.into_iter().filter(|(_, on)| !on).map(|(right, _)| right.to_owned()).collect(),
        gpc_since: said.privacy.gpc_since.clone(),
        backups_scheduled: said.backups,
        alerts_told: [&said.alerts.email, &said.alerts.slack, &said.alerts.pagerduty, &said.alerts.webhook].into_iter().any(|list| !list.is_empty()),
        own_rules: said.detection.own_rules,
        weakened: identity.weakened().into_iter().map(str::to_owned).collect(),
    }
}

/// Whether only this machine reaches an address.
pub(super) fn is_here(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).split([':', '/']).next().unwrap_or_default();
    host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1"
}
