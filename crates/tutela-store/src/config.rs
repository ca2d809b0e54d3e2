use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[storage]`: where tutela keeps its own data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `sqlite` for the file `tutela.db` in the data folder, or a PostgreSQL URL such as
    /// `postgres://tutela@db.internal/tutela`. Changing it needs a restart.
    pub url: String,
    /// File with the PostgreSQL password, so that it stands in no configuration file.
    pub password_file: Option<std::path::PathBuf>,
    /// Connections to PostgreSQL, 2 to 200. SQLite does not use it.
    pub connections: u32,
    /// Threads that read from SQLite, 1 to 64. PostgreSQL does not use it.
    pub readers: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { url: "sqlite".into(), password_file: None, connections: 16, readers: 4 }
    }
}

impl Config {
    /// Refuses values out of range.
    pub fn check(&self) -> Result<(), String> {
        if self.url != "sqlite" && !self.url.starts_with("postgres://") && !self.url.starts_with("postgresql://") && !self.url.starts_with("host=") {
            return Err("`url` is `sqlite`, or a PostgreSQL URL such as `postgres://tutela@db.internal/tutela`".into());
        }
        if !(2..=200).contains(&self.connections) {
            return Err("`connections` is from 2 to 200".into());
        }
        if !(1..=64).contains(&self.readers) {
            return Err("`readers` is from 1 to 64".into());
        }
        Ok(())
    }
}
