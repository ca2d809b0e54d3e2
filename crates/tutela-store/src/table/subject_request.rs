//! What people have asked for, how far it is, the packages they get, and what is kept of them by decision.

use serde_json::Value as Json;
use tutela_core::{HoldId, SubjectRequestId, Timestamp};

use crate::{
    Changeset, Error, Expect, Housekeeping, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    PRIVACY_HOLD_INSERT (Id, Bytes, Text, Text, Text, Text, Time, Time) = "INSERT INTO privacy_hold (id, tag, place, article, reason, owner, placed_at, until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    PRIVACY_HOLD_LIST (Bytes) = "SELECT id, tag, place, article, reason, owner, placed_at, until, released_at FROM privacy_hold WHERE tag = $1 ORDER BY id";
    PRIVACY_HOLD_LIST_ALL () = "SELECT id, tag, place, article, reason, owner, placed_at, until, released_at FROM privacy_hold ORDER BY id DESC LIMIT 1000";
    PRIVACY_HOLD_RELEASE (Id, Time) = "UPDATE privacy_hold SET released_at = $2 WHERE id = $1 AND released_at IS NULL";
    SUBJECT_PACKAGE_DELETE (Id) = "DELETE FROM subject_package WHERE request = $1";
    SUBJECT_PACKAGE_GET (Id, Time) = "SELECT sealed FROM subject_package WHERE request = $1 AND expires_at > $2 ORDER BY part";
    SUBJECT_PACKAGE_INSERT (Id, Int, Text, Time) = "INSERT INTO subject_package (request, part, sealed, expires_at) VALUES ($1, $2, $3, $4)";
    SUBJECT_PACKAGE_SWEEP (Time) = "DELETE FROM subject_package WHERE expires_at <= $1";
    SUBJECT_REQUEST_DUE (Time) = "SELECT id, tag, law, kind, state, sealed, progress, version, received_at, due_on, closed_at, run_at, attempts FROM subject_request
        WHERE run_at <= $1 AND (lease_until IS NULL OR lease_until <= $1) ORDER BY run_at, id LIMIT 1";
    SUBJECT_REQUEST_GET (Id) = "SELECT id, tag, law, kind, state, sealed, progress, version, received_at, due_on, closed_at, run_at, attempts FROM subject_request WHERE id = $1";
    SUBJECT_REQUEST_HOLD (Id, Int, Time) = "UPDATE subject_request SET lease_until = $3 WHERE id = $1 AND version = $2 AND lease_until IS NOT NULL";
    SUBJECT_REQUEST_INSERT (Id, Bytes, Text, Text, Text, Text, Json, Time, Text, Time) = "INSERT INTO subject_request (id, tag, law, kind, state, sealed, progress, version, received_at, due_on, run_at, attempts)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, 0)";
    SUBJECT_REQUEST_LEASE (Id, Int, Time, Time) = "UPDATE subject_request SET lease_until = $4 WHERE id = $1 AND version = $2 AND (lease_until IS NULL OR lease_until <= $3)";
    SUBJECT_REQUEST_LIST (Id, Int) = "SELECT id, tag, law, kind, state, sealed, progress, version, received_at, due_on, closed_at, run_at, attempts FROM subject_request WHERE id < $1 ORDER BY id DESC LIMIT $2";
    SUBJECT_REQUEST_LIST_BY_TAG (Bytes) = "SELECT id, tag, law, kind, state, sealed, progress, version, received_at, due_on, closed_at, run_at, attempts FROM subject_request WHERE tag = $1 ORDER BY id DESC LIMIT 1000";
    SUBJECT_REQUEST_SET (Id, Int, Text, Text, Json, Text, Time, Time, Int) = "UPDATE subject_request SET version = version + 1, state = $3, sealed = $4, progress = $5, due_on = $6, closed_at = $7, run_at = $8, lease_until = NULL, attempts = $9
        WHERE id = $1 AND version = $2";
    SUBJECT_REQUEST_WAKE (Time) = "UPDATE subject_request SET run_at = $1 WHERE closed_at IS NOT NULL AND sealed <> ''";
    SUBJECT_REQUEST_UNLEASE () = "UPDATE subject_request SET lease_until = NULL WHERE lease_until IS NOT NULL";
}

