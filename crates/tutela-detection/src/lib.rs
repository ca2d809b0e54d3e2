//! Detection as pure rules: events in, alerts out.
//!
//! Owns both spellings of a rule, the short form `{name, condition, window, action}` and Sigma 2.1, the one engine that
//! both are compiled for, and the tests that stand beside a rule. It reads no clock, no file and no socket: an event's
//! own time is the only time there is. Start with [`Rules::load`] and [`Engine::take`].

mod convert;
mod engine;
mod event;
mod incident;
mod index;
mod literal;
mod metric;
mod overflow;
mod own;
mod playbook;
mod pred;
mod rule;
mod short;
mod sigma;
mod state;
mod test;
mod travel;
mod window;

use std::{collections::BTreeMap, sync::Arc};

use serde::de::Deserialize as _;
use serde_yaml_ng::{Mapping, Value};

pub use convert::{Converted, Spelling, convert};
pub use engine::{Alert, Change, Engine, KeyHash};
pub use event::{Event, Field};
pub use incident::{IncidentState, entities};
pub use metric::Metrics;
pub use own::{OWN_METRICS, OWN_PLAYBOOKS, OWN_RULES};
pub use playbook::{Playbook, PlaybookStep, Playbooks};
pub use pred::Comparison;
pub use rule::{Action, Bounded, Credit, History, LONGEST_AT_ONCE, Level, Mode, Rule};
pub use test::{Happening, Outcome, Test};

/// Most rules of an installation, and most bytes of one file of them.
const MOST_RULES: usize = 5_000;
const LONGEST_FILE: usize = 4 << 20;

/// Why rules do not load.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is no YAML, or a rule in it says something that is not understood.
    #[error("{file}: {why}")]
    Rule {
        /// The file, or the rule's title.
        file: String,
        /// What is wrong, and with which member.
        why: String,
    },
}

impl Error {
    /// What kind of failure it is.
    pub fn kind(&self) -> tutela_core::ErrorKind {
        tutela_core::ErrorKind::Invalid
    }
}

/// Rules by their names.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: BTreeMap<String, Arc<Rule>>,
    metrics: Metrics,
}

impl Rules {
    /// Reads the rules of all files, each a name and its text, in both spellings. Of two rules with one name the later
    /// one counts, so that an operator's own takes the place of ours.
    pub fn load(files: &[(String, String)], metrics: &Metrics) -> Result<Self, Error> {
        Self { rules: BTreeMap::new(), metrics: metrics.clone() }.with(files)
    }

    /// These and others. One that takes the place of another and does not say how far it goes, goes as far as that did.
    pub fn with(&self, files: &[(String, String)]) -> Result<Self, Error> {
        let Self { mut rules, metrics } = self.clone();
        let mut sigma = Vec::new();
        for (file, text) in files {
            let wrong = |why: String| Error::Rule { file: file.clone(), why };
            if text.len() > LONGEST_FILE {
                return Err(wrong(format!("it is longer than {LONGEST_FILE} bytes")));
            }
            for document in serde_yaml_ng::Deserializer::from_str(text) {
                for map in maps(Value::deserialize(document).map_err(|e| wrong(e.to_string()))?) {
                    let map = map.ok_or_else(|| wrong("a rule is a map".into()))?;
                    if sigma::is_sigma(&map) {
                        sigma.push((file.clone(), map));
                    } else {
                        let mut rule = short::rule(&map, &metrics).map_err(wrong)?;
                        if let (Some(before), false) = (rules.get(&rule.name), map.contains_key("mode")) {
                            rule.mode = Arc::as_ref(before).mode;
                        }
                        rules.insert(rule.name.clone(), Arc::new(rule));
                    }
                }
            }
        }
        for rule in sigma::rules(sigma)? {
            rules.insert(rule.name.clone(), Arc::new(rule));
        }
        if rules.len() > MOST_RULES {
            return Err(Error::Rule { file: "rules".into(), why: format!("there are {} rules; at most {MOST_RULES} run", rules.len()) });
        }
        Ok(Self { rules, metrics })
    }

    /// Has a rule go as far as that; not run at all where nothing is given.
    pub fn set_mode(&mut self, name: &str, mode: Option<Mode>) {
        match (self.rules.get_mut(name), mode) {
            (Some(rule), Some(mode)) => Arc::make_mut(rule).mode = mode,
            (_, None) => drop(self.rules.remove(name)),
            (None, Some(_)) => {}
        }
    }

    /// One rule alone.
    pub fn of(rule: &Arc<Rule>) -> Self {
        Self { rules: BTreeMap::from([(rule.name.clone(), Arc::clone(rule))]), metrics: Metrics::default() }
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.rules.values()
    }

    /// The rule of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Rule>> {
        self.rules.get(name)
    }

    /// The metrics that they were read with.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// A document is a rule, a list of rules, or nothing.
fn maps(value: Value) -> Vec<Option<Mapping>> {
    match value {
        Value::Null => Vec::new(),
        Value::Sequence(items) => items.into_iter().flat_map(maps).collect(),
        Value::Mapping(map) => vec![Some(map)],
        _ => vec![None],
    }
}
