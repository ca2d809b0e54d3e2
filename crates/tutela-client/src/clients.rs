//! Clients: programs with an API key, and applications that people sign in to.

use reqwest::Method;
use tutela_api::{Client as ApiClient, ClientOauth, NewClient, Page, RollClientKey};

use crate::{Client, Error};

impl Client {
    /// Clients.
    pub async fn clients(&self) -> Result<Page<ApiClient>, Error> {
        self.send(self.request(Method::GET, "/v1/clients?limit=100")).await
    }

    /// Makes one.
    pub async fn client_create(&self, new: &NewClient) -> Result<ApiClient, Error> {
        self.send(self.request(Method::POST, "/v1/clients").json(new)).await
    }

    /// One of them.
    pub async fn client_get(&self, id: &str) -> Result<ApiClient, Error> {
        self.send(self.request(Method::GET, &format!("/v1/clients/{id}"))).await
    }

    /// Gives one another key.
    pub async fn client_key_roll(&self, id: &str, wish: &RollClientKey) -> Result<ApiClient, Error> {
        self.send(self.request(Method::POST, &format!("/v1/clients/{id}/key")).json(wish)).await
    }

    /// Revokes one.
    pub async fn client_revoke(&self, id: &str) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, &format!("/v1/clients/{id}"))).await
    }

    /// Sets one's side of OAuth 2.0.
    pub async fn client_set_oauth(&self, id: &str, oauth: &ClientOauth) -> Result<ApiClient, Error> {
        self.send(self.request(Method::PUT, &format!("/v1/clients/{id}/oauth")).json(oauth)).await
    }
}
