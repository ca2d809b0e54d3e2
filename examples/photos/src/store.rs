//! The app's own database: people, their photos, what they prefer, what they did.
//!
//! One SQLite connection behind a mutex. Every call runs on a blocking thread, so that a slow disk holds
//! up only those who wait for it. Times are RFC 3339 text in UTC, made by SQLite.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::Error;
use crate::identity::Person;

/// A person as the app knows them.
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) bio: String,
    pub(crate) plan: String,
    /// How many photos they have.
    pub(crate) photos: i64,
}

/// A photo; `file` is its name in the picture folder.
pub(crate) struct Photo {
    pub(crate) id: i64,
    pub(crate) user_id: i64,
    pub(crate) owner: String,
    pub(crate) title: String,
    pub(crate) file: String,
    pub(crate) bytes: i64,
    pub(crate) created_at: String,
}

/// A photo that is stored as a file already and not yet listed.
pub(crate) struct NewPhoto {
    pub(crate) title: String,
    pub(crate) file: String,
    pub(crate) bytes: i64,
}

#[derive(Clone)]
pub(crate) struct Store {
    connection: Arc<Mutex<Connection>>,
}

impl Store {
    pub(crate) async fn open(path: PathBuf) -> Result<Self, Error> {
        let connection = tokio::task::spawn_blocking(move || {
            let connection = Connection::open(path)?;
            connection.execute_batch(SCHEMA)?;
            Ok::<_, rusqlite::Error>(connection)
        })
        .await
        .map_err(|_| Error::Stopped)??;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// The app's row of a person, made at their first visit; name and mail follow the identity.
    pub(crate) async fn user_of(&self, person: &Person) -> Result<User, Error> {
        let person = person.clone();
        self.run(move |db| {
            let id: i64 = db.query_row(
                "INSERT INTO users (account, name, email) VALUES (?1, ?2, ?3)
                 ON CONFLICT (account) DO UPDATE SET name = excluded.name, email = excluded.email
                 RETURNING id",
                params![person.account, person.name, person.email],
                |row| row.get(0),
            )?;
            db.execute("INSERT OR IGNORE INTO preferences (user_id, name, value) VALUES (?1, 'newsletter', 'no')", params![id])?;
            db.query_row(&format!("{USERS} WHERE users.id = ?1"), params![id], user)
        })
        .await
    }

    pub(crate) async fn user_list(&self) -> Result<Vec<User>, Error> {
        self.run(|db| {
            let mut statement = db.prepare(&format!("{USERS} ORDER BY users.id LIMIT 500"))?;
            statement.query_map([], user)?.collect()
        })
        .await
    }

    pub(crate) async fn bio_set(&self, user_id: i64, bio: String) -> Result<(), Error> {
        self.run(move |db| {
            db.execute("UPDATE users SET bio = ?2 WHERE id = ?1", params![user_id, bio])?;
            note(db, user_id, "changed the profile")
        })
        .await
    }

    /// The newest pictures of everybody.
    pub(crate) async fn photo_gallery(&self) -> Result<Vec<Photo>, Error> {
        self.run(|db| {
            let text = format!("{PHOTOS} WHERE photos.file NOT LIKE '%.bin' ORDER BY photos.id DESC LIMIT 60");
            db.prepare(&text)?.query_map([], photo)?.collect()
        })
        .await
    }

    pub(crate) async fn photo_list_by_user(&self, user_id: i64) -> Result<Vec<Photo>, Error> {
        self.run(move |db| {
            let text = format!("{PHOTOS} WHERE photos.user_id = ?1 ORDER BY photos.id DESC LIMIT 500");
            db.prepare(&text)?.query_map(params![user_id], photo)?.collect()
        })
        .await
    }

    pub(crate) async fn photo_get(&self, id: i64) -> Result<Option<Photo>, Error> {
        self.run(move |db| db.query_row(&format!("{PHOTOS} WHERE photos.id = ?1"), params![id], photo).optional()).await
    }

    pub(crate) async fn photo_add(&self, user_id: i64, new: NewPhoto) -> Result<i64, Error> {
        self.run(move |db| {
            db.execute("INSERT INTO photos (user_id, title, file, bytes) VALUES (?1, ?2, ?3, ?4)", params![user_id, new.title, new.file, new.bytes])?;
            let id = db.last_insert_rowid();
            note(db, user_id, "added a photo")?;
            Ok(id)
        })
        .await
    }

    pub(crate) async fn photo_delete(&self, id: i64, by_user: i64) -> Result<(), Error> {
        self.run(move |db| {
            db.execute("DELETE FROM photos WHERE id = ?1", params![id])?;
            note(db, by_user, "deleted a photo")
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static) -> Result<T, Error> {
        let connection = Arc::clone(&self.connection);
        let done = tokio::task::spawn_blocking(move || {
            // A panic elsewhere cannot leave SQLite half written: it has its own transactions.
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            job(&connection)
        });
        Ok(done.await.map_err(|_| Error::Stopped)??)
    }
}

fn note(db: &Connection, user_id: i64, what: &str) -> rusqlite::Result<()> {
    db.execute("INSERT INTO activity (user_id, what) VALUES (?1, ?2)", params![user_id, what])?;
    Ok(())
}

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User { id: row.get(0)?, name: row.get(1)?, email: row.get(2)?, bio: row.get(3)?, plan: row.get(4)?, photos: row.get(5)? })
}

fn photo(row: &Row<'_>) -> rusqlite::Result<Photo> {
    Ok(Photo { id: row.get(0)?, user_id: row.get(1)?, owner: row.get(2)?, title: row.get(3)?, file: row.get(4)?, bytes: row.get(5)?, created_at: row.get(6)? })
}

const USERS: &str = "SELECT users.id, users.name, users.email, users.bio, users.plan,
    (SELECT count(*) FROM photos WHERE photos.user_id = users.id) FROM users";

const PHOTOS: &str = "SELECT photos.id, photos.user_id, users.name, photos.title, photos.file, photos.bytes,
    photos.created_at FROM photos JOIN users ON users.id = photos.user_id";

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA foreign_keys = ON;
    PRAGMA busy_timeout = 5000;
    CREATE TABLE IF NOT EXISTS users (
        id INTEGER PRIMARY KEY,
        account TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        email TEXT NOT NULL,
        bio TEXT NOT NULL DEFAULT '',
        plan TEXT NOT NULL DEFAULT 'free'
    ) STRICT;
    CREATE TABLE IF NOT EXISTS photos (
        id INTEGER PRIMARY KEY,
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        title TEXT NOT NULL,
        file TEXT NOT NULL UNIQUE,
        bytes INTEGER NOT NULL,
        created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
    ) STRICT;
    CREATE INDEX IF NOT EXISTS photos_by_user ON photos (user_id, id);
    CREATE TABLE IF NOT EXISTS preferences (
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (user_id, name)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS activity (
        id INTEGER PRIMARY KEY,
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
        what TEXT NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS activity_by_user ON activity (user_id, id);
";
