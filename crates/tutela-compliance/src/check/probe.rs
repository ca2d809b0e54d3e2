//! What came of requests that were sent through the gateway to see what happens.

use std::time::Duration;

use super::{Check, fail, no_data, none_of, pass};
use crate::{
    facts::{AN_HOUR, Facts, Probed, QUARTER_HOUR},
    finding::Finding,
};

const SOURCE: &str = "tutela compliance probe";
/// How old a probe may be.
const WITHIN: Duration = Duration::from_secs(8 * 86_400);

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "attacks-refused",
        looks_at: "an attack on each route that the probe may open is refused before the application, and recorded",
        judge: attacks,
    },
    Check { name: "idle-refused-15-minutes", looks_at: "a session that was idle for 15 minutes opens nothing", judge: |facts| idle(facts, QUARTER_HOUR) },
    Check { name: "idle-refused-an-hour", looks_at: "a session that was idle for an hour opens nothing", judge: |facts| idle(facts, AN_HOUR) },
    Check { name: "requests-recorded", looks_at: "of each request that is sent the ledger has a record", judge: recorded },
];

fn probed(facts: &Facts, judge: impl Fn(&Probed) -> Finding) -> Finding {
    match &facts.probed {
        None => no_data("nothing was probed yet; `compliance.probes = false` turns probes off", SOURCE),
        Some(of) if of.at + WITHIN <= facts.now => no_data("nothing was probed for more than a week", SOURCE),
        Some(of) => judge(of),
    }
}

fn attacks(facts: &Facts) -> Finding {
    probed(facts, |of| {
        let finding = none_of(&of.passed, (of.attacked, "routes that were attacked"), "let the attack through", SOURCE);
        let finding = match of.silent.is_empty() || !of.passed.is_empty() {
            true => finding,
            false => no_data("a route could not be probed", SOURCE).sampled(&of.silent),
        };
        finding.counted("unreached", of.unreached.len() as u64)
    })
}

fn idle(facts: &Facts, seconds: u32) -> Finding {
    probed(facts, |of| match of.idle.get(&seconds) {
        None => no_data("no session could be probed", SOURCE).sampled(&of.silent),
        Some(true) => fail(format!("a session that nobody had used for {seconds} s opened a page"), SOURCE),
        Some(false) => pass(format!("a session that nobody had used for {seconds} s was refused"), SOURCE),
    })
}

fn recorded(facts: &Facts) -> Finding {
    probed(facts, |of| none_of(&of.unrecorded, (of.sent, "requests that were sent"), "have no record in the ledger", SOURCE))
}
