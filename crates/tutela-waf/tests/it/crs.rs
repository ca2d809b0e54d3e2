//! The Core Rule Set judges its own tests.

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use testkit::shared;
use tutela_waf::{
    Files as _,
    ftw::{Outcome, read_cases, run},
};

use crate::rules::{Disk, core_rule_set};

/// What its tests expect to be set.
const SETTINGS: &str = include_str!("../../../../rules/waf/crs-tests.conf");

#[test]
fn the_core_rule_set_passes_its_own_tests() {
    let Some(folder) = shared("crs") else { return };
    let begun = Instant::now();
    let rules = core_rule_set(&folder, "DetectionOnly", SETTINGS);
    println!("{} rules, ready after {:?}", rules.len(), begun.elapsed());
    let mut table: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut failures = Vec::new();
    let entries = std::fs::read_dir(folder.join("tests/regression/tests")).unwrap();
    let families: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    for family in families {
        let row = table.entry(family.file_name().unwrap().to_string_lossy().into_owned()).or_default();
        let files = [".yaml", ".yml"].iter().flat_map(|ending| Disk.list(&format!("{}/*{ending}", family.display())).unwrap());
        for file in files {
            for case in read_cases(&std::fs::read_to_string(&file).unwrap()).unwrap_or_else(|e| panic!("{file}: {e}")) {
                match run(&rules, &case) {
                    Outcome::NotJudged => continue,
                    Outcome::Passed => row.0 += 1,
                    Outcome::Failed(why) => failures.push(format!("{}: {why}", case.name)),
                }
                row.1 += 1;
            }
        }
    }
    for (family, (passed, judged)) in &table {
        println!("{family:<45} {passed:>5} of {judged:>5}  {:>6.2} %", 100.0 * *passed as f64 / *judged as f64);
    }
    let (passed, judged) = table.values().fold((0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1));
    println!("{passed} of {judged}: {:.2} %", 100.0 * f64::from(passed as u32) / f64::from(judged as u32));
    // The one that is left asks what a request without a version in its first line is; HTTP/0.9 is not spoken here.
    assert!(judged > 5_000 && failures.iter().all(|failure| failure.starts_with("920430-5:")), "{}", failures.join("\n"));
}
