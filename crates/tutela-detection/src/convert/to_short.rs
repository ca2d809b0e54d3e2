//! From Sigma to the short form.

use std::collections::BTreeSet;

use serde_yaml_ng::{Mapping, Value};

use super::{Converted, map_of};
use crate::sigma::{self, Detected};

/// Every rule of some documents of Sigma's.
pub(super) fn all(documents: Vec<Mapping>, converted: &mut Converted) -> Result<(), String> {
    let title = |map: &Mapping| sigma::text(map, "title").unwrap_or_default();
    let correlations: Vec<(&Mapping, &Mapping)> = documents.iter().filter_map(|map| Some((map, map.get("correlation")?.as_mapping()?))).collect();
    // What a correlation names runs by itself only where it says so.
    let parts = correlations.iter().filter(|(_, of)| of.get("generate").and_then(Value::as_bool) != Some(true)).flat_map(|(_, of)| list(of.get("rules")));
    let parts: BTreeSet<String> = parts.collect();
    let runs = |map: &Mapping| sigma::names(map).all(|name| !parts.contains(&name));
    for map in documents.iter().filter(|map| map.contains_key("filter")) {
        converted.left_out.push(format!("{}: a filter has no counterpart; write it into the `where` of the rules that it narrows", title(map)));
    }
    let find = |name: &str| documents.iter().find(|map| sigma::names(map).any(|known| known == name));
    let mut add = |map: &Mapping, found: Result<Mapping, String>| match found {
        Ok(short) => converted.add(&[short]),
        Err(why) => converted.left_out.push(format!("{}: {why}", title(map))),
    };
    for (map, correlation) in correlations.iter().filter(|(map, _)| runs(map)) {
        add(map, correlated(map, correlation, &find));
    }
    for map in documents.iter().filter(|map| map.contains_key("detection") && runs(map)) {
        let window = extra(map, "window").unwrap_or_else(|| "1h".into());
        add(map, detected(map).and_then(|detected| rule(map, "events".into(), Some(where_of(&detected)), None, extra(map, "key"), window)));
    }
    Ok(())
}

/// A rule that a correlation names, and how often it has to be found.
struct Named {
    name: String,
    detected: Detected,
    often: Option<String>,
}

fn correlated<'a>(map: &Mapping, correlation: &Mapping, find: &dyn Fn(&str) -> Option<&'a Mapping>) -> Result<Mapping, String> {
    if correlation.contains_key("aliases") {
        return Err("`aliases` has no counterpart: one of its rules calls a member by another name".into());
    }
    let parts: Vec<Named> = list(correlation.get("rules")).iter().map(|name| named(name, find)).collect::<Result<_, _>>()?;
    let kind = correlation.get("type").and_then(Value::as_str).unwrap_or_default();
    let (key, window) = (correlation.get("group-by").cloned(), correlation.get("timespan").cloned().unwrap_or_default());
    match kind {
        "event_count" => rule(map, format!("events {}", count(correlation)?.0), Some(together(parts)?), None, key, window),
        "value_count" => {
            let (count, field) = count(correlation)?;
            let field = field.ok_or("`value_count` names a `field`")?;
            rule(map, format!("distinct {field} in events {count}"), Some(together(parts)?), None, key, window)
        }
        "temporal" | "temporal_ordered" => {
            let part = |part: &Named| part.often.as_ref().map_or_else(|| part.name.clone(), |often| format!("{} {often}", part.name));
            let condition = parts.iter().map(part).collect::<Vec<_>>().join(if kind == "temporal" { " and " } else { " then " });
            let metric = |part: &Named| (Value::from(part.name.as_str()), Value::Mapping(map_of([("where", Some(where_of(&part.detected)))])));
            rule(map, condition, None, Some(Value::Mapping(parts.iter().map(metric).collect())), key, window)
        }
        other => Err(format!("the correlation `{other}` is not known")),
    }
}

