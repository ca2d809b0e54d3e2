//! Where data of people is: the operator's stores with their maps, and the way through them from a person to their rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tutela_api as api;
use tutela_core::Subject;
use tutela_privacy::{
    check,
    dataset::{self, Dataset, Field},
    plan::Live,
    walk::Walk,
};

use super::person::Person;
use crate::{
    App, Ctx, Error,
    port::{DataError, DataStore},
};

/// What identifies a person, by the name that maps use.
pub(crate) type Identities = BTreeMap<String, BTreeSet<String>>;

/// The operator's stores.
#[derive(Default)]
pub struct DataStores {
    stores: BTreeMap<String, Arc<dyn DataStore>>,
    datasets: Vec<Dataset>,
}

impl DataStores {
    /// Adds a store; `map` is the text of its file. The error is what the map cannot mean.
    pub fn add(&mut self, name: &str, store: Arc<dyn DataStore>, map: Option<&str>) -> Result<(), String> {
        if let Some(map) = map {
            let read = dataset::read(map)?;
            for warning in &read.warnings {
                tracing::warn!(store = name, "the map: {warning}");
            }
            let dataset = read.datasets.into_iter().find(|dataset| dataset.key == name);
            self.datasets.push(dataset.ok_or_else(|| format!("its map has no dataset with `fides_key: {name}`"))?);
        }
        self.stores.insert(name.to_owned(), store);
        Ok(())
    }

    /// A store.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<dyn DataStore>> {
        self.stores.get(name)
    }

    /// All maps.
    pub(crate) fn datasets(&self) -> &[Dataset] {
        &self.datasets
    }

    /// The map of a store.
    pub(crate) fn dataset(&self, name: &str) -> Option<&Dataset> {
        self.datasets.iter().find(|dataset| dataset.key == name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Arc<dyn DataStore>)> {
        self.stores.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stores.is_empty()
    }
}

/// Why work on somebody's data cannot go on.
#[derive(Debug)]
pub(crate) enum Halt {
    /// A store does not answer: later it may.
    Down { store: String, why: String },
    /// Somebody has to do something first.
    Stopped { place: String, why: String },
    /// We ourselves failed.
    Failed(Error),
}

impl From<Halt> for Error {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Down { store, why } => Self::Conflict(format!("the store `{store}` does not answer: {why}")),
            Halt::Stopped { place, why } => Self::Conflict(format!("`{place}`: {why}")),
            Halt::Failed(e) => e,
        }
    }
}

impl From<Error> for Halt {
    fn from(e: Error) -> Self {
        Self::Failed(e)
    }
}

impl From<tutela_store::Error> for Halt {
    fn from(e: tutela_store::Error) -> Self {
        Self::Failed(e.into())
    }
}

impl Halt {
    pub(crate) fn of(store: &str, e: DataError) -> Self {
        match e {
            DataError::Unavailable(why) => Self::Down { store: store.to_owned(), why },
            DataError::Refused(why) => Self::Stopped { place: store.to_owned(), why },
        }
    }
}

/// The maps, completed by what the stores are, and the stores as they are.
pub(crate) struct Places {
    pub datasets: Vec<Dataset>,
    pub live: BTreeMap<String, Live>,
}

impl Places {
    /// Asks every store that is mapped what it looks like.
    pub(crate) async fn look(app: &App) -> Result<Self, Halt> {
        let (mut datasets, mut live) = (app.data_stores.datasets.clone(), BTreeMap::new());
        for dataset in &mut datasets {
            let Some(store) = app.data_stores.get(&dataset.key) else { continue };
            let schema = store.schema().await.map_err(|e| Halt::of(&dataset.key, e))?;
            for collection in &mut dataset.collections {
                let Some(table) = schema.tables.get(&collection.name).filter(|table| !table.key.is_empty()) else { continue };
                // By part of a key two rows would be one, and one of them would stay.
                let missing = table.key.iter().filter(|name| !collection.fields.iter().any(|field| field.name == **name));
                collection.fields.extend(missing.map(|name| Field::of(name)).collect::<Vec<_>>());
                collection.fields.iter_mut().for_each(|field| field.primary_key = table.key.contains(&field.name));
            }
            live.insert(dataset.key.clone(), Live { kind: store.kind(), schema });
        }
        Ok(Self { datasets, live })
    }

    /// Where the rows of a person begin.
    pub(crate) fn walk(&self, identities: &Identities) -> Walk<'_> {
        Walk::new(&self.datasets, identities)
    }

    /// Goes a way to its end, through every store.
    pub(crate) async fn follow<'a>(&'a self, app: &App, mut walk: Walk<'a>) -> Result<Walk<'a>, Halt> {
        while let Some(question) = walk.ask_next() {
            let name = &question.collection.0;
            let Some(store) = app.data_stores.get(name) else { continue };
            let rows = store.find(&question.collection.1, &question.field, &question.values).await.map_err(|e| Halt::of(name, e))?;
            walk.answer(&question, rows).map_err(|e| Halt::Stopped { place: e.place.clone(), why: e.to_string() })?;
        }
        Ok(walk)
    }
}

/// What identifies a person in maps. A mail address or a number that nobody has verified may be somebody else's, and is none.
pub(crate) async fn identities(app: &App, person: &Person) -> Result<Identities, Error> {
    let mut found = Identities::new();
    let mut add = |namespace: &str, value: String| {
        // What maps call it here, and its own name.
        let named = app.privacy.identities.iter().filter(|(_, of)| *of == namespace).map(|(name, _)| name.clone());
        for name in named.chain(std::iter::once(namespace.to_owned())).collect::<Vec<_>>() {
            found.entry(name).or_default().insert(value.clone());
        }
    };
    for name in &person.names {
        match name {
            Subject::Account(id) => {
                add("account", id.to_string());
                let Some(account) = app.store.account_get(*id).await? else { continue };
                if account.email_verified_at.is_some() {
                    add("email", account.email.as_str().to_owned());
                }
                if let Some(phone) = account.phone.filter(|_| account.phone_verified_at.is_some()) {
                    add("phone_number", phone);
                }
            }
            Subject::External { namespace, value } => add(namespace, value.clone()),
            Subject::Unknown(_) => {}
        }
    }
    Ok(found)
}

/// What is mapped, whether it answers, and where map and store differ.
pub async fn status(app: &App, ctx: &Ctx) -> Result<Vec<api::DataStoreStatus>, Error> {
    app.permit(ctx, "datasets:read").await?;
    let offline = check::findings(&app.data_stores.datasets);
    let mut all = Vec::new();
    for (name, store) in app.data_stores.iter() {
        let dataset = app.data_stores.dataset(name);
        let of = |finding: &&check::Finding| finding.place == *name || finding.place.starts_with(&format!("{name}."));
        let mut findings: Vec<check::Finding> = offline.iter().filter(of).cloned().collect();
        let error = match store.schema().await {
            Ok(schema) if store.kind() == tutela_privacy::plan::StoreKind::Tables => {
                findings.extend(dataset.map(|dataset| check::drift(dataset, &schema)).unwrap_or_default());
                None
            }
            Ok(_) => None,
            Err(e) => Some(e.to_string()),
        };
        let findings = findings.into_iter().map(finding).collect();
        all.push(api::DataStoreStatus {
            name: name.clone(),
            kind: store.kind().as_str().to_owned(),
            error,
            collections: dataset.map_or(0, |dataset| dataset.collections.len() as u64),
            findings,
        });
    }
    Ok(all)
}

pub(crate) fn finding(of: check::Finding) -> api::PlanFinding {
    api::PlanFinding { place: of.place, why: of.why }
}
