use tutela_identity::Role;

use crate::{Changeset, Error, Expect, Store, sql::statements, value::params};

statements! {
    ROLE_LIST () = "SELECT name, permissions FROM role ORDER BY name";
    ROLE_UPSERT (Text, Json) = "INSERT INTO role (name, permissions) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET permissions = excluded.permissions";
}

impl Store {
    /// All roles; there are few.
    pub async fn role_list(&self) -> Result<Vec<Role>, Error> {
        self.all(&ROLE_LIST, params![]).await?.iter().map(|row| Ok(Role { name: row.get(0)?, permissions: row.get(1)? })).collect()
    }
}

impl Changeset {
    /// Makes a role or sets what it allows.
    pub fn role_upsert(self, role: &Role) -> Self {
        self.run(&ROLE_UPSERT, params![&role.name, &role.permissions[..]], Expect::Any)
    }
}
