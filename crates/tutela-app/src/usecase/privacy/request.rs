//! What people ask for about their data: taken in, looked at, decided on.

use std::time::Duration;

use serde_json::Value;
use tutela_api as api;
use tutela_core::{Subject, SubjectRequestId, Timestamp};
use tutela_privacy::{Clocks, Kind, Law, Work as Task};
use tutela_store::SubjectRequestRow;

use super::{
    happened::{PackageFetched, RequestApproved, RequestExtended, RequestReceived, RequestRefused},
    package,
    person::Person,
    places::{self, Identities},
    work::{PURPOSE, Whose, Work},
};
use crate::{
    App, Ctx, Error, text,
    usecase::{
        account,
        message::{self, OnItsWay},
        session::own_account,
        sign_in::{Needed, permit_fresh, require_fresh},
    },
};

const STATUS: &[u8] = b"status of a subject request";
/// Longest wait for an answer.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Most corrections of a request, and longest value.
const MOST_CORRECTIONS: usize = 100;
const LONGEST_CORRECTION: usize = 10_000;

/// Takes in what somebody asks for, as an application or a member of staff heard it.
pub async fn create(app: &App, ctx: &Ctx, new: api::NewSubjectRequest) -> Result<api::SubjectRequest, Error> {
    app.permit(ctx, "subject-requests:write").await?;
    let person = Person::named(app, &new.subject).await?;
    let by = if ctx.principal.account().is_some() { "staff" } else { "application" };
    let asked = api::OwnSubjectRequest { law: new.law, kind: new.kind, corrections: new.corrections, purposes: new.purposes };
    take(app, ctx, Intake { person, asked, by, contact: new.contact, known: Identities::new(), with: None }).await
}

/// Takes in what the person who is signed in asks for. What shows or ends everything needs a fresh sign-in.
pub async fn create_own(app: &App, ctx: &Ctx, new: api::OwnSubjectRequest) -> Result<api::SubjectRequest, Error> {
    let id = own_account(ctx)?;
    kind_of(&new)?;
    may_ask(app, ctx, &new.kind).await?;
    let account = app.store.account_get(id).await?.ok_or(Error::NotFound("account"))?;
    let person = Person::of(app, Subject::Account(id)).await?;
    let contact = Some(account.email.as_str().to_owned());
    take(app, ctx, Intake { person, asked: new, by: "account", contact, known: Identities::new(), with: None }).await
}

/// Whether the person who is signed in may ask for something now: it is switched on, and what shows or ends everything
/// needs a fresh sign-in.
pub async fn may_ask(app: &App, ctx: &Ctx, kind: &str) -> Result<(), Error> {
    own_account(ctx)?;
    let task = Kind::of(kind).map(Kind::work).ok_or_else(|| Error::invalid("type", "there is no such type"))?;
    right_of(app, task)?;
    if matches!(task, Task::Access | Task::Port | Task::Erase | Task::Rectify) { require_fresh(app, ctx, Needed::Fresh).await } else { Ok(()) }
}

/// Whether something can be asked for here.
pub fn is_on(app: &App, kind: &str) -> bool {
    Kind::of(kind).is_some_and(|kind| right_of(app, kind.work()).is_ok())
}

/// Refuses a right that is switched off, by its name.
fn right_of(app: &App, task: Task) -> Result<(), Error> {
    let rights = app.privacy.data_subject_rights;
    match task {
        Task::Access if !rights.access => Err(Error::RightOff("access")),
        Task::Rectify if !rights.rectification => Err(Error::RightOff("rectification")),
        Task::Erase if !rights.erasure => Err(Error::RightOff("erasure")),
        Task::Port if !rights.portability => Err(Error::RightOff("portability")),
        _ => Ok(()),
    }
}

fn kind_of(new: &api::OwnSubjectRequest) -> Result<(Law, Kind), Error> {
    let word = new.law.as_deref().unwrap_or("gdpr");
    let law = Law::parse(word).ok_or_else(|| Error::invalid("law", format!("`{word}` is none of gdpr, ccpa")))?;
    Ok((law, Kind::parse(law, &new.kind).map_err(|e| Error::invalid("type", e))?))
}

/// What somebody asks for, and how it is known that it is them.
pub(super) struct Intake {
    pub person: Person,
    pub asked: api::OwnSubjectRequest,
    /// `account`, `mail`, `staff`, `application` or `restore`.
    pub by: &'static str,
    /// Where they are told of the answer.
    pub contact: Option<String>,
    /// What identifies them beside their names, such as an address that they have just proven.
    pub known: Identities,
    /// What else belongs to the commit.
    pub with: Option<OnItsWay>,
}

