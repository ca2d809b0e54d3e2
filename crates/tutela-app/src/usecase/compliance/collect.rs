//! Collecting what is so. What cannot be had is absent and said in the log; a check that needs it has no data.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use tutela_compliance::{Breaches, Cards, Facts, Keys, Ledger, Mapped, Operation, People, Requests, Routes, SEVEN, Verified};
use tutela_core::Timestamp;
use tutela_privacy::{Basis, check, plan::StoreKind, taxonomy::is_within};

use super::{
    assess::has_expired,
    breach,
    data_use::{NONE, UNREGISTERED},
    probe, scan,
    setting::{Said, is_here, settings},
};
use crate::{
    App, Ctx, Error,
    usecase::{
        privacy::{expiry, package::is_withheld, record},
        search::{self, sequenced},
    },
};

const DAY: Duration = Duration::from_secs(86_400);
/// How far back the ledger is looked at, in days.
const BACK: u32 = 90;
/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Rows of one question.
const PAGE: u32 = 500;

/// All of it.
pub(super) async fn facts(app: &App, ctx: &Ctx) -> Facts {
    let ledger = had("the ledger", ledger(app, ctx)).await;
    let operation = had("operation", operation(app, ctx)).await;
    let probed = had("the last probe", probe::last(app)).await.flatten();
    let looked = had("the last look at everything", scan::last(app)).await.flatten();
    // A ledger that does not fit says nothing.
    let fits = looked.as_ref().is_none_or(|of| of.flaw.is_none());
    let (ledger, operation) = (ledger.filter(|_| fits), operation.filter(|_| fits));
    Facts {
        now: ctx.now,
        settings: settings(&said(app)),
        people: had("people", people(app, ctx)).await,
        requests: had("requests", requests(app, ctx)).await,
        mapped: had("stores", mapped(app, ctx)).await,
        keys: had("keys", keys(app, ctx)).await,
        ledger,
        operation,
        routes: routes(app),
        breaches: had("breaches", breaches(app, ctx)).await,
        verified: looked.as_ref().map(|of| Verified { at: of.at, entries: of.entries, flaw: of.flaw.clone() }),
        probed: probed.filter(|last| app.compliance.probes && last.gateway == probe::gateway(app)).map(|last| last.facts(ctx.now)),
        cards: match looked {
            Some(looked) => had("card numbers", cards(app, looked)).await,
            None => None,
        },
    }
}

/// What the configuration of this process says.
pub(super) fn said(app: &App) -> Said<'_> {
    Said {
        compliance: &app.compliance,
        identity: &app.identity,
        limits: &app.limits,
        privacy: &app.privacy,
        rules: &app.rules,
        public_url: &app.urls.public,
        backups: app.backup.every.is_some(),
        detection: &app.detection.config,
        alerts: &app.detection.alerts,
    }
}

/// Facts where they can be had in time: nobody waits for a collector that hangs, and what it would have said nobody knows.
async fn had<T>(what: &str, facts: impl Future<Output = Result<T, Error>>) -> Option<T> {
    let late = |_| Err(Error::Conflict(format!("no answer within {} s", PATIENCE.as_secs())));
    let facts = tokio::time::timeout(PATIENCE, facts).await.unwrap_or_else(late);
    facts.inspect_err(|e| tracing::warn!(error = %e, "facts about {what} could not be collected; what is judged by them has no data")).ok()
}

async fn people(app: &App, ctx: &Ctx) -> Result<People, Error> {
    let found = app.store.access_facts(ctx.now, ctx.now - DAY * BACK, ctx.now - DAY * 365).await?;
    let ids = |list: Vec<uuid::Uuid>| list.into_iter().map(|id| id.to_string()).collect();
    Ok(People {
        enabled: found.enabled,
        idle: ids(found.idle),
        leavers_inside: ids(found.leavers_inside),
        disabled: found.disabled,
        admins_without_second: ids(found.admins_without_second),
        admins: found.admins,
        grants_unapproved: ids(found.grants_unapproved),
        grants: found.grants,
        old_passwords: ids(found.old_passwords),
        password_only: found.password_only,
        old_program_keys: ids(found.old_program_keys),
        program_keys: found.program_keys,
    })
}

