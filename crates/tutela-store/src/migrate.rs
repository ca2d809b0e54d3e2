//! Migrations: one text for both engines with type words in braces, applied in order, each with
//! the checksum of the text it was applied with.

use aws_lc_rs::digest::{SHA256, digest};

use crate::{Error, sql::statements, value::Row};

/// One migration.
pub struct Migration {
    /// Its number; the schema's version after it.
    pub version: i64,
    /// What it does.
    pub name: &'static str,
    text: &'static str,
}

/// Every migration, oldest first.
pub const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "the house", text: include_str!("../migrations/0001_the_house.sql") },
    Migration { version: 2, name: "signing in", text: include_str!("../migrations/0002_signing_in.sql") },
    Migration { version: 3, name: "federation", text: include_str!("../migrations/0003_federation.sql") },
    Migration { version: 4, name: "gateway", text: include_str!("../migrations/0004_gateway.sql") },
    Migration { version: 5, name: "detection", text: include_str!("../migrations/0005_detection.sql") },
    Migration { version: 6, name: "privacy", text: include_str!("../migrations/0006_privacy.sql") },
    Migration { version: 7, name: "compliance", text: include_str!("../migrations/0007_compliance.sql") },
];

statements! {
    MIGRATION_LIST () = "SELECT version, checksum FROM schema_migration ORDER BY version";
    MIGRATION_INSERT (Int, Bytes) = "INSERT INTO schema_migration (version, checksum) VALUES ($1, $2)";
}

/// The table that remembers what was applied; made before anything else.
pub const BOOTSTRAP: &str = "CREATE TABLE IF NOT EXISTS schema_migration (version {int} NOT NULL PRIMARY KEY, checksum {bytes} NOT NULL) {strict}";

/// Which dialect a text is written out in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Postgres,
    Sqlite,
}

/// What a database has and what it lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    /// Version in the database; 0 for an empty one.
    pub applied: i64,
    /// Migrations that would be applied: version and name.
    pub pending: Vec<(i64, &'static str)>,
}

impl Migration {
    /// SHA-256 of the text.
    pub fn checksum(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(digest(&SHA256, self.text.as_bytes()).as_ref());
        out
    }

    /// The statements in `dialect`.
    pub fn statements(&self, dialect: Dialect) -> Vec<String> {
        // `-- @pg` and `-- @sqlite` at the start of a statement keep it to one engine.
        let other = match dialect {
            Dialect::Postgres => "-- @sqlite",
            Dialect::Sqlite => "-- @pg",
        };
        let whole = self.text.split(";\n").map(str::trim).filter(|s| !s.is_empty() && !s.lines().any(|l| l.trim() == other));
        whole.map(|s| write_out(s, dialect)).collect()
    }
}

/// Replaces the type words of `text`.
pub fn write_out(text: &str, dialect: Dialect) -> String {
    const WORDS: &[(&str, &str, &str)] = &[
        ("{bytes}", "BYTEA", "BLOB"),
        ("{id}", "UUID", "BLOB"),
        ("{int}", "BIGINT", "INTEGER"),
        ("{json}", "JSONB", "TEXT"),
        ("{serial}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT"),
        ("{strict}", "", "STRICT"),
        ("{text}", "TEXT", "TEXT"),
        ("{time}", "TIMESTAMPTZ", "INTEGER"),
    ];
    WORDS.iter().fold(text.to_owned(), |text, (word, pg, lite)| text.replace(word, if dialect == Dialect::Postgres { pg } else { lite }))
}

/// Compares what was applied with what this program has.
pub fn plan(applied: &[Row]) -> Result<Vec<&'static Migration>, Error> {
    let mut found = 0;
    for row in applied {
        let (version, checksum): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        found = found.max(version);
        if let Some(known) = MIGRATIONS.iter().find(|m| m.version == version)
            && checksum != known.checksum()
        {
            return Err(Error::Rewritten(version));
        }
    }
    let known = MIGRATIONS.last().map_or(0, |m| m.version);
    if found > known {
        return Err(Error::Newer { found, known });
    }
    Ok(MIGRATIONS.iter().filter(|m| m.version > found).collect())
}

/// The plan in words.
pub fn state(pending: &[&'static Migration]) -> MigrationState {
    let known = MIGRATIONS.last().map_or(0, |m| m.version);
    let applied = pending.first().map_or(known, |m| m.version - 1);
    MigrationState { applied, pending: pending.iter().map(|m| (m.version, m.name)).collect() }
}

/// A checksum of all migrations: what the tables of this program look like.
pub fn schema() -> String {
    let sums: Vec<u8> = MIGRATIONS.iter().flat_map(Migration::checksum).collect();
    digest(&SHA256, &sums).as_ref().iter().take(8).map(|b| format!("{b:02x}")).collect()
}
