//! The record of processing (Art. 30(1) GDPR), made of what is registered, what is mapped and what is reported: nobody
//! keeps it by hand, and where it has a gap it says so.

use std::collections::{BTreeMap, BTreeSet};

use tutela_api as api;
use tutela_privacy::{
    Purpose,
    check::Finding,
    dataset::Dataset,
    taxonomy::{is_personal, is_within},
};

use super::places::finding;
use crate::{App, Ctx, Error, usecase::compliance::NONE};

/// How far back reported uses are counted, in days.
const BACK: i64 = 90;

/// The record as it is now.
pub async fn record(app: &App, ctx: &Ctx) -> Result<api::ProcessingRecord, Error> {
    app.permit(ctx, "purposes:read").await?;
    made(app, ctx).await
}

/// The same, for whoever judges by it.
pub(crate) async fn made(app: &App, ctx: &Ctx) -> Result<api::ProcessingRecord, Error> {
    let today = ctx.now.secs().div_euclid(86_400);
    let mut uses: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for row in app.store.data_use_list(today - BACK).await? {
        let count = uses.entry(row.purpose).or_default();
        count.0 += row.events;
        count.1 += if row.ground.starts_with(NONE) { row.events } else { 0 };
    }
    let held = held(app.data_stores.datasets());
    let purposes = app.purposes.load();
    let mut gaps = gaps(app, &held);
    gaps.extend(
        uses.keys()
            .filter(|name| !purposes.contains_key(*name))
            .map(|name| Finding { place: name.clone(), why: "applications report uses for it, and no such purpose is registered".into() }),
    );
    let activity = |purpose: &Purpose| {
        let (count, without_ground) = uses.get(&purpose.name).copied().unwrap_or_default();
        api::ProcessingActivity {
            purpose: purpose.name.clone(),
            title: purpose.title.clone(),
            ground: purpose.basis.as_str().into(),
            special_ground: purpose.special_basis.clone(),
            categories: purpose.categories.clone(),
            places: held.iter().filter(|(_, categories)| categories.iter().any(|of| covers(purpose, of))).map(|(place, _)| place.clone()).collect(),
            recipients: purpose.recipients.iter().map(|of| api::Recipient { name: of.name.clone(), country: of.country.clone() }).collect(),
            retention_days: purpose.retention_days,
            sold_or_shared: purpose.sells,
            notice_version: purpose.notice.version.clone(),
            uses: count,
            uses_without_ground: without_ground,
        }
    };
    Ok(api::ProcessingRecord {
        made_at: ctx.now.to_string(),
        controller: app.privacy.controller.clone(),
        contact: app.privacy.contact.clone(),
        activities: purposes.values().map(|purpose| activity(purpose)).collect(),
        measures: measures(app),
        gaps: gaps.into_iter().map(finding).collect(),
    })
}

/// Categories about people in each collection that is mapped.
fn held(datasets: &[Dataset]) -> BTreeMap<String, BTreeSet<String>> {
    let mut held: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (dataset, collection) in datasets.iter().flat_map(|dataset| dataset.collections.iter().map(move |collection| (dataset, collection))) {
        let categories = collection.flat().into_iter().flat_map(|(_, field)| &field.categories).filter(|of| is_personal(of)).cloned();
        held.entry(format!("{}.{}", dataset.key, collection.name)).or_default().extend(categories);
    }
    held.retain(|_, categories| !categories.is_empty());
    held
}

/// Whether a purpose speaks of a category: by its name, or by one above it.
pub(super) fn covers(purpose: &Purpose, category: &str) -> bool {
    purpose.categories.iter().any(|of| is_within(category, of))
}

/// What the record cannot say.
fn gaps(app: &App, held: &BTreeMap<String, BTreeSet<String>>) -> Vec<Finding> {
    let mut gaps = Vec::new();
    let mut say = |place: &str, why: String| gaps.push(Finding { place: place.to_owned(), why });
    if app.privacy.contact.is_empty() {
        say("privacy.contact", "nobody is told how the controller is reached (Art. 30(1)(a))".into());
    }
    let purposes = app.purposes.load();
    for purpose in purposes.values() {
        if purpose.categories.is_empty() {
            say(&purpose.name, "it names no categories of data (Art. 30(1)(c))".into());
        }
        if purpose.retention_days.is_none() {
            say(&purpose.name, "it does not say for how long data is kept (Art. 30(1)(f))".into());
        }
        for recipient in purpose.recipients.iter().filter(|of| of.country.is_none()) {
            say(&purpose.name, format!("it does not say where `{}` is (Art. 30(1)(e))", recipient.name));
        }
    }
    for (place, categories) in held {
        let unused: Vec<&str> = categories.iter().filter(|of| !purposes.values().any(|purpose| covers(purpose, of))).map(String::as_str).collect();
        if !unused.is_empty() {
            say(place, format!("it holds {}, and no purpose uses them (Art. 5(1)(b), 30(1)(b))", unused.join(", ")));
        }
    }
    gaps
}

/// How data is protected here, in general words (Art. 30(1)(g)).
fn measures(app: &App) -> Vec<String> {
    let session = &app.identity.session;
    let mut measures = vec![
        "every use that is reported, and every change of access, is in a tamper-evident ledger".to_owned(),
        format!("sessions end after {} minutes without use; administrators' after {}", session.timeout / 60, session.admin_timeout / 60),
        format!("{} wrong passwords lock for {}", app.limits.login.attempts, app.limits.login.lockout),
        "fields of people are sealed under keys of their own, which are destroyed with an erasure".to_owned(),
    ];
    if app.identity.mfa.required_factors > 1 {
        measures.push("everybody proves two factors".into());
    }
    if app.urls.public.starts_with("https://") {
        measures.push("connections are encrypted".into());
    }
    if app.backup.every.is_some() {
        measures.push("sealed backups by a schedule; who was erased does not come back from them".into());
    }
    measures
}
