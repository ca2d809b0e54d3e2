//! Erasing a person: plan, then store by store, then ourselves, then a look whether anything is left, then the confirmation.
//!
//! Each step is written down before the next begins, and done twice it is done once: a process that dies goes on where it was.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tutela_api as api;
use tutela_privacy::{
    Relation,
    check::Finding,
    dataset::{self, Dataset},
    mask::{Pseudonyms, text_of},
    plan::{Basis, HoldOn, Kept, Plan, StoreKind, StoreSteps},
    walk::{Row, Walk},
};

use super::{
    happened::{RequestPlanned, RequestStepDone},
    own_data,
    person::Person,
    places::{Halt, Places, finding},
    replay::{self, RESTORE},
    work::{Next, Work},
};
use crate::{App, Ctx, Error, usecase::search::hex};

/// Shortest text that is looked for everywhere: shorter ones stand everywhere.
const SHORTEST_NEEDLE: usize = 6;
/// How often it is begun anew when something of the person is still there at the end.
const MOST_ROUNDS: u32 = 3;

/// Makes pseudonyms under a key of this instance.
struct Words<'a>(&'a App);

impl Pseudonyms for Words<'_> {
    fn word(&self, value: &str) -> String {
        hex(&self.0.ring.tag(&tutela_core::Subject::External { namespace: "pseudonym".into(), value: value.to_owned() }))
    }
}

/// What erasing somebody would come to; nothing is touched.
pub async fn plan(app: &App, ctx: &Ctx, subject: &api::SubjectRef) -> Result<api::ErasurePlan, Error> {
    app.permit(ctx, "subject-requests:read").await?;
    let person = Person::named(app, subject).await?;
    let identities = super::places::identities(app, &person).await?;
    let made = async {
        let places = Places::look(app).await?;
        let (mut plan, _) = make(app, &places, &person, &identities).await?;
        plan.problems.extend(own_data::problems(app, &person).await?);
        Ok::<_, Halt>(plan)
    };
    match made.await {
        Ok(plan) => Ok(api::ErasurePlan {
            steps: plan.stores.iter().flat_map(steps_of).collect(),
            kept: plan.kept.iter().map(kept).collect(),
            problems: plan.problems.into_iter().map(finding).collect(),
            notes: plan.notes.into_iter().map(finding).collect(),
        }),
        Err(Halt::Stopped { place, why }) => {
            Ok(api::ErasurePlan { steps: Vec::new(), kept: Vec::new(), problems: vec![api::PlanFinding { place, why }], notes: Vec::new() })
        }
        Err(halt) => Err(halt.into()),
    }
}

/// Plans, and gives what to look for at the end.
async fn make(app: &App, places: &Places, person: &Person, identities: &super::places::Identities) -> Result<(Plan, Found), Halt> {
    let walk = places.follow(app, places.walk(identities)).await?;
    let mut plan = planned(app, places, &walk, &holds(app, person).await?).await?;
    for steps in &plan.stores {
        if app.data_stores.get(&steps.store).is_none() {
            let why = format!("a map says that objects are in `{}`, and there is no section `[privacy.stores.{}]`", steps.store, steps.store);
            plan.problems.push(Finding { place: steps.store.clone(), why });
            break;
        }
    }
    let identities = walk.identities().clone();
    let mut needles: BTreeSet<String> = identities.values().flatten().filter(|value| is_telling(value)).cloned().collect();
    needles.extend(addresses(&places.datasets, walk.rows()));
    Ok((plan, Found { identities, needles }))
}

/// A plan for rows that are known, with what others outside of the maps say to it.
pub(super) async fn planned(app: &App, places: &Places, walk: &Walk<'_>, holds: &[HoldOn]) -> Result<Plan, Halt> {
    let basis = Basis { datasets: &places.datasets, live: &places.live, holds, today: app.env.now().date(), words: &Words(app) };
    let mut plan = Plan::make(&basis, walk.rows());
    for outsider in plan.outsiders(&basis) {
        let Some(store) = app.data_stores.get(&outsider.store) else { continue };
        let rows = store.find(&outsider.table, &outsider.column, &outsider.values).await.map_err(|e| Halt::of(&outsider.store, e))?;
        plan.answer(&outsider, &rows);
    }
    Ok(plan)
}

struct Found {
    identities: super::places::Identities,
    needles: BTreeSet<String>,
}

