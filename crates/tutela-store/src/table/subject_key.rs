//! Keys of data subjects: whose they are, as a keyed hash that goes with the key.

use tutela_core::{KeyId, Timestamp};

use crate::{
    Changeset, Error, Expect, Housekeeping, Store,
    sql::statements,
    table::key_version::KeyVersionRow,
    value::{Row, params},
};

statements! {
    SUBJECT_KEY_DESTROY (Id, Time) = "UPDATE subject_key SET tag = NULL, destroyed_at = $2, epoch = (SELECT max(epoch) FROM key_version WHERE key_version.key_id = $1)
        WHERE key_id = $1 AND destroyed_at IS NULL AND hold IS NULL";
    SUBJECT_KEY_GET (Id) = "SELECT key_id, created_at, hold, epoch, destroyed_at, unreadable_at, backups_gone_at FROM subject_key WHERE key_id = $1";
    SUBJECT_KEY_GET_BY_TAG (Bytes) = "SELECT key_id, created_at, hold, epoch, destroyed_at, unreadable_at, backups_gone_at FROM subject_key WHERE tag = $1";
    SUBJECT_KEY_HOLD (Id, Text) = "UPDATE subject_key SET hold = $2 WHERE key_id = $1 AND destroyed_at IS NULL";
    SUBJECT_KEY_INSERT (Id, Bytes, Time, Int) = "INSERT INTO subject_key (key_id, tag, created_at)
        SELECT $1, $2, $3 WHERE EXISTS (SELECT 1 FROM key_epoch WHERE number = $4 AND state = 'active') ON CONFLICT (tag) DO NOTHING";
    SUBJECT_KEY_LIST_OPEN (Int) = "SELECT key_id, created_at, hold, epoch, destroyed_at, unreadable_at, backups_gone_at FROM subject_key
        WHERE destroyed_at IS NOT NULL AND backups_gone_at IS NULL ORDER BY destroyed_at, key_id LIMIT $1";
    SUBJECT_KEY_LIST_DESTROYED () = "SELECT key_id, destroyed_at FROM subject_key WHERE destroyed_at IS NOT NULL ORDER BY destroyed_at, key_id";
    SUBJECT_KEY_MARK (Id, Time, Time) = "UPDATE subject_key SET unreadable_at = coalesce(unreadable_at, $2), backups_gone_at = coalesce(backups_gone_at, $3) WHERE key_id = $1 AND destroyed_at IS NOT NULL";
    SUBJECT_KEY_RELEASE (Id) = "UPDATE subject_key SET hold = NULL WHERE key_id = $1 AND destroyed_at IS NULL AND hold IS NOT NULL";
    SUBJECT_KEY_RESTORE (Id, Bytes, Time, Text) = "INSERT INTO subject_key (key_id, tag, created_at, hold) VALUES ($1, $2, $3, $4) ON CONFLICT (key_id) DO NOTHING";
    SUBJECT_KEY_TAGS (Id, Int) = "SELECT key_id, tag, created_at, hold FROM subject_key WHERE tag IS NOT NULL AND key_id > $1 ORDER BY key_id LIMIT $2";
}

/// The key of a data subject, or what is left of it.
#[derive(Debug, Clone)]
pub struct SubjectKeyRow {
    /// The key.
    pub key: KeyId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Why it may not be destroyed.
    pub hold: Option<String>,
    /// The epoch it was wrapped under when it was destroyed.
    pub epoch: Option<u32>,
    /// When it was destroyed.
    pub destroyed_at: Option<Timestamp>,
    /// When our own storage could no longer open what it sealed.
    pub unreadable_at: Option<Timestamp>,
    /// When no backup could either.
    pub backups_gone_at: Option<Timestamp>,
}

/// Whose a key is: for key backups.
#[derive(Debug, Clone)]
pub struct SubjectTagRow {
    /// The key.
    pub key: KeyId,
    /// The keyed hash of the data subject.
    pub tag: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// Why it may not be destroyed.
    pub hold: Option<String>,
}

impl Store {
    /// The key of whoever has this tag.
    pub async fn subject_key_get_by_tag(&self, tag: [u8; 32]) -> Result<Option<SubjectKeyRow>, Error> {
        self.opt(&SUBJECT_KEY_GET_BY_TAG, params![tag]).await?.as_ref().map(subject).transpose()
    }

