//! Settings that contradict a framework that is switched on, each with what to change.

use serde::{Deserialize, Serialize};

use crate::facts::{ONE_YEAR, QUARTER_HOUR, SIX_YEARS, Settings, TWO_YEARS};

/// A setting and a control that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The framework.
    pub framework: String,
    /// The control's number.
    pub number: String,
    /// The setting.
    pub setting: String,
    /// What it is, and what it has to be.
    pub why: String,
    /// What to write.
    pub change: String,
}

/// Every conflict, by framework.
pub fn conflicts(settings: &Settings) -> Vec<Conflict> {
    let mut found = Vec::new();
    let mut say = |framework: &str, number: &str, setting: &str, why: String, change: &str| {
        if settings.is_on(framework) {
            found.push(Conflict { framework: framework.into(), number: number.into(), setting: setting.into(), why, change: change.into() });
        }
    };
    let days = |class: &str| settings.ledger_days.get(class).copied().unwrap_or(0);
    let shortest = settings.ledger_days.iter().min_by_key(|(_, days)| **days).map(|(class, days)| (class.as_str(), *days)).unwrap_or_default();
    if days("compliance") < SIX_YEARS {
        let why =
            format!("records of requests, attestations and breaches are kept {} days, and the rule asks for six years ({SIX_YEARS} days)", days("compliance"));
        say("hipaa", "316(b)(2)(i), 530(j)(2)", "audit.retention", why, "audit.retention.presets = [\"hipaa\"]");
    }
    if days("compliance") < TWO_YEARS {
        let why = format!("records of requests are kept {} days, and the regulation asks for 24 months ({TWO_YEARS} days with a leap day)", days("compliance"));
        say("ccpa", "7101", "audit.retention", why, "compliance.data_retention.logs = 731");
    }
    if shortest.1 < ONE_YEAR {
        let why = format!("events of the class `{}` are kept {} days, and the standard asks for twelve months", shortest.0, shortest.1);
        say("pci-dss", "10.5.1", "audit.retention", why, "audit.retention.presets = [\"pci\"]");
    }
    if settings.idle > QUARTER_HOUR {
        let why = format!("a session ends after {} s without use, and the standard asks for 900 s at most", settings.idle);
        say("pci-dss", "8.2.8", "identity.session.timeout", why, "identity.session.timeout = 900");
    }
    if settings.admin_idle > QUARTER_HOUR {
        let why = format!("an administrator's session ends after {} s without use, and the standard asks for 900 s at most", settings.admin_idle);
        say("pci-dss", "8.2.8", "identity.session.admin_timeout", why, "identity.session.admin_timeout = 900");
    }
    if !settings.lockout.is_enough() {
        let why = format!(
            "{} wrong passwords lock for {} s, and the standard asks for ten at most and for 1800 s at least",
            settings.lockout.attempts, settings.lockout.lasts
        );
        say("pci-dss", "8.3.4", "limits.login", why, "limits.login = {attempts = 5, window = \"1h\", lockout = \"24h\"}");
    }
    if !settings.passwords_are_long() {
        let why = "passwords may be shorter than 12 characters, or need not have letters and digits".to_owned();
        say("pci-dss", "8.3.6", "identity.profile", why, "identity.profile = \"pci\"");
    }
    if settings.required_factors < 2 {
        let why = "one factor is enough to sign in, and the standard asks for two of whoever reaches card data".to_owned();
        say("pci-dss", "8.4.2", "identity.mfa.required_factors", why, "identity.mfa.required_factors = 2");
    }
    for (framework, number) in [("gdpr", "Art. 32(1)(a)"), ("hipaa", "312(e)(1)"), ("pci-dss", "4.2.1")] {
        if !settings.encrypted {
            let why = "people's pages are reached without TLS from other machines".to_owned();
            say(framework, number, "server.public_url", why, "server.public_url = \"https://…\", with [[server.certificates]]");
        }
    }
    if !settings.consent_required {
        say("gdpr", "Art. 6(1)(a), 7", "privacy.consent_required", "nobody is asked where consent is the ground".into(), "privacy.consent_required = true");
    }
    for (right, number) in [("access", "Art. 15"), ("rectification", "Art. 16"), ("erasure", "Art. 17"), ("portability", "Art. 20")] {
        if settings.rights_off.contains(right) {
            let setting = format!("privacy.data_subject_rights.{right}");
            say("gdpr", number, &setting, "people cannot ask for it here".into(), &format!("{setting} = true"));
        }
    }
    for (class, days) in settings.data_days.iter().filter(|(class, _)| class.starts_with("payment")) {
        let why = format!("`{class}` goes after {days} days; tax law may ask for invoices to be kept for years");
        let change = "say `keep: {article, reason, days, anchor}` under `tutela_meta` where such rows are mapped";
        say("gdpr", "Art. 17(3)(b)", &format!("compliance.data_retention.{class}"), why, change);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::LockedOut;

    fn settings(frameworks: &[&str]) -> Settings {
        Settings {
            frameworks: frameworks.iter().map(|of| (*of).to_owned()).collect(),
            ledger_days: [("audit".to_owned(), 2_192), ("compliance".to_owned(), 2_192), ("traffic".to_owned(), 2_192)].into(),
            idle: 900,
            admin_idle: 900,
            lockout: LockedOut { attempts: 5, lasts: 86_400 },
            password_length: 12,
            letters_and_digits: true,
            required_factors: 2,
            encrypted: true,
            consent_required: true,
            ..Settings::default()
        }
    }

    /// The setting of each conflict.
    fn of(settings: &Settings) -> Vec<String> {
        conflicts(settings).into_iter().map(|of| format!("{} {}", of.framework, of.setting)).collect()
    }

    #[test]
    fn logs_of_730_days_contradict_hipaa_and_are_a_day_short_for_ccpa() {
        let mut with = settings(&["gdpr", "hipaa", "pci-dss", "ccpa"]);
        assert_eq!(of(&with), Vec::<String>::new());
        with.ledger_days.insert("compliance".into(), 730);
        assert_eq!(of(&with), ["hipaa audit.retention", "ccpa audit.retention"]);
        with.ledger_days.insert("compliance".into(), 731);
        assert_eq!(of(&with), ["hipaa audit.retention"]);
    }

    #[test]
    fn each_limit_is_named_at_its_edge_and_only_where_its_framework_is_on() {
        let all = ["gdpr", "hipaa", "pci-dss", "ccpa"];
        let changed = |change: fn(&mut Settings), frameworks: &[&str]| {
            let mut with = settings(frameworks);
            change(&mut with);
            of(&with)
        };
        let cases: [(fn(&mut Settings), &[&str]); 10] = [
            (|of| of.idle = 901, &["pci-dss identity.session.timeout"]),
            (|of| of.admin_idle = 901, &["pci-dss identity.session.admin_timeout"]),
            (|of| of.lockout.attempts = 11, &["pci-dss limits.login"]),
            (|of| of.lockout.lasts = 1_799, &["pci-dss limits.login"]),
            (|of| of.password_length = 11, &["pci-dss identity.profile"]),
            (|of| of.required_factors = 1, &["pci-dss identity.mfa.required_factors"]),
            (|of| _ = of.ledger_days.insert("traffic".into(), 364), &["pci-dss audit.retention"]),
            (|of| of.encrypted = false, &["gdpr server.public_url", "hipaa server.public_url", "pci-dss server.public_url"]),
            (|of| _ = of.rights_off.insert("erasure".into()), &["gdpr privacy.data_subject_rights.erasure"]),
            (|of| _ = of.data_days.insert("payment_data".into(), 180), &["gdpr compliance.data_retention.payment_data"]),
        ];
        for (change, named) in cases {
            assert_eq!(changed(change, &all), named);
            assert_eq!(changed(change, &[]), Vec::<String>::new());
        }
    }
}
