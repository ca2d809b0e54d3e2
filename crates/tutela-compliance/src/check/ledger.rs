//! What is recorded, how it is kept, and whether somebody looks.

use std::time::Duration;

use tutela_core::Timestamp;

use super::{Check, fail, no_data, none_of, pass};
use crate::{
    facts::{Facts, Ledger, Operation},
    finding::Finding,
};

const DAY: Duration = Duration::from_secs(86_400);
/// How old a rehearsed restore may be, in days.
const REHEARSED_WITHIN: u32 = 92;

/// The seven kinds of PCI DSS 10.2.1, each with the types that show it: one of them is enough.
pub const SEVEN: [(&str, &[&str]); 7] = [
    ("10.2.1.1 access to card data", &["data_access", "secure_access", "gateway.request"]),
    (
        "10.2.1.2 actions of administrators",
        &["account.created", "account.roles_changed", "role.changed", "client.created", "purpose.changed", "configuration.reloaded"],
    ),
    ("10.2.1.3 access to records", &["ledger.exported"]),
    ("10.2.1.4 refused access", &["sign_in.failed", "access.denied", "action.refused"]),
    (
        "10.2.1.5 changes of credentials and permissions",
        &["password.changed", "authenticator.added", "account.roles_changed", "grant.given", "client.key_rolled"],
    ),
    ("10.2.1.6 begin and end of recording", &["server.started", "server.stopped", "ledger.silent"]),
    ("10.2.1.7 things made and removed", &["account.created", "account.deleted", "key.created", "key.destroyed"]),
];

pub(super) const CHECKS: &[Check] = &[
    Check { name: "finds-open-incidents", looks_at: "a card number that is found opens an incident", judge: finds },
    Check { name: "ledger-verifies", looks_at: "the whole ledger was hashed again and fits", judge: verifies },
    Check { name: "no-clear-card-numbers", looks_at: "no card number lies in a store or in the ledger", judge: card_numbers },
    Check { name: "opt-outs-count", looks_at: "nothing is sold or shared after an opt-out", judge: opt_outs },
    Check { name: "failed-sign-ins-watched", looks_at: "failed sign-ins are recorded, and rules watch", judge: failed_sign_ins },
    Check {
        name: "incidents-worked",
        looks_at: "incidents are worked on",
        judge: |facts| operation(facts, |of| none_of(&of.incidents_idle, (of.incidents_open, "incidents"), "were left alone for a week", "GET /v1/incidents")),
    },
    Check { name: "keys-in-order", looks_at: "keys rotate in time", judge: keys },
    Check { name: "ledger-copied", looks_at: "a copy of the ledger is elsewhere", judge: copied },
    Check { name: "objections-count", looks_at: "nothing is done after an objection", judge: objections },
    Check { name: "restore-rehearsed", looks_at: "a restore was rehearsed within three months", judge: rehearsed },
    Check { name: "rules-watch", looks_at: "rules watch the ledger", judge: rules },
    Check { name: "seven-kinds-recorded", looks_at: "all seven kinds were recorded within 90 days", judge: seven },
    Check { name: "uses-name-purposes", looks_at: "each use of personal data names a purpose", judge: uses },
    Check { name: "withdrawals-count", looks_at: "nothing is done after consent was taken back", judge: withdrawals },
];

/// How old a look at everything may be, in days.
const LOOKED_WITHIN: u32 = 8;
const SCAN: &str = "tutela compliance scan";

const SEARCH: &str = "GET /v1/events";

fn ledger(facts: &Facts, judge: impl Fn(&Ledger) -> Finding) -> Finding {
    facts.ledger.as_ref().map_or_else(|| Finding::silent(SEARCH), judge)
}

fn operation(facts: &Facts, judge: impl Fn(&Operation) -> Finding) -> Finding {
    facts.operation.as_ref().map_or_else(|| Finding::silent(SEARCH), judge)
}

fn within(facts: &Facts, at: Timestamp, days: u32) -> bool {
    facts.now < at + DAY * days
}

