//! What is done about an incident, step by step: files of YAML, ours in `rules/playbooks`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Error, rule::Action};

/// Most steps of a playbook.
const MOST_STEPS: usize = 50;

/// Steps for incidents of some rules.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// Its name.
    pub name: String,
    /// As people read it.
    pub title: String,
    /// Rules whose incidents it is for.
    #[serde(default, rename = "for")]
    pub rules: Vec<String>,
    /// What is to be done, in this order.
    pub steps: Vec<PlaybookStep>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaybookStep {
    /// By which it is checked off.
    pub id: String,
    /// What is to be done.
    pub title: String,
    /// How, and what to mind.
    #[serde(default)]
    pub details: String,
    /// What a button does.
    #[serde(default)]
    pub action: Option<Action>,
}

/// Playbooks by their names.
#[derive(Debug, Clone, Default)]
pub struct Playbooks(BTreeMap<String, Playbook>);

impl Playbooks {
    /// Reads files, each a name and its text. Of two with one name the later one counts.
    pub fn load(files: &[(String, String)]) -> Result<Self, Error> {
        let mut all = BTreeMap::new();
        for (file, text) in files {
            let wrong = |why: String| Error::Rule { file: file.clone(), why };
            let playbook: Playbook = serde_yaml_ng::from_str(text).map_err(|e| wrong(e.to_string()))?;
            if playbook.steps.is_empty() || playbook.steps.len() > MOST_STEPS {
                return Err(wrong(format!("a playbook has 1 to {MOST_STEPS} steps")));
            }
            let mut ids: Vec<&str> = playbook.steps.iter().map(|step| step.id.as_str()).collect();
            ids.sort_unstable();
            if let Some(twice) = ids.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first()) {
                return Err(wrong(format!("two steps have the id `{twice}`")));
            }
            all.insert(playbook.name.clone(), playbook);
        }
        Ok(Self(all))
    }

    /// That of a name.
    pub fn get(&self, name: &str) -> Option<&Playbook> {
        self.0.get(name)
    }

    /// That for incidents of a rule.
    pub fn of_rule(&self, rule: &str) -> Option<&Playbook> {
        self.0.values().find(|playbook| playbook.rules.iter().any(|name| name == rule))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Playbook> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Metrics, OWN_METRICS, OWN_PLAYBOOKS, OWN_RULES, Rules};

    fn texts(files: &[(&str, &str)]) -> Vec<(String, String)> {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn our_own_load_and_are_for_rules_that_there_are() {
        let playbooks = Playbooks::load(&texts(OWN_PLAYBOOKS)).unwrap();
        let mut metrics = Metrics::default();
        metrics.add(OWN_METRICS).unwrap();
        let rules = Rules::load(&texts(OWN_RULES), &metrics).unwrap();
        let named: Vec<&String> = playbooks.iter().flat_map(|playbook| &playbook.rules).collect();
        assert!(named.iter().all(|rule| rules.get(rule).is_some()), "{named:?}");
        assert_eq!(playbooks.of_rule("token_replay").map(|playbook| playbook.name.as_str()), Some("account_takeover"));
        assert_eq!(playbooks.iter().count(), 3);
    }

    #[test]
    fn what_is_wrong_with_one_is_said() {
        let of = |text: &str| Playbooks::load(&texts(&[("mine.yml", text)])).unwrap_err().to_string();
        assert!(of("name: x\ntitle: X\nsteps: []\n").contains("1 to 50 steps"));
        assert!(of("name: x\ntitle: X\nsteps: [{id: a, title: A}, {id: a, title: B}]\n").contains("two steps have the id `a`"));
        assert!(of("name: x\ntitle: X\nsteps: [{id: a, title: A, action: call_the_police}]\n").contains("call_the_police"));
    }
}
