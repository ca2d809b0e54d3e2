//! The job that moves data keys under the newest provider key. No data is touched.
//!
//! Each step moves up to 256 keys and its own place in one commit, so a job that dies goes on where
//! it was and moves nothing twice. A key that does not unwrap is set aside with its reason, and the
//! job goes on.

use tutela_api as api;
use tutela_core::{JobId, KeyId};
use tutela_kms::event::KeysRewrapped;
use tutela_store::{Changeset, Housekeeping, KeyJobRow};

use super::key::unless_conflict;
use crate::{App, Ctx, Error, ring::KeyError};

/// Keys of one step.
const STEP: u32 = 256;

/// Begins a job now, or gives the one that is running.
pub async fn start(app: &App, ctx: &Ctx) -> Result<api::KeyJob, Error> {
    app.permit(ctx, "keys:write").await?;
    let row = begin(app, ctx).await?;
    shown(app, row).await
}

/// Jobs, newest first.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::KeyJob>, Error> {
    app.permit(ctx, "keys:read").await?;
    let mut out = Vec::new();
    for row in app.store.key_job_list(100).await? {
        out.push(shown(app, row).await?);
    }
    Ok(out)
}

/// One job.
pub async fn get(app: &App, ctx: &Ctx, id: JobId) -> Result<api::KeyJob, Error> {
    app.permit(ctx, "keys:read").await?;
    shown(app, app.store.key_job_get(id).await?.ok_or(Error::NotFound("job"))?).await
}

pub(crate) async fn begin(app: &App, ctx: &Ctx) -> Result<KeyJobRow, Error> {
    app.ring.take_up_newest().await?;
    let epoch = app.store.epoch_list().await?.first().ok_or(Error::Internal("there is no epoch"))?.number;
    if let Some(open) = app.store.key_job_open().await? {
        if open.epoch == epoch {
            app.wake_keys();
            return Ok(open);
        }
        // An earlier job's place is of no use to a newer epoch.
        unless_conflict(app.store.commit(Changeset::housekeeping(Housekeeping::Job).key_job_finish(open.id, ctx.now)).await.map_err(Error::from))?;
    }
    let total = app.store.key_version_count_outside(epoch).await?;
    let row = KeyJobRow { id: JobId::new(ctx.now, &mut { app.env() }), epoch, done: 0, total, after: None, started_at: ctx.now, finished_at: None };
    app.store.commit(Changeset::housekeeping(Housekeeping::Job).key_job_insert(&row)).await?;
    app.wake_keys();
    Ok(row)
}

/// Runs the open job to its end, step by step. Where keys were left under an older epoch and no job is
/// open, one is begun: a node may have died between the two.
pub(crate) async fn run(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let newest = app.store.epoch_list().await?.first().map_or(0, |row| row.number);
    let tried = app.store.key_job_list(1).await?.first().is_some_and(|job| job.epoch == newest);
    if app.store.key_job_open().await?.is_none() && !tried && app.store.key_version_count_outside(newest).await? > 0 {
        begin(app, ctx).await?;
    }
    while let Some(job) = app.store.key_job_open().await? {
        if app.stopping().is_cancelled() {
            return Ok(());
        }
        if !step(app, ctx, &job).await? {
            break;
        }
    }
    Ok(())
}

/// One step. `false` where the job is over.
async fn step(app: &App, ctx: &Ctx, job: &KeyJobRow) -> Result<bool, Error> {
    let kek = app.ring.kek(job.epoch).await?;
    let after = job.after.unwrap_or((KeyId(uuid::Uuid::nil()), 0));
    let rows = app.store.key_version_list_outside(job.epoch, after, STEP).await?;
    let Some(last) = rows.last() else {
        let quarantined = app.store.key_quarantine_list(job.id).await?.len() as u64;
        let event = KeysRewrapped::new(job.id.to_string(), job.epoch, job.done, quarantined);
        unless_conflict(app.commit(ctx, event, |c| c.key_job_finish(job.id, ctx.now)).await)?;
        return Ok(false);
    };
    let mut changeset = Changeset::housekeeping(Housekeeping::Job);
    let mut moved = 0;
    for row in &rows {
        match app.ring.data_key(row.key, row.version).await {
            Ok(key) => {
                changeset = changeset.key_version_rewrap(row, job.epoch, kek.wrap(&key, &mut { app.env() })?);
                moved += 1;
            }
            // It was destroyed since it was listed.
            Err(KeyError::Destroyed | KeyError::Unknown) => {}
            Err(KeyError::Corrupt) => changeset = changeset.key_quarantine_insert(job.id, row.key, row.version, &KeyError::Corrupt.to_string()),
            // The provider or the store: the job stops here and is taken up again.
            Err(e) => return Err(e.into()),
        }
    }
    changeset = changeset.key_job_advance(job, moved, (last.key, last.version));
    unless_conflict(app.store.commit(changeset).await.map_err(Error::from))?;
    Ok(true)
}

async fn shown(app: &App, row: KeyJobRow) -> Result<api::KeyJob, Error> {
    let quarantined = app.store.key_quarantine_list(row.id).await?;
    Ok(api::KeyJob {
        id: row.id.to_string(),
        kind: "rewrap".into(),
        epoch: u64::from(row.epoch),
        state: if row.finished_at.is_some() { "done".into() } else { "running".into() },
        done: row.done,
        total: row.total,
        quarantined: quarantined.into_iter().map(|(key, version, reason)| api::Quarantined { key_id: key.to_string(), version, reason }).collect(),
        started_at: row.started_at.to_string(),
        finished_at: row.finished_at.map(|at| at.to_string()),
    })
}