/// Whether a text is one person's wherever it stands: numbers and short words are many things.
fn is_telling(value: &str) -> bool {
    value.chars().count() >= SHORTEST_NEEDLE && value.chars().any(|c| !c.is_ascii_digit())
}

/// Mail addresses in what is theirs.
fn addresses<'a>(datasets: &'a [Dataset], rows: impl Iterator<Item = &'a Row>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for row in rows.filter(|row| row.relation == Relation::Owns) {
        let collection = dataset::collection(datasets, &row.collection);
        for field in collection.into_iter().flat_map(|of| &of.fields).filter(|field| field.categories.iter().any(|of| of.starts_with("user.contact.email"))) {
            found.extend(row.values.get(&field.name).and_then(Value::as_str).filter(|text| is_telling(text) && text.contains('@')).map(str::to_owned));
        }
    }
    found
}

pub(super) async fn holds(app: &App, person: &Person) -> Result<Vec<HoldOn>, Error> {
    let mut holds = Vec::new();
    for tag in person.tags(app) {
        for row in app.store.privacy_hold_list(tag).await?.into_iter().filter(|row| row.released_at.is_none()) {
            holds.push(HoldOn {
                id: row.id.to_string(),
                place: row.place,
                article: row.article,
                reason: row.reason,
                until: row.until.map(|until| until.date()),
            });
        }
    }
    Ok(holds)
}

/// The next step of an erasure.
pub(super) async fn step(app: &App, ctx: &Ctx, work: &mut Work) -> Result<Next, Halt> {
    let person = work.person(app).await?;
    let Some(plan) = &work.whose.plan else { return begin(app, ctx, work, &person).await };
    let left: Vec<usize> = (0..plan.stores.len()).filter(|number| !work.whose.done.contains(number)).collect();
    if !left.is_empty() {
        return stores(app, ctx, work, &left).await;
    }
    if !work.whose.own_done {
        own_data::erase(app, ctx, &person).await?;
        work.did("tutela", "account and keys", "deleted", 1, ctx.now);
        work.record(app.record(ctx, RequestStepDone::new(work.row.id, "tutela", 1)).await?);
        replay::remember(app, work, ctx.now)?;
        work.whose.own_done = true;
        return Ok(Next::Again);
    }
    finish(app, ctx, work).await
}

/// Plans; nothing is touched where anything speaks against it.
async fn begin(app: &App, ctx: &Ctx, work: &mut Work, person: &Person) -> Result<Next, Halt> {
    let places = Places::look(app).await?;
    let (mut plan, found) = make(app, &places, person, &work.whose.identities).await?;
    // Who is known to the applications by a row may be an account of ours.
    work.learn_accounts(&found.identities);
    let person = work.person(app).await?;
    // Once the account is gone nobody knows its other names any more.
    work.whose.names = person.names.iter().filter_map(super::request::named).collect();
    if !work.whose.own_done {
        plan.problems.extend(own_data::problems(app, &person).await?);
    }
    work.progress.kept = plan.kept.iter().map(kept).collect();
    work.progress.notes = plan.notes.iter().cloned().map(finding).collect();
    work.progress.problems = plan.problems.iter().cloned().map(finding).collect();
    let (gone, masked) = plan
        .stores
        .iter()
        .flat_map(|steps| &steps.changes)
        .fold((0, 0), |(gone, masked), change| if change.set.is_none() { (gone + 1, masked) } else { (gone, masked + 1) });
    work.record(app.record(ctx, RequestPlanned::new(work.row.id, gone, masked, plan.kept.len() as u64, plan.problems.len() as u64)).await?);
    if !plan.problems.is_empty() {
        return Ok(Next::Stopped);
    }
    // A name that is met again after a restore may be somebody else's by now: somebody looks at the plan first.
    if (app.privacy.approve_erasures || work.progress.identified_by == RESTORE) && !work.progress.approved {
        return Ok(Next::Waiting);
    }
    work.whose.identities = found.identities;
    work.whose.needles.extend(found.needles);
    work.whose.plan = Some(plan);
    work.whose.done.clear();
    Ok(Next::Again)
}

