//! Rules of detection, from what the configuration names.

use std::path::{Path, PathBuf};

use tutela_app::DetectionConfig;
use tutela_detection::{Metrics, OWN_METRICS, OWN_RULES, Rules};

use crate::error::{Error, at};

/// The rules that `[detection]` names.
pub fn rules(config: &DetectionConfig) -> Result<Rules, Error> {
    let mut files = Vec::new();
    for named in &config.rules {
        if named == "own" {
            files.extend(OWN_RULES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
            continue;
        }
        for path in matching(Path::new(named))? {
            files.push((path.display().to_string(), read(&path)?));
        }
    }
    Rules::load(&files, &metrics(config)?).map_err(|e| Error::Usage(format!("detection.rules: {e}")))
}

fn metrics(config: &DetectionConfig) -> Result<Metrics, Error> {
    let mut metrics = Metrics::default();
    metrics.add(OWN_METRICS).map_err(Error::Usage)?;
    for named in &config.metrics {
        for path in matching(Path::new(named))? {
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
