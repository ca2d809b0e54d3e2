//! Sigma rules, version 2.1 of the specification: one event, and the correlations that count or order them.

mod condition;
mod correlation;
mod detection;
mod selection;

use std::collections::{BTreeMap, BTreeSet};

use serde_yaml_ng::{Mapping, Value};
use tutela_core::Span;

use self::correlation::{Correlation, Counted};
pub(crate) use self::{detection::Detected, selection::selection};
use crate::{
    Error, index,
    pred::{Match, Pred},
    rule::{Action, Credit, Level, Op, Rule},
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
        text(&map, "title").ok_or("a rule has a `title`")?;
        self.by_name.extend(names(&map).map(|name| (name, self.detections.len())));
        self.detections.push(Detection { map, pred });
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Rule>, Error> {
        let of = |map: &Mapping, why: String| Error::Rule { file: text(map, "title").unwrap_or_default(), why };
        for map in std::mem::take(&mut self.filters) {
            self.narrow(&map).map_err(|why| of(&map, why))?;
        }
        // What is there for a correlation runs by itself only where that says so.
        let silent: BTreeSet<&String> = self.correlations.iter().filter(|(_, other)| !other.generate).flat_map(|(_, other)| &other.rules).collect();
        let runs = |map: &Mapping| names(map).all(|name| !silent.contains(&name));
        let mut rules = Vec::new();
        for (map, correlation) in self.correlations.iter().filter(|(map, _)| runs(map)) {
            let parts = correlation.rules.iter().map(|name| self.part(name, correlation)).collect::<Result<_, _>>();
            let op = parts.and_then(|parts| correlation.op(parts)).map_err(|why| of(map, why))?;
            rules.push(rule(map, op, Some(correlation)).map_err(|why| of(map, why))?);
        }
        for Detection { map, pred } in self.detections.iter().filter(|detection| runs(&detection.map)) {
            rules.push(rule(map, Op::Each(pred.clone()), None).map_err(|why| of(map, why))?);
        }
        rules.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(rules)
    }

    /// What a correlation names: a rule, or how often something is counted with the same key in the same time.
    fn part(&self, name: &str, within: &Correlation) -> Result<Counted, String> {
        if let Some(found) = self.by_name.get(name).and_then(|at| self.detections.get(*at)) {
            return Ok(Counted { name: name.to_owned(), pred: found.pred.clone(), count: 1 });
        }
        let inner = self.correlations.iter().find(|(map, _)| names(map).any(|known| known == name));
        let (_, inner) = inner.ok_or_else(|| format!("there is no rule `{name}`"))?;
        let (pred, count) = inner.counted(within, |name| self.by_name.get(name).and_then(|at| self.detections.get(*at)).map(|found| found.pred.clone()))?;
        Ok(Counted { name: name.to_owned(), pred, count })
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
    let pred = detected(map, under)?.pred()?;
    let own = crate::event::Field::new("type")?;
    Ok(if is_own(map) && !index::asked(&pred).contains_key("type") { Pred::All(vec![Pred::Exists(own, true), pred]) } else { pred })
}

/// What stands under `detection` or `filter`.
pub(crate) fn detected(map: &Mapping, under: &str) -> Result<Detected, String> {
    let members = map.get(under).and_then(Value::as_mapping).ok_or_else(|| format!("`{under}` is a map"))?;
    Detected::read(members, if under == "filter" { &["rules"] } else { &[] }).map_err(|e| format!("`{under}`: {e}"))
}

/// Events of our own are told by their product; those of others by what they look like.
pub(crate) fn is_own(map: &Mapping) -> bool {
    map.get("logsource").and_then(|source| source.get("product")).and_then(Value::as_str) == Some("tutela")
}

/// Whether a rule is about events of our own and does not name their types.
pub(crate) fn has_to_be_own(map: &Mapping) -> Result<bool, String> {
    Ok(is_own(map) && !index::asked(&detected(map, "detection")?.pred()?).contains_key("type"))
}

/// What stands under `where`: a selection, or several with the condition that joins them.
pub(crate) fn question(value: &Value) -> Result<Pred, String> {
    Detected::under_where(value).map_or_else(|| selection(value), |detected| detected?.pred())
}

/// The names that a correlation may call a rule by.
pub(crate) fn names(map: &Mapping) -> impl Iterator<Item = String> {
    ["name", "id", "title"].into_iter().filter_map(|name| text(map, name))
}

/// The name that a rule has here.
pub(crate) fn name_of(map: &Mapping) -> Result<String, String> {
    let title = text(map, "title").ok_or("a rule has a `title`")?;
    let named = text(map, "name").filter(|name| short::is_name(name)).or_else(|| text(map, "id").filter(|id| short::is_name(id)));
    Ok(named.unwrap_or_else(|| slug(&title)))
}

fn rule(map: &Mapping, op: Op, correlation: Option<&Correlation>) -> Result<Rule, String> {
    let title = text(map, "title").ok_or("a rule has a `title`")?;
    let name = name_of(map)?;
    let level = text(map, "level").map_or(Ok(Level::High), |level| short::level(&level))?;
    let extra: Extra = map.get("tutela").cloned().map_or(Ok(Extra::default()), serde_yaml_ng::from_value).map_err(|e| format!("`tutela`: {e}"))?;
    let credit = text(map, "author").filter(|_| !is_own(map)).map(|author| Credit { author, source: text(map, "id").unwrap_or_else(|| title.clone()) });
    let actions: Vec<Action> = extra.actions()?;
    let key = match correlation {
        Some(correlation) => correlation.key.clone(),
        None => extra.key()?,
    };
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
        mode: extra.mode(&actions),
        actions,
        tests: extra.tests,
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