/// Something that a person has asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct SubjectRequestRow {
    /// Its id.
    pub id: SubjectRequestId,
    /// Whose.
    pub tag: [u8; 32],
    /// `gdpr` or `ccpa`.
    pub law: String,
    /// In the law's word.
    pub kind: String,
    /// How far it is, in a word.
    pub state: String,
    /// Who it is and what is left to do, sealed; empty when nothing is left.
    pub sealed: String,
    /// How far it is, without a word about the person.
    pub progress: Json,
    /// Counts its changes.
    pub version: u64,
    /// When it came.
    pub received_at: Timestamp,
    /// The day by which it is answered.
    pub due_on: String,
    /// When it was answered.
    pub closed_at: Option<Timestamp>,
    /// When it is worked on next.
    pub run_at: Option<Timestamp>,
    /// How often it was tried in vain.
    pub attempts: u64,
}

/// Something that is kept of a person by decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivacyHoldRow {
    /// Its id.
    pub id: HoldId,
    /// Whose.
    pub tag: [u8; 32],
    /// What: `dataset.collection`, with a field, or `*`.
    pub place: String,
    /// The law and section.
    pub article: String,
    /// In words.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Since when.
    pub placed_at: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// When it was released.
    pub released_at: Option<Timestamp>,
}

impl Store {
    /// A request.
    pub async fn subject_request_get(&self, id: SubjectRequestId) -> Result<Option<SubjectRequestRow>, Error> {
        self.opt(&SUBJECT_REQUEST_GET, params![id.0]).await?.as_ref().map(request).transpose()
    }

    /// Requests, newest first.
    pub async fn subject_request_list(&self, before: Option<SubjectRequestId>, limit: u32) -> Result<Vec<SubjectRequestRow>, Error> {
        let before = before.map_or(uuid::Uuid::max(), |id| id.0);
        self.all(&SUBJECT_REQUEST_LIST, params![before, i64::from(limit)]).await?.iter().map(request).collect()
    }

    /// Requests of a person, newest first.
    pub async fn subject_request_list_by_tag(&self, tag: [u8; 32]) -> Result<Vec<SubjectRequestRow>, Error> {
        self.all(&SUBJECT_REQUEST_LIST_BY_TAG, params![tag]).await?.iter().map(request).collect()
    }

