//! What the configuration says.

use super::{Check, fail, no_data, pass};
use crate::{
    facts::{AN_HOUR, Facts, ONE_YEAR, QUARTER_HOUR, SIX_YEARS, TWO_YEARS},
    finding::Finding,
};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "access-on", looks_at: "people can ask what is held", judge: |facts| right(facts, "access") },
    Check { name: "backups-scheduled", looks_at: "backups are made by themselves", judge: backups },
    Check { name: "card-numbers-masked", looks_at: "routes under PCI DSS show card numbers masked", judge: masked },
    Check { name: "erasure-on", looks_at: "people can ask for erasure", judge: |facts| right(facts, "erasure") },
    Check { name: "factors-not-replayed", looks_at: "no known device passes by the second factor", judge: replayed },
    Check { name: "firewall-blocks", looks_at: "before every route a firewall blocks", judge: firewall },
    Check { name: "idle-15-minutes", looks_at: "sessions end after 15 minutes without use", judge: idle_quarter },
    Check { name: "idle-logoff", looks_at: "sessions end when nobody uses them", judge: idle },
    Check { name: "keys-wrapped", looks_at: "keys are wrapped by keys that are elsewhere", judge: wrapped },
    Check { name: "ledger-kept-a-year", looks_at: "every class of events is kept for a year", judge: |facts| kept(facts, ONE_YEAR, "a year") },
    Check { name: "lockout", looks_at: "at most ten bad tries, and half an hour", judge: lockout },
    Check { name: "nothing-without-a-yes", looks_at: "consent is waited for, and no purpose forces it", judge: yes },
    Check { name: "passwords-long", looks_at: "passwords have twelve characters, letters and digits", judge: passwords },
    Check { name: "portability-on", looks_at: "people can take their data along", judge: |facts| right(facts, "portability") },
    Check { name: "records-kept-six-years", looks_at: "records are kept for six years", judge: |facts| records(facts, SIX_YEARS, "six years") },
    Check { name: "rectification-on", looks_at: "people can have data put right", judge: |facts| right(facts, "rectification") },
    Check { name: "requests-kept-24-months", looks_at: "records of requests are kept for 24 months", judge: |facts| records(facts, TWO_YEARS, "24 months") },
    Check { name: "secrets-hashed", looks_at: "password hashes cost what the standards ask for", judge: hashes },
    Check { name: "signal-published", looks_at: "it is said that the signal is honoured", judge: signal },
    Check { name: "silence-alarms", looks_at: "silence is noticed and told", judge: silence },
    Check { name: "transport-encrypted", looks_at: "nothing travels in the clear", judge: transport },
    Check { name: "two-factors-required", looks_at: "everybody proves two factors", judge: factors },
];

fn right(facts: &Facts, right: &str) -> Finding {
    let setting = format!("privacy.data_subject_rights.{right}");
    if facts.settings.rights_off.contains(right) {
        fail(format!("`{setting} = false`: nobody can ask for it here"), &setting)
    } else {
        pass("it is on", &setting)
    }
}

fn backups(facts: &Facts) -> Finding {
    let source = "backup.schedule";
    if facts.settings.backups_scheduled { pass("by a schedule", source) } else { fail("no schedule: set `backup.schedule`", source) }
}

fn firewall(facts: &Facts) -> Finding {
    let source = "GET /v1/gateway";
    let Some(routes) = &facts.routes else { return Finding::silent(source) };
    super::none_of(&routes.unguarded, (routes.all, "routes"), "have no firewall that blocks", source)
}

fn masked(facts: &Facts) -> Finding {
    let source = "GET /v1/gateway";
    let Some(routes) = &facts.routes else { return Finding::silent(source) };
    super::none_of(
        &routes.unmasked,
        (routes.cards, "routes under `pci-dss`"),
        "show card numbers in the clear to everybody (`card_numbers = \"clear\"`)",
        source,
    )
}

fn idle_quarter(facts: &Facts) -> Finding {
    let (source, longest) = ("identity.session.timeout, identity.session.admin_timeout", facts.settings.idle.max(facts.settings.admin_idle));
    let finding = if longest <= QUARTER_HOUR {
        pass("sessions end in time", source)
    } else {
        fail(format!("a session may be idle for {longest} s: set both to 900 at most"), source)
    };
    finding.counted("seconds", u64::from(longest))
}

fn idle(facts: &Facts) -> Finding {
    let (source, longest) = ("identity.session.timeout", facts.settings.idle);
    let finding = if (1..=AN_HOUR).contains(&longest) {
        pass("sessions end by themselves", source)
    } else {
        fail(format!("a session may be idle for {longest} s: set 3600 at most"), source)
    };
    finding.counted("seconds", u64::from(longest))
}