    /// A subject's key by its id, destroyed or not.
    pub async fn subject_key_get(&self, key: KeyId) -> Result<Option<SubjectKeyRow>, Error> {
        self.opt(&SUBJECT_KEY_GET, params![key.0]).await?.as_ref().map(subject).transpose()
    }

    /// Every destroyed key, and since when.
    pub async fn subject_key_list_destroyed(&self) -> Result<Vec<(KeyId, Timestamp)>, Error> {
        self.all(&SUBJECT_KEY_LIST_DESTROYED, params![]).await?.iter().map(|row| Ok((KeyId(row.get(0)?), row.get(1)?))).collect()
    }

    /// Destroyed keys that some backup may still open.
    pub async fn subject_key_list_open(&self, limit: u32) -> Result<Vec<SubjectKeyRow>, Error> {
        self.all(&SUBJECT_KEY_LIST_OPEN, params![i64::from(limit)]).await?.iter().map(subject).collect()
    }

    /// Keys of subjects that live, after the one given.
    pub async fn subject_key_tags(&self, after: KeyId, limit: u32) -> Result<Vec<SubjectTagRow>, Error> {
        let rows = self.all(&SUBJECT_KEY_TAGS, params![after.0, i64::from(limit)]).await?;
        rows.iter().map(|row| Ok(SubjectTagRow { key: KeyId(row.get(0)?), tag: row.get(1)?, created_at: row.get(2)?, hold: row.get(3)? })).collect()
    }

    /// Gives keys to subjects who have none; where another node was faster, its key stays. Nothing is kept
    /// under an epoch that is no longer the active one: look again, and try again with the newest.
    pub async fn subject_key_ensure(&self, new: &[([u8; 32], KeyVersionRow)]) -> Result<(), Error> {
        let changeset = new.iter().fold(Changeset::housekeeping(Housekeeping::SubjectKey), |changeset, (tag, row)| {
            changeset
                .run(&SUBJECT_KEY_INSERT, params![row.key.0, *tag, row.created_at, row.epoch.map(u64::from)], Expect::Any)
                .key_version_insert_of_subject(row)
        });
        self.commit(changeset).await
    }
}

impl Changeset {
    /// Destroys a subject's key and forgets whose it was.
    pub fn subject_key_destroy(self, key: KeyId, now: Timestamp) -> Self {
        self.run(&SUBJECT_KEY_DESTROY, params![key.0, now], Expect::One("the key is destroyed already, or a legal hold keeps it")).key_version_destroy(key)
    }

    /// Keeps a subject's key from being destroyed.
    pub fn subject_key_hold(self, key: KeyId, reason: &str) -> Self {
        self.run(&SUBJECT_KEY_HOLD, params![key.0, reason], Expect::One("the key was destroyed"))
    }

    /// Ends a hold.
    pub fn subject_key_release(self, key: KeyId) -> Self {
        self.run(&SUBJECT_KEY_RELEASE, params![key.0], Expect::One("no legal hold stands"))
    }

    /// Notes since when nothing can open what the key sealed, here and in backups.
    pub fn subject_key_mark(self, key: KeyId, unreadable: Option<Timestamp>, backups_gone: Option<Timestamp>) -> Self {
        self.run(&SUBJECT_KEY_MARK, params![key.0, unreadable, backups_gone], Expect::Any)
    }

    /// Puts back whose a key is, from a backup.
    pub fn subject_key_restore(self, row: &SubjectTagRow) -> Self {
        self.run(&SUBJECT_KEY_RESTORE, params![row.key.0, row.tag, row.created_at, row.hold.clone()], Expect::Any)
    }
}

fn subject(row: &Row) -> Result<SubjectKeyRow, Error> {
    let epoch: Option<u64> = row.get(3)?;
    Ok(SubjectKeyRow {
        key: KeyId(row.get(0)?),
        created_at: row.get(1)?,
        hold: row.get(2)?,
        epoch: epoch.and_then(|n| u32::try_from(n).ok()),
        destroyed_at: row.get(4)?,
        unreadable_at: row.get(5)?,
        backups_gone_at: row.get(6)?,
    })
}