    /// Takes the next request that is due; `None` where there is none, or another process was faster.
    pub async fn subject_request_take(&self, now: Timestamp, lease_until: Timestamp) -> Result<Option<SubjectRequestRow>, Error> {
        let Some(row) = self.opt(&SUBJECT_REQUEST_DUE, params![now]).await? else { return Ok(None) };
        let row = request(&row)?;
        let lease = Changeset::housekeeping(Housekeeping::Job).run(
            &SUBJECT_REQUEST_LEASE,
            params![row.id.0, row.version, now, lease_until],
            Expect::One("it is being worked on"),
        );
        match self.commit(lease).await {
            Ok(()) => Ok(Some(row)),
            Err(Error::Conflict(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Says again that a request is worked on.
    pub async fn subject_request_hold(&self, id: SubjectRequestId, version: u64, lease_until: Timestamp) -> Result<(), Error> {
        self.commit(Changeset::housekeeping(Housekeeping::Job).run(&SUBJECT_REQUEST_HOLD, params![id.0, version, lease_until], Expect::Any)).await
    }

    /// The sealed parts of a package that has not expired, in order.
    pub async fn subject_package_get(&self, request: SubjectRequestId, now: Timestamp) -> Result<Vec<String>, Error> {
        self.all(&SUBJECT_PACKAGE_GET, params![request.0, now]).await?.iter().map(|row| row.get(0)).collect()
    }

    /// What is kept of a person by decision, released holds too.
    pub async fn privacy_hold_list(&self, tag: [u8; 32]) -> Result<Vec<PrivacyHoldRow>, Error> {
        self.all(&PRIVACY_HOLD_LIST, params![tag]).await?.iter().map(hold).collect()
    }

    /// The newest 1,000 holds, released ones too.
    pub async fn privacy_hold_list_all(&self) -> Result<Vec<PrivacyHoldRow>, Error> {
        self.all(&PRIVACY_HOLD_LIST_ALL, params![]).await?.iter().map(hold).collect()
    }
}

impl Changeset {
    /// A new request.
    pub fn subject_request_insert(self, row: &SubjectRequestRow) -> Self {
        let params = params![row.id.0, row.tag, &row.law, &row.kind, &row.state, &row.sealed, row.progress.clone(), row.received_at, &row.due_on, row.run_at];
        self.run(&SUBJECT_REQUEST_INSERT, params, Expect::Any)
    }

    /// A request is further than it was when `row` was read; nobody works on it any more.
    pub fn subject_request_set(self, row: &SubjectRequestRow) -> Self {
        let params = params![row.id.0, row.version, &row.state, &row.sealed, row.progress.clone(), &row.due_on, row.closed_at, row.run_at, row.attempts];
        self.run(&SUBJECT_REQUEST_SET, params, Expect::One("the request was changed meanwhile; look at it again"))
    }

    /// Requests that left something are looked at again: what kept it may be gone.
    pub fn subject_request_wake(self, now: Timestamp) -> Self {
        self.run(&SUBJECT_REQUEST_WAKE, params![now], Expect::Any)
    }

    /// What a process that died worked on is free (SQLite, where there is only one).
    pub fn subject_request_unlease(self) -> Self {
        self.run(&SUBJECT_REQUEST_UNLEASE, params![], Expect::Any)
    }

    /// A part of a package.
    pub fn subject_package_insert(self, request: SubjectRequestId, part: u32, sealed: &str, expires_at: Timestamp) -> Self {
        self.run(&SUBJECT_PACKAGE_INSERT, params![request.0, i64::from(part), sealed, expires_at], Expect::Any)
    }

    /// Drops a package.
    pub fn subject_package_delete(self, request: SubjectRequestId) -> Self {
        self.run(&SUBJECT_PACKAGE_DELETE, params![request.0], Expect::Any)
    }

    /// Drops packages that have expired.
    pub fn subject_package_sweep(self, now: Timestamp) -> Self {
        self.run(&SUBJECT_PACKAGE_SWEEP, params![now], Expect::Any)
    }

    /// Something is kept.
    pub fn privacy_hold_insert(self, row: &PrivacyHoldRow) -> Self {
        let params = params![row.id.0, row.tag, &row.place, &row.article, &row.reason, &row.owner, row.placed_at, row.until];
        self.run(&PRIVACY_HOLD_INSERT, params, Expect::Any)
    }

    /// It is kept no more.
    pub fn privacy_hold_release(self, id: HoldId, now: Timestamp) -> Self {
        self.run(&PRIVACY_HOLD_RELEASE, params![id.0, now], Expect::One("there is no such hold, or it was released"))
    }
}

fn request(row: &Row) -> Result<SubjectRequestRow, Error> {
    Ok(SubjectRequestRow {
        id: SubjectRequestId(row.get(0)?),
        tag: row.get(1)?,
        law: row.get(2)?,
        kind: row.get(3)?,
        state: row.get(4)?,
        sealed: row.get(5)?,
        progress: row.get(6)?,
        version: row.get(7)?,
        received_at: row.get(8)?,
        due_on: row.get(9)?,
        closed_at: row.get(10)?,
        run_at: row.get(11)?,
        attempts: row.get(12)?,
    })
}

fn hold(row: &Row) -> Result<PrivacyHoldRow, Error> {
    Ok(PrivacyHoldRow {
        id: HoldId(row.get(0)?),
        tag: row.get(1)?,
        place: row.get(2)?,
        article: row.get(3)?,
        reason: row.get(4)?,
        owner: row.get(5)?,
        placed_at: row.get(6)?,
        until: row.get(7)?,
        released_at: row.get(8)?,
    })
}