fn uses(facts: &Facts) -> Finding {
    ledger(facts, |of| {
        none_of(&of.uses_without_purpose, (of.uses, "uses of personal data in 90 days"), "name no purpose that is registered", "type:data_processing")
    })
}

/// Whether data was used though somebody had said no in one of these ways; `noes` is how often they did.
fn after_no(facts: &Facts, whys: &[&str], noes: fn(&Ledger) -> u64, source: &str) -> Finding {
    ledger(facts, |of| {
        let wrong: Vec<&String> = whys.iter().filter_map(|why| of.uses_without_ground.get(*why)).flatten().collect();
        let (noes, count) = (noes(of), wrong.len() as u64);
        let finding = match (count, noes, of.uses) {
            (1.., ..) => fail("data was used though the person had said no", source),
            (0, 0, _) => no_data("nobody has said no within 90 days", source),
            (0, _, 0) => no_data("no application reports what it uses data for", source),
            (0, ..) => pass(format!("of {} uses none was of somebody who had said no", of.uses), source),
        };
        finding.counted("noes", noes).counted("uses", of.uses).sampled(wrong)
    })
}

fn withdrawals(facts: &Facts) -> Finding {
    after_no(facts, &["refused", "consent_missing"], |of| of.taken_back, "type:consent.withdrawn, type:data_processing")
}

fn objections(facts: &Facts) -> Finding {
    after_no(facts, &["objected", "restricted"], |of| of.refused, "type:consent.refused, type:data_processing")
}

fn opt_outs(facts: &Facts) -> Finding {
    const SOURCE: &str = "type:data_processing, GET /v1/subject-requests";
    let Some(requests) = &facts.requests else { return Finding::silent(SOURCE) };
    ledger(facts, |of| {
        let wrong = of.uses_without_ground.get("opted_out").map_or(&[][..], Vec::as_slice);
        let finding = match (wrong.len(), requests.opt_outs, of.uses) {
            (1.., ..) => fail("data was sold or shared though the person had opted out", SOURCE),
            (0, 0, _) => no_data("nobody has opted out", SOURCE),
            (0, _, 0) => no_data("no application reports what it uses data for", SOURCE),
            (0, ..) => pass(format!("of {} uses none was of somebody who had opted out of it", of.uses), SOURCE),
        };
        finding.counted("opt_outs", requests.opt_outs).counted("uses", of.uses).sampled(wrong)
    })
}

fn verifies(facts: &Facts) -> Finding {
    match &facts.verified {
        None => no_data("the ledger was not verified yet", SCAN),
        Some(of) => match &of.flaw {
            Some(flaw) => fail(format!("{flaw}: see `tutela audit verify`"), SCAN),
            None if !within(facts, of.at, LOOKED_WITHIN) => no_data("the ledger was not verified for more than a week", SCAN),
            None => pass(format!("verified at {}", of.at), SCAN),
        }
        .counted("entries", of.entries),
    }
}

fn card_numbers(facts: &Facts) -> Finding {
    match &facts.cards {
        None => no_data("nobody has looked for card numbers yet", SCAN),
        Some(of) => {
            let rows = of.found.values().sum();
            let finding = match rows {
                0 if !within(facts, of.at, LOOKED_WITHIN) => no_data("nobody has looked for card numbers for more than a week", SCAN),
                0 if !of.unlooked.is_empty() => no_data("a store could not be looked through", SCAN).sampled(&of.unlooked),
                0 => pass(format!("none was found at {}", of.at), SCAN),
                _ => fail(format!("card numbers lie in the clear in {rows} rows"), SCAN).sampled(of.found.keys()),
            };
            finding.counted("rows", rows).counted("stores", of.looked)
        }
    }
}

