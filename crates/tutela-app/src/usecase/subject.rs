//! Data subjects: whose key it is, legal holds, and erasure with its certificate.
//!
//! ```text
//! erase -> key destroyed, caches dropped        destroyed_at
//!       -> SQLite: pages and log overwritten    unreadable_at     (PostgreSQL: at the epoch's end)
//!       -> epoch's provider key destroyed, key backups that held the key deleted    unreadable_in_backups_at
//! ```

use tutela_api as api;
use tutela_core::{KeyId, Subject, Timestamp};
use tutela_kms::event::{SubjectErased, SubjectErasureCompleted, SubjectHeld, SubjectReleased};
use tutela_store::{Changeset, Housekeeping, SubjectKeyRow};

use super::{crypto::subject_of, unindex};
use crate::{App, Ctx, Error};

/// Erasures that wait for the end of an epoch, looked at in one round.
pub(super) const MAX_OPEN: u32 = 100_000;

/// The key of a data subject.
pub async fn find(app: &App, ctx: &Ctx, subject: api::SubjectRef) -> Result<api::SubjectKey, Error> {
    app.permit(ctx, "keys:read").await?;
    let row = row_of(app, &subject_of(&subject)?).await?;
    shown(app, row).await
}

/// Keeps a data subject's key from being destroyed.
pub async fn hold(app: &App, ctx: &Ctx, action: api::SubjectAction) -> Result<api::SubjectKey, Error> {
    app.permit(ctx, "subjects:hold").await?;
    let reason = reason(&action)?;
    let row = row_of(app, &subject_of(&action.subject)?).await?;
    app.commit(ctx, SubjectHeld::new(row.key, reason), |c| c.subject_key_hold(row.key, reason)).await?;
    find_again(app, row.key).await
}

/// Ends a hold.
pub async fn release(app: &App, ctx: &Ctx, action: api::SubjectAction) -> Result<api::SubjectKey, Error> {
    app.permit(ctx, "subjects:hold").await?;
    let reason = reason(&action)?;
    let row = row_of(app, &subject_of(&action.subject)?).await?;
    app.commit(ctx, SubjectReleased::new(row.key, reason), |c| c.subject_key_release(row.key)).await?;
    find_again(app, row.key).await
}

/// Destroys a data subject's key: what it sealed reads as erased from now on.
pub async fn erase(app: &App, ctx: &Ctx, action: api::SubjectAction) -> Result<api::ErasureCertificate, Error> {
    app.permit(ctx, "subjects:erase").await?;
    let reason = reason(&action)?;
    let subject = subject_of(&action.subject)?;
    // An account's own identifiers in applications are the same person.
    let mut same = vec![subject.clone()];
    if let Subject::Account(account) = subject {
        same.extend(app.store.external_id_list(account).await?.into_iter().map(|(namespace, value)| Subject::External { namespace, value }));
    }
    erase_all(app, ctx, &same, reason).await
}

/// Destroys the keys of one person under all their names.
pub(crate) async fn erase_all(app: &App, ctx: &Ctx, same: &[Subject], reason: &str) -> Result<api::ErasureCertificate, Error> {
    let _reading = app.key_material.lock().await;
    let now = app.env.now();
    let mut keys = Vec::new();
    for subject in same {
        let Some(row) = app.store.subject_key_get_by_tag(app.ring.tag(subject)).await? else { continue };
        if let Some(hold) = &row.hold {
            return Err(Error::Conflict(format!("a legal hold keeps this key: {hold}")));
        }
        keys.push(row.key);
    }
    let Some(first) = keys.first().copied() else { return Err(Error::NotFound("data subject's key")) };
    let mut records = Vec::with_capacity(keys.len());
    for key in &keys {
        records.push(app.record(ctx, SubjectErased::new(*key, reason)).await?);
    }
    let changeset = Changeset::of_all(records).ok_or(Error::Internal("an erasure without a key"))?;
    let changeset = keys.iter().fold(changeset, |c, key| c.subject_key_destroy(*key, now).erasure_task_add(*key, unindex::PLACE, now));
    let sinks = app.store.sink_list().await?;
    let changeset = sinks.iter().fold(changeset, |c, sink| keys.iter().fold(c, |c, key| c.erasure_task_add(*key, &sink.name, now)));
    app.store.commit(changeset).await?;
    for key in &keys {
        app.ring.forget(*key).await;
    }
    // A restored backup reads of it here. What is missing because of a crash is added by the upkeep.
    super::backup::journal(app).await?;
    settle(app, &keys, now).await;
    app.wake_keys();
    app.projection.iter().for_each(|projection| projection.woken.notify_one());
    certificate_of(app, first).await
}

/// The certificate of an erasure, by the key that was destroyed.
pub async fn certificate(app: &App, ctx: &Ctx, key: &str) -> Result<api::ErasureCertificate, Error> {
    app.permit(ctx, "keys:read").await?;
    certificate_of(app, key.parse().map_err(|_| Error::NotFound("erasure"))?).await
}

