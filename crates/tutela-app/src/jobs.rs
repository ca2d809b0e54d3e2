//! Background work of the house: rows with leases, so that of many nodes one does each job.

use std::time::Duration;

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tutela_core::{JobId, Principal};
use tutela_detection::LONGEST_AT_ONCE;
use tutela_identity::sign_in;
use tutela_store::{Changeset, Error as StoreError, Housekeeping, JobRow};

use crate::{
    App, Ctx, Error,
    usecase::{
        account_check, backup, compliance, epoch, key, key_backup,
        privacy::expiry,
        provider, retention, rewrap, signing_key, subject, unindex,
        watch::{self, Clock},
    },
};

pub(crate) const QUEUE: &str = "house";
/// How long a probe may take to its end when the server stops.
const GOODBYE: Duration = Duration::from_secs(15);
const LEASE: Duration = Duration::from_secs(120);

/// Each job's name and how often it runs.
const JOBS: &[(&str, Duration)] = &[
    ("accounts", Duration::from_secs(3_600)),
    ("assessment", Duration::from_secs(300)),
    ("backup", Duration::from_secs(300)),
    ("breaches", Duration::from_secs(300)),
    ("expiry", Duration::from_secs(3_600)),
    ("keys", Duration::from_secs(60)),
    ("provider", Duration::from_secs(86_400)),
    ("retention", Duration::from_secs(3_600)),
    ("silence", Duration::from_secs(3_600)),
    ("sweep", Duration::from_secs(300)),
];
/// How often every node asks the key providers whether they still answer.
const CONFIRM: Duration = Duration::from_secs(300);

/// Takes jobs that are due until told to stop.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    for (name, _) in JOBS {
        let now = app.env.now();
        if let Err(e) = app.store.job_ensure(JobId::new(now, &mut { app.env() }), QUEUE, name, now).await {
            tracing::warn!(error = %e, job = name, "a job could not be scheduled");
        }
    }
    // The configuration may be another one.
    if let Err(e) = app.store.job_hurry("assessment", app.env.now()).await {
        tracing::warn!(error = %e, "an assessment could not be scheduled");
    }
    // At every start, and once a day after that.
    if let Err(e) = provider::warnings(&app, &Ctx::new(app.env(), Principal::System("keys"))).await {
        tracing::warn!(error = %e, "the key provider's settings could not be looked at");
    }
    let mut confirmed = app.env.now();
    let mut clock = Clock::new(&*app.env);
    let long = TaskTracker::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
            () = app.keys_due.notified() => {
                if let Err(e) = keys(&app).await {
                    tracing::warn!(error = %e, "the upkeep of keys failed and will be tried again");
                }
                continue;
            }
            () = stop.cancelled() => {
                long.close();
                long.wait().await;
                // A probe deletes its account before everything ends.
                let _ = tokio::time::timeout(GOODBYE, app.probing.lock()).await;
                return;
            }
        }
        if let Err(e) = clock.look(&app, &Ctx::new(app.env(), Principal::System("watch"))).await {
            tracing::warn!(error = %e, "that the clock was set could not be recorded");
        }
        if app.env.now().since(confirmed) >= CONFIRM {
            confirmed = app.env.now();
            for (epoch, e) in app.ring.confirm_all().await {
                tracing::warn!(epoch, error = %e, "a key provider did not confirm a key; keys in memory serve up to `kms.cache_max_age`");
            }
        }
        if let Err(e) = due(&app, &long).await {
            tracing::warn!(error = %e, "a background job failed and will be tried again");
        }
    }
}

/// Does what is due, each job once at most.
async fn due(app: &App, long: &TaskTracker) -> Result<(), Error> {
    for _ in JOBS {
        if !turn(app, long).await? {
            break;
        }
    }
    Ok(())
}

/// Takes a job and does it; whether there was one.
async fn turn(app: &App, long: &TaskTracker) -> Result<bool, Error> {
    let now = app.env.now();
    let Some(job) = app.store.job_take(QUEUE, now, now + LEASE).await? else { return Ok(false) };
    let pause = JOBS.iter().find(|(name, _)| *name == job.key).map_or(LEASE, |(_, every)| *every);
    match job.key.as_str() {
        "accounts" => return Ok(beside(app, long, job, pause, compare_accounts)),
        "assessment" => return Ok(beside(app, long, job, pause, |app| async move { compliance::due(&app).await })),
        "backup" => return Ok(beside(app, long, job, pause, back_up)),
        "breaches" => compliance::breach::remind(app).await?,
        "expiry" => expiry::run(app, &Ctx::new(app.env(), Principal::System("retention"))).await?,
        "keys" => keys(app).await?,
        "provider" => drop(provider::warnings(app, &Ctx::new(app.env(), Principal::System("keys"))).await?),
        "retention" => drop(retention::run(app, &Ctx::new(app.env(), Principal::System("retention"))).await?),
        "silence" => {
            let ctx = Ctx::new(app.env(), Principal::System("watch"));
            watch::silence(app, &ctx).await?;
            compliance::overdue(app, &ctx).await?;
        }
        "sweep" => sweep(app).await?,
        _ => {}
    }
    // Once in each hour of the clock, so that what happens for the first time is told once.
    let next = if job.key == "silence" { watch::next_hour(now) } else { now + pause };
    app.store.job_done(&job, next).await?;
    Ok(true)
}