pub(super) async fn take(app: &App, ctx: &Ctx, intake: Intake) -> Result<api::SubjectRequest, Error> {
    let Intake { person, asked: new, by, contact, known, with } = intake;
    let (law, kind) = kind_of(&new)?;
    right_of(app, kind.work())?;
    check(app, kind, &new)?;
    let tag = person.tag(app);
    // The same asked twice is one request.
    for tag in person.tags(app) {
        let open = app
            .store
            .subject_request_list_by_tag(tag)
            .await?
            .into_iter()
            .find(|row| row.closed_at.is_none() && row.law == law.as_str() && row.kind == kind.as_str());
        if let Some(row) = open {
            return shown(app, &Work::open(app, row)?);
        }
    }
    let dates = Clocks::own().dates(law, kind, ctx.now).ok_or(Error::Internal("a request without a clock"))?;
    let due = dates.answer.to_string();
    let id = SubjectRequestId::new(ctx.now, &mut { app.env() });
    let mut identities = places::identities(app, &person).await?;
    for (name, values) in known {
        identities.entry(name).or_default().extend(values);
    }
    let names = person.names.iter().filter_map(named).collect();
    let whose = Whose { names, identities, contact: contact.clone(), corrections: new.corrections, purposes: new.purposes, ..Whose::default() };
    let row = SubjectRequestRow {
        id,
        tag,
        law: law.as_str().into(),
        kind: kind.as_str().into(),
        state: "pending".into(),
        sealed: app.seal_as(PURPOSE, &whose)?,
        progress: serde_json::to_value(api::RequestProgress { identified_by: by.to_owned(), ..api::RequestProgress::default() })
            .map_err(|_| Error::Internal("a request's progress could not be written down"))?,
        version: 0,
        received_at: ctx.now,
        due_on: due.clone(),
        closed_at: None,
        run_at: Some(ctx.now),
        attempts: 0,
    };
    let received = RequestReceived::new(id, person.subject.clone(), law.as_str(), kind.as_str(), by, &due);
    let mail = match &contact {
        Some(to) => Some(message::mail(
            app,
            ctx,
            to,
            &text::Mail::RequestReceived { what: kind.as_str(), due: &due, url: &format!("{}{}", app.urls.public, status_path(app, &id.to_string())?) },
            None,
        )?),
        None => None,
    };
    app.commit(ctx, received, |changeset| {
        let changeset = changeset.subject_request_insert(&row);
        [with, mail].into_iter().flatten().fold(changeset, |changeset, more| more(changeset))
    })
    .await?;
    app.requests_due.notify_one();
    shown(app, &Work::open(app, row)?)
}

fn check(app: &App, kind: Kind, new: &api::OwnSubjectRequest) -> Result<(), Error> {
    let rectifies = kind.work() == Task::Rectify;
    if rectifies == new.corrections.is_empty() {
        let why = if rectifies {
            "say what it becomes: {\"user.contact.email\": \"ada@example.com\"}"
        } else {
            "corrections belong to a request of the type `rectification` or `correct`"
        };
        return Err(Error::invalid("corrections", why));
    }
    let fits = |value: &Value| !value.is_array() && !value.is_object() && value.as_str().is_none_or(|text| text.chars().count() <= LONGEST_CORRECTION);
    if new.corrections.len() > MOST_CORRECTIONS || !new.corrections.values().all(fits) {
        return Err(Error::invalid(
            "corrections",
            format!("there are at most {MOST_CORRECTIONS}, each a text of at most {LONGEST_CORRECTION} characters, a number, a truth or null"),
        ));
    }
    if kind == Kind::Objection && !new.purposes.is_empty() {
        super::purpose::wanted(app, &new.purposes)?;
    } else if kind != Kind::Objection && !new.purposes.is_empty() {
        return Err(Error::invalid("purposes", "purposes belong to a request of the type `objection`"));
    }
    Ok(())
}

/// A name as it is kept in what is sealed.
pub(super) fn named(name: &Subject) -> Option<api::SubjectRef> {
    match name {
        Subject::Account(id) => Some(api::SubjectRef::Account(id.to_string())),
        Subject::External { namespace, value } => Some(api::SubjectRef::External(api::ExternalId { namespace: namespace.clone(), value: value.clone() })),
        Subject::Unknown(_) => None,
    }
}

/// A request.
pub async fn get(app: &App, ctx: &Ctx, id: &str) -> Result<api::SubjectRequest, Error> {
    app.permit(ctx, "subject-requests:read").await?;
    shown(app, &found(app, id).await?)
}

/// Requests, newest first.
pub async fn list(app: &App, ctx: &Ctx, before: Option<SubjectRequestId>, limit: u32) -> Result<Vec<api::SubjectRequest>, Error> {
    app.permit(ctx, "subject-requests:read").await?;
    let rows = app.store.subject_request_list(before, limit.clamp(1, 100)).await?;
    rows.into_iter().map(|row| shown(app, &Work::open(app, row)?)).collect()
}

