//! Attacks of gotestwaf, each through the encoders and into the places that its file names, and its harmless texts.

use std::{collections::BTreeMap, sync::Arc};

use testkit::gotestwaf::{Case, cases};
use testkit::shared;
use tutela_waf::{RuleSet, Source, Verdict};

use crate::rules::{Request, SETUP, core_rule_set, judge, load};

const BASE: &str = include_str!("../../../../rules/waf/base.conf");

/// Of so many requests so many were refused.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    all: u32,
    refused: u32,
}

impl Count {
    fn share(self) -> f64 {
        100.0 * f64::from(self.refused) / f64::from(self.all)
    }
}

/// Detection without and with Base64, false positives, and a table.
fn measure(name: &str, rules: &Arc<RuleSet>, cases: &[Case]) -> (Count, Count, Count, Vec<String>) {
    let (mut plain, mut wrapped, mut harmless, mut table) = (Count::default(), Count::default(), Count::default(), BTreeMap::<&str, Count>::new());
    let mut wrong = Vec::new();
    for case in cases {
        let request = Request { method: case.method.clone(), target: case.target.clone(), headers: case.headers.clone(), body: case.body.clone() };
        let (verdict, report) = judge(rules, &request);
        let refused = verdict != Verdict::Pass;
        let total = if case.family == "harmless" {
            &mut harmless
        } else if case.base64 {
            &mut wrapped
        } else {
            &mut plain
        };
        let mut rows = vec![total];
        if !case.base64 {
            rows.push(table.entry(&case.family).or_default());
        }
        for row in rows {
            row.all += 1;
            row.refused += u32::from(refused);
        }
        if refused == (case.family == "harmless") && !case.base64 {
            let rules: Vec<u64> = report.findings.iter().map(|finding| finding.rule).collect();
            wrong.push(format!("{} | {} | {rules:?} | {}", case.family, case.place, case.payload.chars().take(100).collect::<String>()));
        }
    }
    println!("== {name}");
    for (family, count) in &table {
        println!("{family:<40} {:>3} of {:>3} refused", count.refused, count.all);
    }
    println!(
        "detection {:.1} % of {}, in Base64 {:.1} % of {}; harmless refused {:.1} % of {}",
        plain.share(),
        plain.all,
        wrapped.share(),
        wrapped.all,
        harmless.share(),
        harmless.all
    );
    (plain, wrapped, harmless, wrong)
}

#[test]
fn our_own_rules_stop_attacks_and_let_people_write() {
    let Some(folder) = shared("gotestwaf") else { return };
    let rules = load(&[Source::Text { name: "setup.conf", text: SETUP }, Source::Text { name: "base.conf", text: BASE }]);
    let (plain, _, harmless, wrong) = measure("own rules", &rules, &cases(&folder));
    for case in &wrong {
        println!("  {case}");
    }
    assert!(plain.share() >= 70.0 && harmless.share() <= 3.0, "{plain:?} {harmless:?}");
}

#[test]
fn the_core_rule_set_stops_what_it_stops_elsewhere() {
    let (Some(folder), Some(crs)) = (shared("gotestwaf"), shared("crs")) else { return };
    let rules = core_rule_set(&crs, "On", "");
    let (plain, _, harmless, wrong) = measure("Core Rule Set, paranoia level 1", &rules, &cases(&folder));
    for case in wrong.iter().filter(|case| case.starts_with("harmless")) {
        println!("  {case}");
    }
    // libmodsecurity: 74.3 % and 8.5 %, Coraza: 73.4 % and 8.5 %.
    assert!(plain.share() >= 73.0 && harmless.share() <= 9.3, "{plain:?} {harmless:?}");
}
