//! Conditions: `selection and not 1 of filter_*` (Sigma 2.1, Rules, "Condition").

use std::collections::BTreeMap;

use crate::pred::Pred;

/// How deep parentheses may go.
const DEEPEST: usize = 32;

/// A condition over named selections.
pub(crate) fn condition(text: &str, selections: &BTreeMap<String, Pred>) -> Result<Pred, String> {
    let words = words(text);
    let mut reader = Reader { words: &words, selections, depth: 0 };
    let pred = reader.any().map_err(|e| format!("the condition `{text}`: {e}"))?;
    match reader.words.first() {
        None => Ok(pred),
        Some(word) => Err(format!("the condition `{text}`: `{word}` was not expected")),
    }
}

fn words(text: &str) -> Vec<String> {
    text.replace('(', " ( ").replace(')', " ) ").split_whitespace().map(str::to_owned).collect()
}

struct Reader<'a> {
    words: &'a [String],
    selections: &'a BTreeMap<String, Pred>,
    depth: usize,
}

impl Reader<'_> {
    /// `a or b`
    fn any(&mut self) -> Result<Pred, String> {
        let mut all = vec![self.all()?];
        while self.take("or") {
            all.push(self.all()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Pred::Any(all) })
    }

    /// `a and b`
    fn all(&mut self) -> Result<Pred, String> {
        let mut all = vec![self.one()?];
        while self.take("and") {
            all.push(self.one()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Pred::All(all) })
    }

    fn one(&mut self) -> Result<Pred, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("it goes more than {DEEPEST} deep"));
        }
        let found = self.inner();
        self.depth -= 1;
        found
    }

    fn inner(&mut self) -> Result<Pred, String> {
        if self.take("not") {
            return Ok(Pred::Not(Box::new(self.one()?)));
        }
        if self.take("(") {
            let inner = self.any()?;
            return if self.take(")") { Ok(inner) } else { Err("a parenthesis is not closed".into()) };
        }
        let word = self.next()?;
        let quantified = self.words.first().is_some_and(|next| next.eq_ignore_ascii_case("of"));
        match word.to_ascii_lowercase().as_str() {
            "1" | "any" if quantified => Ok(Pred::Any(self.these()?)),
            "all" if quantified => Ok(Pred::All(self.these()?)),
            _ => self.selections.get(&word).cloned().ok_or_else(|| format!("there is no selection `{word}`")),
        }
    }

    /// `of them`, `of filter_*`
    fn these(&mut self) -> Result<Vec<Pred>, String> {
        self.next()?;
        let pattern = self.next()?;
        let fits = |name: &str| match (pattern.as_str(), pattern.split_once('*')) {
            ("them", _) => !name.starts_with('_'),
            (_, Some((start, end))) => name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
            (exact, None) => name == exact,
        };
        let found: Vec<Pred> = self.selections.iter().filter(|(name, _)| fits(name)).map(|(_, pred)| pred.clone()).collect();
        if found.is_empty() { Err(format!("there is no selection `{pattern}`")) } else { Ok(found) }
    }

    fn take(&mut self, wanted: &str) -> bool {
        let Some((first, rest)) = self.words.split_first() else { return false };
        let is = first.eq_ignore_ascii_case(wanted);
        if is {
            self.words = rest;
        }
        is
    }

    fn next(&mut self) -> Result<String, String> {
        let (first, rest) = self.words.split_first().ok_or("it ends too early")?;
        self.words = rest;
        Ok(first.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sigma::selection::selection;

    #[test]
    fn conditions_bind_as_the_specification_says() {
        let named = |names: &[(&str, &str)]| -> BTreeMap<String, Pred> {
            names.iter().map(|(name, yaml)| ((*name).to_owned(), selection(&serde_yaml_ng::from_str(yaml).unwrap()).unwrap())).collect()
        };
        let all = named(&[("a", "x: 1"), ("b", "x: 2"), ("filter_one", "y: 1"), ("filter_two", "y: 2")]);
        let event = json!({"x": 1, "y": 2});
        for (text, fits) in [
            ("a", true),
            ("b", false),
            ("a or b and b", true),
            ("(a or b) and b", false),
            ("not b", true),
            ("a and not 1 of filter_*", false),
            ("a and not all of filter_*", true),
            ("1 of them", true),
            ("all of them", false),
            ("a AND NOT filter_one", true),
        ] {
            assert_eq!(condition(text, &all).unwrap().fits(&event), fits, "{text}");
        }
        for text in ["", "a and", "a b", "(a", "c", "1 of nothing_*", "a | count() > 5", &"(".repeat(500)] {
            assert!(condition(text, &all).is_err(), "{text}");
        }
    }
}
