//! Requests that are carried out, a step at a time; each step is one commit, with the events that tell of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{ToSpan as _, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tutela_api as api;
use tutela_core::{Principal, Timestamp};
use tutela_privacy::{
    Kind, Law, Work as Task,
    plan::{Kept, Plan},
};
use tutela_store::{Changeset, Housekeeping, Record, SubjectRequestRow};

use super::{
    erase,
    happened::{RequestCompleted, RequestStopped},
    package,
    person::Person,
    places::{Halt, Identities},
    wish,
};
use crate::{
    App, Ctx, Error,
    lanes::{Lanes, pause},
    text,
    usecase::{message, search::hex},
};

pub(super) const PURPOSE: &[u8] = b"subject request";
/// For how long nobody else takes a request that is worked on, and how often that is said again.
const LEASE: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: u64 = 3_600;
const LANES: usize = 2;

/// Who it is and what is left to do. It is sealed where it is kept, and goes when it is done.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Whose {
    pub names: Vec<api::SubjectRef>,
    pub identities: Identities,
    pub contact: Option<String>,
    pub corrections: BTreeMap<String, Value>,
    pub purposes: Vec<String>,
    pub plan: Option<Plan>,
    /// Which stores of the plan are done.
    pub done: BTreeSet<usize>,
    /// Whether our own data is erased.
    pub own_done: bool,
    /// What must stand nowhere at the end.
    pub needles: BTreeSet<String>,
    /// How often it was begun anew.
    pub rounds: u32,
    /// What stays until later.
    pub kept: Vec<Kept>,
}

/// A request while it is worked on.
pub(super) struct Work {
    pub row: SubjectRequestRow,
    pub whose: Whose,
    pub progress: api::RequestProgress,
    pub changeset: Option<Changeset>,
}

/// What comes after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Again,
    Completed,
    Stopped,
    Waiting,
}

/// Works on what is due until told to stop.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    if app.store.engine_name() == "sqlite" {
        // What a process that died worked on goes on at once: there is only one process.
        if let Err(e) = app.store.commit(Changeset::housekeeping(Housekeeping::Job).subject_request_unlease()).await {
            tracing::warn!(error = %e, "requests of people that were under way could not be taken up at once; they will be in a moment");
        }
    }
    let lanes = Lanes { count: LANES, look: Duration::from_secs(2), what: "requests of people" };
    let take = |app: App, now: Timestamp| async move { app.store.subject_request_take(now, now + LEASE).await };
    lanes.run(app, stop, |app| &app.requests_due, take, turn).await;
}

impl Work {
    /// Opens a request.
    pub(super) fn open(app: &App, row: SubjectRequestRow) -> Result<Self, Error> {
        let whose = if row.sealed.is_empty() {
            Whose::default()
        } else {
            app.open_as(PURPOSE, &row.sealed).ok_or(Error::Internal("a request does not open under this instance's key"))?
        };
        let progress = serde_json::from_value(row.progress.clone()).map_err(|_| Error::Internal("a request's progress is malformed"))?;
        Ok(Self { row, whose, progress, changeset: None })
    }

