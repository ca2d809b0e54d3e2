//! What keeps the keys in order: provider epochs and rewrap jobs, backups, field policies, erasure.

use std::cmp::Reverse;

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use serde::Deserialize;
use tutela_api as api;
use tutela_app::{Error, epoch, key_backup, policy, rewrap, subject};
use tutela_core::{ErrorKind, Timestamp};

use super::{
    console::desk,
    console_frame::Desk,
    console_keys::{NO_REASON, counted, given, said},
    see_other,
    show::when_text,
};
use crate::{
    caller::Caller,
    view::{
        console::Room,
        keys::{
            BackupRow, BackupsPage, CertificateCard, EpochRow, EpochsPage, ErasurePage, FieldRow, JobRow, PoliciesPage, PolicyCard, QuarantinedRow,
            SubjectCard, Tab, Tabs, TypedSubject,
        },
        part::{Count, Identifier, Status, Tone},
    },
    web::Web,
};

/// What was just done, in a word of ours, or the certificate to show.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    done: String,
    certificate: String,
}

fn notice(done: &str) -> Option<String> {
    let text = match done {
        "rotated" => "Provider key rotated. A job moves the keys to the new epoch.",
        "destroyed" => "Provider key destroyed. What only it could open is unreadable from now on, in every backup too.",
        "rewrap" => "A job moves every key to the active epoch.",
        "backed-up" => "Keys backed up.",
        "rehearsed" => "Restore rehearsed: the newest backup opens and its keys fit.",
        "erased" => "Key destroyed. The certificate below says when nothing can open what it had sealed.",
        _ => return None,
    };
    Some(text.to_owned())
}

// === Provider epochs ===

pub(crate) async fn epochs(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(asked): Query<Asked>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    epochs_page(&desk, notice(&asked.done), None).await
}

