//! The operator's stores, what people ask for, what data is used for.

use super::{Check, fail, no_data, none_of, pass};
use crate::{
    facts::{Facts, Mapped, Requests},
    finding::Finding,
};

const REQUESTS: &str = "GET /v1/subject-requests";
const PURPOSES: &str = "GET /v1/purposes";
const STORES: &str = "GET /v1/datasets";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "consents-proven",
        looks_at: "each consent has a receipt in the ledger that says the same",
        judge: |facts| {
            of(facts, |of| none_of(&of.consents_unproven, (of.consents, "words of consent"), "have no receipt that says the same", "GET /v1/consents"))
        },
    },
    Check { name: "ccpa-refusals-reasoned", looks_at: "refusals say why", judge: |facts| reasoned(facts, "ccpa") },
    Check { name: "ccpa-requests-in-time", looks_at: "requests are answered in time", judge: |facts| in_time(facts, "ccpa") },
    Check { name: "erasures-complete", looks_at: "erasures end, with nothing found any more", judge: erasures },
    Check { name: "gdpr-breaches-in-time", looks_at: "whoever has to be told of a breach is told in time", judge: |facts| breaches(facts, "gdpr") },
    Check { name: "gdpr-refusals-reasoned", looks_at: "refusals say why", judge: |facts| reasoned(facts, "gdpr") },
    Check { name: "gdpr-requests-in-time", looks_at: "requests are answered in time", judge: |facts| in_time(facts, "gdpr") },
    Check { name: "hipaa-breaches-in-time", looks_at: "whoever has to be told of a breach is told in time", judge: |facts| breaches(facts, "hipaa") },
    Check {
        name: "holds-complete",
        looks_at: "what is kept has a law, an owner and an end",
        judge: |facts| of(facts, |of| none_of(&of.holds_incomplete, (of.holds, "holds"), "have no law, owner or end", "GET /v1/privacy/holds")),
    },
    Check { name: "maps-complete", looks_at: "every column is mapped", judge: maps },
    Check { name: "no-card-codes", looks_at: "no mapped field holds card codes, tracks or PINs", judge: card_codes },
    Check { name: "nothing-overdue", looks_at: "no row is older than its time", judge: overdue },
    Check {
        name: "notices-current",
        looks_at: "each purpose has a notice",
        judge: |facts| of(facts, |of| none_of(&of.without_notice, (of.purposes, "purposes"), "have no notice for people", PURPOSES)),
    },
    Check {
        name: "recipients-placed",
        looks_at: "of each recipient it is said where they are",
        judge: |facts| of(facts, |of| none_of(&of.recipients_unplaced, (of.recipients, "recipients"), "have no country", PURPOSES)),
    },
    Check { name: "record-complete", looks_at: "the record of processing has no gap", judge: record },
    Check {
        name: "retention-stated",
        looks_at: "each purpose says for how long",
        judge: |facts| of(facts, |of| none_of(&of.without_retention, (of.purposes, "purposes"), "do not say for how long data is kept", PURPOSES)),
    },
    Check { name: "secrets-withheld", looks_at: "what would hurt is withheld from packages", judge: secrets },
    Check {
        name: "signal-counts",
        looks_at: "a browser's signal stops every purpose that sells or shares",
        judge: |facts| of(facts, |of| none_of(&of.unsignalled, (of.sharing, "purposes that sell or share"), "do not heed the signal: `sells: true`", PURPOSES)),
    },
    Check {
        name: "special-categories-grounded",
        looks_at: "special categories have a ground of Art. 9",
        judge: |facts| {
            of(facts, |of| none_of(&of.special_ungrounded, (of.special, "purposes with special categories"), "have no ground of Art. 9(2)", PURPOSES))
        },
    },
];

fn of(facts: &Facts, judge: impl Fn(&Requests) -> Finding) -> Finding {
    facts.requests.as_ref().map_or_else(|| Finding::silent(REQUESTS), judge)
}

