//! Selections and the condition that joins them, as a text that can be put together with others.

use serde_yaml_ng::{Mapping, Value};

use super::{condition::condition, selection::selection};
use crate::pred::Pred;

/// What a rule of Sigma has under `detection`, and what stands under `where` where it says more than one selection can.
pub(crate) struct Detected {
    pub selections: Vec<(String, Value)>,
    pub condition: String,
}

impl Detected {
    /// From the members of a map, which are selections but for its `condition`.
    pub(crate) fn read(map: &Mapping, beside: &[&str]) -> Result<Self, String> {
        let mut selections = Vec::new();
        let mut conditions = Vec::new();
        for (name, value) in map {
            let name = name.as_str().ok_or("the name of a selection is a text")?;
            match (name, value) {
                ("condition", Value::String(text)) => conditions.push(text.clone()),
                ("condition", Value::Sequence(list)) => conditions.extend(list.iter().filter_map(Value::as_str).map(str::to_owned)),
                ("timeframe", _) => return Err("`timeframe` was taken out of Sigma; write a correlation".into()),
                (name, _) if beside.contains(&name) => {}
                (name, value) => selections.push((name.to_owned(), value.clone())),
            }
        }
        let condition = match conditions.as_slice() {
            [] => return Err("there is no `condition`".into()),
            [one] => one.clone(),
            more => more.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(" or "),
        };
        Ok(Self { selections, condition })
    }

    /// As a question.
    pub(crate) fn pred(&self) -> Result<Pred, String> {
        let named = |(name, value): &(String, Value)| Ok((name.clone(), selection(value).map_err(|e| format!("the selection `{name}`: {e}"))?));
        condition(&self.condition, &self.selections.iter().map(named).collect::<Result<_, String>>()?)
    }

    /// Of one selection.
    pub(crate) fn one(name: &str, selection: Value) -> Self {
        Self { selections: vec![(name.to_owned(), selection)], condition: name.to_owned() }
    }

    /// This, where a value under `where` is one: its `condition` is a text, and it has a selection that is a map.
    pub(crate) fn under_where(value: &Value) -> Option<Result<Self, String>> {
        let map = value.as_mapping()?;
        let is = map.get("condition").is_some_and(Value::is_string) && map.values().any(Value::is_mapping);
        is.then(|| Self::read(map, &[]))
    }

    /// Several, joined by `and` or `or`. Names are told apart by what they are of.
    pub(crate) fn joined(parts: Vec<(String, Self)>, word: &str) -> Self {
        if parts.len() == 1 {
            return parts.into_iter().map(|(_, only)| only).next().unwrap_or_else(|| Self { selections: Vec::new(), condition: String::new() });
        }
        let mut selections = Vec::new();
        let mut conditions = Vec::new();
        for (prefix, part) in parts {
            conditions.push(format!("({})", part.renamed(&prefix)));
            selections.extend(part.selections.into_iter().map(|(name, value)| (new_name(&prefix, &name), value)));
        }
        Self { selections, condition: conditions.join(&format!(" {word} ")) }
    }

    /// Its condition with other names.
    fn renamed(&self, prefix: &str) -> String {
        let spaced = self.condition.replace('(', " ( ").replace(')', " ) ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut renamed: Vec<String> = Vec::new();
        for (at, word) in words.iter().enumerate() {
            let after_of = at > 0 && words.get(at - 1).is_some_and(|before| before.eq_ignore_ascii_case("of"));
            let before_of = words.get(at + 1).is_some_and(|next| next.eq_ignore_ascii_case("of"));
            let is_word = ["and", "or", "not", "of", "(", ")"].iter().any(|known| word.eq_ignore_ascii_case(known)) || before_of;
            renamed.push(match *word {
                "them" if after_of => format!("{prefix}_*"),
                _ if is_word => (*word).to_owned(),
                name => new_name(prefix, name),
            });
        }
        renamed.join(" ").replace("( ", "(").replace(" )", ")")
    }

    /// As a map.
    pub(crate) fn map(&self) -> Mapping {
        let mut map: Mapping = self.selections.iter().map(|(name, value)| (Value::from(name.as_str()), value.clone())).collect();
        map.insert("condition".into(), self.condition.as_str().into());
        map
    }
}

/// A name that `them` does not mean keeps its underscore in front.
fn new_name(prefix: &str, name: &str) -> String {
    name.strip_prefix('_').map_or_else(|| format!("{prefix}_{name}"), |rest| format!("_{prefix}_{rest}"))
}