fn wrapped(facts: &Facts) -> Finding {
    let source = "kms";
    match facts.keys.as_ref().map(|keys| keys.provider.as_str()) {
        None => Finding::silent(source),
        Some("local") => fail("the keys that wrap others lie on this machine: use a provider elsewhere (`kms.azure`, `kms.vault`)", source),
        Some(provider) => pass(format!("by {provider}"), source),
    }
}

fn kept(facts: &Facts, days: u32, time: &str) -> Finding {
    let source = "GET /v1/retention";
    let Some((class, shortest)) = facts.settings.ledger_days.iter().min_by_key(|(_, days)| **days) else {
        return no_data("no class of events is known", source);
    };
    let finding = if *shortest >= days {
        pass(format!("every class at least {time}"), source)
    } else {
        fail(format!("`{class}` is kept {shortest} days, less than {time}"), source)
    };
    finding.counted("days", u64::from(*shortest))
}

fn records(facts: &Facts, days: u32, time: &str) -> Finding {
    let source = "GET /v1/retention";
    let Some(kept) = facts.settings.ledger_days.get("compliance").copied() else { return no_data("the class `compliance` has no rule", source) };
    let finding =
        if kept >= days { pass(format!("{kept} days"), source) } else { fail(format!("{kept} days, less than {time}: set `audit.retention`"), source) };
    finding.counted("days", u64::from(kept))
}

fn lockout(facts: &Facts) -> Finding {
    let (source, rule) = ("limits.login", facts.settings.lockout);
    let finding = if rule.is_enough() {
        pass(format!("{} wrong passwords lock for {} s", rule.attempts, rule.lasts), source)
    } else {
        fail(format!("{} wrong passwords lock for {} s: ten at most, 1800 s at least", rule.attempts, rule.lasts), source)
    };
    finding.counted("attempts", u64::from(rule.attempts)).counted("seconds", rule.lasts)
}

fn yes(facts: &Facts) -> Finding {
    let source = "privacy.consent_required, GET /v1/purposes";
    if !facts.settings.consent_required {
        return fail("`privacy.consent_required = false`: nobody is asked where consent is the ground", source);
    }
    match &facts.requests {
        None => Finding::silent(source),
        Some(of) if of.purposes == 0 => no_data("no purpose is registered", source),
        Some(of) if of.forced.is_empty() => pass("no purpose is forced on anybody", source),
        Some(of) => fail("a purpose asks for consent and is required all the same: consent that is forced is none", source).sampled(&of.forced),
    }
}

fn passwords(facts: &Facts) -> Finding {
    let (source, settings) = ("identity.profile", &facts.settings);
    let finding = if settings.passwords_are_long() {
        pass(format!("at least {} characters, letters and digits", settings.password_length), source)
    } else {
        fail("shorter than 12 characters, or without letters and digits: `identity.profile = \"pci\"`", source)
    };
    finding.counted("characters", u64::from(settings.password_length))
}

fn hashes(facts: &Facts) -> Finding {
    let source = "identity.password";
    if facts.settings.weak_hashes {
        fail("`identity.password.allow_weak_for_tests = true`", source)
    } else {
        pass("argon2id at the standards' cost or above", source)
    }
}

fn signal(facts: &Facts) -> Finding {
    let source = "privacy.gpc_since, /.well-known/gpc.json";
    match &facts.settings.gpc_since {
        Some(since) => pass(format!("since {since}; the person's page says so too"), source),
        None => fail("`privacy.gpc_since` is not set: nobody is told that the signal counts", source),
    }
}

fn silence(facts: &Facts) -> Finding {
    let source = "detection.own_rules, alerts";
    if !facts.settings.own_rules {
        return fail("`detection.own_rules = false`: nobody notices silence", source);
    }
    if facts.settings.alerts_told { pass("alerts are sent", source) } else { fail("alerts stand in the console alone: set `[alerts]`", source) }
}

fn replayed(facts: &Facts) -> Finding {
    let source = "identity.mfa.remember_device";
    if facts.settings.remembers_devices {
        fail("a device that is known passes by the second factor: set `identity.mfa.remember_device = false`", source)
    } else {
        pass("codes count once, and no device passes by", source)
    }
}

fn transport(facts: &Facts) -> Finding {
    let source = "server.public_url, GET /v1/gateway";
    if !facts.settings.encrypted {
        return fail("people's pages are reached without TLS", source);
    }
    match &facts.routes {
        Some(routes) if !routes.clear.is_empty() => fail("requests travel to another machine in the clear", source).sampled(&routes.clear),
        _ => pass("over TLS, or on this machine alone", source),
    }
}

fn factors(facts: &Facts) -> Finding {
    let (source, count) = ("identity.mfa.required_factors", facts.settings.required_factors);
    let finding = if count >= 2 { pass("two of everybody", source) } else { fail("one is enough: set 2", source) };
    finding.counted("factors", u64::from(count))
}
