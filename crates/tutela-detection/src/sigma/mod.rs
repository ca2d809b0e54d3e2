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

/// What of the files is a rule that runs, what is only there for a correlation, and what narrows rules.
#[derive(Default)]
pub(crate) struct Documents {
    detections: Vec<Detection>,
    /// Detections by name, id and title.
    by_name: BTreeMap<String, usize>,
    correlations: Vec<(Mapping, Correlation)>,
    filters: Vec<Mapping>,
}

struct Detection {
    map: Mapping,
    pred: Pred,
    /// Whether it runs by itself.
    runs: bool,
}

/// Whether a document is Sigma's.
pub(crate) fn is_sigma(map: &Mapping) -> bool {
    ["detection", "correlation", "filter"].iter().any(|name| map.contains_key(*name))
}

/// The rules of all documents; correlations and filters may name rules of other files.
pub(crate) fn rules(documents: Vec<(String, Mapping)>) -> Result<Vec<Rule>, Error> {
    let mut all = Documents::default();
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
        if map.contains_key("filter") {
            self.filters.push(map);
            return Ok(());
        }
        let pred = detection(&map, "detection")?;
        let title = text(&map, "title").ok_or("a rule has a `title`")?;
        let names = [text(&map, "name"), text(&map, "id"), Some(title)];
        for name in names.into_iter().flatten() {
            self.by_name.insert(name, self.detections.len());
        }
        self.detections.push(Detection { map, pred, runs: true });
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Rule>, Error> {
        let of = |map: &Mapping, why: String| Error::Rule { file: text(map, "title").unwrap_or_default(), why };
        for map in std::mem::take(&mut self.filters) {
            self.narrow(&map).map_err(|why| of(&map, why))?;
        }
        let mut rules = Vec::new();
        for (map, correlation) in &self.correlations {
            let mut parts = Vec::new();
            for name in &correlation.rules {
                let unknown = || of(map, format!("there is no rule `{name}`"));
                let found = self.by_name.get(name).and_then(|at| self.detections.get_mut(*at)).ok_or_else(unknown)?;
                parts.push((name.clone(), found.pred.clone()));
                // What is there for a correlation runs by itself only where it is said so.
                found.runs &= correlation.generate;
            }
            let op = correlation.op(&parts).map_err(|why| of(map, why))?;
            rules.push(rule(map, op, Some(correlation)).map_err(|why| of(map, why))?);
        }
        for Detection { map, pred, .. } in self.detections.into_iter().filter(|detection| detection.runs) {
            rules.push(rule(&map, Op::Each(pred), None).map_err(|why| of(&map, why))?);
        }
        rules.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(rules)
    }

    /// Has rules look at what a filter lets through only: those that it names, or with `any` those of its log source.
    fn narrow(&mut self, map: &Mapping) -> Result<(), String> {
        let pred = detection(map, "filter")?;
        let source = |map: &Mapping| map.get("logsource").cloned();
        let named: Vec<usize> = match map.get("filter").and_then(|filter| filter.get("rules")) {
            Some(Value::Sequence(names)) => {
                let of = |name: &Value| name.as_str().and_then(|name| self.by_name.get(name)).copied().ok_or_else(|| format!("there is no rule `{name:?}`"));
                names.iter().map(of).collect::<Result<_, _>>()?
            }
            Some(Value::String(any)) if any == "any" => {
                (0..self.detections.len()).filter(|at| self.detections.get(*at).is_some_and(|other| source(&other.map) == source(map))).collect()
            }
            _ => return Err("`filter` names its `rules`, or says `any`".into()),
        };
        for at in named {
            if let Some(detection) = self.detections.get_mut(at) {
                detection.pred = Pred::All(vec![detection.pred.clone(), pred.clone()]);
            }
        }
        Ok(())
    }
}

/// The question of a detection, its log source with it.
fn detection(map: &Mapping, under: &str) -> Result<Pred, String> {
    let detection = map.get(under).and_then(Value::as_mapping).ok_or_else(|| format!("`{under}` is a map"))?;
    let mut selections = BTreeMap::new();
    let mut conditions = Vec::new();
    for (name, value) in detection {
        let name = name.as_str().ok_or("the name of a selection is a text")?;
        match (name, value) {
            ("condition", Value::String(text)) => conditions.push(text.clone()),
            ("condition", Value::Sequence(list)) => conditions.extend(list.iter().filter_map(Value::as_str).map(str::to_owned)),
            ("rules", _) if under == "filter" => {}
            ("timeframe", _) => return Err("`timeframe` was taken out of Sigma; write a correlation".into()),
            (name, value) => drop(selections.insert(name.to_owned(), selection(value).map_err(|e| format!("the selection `{name}`: {e}"))?)),
        }
    }
    if conditions.is_empty() {
        return Err(format!("`{under}` has no `condition`"));
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
        condition: None,
        text: short::text(map),
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
