//! Retention of the operator's own data: rows whose time is over go with what hangs on them, a batch at a time. What a
//! map or a hold keeps stays.

use std::collections::BTreeSet;

use serde_json::Value;
use tutela_api as api;
use tutela_core::Subject;
use tutela_privacy::{
    dataset::{self, Collection, Dataset, Direction},
    mask::text_of,
    walk::{Row, Walk},
};

use super::{
    erase,
    happened::DataExpired,
    person::Person,
    places::{Halt, Places},
};
use crate::{App, Ctx, Error};

/// Rows of one question, and most rows of a collection that one run looks at.
const BATCH: u32 = 200;
const MOST: u64 = 10_000;
/// Rows that are looked at to find out whose one is.
const MOST_OWNERS: usize = 50;
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

/// What is over its time, by collection; nothing is touched.
pub async fn report(app: &App, ctx: &Ctx) -> Result<Vec<api::ExpiredData>, Error> {
    app.permit(ctx, "datasets:read").await?;
    overdue(app, ctx).await
}

/// Has what is over its time go now, and says what went.
pub async fn apply(app: &App, ctx: &Ctx) -> Result<Vec<api::ExpiredData>, Error> {
    crate::usecase::sign_in::permit_fresh(app, ctx, "datasets:expire").await?;
    look(app, ctx, true).await
}

/// What is over its time, for whoever judges by it.
pub(crate) async fn overdue(app: &App, ctx: &Ctx) -> Result<Vec<api::ExpiredData>, Error> {
    look(app, ctx, false).await
}

/// The hourly run.
pub(crate) async fn run(app: &App, ctx: &Ctx) -> Result<(), Error> {
    look(app, ctx, true).await.map(drop)
}

async fn look(app: &App, ctx: &Ctx, apply: bool) -> Result<Vec<api::ExpiredData>, Error> {
    if app.data_stores.is_empty() {
        return Ok(Vec::new());
    }
    let places = Places::look(app).await?;
    let mut all = Vec::new();
    for dataset in &places.datasets {
        for collection in &dataset.collections {
            let Some(retention) = &collection.own.retention else { continue };
            let place = format!("{}.{}", dataset.key, collection.name);
            let mut found = api::ExpiredData {
                place,
                class: retention.class.clone(),
                days: app.rules.data_days(&retention.class),
                expired: 0,
                gone: 0,
                kept: 0,
                problem: None,
            };
            let Some(days) = found.days else {
                found.problem = Some(format!("`compliance.data_retention` has no class `{}`: nothing of it goes", retention.class));
                all.push(found);
                continue;
            };
            let before = ctx.now - DAY * days;
            match collect(app, &places, dataset, collection, &before.to_string(), apply, &mut found).await {
                Ok(()) => {}
                Err(Halt::Failed(e)) => return Err(e),
                Err(Halt::Down { why, .. } | Halt::Stopped { why, .. }) => found.problem = Some(why),
            }
            if found.gone > 0 {
                app.commit(ctx, DataExpired::new(&found.place, &found.class, found.gone, found.kept), |changeset| changeset).await?;
            }
            all.push(found);
        }
    }
    Ok(all)
}

async fn collect(
    app: &App,
    places: &Places,
    dataset: &Dataset,
    collection: &Collection,
    before: &str,
    apply: bool,
    found: &mut api::ExpiredData,
) -> Result<(), Halt> {
    let Some(retention) = &collection.own.retention else { return Ok(()) };
    let Some(store) = app.data_stores.get(&dataset.key) else { return Ok(()) };
    let [key] = collection.key()[..] else {
        return Err(Halt::Stopped {
            place: found.place.clone(),
            why: "its rows are told apart by more or less than one field, and only by one can they be taken up one by one".into(),
        });
    };
    // What goes is not there when the next batch is asked for; what stays is skipped.
    let mut skip = 0;
    while found.expired < MOST {
        let rows = store.older(&collection.name, &retention.anchor, before, skip, BATCH).await.map_err(|e| Halt::of(&dataset.key, e))?;
        let last = rows.len() < BATCH as usize;
        for row in rows {
            found.expired += 1;
            let Some(id) = row.get(key).filter(|_| apply) else {
                skip += 1;
                continue;
            };
            if expire(app, places, (&dataset.key, &collection.name, key), id).await? {
                found.gone += 1;
            } else {
                found.kept += 1;
                skip += 1;
            }
        }
        if last {
            return Ok(());
        }
    }
    Ok(())
}

/// Has one row go with what hangs on it; whether it did.
async fn expire(app: &App, places: &Places, of: (&str, &str, &str), id: &Value) -> Result<bool, Halt> {
    let walk = places.follow(app, Walk::from_row(&places.datasets, of.0, of.1, of.2, id)).await?;
    let mut holds = Vec::new();
    for row in walk.rows() {
        for subject in owners(app, &places.datasets, row).await? {
            holds.extend(erase::holds(app, &Person::of(app, subject).await?).await?);
        }
    }
    let plan = erase::planned(app, places, &walk, &holds).await?;
    // All of it goes, or nothing does: a row that something keeps is looked at again next time.
    if !plan.problems.is_empty() || !plan.kept.is_empty() {
        return Ok(false);
    }
    for (number, steps) in plan.stores.iter().enumerate() {
        erase::apply(app, steps, &format!("expired-{}.{}-{}-{number}", of.0, of.1, text_of(id))).await?;
    }
    Ok(true)
}

/// Whose a row is: by an identity in it, or in the rows that it belongs to.
async fn owners(app: &App, datasets: &[Dataset], row: &Row) -> Result<Vec<Subject>, Halt> {
    let mut found = Vec::new();
    let mut waiting = vec![(row.collection.clone(), row.values.clone())];
    let mut seen = BTreeSet::new();
    while let Some((name, values)) = waiting.pop() {
        let collection = dataset::collection(datasets, &name);
        for field in collection.into_iter().flat_map(|of| &of.fields) {
            let Some(value) = values.get(&field.name).filter(|value| !value.is_null()) else { continue };
            found.extend(field.identity.as_deref().and_then(|identity| subject_of(app, identity, value)));
            for to in field.references.iter().filter(|to| to.direction != Direction::To) {
                let other = (to.dataset.clone(), to.collection.clone());
                let Some(store) = app.data_stores.get(&other.0) else { continue };
                if seen.len() < MOST_OWNERS && seen.insert((other.clone(), text_of(value))) {
                    let rows = store.find(&other.1, &to.field, std::slice::from_ref(value)).await.map_err(|e| Halt::of(&other.0, e))?;
                    waiting.extend(rows.into_iter().map(|row| (other.clone(), row)));
                }
            }
        }
    }
    Ok(found)
}

/// What an identity in a row means here; mail addresses and numbers are nobody's name.
pub(super) fn subject_of(app: &App, identity: &str, value: &Value) -> Option<Subject> {
    let value = text_of(value);
    match (identity, value.parse()) {
        ("account", Ok(id)) => Some(Subject::Account(id)),
        ("email" | "phone_number", _) => None,
        (name, _) => Some(Subject::External { namespace: app.privacy.identities.get(name).cloned().unwrap_or_else(|| name.to_owned()), value }),
    }
}
