//! Every rule of ours has tests beside it that match and that do not.

use std::collections::BTreeMap;

use tutela_waf::{
    Files as _, Source,
    ftw::{Outcome, read_cases, run},
};

use crate::rules::{Disk, SETUP, load};

const BASE: &str = include_str!("../../../../rules/waf/base.conf");

#[test]
fn each_rule_matches_what_it_is_for_and_lets_its_like_through() {
    let detect = "SecRuleEngine DetectionOnly";
    let rules = load(&[
        Source::Text { name: "setup.conf", text: SETUP },
        Source::Text { name: "base.conf", text: BASE },
        Source::Text { name: "detect", text: detect },
    ]);
    let (mut wrong, mut tested) = (Vec::new(), BTreeMap::<u64, (usize, usize)>::new());
    for file in Disk.list(concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules/waf/tests/*.yaml")).unwrap() {
        for case in read_cases(&std::fs::read_to_string(&file).unwrap()).unwrap() {
            let (matching, other) = tested.entry(case.rule).or_default();
            *if case.expects_a_match() { matching } else { other } += 1;
            if let Outcome::Failed(why) = run(&rules, &case) {
                wrong.push(format!("{}: {why}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let untested = BASE.split("\"id:").skip(1).filter_map(|rest| rest.split(',').next()?.parse::<u64>().ok()).filter(|id| *id > 1_000);
    let untested: Vec<u64> = untested.filter(|id| !tested.get(id).is_some_and(|(matching, other)| *matching > 0 && *other > 0)).collect();
    assert!(untested.is_empty(), "no tests both ways for {untested:?}");
}
