//! Leaving out of records what a purpose does not need: by the map, which says what stands in each field.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use tutela_api as api;
use tutela_privacy::{Purpose, dataset::Field};

use super::{purpose::wanted, record::covers};
use crate::{App, Ctx, Error};

/// Most records of one call.
const MOST_RECORDS: usize = 1_000;

/// The records with only what some purposes need.
pub async fn project(app: &App, ctx: &Ctx, new: api::NewProjection) -> Result<api::Projection, Error> {
    app.permit(ctx, "consents:check").await?;
    if new.purposes.is_empty() {
        return Err(Error::invalid("purposes", "name what the records are for"));
    }
    if new.records.len() > MOST_RECORDS {
        return Err(Error::invalid("records", format!("at most {MOST_RECORDS} at a time")));
    }
    let purposes = wanted(app, &new.purposes)?;
    let (store, name) = new.collection.split_once('.').ok_or_else(|| Error::invalid("collection", "a collection is `dataset.collection`"))?;
    let collection = app.data_stores.dataset(store).and_then(|dataset| dataset.collection(name));
    let collection = collection.ok_or_else(|| Error::invalid("collection", format!("`{}` is in no map", new.collection)))?;
    let fields: BTreeMap<String, &Field> = collection.flat().into_iter().collect();
    let purposes: Vec<&Purpose> = purposes.iter().map(|purpose| &**purpose).collect();
    let mut left_out = BTreeSet::new();
    let records = new.records.into_iter().map(|record| kept(record, "", &fields, &purposes, &mut left_out)).collect();
    Ok(api::Projection { records, left_out: left_out.into_iter().collect() })
}

/// What is left of a record, or of an object in one. What nobody mapped is left out: nobody knows what it is.
fn kept(
    record: Map<String, Value>,
    within: &str,
    fields: &BTreeMap<String, &Field>,
    purposes: &[&Purpose],
    left_out: &mut BTreeSet<String>,
) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in record {
        let path = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
        match (fields.get(&path), value) {
            (Some(field), value) if is_needed(field, purposes) => drop(out.insert(name, value)),
            (None, Value::Object(inner)) => {
                let inner = kept(inner, &path, fields, purposes, left_out);
                if !inner.is_empty() {
                    out.insert(name, Value::Object(inner));
                }
            }
            _ => drop(left_out.insert(path)),
        }
    }
    out
}

fn is_needed(field: &Field, purposes: &[&Purpose]) -> bool {
    // A field of which nobody said what it holds, or which tells who somebody is, is not taken for nobody's.
    let of_nobody = !field.is_personal() && !field.categories.is_empty() && field.identity.is_none() && field.masking.is_none();
    of_nobody || field.categories.iter().any(|category| purposes.iter().any(|purpose| covers(purpose, category)))
}
