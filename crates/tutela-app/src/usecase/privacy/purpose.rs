//! The registry of purposes: what is not in it may not be done.

use std::{collections::BTreeMap, sync::Arc};

use tutela_api as api;
use tutela_core::Timestamp;
use tutela_privacy::{Basis, Purpose};
use tutela_store::PurposeRow;

use super::happened::{PurposeChanged, PurposeRetired};
use crate::{
    App, Ctx, Error,
    usecase::{account::reason, search::hex, sign_in},
};

/// Most purposes of an installation.
const MOST: usize = 500;

/// The purposes that are in use, by name.
pub(crate) type Purposes = BTreeMap<String, Arc<Purpose>>;

/// All of them, those out of use too.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::KeptPurpose>, Error> {
    app.permit(ctx, "purposes:read").await?;
    app.store.purpose_list().await?.into_iter().map(kept).collect()
}

/// One of them.
pub async fn get(app: &App, ctx: &Ctx, name: &str) -> Result<api::KeptPurpose, Error> {
    list(app, ctx).await?.into_iter().find(|kept| kept.purpose.name == name).ok_or(Error::NotFound("purpose"))
}

/// Sets a purpose; one of this name says something else from now on.
pub async fn set(app: &App, ctx: &Ctx, name: &str, new: &api::Purpose) -> Result<api::KeptPurpose, Error> {
    sign_in::permit_fresh(app, ctx, "purposes:write").await?;
    if new.name != name {
        return Err(Error::invalid("name", format!("`name` is `{}`, and the address names `{name}`", new.name)));
    }
    Basis::parse(&new.basis).map_err(|why| Error::invalid("basis", why))?;
    let body = serde_json::to_value(new).map_err(|_| Error::Internal("a purpose as JSON"))?;
    let purpose: Purpose = serde_json::from_value(body.clone()).map_err(|e| Error::invalid("purpose", e.to_string()))?;
    purpose.check().map_err(|(member, why)| Error::invalid(member, why))?;
    let known = app.purposes.load();
    if !known.contains_key(name) && known.len() >= MOST {
        return Err(Error::Conflict(format!("{MOST} purposes are in use; take one out of use first")));
    }
    let row =
        PurposeRow { name: name.to_owned(), body, notice_hash: tutela_ledger::sha256(purpose.notice.text.as_bytes()), changed_at: ctx.now, retired_at: None };
    let hash = hex(&row.notice_hash);
    let changed = PurposeChanged::new(name, purpose.basis.as_str(), &purpose.notice.version, &hash);
    app.commit(ctx, changed, |set| set.purpose_set(&row).announce("purpose", name)).await?;
    load(app).await?;
    kept(row)
}

/// Takes a purpose out of use: nothing may be done for it any more.
pub async fn retire(app: &App, ctx: &Ctx, name: &str, why: &str) -> Result<(), Error> {
    sign_in::permit_fresh(app, ctx, "purposes:write").await?;
    let why = reason(why)?;
    if !app.purposes.load().contains_key(name) {
        return Err(Error::NotFound("purpose"));
    }
    app.commit(ctx, PurposeRetired::new(name, &why), |set| set.purpose_retire(name, ctx.now).announce("purpose", name)).await?;
    load(app).await
}

/// Has those that are in use asked from now on.
pub(crate) async fn load(app: &App) -> Result<(), Error> {
    let rows = app.store.purpose_list().await?;
    let of = |row: PurposeRow| Some((row.name, Arc::new(serde_json::from_value::<Purpose>(row.body).ok()?)));
    app.purposes.store(Arc::new(rows.into_iter().filter(|row| row.retired_at.is_none()).filter_map(of).collect()));
    Ok(())
}

/// The purposes of these names; the required ones where none is named. One that nobody registered is an error with the nearest names.
pub(crate) fn wanted(app: &App, names: &[String]) -> Result<Vec<Arc<Purpose>>, Error> {
    let known = app.purposes.load();
    if names.is_empty() {
        return Ok(known.values().filter(|purpose| purpose.required).cloned().collect());
    }
    let find = |name: &String| {
        known.get(name).cloned().ok_or_else(|| {
            let near = nearest(name, known.keys());
            let near = if near.is_empty() { String::new() } else { format!("; there are {}", near.join(", ")) };
            Error::invalid("purposes", format!("there is no purpose `{name}`{near}"))
        })
    };
    names.iter().map(find).collect()
}

/// As the API shows it.
pub(crate) fn shown(purpose: &Purpose) -> Result<api::Purpose, Error> {
    let json = serde_json::to_value(purpose).map_err(|_| Error::Internal("a purpose as JSON"))?;
    serde_json::from_value(json).map_err(|_| Error::Internal("a stored purpose"))
}

fn kept(row: PurposeRow) -> Result<api::KeptPurpose, Error> {
    let purpose = serde_json::from_value(row.body).map_err(|_| Error::Internal("a stored purpose"))?;
    let retired_at = row.retired_at.as_ref().map(Timestamp::to_string);
    Ok(api::KeptPurpose { purpose, notice_hash: hex(&row.notice_hash), changed_at: row.changed_at.to_string(), retired_at })
}

/// The three names that are most like one.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let mut all: Vec<(f64, &str)> = known.map(|other| (strsim::jaro_winkler(name, other), other.as_str())).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all.into_iter().take(3).map(|(_, other)| other).collect()
}
