//! The technical and organisational measures that are in place (Art. 32 GDPR; 45 CFR 164.312; PCI DSS), said from what is
//! configured and found now: what is off is said to be off.

use tutela_compliance::Facts;

pub(super) fn measures(facts: &Facts, controller: &str) -> String {
    let mut text = format!(
        "# Technical and organisational measures{}\n\nAs configured and found at {}.\n",
        if controller.is_empty() { String::new() } else { format!(" of {controller}") },
        facts.now
    );
    let mut section = |title: &str, lines: Vec<String>| {
        text += &format!("\n## {title}\n\n");
        for line in lines {
            text += &format!("- {line}\n");
        }
    };
    let settings = &facts.settings;
    let on = |is_on: bool, yes: &str, no: &str| if is_on { yes.to_owned() } else { format!("NOT in place: {no}") };
    section(
        "Access (Art. 32(1)(b); 164.312(a), (d); PCI DSS 7, 8)",
        vec![
            format!(
                "Passwords have at least {} characters{}.",
                settings.password_length,
                if settings.letters_and_digits { ", with letters and digits" } else { "" }
            ),
            on(!settings.weak_hashes, "Passwords are kept as argon2id hashes.", "password hashes cost less than the standards ask for."),
            format!("{} wrong passwords lock an account for {} minutes.", settings.lockout.attempts, settings.lockout.lasts / 60),
            on(settings.required_factors >= 2, "Everybody proves two factors.", "one factor is enough to sign in."),
            on(!settings.remembers_devices, "No known device passes by the second factor.", "a device that is known passes by the second factor."),
            format!("Sessions end after {} minutes without use, administrators' after {}.", settings.idle / 60, settings.admin_idle / 60),
        ],
    );
    let mut sealing =
        vec![on(settings.encrypted, "People's pages are reached over TLS, or from this machine alone.", "people's pages are reached without TLS.")];
    if let Some(routes) = &facts.routes {
        let all = routes.all;
        sealing.push(on(
            routes.clear.is_empty(),
            "Requests travel to other machines encrypted.",
            &format!("requests travel in the clear to {}.", routes.clear.join(", ")),
        ));
        sealing.push(format!("A firewall blocks before {} of {all} routes.", all.saturating_sub(routes.unguarded.len() as u64)));
    }
    if let Some(keys) = &facts.keys {
        sealing.push(format!(
            "{} keys seal fields; {} of them should have been rotated; the keys that wrap them are kept by `{}`.",
            keys.named,
            keys.overdue.len(),
            keys.provider
        ));
    }
    section("Encryption and transport (Art. 32(1)(a); 164.312(a)(2)(iv), (e); PCI DSS 3, 4, 6.4.2)", sealing);
    let mut records = vec!["Every event is in a tamper-evident ledger; personal fields are sealed under keys of their own.".to_owned()];
    records.push(match &facts.verified {
        Some(of) if of.flaw.is_none() => format!("All {} entries were verified at {}.", of.entries, of.at),
        Some(_) => "NOT in place: the ledger does not verify.".into(),
        None => "NOT in place: the ledger was not verified yet.".into(),
    });
    records.extend(settings.ledger_days.iter().map(|(class, days)| format!("Events of the class `{class}` are kept {days} days.")));
    if let Some(ledger) = &facts.ledger {
        records.push(on(!ledger.sinks.is_empty(), &format!("Copies are kept by {} sinks.", ledger.sinks.len()), "no copy of the ledger is elsewhere."));
    }
    section("Records (Art. 5(2); 164.312(b), (c); PCI DSS 10)", records);
    let mut care = vec![
        on(settings.own_rules, "Rules of detection watch every event.", "the rules that come with tutela are off."),
        on(settings.alerts_told, "Alerts are sent.", "alerts stand in the console alone."),
        on(settings.backups_scheduled, "Sealed backups are made by a schedule.", "no backup is scheduled."),
    ];
    if let Some(operation) = &facts.operation {
        care.push(match operation.rehearsed {
            Some((at, true)) => format!("A restore was rehearsed at {at}."),
            _ => "NOT in place: no restore was rehearsed with success.".into(),
        });
    }
    section("Detection and recovery (Art. 32(1)(b)-(c); 164.308(a)(7); PCI DSS 10.4, 12.10)", care);
    let mut people = vec![on(settings.consent_required, "Consent is waited for where it is the ground.", "consent is not waited for.")];
    people.extend(settings.rights_off.iter().map(|right| format!("NOT in place: people cannot ask for {right} here.")));
    people.extend(settings.data_days.iter().map(|(class, days)| format!("Data of the class `{class}` is kept {days} days.")));
    section("People's data and rights (Art. 12 to 22; CCPA)", people);
    if !settings.weakened.is_empty() {
        section("Weaker than the standards have it", settings.weakened.clone());
    }
    text
}
