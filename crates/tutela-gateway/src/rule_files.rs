//! Files of rules, on this machine.

use tutela_waf::Files;

/// Largest file of rules or words.
const LARGEST: u64 = 64 << 20;

/// Reads rules from disk. `*` stands for any characters of the last part of a path; hidden files are not meant.
#[derive(Debug, Clone, Copy, Default)]
pub struct RuleFiles;

impl Files for RuleFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let told = |e: std::io::Error| format!("`{path}` cannot be read: {e}");
        let length = std::fs::metadata(path).map_err(told)?.len();
        if length > LARGEST {
            return Err(format!("`{path}` has {length} bytes; rules have at most {LARGEST}"));
        }
        std::fs::read(path).map_err(told)
    }

    fn list(&self, pattern: &str) -> Result<Vec<String>, String> {
        let (folder, name) = pattern.rsplit_once('/').unwrap_or((".", pattern));
        let Some((begin, end)) = name.split_once('*') else { return Ok(vec![pattern.to_owned()]) };
        let entries = std::fs::read_dir(folder).map_err(|e| format!("`{folder}` cannot be listed: {e}"))?;
        let mut found: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.len() >= begin.len() + end.len() && name.starts_with(begin) && name.ends_with(end) && !name.starts_with('.'))
            .map(|name| format!("{folder}/{name}"))
            .collect();
        found.sort();
        Ok(found)
    }
}
