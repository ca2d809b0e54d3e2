use std::{collections::BTreeMap, time::Duration};

/// `--NAME N` pairs; every value is a whole number.
#[derive(Debug, Default)]
pub struct Flags(BTreeMap<String, u64>);

impl Flags {
    /// Reads the words after the benchmark's name.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut flags = BTreeMap::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").ok_or_else(|| format!("expected a flag such as `--rounds 3`, got `{word}`"))?;
            let value = words.next().and_then(|n| n.parse().ok()).ok_or_else(|| format!("`{word}` needs a whole number"))?;
            flags.insert(name.to_owned(), value);
        }
        Ok(Self(flags))
    }

    /// The value of `--name`, or what is usual.
    pub fn number(&self, name: &str, usual: u64) -> u64 {
        self.0.get(name).copied().unwrap_or(usual)
    }

    /// `--name` in seconds.
    pub fn seconds(&self, name: &str, usual: u64) -> Duration {
        Duration::from_secs(self.number(name, usual))
    }

    /// Refuses flags that a benchmark does not know.
    pub fn only(&self, known: &[&str]) -> Result<(), String> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(stranger) => Err(format!("there is no flag `--{stranger}` here; there are --{}", known.join(", --"))),
            None => Ok(()),
        }
    }
}