async fn requests(app: &App, ctx: &Ctx) -> Result<Requests, Error> {
    let mut facts = Requests::default();
    let (mut before, today) = (None, ctx.now.date().to_string());
    loop {
        let rows = app.store.subject_request_list(before, PAGE).await?;
        for row in &rows {
            let id = || row.id.to_string();
            *facts.of.entry(row.law.clone()).or_default() += 1;
            facts.opt_outs += u64::from(row.kind == "do_not_sell");
            let ended = row.closed_at.map_or_else(|| today.clone(), |at| at.date().to_string());
            if ended > row.due_on {
                facts.late.entry(row.law.clone()).or_default().push(id());
            }
            if row.state == "refused" {
                *facts.refused.entry(row.law.clone()).or_default() += 1;
                if row.progress["reason"].as_str().is_none_or(|why| why.trim().is_empty()) {
                    facts.unreasoned.entry(row.law.clone()).or_default().push(id());
                }
            }
            if matches!(row.kind.as_str(), "erasure" | "delete") {
                match row.state.as_str() {
                    "completed" => facts.erasures += 1,
                    "stopped" | "partial" => facts.erasures_unfinished.push(id()),
                    _ => {}
                }
            }
        }
        match rows.last() {
            Some(last) if rows.len() == PAGE as usize => before = Some(last.id),
            _ => break,
        }
    }
    let holds: Vec<_> = app.store.privacy_hold_list_all().await?.into_iter().filter(|row| row.released_at.is_none()).collect();
    facts.holds = holds.len() as u64;
    facts.holds_incomplete =
        holds.iter().filter(|row| row.until.is_none() || row.article.is_empty() || row.owner.is_empty()).map(|row| row.id.to_string()).collect();
    for purpose in app.purposes.load().values() {
        facts.purposes += 1;
        if purpose.notice.text.trim().is_empty() {
            facts.without_notice.push(purpose.name.clone());
        }
        if purpose.retention_days.is_none() {
            facts.without_retention.push(purpose.name.clone());
        }
        if purpose.basis == Basis::Consent && purpose.required {
            facts.forced.push(purpose.name.clone());
        }
        if purpose.special().is_some() {
            facts.special += 1;
            facts.special_ungrounded.extend(purpose.special_basis.is_none().then(|| purpose.name.clone()));
        }
        let shares = ["third_party_sharing", "sales", "marketing.advertising.third_party"].iter().any(|name| is_within(&purpose.name, name));
        facts.sharing += u64::from(shares || purpose.sells);
        facts.unsignalled.extend((shares && !purpose.sells).then(|| purpose.name.clone()));
        facts.recipients += purpose.recipients.len() as u64;
        let unplaced = purpose.recipients.iter().filter(|of| of.country.is_none()).map(|of| format!("{}: {}", purpose.name, of.name));
        facts.recipients_unplaced.extend(unplaced);
    }
    (facts.consents, facts.consents_unproven) = unproven(app, ctx).await?;
    facts.record_gaps = record::made(app, ctx).await?.gaps.into_iter().map(|gap| gap.place).collect();
    Ok(facts)
}

async fn mapped(app: &App, ctx: &Ctx) -> Result<Mapped, Error> {
    let mut facts = Mapped::default();
    for (name, store) in app.data_stores.iter() {
        facts.stores += 1;
        let schema = match store.schema().await {
            Ok(schema) => schema,
            Err(_) => {
                facts.silent.push(name.clone());
                continue;
            }
        };
        let Some(dataset) = app.data_stores.dataset(name) else { continue };
        if store.kind() == StoreKind::Tables {
            facts.unmapped.extend(check::drift(dataset, &schema).into_iter().map(|finding| finding.place));
        }
        for collection in &dataset.collections {
            facts.timed += u64::from(collection.own.retention.is_some());
            let codes = collection.flat().into_iter().filter(|(path, _)| is_card_code(path));
            for (path, field) in collection.flat().into_iter().filter(|(path, field)| is_withheld(field) || is_secret(path)) {
                facts.secrets += 1;
                facts.secrets_sent.extend((!is_withheld(field)).then(|| format!("{name}.{}.{path}", collection.name)));
            }
            facts.card_codes.extend(codes.map(|(path, _)| format!("{name}.{}.{path}", collection.name)));
        }
    }
    if facts.timed > 0 && facts.silent.is_empty() {
        let over = expiry::overdue(app, ctx).await?;
        facts.unlooked = over.iter().filter_map(|of| Some(format!("{}: {}", of.place, of.problem.as_ref()?))).collect();
        facts.overdue = over.into_iter().filter(|of| of.expired > 0).map(|of| (of.place, of.expired)).collect();
    }
    Ok(facts)
}

