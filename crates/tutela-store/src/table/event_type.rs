//! Event types that applications declared over the API.

use serde_json::Value as Json;

use crate::{Changeset, Error, Expect, Store, sql::statements, value::params};

statements! {
    EVENT_TYPE_DELETE (Text) = "DELETE FROM event_type WHERE name = $1";
    EVENT_TYPE_LIST () = "SELECT name, declaration FROM event_type ORDER BY name";
    EVENT_TYPE_SET (Text, Json) = "INSERT INTO event_type (name, declaration) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET declaration = excluded.declaration";
}

impl Store {
    /// Every declaration, by name.
    pub async fn event_type_list(&self) -> Result<Vec<(String, Json)>, Error> {
        self.all(&EVENT_TYPE_LIST, params![]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }
}

impl Changeset {
    /// Declares a type, or declares it anew.
    pub fn event_type_set(self, name: &str, declaration: Json) -> Self {
        self.run(&EVENT_TYPE_SET, params![name, declaration], Expect::Any).announce("event_type", name)
    }

    /// Takes a declaration back.
    pub fn event_type_delete(self, name: &str) -> Self {
        self.run(&EVENT_TYPE_DELETE, params![name], Expect::One("there is no such declaration")).announce("event_type", name)
    }
}
