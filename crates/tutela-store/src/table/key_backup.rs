//! Key backups that were made, and what became of their files.

use tutela_core::Timestamp;
use uuid::Uuid;

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    KEY_BACKUP_DELETED (Id, Time) = "UPDATE key_backup SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL";
    KEY_BACKUP_INSERT (Id, Text, Bytes, Int, Time) = "INSERT INTO key_backup (id, file, sha256, keys, created_at) VALUES ($1, $2, $3, $4, $5)";
    KEY_BACKUP_LIST (Int) = "SELECT id, file, sha256, keys, created_at, rehearsed_at, deleted_at FROM key_backup ORDER BY id DESC LIMIT $1";
    KEY_BACKUP_OLD (Time, Int) = "SELECT id, file, sha256, keys, created_at, rehearsed_at, deleted_at FROM key_backup WHERE deleted_at IS NULL AND created_at < $1 ORDER BY id LIMIT $2";
    KEY_BACKUP_REHEARSED (Id, Time) = "UPDATE key_backup SET rehearsed_at = $2 WHERE id = $1";
}

/// A key backup.
#[derive(Debug, Clone)]
pub struct KeyBackupRow {
    /// Its id.
    pub id: Uuid,
    /// File name in the backup folder.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Keys in it.
    pub keys: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a rehearsal last opened it.
    pub rehearsed_at: Option<Timestamp>,
    /// When its file was deleted.
    pub deleted_at: Option<Timestamp>,
}

impl Store {
    /// Key backups, newest first.
    pub async fn key_backup_list(&self, limit: u32) -> Result<Vec<KeyBackupRow>, Error> {
        self.all(&KEY_BACKUP_LIST, params![i64::from(limit)]).await?.iter().map(backup).collect()
    }

    /// Backups older than `before` whose files are still there, oldest first.
    pub async fn key_backup_list_old(&self, before: Timestamp, limit: u32) -> Result<Vec<KeyBackupRow>, Error> {
        self.all(&KEY_BACKUP_OLD, params![before, i64::from(limit)]).await?.iter().map(backup).collect()
    }
}

impl Changeset {
    /// Notes a new backup.
    pub fn key_backup_insert(self, row: &KeyBackupRow) -> Self {
        self.run(&KEY_BACKUP_INSERT, params![row.id, &row.file, row.sha256, row.keys, row.created_at], Expect::Any)
    }

    /// Notes that a rehearsal opened it.
    pub fn key_backup_rehearsed(self, id: Uuid, now: Timestamp) -> Self {
        self.run(&KEY_BACKUP_REHEARSED, params![id, now], Expect::Any)
    }

    /// Notes that its file is gone.
    pub fn key_backup_deleted(self, id: Uuid, now: Timestamp) -> Self {
        self.run(&KEY_BACKUP_DELETED, params![id, now], Expect::Any)
    }
}

fn backup(row: &Row) -> Result<KeyBackupRow, Error> {
    Ok(KeyBackupRow {
        id: row.get(0)?,
        file: row.get(1)?,
        sha256: row.get(2)?,
        keys: row.get(3)?,
        created_at: row.get(4)?,
        rehearsed_at: row.get(5)?,
        deleted_at: row.get(6)?,
    })
}
