//! The query language in the words of a search cluster.

use serde_json::{Value, json};
use tutela_ledger::query::{Field, Query};
use tutela_store::Position;

/// A query that finds at least what fits; the events themselves are compared again.
pub(super) fn dsl(query: &Query, before: Option<Position>) -> Value {
    let (mut must, mut must_not) = (Vec::new(), Vec::new());
    for term in &query.terms {
        let any: Vec<Value> = term.values.iter().map(|value| clause(term.field, value)).collect();
        let clause = json!({"bool": {"should": any, "minimum_should_match": 1}});
        // Words are cut otherwise here than there: only what means the same may exclude.
        match (term.excluded, term.field) {
            (false, _) => must.push(clause),
            (true, Field::Words) => {}
            (true, _) => must_not.push(clause),
        }
    }
    for (bound, time) in [("gte", query.after), ("lt", query.before)] {
        must.extend(time.map(|time| json!({"range": {"@timestamp": {bound: time.to_string()}}})));
    }
    must.extend(before.map(|before| {
        let item = before.item.unwrap_or(0);
        json!({"bool": {"minimum_should_match": 1, "should": [
            {"range": {"event.sequence": {"lt": before.entry}}},
            {"bool": {"filter": [{"term": {"event.sequence": before.entry}}, {"range": {"tutela.item": {"lt": item}}}]}},
        ]}})
    }));
    json!({"bool": {"filter": must, "must_not": must_not}})
}

fn clause(field: Field, value: &str) -> Value {
    let term = |name: &str| json!({"term": {name: value}});
    match field {
        Field::Action => term("event.action"),
        Field::Actor => term("tutela.actor.id"),
        Field::Class => term("tutela.class"),
        Field::Id => term("event.id"),
        Field::Ip => term("source.ip"),
        Field::Outcome => term("tutela.outcome"),
        Field::Resource => {
            let whole = term("tutela.resource.id");
            let Some((kind, id)) = value.split_once('/') else { return whole };
            let typed = json!({"bool": {"filter": [{"term": {"tutela.resource.type": kind}}, {"term": {"tutela.resource.id": id}}]}});
            json!({"bool": {"minimum_should_match": 1, "should": [whole, typed]}})
        }
        Field::Route => term("tutela.route"),
        Field::Session => term("tutela.session"),
        Field::Severity => json!({"term": {"event.severity": value.parse::<u64>().unwrap_or(0)}}),
        Field::Type => value.strip_suffix('*').map_or_else(|| term("tutela.type"), |family| json!({"prefix": {"tutela.type": family}})),
        Field::Words => json!({"match_phrase": {"tutela.text": value}}),
    }
}
