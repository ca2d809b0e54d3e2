//! Rewrap jobs: how far each came, and what it could not move.

use tutela_core::{JobId, KeyId, Timestamp};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    table::epoch::number,
    value::{Row, params},
};

statements! {
    KEY_JOB_ADVANCE (Id, Id, Int, Int, Id, Int) = "UPDATE key_job SET done = done + $4, after_key = $5, after_version = $6
        WHERE id = $1 AND finished_at IS NULL AND ((after_key IS NULL AND $3 = 0) OR (after_key = $2 AND after_version = $3))";
    KEY_JOB_FINISH (Id, Time) = "UPDATE key_job SET finished_at = $2 WHERE id = $1 AND finished_at IS NULL";
    KEY_JOB_GET (Id) = "SELECT id, epoch, done, total, after_key, after_version, started_at, finished_at FROM key_job WHERE id = $1";
    KEY_JOB_INSERT (Id, Int, Int, Time) = "INSERT INTO key_job (id, epoch, done, total, started_at) VALUES ($1, $2, 0, $3, $4)";
    KEY_JOB_LIST (Int) = "SELECT id, epoch, done, total, after_key, after_version, started_at, finished_at FROM key_job ORDER BY id DESC LIMIT $1";
    KEY_JOB_OPEN () = "SELECT id, epoch, done, total, after_key, after_version, started_at, finished_at FROM key_job WHERE finished_at IS NULL ORDER BY id DESC LIMIT 1";
    KEY_QUARANTINE_INSERT (Id, Int, Id, Text) = "INSERT INTO key_quarantine (key_id, version, job, reason) VALUES ($1, $2, $3, $4) ON CONFLICT (job, key_id, version) DO NOTHING";
    KEY_QUARANTINE_LIST (Id) = "SELECT key_id, version, reason FROM key_quarantine WHERE job = $1 ORDER BY key_id, version LIMIT 1000";
}

/// A rewrap job.
#[derive(Debug, Clone)]
pub struct KeyJobRow {
    /// Its id.
    pub id: JobId,
    /// The epoch that keys move to.
    pub epoch: u32,
    /// Keys moved.
    pub done: u64,
    /// Keys there were to move.
    pub total: u64,
    /// The last key that was looked at.
    pub after: Option<(KeyId, u32)>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl Store {
    /// A job by id.
    pub async fn key_job_get(&self, id: JobId) -> Result<Option<KeyJobRow>, Error> {
        self.opt(&KEY_JOB_GET, params![id.0]).await?.as_ref().map(job).transpose()
    }

    /// Jobs, newest first.
    pub async fn key_job_list(&self, limit: u32) -> Result<Vec<KeyJobRow>, Error> {
        self.all(&KEY_JOB_LIST, params![i64::from(limit)]).await?.iter().map(job).collect()
    }

    /// The job that is not finished.
    pub async fn key_job_open(&self) -> Result<Option<KeyJobRow>, Error> {
        self.opt(&KEY_JOB_OPEN, params![]).await?.as_ref().map(job).transpose()
    }

    /// What a job could not move: key, version and reason.
    pub async fn key_quarantine_list(&self, job: JobId) -> Result<Vec<(KeyId, u32, String)>, Error> {
        let rows = self.all(&KEY_QUARANTINE_LIST, params![job.0]).await?;
        rows.iter().map(|row| Ok((KeyId(row.get(0)?), number(row, 1)?, row.get(2)?))).collect()
    }
}

impl Changeset {
    /// Keeps a new job.
    pub fn key_job_insert(self, row: &KeyJobRow) -> Self {
        self.run(&KEY_JOB_INSERT, params![row.id.0, u64::from(row.epoch), row.total, row.started_at], Expect::Any)
    }

    /// Moves a job on from where it was, in the commit of the keys it moved. A conflict where another node did it.
    pub fn key_job_advance(self, job: &KeyJobRow, done: u64, after: (KeyId, u32)) -> Self {
        let (key, version) = job.after.unwrap_or((KeyId(uuid::Uuid::nil()), 0));
        let params = params![job.id.0, key.0, u64::from(version), done, after.0.0, u64::from(after.1)];
        self.run(&KEY_JOB_ADVANCE, params, Expect::One("another node moved the job on"))
    }

    /// Ends a job.
    pub fn key_job_finish(self, id: JobId, now: Timestamp) -> Self {
        self.run(&KEY_JOB_FINISH, params![id.0, now], Expect::One("the job is finished"))
    }

    /// Sets a key aside that could not be moved.
    pub fn key_quarantine_insert(self, job: JobId, key: KeyId, version: u32, reason: &str) -> Self {
        self.run(&KEY_QUARANTINE_INSERT, params![key.0, u64::from(version), job.0, reason], Expect::Any)
    }
}

fn job(row: &Row) -> Result<KeyJobRow, Error> {
    let key: Option<uuid::Uuid> = row.get(4)?;
    let after = key.map(|key| Ok::<_, Error>((KeyId(key), number(row, 5)?))).transpose()?;
    Ok(KeyJobRow {
        id: JobId(row.get(0)?),
        epoch: number(row, 1)?,
        done: row.get(2)?,
        total: row.get(3)?,
        after,
        started_at: row.get(6)?,
        finished_at: row.get(7)?,
    })
}
