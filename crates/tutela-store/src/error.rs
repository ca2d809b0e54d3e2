use tutela_core::ErrorKind;

/// Why the store refuses or fails. In every case nothing of the changeset happened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A precondition did not hold, or a name is taken: somebody else was first.
    #[error("{0}")]
    Conflict(&'static str),
    /// Stored data does not have the form we wrote.
    #[error("stored data cannot be read: {0}")]
    Decode(String),
    /// The database belongs to another root key.
    #[error("this database was made with another root key: put the right `instance.key` into the data folder")]
    ForeignKey,
    /// Another process has the SQLite file open.
    #[error("another tutela is running on `{0}`: stop it first, or use another data folder")]
    InUse(String),
    /// A statement or type of ours is wrong.
    #[error("the database refused a statement: {0}")]
    Internal(String),
    /// The database was migrated by a later version.
    #[error("the database has schema version {found}, this program knows {known}: install the newer tutela again, or restore a backup made before the upgrade")]
    Newer {
        /// Version in the database.
        found: i64,
        /// Version of this program.
        known: i64,
    },
    /// A restore has begun and was not finished.
    #[error("a restore into this database has begun and is not finished: run `tutela restore --finish`, or delete the database and restore again")]
    Restoring,
    /// A migration's text was changed after it had been applied.
    #[error("migration {0} was applied with another text than this program has: the database was made by a different build")]
    Rewritten(i64),
    /// The disk is full, the file cannot be written, or the server does not answer.
    #[error("storage is unavailable: {0}")]
    Unavailable(String),
}

impl Error {
    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Conflict(_) => ErrorKind::Conflict,
            Self::Decode(_) | Self::Rewritten(_) => ErrorKind::Corrupt,
            Self::ForeignKey | Self::Newer { .. } | Self::Restoring => ErrorKind::Invalid,
            Self::Internal(_) => ErrorKind::Internal,
            Self::InUse(_) | Self::Unavailable(_) => ErrorKind::Unavailable,
        }
    }
}

/// Names that must be unique, as SQLite and PostgreSQL call them, and what to tell the caller.
const UNIQUE: &[(&str, &str, &str)] = &[
    ("account.email", "account_email_key", "an account with this address exists already"),
    ("client.name", "client_name_key", "a client with this name exists already"),
    ("idempotency.key_hash", "idempotency_pkey", "this idempotency key is in use"),
    ("key_epoch.number", "key_epoch_pkey", "another node began an epoch meanwhile"),
    ("key_version.key_id", "key_version_pkey", "another node rotated the key meanwhile"),
    ("named_key.name", "named_key_name_key", "a key with this name exists already, or existed"),
    ("job.unique_key", "job_unique_key_key", "the job is scheduled already"),
];

fn unique_message(named: impl Fn(&str, &str) -> bool) -> &'static str {
    UNIQUE.iter().find(|(lite, pg, _)| named(lite, pg)).map_or("it exists already", |(.., text)| text)
}

impl From<rusqlite::Error> for Error {
    fn from(e: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{
            CannotOpen, ConstraintViolation, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase, ReadOnly, SystemIoFailure,
        };
        let text = e.to_string();
        match e.sqlite_error_code() {
            Some(ConstraintViolation) if text.contains("UNIQUE") => Self::Conflict(unique_message(|lite, _| text.contains(lite))),
            Some(ConstraintViolation) if text.contains("FOREIGN KEY") => Self::Conflict("something it refers to does not exist, or is still referred to"),
            Some(DiskFull | SystemIoFailure | CannotOpen | ReadOnly | DatabaseBusy | DatabaseLocked) => Self::Unavailable(text),
            Some(DatabaseCorrupt | NotADatabase) => Self::Decode(text),
            _ => Self::Internal(text),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(e: tokio_postgres::Error) -> Self {
        let Some(db) = e.as_db_error() else { return Self::Unavailable(e.to_string()) };
        let text = format!("{} ({})", db.message(), db.code().code());
        match db.code().code() {
            "23505" => Self::Conflict(unique_message(|_, pg| db.constraint() == Some(pg))),
            "23503" => Self::Conflict("something it refers to does not exist, or is still referred to"),
            // Class 08 connection, 53 resources, 57 operator intervention, 58 system error; 40001 and 40P01 after retries.
            code if ["08", "53", "57", "58", "40"].iter().any(|class| code.starts_with(class)) => Self::Unavailable(text),
            _ => Self::Internal(text),
        }
    }
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(e: deadpool_postgres::PoolError) -> Self {
        match e {
            deadpool_postgres::PoolError::Backend(e) => e.into(),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<tutela_ledger::Error> for Error {
    fn from(e: tutela_ledger::Error) -> Self {
        Self::Decode(e.to_string())
    }
}