/// Requests of the person who is signed in, newest first.
pub async fn list_own(app: &App, ctx: &Ctx) -> Result<Vec<api::SubjectRequest>, Error> {
    let person = Person::of(app, Subject::Account(own_account(ctx)?)).await?;
    let mut all = Vec::new();
    for tag in person.tags(app) {
        for row in app.store.subject_request_list_by_tag(tag).await? {
            all.push(shown(app, &Work::open(app, row)?)?);
        }
    }
    all.sort_by(|a: &api::SubjectRequest, b| b.id.cmp(&a.id));
    Ok(all)
}

/// A request of the person who is signed in.
pub async fn get_own(app: &App, ctx: &Ctx, id: &str) -> Result<api::SubjectRequest, Error> {
    shown(app, &own(app, ctx, id).await?)
}

/// Where a request can be looked at by whoever has the address, also when the account is gone.
pub fn status_path(app: &App, id: &str) -> Result<String, Error> {
    Ok(format!("/privacy/requests/{}", app.seal_as(STATUS, &id)?))
}

/// The request of such an address.
pub async fn by_token(app: &App, token: &str) -> Result<api::SubjectRequest, Error> {
    let id: String = app.open_as(STATUS, token).ok_or(Error::NotFound("request"))?;
    shown(app, &found(app, &id).await?)
}

async fn found(app: &App, id: &str) -> Result<Work, Error> {
    let id: SubjectRequestId = id.parse().map_err(|_| Error::NotFound("request"))?;
    Work::open(app, app.store.subject_request_get(id).await?.ok_or(Error::NotFound("request"))?)
}

async fn own(app: &App, ctx: &Ctx, id: &str) -> Result<Work, Error> {
    let person = Person::of(app, Subject::Account(own_account(ctx)?)).await?;
    let work = found(app, id).await?;
    if person.tags(app).contains(&work.row.tag) { Ok(work) } else { Err(Error::NotFound("request")) }
}

/// Waits until a request has come to rest, for at most so long; then it is as it is.
pub async fn wait(app: &App, id: &str, longest: Duration) -> Result<api::SubjectRequest, Error> {
    let until = tokio::time::Instant::now() + longest.min(LONGEST_WAIT);
    loop {
        let moved = app.requests_moved.notified();
        let work = found(app, id).await?;
        let rests = !matches!(work.row.state.as_str(), "pending" | "running");
        if rests || tokio::time::Instant::now() >= until {
            return shown(app, &work);
        }
        // Another node may be the one that moves it.
        let _ = tokio::time::timeout(Duration::from_millis(250), moved).await;
    }
}

/// Approves of a plan: it is carried out.
pub async fn approve(app: &App, ctx: &Ctx, id: &str) -> Result<api::SubjectRequest, Error> {
    permit_fresh(app, ctx, "subject-requests:approve").await?;
    let mut work = found(app, id).await?;
    if work.row.state != "waiting" {
        return Err(Error::Conflict(format!("this request is {}, and only one that is waiting is approved", work.row.state)));
    }
    work.progress.approved = true;
    work.record(app.record(ctx, RequestApproved::new(work.row.id)).await?);
    again(app, ctx, work).await
}

/// Tries a request again now: what stood in its way may be gone.
pub async fn run(app: &App, ctx: &Ctx, id: &str) -> Result<api::SubjectRequest, Error> {
    app.permit(ctx, "subject-requests:write").await?;
    let work = found(app, id).await?;
    if work.row.closed_at.is_some() {
        return Err(Error::Conflict(format!("this request is {}", work.row.state)));
    }
    again(app, ctx, work).await
}

async fn again(app: &App, ctx: &Ctx, mut work: Work) -> Result<api::SubjectRequest, Error> {
    work.row.state = "pending".into();
    work.row.run_at = Some(ctx.now);
    work.row.attempts = 0;
    saved(app, work, true).await
}

/// Refuses a request, with the reason that the person is told.
pub async fn refuse(app: &App, ctx: &Ctx, id: &str, why: &str) -> Result<api::SubjectRequest, Error> {
    app.permit(ctx, "subject-requests:approve").await?;
    let (why, mut work) = (account::reason(why)?, found(app, id).await?);
    if work.row.closed_at.is_some() || work.progress.is_begun() {
        return Err(Error::Conflict("this request is answered, or begun: what is done cannot be refused".into()));
    }
    work.record(app.record(ctx, RequestRefused::new(work.row.id, &why)).await?);
    work.tell(app, ctx, &text::Mail::RequestRefused { what: &work.row.kind.clone(), why: &why })?;
    work.progress.reason = Some(why);
    (work.row.state, work.row.closed_at, work.row.run_at) = ("refused".into(), Some(ctx.now), None);
    saved(app, work, false).await
}