    /// The person, under every name.
    pub(super) async fn person(&self, app: &App) -> Result<Person, Error> {
        let mut names = Vec::new();
        for name in &self.whose.names {
            for name in Person::named(app, name).await?.names {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        let subject = names.first().cloned().ok_or(Error::Internal("a request of nobody"))?;
        Ok(Person { subject, names })
    }

    /// Accounts of ours that rows of the applications name.
    pub(super) fn learn_accounts(&mut self, identities: &Identities) {
        for account in identities.get("account").into_iter().flatten() {
            let name = api::SubjectRef::Account(account.clone());
            if account.parse::<tutela_core::AccountId>().is_ok() && !self.whose.names.contains(&name) {
                self.whose.names.push(name);
            }
        }
    }

    pub(super) fn did(&mut self, store: &str, collection: &str, done: &str, rows: u64, at: Timestamp) {
        self.progress.steps.push(api::RequestStep { store: store.into(), collection: collection.into(), done: done.into(), rows, at: Some(at.to_string()) });
    }

    /// Tells of something in the commit of this step.
    pub(super) fn record(&mut self, record: Record) {
        self.changeset = Some(match self.changeset.take() {
            Some(changeset) => changeset.and(record),
            None => Changeset::of(record),
        });
    }

    /// Adds to the commit of this step, which tells of something already.
    pub(super) fn with(&mut self, change: impl FnOnce(Changeset) -> Changeset) {
        let changeset = self.changeset.take().unwrap_or_else(|| Changeset::housekeeping(Housekeeping::Job));
        self.changeset = Some(change(changeset));
    }

    /// Mails the person in the commit of this step, where it is known how to reach them.
    pub(super) fn tell(&mut self, app: &App, ctx: &Ctx, what: &text::Mail<'_>) -> Result<(), Error> {
        if let Some(to) = &self.whose.contact {
            let mail = message::mail(app, ctx, to, what, None)?;
            self.with(mail);
        }
        Ok(())
    }

    /// Writes down how far it is.
    pub(super) async fn save(mut self, app: &App, keep: bool) -> Result<(), Error> {
        self.row.sealed = if keep { app.seal_as(PURPOSE, &self.whose)? } else { String::new() };
        self.row.progress = serde_json::to_value(&self.progress).map_err(|_| Error::Internal("a request's progress could not be written down"))?;
        let changeset = self.changeset.take().unwrap_or_else(|| Changeset::housekeeping(Housekeeping::Job));
        app.store.commit(changeset.subject_request_set(&self.row)).await?;
        app.requests_moved.notify_waiters();
        app.requests_due.notify_one();
        Ok(())
    }
}

/// One step of one request.
async fn turn(app: App, row: SubjectRequestRow, _now: Timestamp) -> Result<(), Error> {
    let ctx = Ctx::new(app.env(), Principal::System("privacy"));
    let mut work = Work::open(&app, row)?;
    let law = Law::parse(&work.row.law).ok_or(Error::Internal("a request under no law"))?;
    let kind = Kind::parse(law, &work.row.kind).map_err(|_| Error::Internal("a request of no kind"))?;
    let was_closed = work.row.closed_at.is_some();
    let (id, version) = (work.row.id, work.row.version);
    let step = async {
        if was_closed {
            return erase::resume(&app, &ctx, &mut work).await;
        }
        match kind.work() {
            Task::Erase => erase::step(&app, &ctx, &mut work).await,
            Task::Access | Task::Port => package::step(&app, &ctx, &mut work, kind.work() == Task::Access).await,
            Task::Object | Task::Restrict => wish::step(&app, &ctx, &mut work, kind).await,
            Task::Rectify => wish::rectify(&app, &ctx, &mut work).await,
        }
    };
    let hold = async {
        loop {
            tokio::time::sleep(AGAIN).await;
            if let Err(e) = app.store.subject_request_hold(id, version, app.env.now() + LEASE).await {
                tracing::debug!(error = %e, request = %id, "the lease of a request could not be renewed");
            }
        }
    };
    let done = tokio::select! {
        done = step => done,
        () = hold => return Ok(()),
    };
    match done {
        Ok(next) => rest(&app, &ctx, work, next, was_closed).await,
        Err(Halt::Down { store, why }) => {
            tracing::warn!(request = %work.row.id, store, why, "a store of people's data does not answer; the request will go on by itself");
            let begun = work.progress.is_begun();
            if !was_closed {
                work.row.state = if begun { "partial" } else { "pending" }.into();
            }
            work.progress.problems = vec![api::PlanFinding { place: store, why: format!("it does not answer and is tried again: {why}") }];
            work.row.run_at = Some(ctx.now + pause(work.row.attempts, LONGEST_PAUSE));
            work.row.attempts += 1;
            work.save(&app, true).await
        }
        Err(Halt::Stopped { place, why }) => {
            work.progress.problems = vec![api::PlanFinding { place, why }];
            rest(&app, &ctx, work, Next::Stopped, was_closed).await
        }
        Err(Halt::Failed(e)) => {
            tracing::error!(request = %work.row.id, error = %e, "a request of a person failed and will be tried again");
            work.row.run_at = Some(ctx.now + pause(work.row.attempts, LONGEST_PAUSE));
            work.row.attempts += 1;
            work.save(&app, true).await
        }
    }
}

/// Goes on, waits, or is answered.
async fn rest(app: &App, ctx: &Ctx, mut work: Work, next: Next, was_closed: bool) -> Result<(), Error> {
    work.row.attempts = 0;
    work.row.run_at = None;
    match next {
        Next::Again => {
            if !was_closed {
                work.row.state = "running".into();
            }
            work.row.run_at = Some(ctx.now);
            work.save(app, true).await
        }
        // It was answered; what is left of it is tried again tomorrow.
        Next::Stopped | Next::Waiting if was_closed => {
            work.row.run_at = Some(ctx.now + Duration::from_secs(86_400));
            let why = work.progress.problems.first().map(|of| format!("{}: {}", of.place, of.why)).unwrap_or_default();
            work.record(app.record(ctx, RequestStopped::new(work.row.id, &why)).await?);
            work.save(app, true).await
        }
        Next::Stopped | Next::Waiting => {
            let waits = next == Next::Waiting;
            let why = if waits {
                "it waits for approval".to_owned()
            } else {
                work.progress.problems.iter().map(|of| format!("{}: {}", of.place, of.why)).collect::<Vec<_>>().join("; ")
            };
            let why: String = why.chars().take(1_000).collect();
            work.record(app.record(ctx, RequestStopped::new(work.row.id, &why)).await?);
            work.row.state = if waits { "waiting" } else { "stopped" }.into();
            work.save(app, true).await
        }
        Next::Completed => {
            let receipt = work.progress.receipt.as_ref().and_then(|receipt| tutela_ledger::canonical(&receipt.receipt).ok());
            let receipt = receipt.map(|bytes| hex(&tutela_ledger::sha256(&bytes))).unwrap_or_default();
            let (law, kind) = (work.row.law.clone(), work.row.kind.clone());
            if !was_closed {
                work.record(app.record(ctx, RequestCompleted::new(work.row.id, &law, &kind, work.progress.kept.len() as u64, receipt)).await?);
                work.progress.problems.clear();
                work.row.closed_at = Some(ctx.now);
                work.row.state = "completed".into();
                if work.whose.contact.is_some() {
                    let path = match (&work.progress.package_until, work.progress.identified_by.as_str()) {
                        (Some(_), "mail") => super::visitor::package_path(app, work.row.id)?,
                        (Some(_), _) => "/account/data".to_owned(),
                        (None, _) => super::request::status_path(app, &work.row.id.to_string())?,
                    };
                    let url = format!("{}{path}", app.urls.public);
                    let until = work.progress.package_until.clone();
                    work.tell(app, ctx, &text::Mail::RequestAnswered { what: &kind, url: &url, until: until.as_deref() })?;
                }
            }
            // What is kept for a time, or until somebody releases it, goes then.
            work.whose.needles.clear();
            let first = work.whose.kept.iter().filter_map(|kept| kept.until).min();
            work.row.run_at = first.and_then(day_after);
            let keep = !work.whose.kept.is_empty();
            if !keep {
                work.row.run_at = None;
            }
            work.save(app, keep).await
        }
    }
}

/// The first moment after a day.
fn day_after(day: Date) -> Option<Timestamp> {
    format!("{}T00:00:00Z", day.saturating_add(1.day())).parse().ok()
}
