//! Background work of the house: rows with leases, so that of many nodes one does each job.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tutela_core::JobId;
use tutela_store::{Changeset, Housekeeping};

use crate::{App, Error};

const QUEUE: &str = "house";
const LEASE: Duration = Duration::from_secs(120);

/// Each job's name and how often it runs.
const JOBS: &[(&str, Duration)] = &[("sweep", Duration::from_secs(300))];

/// Takes jobs that are due until told to stop.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    for (name, _) in JOBS {
        let now = app.env.now();
        if let Err(e) = app.store.job_ensure(JobId::new(now, &mut { app.env() }), QUEUE, name, now).await {
            tracing::warn!(error = %e, job = name, "a job could not be scheduled");
        }
    }
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
            () = stop.cancelled() => return,
        }
        if let Err(e) = turn(&app).await {
            tracing::warn!(error = %e, "a background job failed and will be tried again");
        }
    }
}

async fn turn(app: &App) -> Result<(), Error> {
    let now = app.env.now();
    let Some(job) = app.store.job_take(QUEUE, now, now + LEASE).await? else { return Ok(()) };
    if job.key == "sweep" {
        sweep(app).await?;
    }
    let pause = JOBS.iter().find(|(name, _)| *name == job.key).map_or(LEASE, |(_, every)| *every);
    Ok(app.store.job_done(&job, now + pause).await?)
}

/// Drops what has expired: codes, host parts of sessions, idempotency keys, old announcements.
async fn sweep(app: &App) -> Result<(), Error> {
    const KEEP_CHANGES: u64 = 10_000;
    let now = app.env.now();
    let old = app.store.change_last().await?.saturating_sub(KEEP_CHANGES);
    let changeset = Changeset::housekeeping(Housekeeping::Sweep).session_sweep(now).idempotency_sweep(now).change_sweep(old);
    Ok(app.store.commit(changeset).await?)
}