/// Extends the time of a request by as much as its law allows, once, and tells the person why.
pub async fn extend(app: &App, ctx: &Ctx, id: &str, why: &str) -> Result<api::SubjectRequest, Error> {
    app.permit(ctx, "subject-requests:approve").await?;
    let (why, mut work) = (account::reason(why)?, found(app, id).await?);
    let (law, kind) = law_of(&work.row)?;
    let dates = Clocks::own().dates(law, kind, work.row.received_at).ok_or(Error::Internal("a request without a clock"))?;
    let (Some(tell_by), Some(extended)) = (dates.extend_until, dates.extended) else {
        return Err(Error::Conflict(format!("the law gives no more time for a request of the type `{}`", work.row.kind)));
    };
    if work.progress.extended || work.row.closed_at.is_some() {
        return Err(Error::Conflict("this request was extended before, or is answered".into()));
    }
    if ctx.now.date() > tell_by {
        return Err(Error::Conflict(format!("an extension had to be told by {tell_by}")));
    }
    let until = extended.to_string();
    work.record(app.record(ctx, RequestExtended::new(work.row.id, &until, &why)).await?);
    work.tell(app, ctx, &text::Mail::RequestExtended { until: &until, why: &why })?;
    work.progress.reason = Some(why);
    work.progress.extended = true;
    work.row.due_on = until;
    saved(app, work, true).await
}

/// Writes a request down, and shows what it is then.
async fn saved(app: &App, work: Work, keep: bool) -> Result<api::SubjectRequest, Error> {
    let id = work.row.id.to_string();
    work.save(app, keep).await?;
    shown(app, &found(app, &id).await?)
}

fn law_of(row: &SubjectRequestRow) -> Result<(Law, Kind), Error> {
    let law = Law::parse(&row.law).ok_or(Error::Internal("a request under no law"))?;
    Ok((law, Kind::parse(law, &row.kind).map_err(|_| Error::Internal("a request of no kind"))?))
}

/// What is handed over of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// JSON for programs.
    Export,
    /// Everything, as one ZIP.
    Package,
}

/// The package of a request, for an application or a member of staff.
pub async fn fetch(app: &App, ctx: &Ctx, id: &str, part: Part) -> Result<Vec<u8>, Error> {
    app.permit(ctx, "subject-requests:export").await?;
    hand_over(app, ctx, &found(app, id).await?, part).await
}

/// The package of one's own request; after a fresh sign-in.
pub async fn fetch_own(app: &App, ctx: &Ctx, id: &str, part: Part) -> Result<Vec<u8>, Error> {
    let work = own(app, ctx, id).await?;
    require_fresh(app, ctx, Needed::Fresh).await?;
    hand_over(app, ctx, &work, part).await
}

async fn hand_over(app: &App, ctx: &Ctx, work: &Work, part: Part) -> Result<Vec<u8>, Error> {
    let (export, zip) = package::parts(app, work.row.id).await?.ok_or(Error::NotFound("package; it was not asked for, is not made yet, or has expired"))?;
    app.commit(ctx, PackageFetched::new(work.row.id), |changeset| changeset).await?;
    Ok(if part == Part::Export { export } else { zip })
}

fn shown(app: &App, work: &Work) -> Result<api::SubjectRequest, Error> {
    let row = &work.row;
    let (law, kind) = law_of(row)?;
    let dates = Clocks::own().dates(law, kind, row.received_at);
    let package_until = work.progress.package_until.clone().filter(|until| until.parse().is_ok_and(|until: Timestamp| app.env().now() < until));
    Ok(api::SubjectRequest {
        id: row.id.to_string(),
        law: row.law.clone(),
        kind: row.kind.clone(),
        status: row.state.clone(),
        received_at: row.received_at.to_string(),
        confirm_by: dates.as_ref().and_then(|dates| dates.confirm).map(|day| day.to_string()),
        answer_by: row.due_on.clone(),
        extend_by: dates.as_ref().filter(|_| !work.progress.extended).and_then(|dates| dates.extend_until).map(|day| day.to_string()),
        section: Clocks::own().of(law, kind).map(|clock| clock.section.clone()).unwrap_or_default(),
        closed_at: row.closed_at.map(|at| at.to_string()),
        next_try_at: row.run_at.filter(|_| row.closed_at.is_none() && row.attempts > 0).map(|at| at.to_string()),
        progress: api::RequestProgress { package_until, ..work.progress.clone() },
    })
}