fn finds(facts: &Facts) -> Finding {
    const SOURCE: &str = "GET /v1/rules, GET /v1/incidents";
    match &facts.cards {
        None => no_data("nobody has looked for card numbers yet", SOURCE),
        Some(of) if !of.watched => fail("no rule makes an incident of a card number that is found: `detection.own_rules = true`", SOURCE),
        Some(of) if !of.found.is_empty() && of.incidents == 0 => fail("card numbers were found, and no incident was opened", SOURCE),
        Some(of) => pass("the rule `card_number_found` watches", SOURCE).counted("finds", of.found.len() as u64).counted("incidents", of.incidents),
    }
}

fn copied(facts: &Facts) -> Finding {
    const SOURCE: &str = "GET /v1/sinks";
    ledger(facts, |of| {
        let behind: Vec<String> = of.sinks.iter().filter(|(_, follows)| !**follows).map(|(name, _)| name.clone()).collect();
        if of.sinks.is_empty() {
            return fail("the ledger is on this machine alone: add a sink", SOURCE);
        }
        none_of(&behind, (of.sinks.len() as u64, "sinks"), "do not follow", SOURCE)
    })
}

fn seven(facts: &Facts) -> Finding {
    const SOURCE: &str = "GET /v1/events/counts?by=type";
    ledger(facts, |of| {
        let seen = |types: &&[&str]| types.iter().any(|kind| of.types.get(*kind).is_some_and(|count| *count > 0));
        let missing: Vec<&str> = SEVEN.iter().filter(|(_, types)| !seen(types)).map(|(name, _)| *name).collect();
        let finding = if of.entries == 0 {
            no_data("the ledger is empty", SOURCE)
        } else if missing.is_empty() {
            pass("each of the seven kinds was recorded", SOURCE)
        } else if missing.len() < SEVEN.len() && of.oldest.is_some_and(|oldest| within(facts, oldest, 30)) {
            no_data("the ledger is younger than 30 days, and not every kind has happened", SOURCE)
        } else {
            fail("kinds of events that were not recorded within 90 days", SOURCE)
        };
        let samples: Vec<String> =
            if missing.is_empty() { of.kinds.values().cloned().collect() } else { missing.iter().map(|&name| name.to_owned()).collect() };
        finding.counted("kinds", (SEVEN.len() - missing.len()) as u64).sampled(samples)
    })
}

fn failed_sign_ins(facts: &Facts) -> Finding {
    const SOURCE: &str = "type:sign_in.failed, GET /v1/rules";
    let Some(operation) = &facts.operation else { return Finding::silent(SOURCE) };
    ledger(facts, |of| {
        let count = of.types.get("sign_in.failed").copied().unwrap_or(0);
        let finding = match (operation.sign_in_rules, count) {
            (0, _) => fail("no rule watches them: `detection.own_rules = true`", SOURCE),
            (_, 0) => no_data("nobody has failed to sign in within 90 days", SOURCE),
            (rules, _) => pass(format!("recorded, and watched by {rules} rules"), SOURCE),
        };
        finding.counted("failed", count)
    })
}

fn rules(facts: &Facts) -> Finding {
    operation(facts, |of| {
        let source = "GET /v1/rules";
        let finding = if of.rules == 0 { fail("no rule watches: `detection.own_rules = true`", source) } else { pass("rules watch every event", source) };
        finding.counted("rules", of.rules)
    })
}

fn rehearsed(facts: &Facts) -> Finding {
    const SOURCE: &str = "type:backup.rehearsed";
    operation(facts, |of| match of.rehearsed {
        None => no_data("no restore was rehearsed: `tutela backup drill FILE`", SOURCE),
        Some((at, false)) => fail(format!("the rehearsal of {at} failed"), SOURCE),
        Some((at, true)) if within(facts, at, REHEARSED_WITHIN) => pass(format!("rehearsed at {at}"), SOURCE),
        Some((at, true)) => fail(format!("rehearsed last at {at}, more than three months ago"), SOURCE),
    })
}

fn keys(facts: &Facts) -> Finding {
    const SOURCE: &str = "GET /v1/crypto/keys";
    facts.keys.as_ref().map_or_else(|| Finding::silent(SOURCE), |of| none_of(&of.overdue, (of.named, "keys"), "should have been rotated", SOURCE))
}
