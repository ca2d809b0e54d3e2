use tutela_core::{ClientId, Timestamp};
use tutela_identity::{Client, TokenHash};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    CLIENT_GET (Id) = "SELECT id, name, scopes, created_at, expires_at, revoked_at FROM client WHERE id = $1";
    CLIENT_GET_BY_KEY (Bytes) = "SELECT id, name, scopes, created_at, expires_at, revoked_at FROM client WHERE key_hash = $1";
    CLIENT_INSERT (Id, Text, Bytes, Json, Time, Time) = "INSERT INTO client (id, name, key_hash, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)";
    CLIENT_LIST (Id, Int) = "SELECT id, name, scopes, created_at, expires_at, revoked_at FROM client WHERE revoked_at IS NULL AND id < $1 ORDER BY id DESC LIMIT $2";
    CLIENT_REVOKE (Id, Time) = "UPDATE client SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
}

/// A client, and when its key was revoked.
#[derive(Debug, Clone)]
pub struct ClientRow {
    /// The client.
    pub client: Client,
    /// When its key stopped working.
    pub revoked_at: Option<Timestamp>,
}

impl Store {
    /// A client by id.
    pub async fn client_get(&self, id: ClientId) -> Result<Option<ClientRow>, Error> {
        self.opt(&CLIENT_GET, params![id.0]).await?.as_ref().map(client).transpose()
    }

    /// A client by the hash of its key.
    pub async fn client_get_by_key(&self, key: TokenHash) -> Result<Option<ClientRow>, Error> {
        self.opt(&CLIENT_GET_BY_KEY, params![key]).await?.as_ref().map(client).transpose()
    }

    /// Clients whose keys are not revoked, newest first, below `before`.
    pub async fn client_list(&self, before: Option<ClientId>, limit: u32) -> Result<Vec<ClientRow>, Error> {
        let before = before.map_or(uuid::Uuid::max(), |id| id.0);
        self.all(&CLIENT_LIST, params![before, i64::from(limit)]).await?.iter().map(client).collect()
    }
}

impl Changeset {
    /// Keeps a new client and the hash of its key.
    pub fn client_insert(self, client: &Client, key: TokenHash) -> Self {
        let params = params![client.id.0, &client.name, key, &client.scopes[..], client.created_at, client.expires_at];
        self.run(&CLIENT_INSERT, params, Expect::Any)
    }

    /// Stops a client's key.
    pub fn client_revoke(self, id: ClientId, now: Timestamp) -> Self {
        self.run(&CLIENT_REVOKE, params![id.0, now], Expect::One("the client is gone, or its key was revoked already")).announce("client", id)
    }
}

fn client(row: &Row) -> Result<ClientRow, Error> {
    let client = Client { id: ClientId(row.get(0)?), name: row.get(1)?, scopes: row.get(2)?, created_at: row.get(3)?, expires_at: row.get(4)? };
    Ok(ClientRow { client, revoked_at: row.get(5)? })
}
