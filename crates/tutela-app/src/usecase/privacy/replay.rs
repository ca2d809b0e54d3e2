//! People who were erased stay erased when a store comes back from a backup that was made before: they are known again by
//! keyed hashes of what identified them, and nothing else of them is kept.
//!
//! Our own restore does it before anyone is served; a store of the operator's is gone through when they say so.

use std::collections::{BTreeMap, HashMap};

use tutela_api as api;
use tutela_core::{Subject, SubjectRequestId, Timestamp};
use tutela_privacy::{dataset::Dataset, mask::text_of};
use tutela_store::{Changeset, ErasedNameRow, Housekeeping};

use super::{
    expiry,
    happened::ErasuresReplayed,
    own_data,
    person::Person,
    places::{Identities, Places},
    request::{self, Intake},
    work::Work,
};
use crate::{
    App, Ctx, Error,
    port::DataStore,
    usecase::erasure_journal::{self, Erased},
};

/// How it is known whom such a request is about.
pub(super) const RESTORE: &str = "restore";
/// Values that are read at a time.
const BATCH: u32 = 5_000;

/// Remembers what identified the person of a request; in the journal at once, where a restored backup reads of it.
pub(super) fn remember(app: &App, work: &mut Work, now: Timestamp) -> Result<(), Error> {
    let names = names_of(app, work, now);
    work.with(|changeset| names.iter().fold(changeset, Changeset::erased_name_set));
    let lines: Vec<Erased> = names.into_iter().map(Erased::Name).collect();
    erasure_journal::append(&app.backup.folder, app.erasure_code.open(), &lines)
}

fn names_of(app: &App, work: &Work, now: Timestamp) -> Vec<ErasedNameRow> {
    let names = work.whose.names.iter().map(|name| match name {
        api::SubjectRef::Account(id) => ("account", id),
        api::SubjectRef::External(of) => (of.namespace.as_str(), &of.value),
    });
    let identities = work.whose.identities.iter().flat_map(|(name, values)| values.iter().map(move |value| (name.as_str(), value)));
    let row = |(name, value): (&str, &String)| ErasedNameRow {
        tag: tag(app, name, value),
        account: value.parse().ok().filter(|_| name == "account"),
        request: work.row.id,
        erased_at: now,
    };
    let by_tag: BTreeMap<[u8; 32], ErasedNameRow> = names.chain(identities).map(row).map(|row| (row.tag, row)).collect();
    by_tag.into_values().collect()
}

fn tag(app: &App, name: &str, value: &str) -> [u8; 32] {
    app.ring.tag(&Subject::External { namespace: name.to_owned(), value: value.to_owned() })
}

/// Erases accounts that a restored backup has brought back; how many.
pub(crate) async fn ourselves<'a>(app: &App, ctx: &Ctx, names: impl Iterator<Item = &'a ErasedNameRow>) -> Result<u64, Error> {
    let mut again = 0;
    for row in names {
        // What an application's own person has said is kept under the same hash.
        app.store.commit(Changeset::housekeeping(Housekeeping::Sweep).erased_name_set(row).consent_forget(row.tag)).await?;
        let Some(account) = row.account else { continue };
        if app.store.account_get(account).await?.is_some() {
            let person = Person::of(app, Subject::Account(account)).await?;
            own_data::erase(app, ctx, &person).await?;
            again += 1;
        }
    }
    Ok(again)
}

/// Looks in a store that came back from a backup for people who were erased since, and takes in the erasure of each again.
pub async fn replay(app: &App, ctx: &Ctx, new: api::NewErasureReplay) -> Result<api::ErasureReplay, Error> {
    app.permit(ctx, "subject-requests:write").await?;
    let taken_at: Timestamp = new.taken_at.parse().map_err(|_| Error::invalid("taken_at", "a moment is written `2026-11-01T00:00:00Z`"))?;
    if taken_at > ctx.now {
        return Err(Error::invalid("taken_at", "this is when the backup was made, and that cannot be later than now"));
    }
    let store = app.data_stores.get(&new.store).ok_or_else(|| Error::invalid("store", format!("there is no section `[privacy.stores.{}]`", new.store)))?;
    let places = Places::look(app).await?;
    let dataset = places.datasets.iter().find(|dataset| dataset.key == new.store);
    let dataset = dataset.ok_or_else(|| Error::invalid("store", "it has no map: what is in it belongs to rows of other stores, and goes with them"))?;
    let erased: HashMap<[u8; 32], SubjectRequestId> = app.store.erased_name_list(taken_at).await?.into_iter().map(|row| (row.tag, row.request)).collect();
    let mut answer = api::ErasureReplay { names: erased.len() as u64, values: 0, people: 0, requests: Vec::new() };
    let found = if erased.is_empty() { BTreeMap::new() } else { find(app, &**store, dataset, &erased, &mut answer.values).await? };
    answer.people = found.len() as u64;
    if new.dry_run {
        return Ok(answer);
    }
    for (request, known) in found {
        let before = app.store.subject_request_get(request).await?;
        let (law, kind) = before.map_or_else(|| ("gdpr".into(), "erasure".into()), |row| (row.law, row.kind));
        let asked = api::OwnSubjectRequest { law: Some(law), kind, corrections: BTreeMap::new(), purposes: Vec::new() };
        let person = Person::of(app, subject_of(app, &known)?).await?;
        let made = request::take(app, ctx, Intake { person, asked, by: RESTORE, contact: None, known, with: None }).await?;
        answer.requests.push(made.id);
    }
    app.commit(ctx, ErasuresReplayed::new(&new.store, &new.taken_at, answer.people), |changeset| changeset).await?;
    Ok(answer)
}

/// Who of the erased is there, by the request that erased them.
async fn find(
    app: &App,
    store: &dyn DataStore,
    dataset: &Dataset,
    erased: &HashMap<[u8; 32], SubjectRequestId>,
    values: &mut u64,
) -> Result<BTreeMap<SubjectRequestId, Identities>, Error> {
    let mut found: BTreeMap<SubjectRequestId, Identities> = BTreeMap::new();
    for collection in &dataset.collections {
        for (field, identity) in collection.fields.iter().filter_map(|field| Some((&field.name, field.identity.as_ref()?))) {
            let mut after = None;
            loop {
                let some = store.values(&collection.name, field, after.as_ref(), BATCH).await;
                let some = some.map_err(|e| Error::Conflict(format!("`{}.{}.{field}`: {e}", dataset.key, collection.name)))?;
                *values += some.len() as u64;
                for value in some.iter().map(text_of) {
                    if let Some(request) = erased.get(&tag(app, identity, &value)) {
                        found.entry(*request).or_default().entry(identity.clone()).or_default().insert(value);
                    }
                }
                match some.into_iter().next_back() {
                    Some(last) => after = Some(last),
                    None => break,
                }
            }
        }
    }
    Ok(found)
}

/// The name of a person who is known by identities alone.
fn subject_of(app: &App, known: &Identities) -> Result<Subject, Error> {
    let all = || known.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let named = all().find_map(|(name, value)| expiry::subject_of(app, name, &value.as_str().into()));
    let other = || all().next().map(|(name, value)| Subject::External { namespace: name.clone(), value: value.clone() });
    named.or_else(other).ok_or(Error::Internal("somebody without a name"))
}