/// Whether a field holds what PCI DSS forbids to keep, by its name.
fn is_card_code(name: &str) -> bool {
    named(name, &["cvv", "cvv2", "cvc", "cvc2", "pin", "track1", "track2"], &["cardcode", "securitycode", "trackdata", "pinblock"])
}

/// Whether a field holds what 11 CCR 7024(d) forbids to send, by its name.
fn is_secret(name: &str) -> bool {
    let parts = ["socialsecurity", "driverlicense", "driverslicense", "driverlicence", "securityanswer", "accountnumber"];
    named(name, &["ssn", "password", "passwd", "passport", "iban", "fingerprint", "biometric"], &parts)
}

/// Whether a name has one of some words, or one of some parts when its words are put together.
fn named(name: &str, known: &[&str], parts: &[&str]) -> bool {
    let mut spaced = String::new();
    let mut last = ' ';
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && last.is_ascii_lowercase() {
            spaced.push('_');
        }
        spaced.push(letter.to_ascii_lowercase());
        last = letter;
    }
    let words: Vec<&str> = spaced.split(['_', '-', '.']).filter(|word| !word.is_empty()).collect();
    let whole = words.concat();
    words.iter().any(|word| known.contains(word)) || parts.iter().any(|part| whole.contains(part))
}

async fn cards(app: &App, looked: scan::Last) -> Result<Cards, Error> {
    const RULE: &str = "card_number_found";
    let incidents = app.store.incident_list("all", None, 1_000).await?;
    Ok(Cards {
        at: looked.at,
        looked: looked.looked,
        unlooked: looked.unlooked,
        found: looked.found,
        watched: app.detection.running().rules.iter().any(|rule| rule.name == RULE),
        incidents: incidents.iter().filter(|row| row.rules.iter().any(|rule| rule == RULE)).count() as u64,
    })
}

/// Newest words of consent whose receipt is not in the ledger, or says something else; and how many were looked at.
async fn unproven(app: &App, ctx: &Ctx) -> Result<(u64, Vec<String>), Error> {
    const NEWEST: u32 = 200;
    let rows = app.store.consent_latest(NEWEST).await?;
    let (mut looked, mut unproven) = (0, Vec::new());
    for row in &rows {
        let event = match sequenced(app, row.event).await {
            Ok(stored) => app.open_event(&stored).await?,
            Err(_) if has_expired(app, ctx, row.event) => continue,
            Err(_) => Value::Null,
        };
        looked += 1;
        let receipt = &event["personal"]["receipt"];
        let agrees = event["type"] == format!("consent.{}", row.said)
            && event["data"]["version"] == row.notice_version
            && event["resource"]["id"] == row.purpose
            && (receipt.is_object() || event["personal"].is_null());
        if !agrees {
            unproven.push(row.event.to_string());
        }
    }
    Ok((looked, unproven))
}

async fn breaches(app: &App, ctx: &Ctx) -> Result<Breaches, Error> {
    let mut facts = Breaches::default();
    for (id, duty, has_reason) in breach::owed(app).await? {
        *facts.of.entry(duty.law.into()).or_default() += 1;
        if duty.is_late(ctx.now) && !has_reason {
            facts.late.entry(duty.law.into()).or_default().push(id.to_string());
        }
    }
    Ok(facts)
}

async fn keys(app: &App, ctx: &Ctx) -> Result<Keys, Error> {
    let mut facts = Keys { provider: app.ring.provider()?.name().to_owned(), ..Keys::default() };
    let mut before = None;
    loop {
        let keys = app.store.key_list(before, PAGE).await?;
        for key in &keys {
            facts.named += 1;
            if key.rotation.is_some_and(|every| key.rotated_at + every + DAY * 7 < ctx.now) {
                facts.overdue.push(key.name.clone());
            }
        }
        match keys.last() {
            Some(last) if keys.len() == PAGE as usize => before = Some(last.id),
            _ => return Ok(facts),
        }
    }
}