/// Carries out what is left in the stores; one that does not answer keeps the others from nothing.
async fn stores(app: &App, ctx: &Ctx, work: &mut Work, left: &[usize]) -> Result<Next, Halt> {
    let Some(plan) = work.whose.plan.clone() else { return Ok(Next::Again) };
    let mut down = None;
    for number in left {
        let steps = &plan.stores[*number];
        match apply(app, steps, &format!("{}-{}-{number}", work.row.id, work.whose.rounds)).await {
            Ok(()) => {
                for step in steps_of(steps) {
                    work.did(&step.store, &step.collection, &step.done, step.rows, ctx.now);
                }
                work.record(app.record(ctx, RequestStepDone::new(work.row.id, &steps.store, steps.changes.len() as u64)).await?);
                work.whose.done.insert(*number);
                return Ok(Next::Again);
            }
            Err(Halt::Down { store, why }) => down = Some(Halt::Down { store, why }),
            Err(other) => return Err(other),
        }
    }
    Err(down.unwrap_or(Halt::Failed(Error::Internal("a plan without a step"))))
}

/// Makes the changes of a store, and looks whether they are made.
pub(super) async fn apply(app: &App, steps: &StoreSteps, token: &str) -> Result<(), Halt> {
    let store = app.data_stores.get(&steps.store).ok_or_else(|| Halt::Stopped { place: steps.store.clone(), why: "there is no such store any more".into() })?;
    let failed = |e| Halt::of(&steps.store, e);
    store.apply(&steps.changes, token).await.map_err(failed)?;
    let gone = steps.changes.iter().filter(|change| change.set.is_none());
    let mut by_key: std::collections::BTreeMap<(&str, &str), Vec<Value>> = std::collections::BTreeMap::new();
    for change in gone.filter(|change| change.key.len() == 1) {
        let Some((name, value)) = change.key.iter().next() else { continue };
        by_key.entry((&change.collection, name)).or_default().push(value.clone());
    }
    if store.kind() == StoreKind::Service {
        return Ok(());
    }
    for ((collection, name), values) in by_key {
        for some in values.chunks(500) {
            let there = store.find(collection, name, some).await.map_err(failed)?;
            if !there.is_empty() {
                return Err(Halt::Stopped {
                    place: format!("{}.{collection}", steps.store),
                    why: format!("{} rows were to go and are still there", there.len()),
                });
            }
        }
    }
    Ok(())
}

/// Looks whether anything is left, and confirms.
async fn finish(app: &App, ctx: &Ctx, work: &mut Work) -> Result<Next, Halt> {
    let Some(plan) = work.whose.plan.take() else { return Ok(Next::Again) };
    let left = residue(app, work, &plan).await;
    let left = match left {
        Ok(left) => left,
        Err(halt) => {
            work.whose.plan = Some(plan);
            return Err(halt);
        }
    };
    if left.again && work.whose.rounds < MOST_ROUNDS {
        // Something was written while it was erased: once more, from the beginning.
        work.whose.rounds += 1;
        return Ok(Next::Again);
    }
    if !left.findings.is_empty() {
        work.progress.problems = left.findings;
        return Ok(Next::Stopped);
    }
    work.progress.problems.clear();
    work.progress.receipt = Some(confirmation(app, ctx, work, &left.looked)?);
    work.whose.kept = plan.kept;
    Ok(Next::Completed)
}

struct Left {
    again: bool,
    findings: Vec<api::PlanFinding>,
    looked: Vec<String>,
}

