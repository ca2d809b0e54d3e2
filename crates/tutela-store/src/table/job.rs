//! Background work and leases: rows that one process at a time may hold.

use tutela_core::{JobId, Timestamp};

use crate::{Changeset, Error, Expect, Housekeeping, Store, sql::statements, value::params};

statements! {
    JOB_DONE (Id, Time, Time) = "UPDATE job SET run_at = $3, lease_until = NULL, attempts = 0 WHERE id = $1 AND lease_until = $2";
    JOB_DUE (Text, Time) = "SELECT id, unique_key, attempts FROM job WHERE queue = $1 AND run_at <= $2 AND (lease_until IS NULL OR lease_until <= $2) ORDER BY run_at, id LIMIT 1";
    JOB_ENSURE (Id, Text, Text, Time) = "INSERT INTO job (id, queue, unique_key, run_at, attempts) VALUES ($1, $2, $3, $4, 0) ON CONFLICT (unique_key) DO NOTHING";
    JOB_HURRY (Text, Time) = "UPDATE job SET run_at = $2 WHERE unique_key = $1 AND run_at > $2";
    JOB_KEEP (Id, Time, Time) = "UPDATE job SET lease_until = $3 WHERE id = $1 AND lease_until = $2";
    JOB_LEASE (Id, Time, Time) = "UPDATE job SET lease_until = $3, attempts = attempts + 1 WHERE id = $1 AND (lease_until IS NULL OR lease_until <= $2)";
    LEASE_GIVE_UP on Postgres (Text, Id, Int, Time) = "UPDATE lease SET until = $4 WHERE name = $1 AND holder = $2 AND term = $3";
    LEASE_TAKE on Postgres (Text, Id, Time, Time) = "INSERT INTO lease (name, holder, until, term) VALUES ($1, $2, $3, 1)
        ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until, term = lease.term + (CASE WHEN lease.holder = excluded.holder AND lease.until > $4 THEN 0 ELSE 1 END)
        WHERE lease.until <= $4 OR lease.holder = excluded.holder RETURNING term";
}

/// A job this process holds until `lease_until`.
#[derive(Debug, Clone)]
pub struct JobRow {
    /// Its id.
    pub id: JobId,
    /// What to do.
    pub key: String,
    /// How often it was tried before.
    pub attempts: u64,
    /// Until when nobody else runs it.
    pub lease_until: Timestamp,
}

impl Store {
    /// Schedules a recurring job, once.
    pub async fn job_ensure(&self, id: JobId, queue: &str, key: &str, run_at: Timestamp) -> Result<(), Error> {
        self.commit(Changeset::housekeeping(Housekeeping::Job).run(&JOB_ENSURE, params![id.0, queue, key, run_at], Expect::Any)).await
    }

    /// Has a recurring job run now, where it would run later.
    pub async fn job_hurry(&self, key: &str, now: Timestamp) -> Result<(), Error> {
        self.commit(Changeset::housekeeping(Housekeeping::Job).run(&JOB_HURRY, params![key, now], Expect::Any)).await
    }

    /// Takes the next job that is due; `None` where there is none or another process was faster.
    pub async fn job_take(&self, queue: &str, now: Timestamp, lease_until: Timestamp) -> Result<Option<JobRow>, Error> {
        let Some(row) = self.opt(&JOB_DUE, params![queue, now]).await? else { return Ok(None) };
        let job = JobRow { id: JobId(row.get(0)?), key: row.get(1)?, attempts: row.get(2)?, lease_until };
        let lease = Changeset::housekeeping(Housekeeping::Job).run(&JOB_LEASE, params![job.id.0, now, lease_until], Expect::One("the job is taken"));
        match self.commit(lease).await {
            Ok(()) => Ok(Some(job)),
            Err(Error::Conflict(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Holds a job for longer, which takes long; a conflict where the lease was lost meanwhile.
    pub async fn job_keep(&self, job: &mut JobRow, lease_until: Timestamp) -> Result<(), Error> {
        let params = params![job.id.0, job.lease_until, lease_until];
        self.commit(Changeset::housekeeping(Housekeeping::Job).run(&JOB_KEEP, params, Expect::One("another process has the job"))).await?;
        job.lease_until = lease_until;
        Ok(())
    }

    /// Gives a job back until its next run; nothing happens where the lease was lost meanwhile.
    pub async fn job_done(&self, job: &JobRow, next_run: Timestamp) -> Result<(), Error> {
        self.commit(Changeset::housekeeping(Housekeeping::Job).run(&JOB_DONE, params![job.id.0, job.lease_until, next_run], Expect::Any)).await
    }
}
