use serde_json::Value as Json;
use tutela_core::{ClientId, Timestamp};
use tutela_identity::{Client, TokenHash};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    CLIENT_GET (Id) = "SELECT c.id, c.name, c.scopes, c.oauth, c.created_at, (SELECT max(k.expires_at) FROM client_key k WHERE k.client_id = c.id), c.revoked_at
        FROM client c WHERE c.id = $1";
    CLIENT_GET_BY_KEY (Bytes) = "SELECT c.id, c.name, c.scopes, c.oauth, c.created_at, k.expires_at, c.revoked_at
        FROM client_key k JOIN client c ON c.id = k.client_id WHERE k.hash = $1";
    CLIENT_GET_BY_NAME (Text) = "SELECT c.id, c.name, c.scopes, c.oauth, c.created_at, (SELECT max(k.expires_at) FROM client_key k WHERE k.client_id = c.id), c.revoked_at
        FROM client c WHERE c.name = $1";
    CLIENT_INSERT (Id, Text, Json, Json, Time) = "INSERT INTO client (id, name, scopes, oauth, created_at) VALUES ($1, $2, $3, $4, $5)";
    CLIENT_KEY_END (Id, Time) = "UPDATE client_key SET expires_at = $2 WHERE client_id = $1 AND expires_at > $2";
    CLIENT_KEY_INSERT (Bytes, Id, Time, Time) = "INSERT INTO client_key (hash, client_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
    CLIENT_KEY_SWEEP (Time) = "DELETE FROM client_key WHERE expires_at <= $1 AND client_id IN (SELECT client_id FROM client_key WHERE expires_at > $1)";
    CLIENT_LIST (Id, Int) = "SELECT c.id, c.name, c.scopes, c.oauth, c.created_at, (SELECT max(k.expires_at) FROM client_key k WHERE k.client_id = c.id), c.revoked_at
        FROM client c WHERE c.revoked_at IS NULL AND c.id < $1 ORDER BY c.id DESC LIMIT $2";
    CLIENT_REVOKE (Id, Time) = "UPDATE client SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    CLIENT_SET_OAUTH (Id, Json) = "UPDATE client SET oauth = $2 WHERE id = $1 AND revoked_at IS NULL";
}

const GONE: Expect = Expect::One("the client is gone, or was revoked already");

/// A client, and when it was revoked.
#[derive(Debug, Clone)]
pub struct ClientRow {
    /// The client; until when its key works is said of the key it was found by, else of the one that works longest.
    pub client: Client,
    /// When it stopped being one.
    pub revoked_at: Option<Timestamp>,
}

impl Store {
    /// A client by id.
    pub async fn client_get(&self, id: ClientId) -> Result<Option<ClientRow>, Error> {
        self.opt(&CLIENT_GET, params![id.0]).await?.as_ref().map(client).transpose()
    }

    /// A client by the hash of one of its keys.
    pub async fn client_get_by_key(&self, key: TokenHash) -> Result<Option<ClientRow>, Error> {
        self.opt(&CLIENT_GET_BY_KEY, params![key]).await?.as_ref().map(client).transpose()
    }

    /// A client by name.
    pub async fn client_get_by_name(&self, name: &str) -> Result<Option<ClientRow>, Error> {
        self.opt(&CLIENT_GET_BY_NAME, params![name]).await?.as_ref().map(client).transpose()
    }

    /// Clients that are not revoked, newest first, below `before`.
    pub async fn client_list(&self, before: Option<ClientId>, limit: u32) -> Result<Vec<ClientRow>, Error> {
        let before = before.map_or(uuid::Uuid::max(), |id| id.0);
        self.all(&CLIENT_LIST, params![before, i64::from(limit)]).await?.iter().map(client).collect()
    }
}

impl Changeset {
    /// Keeps a new client.
    pub fn client_insert(self, client: &Client) -> Self {
        let oauth = client.registration.as_ref().and_then(|registration| serde_json::to_value(registration).ok());
        let params = params![client.id.0, &client.name, &client.scopes[..], oauth, client.created_at];
        self.run(&CLIENT_INSERT, params, Expect::Any)
    }

    /// Keeps the hash of a client's key.
    pub fn client_key_insert(self, client: ClientId, key: TokenHash, now: Timestamp, expires_at: Timestamp) -> Self {
        self.run(&CLIENT_KEY_INSERT, params![key, client.0, now, expires_at], Expect::Any)
    }

    /// Has the keys that a client has end at `end` at the latest.
    pub fn client_key_end(self, client: ClientId, end: Timestamp) -> Self {
        self.run(&CLIENT_KEY_END, params![client.0, end], Expect::Any).announce("client", client)
    }

    /// Drops keys that have expired and have a successor.
    pub fn client_sweep(self, now: Timestamp) -> Self {
        self.run(&CLIENT_KEY_SWEEP, params![now], Expect::Any)
    }

    /// Changes a client's side of OAuth 2.0.
    pub fn client_set_registration(self, client: &Client) -> Self {
        let oauth = client.registration.as_ref().and_then(|registration| serde_json::to_value(registration).ok());
        self.run(&CLIENT_SET_OAUTH, params![client.id.0, oauth], GONE).announce("client", client.id)
    }

    /// Stops a client.
    pub fn client_revoke(self, id: ClientId, now: Timestamp) -> Self {
        self.run(&CLIENT_REVOKE, params![id.0, now], GONE).announce("client", id)
    }
}

fn client(row: &Row) -> Result<ClientRow, Error> {
    let oauth: Option<Json> = row.get(3)?;
    let registration = oauth.map(serde_json::from_value).transpose().map_err(|e| Error::Decode(format!("a client's registration: {e}")))?;
    let client = Client { id: ClientId(row.get(0)?), name: row.get(1)?, scopes: row.get(2)?, registration, created_at: row.get(4)?, expires_at: row.get(5)? };
    Ok(ClientRow { client, revoked_at: row.get(6)? })
}
