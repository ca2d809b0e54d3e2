use serde_json::Value as Json;

use crate::{Changeset, Error, Expect, Housekeeping, Store, sql::statements, value::params};

statements! {
    SETTING_GET (Text) = "SELECT value FROM setting WHERE name = $1";
    SETTING_KEEP (Text, Json) = "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    SETTING_SET (Text, Json) = "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
}

impl Store {
    /// What the instance found out and keeps under `name`.
    pub async fn setting_get(&self, name: &'static str) -> Result<Option<Json>, Error> {
        self.opt(&SETTING_GET, params![name]).await?.map(|row| row.get(0)).transpose()
    }

    /// Keeps what was found out, where nothing stands there yet.
    pub async fn setting_keep(&self, name: &'static str, value: Json) -> Result<(), Error> {
        self.commit(Changeset::housekeeping(Housekeeping::Instance).run(&SETTING_KEEP, params![name, value], Expect::Any)).await
    }
}

impl Changeset {
    /// Keeps under `name` what was found out last.
    pub fn setting_set(self, name: &'static str, value: Json) -> Self {
        self.run(&SETTING_SET, params![name, value], Expect::Any)
    }
}
