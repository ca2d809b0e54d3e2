//! From the short form to Sigma.

use serde_yaml_ng::{Mapping, Value};

use super::map_of;
use crate::{
    Metrics,
    metric::Metric,
    rule::Op,
    short::{self, Part, Written},
    sigma::{Detected, selection},
};

/// The documents of Sigma's that a rule becomes: what it looks for, and the correlation that counts it.
pub(super) fn one(map: &Mapping, metrics: &Metrics) -> Result<Vec<Mapping>, String> {
    let rule = short::rule(map, metrics)?;
    let written = Written::read(map)?;
    let (metrics, own) = written.metrics(metrics)?;
    let reader = written.reader(&metrics, &own);
    let (joined, parts) = reader.parts(&written.condition)?;
    let name = written.name.as_str();
    let unlike = |what: &str| Err(format!("`{what}` has no counterpart in Sigma; the rule stays in the short form"));
    let about: Vec<&str> = rule.key.iter().map(crate::Field::name).collect();
    let beside = |key: bool| {
        let mut extra = map_of([
            ("key", (key && !about.is_empty()).then(|| about.clone().into())),
            ("window", key.then(|| written.window.as_str().into())),
            ("suppress", map.get("suppress").cloned()),
            ("actions", map.get("actions").cloned()),
            ("action", map.get("action").cloned()),
            ("mode", map.get("mode").cloned()),
            ("tests", map.get("tests").cloned()),
        ]);
        extra.retain(|_, value| !value.is_null());
        (!extra.is_empty()).then_some(Value::Mapping(extra))
    };
    let head = |key: bool| {
        [
            ("title", Some(rule.title.as_str().into())),
            ("name", Some(name.into())),
            ("description", map.get("description").cloned()),
            ("author", map.get("author").cloned()),
            ("level", Some(rule.level.as_str().into())),
            ("tutela", beside(key)),
        ]
    };
    let question = |part: &Part<'_>| -> Result<Detected, String> {
        let filter = written.filter().filter(|_| !std::ptr::eq(part.metric, &raw const own));
        let own_part = detected(part.metric)?;
        Ok(match filter {
            Some(filter) => Detected::joined(vec![("metric".into(), own_part), ("rule".into(), under_where(filter)?)], "and"),
            None => own_part,
        })
    };
    let correlation = |kind: &str, of: &[String], condition: Option<Mapping>| {
        map_of([
            ("type", Some(kind.into())),
            ("rules", Some(of.to_vec().into())),
            ("group-by", (!about.is_empty()).then(|| about.clone().into())),
            ("timespan", Some(written.window.as_str().into())),
            ("condition", condition.map(Value::Mapping)),
        ])
    };
    let gte = |count: u32, field: Option<&str>| map_of([("gte", Some(count.into())), ("field", field.map(Value::from))]);
    // What a correlation is of has a name of its own.
    let looks = |name: &str, part: &Part<'_>| -> Result<Mapping, String> {
        let title = format!("{}: {}", rule.title, part.name);
        Ok(map_of([
            ("title", Some(title.into())),
            ("name", Some(name.into())),
            ("logsource", Some(source())),
            ("detection", Some(question(part)?.map().into())),
        ]))
    };
    let with = |correlation: Mapping| {
        let mut map: Mapping = map_of(head(false));
        map.insert("correlation".into(), correlation.into());
        map
    };
    let Some(joined) = joined else {
        let [part] = parts.as_slice() else { return unlike(&written.condition) };
        let base = format!("{name}_events");
        let count = match &part.op {
            Op::Each(_) => {
                let mut map = map_of(head(true));
                map.insert("logsource".into(), source());
                map.insert("detection".into(), question(part)?.map().into());
                return Ok(vec![map]);
            }
            Op::Count(_, count) => correlation("event_count", std::slice::from_ref(&base), Some(gte(*count, None))),
            Op::Distinct(_, field, count) => correlation("value_count", std::slice::from_ref(&base), Some(gte(*count, Some(field.name())))),
            Op::First(..) => return unlike("first"),
            Op::Travel(_) => return unlike("travel"),
            Op::RareHour(..) => return unlike("rare hour"),
            Op::Spike(..) => return unlike("spike"),
            Op::Risk(..) => return unlike(&part.name),
            Op::All(_) | Op::Sequence(_) => return unlike(&written.condition),
        };
        return Ok(vec![looks(&base, part)?, with(count)]);
    };
    let mut documents = Vec::new();
    let mut names = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let base = format!("{name}_{}_{}", at + 1, part.name);
        documents.push(looks(&base, part)?);
        match &part.op {
            Op::Each(_) => names.push(base),
            Op::Count(_, count) => {
                let many = format!("{base}_often");
                let mut map = map_of([("title", Some(format!("{}: {}, {count} times", rule.title, part.name).into())), ("name", Some(many.as_str().into()))]);
                map.insert("correlation".into(), correlation("event_count", &[base], Some(gte(*count, None))).into());
                documents.push(map);
                names.push(many);
            }
            _ => return unlike(&written.condition),
        }
    }
    documents.push(with(correlation(if joined == "and" { "temporal" } else { "temporal_ordered" }, &names, None)));
    Ok(documents)
}

/// What a metric looks for.
fn detected(metric: &Metric) -> Result<Detected, String> {
    let types = (!metric.events.is_empty()).then(|| {
        let one_or_more = if let [one] = metric.events.as_slice() { Value::from(one.as_str()) } else { Value::from(metric.events.clone()) };
        Detected::one("events", Mapping::from_iter([(Value::from("type"), one_or_more)]).into())
    });
    let filter = metric.filter.as_ref().map(under_where).transpose()?;
    match (types, filter) {
        (Some(types), Some(filter)) => Ok(Detected::joined(vec![("of".into(), types), ("where".into(), filter)], "and")),
        (Some(only), None) | (None, Some(only)) => Ok(only),
        (None, None) => Err("a sum of signals has no counterpart in Sigma; the rule stays in the short form".into()),
    }
}

fn under_where(filter: &Value) -> Result<Detected, String> {
    match Detected::under_where(filter) {
        Some(detected) => detected,
        None => selection(filter).map(|_| Detected::one("selection", filter.clone())),
    }
}

/// Which log it is about is told by the events that it names.
fn source() -> Value {
    Mapping::from_iter([(Value::from("category"), Value::from("application"))]).into()
}
