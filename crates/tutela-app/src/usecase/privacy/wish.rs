//! Requests that say how data may be used from now on, or what stands in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use tutela_privacy::{
    Kind, Relation, Said, dataset,
    mask::text_of,
    plan::{Change, StoreKind},
};

use super::{
    consent,
    happened::RequestStepDone,
    places::{Halt, Places},
    purpose,
    work::{Next, Work},
};
use crate::{App, Ctx, Error, usecase::search::hex};

/// Opting out, objecting, restricting: from the next question on.
pub(super) async fn step(app: &App, ctx: &Ctx, work: &mut Work, kind: Kind) -> Result<Next, Halt> {
    let person = work.person(app).await?;
    if kind == Kind::Objection {
        let purposes: Vec<_> = if work.whose.purposes.is_empty() {
            app.purposes.load().values().filter(|purpose| purpose.basis.may_be_objected_to()).cloned().collect()
        } else {
            purpose::wanted(app, &work.whose.purposes)?
        };
        let count = purposes.len() as u64;
        if count > 0 {
            consent::write(app, ctx, &person, &consent::all(purposes, Said::Refused), "request").await?;
        }
        work.did("tutela", "purposes", "set", count, ctx.now);
        return Ok(Next::Completed);
    }
    let wish = if kind == Kind::DoNotSell { "opted_out" } else { "restricted" };
    work.record(app.record(ctx, RequestStepDone::new(work.row.id, "tutela", 1)).await?);
    work.with(|changeset| changeset.privacy_wish_set(person.tag(app), wish, ctx.now));
    for name in &person.names {
        let tag = hex(&app.ring.tag(name));
        work.with(|changeset| changeset.announce("consent", &tag));
        app.consents.forget(&tag);
    }
    work.did("tutela", wish, "set", 1, ctx.now);
    work.progress.receipt = Some(consent::signed(
        app,
        serde_json::json!({
            "receipt_type": "confirmation", "status": "completed", "timestamp": ctx.now.to_string(), "request": work.row.id.to_string(),
            "law": work.row.law, "type": work.row.kind, "set": wish, "origin": app.store.instance().origin,
        }),
    )?);
    Ok(Next::Completed)
}

/// Puts values right in every place that holds them, and reads them back.
pub(super) async fn rectify(app: &App, ctx: &Ctx, work: &mut Work) -> Result<Next, Halt> {
    let places = Places::look(app).await?;
    let mut changes: BTreeMap<(StoreKind, String), Vec<Change>> = BTreeMap::new();
    let mut met: BTreeSet<String> = BTreeSet::new();
    {
        let walk = places.follow(app, places.walk(&work.whose.identities)).await?;
        for row in walk.rows().filter(|row| row.relation == Relation::Owns) {
            let (store, name) = (&row.collection.0, &row.collection.1);
            let Some(collection) = dataset::collection(&places.datasets, &row.collection) else { continue };
            let mut set = Map::new();
            for field in &collection.fields {
                let place = format!("{store}.{name}.{}", field.name);
                let wanted = work.whose.corrections.iter().find(|(key, _)| **key == place || field.categories.contains(key));
                let Some((key, value)) = wanted else { continue };
                if field.read_only || field.primary_key {
                    return Err(Halt::Stopped { place, why: "it is a key or `read_only`, and cannot be put right from here".into() });
                }
                met.insert(key.clone());
                set.insert(field.name.clone(), value.clone());
            }
            let key: Map<String, Value> = collection.key().into_iter().filter_map(|of| Some((of.to_owned(), row.values.get(of)?.clone()))).collect();
            let kind = places.live.get(store).map_or(StoreKind::Tables, |live| live.kind);
            if !set.is_empty() && !key.is_empty() {
                changes.entry((kind, store.clone())).or_default().push(Change { collection: name.clone(), key, set: Some(set) });
            }
        }
    }
    if let Some(key) = work.whose.corrections.keys().find(|key| !met.contains(*key)) {
        return Err(Halt::Stopped {
            place: key.clone(),
            why: "no row of the person has such a field; name a category (`user.contact.email`) or a place (`shop.customer.email`)".into(),
        });
    }
    for ((_, name), changes) in changes {
        let store = app.data_stores.get(&name).ok_or(Error::Internal("a mapped store that is none"))?;
        let failed = |e| Halt::of(&name, e);
        store.apply(&changes, &format!("{}-rectify", work.row.id)).await.map_err(failed)?;
        let mut rows: BTreeMap<String, u64> = BTreeMap::new();
        for change in &changes {
            let Some((key, value)) = change.key.iter().next() else { continue };
            let there = store.find(&change.collection, key, std::slice::from_ref(value)).await.map_err(failed)?;
            let same = |row: &Map<String, Value>, of: &Map<String, Value>| {
                of.iter().all(|(name, value)| row.get(name).is_some_and(|other| text_of(other) == text_of(value)))
            };
            let set = change.set.clone().unwrap_or_default();
            if !there.iter().any(|row| same(row, &change.key) && same(row, &set)) {
                return Err(Halt::Stopped { place: format!("{name}.{}", change.collection), why: "what was written does not read back".into() });
            }
            *rows.entry(change.collection.clone()).or_default() += 1;
        }
        for (collection, rows) in rows {
            work.did(&name, &collection, "changed", rows, ctx.now);
        }
        work.record(app.record(ctx, RequestStepDone::new(work.row.id, &name, changes.len() as u64)).await?);
    }
    Ok(Next::Completed)
}