fn mapped(facts: &Facts, judge: impl Fn(&Mapped) -> Finding) -> Finding {
    match &facts.mapped {
        None => Finding::silent(STORES),
        Some(of) if of.stores == 0 => no_data("no store is mapped: `[privacy.stores]`", STORES),
        Some(of) if !of.silent.is_empty() => no_data("a store does not answer", STORES).sampled(&of.silent),
        Some(of) => judge(of),
    }
}

fn in_time(facts: &Facts, law: &str) -> Finding {
    of(facts, |of| {
        let late = of.late.get(law).map_or(&[][..], Vec::as_slice);
        none_of(late, (of.of.get(law).copied().unwrap_or(0), "requests"), "are or were late", REQUESTS)
    })
}

fn reasoned(facts: &Facts, law: &str) -> Finding {
    of(facts, |of| {
        let bare = of.unreasoned.get(law).map_or(&[][..], Vec::as_slice);
        none_of(bare, (of.refused.get(law).copied().unwrap_or(0), "refusals"), "give no reason", REQUESTS)
    })
}

fn breaches(facts: &Facts, law: &str) -> Finding {
    const SOURCE: &str = "GET /v1/breaches";
    let Some(of) = &facts.breaches else { return Finding::silent(SOURCE) };
    let late = of.late.get(law).map_or(&[][..], Vec::as_slice);
    none_of(late, (of.of.get(law).copied().unwrap_or(0), "duties to tell of breaches"), "are late, or were without a reason", SOURCE)
}

fn record(facts: &Facts) -> Finding {
    const SOURCE: &str = "tutela privacy record";
    of(facts, |of| match (of.purposes, of.record_gaps.len() as u64) {
        (0, _) => no_data("no purpose is registered", SOURCE),
        (_, 0) => pass("it says all that it has to", SOURCE),
        (_, gaps) => fail(format!("it cannot say {gaps} things, or they do not fit together"), SOURCE).counted("gaps", gaps).sampled(&of.record_gaps),
    })
}

fn erasures(facts: &Facts) -> Finding {
    of(facts, |of| {
        let all = of.erasures + of.erasures_unfinished.len() as u64;
        none_of(&of.erasures_unfinished, (all, "erasures"), "stopped, or are left half done", REQUESTS)
    })
}

fn maps(facts: &Facts) -> Finding {
    mapped(facts, |of| {
        if of.unmapped.is_empty() {
            pass("maps and stores agree", STORES).counted("stores", of.stores)
        } else {
            fail("columns that nobody mapped: what is in them is found by no request", STORES).counted("places", of.unmapped.len() as u64).sampled(&of.unmapped)
        }
    })
}

fn card_codes(facts: &Facts) -> Finding {
    mapped(facts, |of| {
        if of.card_codes.is_empty() {
            pass("no mapped field is one", STORES).counted("stores", of.stores)
        } else {
            fail("fields that hold card codes, tracks or PINs: they are never stored after authorisation", STORES).sampled(&of.card_codes)
        }
    })
}

fn secrets(facts: &Facts) -> Finding {
    mapped(facts, |of| {
        none_of(&of.secrets_sent, (of.secrets, "fields that would hurt"), "are sent in packages: map their category, or `tutela_meta.withhold: true`", STORES)
    })
}

fn overdue(facts: &Facts) -> Finding {
    const SOURCE: &str = "tutela privacy retention";
    mapped(facts, |of| {
        let rows = of.overdue.values().sum();
        let finding = match (of.timed, rows) {
            (0, _) => no_data("no mapped collection says how long its rows are kept: `tutela_meta.retention`", SOURCE),
            (_, 0) if !of.unlooked.is_empty() => no_data("rows could not be looked at", SOURCE).sampled(&of.unlooked),
            (_, 0) => pass("no row is over its time", SOURCE),
            (_, rows) => fail(format!("{rows} rows are over their time and still there"), SOURCE).sampled(of.overdue.keys()),
        };
        finding.counted("rows", rows).counted("collections", of.timed)
    })
}
