//! Where rules come from: this program, and files of this machine.

use tutela_waf::{Files, RuleSet, Source};

use super::WafConfig;

/// How requests are read, whatever the rules.
const SETUP: &str = include_str!("../../../../rules/waf/setup.conf");
/// What is left out where our own pages are asked.
const OWN: &str = include_str!("../../../../rules/waf/own.conf");
/// The rules that come with tutela.
const BASE: &str = include_str!("../../../../rules/waf/base.conf");

/// What the tests of the OWASP Core Rule Set expect to be set.
const CRS_TESTS: &str = include_str!("../../../../rules/waf/crs-tests.conf");

/// The rules of a configuration; the first that is not understood is an error with its file and line.
pub fn load_rules(config: &WafConfig) -> Result<RuleSet, String> {
    let mut sources = vec![Source::Text { name: "setup.conf", text: SETUP }, Source::Text { name: "own.conf", text: OWN }];
    sources.extend(config.rules.iter().map(|rules| match rules.as_str() {
        "base" => Source::Text { name: "base.conf", text: BASE },
        "crs-tests" => Source::Text { name: "crs-tests.conf", text: CRS_TESTS },
        path => Source::File(path),
    }));
    // Files that were written for another server switch its engine to detection; here `mode` says what is done.
    sources.push(Source::Text { name: "mode", text: "SecRuleEngine On\nSecRequestBodyAccess On\n" });
    RuleSet::load(&sources, &RuleFiles).map_err(|e| format!("gateway.waf.rules: {e}"))
}

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
