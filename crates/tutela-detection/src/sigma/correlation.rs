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

    /// As the engine runs it, over the questions of the rules it names.
    pub(crate) fn op(&self, parts: &[(String, Pred)]) -> Result<Op, String> {
        let any = || {
            let mut preds: Vec<Pred> = parts.iter().map(|(_, pred)| pred.clone()).collect();
            if preds.len() == 1 { preds.remove(0) } else { Pred::Any(preds) }
        };
        let count = || self.condition.as_ref().ok_or_else(|| format!("`{}` has a `condition`, such as `gte: 10`", self.kind));
        match self.kind.as_str() {
            "event_count" => Ok(Op::Count(any(), count()?.0)),
            "value_count" => {
                let (count, field) = count()?;
                Ok(Op::Distinct(any(), field.clone().ok_or("`value_count` names a `field` in its condition")?, *count))
            }
            "temporal" => Ok(Op::All(self.steps(parts)?)),
            "temporal_ordered" => Ok(Op::Sequence(self.steps(parts)?)),
            other => Err(format!("the correlation `{other}` is not known; there are event_count, value_count, temporal and temporal_ordered")),
        }
    }

    fn steps(&self, parts: &[(String, Pred)]) -> Result<Vec<Step>, String> {
        let step = |(name, pred): &(String, Pred)| {
            let own = |field: &Field| self.aliases.get(field.name()).and_then(|of| of.get(name)).map_or(Ok(field.clone()), |other| Field::new(other));
            let key = self.key.iter().map(own).collect::<Result<Vec<_>, _>>()?;
            Ok(Step { name: name.clone(), pred: pred.clone(), count: 1, key: Some(key) })
        };
        parts.iter().map(step).collect()
    }
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
