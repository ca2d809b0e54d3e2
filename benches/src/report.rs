//! Figures, held against their budgets.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::machine;

/// What a benchmark found.
#[derive(Debug)]
pub struct Report {
    name: &'static str,
    figures: Vec<Figure>,
    raw: Map<String, Value>,
}

#[derive(Debug)]
struct Figure {
    name: &'static str,
    value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Budget {
    Max(f64),
    Min(f64),
}

impl Report {
    /// An empty report of the benchmark `name`.
    pub fn new(name: &'static str) -> Self {
        Self { name, figures: Vec::new(), raw: Map::new() }
    }

    /// A figure for the table; units stand in its name.
    pub fn figure(&mut self, name: &'static str, value: f64) {
        self.figures.push(Figure { name, value });
    }

    /// Anything that belongs into the JSON: rounds, versions, settings.
    pub fn raw(&mut self, name: &str, value: Value) {
        self.raw.insert(name.to_owned(), value);
    }

    /// Prints the table, writes the JSON, and fails where a budget was missed.
    pub fn finish(mut self) -> Result<(), String> {
        let home = home()?;
        let text = std::fs::read_to_string(home.join("budgets.toml")).map_err(|e| format!("budgets.toml: {e}"))?;
        let budgets = budgets(&text, self.name)?;
        let missed = self.print(&budgets);
        let figures: Map<String, Value> = self.figures.iter().map(|f| (f.name.to_owned(), json!(f.value))).collect();
        self.raw.insert("machine".into(), machine::describe());
        self.raw.insert("figures".into(), Value::Object(figures));
        self.raw.insert("missed".into(), json!(missed));
        let (dir, file) = (home.join("results"), format!("{}.json", self.name));
        let json = serde_json::to_string_pretty(&Value::Object(self.raw)).map_err(|e| e.to_string())?;
        std::fs::create_dir_all(&dir).and_then(|()| std::fs::write(dir.join(&file), json + "\n")).map_err(|e| format!("{}: {e}", dir.display()))?;
        println!("raw figures: benches/results/{file}");
        if missed.is_empty() { Ok(()) } else { Err(format!("budgets missed: {}", missed.join(", "))) }
    }

    /// Prints one line a figure; gives the names of the missed budgets.
    fn print(&self, budgets: &[(String, Budget)]) -> Vec<String> {
        println!("{:<28} {:>14}   budget", format!("{}:", self.name), "measured");
        let mut missed = Vec::new();
        for Figure { name, value } in &self.figures {
            let budget = budgets.iter().find(|(of, _)| of == name).map(|(_, budget)| *budget);
            let (text, verdict) = match budget {
                None => (String::new(), ""),
                Some(Budget::Max(most)) => (format!("<= {most}"), if *value <= most { "ok" } else { "MISSED" }),
                Some(Budget::Min(least)) => (format!(">= {least}"), if *value >= least { "ok" } else { "MISSED" }),
            };
            println!("{name:<28} {value:>14.3}   {text} {verdict}");
            if verdict == "MISSED" {
                missed.push((*name).to_owned());
            }
        }
        for (name, _) in budgets.iter().filter(|(name, _)| !self.figures.iter().any(|f| f.name == name)) {
            println!("{name:<28} {:>14}   MISSED", "not measured");
            missed.push(name.clone());
        }
        missed
    }
}

fn budgets(text: &str, name: &str) -> Result<Vec<(String, Budget)>, String> {
    let table: toml::Table = text.parse().map_err(|e| format!("budgets.toml: {e}"))?;
    let section = table.get(name).and_then(toml::Value::as_table).ok_or_else(|| format!("budgets.toml has no section `{name}`"))?;
    let read = |(figure, budget): (&String, &toml::Value)| {
        let number = |bound: &str| budget.get(bound).and_then(toml::Value::as_float);
        match (number("min"), number("max")) {
            (Some(least), None) => Ok((figure.clone(), Budget::Min(least))),
            (None, Some(most)) => Ok((figure.clone(), Budget::Max(most))),
            _ => Err(format!("budgets.toml: `{name}.{figure}` needs `min` or `max` with a decimal point")),
        }
    };
    section.iter().map(read).collect()
}

fn home() -> Result<PathBuf, String> {
    let dir = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("benches"), PathBuf::from);
    if dir.join("budgets.toml").exists() { Ok(dir) } else { Err("run it with `cargo xtask bench`, or in the repository's root".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_budget_and_one_that_was_not_measured_are_both_missed() {
        let budgets = budgets("[start]\nready_s = { max = 0.5 }\nrate = { min = 10.0 }\nsize = { max = 1.0 }\n", "start").unwrap();
        let mut report = Report::new("start");
        report.figure("ready_s", 0.6);
        report.figure("rate", 10.0);
        report.figure("other", 1.0);
        assert_eq!(report.print(&budgets), ["ready_s", "size"]);
    }

    #[test]
    fn the_committed_budgets_are_readable() {
        for name in ["crypto", "identity", "ledger", "limit", "oauth", "proxy", "start", "waf"] {
            assert!(!budgets(include_str!("../budgets.toml"), name).unwrap().is_empty(), "{name}");
        }
        assert!(budgets("[a]\nx = { max = 1 }\n", "a").is_err());
    }
}