/// What is left of a person: rows that lead to them, and texts that name them, wherever they stand.
async fn residue(app: &App, work: &Work, plan: &Plan) -> Result<Left, Halt> {
    let mut left = Left { again: false, findings: Vec::new(), looked: Vec::new() };
    if app.data_stores.is_empty() {
        return Ok(left);
    }
    let places = Places::look(app).await?;
    let staying = |store: &str, collection: &str, row: &Row| {
        let changes = plan.kept.iter().flat_map(|kept| &kept.later).chain(&plan.stores).filter(|steps| steps.store == store).flat_map(|steps| &steps.changes);
        let same =
            |key: &serde_json::Map<String, Value>| key.iter().all(|(name, value)| row.values.get(name).is_some_and(|other| text_of(other) == text_of(value)));
        let kept: BTreeSet<&str> = plan.kept.iter().map(|kept| kept.place.as_str()).collect();
        let mut known = changes.filter(|change| change.collection == collection);
        known.any(|change| (change.set.is_some() || kept.contains(format!("{store}.{collection}").as_str())) && same(&change.key))
    };
    let put = plan.stores.iter().flat_map(|steps| &steps.changes).filter_map(|change| change.set.as_ref()).flat_map(|set| set.values().map(text_of));
    let walk = places.follow(app, places.walk(&work.whose.identities).ignoring(put)).await?;
    for row in walk.rows().filter(|row| row.relation == Relation::Owns && !staying(&row.collection.0, &row.collection.1, row)) {
        left.again = true;
        let place = format!("{}.{}", row.collection.0, row.collection.1);
        if !left.findings.iter().any(|of| of.place == place) {
            left.findings.push(api::PlanFinding { place, why: "rows of the person are there again, or still".into() });
        }
    }
    let needles: Vec<String> = work.whose.needles.iter().cloned().collect();
    for (name, store) in app.data_stores.iter() {
        for hit in store.scan(&needles).await.map_err(|e| Halt::of(name, e))? {
            let (table, column) = (format!("{name}.{}", hit.table), format!("{name}.{}.{}", hit.table, hit.column));
            if !plan.kept.iter().any(|kept| kept.place == table || kept.place == column) {
                left.findings.push(api::PlanFinding {
                    place: column,
                    why: format!("{} rows still name the person: map the table, or take them out, and run the request again", hit.rows),
                });
            }
        }
        // Of objects and services only what rows lead to can be looked for, and `apply` did.
        if store.kind() == StoreKind::Tables {
            left.looked.push(name.clone());
        }
    }
    Ok(left)
}

/// The confirmation: what was done, what stays and why, and where nothing was found any more.
fn confirmation(app: &App, ctx: &Ctx, work: &Work, looked: &[String]) -> Result<api::SignedReceipt, Error> {
    super::consent::signed(
        app,
        json!({
            "receipt_type": "erasure confirmation",
            "status": "completed",
            "timestamp": ctx.now.to_string(),
            "request": work.row.id.to_string(),
            "law": work.row.law,
            "type": work.row.kind,
            "received_at": work.row.received_at.to_string(),
            "steps": work.progress.steps,
            "kept": work.progress.kept,
            "residual_scan": {"stores": looked, "hits": 0},
            "origin": app.store.instance().origin,
        }),
    )
}

/// What nobody keeps any more goes: the time of a keep is over, or a hold was released.
pub(super) async fn resume(app: &App, ctx: &Ctx, work: &mut Work) -> Result<Next, Halt> {
    let today = ctx.now.date();
    let released = |kept: &Kept, holds: &[HoldOn]| kept.hold.as_ref().is_some_and(|id| !holds.iter().any(|hold| hold.id == *id));
    // Under every name: a hold may have been placed before the applications' person was an account.
    let holds = holds(app, &work.person(app).await?).await?;
    let over = |kept: &Kept| kept.until.is_some_and(|until| until < today) || released(kept, &holds);
    let Some(number) = work.whose.kept.iter().position(over) else { return Ok(Next::Completed) };
    let kept = work.whose.kept[number].clone();
    let before = work.progress.steps.len();
    for (at, steps) in kept.later.iter().enumerate() {
        apply(app, steps, &format!("{}-kept-{before}-{at}", work.row.id)).await?;
        for step in steps_of(steps) {
            work.did(&step.store, &step.collection, &step.done, step.rows, ctx.now);
        }
        work.record(app.record(ctx, RequestStepDone::new(work.row.id, &steps.store, steps.changes.len() as u64)).await?);
    }
    work.whose.kept.remove(number);
    work.progress.kept = work.whose.kept.iter().map(self::kept).collect();
    work.progress.receipt = Some(confirmation(app, ctx, work, &[])?);
    Ok(Next::Again)
}

pub(super) fn steps_of(steps: &StoreSteps) -> Vec<api::RequestStep> {
    let step = |collection: &str, done: &str, rows: u64| api::RequestStep {
        store: steps.store.clone(),
        collection: collection.to_owned(),
        done: done.into(),
        rows,
        at: None,
    };
    let counts = Plan::counts(steps).into_iter();
    counts.flat_map(|(of, (gone, masked))| [step(&of, "deleted", gone), step(&of, "masked", masked)]).filter(|step| step.rows > 0).collect()
}

fn kept(of: &Kept) -> api::KeptData {
    api::KeptData {
        place: of.place.clone(),
        rows: of.rows as u64,
        article: of.article.clone(),
        reason: of.reason.clone(),
        until: of.until.map(|until| until.to_string()),
        hold: of.hold.clone(),
    }
}