/// What a correlation names: a rule, or how often one is found.
fn named<'a>(name: &str, find: &dyn Fn(&str) -> Option<&'a Mapping>) -> Result<Named, String> {
    let map = find(name).ok_or_else(|| format!("it names `{name}`, which is not in the file"))?;
    let Some(counted) = map.get("correlation").and_then(Value::as_mapping) else {
        return Ok(Named { name: word(name), detected: detected(map)?, often: None });
    };
    let part = |name: &String| match find(name) {
        Some(map) if map.contains_key("detection") => Ok(Named { name: word(name), detected: detected(map)?, often: None }),
        _ => Err(format!("it names `{name}` through another correlation")),
    };
    let filter = together(list(counted.get("rules")).iter().map(part).collect::<Result<_, _>>()?)?;
    let detected = Detected::under_where(&filter).unwrap_or_else(|| Ok(Detected::one("selection", filter)))?;
    Ok(Named { name: word(name), detected, often: Some(count(counted)?.0) })
}

/// Rules that are counted together.
fn together(parts: Vec<Named>) -> Result<Value, String> {
    match parts.iter().find(|part| part.often.is_some()) {
        Some(part) => Err(format!("it counts `{}`, which counts itself", part.name)),
        None => Ok(where_of(&Detected::joined(parts.into_iter().map(|part| (part.name, part.detected)).collect(), "or"))),
    }
}

/// How many a correlation asks for, and of what.
fn count(correlation: &Mapping) -> Result<(String, Option<String>), String> {
    let condition = correlation.get("condition").and_then(Value::as_mapping).ok_or("it has no `condition`")?;
    let field = condition.get("field").and_then(Value::as_str).map(str::to_owned);
    let (sign, number) = condition.iter().find(|(name, _)| name.as_str() != Some("field")).ok_or("its `condition` compares nothing")?;
    let sign = crate::Comparison::ALL.into_iter().find(|comparison| Some(comparison.word()) == sign.as_str()).ok_or("its `condition` is not known")?;
    Ok((format!("{} {}", sign.sign(), number.as_u64().ok_or("its `condition` is no whole number")?), field))
}

fn rule(map: &Mapping, condition: String, filter: Option<Value>, metrics: Option<Value>, key: Option<Value>, window: Value) -> Result<Mapping, String> {
    let of = |name: &str| map.get(name).cloned();
    let name = sigma::name_of(map)?;
    let credited = map.get("author").filter(|_| !sigma::is_own(map));
    Ok(map_of([
        ("name", Some(name.as_str().into())),
        ("title", of("title")),
        ("description", of("description")),
        ("author", credited.cloned()),
        ("source", credited.and_then(|_| of("id"))),
        ("condition", Some(condition.into())),
        ("where", filter),
        ("metrics", metrics),
        ("key", key),
        ("window", Some(window)),
        ("suppress", extra(map, "suppress")),
        ("level", of("level")),
        ("actions", extra(map, "actions").or_else(|| extra(map, "action"))),
        ("mode", extra(map, "mode")),
        ("tests", extra(map, "tests")),
    ]))
}

/// What a rule looks for, its log source with it.
fn detected(map: &Mapping) -> Result<Detected, String> {
    let detected = sigma::detected(map, "detection")?;
    if !sigma::has_to_be_own(map)? {
        return Ok(detected);
    }
    let own = Mapping::from_iter([(Value::from("type|exists"), Value::from(true))]);
    Ok(Detected::joined(vec![("own".into(), Detected::one("event", own.into())), ("rule".into(), detected)], "and"))
}

/// One selection stands alone.
fn where_of(detected: &Detected) -> Value {
    match detected.selections.as_slice() {
        [(name, only)] if *name == detected.condition => only.clone(),
        _ => Value::Mapping(detected.map()),
    }
}

fn extra(map: &Mapping, name: &str) -> Option<Value> {
    map.get("tutela").and_then(|extra| extra.get(name)).cloned()
}

fn list(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Sequence(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// A name that can stand in a condition.
fn word(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if ["and", "then", "in", "first", "distinct", "travel", "rare", "spike", "events"].contains(&plain.as_str()) { format!("{plain}_") } else { plain }
}
