//! The key that requests to SAML providers are signed with; providers know its certificate, so it stays.

use tutela_core::Timestamp;

use crate::{Changeset, Error, Expect, Store, sql::statements, value::params};

statements! {
    SAML_KEY_GET () = "SELECT sealed, certificate FROM saml_key WHERE one = 1";
    SAML_KEY_INSERT (Text, Text, Time) = "INSERT INTO saml_key (one, sealed, certificate, created_at) VALUES (1, $1, $2, $3) ON CONFLICT (one) DO NOTHING";
}

impl Store {
    /// The key, sealed, and its certificate.
    pub async fn saml_key_get(&self) -> Result<Option<(String, String)>, Error> {
        self.opt(&SAML_KEY_GET, params![]).await?.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
    }
}

impl Changeset {
    /// Keeps the key; of two nodes that make it, one gets a conflict.
    pub fn saml_key_insert(self, sealed: &str, certificate: &str, now: Timestamp) -> Self {
        self.run(&SAML_KEY_INSERT, params![sealed, certificate, now], Expect::One("another node has made this key already"))
    }
}