/// Takes the wrapped keys out of our own files. Where a reader still holds old pages, upkeep tries again.
async fn settle(app: &App, keys: &[KeyId], now: Timestamp) {
    match app.store.scrub().await {
        Ok(true) => {
            let marks = keys.iter().fold(Changeset::housekeeping(Housekeeping::Sweep), |c, key| c.subject_key_mark(*key, Some(now), None));
            if let Err(e) = app.store.commit(marks).await {
                tracing::warn!(error = %e, "the date of an erasure could not be written; it will be tried again");
            }
        }
        Ok(false) => {}
        Err(e) => tracing::warn!(error = %e, "erased keys are still in the write-ahead log; it will be cut as soon as it can"),
    }
}

/// Completes erasures whose epoch and key backups are gone.
pub(crate) async fn complete(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let open = app.store.subject_key_list_open(MAX_OPEN).await?;
    if open.is_empty() {
        return Ok(());
    }
    let unsettled: Vec<KeyId> = open.iter().filter(|row| row.unreadable_at.is_none()).map(|row| row.key).collect();
    if !unsettled.is_empty() {
        settle(app, &unsettled, ctx.now).await;
    }
    let epochs = app.store.epoch_list().await?;
    for row in open {
        // An older database backup may hold the key under an earlier epoch: all up to its own must be gone.
        let until: Vec<_> = epochs.iter().filter(|e| row.epoch.is_some_and(|number| e.number <= number)).map(|e| e.destroyed_at).collect();
        let ended = until.iter().copied().collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max());
        let (Some(ended), Some(destroyed)) = (ended, row.destroyed_at) else { continue };
        // Traces in the search index or in a search cluster are traces.
        if !app.store.erasure_task_of(row.key).await?.is_empty() {
            continue;
        }
        let kept = app.store.key_backup_list_old(destroyed, 1).await?;
        let gone = if kept.is_empty() { Some(ended.max(ctx.now)) } else { None };
        if gone.is_none() {
            let mark = Changeset::housekeeping(Housekeeping::Sweep).subject_key_mark(row.key, Some(ended), None);
            app.store.commit(mark).await?;
            continue;
        }
        app.commit(ctx, SubjectErasureCompleted::new(row.key), |c| c.subject_key_mark(row.key, Some(ended), gone)).await?;
    }
    Ok(())
}

async fn certificate_of(app: &App, key: KeyId) -> Result<api::ErasureCertificate, Error> {
    let row = app.store.subject_key_get(key).await?.filter(|row| row.destroyed_at.is_some()).ok_or(Error::NotFound("erasure"))?;
    let destroyed = row.destroyed_at.unwrap_or(row.created_at);
    let epoch = row.epoch.unwrap_or(0);
    let began = app.store.epoch_list().await?.into_iter().find(|e| e.number == epoch).map_or(destroyed, |e| e.created_at);
    let settings = &app.ring.settings;
    let due = row.backups_gone_at.is_none().then(|| (began + settings.rotation + settings.destroy_wait).max(destroyed));
    let text = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let body = format!(
        "tutela erasure certificate v1\n{}\nkey {}\nepoch {epoch}\ndestroyed {destroyed}\nunreadable {}\nunreadable in backups {}\ndue {}\n",
        app.store.instance().origin,
        row.key,
        text(row.unreadable_at),
        text(row.backups_gone_at),
        text(due),
    );
    Ok(api::ErasureCertificate {
        key_id: row.key.to_string(),
        destroyed_at: destroyed.to_string(),
        unreadable_at: row.unreadable_at.map(|at| at.to_string()),
        unreadable_in_backups_at: row.backups_gone_at.map(|at| at.to_string()),
        epoch: u64::from(epoch),
        due_at: due.map(|at| at.to_string()),
        note: app.sign_note(&body),
    })
}

async fn row_of(app: &App, subject: &Subject) -> Result<SubjectKeyRow, Error> {
    app.store.subject_key_get_by_tag(app.ring.tag(subject)).await?.ok_or(Error::NotFound("data subject's key"))
}

async fn find_again(app: &App, key: KeyId) -> Result<api::SubjectKey, Error> {
    let row = app.store.subject_key_get(key).await?.ok_or(Error::NotFound("data subject's key"))?;
    shown(app, row).await
}

async fn shown(app: &App, row: SubjectKeyRow) -> Result<api::SubjectKey, Error> {
    let messages = app.store.key_version_get(row.key, 1).await?.map_or(0, |version| version.messages);
    Ok(api::SubjectKey { key_id: row.key.to_string(), created_at: row.created_at.to_string(), hold: row.hold, messages })
}

fn reason(action: &api::SubjectAction) -> Result<&str, Error> {
    let reason = action.reason.trim();
    if reason.is_empty() || reason.len() > 1_024 {
        Err(Error::invalid("reason", "say why, in 1 to 1,024 bytes; the reason goes to the ledger"))
    } else {
        Ok(reason)
    }
}