/// Drops what has expired: codes, host parts of sessions, sign-ins that nobody finished, refresh tokens, links,
/// devices and counts of long ago, idempotency keys, old announcements.
async fn sweep(app: &App) -> Result<(), Error> {
    const KEEP_CHANGES: u64 = 10_000;
    // A code that comes a second time is seen as long as what it gave may live on without the person.
    const KEEP_CODES: Duration = Duration::from_hours(24);
    const KEEP_COUNTS: Duration = Duration::from_hours(30 * 24);
    const KEEP_DEVICES: Duration = Duration::from_hours(400 * 24);
    let now = app.env.now();
    let old = app.store.change_last().await?.saturating_sub(KEEP_CHANGES);
    const KEEP_BLOCKS: Duration = Duration::from_hours(90 * 24);
    let changeset = Changeset::housekeeping(Housekeeping::Sweep)
        .block_sweep(now - KEEP_BLOCKS)
        .strike_sweep(now - LONGEST_AT_ONCE.duration())
        .session_sweep(now)
        .sign_in_sweep(now - sign_in::LIFE)
        .challenge_sweep(now)
        .refresh_sweep(now)
        .link_sweep(now)
        .outside_sweep(now)
        .client_sweep(now)
        .client_code_sweep(now - KEEP_CODES)
        .attempt_sweep(now - KEEP_COUNTS, now)
        .device_sweep(now - KEEP_DEVICES)
        .subject_package_sweep(now)
        .idempotency_sweep(now)
        .change_sweep(old);
    Ok(app.store.commit(changeset).await?)
}

/// Does a job that may take long while the other jobs go on, and holds it until it is done: no other node begins it anew.
fn beside<F>(app: &App, long: &TaskTracker, mut job: JobRow, pause: Duration, work: impl FnOnce(App) -> F) -> bool
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let (app, work) = (app.clone(), work(app.clone()));
    long.spawn(async move {
        let (mut work, stop) = (std::pin::pin!(work), app.stopping());
        let mut again = pause;
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                () = stop.cancelled() => {
                    // Whoever is there next begins it anew.
                    again = Duration::ZERO;
                    break Ok(());
                }
                () = tokio::time::sleep(LEASE / 3) => {}
            }
            match app.store.job_keep(&mut job, app.env.now() + LEASE).await {
                Ok(()) => {}
                // The lease goes on for a while; a database that is away may be back by then.
                Err(e) if app.env.now() < job.lease_until && !matches!(e, StoreError::Conflict(_)) => {
                    tracing::warn!(error = %e, job = job.key, "a job could not be held for longer, and will be tried again");
                }
                Err(e) => {
                    tracing::warn!(error = %e, job = job.key, "a job cannot be held any longer and is left to whoever has it");
                    return;
                }
            }
        };
        if let Err(e) = done {
            tracing::error!(error = %e, job = job.key, "a background job failed and will be tried again");
        }
        if let Err(e) = app.store.job_done(&job, app.env.now() + again).await {
            tracing::warn!(error = %e, job = job.key, "that a job is done could not be written down");
        }
    });
    true
}

async fn compare_accounts(app: App) -> Result<(), Error> {
    let Ok(_only) = app.comparing.try_lock() else { return Ok(()) };
    account_check::run(&app, &Ctx::new(app.env(), Principal::System("accounts"))).await.map(drop)
}

async fn back_up(app: App) -> Result<(), Error> {
    backup::upkeep(&app, &Ctx::new(app.env(), Principal::System("backup"))).await
}

/// Rotation, rewrapping, destruction, completed erasures, backups: each is safe to run on two nodes at once.
async fn keys(app: &App) -> Result<(), Error> {
    let ctx = Ctx::new(app.env(), Principal::System("keys"));
    // One that cannot be done now must not keep the others from being done.
    let steps = [
        ("epochs", epoch::upkeep(app, &ctx).await),
        ("keys", key::upkeep(app, &ctx).await),
        ("rewrapping", rewrap::run(app, &ctx).await),
        ("backups", key_backup::upkeep(app, &ctx).await),
        ("erased people in the index", unindex::run(app).await),
        ("erasures", subject::complete(app, &ctx).await),
        ("signing keys", signing_key::upkeep(app).await),
    ];
    let mut failed = Ok(());
    for (step, done) in steps {
        if let Err(e) = done {
            tracing::warn!(step, error = %e, "a part of the upkeep of keys failed and will be tried again");
            failed = Err(e);
        }
    }
    failed
}
