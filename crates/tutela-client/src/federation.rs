//! Outside providers, connections, signing keys.

use reqwest::Method;
use tutela_api::{Connection, Provider, RotateSigningKey, SigningKey};

use crate::{Client, Error, with_query};

impl Client {
    /// Outside providers, each asked whether it is there.
    pub async fn providers(&self) -> Result<Vec<Provider>, Error> {
        self.send(self.request(Method::GET, "/v1/providers")).await
    }

    /// Accounts elsewhere that an account is connected with.
    pub async fn connections(&self, account: &str) -> Result<Vec<Connection>, Error> {
        self.send(self.request(Method::GET, &format!("/v1/accounts/{account}/connections"))).await
    }

    /// Disconnects an account from one elsewhere.
    pub async fn connection_remove(&self, account: &str, id: &str, reason: &str) -> Result<(), Error> {
        let path = with_query(&format!("/v1/accounts/{account}/connections/{id}"), &[("reason", reason.to_owned())]);
        self.done(self.request(Method::DELETE, &path)).await
    }

    /// Keys that tokens are signed with.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>, Error> {
        self.send(self.request(Method::GET, "/v1/signing-keys")).await
    }

    /// Has another key sign from now on.
    pub async fn signing_key_rotate(&self, wish: &RotateSigningKey) -> Result<Vec<SigningKey>, Error> {
        self.send(self.request(Method::POST, "/v1/signing-keys/rotate").json(wish)).await
    }
}