async fn ledger(app: &App, ctx: &Ctx) -> Result<Ledger, Error> {
    let totals = app.store.event_totals(hour(ctx.now - DAY * BACK), hour(ctx.now) + 1).await?;
    let mut types: BTreeMap<String, u64> = BTreeMap::new();
    let mut oldest = None;
    for total in &totals {
        oldest.get_or_insert(Timestamp::from_secs(total.hour * 3_600));
        *types.entry(total.kind.clone()).or_default() += total.events;
    }
    let mut kinds = BTreeMap::new();
    for (kind, types) in SEVEN {
        let newest = search::clear_page(app, &search::query(&format!("type:{}", types.join(",")))?, None, 1).await?.items.pop();
        kinds.extend(newest.and_then(|(_, event)| Some((kind.to_owned(), event["id"].as_str()?.to_owned()))));
    }
    let sinks = app.store.sink_list().await?.into_iter().map(|row| (row.name, row.state == "following")).collect();
    let mut facts = Ledger { entries: app.store.log_head().await?.0, types, kinds, sinks, oldest, ..Ledger::default() };
    for used in app.store.data_use_list((ctx.now - DAY * BACK).secs().div_euclid(86_400)).await? {
        facts.uses += used.events;
        if used.ground == UNREGISTERED {
            // Registering the purpose is the repair.
            if !app.purposes.load().contains_key(&used.purpose) {
                facts.uses_without_purpose.push(used.sample.to_string());
            }
        } else if let Some(why) = used.ground.strip_prefix(NONE) {
            facts.uses_without_ground.entry(why.to_owned()).or_default().push(used.sample.to_string());
        }
    }
    let of = |kind: &str| facts.types.get(kind).copied().unwrap_or(0);
    (facts.taken_back, facts.refused) = (of("consent.withdrawn"), of("consent.refused"));
    Ok(facts)
}

async fn operation(app: &App, ctx: &Ctx) -> Result<Operation, Error> {
    let newest = search::clear_page(app, &search::query("type:backup.rehearsed")?, None, 1).await?.items.pop();
    let rehearsed = newest.and_then(|(_, event)| Some((event["time"].as_str()?.parse().ok()?, event["outcome"] == "success")));
    let (running, failed) = (app.detection.running(), json!({"type": "sign_in.failed", "outcome": "failure"}));
    let mut facts = Operation {
        rehearsed,
        rules: running.rules.iter().count() as u64,
        sign_in_rules: running.rules.iter().filter(|rule| rule.looks_at(&failed)).count() as u64,
        ..Operation::default()
    };
    for state in ["open", "acknowledged", "contained"] {
        for row in app.store.incident_list(state, None, 1_000).await? {
            facts.incidents_open += 1;
            if row.updated_at + DAY * 7 < ctx.now {
                facts.incidents_idle.push(row.id.to_string());
            }
        }
    }
    Ok(facts)
}

fn hour(at: Timestamp) -> i64 {
    at.secs().div_euclid(3_600)
}

fn routes(app: &App) -> Option<Routes> {
    let status = app.gateway.get()?.status();
    let urls = status.upstreams.iter().flat_map(|upstream| &upstream.servers).map(|server| server.url.clone());
    let cards = || status.routes.iter().filter(|route| route.frameworks.iter().any(|of| of == "pci-dss"));
    Some(Routes {
        cards: cards().count() as u64,
        unmasked: cards().filter(|route| route.card_numbers == "clear").map(|route| route.name.clone()).collect(),
        clear: urls.filter(|url| url.starts_with("http://") && !is_here(url)).collect(),
        all: status.routes.len() as u64,
        unguarded: status.routes.iter().filter(|route| route.waf_mode != "block").map(|route| route.name.clone()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::{is_card_code, is_secret};

    #[test]
    fn fields_are_known_by_their_names_and_other_words_are_not() {
        for name in ["cvv", "CVV", "card_cvc2", "cardCvv", "CardCode", "SECURITY_CODE", "track1", "card.pinBlock", "pin"] {
            assert!(is_card_code(name), "{name}");
        }
        for name in ["pinned", "shipping", "opinion", "code", "postcode", "tracking"] {
            assert!(!is_card_code(name), "{name}");
        }
        for name in ["ssn", "Password", "driver_license_no", "bankAccountNumber", "passport"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["passage", "account", "number", "answer"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
