//! Correlations (Sigma 2.1, Correlation Rules): event_count, value_count, temporal, temporal_ordered.

use std::collections::BTreeMap;

use serde_yaml_ng::Value;
use tutela_core::Span;

use crate::{
    event::Field,
    pred::{Comparison, Pred},
    rule::{LONGEST_WINDOW, Op, Step, at_least},
};

/// Most rules that one correlation names.
const MOST_RULES: usize = 16;

/// What a correlation asks for.
pub(crate) struct Correlation {
    kind: String,
    pub rules: Vec<String>,
    pub key: Vec<Field>,
    /// For a name of the key, the members that it is called in each rule.
    aliases: BTreeMap<String, BTreeMap<String, String>>,
    pub timespan: Span,
    condition: Option<(u32, Option<Field>)>,
    /// Whether the rules it names run by themselves too.
    pub generate: bool,
}

impl Correlation {
    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        let map = value.as_mapping().ok_or("`correlation` is a map")?;
        let text = |name: &str| map.get(name).and_then(Value::as_str);
        let list = |name: &str| -> Result<Vec<String>, String> {
            match map.get(name) {
                None => Ok(Vec::new()),
                Some(Value::String(one)) => Ok(vec![one.clone()]),
                Some(Value::Sequence(items)) => {
                    items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(|| format!("`{name}` is a list of names"))).collect()
                }
                Some(_) => Err(format!("`{name}` is a list of names")),
            }
        };
        let kind = text("type").ok_or("a correlation has a `type`")?.to_owned();
        let rules = list("rules")?;
        if rules.is_empty() || rules.len() > MOST_RULES {
            return Err(format!("a correlation names 1 to {MOST_RULES} rules"));
        }
        let timespan: Span = text("timespan").ok_or("a correlation has a `timespan`, such as `5m`")?.parse()?;
        if timespan > LONGEST_WINDOW {
            return Err(format!("`timespan` is at most {LONGEST_WINDOW}"));
        }
        let key = list("group-by")?.iter().map(|name| Field::new(name)).collect::<Result<_, _>>()?;
        let aliases = map.get("aliases").cloned().map_or(Ok(BTreeMap::new()), serde_yaml_ng::from_value).map_err(|e| format!("`aliases`: {e}"))?;
        let condition = map.get("condition").map(number).transpose()?;
        let generate = map.get("generate").and_then(Value::as_bool).unwrap_or(false);
        Ok(Self { kind, rules, key, aliases, timespan, condition, generate })
    }

    /// As the engine runs it, over what it names.
    pub(crate) fn op(&self, parts: Vec<Counted>) -> Result<Op, String> {
        let any = |parts: Vec<Counted>| match parts.iter().find(|part| part.count > 1) {
            Some(part) => Err(format!("`{}` is a correlation itself; `{}` counts rules", part.name, self.kind)),
            None => Ok(union(parts.into_iter().map(|part| part.pred).collect())),
        };
        match self.kind.as_str() {
            "event_count" => Ok(match self.count()?.0 {
                1 => Op::Each(any(parts)?),
                count => Op::Count(any(parts)?, count),
            }),
            "value_count" => {
                let (count, field) = self.count()?;
                Ok(Op::Distinct(any(parts)?, field.clone().ok_or("`value_count` names a `field` in its condition")?, *count))
            }
            "temporal" => Ok(Op::All(self.steps(parts)?)),
            "temporal_ordered" => Ok(Op::Sequence(self.steps(parts)?)),
            other => Err(format!("the correlation `{other}` is not known; there are event_count, value_count, temporal and temporal_ordered")),
        }
    }

    /// What this counts and how often, as a part of another one with the same key and time.
    pub(crate) fn counted(&self, within: &Self, find: impl Fn(&str) -> Option<Pred>) -> Result<(Pred, u32), String> {
        if self.kind != "event_count" || self.key != within.key || self.timespan != within.timespan {
            return Err("of correlations it may name event_count only, with the `group-by` and `timespan` that it has itself".into());
        }
        let preds = self.rules.iter().map(|name| find(name).ok_or_else(|| format!("there is no rule `{name}`"))).collect::<Result<_, _>>()?;
        Ok((union(preds), self.count()?.0))
    }

    fn count(&self) -> Result<&(u32, Option<Field>), String> {
        self.condition.as_ref().ok_or_else(|| format!("`{}` has a `condition`, such as `gte: 10`", self.kind))
    }

    fn steps(&self, parts: Vec<Counted>) -> Result<Vec<Step>, String> {
        let step = |Counted { name, pred, count }: Counted| {
            let own = |field: &Field| self.aliases.get(field.name()).and_then(|of| of.get(&name)).map_or(Ok(field.clone()), |other| Field::new(other));
            let key = (!self.aliases.is_empty()).then(|| self.key.iter().map(own).collect::<Result<Vec<_>, _>>()).transpose()?;
            Ok(Step { name, pred, count, key })
        };
        parts.into_iter().map(step).collect()
    }
}

/// A rule that a correlation names, and how often it has to be found.
pub(crate) struct Counted {
    pub name: String,
    pub pred: Pred,
    pub count: u32,
}

fn union(mut preds: Vec<Pred>) -> Pred {
    if preds.len() == 1 { preds.remove(0) } else { Pred::Any(preds) }
}

/// `{gte: 10, field: user}`
fn number(value: &Value) -> Result<(u32, Option<Field>), String> {
    let map = value.as_mapping().ok_or("`condition` is a map, such as `gte: 10`")?;
    let mut least = None;
    let mut field = None;
    for (name, value) in map {
        let name = name.as_str().unwrap_or_default();
        if name == "field" {
            field = Some(Field::new(value.as_str().ok_or("`field` is a name")?)?);
            continue;
        }
        let comparison = Comparison::ALL.into_iter().find(|comparison| comparison.word() == name).ok_or_else(|| format!("`{name}` is no comparison"))?;
        least = Some(at_least(comparison, value.as_f64().ok_or("a count is a number")?)?);
    }
    Ok((least.ok_or("`condition` has a comparison, such as `gte: 10`")?, field))
}
