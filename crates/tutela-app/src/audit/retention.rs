//! How long which events are kept. Rules come from several places; the longest one that matches
//! a class wins.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::Class;

/// Days of our own classes where nothing else is said.
const DEFAULTS: &[(Class, u32)] = &[(Class::AUDIT, 365), (Class::COMPLIANCE, 730), (Class::TRAFFIC, 90)];
/// Longest time that can be asked for: a hundred years.
const MOST_DAYS: u32 = 36_525;

/// `[audit.retention]`: how long which events are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Rules that a law or standard asks for; where several match, the longest wins.
    pub presets: Vec<Preset>,
    /// Days by class: `audit` (365 where absent), `compliance` (730), `traffic` (90), and classes that applications' event types name.
    pub classes: BTreeMap<String, u32>,
    /// Days of events whose class has no rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<u32>,
}

/// A rule set by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// As short as security allows: 90 days of `audit`, 30 of `traffic`.
    GdprMin,
    /// Six years (45 CFR 164.316(b)(2)(i)).
    Hipaa,
    /// Twelve months (PCI DSS 10.5.1).
    Pci,
}

impl Preset {
    fn name(self) -> &'static str {
        match self {
            Self::GdprMin => "gdpr-min",
            Self::Hipaa => "hipaa",
            Self::Pci => "pci",
        }
    }

    /// Days of `class`, where the preset speaks of it.
    fn days(self, class: &Class) -> Option<u32> {
        match self {
            Self::GdprMin => [(Class::AUDIT, 90), (Class::COMPLIANCE, 730), (Class::TRAFFIC, 30)].iter().find(|(c, _)| c == class).map(|(_, days)| *days),
            Self::Hipaa => Some(2_192),
            Self::Pci => Some(365),
        }
    }
}

/// How long the events of a class are kept, and which rule says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassRule {
    /// The class.
    pub class: Class,
    /// Days.
    pub days: u32,
    /// Where the rule stands.
    pub source: String,
}

/// All rules together.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    config: RetentionConfig,
    /// `[compliance.data_retention]`: `logs` matches every event, others their class.
    data: BTreeMap<String, u32>,
}

impl Rules {
    /// From `[audit.retention]` and `[compliance.data_retention]`.
    pub fn new(config: RetentionConfig, data: BTreeMap<String, u32>) -> Self {
        Self { config, data }
    }

    /// The rule of a class: the longest that matches.
    pub fn of(&self, class: &Class) -> ClassRule {
        let mut candidates: Vec<(u32, String)> = self.config.presets.iter().filter_map(|p| Some((p.days(class)?, format!("preset {}", p.name())))).collect();
        let named = self.config.classes.get(class.as_str()).map(|days| (*days, format!("audit.retention.classes.{class}")));
        let data = ["logs", class.as_str()].into_iter().filter_map(|name| Some((*self.data.get(name)?, format!("compliance.data_retention.{name}"))));
        candidates.extend(named);
        candidates.extend(data);
        let own = DEFAULTS.iter().find(|(own, _)| own == class).map(|(_, days)| *days);
        let fallback = match (own, self.config.default) {
            (Some(days), _) => (days, "default".to_owned()),
            (None, Some(days)) => (days, "audit.retention.default".to_owned()),
            (None, None) => (365, "default".to_owned()),
        };
        // What a standard asks for is the least; only a rule of one's own, or `gdpr-min`, keeps shorter than the default.
        if !candidates.iter().any(|(_, source)| source.starts_with("audit.") || source.starts_with("compliance.") || source == "preset gdpr-min") {
            candidates.push(fallback.clone());
        }
        let (days, source) = candidates.into_iter().max_by_key(|(days, _)| *days).unwrap_or(fallback);
        ClassRule { class: class.clone(), days, source }
    }

    /// Days that the operator's own data of a class is kept; nothing where `compliance.data_retention` does not name it.
    pub(crate) fn data_days(&self, class: &str) -> Option<u32> {
        self.data.get(class).copied()
    }

    /// The classes that some rule names, and our own.
    pub fn classes(&self) -> Vec<Class> {
        let named = self.config.classes.keys().chain(self.data.keys().filter(|name| *name != "logs")).filter_map(|name| Class::parse(name));
        let all: std::collections::BTreeSet<Class> = Class::OWN.into_iter().chain(named).collect();
        all.into_iter().collect()
    }
}

impl RetentionConfig {
    /// Refuses values out of range.
    pub fn check(&self) -> Result<(), String> {
        for (class, days) in &self.classes {
            if Class::parse(class).is_none() {
                return Err(format!("audit.retention.classes: `{class}` is not a class; one has 1 to 32 characters of `a-z _`"));
            }
            check_days(&format!("audit.retention.classes.{class}"), *days)?;
        }
        self.default.map_or(Ok(()), |days| check_days("audit.retention.default", days))
    }
}

/// Refuses a number of days out of range.
pub(crate) fn check_days(key: &str, days: u32) -> Result<(), String> {
    if (1..=MOST_DAYS).contains(&days) { Ok(()) } else { Err(format!("{key}: it is a number of days from 1 to {MOST_DAYS}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_matching_rule_wins_and_says_where_it_stands() {
        let rules = |presets: &[Preset], classes: &[(&str, u32)], data: &[(&str, u32)]| {
            let map = |list: &[(&str, u32)]| list.iter().map(|(n, d)| ((*n).to_owned(), *d)).collect();
            Rules::new(RetentionConfig { presets: presets.to_vec(), classes: map(classes), default: None }, map(data))
        };
        let is = |rules: Rules, class: &Class| (rules.of(class).days, rules.of(class).source);
        assert_eq!(is(rules(&[], &[], &[]), &Class::AUDIT), (365, "default".into()));
        assert_eq!(is(rules(&[Preset::Pci, Preset::Hipaa], &[], &[]), &Class::TRAFFIC), (2_192, "preset hipaa".into()));
        assert_eq!(is(rules(&[Preset::GdprMin], &[], &[]), &Class::AUDIT), (90, "preset gdpr-min".into()));
        assert_eq!(is(rules(&[Preset::Pci], &[], &[]), &Class::COMPLIANCE), (730, "default".into()));
        // The three rules of one's own house: `logs` is about everything here.
        let own = [("user_data", 365), ("payment_data", 180), ("logs", 730)];
        assert_eq!(is(rules(&[Preset::Pci], &[("audit", 400)], &own), &Class::AUDIT), (730, "compliance.data_retention.logs".into()));
        assert_eq!(is(rules(&[], &[], &own[..2]), &Class::parse("payment_data").unwrap()), (180, "compliance.data_retention.payment_data".into()));
    }
}