pub(crate) async fn rotate_provider(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match epoch::rotate(&desk.web.app, &desk.caller.ctx).await {
        Ok(_) => see_other("/keys/epochs?done=rotated"),
        Err(e) => epochs_page(&desk, None, Some(said(&e))).await,
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Why {
    reason: String,
}

pub(crate) async fn destroy_epoch(
    State(web): State<Web>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    Path(number): Path<u64>,
    Form(why): Form<Why>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let Some(reason) = given(&why.reason) else { return epochs_page(&desk, None, Some(NO_REASON.into())).await };
    match epoch::destroy(&desk.web.app, &desk.caller.ctx, number, api::Reason { reason }).await {
        Ok(_) => see_other("/keys/epochs?done=destroyed"),
        Err(e) => epochs_page(&desk, None, Some(said(&e))).await,
    }
}

pub(crate) async fn rewrap_now(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match rewrap::start(&desk.web.app, &desk.caller.ctx).await {
        Ok(_) => see_other("/keys/epochs?done=rewrap"),
        Err(e) => epochs_page(&desk, None, Some(said(&e))).await,
    }
}

async fn epochs_page(desk: &Desk, notice: Option<String>, error: Option<String>) -> Response {
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let (mut epochs, jobs) = match (epoch::list(app, ctx).await, rewrap::list(app, ctx).await) {
        (Ok(epochs), Ok(jobs)) => (epochs, jobs),
        (Err(e), _) | (_, Err(e)) => return desk.failed(Room::Keys, &e),
    };
    epochs.sort_by_key(|epoch| Reverse(epoch.number));
    let under = |state: &str| Count(epochs.iter().filter(|epoch| epoch.state == state).map(|epoch| epoch.references).sum());
    desk.show(&EpochsPage {
        frame: desk.frame(Room::Keys),
        tabs: Tabs { at: Tab::Epochs },
        notice,
        error,
        next: epochs.first().map_or(1, |newest| newest.number.saturating_add(1)),
        held: under("active"),
        behind: under("retiring"),
        rows: epochs.iter().map(epoch_row).collect(),
        jobs: jobs.into_iter().map(|job| job_row(job, ctx.now)).collect(),
    })
}

fn epoch_row(epoch: &api::Epoch) -> EpochRow {
    let tone = match epoch.state.as_str() {
        "active" => Tone::Good,
        "retiring" => Tone::Attention,
        _ => Tone::Information,
    };
    EpochRow {
        number: epoch.number,
        provider: epoch.provider.clone(),
        provider_key: Identifier::new(epoch.provider_key.clone()),
        state: Status::new(tone, epoch.state.clone()),
        began: when_text(&epoch.created_at),
        destroyed: epoch.destroyed_at.as_deref().map(when_text),
        references: Count(epoch.references),
        destroyable: epoch.state == "retiring" && epoch.references == 0,
    }
}

fn job_row(job: api::KeyJob, now: Timestamp) -> JobRow {
    let state = match (job.state.as_str(), job.quarantined.len() as u64) {
        ("done", 0) => Status::new(Tone::Good, "done"),
        ("done", left) => Status::new(Tone::Attention, format!("done, {left} left behind")),
        (other, _) => Status::new(Tone::Information, other),
    };
    JobRow {
        started: when_text(&job.started_at),
        finished: job.finished_at.as_deref().map(when_text),
        epoch: job.epoch,
        done: job.done,
        total: job.total,
        words: format!("{} of {}", Count(job.done), counted(job.total, "key")),
        left: time_left(&job, now),
        state,
        quarantined: job.quarantined.into_iter().map(|q| QuarantinedRow { key: Identifier::new(q.key_id), version: q.version, reason: q.reason }).collect(),
    }
}

/// How long a running job still takes if it goes on as it went so far.
fn time_left(job: &api::KeyJob, now: Timestamp) -> Option<String> {
    let spent = now.since(job.started_at.parse::<Timestamp>().ok()?).as_secs();
    let seconds = spent.saturating_mul(job.total.saturating_sub(job.done)).checked_div(job.done)?;
    (job.state == "running").then(|| match seconds {
        0..60 => "less than a minute left".to_owned(),
        60..7_200 => format!("about {} min left", seconds / 60),
        _ => format!("about {} h left", seconds / 3_600),
    })
}

// === Backups ===

pub(crate) async fn backups(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(asked): Query<Asked>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    backups_page(&desk, notice(&asked.done), None).await
}

pub(crate) async fn back_up(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match key_backup::create(&desk.web.app, &desk.caller.ctx).await {
        Ok(_) => see_other("/keys/backups?done=backed-up"),
        Err(e) => backups_page(&desk, None, Some(said(&e))).await,
    }
}

pub(crate) async fn rehearse(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match key_backup::rehearse(&desk.web.app, &desk.caller.ctx).await {
        Ok(_) => see_other("/keys/backups?done=rehearsed"),
        Err(e) => backups_page(&desk, None, Some(said(&e))).await,
    }
}

/// All backups, and why there are none where they are switched off: then the list answers a conflict.
pub(super) async fn backups_or_off(desk: &Desk) -> Result<(Vec<api::KeyBackup>, Option<String>), Error> {
    match key_backup::list(&desk.web.app, &desk.caller.ctx).await {
        Ok(all) => Ok((all, None)),
        Err(e) if e.kind() == ErrorKind::Conflict => Ok((Vec::new(), Some(e.to_string()))),
        Err(e) => Err(e),
    }
}

async fn backups_page(desk: &Desk, notice: Option<String>, error: Option<String>) -> Response {
    let (all, off) = match backups_or_off(desk).await {
        Ok(found) => found,
        Err(e) => return desk.failed(Room::Keys, &e),
    };
    let kept = || all.iter().filter(|backup| backup.deleted_at.is_none());
    desk.show(&BackupsPage {
        frame: desk.frame(Room::Keys),
        tabs: Tabs { at: Tab::Backups },
        notice,
        error,
        off,
        last: kept().map(|backup| backup.created_at.as_str()).max().map(when_text),
        rehearsed: all.iter().filter_map(|backup| backup.rehearsed_at.as_deref()).max().map(when_text),
        kept: Count(kept().count() as u64),
        rows: all.iter().map(backup_row).collect(),
    })
}

fn backup_row(backup: &api::KeyBackup) -> BackupRow {
    BackupRow {
        file: backup.file.clone(),
        made: when_text(&backup.created_at),
        keys: Count(backup.keys),
        sha256: Identifier::new(backup.sha256.clone()),
        rehearsed: backup.rehearsed_at.as_deref().map(when_text),
        deleted: backup.deleted_at.as_deref().map(when_text),
    }
}

// === Field policies ===

pub(crate) async fn policies(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let stored = match policy::list(&desk.web.app, &desk.caller.ctx).await {
        Ok(stored) => stored,
        Err(e) => return desk.failed(Room::Keys, &e),
    };
    let rows = stored.into_iter().map(|stored| PolicyCard {
        name: stored.name,
        key: stored.policy.key.unwrap_or_else(|| "default".into()),
        changed: when_text(&stored.changed_at),
        fields: stored.policy.fields.into_iter().map(field_row).collect(),
    });
    desk.show(&PoliciesPage { frame: desk.frame(Room::Keys), tabs: Tabs { at: Tab::Policies }, rows: rows.collect() })
}

fn field_row(rule: api::FieldRule) -> FieldRow {
    let (mode, index) = match rule.mode {
        api::FieldMode::Deterministic => ("deterministic", None),
        api::FieldMode::Equality => ("equality", Some(format!("{}-bit index", rule.index_bits.unwrap_or(32)))),
        api::FieldMode::Random => ("random", None),
    };
    let details: Vec<String> = index.into_iter().chain(rule.optional.then(|| "may be absent".to_owned())).collect();
    FieldRow { path: rule.path, mode, detail: details.join(", "), leaks: rule.leaks.unwrap_or_default() }
}

// === Erasure: who it is about travels in forms only, never in an address ===

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct TypedAction {
    account: String,
    namespace: String,
    value: String,
    reason: String,
}

impl TypedAction {
    fn subject(&self) -> Result<api::SubjectRef, &'static str> {
        match (given(&self.account), given(&self.namespace), given(&self.value)) {
            (Some(account), None, None) => Ok(api::SubjectRef::Account(account)),
            (None, Some(namespace), Some(value)) => Ok(api::SubjectRef::External(api::ExternalId { namespace, value })),
            _ => Err("Write an account id alone, or a namespace and a value."),
        }
    }

    fn card(&self, key: &api::SubjectKey) -> SubjectCard {
        SubjectCard {
            who: if self.account.is_empty() { format!("{}:{}", self.namespace, self.value) } else { format!("account {}", self.account) },
            key: Identifier::new(key.key_id.clone()),
            made: when_text(&key.created_at),
            hold: key.hold.clone(),
        }
    }
}

pub(crate) async fn erasure(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(asked): Query<Asked>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let mut page = erasure_page(&desk, &TypedAction::default(), notice(&asked.done), None);
    if let Some(key) = given(&asked.certificate) {
        match subject::certificate(&desk.web.app, &desk.caller.ctx, &key).await {
            Ok(found) => page.certificate = Some(certificate(found)),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                page.error = Some(format!("There is no certificate for {key}: no data subject's key with this id was destroyed."))
            }
            Err(e) => page.error = Some(said(&e)),
        }
    }
    desk.show(&page)
}

