//! After a backup was loaded into a database: what has to happen before anyone is served.
//!
//! 1. Events that had no position when the backup was made are recorded.
//! 2. Erasures made since are carried out again, from the journal.
//! 3. The search index is built from the log; nothing of erased people enters it.
//! 4. Projections are told to drop what the restored ledger does not hold.
//! 5. The ledger is verified by whoever runs the restore.
//! 6. The restore itself is recorded, and the database may be served.

use std::time::Duration;

use tutela_core::{JobId, Principal};
use tutela_kms::{StreamOpener, event::SubjectErased};
use tutela_store::{Changeset, Housekeeping, IndexChange, Record};

use super::{
    backup::{backup_key, context},
    erasure_journal::Erased,
    privacy, unindex,
};
use crate::{App, Ctx, Error, Parts, jobs, occurrence::BackupRestored};

/// Entries that are indexed in one commit.
const STEP: u64 = 512;

/// How long retention waits after a restore.
const GRACE: Duration = Duration::from_secs(86_400);

/// What a restore did.
#[derive(Debug, Clone)]
pub struct InstanceRestored {
    /// Entries of the ledger.
    pub entries: u64,
    /// Erasures that were carried out again.
    pub erasures: u64,
    /// API keys that work again (at most 100 are counted); some may have been revoked since the backup.
    pub clients: u64,
    /// Entries that the backup held.
    pub position: u64,
}

/// Opens the sealed part of a backup; `head` is its first line without the line feed.
pub fn opener(root: &tutela_kms::RootKey, head: &str, prefix: &[u8]) -> Result<StreamOpener, Error> {
    Ok(StreamOpener::new(&backup_key(root)?, &tutela_kms::Binding::Message(&context(head)), prefix)?)
}

/// Does what has to be done before the ledger is verified. `erased` is what the journals say; `pending` what has to be recorded.
pub async fn finish(parts: Parts, erased: &[Erased], pending: Vec<Record>, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<InstanceRestored, Error> {
    let (app, queues) = App::open_without_epochs(parts).await?;
    let ctx = Ctx::new(app.env(), Principal::System("restore"));
    let done = run(&app, &ctx, erased, pending, progress).await;
    drop(queues);
    app.store.close().await;
    done
}

/// Records the restore and lets the database be served.
pub async fn ready(parts: Parts, rows: u64, done: &InstanceRestored) -> Result<(), Error> {
    let (app, queues) = App::open_without_epochs(parts).await?;
    let ctx = Ctx::new(app.env(), Principal::System("restore"));
    // Holds placed since the backup are gone with the rest: a day is left to place them again.
    app.store.job_ensure(JobId::new(ctx.now, &mut { app.env() }), jobs::QUEUE, "retention", ctx.now + GRACE).await?;
    let sinks = app.store.sink_list().await?;
    let recorded = app
        .commit(&ctx, BackupRestored::new(rows, done.position, done.erasures), |c| {
            sinks.iter().fold(c, |c, sink| c.sink_state(&sink.name, "restored", None, ctx.now)).instance_ready()
        })
        .await;
    app.store.settle().await?;
    drop(queues);
    app.store.close().await;
    recorded
}

async fn run(app: &App, ctx: &Ctx, erased: &[Erased], pending: Vec<Record>, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<InstanceRestored, Error> {
    let position = app.store.log_head().await?.0;
    if let Some(changeset) = Changeset::of_all(pending) {
        app.store.commit(changeset).await?;
    }
    let mut erasures = 0;
    // Before the epochs are loaded: a provider need not have those that only erased people's keys are under.
    for key in erased.iter().filter_map(|one| if let Erased::Key(key, _) = one { Some(key) } else { None }) {
        let alive = app.store.subject_key_get(*key).await?.is_some_and(|row| row.destroyed_at.is_none());
        if alive {
            let places = app.store.sink_list().await?;
            let event = SubjectErased::new(*key, "carried out again after a restore");
            app.commit(ctx, event, |c| {
                let c = c.subject_key_destroy(*key, ctx.now).erasure_task_add(*key, unindex::PLACE, ctx.now);
                places.iter().fold(c, |c, place| c.erasure_task_add(*key, &place.name, ctx.now))
            })
            .await?;
            app.ring.forget(*key).await;
            erasures += 1;
        }
    }
    app.store.settle().await?;
    app.ring.load_epochs().await?;
    let names = erased.iter().filter_map(|one| if let Erased::Name(row) = one { Some(row) } else { None });
    erasures += privacy::replay::ourselves(app, ctx, names).await?;
    build_index(app, progress).await?;
    let clients = app.store.client_list(None, 100).await?.len() as u64;
    Ok(InstanceRestored { entries: app.store.log_head().await?.0, erasures, clients, position })
}

/// Builds the index of every month from the log.
async fn build_index(app: &App, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<(), Error> {
    // What was recorded since the load is indexed already; a build that was interrupted begins again.
    app.store.index_drop_all().await?;
    let (mut at, size) = (app.store.log_first().await?, app.store.log_head().await?.0);
    while at < size {
        let to = size.min(at + STEP);
        let mut build = Vec::new();
        for row in super::search::rows(app, at, to).await? {
            let month = row.id.time().month();
            let mut tokens = app.sealer.tokens_again(month, &super::search::shown_anyway(app, &row).await?.event)?;
            tokens.extend(unindex::living(app, &row, None).await);
            build.push(IndexChange { month, position: row.position, tokens });
        }
        app.store.commit(Changeset::housekeeping(Housekeeping::Index).index_build(build)).await?;
        at = to;
        progress(at, size);
    }
    Ok(())
}
