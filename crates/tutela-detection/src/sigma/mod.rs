//! Sigma rules, version 2.1 of the specification: one event, and the correlations that count or order them.

mod condition;
mod correlation;
mod selection;

use std::collections::BTreeMap;

use serde_yaml_ng::{Mapping, Value};
use tutela_core::Span;

pub(crate) use self::selection::selection;
use self::{condition::condition, correlation::Correlation};
use crate::{
    Error, index,
    pred::{Match, Pred},
    rule::{Action, Credit, Level, Mode, Op, Rule},
    short::{self, Extra},
};

/// What of a file is a rule that runs, and what is only there for a correlation.
pub(crate) struct Documents {
    detections: BTreeMap<String, (Pred, Mapping, bool)>,
    correlations: Vec<(Mapping, Correlation)>,
}

/// Whether a document is Sigma's.
pub(crate) fn is_sigma(map: &Mapping) -> bool {
    map.contains_key("detection") || map.contains_key("correlation")
}

/// The rules of all documents; correlations may name rules of other files.
pub(crate) fn rules(documents: Vec<(String, Mapping)>) -> Result<Vec<Rule>, Error> {
    let mut all = Documents { detections: BTreeMap::new(), correlations: Vec::new() };
    for (file, map) in documents {
        all.add(map).map_err(|why| Error::Rule { file, why })?;
    }
    all.finish()
}

impl Documents {
    fn add(&mut self, map: Mapping) -> Result<(), String> {
        if let Some(value) = map.get("correlation") {
            let correlation = Correlation::read(value)?;
            self.correlations.push((map, correlation));
            return Ok(());
        }
        let pred = detection(&map)?;
        let title = text(&map, "title").ok_or("a rule has a `title`")?;
        let names = [text(&map, "name"), text(&map, "id"), Some(title)];
        for name in names.into_iter().flatten() {
            self.detections.insert(name, (pred.clone(), map.clone(), true));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Rule>, Error> {
        let mut rules = Vec::new();
        for (map, correlation) in &self.correlations {
            let of = |why: String| Error::Rule { file: text(map, "title").unwrap_or_default(), why };
            let mut parts = Vec::new();
            for name in &correlation.rules {
                let found = self.detections.get_mut(name).ok_or_else(|| of(format!("there is no rule `{name}`")))?;
                parts.push((name.clone(), found.0.clone()));
                // What is there for a correlation runs by itself only where it is said so.
                if !correlation.generate {
                    let title = text(&found.1, "title");
                    self.detections.values_mut().filter(|(_, other, _)| text(other, "title") == title).for_each(|(_, _, runs)| *runs = false);
                }
            }
            let op = correlation.op(&parts).map_err(of)?;
            rules.push(rule(map, op, Some(correlation)).map_err(of)?);
        }
        let mut seen = std::collections::BTreeSet::new();
        for (pred, map, runs) in self.detections.into_values() {
            let title = text(&map, "title").unwrap_or_default();
            if runs && seen.insert(title.clone()) {
                rules.push(rule(&map, Op::Each(pred), None).map_err(|why| Error::Rule { file: title, why })?);
            }
        }
        rules.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(rules)
    }
}

/// The question of a detection, its log source with it.
fn detection(map: &Mapping) -> Result<Pred, String> {
    let detection = map.get("detection").and_then(Value::as_mapping).ok_or("`detection` is a map")?;
    let mut selections = BTreeMap::new();
    let mut conditions = Vec::new();
    for (name, value) in detection {
        let name = name.as_str().ok_or("the name of a selection is a text")?;
        match (name, value) {
            ("condition", Value::String(text)) => conditions.push(text.clone()),
            ("condition", Value::Sequence(list)) => conditions.extend(list.iter().filter_map(Value::as_str).map(str::to_owned)),
            ("timeframe", _) => return Err("`timeframe` was taken out of Sigma; write a correlation".into()),
            (name, value) => drop(selections.insert(name.to_owned(), selection(value).map_err(|e| format!("the selection `{name}`: {e}"))?)),
        }
    }
    if conditions.is_empty() {
        return Err("`detection` has no `condition`".into());
    }
    let mut any: Vec<Pred> = conditions.iter().map(|text| condition(text, &selections)).collect::<Result<_, _>>()?;
    let pred = if any.len() == 1 { any.remove(0) } else { Pred::Any(any) };
    // Events of our own are told by their product; those of others by what they look like.
    let source = map.get("logsource").and_then(Value::as_mapping);
    let is = |name: &str, value: &str| source.and_then(|source| source.get(name)).and_then(Value::as_str) == Some(value);
    let own = crate::event::Field::new("type")?;
    Ok(if is("product", "tutela") && !index::asked(&pred).contains_key("type") { Pred::All(vec![Pred::Exists(own, true), pred]) } else { pred })
}

fn rule(map: &Mapping, op: Op, correlation: Option<&Correlation>) -> Result<Rule, String> {
    let title = text(map, "title").ok_or("a rule has a `title`")?;
    let name = text(map, "name").or_else(|| text(map, "id")).unwrap_or_else(|| slug(&title));
    let level = text(map, "level").map_or(Ok(Level::High), |level| short::level(&level))?;
    let extra: Extra = map.get("tutela").cloned().map_or(Ok(Extra::default()), serde_yaml_ng::from_value).map_err(|e| format!("`tutela`: {e}"))?;
    let own = map.get("logsource").and_then(|source| source.get("product")).and_then(Value::as_str) == Some("tutela");
    let credit = text(map, "author").filter(|_| !own).map(|author| Credit { author, source: text(map, "id").unwrap_or_else(|| title.clone()) });
    let actions: Vec<Action> = extra.actions()?;
    let key = match correlation {
        Some(correlation) => correlation.key.clone(),
        None => extra.key()?,
    };
    let tests = extra.tests;
    Ok(Rule {
        version: short::fingerprint(map),
        title,
        description: text(map, "description").unwrap_or_default(),
        level,
        credit,
        key,
        op,
        window: correlation.map_or(extra.window.unwrap_or(Span::hours(1)), |correlation| correlation.timespan),
        suppress: extra.suppress,
        mode: extra.mode.unwrap_or(if actions.is_empty() { Mode::Alert } else { Mode::Shadow }),
        actions,
        tests,
        name,
    })
}

pub(crate) fn text(map: &Mapping, name: &str) -> Option<String> {
    map.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn slug(title: &str) -> String {
    let words: Vec<String> = title.to_lowercase().split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    words.join("_")
}

/// The event types that a question names, as a filter of a search.
pub(crate) fn has_type(types: &[String]) -> Result<Pred, String> {
    Ok(Pred::Has(crate::event::Field::new("type")?, Match::OneOf(types.iter().cloned().collect())))
}
