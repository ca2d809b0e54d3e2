//! Monthly indexes: their names, and the template that each of them is made by.

use serde_json::{Value, json};

/// Above what either product brings along for `logs-*` and the like.
const PRIORITY: u64 = 501;

/// The index of a month (yyyymm).
pub(super) fn name(index: &str, month: i64) -> String {
    format!("{index}-{month:06}")
}

/// The month that an index is of; `None` for indexes of others, whose names only begin alike.
pub(super) fn of(index: &str, name: &str) -> Option<i64> {
    let month = name.strip_prefix(index)?.strip_prefix('-')?;
    let digits = month.len() == 6 && month.bytes().all(|b| b.is_ascii_digit());
    if digits { month.parse().ok() } else { None }
}

/// The template: mappings, settings and the alias that searches go to.
pub(super) fn template(index: &str, mappings: &Value) -> Value {
    json!({
        "index_patterns": [format!("{index}-*")],
        "priority": PRIORITY,
        "template": {
            "settings": {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-1", "codec": "best_compression", "refresh_interval": "5s"}},
            "mappings": mappings,
            "aliases": {index: {}}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_indexes_are_ours() {
        assert_eq!(of("tutela-audit", &name("tutela-audit", 202_611)), Some(202_611));
        for other in ["a-b", "a-b-2026", "a-b-2026-1", "a-b-c-202611", "a-bs-202611", "other-202611", "a-b-+20261"] {
            assert_eq!(of("a-b", other), None, "{other}");
        }
    }

    #[test]
    fn the_template_names_its_alias() {
        assert_eq!(template("a", &json!({"dynamic": false}))["template"]["aliases"], json!({"a": {}}));
    }
}
