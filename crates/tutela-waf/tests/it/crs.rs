use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use tutela_waf::{
    Files, RuleSet, Source,
    ftw::{Outcome, read_cases, run},
};

/// Files of a folder.
struct Folder;

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(path).map_err(|e| format!("`{path}`: {e}"))
    }

    fn list(&self, pattern: &str) -> Result<Vec<String>, String> {
        let Some((folder, ending)) = pattern.split_once("/*") else { return Ok(vec![pattern.to_owned()]) };
        let mut found: Vec<String> = std::fs::read_dir(folder).map_err(|e| e.to_string())?.map(|entry| entry.unwrap().path().display().to_string()).collect();
        found.retain(|path| path.ends_with(ending));
        found.sort();
        Ok(found)
    }
}

fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("TUTELA_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    Some(folder.join("data/crs")).filter(|folder| folder.is_dir())
}

/// What every engine is told before the rules: how bodies are read.
const BASE: &str = r#"
SecRuleEngine DetectionOnly
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/xml
SecRule REQUEST_HEADERS:Content-Type "@rx ^(?:application(?:/soap\+|/)|text/)xml" "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "@rx ^application/(?:[a-z0-9.-]+\+)?json" "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
"#;

/// What the README of the tests asks for.
const SETTINGS: &str = r#"
SecAction "id:900005,phase:1,nolog,pass,ctl:ruleEngine=DetectionOnly,ctl:ruleRemoveById=910000,setvar:tx.blocking_paranoia_level=4,\
    setvar:tx.crs_validate_utf8_encoding=1,setvar:tx.arg_name_length=100,setvar:tx.arg_length=400,setvar:tx.total_arg_length=64000,\
    setvar:tx.max_num_args=255,setvar:tx.max_file_size=64100,setvar:tx.combined_file_sizes=65535"
"#;

fn rules(folder: &Path) -> RuleSet {
    let setup = folder.join("crs-setup.conf.example").display().to_string();
    let all = folder.join("rules/*.conf").display().to_string();
    let sources = [Source::Text { name: "base", text: BASE }, Source::File(&setup), Source::Text { name: "settings", text: SETTINGS }, Source::File(&all)];
    RuleSet::load(&sources, &Folder).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn the_core_rule_set_passes_its_own_tests() {
    let Some(folder) = shared() else { panic!("no shared data") };
    let begun = std::time::Instant::now();
    let rules = Arc::new(rules(&folder));
    println!("loaded {} rules in {:?}", rules.len(), begun.elapsed());
    rules.warm().unwrap();
    println!("warm after {:?}", begun.elapsed());
    let mut table: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let (mut passed, mut judged, mut failures) = (0, 0, Vec::new());
    let mut families: Vec<PathBuf> =
        std::fs::read_dir(folder.join("tests/regression/tests")).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    families.sort();
    for family in families {
        let name = family.file_name().unwrap().to_string_lossy().into_owned();
        for file in Folder.list(&format!("{}/*.yaml", family.display())).unwrap() {
            for case in read_cases(&std::fs::read_to_string(&file).unwrap()).unwrap_or_else(|e| panic!("{file}: {e}")) {
                let row = table.entry(name.clone()).or_default();
                match run(&rules, &case) {
                    Outcome::NotJudged => continue,
                    Outcome::Passed => {
                        row.0 += 1;
                        passed += 1;
                    }
                    Outcome::Failed(why) => failures.push(format!("{}: {why}", case.name)),
                }
                row.1 += 1;
                judged += 1;
            }
        }
    }
    for (family, (passed, judged)) in &table {
        println!("{family:<45} {passed:>5} of {judged:>5}  {:>6.2} %", 100.0 * *passed as f64 / *judged as f64);
    }
    println!("{passed} of {judged}: {:.2} % in {:?}", 100.0 * passed as f64 / judged as f64, begun.elapsed());
    for failure in &failures {
        println!("  {failure}");
    }
    assert!(passed as f64 >= 0.999 * judged as f64);
}
