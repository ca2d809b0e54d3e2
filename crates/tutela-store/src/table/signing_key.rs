//! Keys that tokens are signed with.

use tutela_core::Timestamp;

use crate::{Changeset, Error, Expect, Store, sql::statements, value::params};

statements! {
    SIGNING_KEY_DELETE (Text) = "DELETE FROM signing_key WHERE id = $1";
    SIGNING_KEY_INSERT (Text, Text, Int, Text, Time, Time) =
        "INSERT INTO signing_key (id, algorithm, number, sealed, signs_from, created_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (algorithm, number) DO NOTHING";
    SIGNING_KEY_LIST () = "SELECT id, algorithm, number, sealed, signs_from, created_at FROM signing_key ORDER BY algorithm, number";
}

/// A key that tokens are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeyRow {
    /// Thumbprint of its public half (RFC 7638).
    pub id: String,
    /// Name of the algorithm.
    pub algorithm: String,
    /// Counted for each algorithm from 1.
    pub number: i64,
    /// The private key, sealed.
    pub sealed: String,
    /// From when on it signs.
    pub signs_from: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Store {
    /// All of them; there are few.
    pub async fn signing_key_list(&self) -> Result<Vec<SigningKeyRow>, Error> {
        let rows = self.all(&SIGNING_KEY_LIST, params![]).await?;
        let read = |row: &crate::value::Row| {
            Ok(SigningKeyRow {
                id: row.get(0)?,
                algorithm: row.get(1)?,
                number: row.get(2)?,
                sealed: row.get(3)?,
                signs_from: row.get(4)?,
                created_at: row.get(5)?,
            })
        };
        rows.iter().map(read).collect()
    }
}

impl Changeset {
    /// Keeps a new key; of two nodes that make the same number, one gets a conflict.
    pub fn signing_key_insert(self, key: &SigningKeyRow) -> Self {
        let params = params![&key.id, &key.algorithm, key.number, &key.sealed, key.signs_from, key.created_at];
        self.run(&SIGNING_KEY_INSERT, params, Expect::One("another node has made this key already")).announce("signing_key", &key.id)
    }

    /// Forgets a key: what it signed is good no more.
    pub fn signing_key_delete(self, id: &str) -> Self {
        self.run(&SIGNING_KEY_DELETE, params![id], Expect::One("the key is gone already")).announce("signing_key", id)
    }
}
