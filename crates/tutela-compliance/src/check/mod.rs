//! The checks by name, a file for each kind of facts.

mod data; // the operator's stores, requests, purposes
mod ledger; // what is recorded, and how it is kept
mod people; // accounts, sessions, programs
mod probe; // what came of requests that were sent to see
mod setting; // what the configuration says

pub use ledger::SEVEN;

use crate::{
    facts::Facts,
    finding::{Finding, Outcome},
    framework::Control,
};

/// Something that is judged by facts.
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// What it looks at, in words.
    pub looks_at: &'static str,
    judge: fn(&Facts) -> Finding,
}

impl Check {
    /// What it finds.
    fn run(&self, facts: &Facts) -> Finding {
        Finding { check: self.name.to_owned(), ..(self.judge)(facts) }
    }
}

/// Checks that frameworks name and that are not there yet: their controls are attested until they are.
pub(crate) const AWAITED: &[&str] =
    &["actors-known", "access-reviewed", "activity-reviewed", "clock-agrees", "events-complete", "fresh-sign-in", "keyed-hashes"];

/// Every check that there is.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    [data::CHECKS, ledger::CHECKS, people::CHECKS, probe::CHECKS, setting::CHECKS].into_iter().flatten()
}

/// A check by its name.
pub(crate) fn find(name: &str) -> Option<&'static Check> {
    checks().find(|check| check.name == name)
}

/// What the checks of a control find. Where none of them is there yet somebody attests; where some are, the others have no
/// data.
pub fn findings(control: &Control, facts: &Facts) -> Vec<Finding> {
    if control.checks.iter().all(|name| find(name).is_none()) {
        return Vec::new();
    }
    let run = |name: &String| match find(name) {
        Some(check) => check.run(facts),
        None => Finding { check: name.clone(), ..no_data("this check is not there yet", "tutela compliance controls") },
    };
    control.checks.iter().map(run).collect()
}

/// It holds, and why.
fn pass(why: impl Into<String>, source: &str) -> Finding {
    Finding::new(Outcome::Pass, why, source)
}

/// It does not hold, and what to change.
fn fail(why: impl Into<String>, source: &str) -> Finding {
    Finding::new(Outcome::Fail, why, source)
}

/// There is nothing to judge.
fn no_data(why: &str, source: &str) -> Finding {
    Finding::new(Outcome::NoData, why, source)
}

/// Passes where none of some is wrong; of none there is no data. `all` is their number and what they are.
fn none_of(wrong: &[String], all: (u64, &str), is_wrong: &str, source: &str) -> Finding {
    let (count, (number, what)) = (wrong.len() as u64, all);
    let why = format!("{count} of {number} {what} {is_wrong}");
    let finding = match (count, number) {
        (0, 0) => no_data(&format!("there are no {what}"), source),
        (0, _) => pass(why, source),
        _ => fail(why, source),
    };
    finding.counted("all", number).counted("wrong", count).sampled(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_one_name_and_none_that_is_there_is_awaited() {
        let mut names: Vec<&str> = checks().map(|check| check.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(AWAITED.iter().all(|name| find(name).is_none()), "{AWAITED:?}");
    }

    #[test]
    fn without_facts_nothing_passes_but_what_the_configuration_says() {
        let nothing = Facts::of(crate::Settings::default(), tutela_core::Timestamp::from_secs(0));
        for check in [data::CHECKS, ledger::CHECKS, people::CHECKS, probe::CHECKS].into_iter().flatten() {
            let finding = check.run(&nothing);
            assert_eq!(finding.outcome, Outcome::NoData, "{}: {}", check.name, finding.why);
        }
    }

    #[test]
    fn every_check_is_used_by_a_control() {
        let used: Vec<&str> = crate::own().iter().flat_map(|of| &of.controls).flat_map(|control| control.checks.iter().map(String::as_str)).collect();
        let unused: Vec<&str> = checks().map(|check| check.name).filter(|name| !used.contains(name)).collect();
        assert!(unused.is_empty() && AWAITED.iter().all(|name| used.contains(name)), "{unused:?}");
    }
}