pub(crate) async fn look_up(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Form(typed): Form<TypedAction>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    found(&desk, &typed, None, None).await
}

/// Does what the last part of the address says, and shows the key again or the certificate.
pub(crate) async fn act(
    State(web): State<Web>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    Path(verb): Path<String>,
    Form(typed): Form<TypedAction>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let Ok(named) = typed.subject() else { return found(&desk, &typed, None, None).await };
    let Some(reason) = given(&typed.reason) else { return found(&desk, &typed, None, Some(NO_REASON.into())).await };
    let action = api::SubjectAction { subject: named, reason };
    let done = match verb.as_str() {
        "erase" => match subject::erase(app, ctx, action).await {
            Ok(made) => return see_other(&format!("/keys/erasure?certificate={}&done=erased", made.key_id)),
            Err(e) => Err(e),
        },
        "hold" => subject::hold(app, ctx, action).await.map(|_| "Legal hold placed. The key cannot be destroyed until it is released."),
        "release" => subject::release(app, ctx, action).await.map(|_| "Legal hold released. The key can be destroyed again."),
        _ => Err(Error::NotFound("page")),
    };
    match done {
        Ok(text) => found(&desk, &typed, Some(text.into()), None).await,
        Err(e) => found(&desk, &typed, None, Some(said(&e))).await,
    }
}

/// The page with the key of whoever was typed.
async fn found(desk: &Desk, typed: &TypedAction, notice: Option<String>, error: Option<String>) -> Response {
    let mut page = erasure_page(desk, typed, notice, error);
    match typed.subject() {
        Ok(named) => match subject::find(&desk.web.app, &desk.caller.ctx, named).await {
            Ok(key) => page.found = Some(typed.card(&key)),
            Err(e) if e.kind() == ErrorKind::NotFound => page.nothing = page.error.is_none(),
            Err(e) => page.error = Some(said(&e)),
        },
        Err(text) => page.error = Some(text.into()),
    }
    desk.show(&page)
}

fn erasure_page(desk: &Desk, typed: &TypedAction, notice: Option<String>, error: Option<String>) -> ErasurePage {
    ErasurePage {
        frame: desk.frame(Room::Keys),
        tabs: Tabs { at: Tab::Erasure },
        notice,
        error,
        typed: TypedSubject { account: typed.account.clone(), namespace: typed.namespace.clone(), value: typed.value.clone() },
        nothing: false,
        found: None,
        certificate: None,
    }
}

fn certificate(found: api::ErasureCertificate) -> CertificateCard {
    CertificateCard {
        key: Identifier::new(found.key_id),
        destroyed: when_text(&found.destroyed_at),
        unreadable: found.unreadable_at.as_deref().map(when_text),
        in_backups: found.unreadable_in_backups_at.as_deref().map(when_text),
        due: found.due_at.as_deref().map(when_text),
        epoch: found.epoch,
        note: found.note,
    }
}
