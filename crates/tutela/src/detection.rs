//! Rules of detection, from what the configuration names.

use std::path::{Path, PathBuf};

use tutela_app::{DetectionConfig, RuleSource};
use tutela_detection::{Converted, Metrics, OWN_METRICS, OWN_PLAYBOOKS, OWN_RULES, Playbooks, Rules, Spelling};

use crate::error::{Error, at};

/// The rules that `[detection]` names.
pub fn rules(config: &DetectionConfig) -> Result<Rules, Error> {
    let mut files = Vec::new();
    if config.own_rules {
        files.extend(OWN_RULES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    }
    for source in &config.rules {
        match source {
            RuleSource::File(named) => {
                for path in matching(named)? {
                    files.push((path.display().to_string(), read(&path)?));
                }
            }
            RuleSource::Rule(map) => {
                let name = map.get("name").and_then(serde_json::Value::as_str).unwrap_or("without a name");
                files.push((format!("the rule {name}"), serde_json::to_string(map).unwrap_or_default()));
            }
        }
    }
    Rules::load(&files, &metrics(config)?).map_err(|e| Error::Usage(format!("detection.rules: {e}")))
}

/// The playbooks that come with tutela, and those that `[detection]` names.
pub fn playbooks(config: &DetectionConfig) -> Result<Playbooks, Error> {
    let mut files: Vec<(String, String)> = OWN_PLAYBOOKS.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    for named in &config.playbooks {
        for path in matching(named)? {
            files.push((path.display().to_string(), read(&path)?));
        }
    }
    Playbooks::load(&files).map_err(|e| Error::Usage(format!("detection.playbooks: {e}")))
}

/// The name of the one rule that a text holds.
pub fn only_rule(config: &DetectionConfig, text: &str) -> Result<String, Error> {
    let rules = Rules::load(&[("the file".into(), text.to_owned())], &metrics(config)?).map_err(|e| Error::Usage(e.to_string()))?;
    let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    match names.as_slice() {
        [one] => Ok((*one).to_owned()),
        many => Err(Error::Usage(format!("the file holds one rule; there are {}", many.len()))),
    }
}

/// The rules of a file or folder in another spelling.
pub fn converted(config: &DetectionConfig, named: &Path, to: Spelling) -> Result<Converted, Error> {
    let metrics = metrics(config)?;
    // One after the other, so that a correlation finds what it names in another file.
    let mut text = String::new();
    for path in matching(named)? {
        text.push_str(&read(&path)?);
        text.push_str("\n---\n");
    }
    tutela_detection::convert(&named.display().to_string(), &text, to, &metrics).map_err(|e| Error::Usage(e.to_string()))
}

fn metrics(config: &DetectionConfig) -> Result<Metrics, Error> {
    let mut metrics = Metrics::default();
    metrics.add(OWN_METRICS).map_err(Error::Usage)?;
    for named in &config.metrics {
        for path in matching(named)? {
            metrics.add(&read(&path)?).map_err(|e| Error::Usage(format!("detection.metrics: {}: {e}", path.display())))?;
        }
    }
    Ok(metrics)
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|e| at(path, &e))
}

/// A file; the `.yml` and `.yaml` files of a folder; or those of a folder whose names end as `*.yml` says.
fn matching(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (folder, ending) = match name.strip_prefix('*') {
        Some(ending) => (path.parent().unwrap_or(Path::new(".")), Some(ending.to_owned())),
        None if path.is_dir() => (path, None),
        None => return Ok(vec![path.to_owned()]),
    };
    let fits = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        ending.as_ref().map_or_else(|| name.ends_with(".yml") || name.ends_with(".yaml"), |ending| name.ends_with(ending.as_str()))
    };
    let entries = std::fs::read_dir(folder).map_err(|e| at(folder, &e))?;
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file() && fits(path)).collect();
    found.sort();
    if found.is_empty() { Err(Error::Usage(format!("detection.rules: there is no file `{}`", path.display()))) } else { Ok(found) }
}
