//! The two spellings of a rule, one from the other.
//!
//! What a rule means stays the same to the last question that it asks ([`Rule::meaning`](crate::Rule::meaning)); what the
//! other spelling cannot say is named, and left out.

mod meaning;
mod to_short;
mod to_sigma;

use serde::de::Deserialize as _;
use serde_yaml_ng::{Mapping, Value};

use crate::{Error, Metrics, maps, sigma};

/// How a rule is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `{name, condition, window, action}`
    Short,
    /// Sigma 2.1.
    Sigma,
}

/// Rules in another spelling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Converted {
    /// YAML, one document a rule.
    pub text: String,
    /// How many rules it holds.
    pub rules: usize,
    /// What is not in it, each with its reason.
    pub left_out: Vec<String>,
}

/// The rules of a file in another spelling; those that are in it already stay as they are.
pub fn convert(file: &str, text: &str, to: Spelling, metrics: &Metrics) -> Result<Converted, Error> {
    let wrong = |why: String| Error::Rule { file: file.to_owned(), why };
    let mut found: Vec<Mapping> = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(text) {
        for map in maps(Value::deserialize(document).map_err(|e| wrong(e.to_string()))?) {
            found.push(map.ok_or_else(|| wrong("a rule is a map".into()))?);
        }
    }
    let (sigma, short): (Vec<Mapping>, Vec<Mapping>) = found.into_iter().partition(sigma::is_sigma);
    let mut converted = Converted::default();
    match to {
        Spelling::Short => {
            short.iter().for_each(|map| converted.add(std::slice::from_ref(map)));
            to_short::all(sigma, &mut converted).map_err(wrong)?;
        }
        Spelling::Sigma => {
            sigma.iter().for_each(|map| converted.add(std::slice::from_ref(map)));
            for map in short {
                match to_sigma::one(&map, metrics) {
                    Ok(documents) => converted.add(&documents),
                    Err(why) => converted.left_out.push(format!("{}: {why}", sigma::text(&map, "name").unwrap_or_default())),
                }
            }
        }
    }
    Ok(converted)
}

impl Converted {
    /// The documents that make up a rule.
    fn add(&mut self, documents: &[Mapping]) {
        for map in documents {
            if !self.text.is_empty() {
                self.text.push_str("---\n");
            }
            self.text.push_str(&serde_yaml_ng::to_string(map).unwrap_or_default());
        }
        self.rules += 1;
    }
}

/// A map from its members, without those that say nothing.
fn map_of<const N: usize>(members: [(&str, Option<Value>); N]) -> Mapping {
    members.into_iter().filter_map(|(name, value)| Some((Value::from(name), value?))).collect()
}
